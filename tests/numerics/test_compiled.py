"""Machine code is kept where it can be, and made anew where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
from pipeline.numerics import compiled
import tests.support.doubled as doubled
assert doubled.twice(21) == 42
print(sum(doubled.twice.stats.cache_hits.values()))
"""


def hits_of(folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_the_second_process_finds_what_the_first_compiled(tmp_path):
    assert hits_of(tmp_path) == 0
    assert hits_of(tmp_path) == 1
    kept = [path.parents[2].name for path in tmp_path.rglob("*.nbc")]
    assert len(kept) == 1
    assert "-" in kept[0]  # a folder for each kind of processor


def test_a_folder_that_cannot_be_made_only_costs_the_time_to_compile(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        (tmp_path / "file" / "below").mkdir(parents=True)
    assert hits_of(tmp_path / "file") == 0
