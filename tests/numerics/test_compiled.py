"""Machine code is kept where it can be, and made anew where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import doubled

PROGRAM = """
from pipeline.numerics import compiled
import tests.support.doubled as doubled
assert doubled.twice(21) == 42
print(sum(doubled.twice.stats.cache_hits.values()))
"""


def hits_of(folder, program=PROGRAM, place=None):
    path = {} if place is None else {"PYTHONPATH": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **path, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_the_second_process_finds_what_the_first_compiled(tmp_path):
    assert hits_of(tmp_path) == 0
    assert hits_of(tmp_path) == 1
    kept = [path.parents[1].name for path in tmp_path.rglob("*.nbc")]
    assert len(kept) == 1
    assert "-" in kept[0]  # a folder for each kind of processor


@pytest.mark.parametrize(("more", "hits"), [("", 1), ("\n# other sources\n", 0)])
def test_a_copy_elsewhere_of_the_same_sources_finds_it_and_of_others_does_not(tmp_path, more, hits):
    sources = Path(doubled.__file__).read_text()
    for number, text in enumerate((sources, sources + more)):
        folder = tmp_path / f"clone {number}"
        folder.mkdir()
        (folder / "doubled.py").write_text(text)
        os.utime(folder / "doubled.py", (number, number))
    program = PROGRAM.replace("tests.support.doubled as ", "")
    found = [hits_of(tmp_path, program, tmp_path / f"clone {number}") for number in (0, 1)]
    assert found == [0, hits]


def test_a_folder_that_cannot_be_made_only_costs_the_time_to_compile(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        (tmp_path / "file" / "below").mkdir(parents=True)
    assert hits_of(tmp_path / "file") == 0
