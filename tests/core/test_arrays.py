"""Arrays too large for the memory are read piece by piece, each entry once."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.arrays import bands, blocks, group_limits, loaded, memory_bytes, pieces


@dataclass
class Chunked:
    """An array that is stored in chunks and remembers what was read."""

    array: np.ndarray
    chunks: tuple[int, ...]
    keys: list[tuple[slice, ...]] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    def __getitem__(self, key):
        self.keys.append(key)
        return self.array[key]


sizes = st.lists(st.integers(0, 12), min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(shape=sizes, chunk=st.lists(st.integers(1, 13), min_size=3, max_size=3), limit=sizes)
def test_pieces_cover_every_entry_once_in_whole_chunks(shape, chunk, limit):
    source = Chunked(np.zeros(shape, dtype=np.int32), tuple(chunk[: len(shape)]))
    max_bytes = 4 * math.prod(limit)
    for key in pieces(source, max_bytes=max_bytes):
        source.array[key] += 1
        one_chunk = 4 * math.prod(source.chunks)
        assert source.array[key].nbytes <= max(max_bytes, one_chunk)
        for part, size, whole in zip(key, source.chunks, source.shape, strict=True):
            assert part.start % min(size, whole) == 0
            assert part.stop % min(size, whole) == 0 or part.stop == whole
    assert (source.array == 1).all()


def test_pieces_are_stretches_of_time_where_the_chunks_allow_it():
    source = Chunked(np.zeros((1000, 30), dtype=np.float32), (100, 10))
    stretches = list(pieces(source, max_bytes=4 * 30 * 250))
    assert [key[0].start for key in stretches] == [0, 200, 400, 600, 800]
    assert all(key[1] == slice(0, 30) for key in stretches)


def test_pieces_are_whole_traces_where_each_is_stored_by_itself():
    source = Chunked(np.zeros((1000, 30), dtype=np.float32), (1000, 1))
    assert [key[1].start for key in pieces(source, max_bytes=4 * 1000 * 12)] == [0, 12, 24]


def test_blocks_are_stretches_of_time_of_about_the_size_asked_for():
    values = np.arange(35).reshape(7, 5)
    found = list(blocks(values, max_bytes=2 * 5 * 8 + 1))
    assert [start for start, _ in found] == [0, 2, 4, 6]
    np.testing.assert_array_equal(np.concatenate([block for _, block in found]), values)


def test_a_row_larger_than_a_block_is_read_alone():
    found = list(blocks(np.zeros((2, 100)), max_bytes=8))
    assert [start for start, _ in found] == [0, 1]


def test_columns_are_found_in_the_bands_that_hold_them():
    source = Chunked(np.arange(60).reshape(4, 15), (2, 5))
    wanted = np.array([12, 0, 4, 13])
    found = list(bands(source, wanted, max_bytes=1))
    assert [(places.tolist(), band) for places, band in found] == [
        ([1, 2], slice(0, 5)),
        ([0, 3], slice(10, 15)),
    ]


@pytest.mark.parametrize("max_bytes", [1, 10**6])
def test_columns_come_each_once(max_bytes):
    wanted = np.array([7, 3, 3, 11])
    places = np.concatenate(
        [places for places, _ in bands(np.zeros((3, 12)), wanted, max_bytes=max_bytes)]
    )
    assert sorted(places.tolist()) == [0, 1, 2, 3]


def test_sources_of_one_shape_are_loaded_side_by_side():
    first = Chunked(np.arange(60).reshape(4, 15), (2, 5))
    second = Chunked(first.array > 7, (2, 5))
    one, other = loaded(first, second)
    np.testing.assert_array_equal(one, first.array)
    np.testing.assert_array_equal(other, second.array)
    assert first.keys == second.keys


def test_an_array_in_memory_is_taken_as_it_is():
    array = np.zeros(3)
    assert loaded(array)[0] is array


def test_limits_of_control_groups_of_both_versions_are_met_on_the_way_up(tmp_path):
    told = tmp_path / "told"
    told.write_text("4:cpu,memory:/slurm/job_7\n3:cpuset:/other\n0::/user/session\n")
    for place, text in {
        "memory/slurm/job_7/memory.limit_in_bytes": "3000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "user/session/memory.max": "max",
        "user/memory.max": "5000",
        "other/memory.max": "1",
    }.items():
        (tmp_path / "groups" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / place).write_text(f"{text}\n")
    limits = list(group_limits(told, tmp_path / "groups"))
    assert limits == [3000, 9223372036854771712, 5000]
    assert list(group_limits(tmp_path / "missing", tmp_path)) == []


def test_memory_is_at_most_that_of_the_machine():
    assert 0 < memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
