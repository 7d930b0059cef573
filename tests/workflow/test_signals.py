"""Signals end a run in order: the workflow tidies up, and the exit code names the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

WORKFLOW = """
import signal, sys, time
from pathlib import Path
def tidy(number, frame):
    time.sleep(1)
    Path("tidied").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, tidy)
signal.signal(signal.SIGINT, tidy)
Path("started").touch()
time.sleep(60)
"""
RUN = """
import sys
from pipeline.stages.run import run_command
sys.exit(run_command([sys.executable, "workflow.py"], environment={}))
"""


@pytest.mark.parametrize(
    ("number", "send"),
    [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)],
    ids=["a terminal's interrupt", "a termination of the run alone"],
)
def test_the_workflow_ends_in_its_own_way_before_the_run_does(tmp_path, number, send):
    (tmp_path / "workflow.py").write_text(WORKFLOW)
    (tmp_path / "run.py").write_text(RUN)
    process = subprocess.Popen(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    send(process.pid, number)
    assert process.wait(timeout=30) == 128 + number
    assert (tmp_path / "tidied").exists()
