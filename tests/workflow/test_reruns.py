"""After a finished run, a change makes anew what depends on it and nothing else."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.support.killed_runs import killed_run, results_of, unlocked
from tests.support.rerun_table import CHANGES
from tests.support.tiny_project import pipeline_run, write_tiny_recordings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """\
recordings: {sheet}
out: {out}
seed: {seed}
methods:
  connectome:
    rank: {rank}
    n_restarts: 2
    n_surrogates: 1
    max_iterations: 20
    min_animals: 1
    edges: known.csv
  trsa:
    enabled: {trsa}
    n_permutations: 19
    n_bootstraps: 20
    n_comparisons: 0
    n_graphs: 0
    homology: {{n_shuffles: 0}}
  biclustering: {{enabled: false}}
  celltypes:
    enabled: {celltypes}
    n_models: 1
    n_restarts: 1
    n_nulls: 0
    folds: {{number: 0}}
prepare:
  strict: {strict}
  quality: {{min_snr: {snr}}}
  ensemble: {{rate_hz: {rate}}}
  counts: {{bin_width_s: {bin_width}}}
agreement: {{min_units: {min_units}, gap_s: {gap}, halves: {halves}}}
run:
  parts_per_job: {parts}
  redact: {redact}
  page_limit_mb: {page_limit}
  table_formats: {tables}
  figure_formats: {figures}
  on_method_error: {on_error}
  stalled_after_s: {stalled}
  container: {container}
"""
GROUPED = {"sheet": "grouped.tsv", "out": "grouped", "trsa": "false", "celltypes": "true"}
"""Changed where two methods group units."""
LARGE = 2 * 2**20
"""More bytes than Snakemake itself looks at for a checksum."""
USUAL = {
    "sheet": "sheet.tsv",
    "out": "'the résults'",
    "seed": 1,
    "rank": 2,
    "strict": "false",
    "parts": 3,
    "redact": "false",
    "on_error": "record",
    "trsa": "true",
    "snr": 0,
    "rate": "auto",
    "bin_width": 0.5,
    "min_units": 10,
    "celltypes": "false",
    "gap": 10,
    "halves": "true",
    "page_limit": 3,
    "tables": "[csv]",
    "figures": "[]",
    "stalled": 900,
    "container": "one.sif",
}


def write_settings(folder, **changes):
    path = folder / "settings.yaml"
    path.write_text(SETTINGS.format(**{**USUAL, **changes}), encoding="utf-8")
    return path.name


def run(folder, *words, checkout=None, **changes):
    name = write_settings(folder, **changes)
    done = pipeline_run(folder, *words, "--configfile", name, checkout=checkout or ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def planned(folder, *, checkout=None, **changes):
    """Rules of the jobs that a dry run lists; parts of a fit count as one."""
    done = run(folder, "-n", "--quiet", "rules", checkout=checkout, **changes)
    rules = re.findall(r"^(\w+?)(?:_\d+)? +\d+$", done.stdout, re.MULTILINE)
    return set(rules) - {"total"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my project é")
    write_tiny_recordings(folder)
    with (folder / "one.nwb").open("ab") as file:
        file.write(bytes(LARGE))  # behind what HDF5 looks at
    (folder / "sheet.tsv").write_text(
        "experiment\trecording\tnwb\tactivity\tidentity\ttruth\texclude\n"
        "e\tone\tone.nwb\tcalcium\tidentity\ttruth\t\n"
        "e\ttwo\ttwo.nwb\tcalcium\tidentity\ttruth\t\n"
        "e\tthree\tgone.nwb\tcalcium\tidentity\ttruth\tmoved too much\n"
    )
    (folder / "known.csv").write_text("pre,post,weight\nN00,N01,2\nN03,N05,1\n")
    run(folder, "--cores", "2")
    return folder


@pytest.fixture(scope="module")
def grouped(finished):
    """In the same folder, results of two methods that group units and are fitted to halves."""
    (finished / "grouped.tsv").write_text(
        "experiment\trecording\tnwb\tactivity\tidentity\ne\tone\tone.nwb\tcalcium\tidentity\n"
    )
    run(finished, "--cores", "2", **GROUPED)
    return GROUPED


@pytest.fixture
def copied_code(tmp_path):
    """The code in another folder, to be changed; all its files have new times, as in a clone."""
    code, no_caches = tmp_path / "my code", shutil.ignore_patterns("__pycache__")
    for name in ("pipeline", "workflow", "profiles", "envs"):
        shutil.copytree(ROOT / name, code / name, ignore=no_caches, copy_function=shutil.copyfile)
    shutil.copyfile(ROOT / "Snakefile", code / "Snakefile")
    return code


def raise_version(path, name):
    text = path.read_text()
    raised = re.sub(rf"{name}( ?= ?\"?)(\d+)", lambda m: f"{name}{m[1]}{int(m[2]) + 1}", text)
    assert raised != text
    path.write_text(raised)


@pytest.fixture
def project(finished):
    """The finished project, whose recordings, tables and truth are put back afterwards."""
    files = [path for kind in ("*.nwb", "*.?sv", "truth/*") for path in finished.glob(kind)]
    kept = {path: path.read_bytes() for path in files}
    yield finished
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.parametrize("change", CHANGES, ids=[change.what for change in CHANGES])
def test_what_a_change_makes_anew(project, copied_code, change, request):
    if change.raised is not None:
        module, version = change.raised
        raise_version(copied_code / "pipeline" / module, version)
    if change.project is not None:
        change.project(project)
    usual = request.getfixturevalue("grouped") if change.grouped else {}
    settings = {**usual, **change.settings}
    assert planned(project, checkout=copied_code, **settings) == change.anew


def test_nothing_runs_again_where_two_methods_group_units(grouped, project):
    assert planned(project, **grouped) == set()


def any_of(folder, pattern):
    return any(folder.glob(pattern))


def test_a_left_out_recording_is_told_with_its_reason(finished):
    assert "moved too much" in (finished / "the résults" / "e" / "report.html").read_text()


def test_another_run_gives_the_same_bytes_whatever_shares_a_job_and_whenever_it_is_killed(finished):
    other = {"out": "again", "parts": 1, "trsa": "false"}
    words = ("--cores", "1", "--configfile", write_settings(finished, **other))
    for made in ("recordings/*/recording.h5", "connectome/parts/*.h5"):
        with_it = functools.partial(any_of, finished / "again" / "e", made)
        assert killed_run(finished, *words, once=with_it, checkout=ROOT)
        unlocked(finished, "settings.yaml", checkout=ROOT)
    run(finished, "--cores", "1", **other)
    first, second = results_of(finished / "the résults"), results_of(finished / "again")
    assert len(second) == 2 + 2 + 3 + 1 + 2 + 2 + 1
    agreed = "e/agreement/section.json"  # of both methods in the first run
    assert {place for place in second if second[place] != first[place]} <= {agreed}


def test_a_run_in_another_directory_finds_its_reports(finished):
    elsewhere = finished / "else where"
    elsewhere.mkdir()
    words = ("--directory", "else where", "--cores", "2", "--config", "seed=3")
    done = run(finished, *words, out="results", trsa="false")
    assert "Report: else where/results/e/report.html" in done.stdout
    assert (elsewhere / "results" / "e" / "report.html").exists()
    # The command line contradicts the file: what was in effect is stored.
    stored = json.loads((elsewhere / "results" / "e" / "report.json").read_text())
    assert stored["settings"]["seed"] == 3
    assert "seed" in stored["changed_settings"]
