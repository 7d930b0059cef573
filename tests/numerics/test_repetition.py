"""Stretches that come again, against a search by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.repetition import repetition

HASH = stream(0, "codes").integers(-(2**63), 2**63 - 1, 40, dtype=np.int64)


def by_hand(symbols, runs, width):
    """Class and cover of every entry, by comparing all pairs of windows."""
    n = len(symbols)
    ends = [
        i
        for i in range(width - 1, n)
        if runs[i] == runs[i - width + 1] and len(set(symbols[i - width + 1 : i + 1])) > 1
    ]
    key = {i: tuple(symbols[i - width + 1 : i + 1]) for i in ends}
    again = {i for i in ends if sum(key[i] == other for other in key.values()) > 1}
    inside = np.zeros(n, dtype=bool)
    for i in again:
        inside[i - width + 1 : i + 1] = True
    return {i: key[i] for i in again}, inside


@pytest.mark.parametrize("seed", range(30))
def test_windows_that_come_again_are_found_as_by_comparing_all_pairs(seed):
    rng = stream(seed, "sequences")
    symbols = rng.integers(0, 3, 60)
    runs = np.sort(rng.integers(0, 3, 60))
    width = int(rng.integers(2, 6))
    found = repetition(HASH[symbols], runs, width)
    keys, inside = by_hand(symbols, runs, width)
    np.testing.assert_array_equal(np.flatnonzero(found.ending >= 0), sorted(keys))
    np.testing.assert_array_equal(found.inside, inside)
    for i in keys:
        for j in keys:
            assert (found.ending[i] == found.ending[j]) == (keys[i] == keys[j])


def test_a_sequence_in_which_nothing_changes_does_not_come_again():
    assert not repetition(np.full(50, HASH[0]), np.zeros(50, dtype=np.int64), 5).inside.any()


def test_a_sequence_shorter_than_the_window_has_no_window():
    found = repetition(HASH[:3], np.zeros(3, dtype=np.int64), 5)
    assert (found.ending == -1).all()


def test_the_same_entries_in_another_order_are_another_window():
    symbols = np.array([0, 1, 2, 9, 2, 1, 0, 8, 1, 0, 2])
    assert not repetition(HASH[symbols], np.zeros(11, dtype=np.int64), 3).inside.any()
