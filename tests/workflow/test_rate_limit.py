"""The driver looks for jobs when one ends, not every second for each that ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SETTINGS = """\
recordings: sheet.tsv
methods:
  connectome: {enabled: false}
  biclustering: {enabled: false}
  trsa: {enabled: false}
  celltypes: {enabled: false}
"""
WITNESS = """\
import atexit, sys, threading

if "snakemake" in sys.orig_argv and "--mode" not in sys.orig_argv:
    begun = threading.Timer.start
    looks = []
    threading.Timer.start = lambda timer: (looks.append(timer), begun(timer))[1]
    atexit.register(lambda: open("looks", "w").write(str(len(looks))))
"""


@pytest.mark.parametrize(
    ("words", "by_the_clock"), [((), False), (("--max-jobs-per-timespan", "60/1m"), True)]
)
def test_only_a_limit_that_was_asked_for_is_watched(tmp_path, words, by_the_clock):
    (tmp_path / "a.nwb").write_text("no recording")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\ne\tr\ta.nwb\n")
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "run", "--"),
            *("--configfile", "settings.yaml", "--cores", "1", *words),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.fspath(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.wait(timeout=300) == 3
    assert (int((tmp_path / "looks").read_text()) > 0) == by_the_clock
