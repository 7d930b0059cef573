"""A small run from NWB files to reports: one sound experiment, one of broken files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.core.outcome import Outcome
from pipeline.io.hashing import sha256_of
from pipeline.io.records import read_digest, read_record
from pipeline.stages.lineage import lineage
from pipeline.stages.provenance import write_provenance
from tests.support.tiny_project import pipeline_run, write_tiny_recordings

SHEET = """\
experiment\trecording\tnwb\tactivity\tidentity\ttruth
sound\tone\tone.nwb\tcalcium\tidentity\ttruth
sound\ttwo\ttwo.nwb\tcalcium\tidentity\ttruth
mixed\tone\tone.nwb\tcalcium\tidentity\t
mixed\tbroken\tbroken.nwb\tcalcium\tidentity\t
broken\ttext\ttext.nwb\t\t\t
"""
SETTINGS = """\
recordings: recordings.tsv
methods:
  connectome: {rank: 2, n_restarts: 2, n_surrogates: 1, max_iterations: 20, min_animals: 1}
  biclustering: {enabled: false}
  celltypes: {enabled: false}
run: {parts_per_job: 20}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder after a run, and what the run said."""
    folder = tmp_path_factory.mktemp("project")
    write_tiny_recordings(folder)
    whole = (folder / "one.nwb").read_bytes()
    (folder / "broken.nwb").write_bytes(whole[: len(whole) // 2])
    (folder / "text.nwb").write_text("time,cell\n0,1\n")
    (folder / "recordings.tsv").write_text(SHEET)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder, pipeline_run(folder, "--configfile", "settings.yaml", "--cores", "2")


def document(folder, experiment):
    return json.loads((folder / "results" / experiment / "report.json").read_text())


def test_the_run_ends_with_the_class_of_what_failed(finished):
    _, done = finished
    assert done.returncode == 3, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert re.search(r"ERROR IN-F03 mixed/broken: broken.nwb: .* Fix: ", done.stderr)
    assert re.search(r"ERROR IN-F05 broken/text: text.nwb: .* Fix: ", done.stderr)


def test_every_experiment_has_a_report_and_the_index_links_them(finished):
    folder, done = finished
    index = (folder / "results" / "index.html").read_text()
    for experiment in ("sound", "mixed", "broken"):
        assert (folder / "results" / experiment / "report.html").exists()
        assert f'href="{experiment}/report.html"' in index
        assert f"results/{experiment}/report.html" in done.stdout


def test_a_sound_experiment_has_a_result_that_the_others_do_not_harm(finished):
    folder, _ = finished
    found = document(folder, "sound")
    assert found["methods"]["connectome"]["status"] in ("ok", "warn")
    assert found["methods"]["connectome"]["numbers"]
    assert [row["status"] for row in found["recordings"]] == ["ok", "ok"]
    assert "methods.connectome.rank" in found["changed_settings"]
    assert found["settings"]["methods"]["connectome"]["rank"] == 2


def test_what_was_planted_stands_beside_findings_of_simulated_recordings_alone(finished):
    folder, _ = finished
    planted = {
        experiment: {
            name: section["planted"]
            for name, section in document(folder, experiment)["methods"].items()
            if "planted" in section
        }
        for experiment in ("sound", "mixed", "broken")
    }
    assert list(planted["sound"]) == ["connectome"]
    assert planted["sound"]["connectome"].startswith("Planted: ")
    assert planted["mixed"] == planted["broken"] == {}


def test_a_broken_recording_leaves_the_others_of_its_experiment(finished):
    folder, _ = finished
    found = document(folder, "mixed")
    statuses = {row["recording"]: row["status"] for row in found["recordings"]}
    assert statuses == {"one": "ok", "broken": "failed"}
    assert found["methods"]["connectome"]["status"] == "warn"
    checks = (folder / "results" / "mixed" / "connectome" / "checks.json").read_text()
    assert "1 of 2" in checks


def test_an_experiment_without_any_recording_still_has_a_page_that_tells_why(finished):
    folder, _ = finished
    outcome = read_record(
        folder / "results" / "broken" / "recordings" / "text" / "recording.h5", Outcome
    )
    assert outcome.status == "failed"
    page = (folder / "results" / "broken" / "report.html").read_text()
    assert "IN-F05" in page
    told = re.findall(r"Last lines of the log</summary><pre[^>]*>([^<]*)", page)
    assert "ERROR IN-F05 broken/text" in told[0]
    assert str(folder) not in page
    assert document(folder, "broken")["methods"]["connectome"]["status"] == "failed"


def test_what_the_run_left_open_is_only_what_failed(finished):
    folder, _ = finished
    done = pipeline_run(folder, "-n", "--configfile", "settings.yaml")
    assert "summary" in done.stdout
    assert "connectome_fit" not in done.stdout


def test_nothing_is_left_half_written(finished):
    folder, _ = finished
    # Snakemake marks folders that are outputs by a file of its own.
    mark = ".snakemake_timestamp"
    paths = (folder / "results").rglob("*")
    names = [path.name for path in paths if path.is_file() and path.name != mark]
    assert [name for name in names if "tmp" in name or name.startswith(".")] == []


def test_a_repaired_file_is_tried_again_and_then_nothing_is_left_to_do(finished):
    folder, _ = finished
    fit = folder / "results" / "sound" / "connectome" / "fit.h5"
    before = read_digest(fit)
    for name in ("broken", "text"):
        (folder / f"{name}.nwb").write_bytes((folder / "one.nwb").read_bytes())
    done = pipeline_run(folder, "--configfile", "settings.yaml", "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (folder / "results" / "summary.tsv").exists()
    assert read_digest(fit) == before
    again = pipeline_run(folder, "-n", "--configfile", "settings.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_result_is_explained_back_to_the_recordings(finished, monkeypatch, capsys):
    folder, _ = finished
    monkeypatch.chdir(folder)
    fit = Path("results/sound/connectome/fit.h5")
    assert main(["explain", str(fit), "--configfile", "settings.yaml"]) == 0
    told = capsys.readouterr().out
    recordings = fit.parents[1] / "recordings"
    for path in (fit, fit.parent / "parts" / "surrogate-000.h5", recordings / "one/recording.h5"):
        assert re.search(rf"^ *{re.escape(str(path))}$", told, re.MULTILINE)
    assert f"SHA-256 {sha256_of(folder / 'one.nwb')}" in told
    assert '"max_iterations": 20' in told
    assert "MB at most" in told
    assert f"--configfile settings.yaml --force {fit}" in told
    assert "CHANGED" not in told
    chain = lineage(fit)
    assert [each.path.name for each in chain if each.depth == 3] == ["one.nwb", "two.nwb"]
    assert all(each.facts for each in chain if each.provenance is not None)
    for name in ("report.html", "units.csv", "connectome/checks.json", "../index.html"):
        assert main(["explain", str(fit.parents[1] / name)]) == 0
        told = capsys.readouterr().out
        assert f"SHA-256 {sha256_of(folder / 'one.nwb')}" in told
        assert "./run.sh --configfile settings.yaml --force results/" in told


def test_a_result_whose_input_is_another_now_says_so(finished, tmp_path, monkeypatch, capsys):
    folder, _ = finished
    shutil.copytree(folder / "results" / "sound", tmp_path / "sound")
    monkeypatch.chdir(tmp_path)
    recordings = Path("sound/recordings")
    shutil.copy(recordings / "two/recording.h5", recordings / "one/recording.h5")
    assert main(["explain", "sound/connectome/fit.h5"]) == 1
    assert f"{recordings / 'one/recording.h5'}\n" in capsys.readouterr().out
    changed = [
        each.path.parent.name for each in lineage(Path("sound/connectome/fit.h5")) if each.changed
    ]
    assert changed == ["one"]


def test_how_everything_was_made_stands_in_one_file(finished):
    folder, _ = finished
    told = json.loads((folder / "results" / "provenance.json").read_text())
    assert told["packages"]["numpy"]
    assert told["settings"]["methods"]["connectome"]["rank"] == 2
    assert "methods.connectome.rank" in told["settings_changed"]
    recordings = told["experiments"]["sound"]["recordings"]
    assert recordings["one"] == {"one.nwb": sha256_of(folder / "one.nwb")}
    jobs = {job["file"]: job for job in told["experiments"]["sound"]["jobs"]}
    fit = jobs["connectome/fit.run.json"]
    assert fit["host"]
    assert fit["threads"] == 1
    assert fit["peak_memory_mb"] > 10


def test_a_redacted_run_names_neither_files_nor_hosts(finished, tmp_path):
    folder, _ = finished
    write_provenance(
        out=folder / "results",
        recordings={"sound": ["one", "two"]},
        settings={},
        changed=[],
        redact=True,
        output=tmp_path / "provenance.json",
    )
    text = (tmp_path / "provenance.json").read_text()
    told = json.loads(text)
    assert "one.nwb" not in text
    assert "machine" not in told
    assert not any("host" in job for job in told["experiments"]["sound"]["jobs"])
    assert list(told["experiments"]["sound"]["recordings"]["one"]) == ["file 1"]


def test_two_folders_of_results_are_held_against_each_other(finished, tmp_path, capsys):
    folder, _ = finished
    one, other = folder / "results", tmp_path / "other"
    for name in ("provenance.json", "sound/report.json"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one / name, other / name)
    changed = (other / "provenance.json").read_text().replace('"rank": 2', '"rank": 5')
    (other / "provenance.json").write_text(changed)
    assert main(["diff", str(one), str(one)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["diff", str(one), str(other)]) == 1
    told = capsys.readouterr().out
    assert "settings.methods.connectome.rank: 2 | 5\n" in told
    assert 'experiments.mixed.methods.connectome.status: "warn" | null\n' in told
    assert "experiments.sound" not in told
    assert main(["diff", str(one), str(tmp_path / "nothing")]) == 5
    assert "RN-R27" in capsys.readouterr().err


def test_results_of_other_settings_or_code_are_listed(finished, monkeypatch, capsys):
    folder, _ = finished
    monkeypatch.chdir(folder)
    assert main(["status", "--configfile", "settings.yaml"]) == 0
    assert capsys.readouterr().out == "All results are current.\n"
    assert (
        main(["status", "--configfile", "settings.yaml", "--config", "methods.connectome.rank=3"])
        == 0
    )
    told = capsys.readouterr().out
    assert "results/sound/connectome/fit.h5: rank 2, now 3" in told
    assert "recording.h5" not in told
    monkeypatch.setattr("pipeline.stages.status.code_digest", lambda: "0" * 64)
    main(["status", "--configfile", "settings.yaml"])
    assert "recordings/one/recording.h5: made by other code" in capsys.readouterr().out


def test_joined_parts_can_go_and_nothing_is_made_anew_for_want_of_them(
    finished, monkeypatch, capsys
):
    folder, _ = finished
    monkeypatch.chdir(folder)
    parts = folder / "results" / "sound" / "connectome" / "parts"
    size = sum(path.stat().st_size for path in parts.iterdir())
    assert main(["prune", "--configfile", "settings.yaml"]) == 0
    told = capsys.readouterr().out
    assert float(told.split()[0]) >= size / 1e6 - 0.05
    assert list(parts.iterdir()) == []
    again = pipeline_run(folder, "-n", "--configfile", "settings.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr


class Loads(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href") and tag != "a" and value:
                self.addresses.append(value)


def test_a_report_is_small_and_fetches_nothing(finished):
    folder, _ = finished
    path = folder / "results" / "sound" / "report.html"
    assert path.stat().st_size < 3_000_000
    parser = Loads()
    parser.feed(path.read_text())
    assert [a for a in parser.addresses if not a.startswith(("data:", "#"))] == []


def test_the_command_that_is_told_makes_a_result_again(finished, monkeypatch, capsys):
    folder, _ = finished
    monkeypatch.chdir(folder)
    fit = Path("results/sound/connectome/fit.h5")
    before, made = read_digest(fit), fit.stat().st_mtime_ns
    assert main(["explain", str(fit), "--configfile", "settings.yaml"]) == 0
    script, *words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert script == "./run.sh"
    done = pipeline_run(folder, *words, "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert fit.stat().st_mtime_ns > made
    assert read_digest(fit) == before
