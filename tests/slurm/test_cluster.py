"""A small experiment on a real Slurm of one node: the same results, also after every fault."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.io.records import read_digest, record_type
from tests.support.killed_runs import ended_afterwards
from tests.support.needed import lacking
from tests.support.quick_settings import QUICK_METHODS
from tests.support.tiny_project import pipeline_run, write_tiny_probe, write_tiny_recordings

ROOT = Path(__file__).resolve().parents[2]
LOCAL = Path(__file__).with_name("slurm_local.sh")
SHEET = """\
experiment\trecording\tnwb\tactivity\tidentity
sound\tone\tone.nwb\tcalcium\tidentity
sound\ttwo\ttwo.nwb\tcalcium\tidentity
"""
SETTINGS = """\
recordings: recordings.tsv
methods:
  connectome:
    {rank: 2, n_restarts: 2, n_surrogates: 1, max_iterations: 20, min_animals: 1}
  biclustering: {enabled: false}
  trsa: {enabled: false}
  celltypes: {enabled: false}
run: {parts_per_job: 2}
"""
SHEET_OF_ALL = """\
experiment\trecording\tnwb\tactivity\tintervals\tcondition\tregion
shown\tprobe\tprobe.nwb\tspikes\ttrials\tstimulus\tbrain_area
"""
SETTINGS_OF_ALL = {
    "recordings": "all.tsv",
    "prepare": {"ensemble": {"rate_sigma_s": 0.25}},
    "methods": {
        **QUICK_METHODS,
        "connectome": QUICK_METHODS["connectome"] | {"min_animals": 1},
        # No encoding models, whose learning is most of the time.
        "celltypes": QUICK_METHODS["celltypes"] | {"mode": "discrete", "n_models": 1},
    },
}
"""Every method on one recording, with parts in the batches of the defaults."""
PROFILE = (
    *("--profile", str(ROOT / "profiles" / "slurm")),
    # For a test's patience; everything else is as it is shipped.
    *("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5"),
    *("--slurm-keep-successful-logs", "--jobs", "4"),
)
OUTLASTING = """\
import os, sys, time

if sys.orig_argv[-1].endswith("fit.py"):
    from pipeline.stages import checkpoints

    checkpoints.SECONDS_BETWEEN_CHECKPOINTS = checkpoints.WORK_BETWEEN_CHECKPOINTS = 0.0
    keep = checkpoints.Checkpoints._keep

    def keep_and_sleep(self, state):
        keep(self, state)
        if not os.path.exists("slept"):
            with open("slept", "w") as file:
                file.write(str(self.path))
            time.sleep(300)

    checkpoints.Checkpoints._keep = keep_and_sleep
"""
LIMIT_S = 900
SHIPPED_LIMIT_S = 300
"""What a small experiment may take through the shipped profile, on processors of its own."""
N_JOBS_OF_ALL = 15
ANOTHER_IS_SET_UP = 3

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm of its own, which ends with the tests and all that it has started."""
    if shutil.which("slurmctld") is None or shutil.which("munged") is None or os.geteuid() != 0:
        lacking("needs root and Debian's slurm-wlm and munge")
    folder = tmp_path_factory.mktemp("slurm")
    begun = subprocess.run([LOCAL, "start", folder], check=False, timeout=60)
    if begun.returncode == ANOTHER_IS_SET_UP:
        lacking("another Slurm is set up on this machine")
    assert begun.returncode == 0
    yield folder
    subprocess.run([LOCAL, "stop", folder], check=True, timeout=60)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """The one set of files that every run reads: no two that are written are the same."""
    folder = tmp_path_factory.mktemp("recordings")
    write_tiny_recordings(folder)
    (folder / "recordings.tsv").write_text(SHEET)
    (folder / "settings.yaml").write_text(SETTINGS)
    write_tiny_probe(folder / "probe.nwb")
    (folder / "all.tsv").write_text(SHEET_OF_ALL)
    (folder / "all.yaml").write_text(json.dumps(SETTINGS_OF_ALL))
    return folder


@pytest.fixture
def folder(recordings, tmp_path):
    """A folder of the test's own with these recordings."""
    return shutil.copytree(recordings, tmp_path / "project")


def digests(folder):
    """Content digests of everything that is a result, by path below the results."""
    results = folder / "results"
    return {
        str(path.relative_to(results)): read_digest(path) for path in sorted(results.rglob("*.h5"))
    }


def local_digests(recordings, folder, settings):
    """Digests of the same results, computed without a scheduler."""
    project = shutil.copytree(recordings, folder / "project")
    done = pipeline_run(project, "--configfile", settings, "--cores", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    return digests(project)


@pytest.fixture(scope="module")
def expected(recordings, tmp_path_factory):
    """Of the connectome alone, with which faults are tried."""
    return local_digests(recordings, tmp_path_factory.mktemp("local"), "settings.yaml")


@pytest.fixture(scope="module")
def expected_of_all(recordings, tmp_path_factory):
    """Of every method."""
    return local_digests(recordings, tmp_path_factory.mktemp("local-all"), "all.yaml")


@pytest.fixture
def start(slurm, folder):
    """Starts a driver in the background; what it says goes to ``driver.log``.

    Neither drivers nor jobs outlive the test.
    """
    with ended_afterwards() as drivers:

        def begin(*words, settings="settings.yaml", **environment):
            chosen = (*PROFILE, "--configfile", settings, *words)
            with (folder / "driver.log").open("a") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "pipeline", "run", "--", *chosen],
                    cwd=folder,
                    env={**os.environ, **environment},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            drivers.append(process)
            return process

        yield begin
    if left := jobs("running,pending"):
        subprocess.run(["scancel", *map(str, left)], check=True)


def jobs(state):
    """Ids of Slurm's jobs in a state, with the rules that they run."""
    asked = ["squeue", "-a", "-h", "-t", state, "-o", "%A %k"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(line.split()[0]): line.partition(" ")[2] for line in lines}


def until(found, *, process, what):
    """Wait until there is something to be found, while the driver lives."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        seen = found()
        if seen:
            return seen
        assert process.poll() is None, f"the run ended before there was {what}"
        time.sleep(0.3)
    raise AssertionError(f"there was no {what}")


def ended(process, folder):
    code = process.wait(timeout=LIMIT_S)
    assert code == 0, (folder / "driver.log").read_text()[-4000:]


def unlock(folder):
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "unlock", "--configfile", "settings.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_method_gives_the_results_of_a_local_run_through_the_shipped_profile_in_time(
    expected_of_all, folder, start
):
    before, began = set(jobs("all")), time.monotonic()
    ended(start(settings="all.yaml"), folder)
    took_s = time.monotonic() - began
    assert digests(folder) == expected_of_all
    shared = max(1.0, os.getloadavg()[1] / len(os.sched_getaffinity(0)))  # with other tests
    assert took_s < SHIPPED_LIMIT_S * shared
    fits = [*(folder / "results" / "shown").rglob("fit.h5")]
    assert len(fits) == len(registry.methods())
    assert Outcome.__name__ not in {record_type(fit) for fit in fits}
    text = (folder / "driver.log").read_text()
    assert "This Slurm keeps no accounts: jobs are watched with squeue" in text
    # One job reads and prepares, and one questions, holds labels against each other and reports.
    # Between them are a batch of parts for each round of a method, its joining and its halves.
    ours = set(jobs("all")) - before
    assert len(ours) <= N_JOBS_OF_ALL
    made = json.loads((folder / "results" / "provenance.json").read_text())
    facts = made["experiments"]["shown"]["jobs"]
    assert {int(job["slurm_job"]) for job in facts} == ours
    assert not jobs("running,pending")


def test_memory_kills_and_cancelled_jobs_are_tried_again(slurm, expected, folder, start):
    small = ("--set-resources", "connectome_fit_1:mem_mb=60*20**(attempt-1)")
    process = start(*small)

    def fitting():
        return [job for job, rule in jobs("running").items() if "connectome_fit_0" in rule]

    cancelled = until(fitting, process=process, what="a fit to be cancelled")[0]
    subprocess.run(["scancel", str(cancelled)], check=True)
    ended(process, folder)
    assert digests(folder) == expected
    assert cancelled in jobs("cancelled")
    assert [rule for rule in jobs("failed").values() if "connectome_fit_1" in rule]
    killed = (slurm / "slurmd.log").read_text()
    assert "exceeded memory limit" in killed


def test_a_lost_node_and_a_killed_driver_cost_only_what_was_running(expected, folder, start):
    process = start()
    node = socket.gethostname().partition(".")[0]
    control = ["scontrol", "update", f"nodename={node}"]
    until(lambda: jobs("running"), process=process, what="a job on the node")
    subprocess.run([*control, "state=down", "reason=test"], check=True)
    time.sleep(3)
    # Refused where the node has come back by itself.
    subprocess.run([*control, "state=resume"], check=False)
    fit = folder / "results" / "sound" / "connectome"
    until(lambda: list(fit.glob("parts/*.h5")), process=process, what="a finished part")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # One that certainly waits still: those of the run may end while unlocking is tried.
    held = [
        "sbatch",
        "--parsable",
        "--hold",
        "--comment",
        "rule_report",
        "-D",
        folder,
        "--wrap",
        "true",
    ]
    waiting = subprocess.run(held, capture_output=True, text=True, check=True).stdout.strip()
    refused = unlock(folder)
    assert refused.returncode == 5, refused.stderr
    assert "RN-R20" in refused.stderr
    subprocess.run(["scancel", waiting], check=True)
    deadline = time.monotonic() + LIMIT_S
    while jobs("running,pending") and time.monotonic() < deadline:
        time.sleep(1)
    kept = {path: path.stat().st_mtime_ns for path in fit.glob("parts/*.h5")}
    unlocked = unlock(folder)
    assert unlocked.returncode == 0, unlocked.stderr
    ended(start(), folder)
    assert digests(folder) == expected
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert jobs("node_fail")


def test_a_job_at_its_time_limit_is_given_more_and_goes_on(expected, folder, start):
    # Imported by every Python of the run: the first attempt at a fit outlasts its minute, once it
    # has left its first checkpoint.
    (folder / "sitecustomize.py").write_text(OUTLASTING)
    limits = [f"connectome_fit_{number}:runtime=attempt" for number in (0, 1)]
    ended(start("--set-resources", *limits, PYTHONPATH=str(folder)), folder)
    left = (folder / "slept").read_text()
    assert jobs("timeout")
    logs = (folder / "results" / "logs" / "sound").glob("connectome_fit*.log")
    assert any(f"going on from {left}" in log.read_text() for log in logs)
    assert digests(folder) == expected
