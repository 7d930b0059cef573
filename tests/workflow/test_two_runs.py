"""Two runs on one folder of results, and unlocking after a kill."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline.core.outcome import Outcome
from pipeline.io.claims import Claim, read_claim
from pipeline.io.records import write_record
from pipeline.stages.claims import AT_WORK, RUN
from tests.support.tiny_project import WITHOUT_METHODS, pipeline_run

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    """A folder to start in; its recording is no NWB file, so that a run ends soon."""
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "settings.yaml").write_text(f"recordings: sheet.tsv\n{WITHOUT_METHODS}")
    return tmp_path


def write(path, claim):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(claim)))


def unlock(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "unlock", "--configfile", "settings.yaml", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_second_run_from_another_folder_is_refused_and_the_first_is_unharmed(project):
    claim = project / "results" / RUN
    write(claim, Claim.mine())
    # The first run's record of a failure, from which its later jobs are to be made.
    failed = project / "results" / "e" / "recordings" / "r" / "recording.h5"
    write_record(failed, Outcome(status="failed", reason="truncated"))
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "settings.yaml").write_text(
        f"recordings: ../sheet.tsv\nout: {project / 'results'}\n"
    )
    done = pipeline_run(elsewhere, "--configfile", "settings.yaml", "--cores", "1")
    assert done.returncode != 0
    assert "RN-R05" in done.stdout + done.stderr
    assert f"process {os.getpid()}" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert read_claim(claim).is_mine()
    assert list((project / "results" / "e").rglob("*.*")) == [failed]


def test_what_a_dead_run_left_is_in_nobodys_way(project):
    write(project / "results" / RUN, dataclasses.replace(Claim.mine(), began="1"))
    done = pipeline_run(project, "--configfile", "settings.yaml", "--cores", "1")
    assert done.returncode == 3, done.stderr[-2000:]
    assert not (project / "results" / RUN).exists()
    assert not list(project.rglob(f"*{AT_WORK}"))


def test_unlocking_is_refused_while_a_job_lives(project):
    claim = project / "results" / "logs" / "e" / f"connectome_fit_0{AT_WORK}"
    write(claim, Claim.mine())
    done = unlock(project)
    assert done.returncode == 5
    assert "RN-R20" in done.stderr
    assert claim.exists()


def test_a_job_of_another_machine_is_asked_about(project):
    claim = project / "results" / "logs" / "e" / f"connectome_fit_0{AT_WORK}"
    write(claim, dataclasses.replace(Claim.mine(), host="elsewhere"))
    refused = unlock(project)
    assert refused.returncode == 5
    assert "--force" in refused.stderr
    assert unlock(project, "--force").returncode == 0
    assert not claim.exists()


def test_a_killed_run_is_unlocked_when_its_last_job_has_ended(project):
    os.mkfifo(project / "slow")
    (project / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'ingest.py' in ' '.join(sys.orig_argv):\n"
        f"    open({str(project / 'began')!r}, 'w').close()\n"
        f"    sys.stdin = open({str(project / 'slow')!r})\n"
        "    import pipeline.stages.ingest as room\n"
        "    read = room.ingest\n"
        "    room.ingest = lambda *a, **k: (sys.stdin.read(), read(*a, **k))[1]\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(project)}
    words = ["--configfile", "settings.yaml", "--cores", "1"]
    run = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--", *words],
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    slow = open(project / "slow", "w")  # noqa: PTH123, SIM115 - opens when the job has
    claim = project / "results" / "logs" / "e" / f"ingest_r{AT_WORK}"
    deadline = time.monotonic() + 60
    while not claim.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    driver = read_claim(project / "results" / RUN)
    os.kill(driver.pid, signal.SIGKILL)
    run.wait()
    assert read_claim(claim).lives()
    assert unlock(project).returncode == 5
    slow.close()
    while claim.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert unlock(project).returncode == 0
    assert not (project / "results" / RUN).exists()
    done = pipeline_run(project, *words)
    assert done.returncode == 3, done.stderr[-2000:]
