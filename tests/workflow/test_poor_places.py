"""Runs where little is given: no network, home or display, another language, a fixed package.

Each is compared with a run in good conditions, to the byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.outcome import Outcome
from pipeline.io.records import read_record
from pipeline.numerics.compiled import _user_cache
from tests.support.needed import need_namespaces
from tests.support.nwb_factory import probe_file, retina_file
from tests.support.quick_settings import QUICK_METHODS
from tests.support.tiny_project import write_tiny_recordings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MACHINE_CODE = os.environ.get("NUMBA_CACHE_DIR", f"{_user_cache()}/neuroptych")
"""Where the run in good conditions keeps what it compiled, by the place of its sources."""
KEPT = ("PATH", "VIRTUAL_ENV", "OPENBLAS_CORETYPE")
"""What is not taken away: the last chooses the processor's instructions, and so the last bit."""
SHEET = """\
experiment\trecording\tnwb\tactivity\tidentity
worms\tone\tone.nwb\tcalcium\tidentity
worms\ttwo\ttwo.nwb\tcalcium\tidentity
cortex\tday1\tspikes.nwb\tspikes\t
retina\tday1\tretina.nwb\tspikes\t
"""
SETTINGS = {
    "recordings": "recordings.tsv",
    "methods": {
        **QUICK_METHODS,
        "connectome": QUICK_METHODS["connectome"] | {"min_animals": 1},
    },
    "run": {"parts_per_job": 20},
}
NAMESPACES = ("unshare", "--map-root-user", "--mount", "--net")
READ_ONLY = """\
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if test -w "$1"; then exit 1; fi
shift
exec "$@"
"""


def project(folder):
    write_tiny_recordings(folder)
    probe_file(folder / "spikes.nwb")
    retina_file(folder / "retina.nwb")
    (folder / "recordings.tsv").write_text(SHEET)
    (folder / "settings.yaml").write_text(json.dumps(SETTINGS))
    return folder


def run(folder, *, checkout, environment, within=()):
    command = [sys.executable, "-m", "pipeline", "run", "--", "--configfile", "settings.yaml"]
    return subprocess.run(
        [*within, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.fspath(checkout)},
    )


@pytest.fixture(scope="module")
def in_comfort(tmp_path_factory):
    """The folder after a run in the conditions of this test, and how it ended."""
    folder = project(tmp_path_factory.mktemp("comfort"))
    return folder, run(folder, checkout=ROOT, environment=dict(os.environ))


def made(folder):
    """Everything a run makes that is the same for the same input, by its place.

    Not what tells of the run itself, of the machine, and where recordings lie on it.
    """
    results = folder / "results"
    suffixes = (".h5", ".json")
    files = [
        path
        for path in results.rglob("*")
        if path.suffix in suffixes and path.parent.name != ".checksums"
    ]
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in files
        if not path.name.endswith(".run.json") and path.name != "provenance.json"
    }


def test_a_method_that_does_not_apply_is_no_failure(in_comfort):
    folder, done = in_comfort
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads((folder / "results" / "cortex" / "report.json").read_text())
    connectome = document["methods"]["connectome"]
    assert connectome["status"] == "not_applicable"
    assert "spike times" in connectome["reason"]
    outcome = read_record(folder / "results" / "cortex" / "connectome" / "fit.h5", Outcome)
    assert outcome.status == "not_applicable"
    document = json.loads((folder / "results" / "worms" / "report.json").read_text())
    assert document["methods"]["connectome"]["status"] in ("ok", "warn")
    document = json.loads((folder / "results" / "retina" / "report.json").read_text())
    assert document["methods"]["celltypes"]["status"] in ("ok", "warn")  # so that torch had work
    assert list((folder / "results").rglob("*.failure.json")) == []


def test_a_run_without_network_home_and_display_in_another_language_gives_the_same_bytes(
    in_comfort, tmp_path
):
    need_namespaces(*NAMESPACES)
    folder = tmp_path / "project"
    shutil.copytree(in_comfort[0], folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = run(
        folder,
        checkout=ROOT,
        environment={
            **kept,
            "HOME": "/nonexistent",
            "TMPDIR": os.fspath(scratch),
            "NUMBA_CACHE_DIR": MACHINE_CODE,  # else jobs compile for two minutes
            "LC_ALL": "C",
            "TZ": "Asia/Kolkata",
        },
        within=(*NAMESPACES, "sh", "-ec", READ_ONLY, "sh", os.fspath(ROOT)),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    comfortable, poor = made(in_comfort[0]), made(folder)
    assert sorted(poor) == sorted(comfortable)
    assert [name for name in poor if poor[name] != comfortable[name]] == []
