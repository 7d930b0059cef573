"""The driver looks for jobs when one ends, not every second for each that ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.tiny_project import WITHOUT_METHODS

pytestmark = pytest.mark.slow

WITNESS = """\
import atexit, sys, threading

if "snakemake" in sys.orig_argv and "--mode" not in sys.orig_argv:
    begun = threading.Timer.start
    looks = []
    threading.Timer.start = lambda timer: (looks.append(timer), begun(timer))[1]
    atexit.register(lambda: open("looks", "w").write(str(len(looks))))
"""


def test_no_job_that_ended_makes_the_driver_look_every_second(tmp_path):
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "settings.yaml").write_text(f"recordings: sheet.tsv\n{WITHOUT_METHODS}")
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "run", "--"),
            *("--configfile", "settings.yaml", "--cores", "1"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.fspath(tmp_path)},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 3
    assert int((tmp_path / "looks").read_text()) == 0
