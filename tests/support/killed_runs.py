"""Whole runs that are killed, and what their results hold."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

PLAIN = ("checks.json", "section.json", "quality.json")
"""Results that are no HDF5; reports tell times, so they differ."""


def killed_run(folder, *words, after_s=math.inf, once=lambda: False, checkout=None, all_of_it=True):
    """Start a run and kill it, unless it is done by then.

    Parameters
    ----------
    after_s, once
        When it is killed: so many seconds after its start, or as soon as something holds.
    all_of_it
        With its jobs, at once, as when a node is lost; else the driver alone, and jobs go on.

    Returns
    -------
    Whether it was killed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if checkout is not None:
        environment["PYTHONPATH"] = os.fspath(checkout)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + after_s
    while (code := process.poll()) is None and time.monotonic() < end and not once():
        time.sleep(0.05)
    if code is None:
        for pid in of_session(process.pid) if all_of_it else (process.pid, *driver(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        return True
    assert code == 0, f"the run ended with {code} before it was killed"
    return False


@contextmanager
def ended_afterwards():
    """A list for leaders of sessions: at its end they are killed, with all that they started."""
    leaders = []
    try:
        yield leaders
    finally:
        for leader in leaders:
            for pid in of_session(leader.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            leader.wait()


def of_session(leader):
    """The processes that a session leader started, and itself."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _numbers(path)[1] == leader
    ]


def driver(pid):
    """Snakemake, which a run starts as its only child."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _numbers(path)[0] == pid
    ]


def _numbers(path):
    """Parent and session of a process; 0 for one that has ended, and that nobody waited for."""
    with suppress(OSError):
        state, *fields = path.read_text().rpartition(")")[2].split()
        if state not in "ZX":
            return int(fields[0]), int(fields[2])
    return 0, 0


def unlocked(folder, name, *, checkout=None):
    """Lift the locks of a killed run, as its user would: again and again while a job lives."""
    environment = dict(os.environ)
    if checkout is not None:
        environment["PYTHONPATH"] = os.fspath(checkout)
    while True:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "unlock", "--configfile", name],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if "RN-R20" not in done.stderr + done.stdout:
            break
        time.sleep(1)
    assert done.returncode == 0, done.stderr[-2000:]


def results_of(out):
    """The bytes of every result below a folder, by its place."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.suffix == ".h5" or path.name in PLAIN:
            found[path.relative_to(out).as_posix()] = path.read_bytes()
    return found
