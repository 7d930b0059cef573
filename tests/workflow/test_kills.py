"""A stage that is killed at any moment leaves the old result or a whole new one, and runs again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording
from pipeline.core.rng import stream
from pipeline.io.records import read_digest, read_record
from tests.support.bad_inputs import CHILD, ROOT
from tests.support.nwb_factory import imaging_file

pytestmark = pytest.mark.slow

N_KILLS = 20


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-P", str(CHILD), "watched.json", "ingest"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_ingest_killed_at_random_moments_never_leaves_half_a_record(tmp_path):
    imaging_file(tmp_path / "a.nwb")
    (tmp_path / "settings.yaml").write_text("recordings: sheet.tsv\n")
    (tmp_path / "sheet.tsv").write_text("experiment\trecording\tnwb\nbad\tcase\ta.nwb\n")
    results = tmp_path / "results" / "bad" / "recordings" / "case"
    began = time.monotonic()
    assert start(tmp_path).wait() == 0
    whole_run_s = time.monotonic() - began
    first = read_digest(results / "recording.h5")
    n_killed = 0
    for share in stream(0, "kills").uniform(0.3, 1.0, N_KILLS):
        process, began = start(tmp_path), time.monotonic()
        try:
            process.wait(timeout=share * whole_run_s)
            whole_run_s = time.monotonic() - began  # the machine has become faster
        except subprocess.TimeoutExpired:
            process.kill()
            n_killed += process.wait() != 0
        assert isinstance(read_record(results / "recording.h5", Recording, Outcome), Recording)
        assert read_digest(results / "recording.h5") == first
    assert n_killed > N_KILLS // 2
    for name in ("recording.h5", "quality.json", "units.tsv", "recording.run.json"):
        (results / f".{name}.0123456789abcdef.tmp").write_text("half of it")
    assert start(tmp_path).wait() == 0
    assert sorted(path.name for path in results.iterdir()) == [
        "quality.json",
        "recording.h5",
        "recording.run.json",
        "units.tsv",
    ]
