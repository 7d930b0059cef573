"""Stretches against masses by hand, and their p under the null."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.clusters import clusters


def test_stretches_and_masses_are_those_by_hand():
    null = np.tile([[-1.0], [1.0]], (50, 6))
    found = clusters(np.array([0.0, 3.0, 2.0, 0.5, 4.0, np.nan]), null)
    assert [(c.start, c.stop, c.mass) for c in found] == [(1, 3, 5.0), (4, 5, 4.0)]
    assert [c.p for c in found] == [1 / 101, 1 / 101]


def test_points_count_in_their_own_spread():
    null = stream(0, "spread").standard_normal((200, 4)) * [1, 10, 1, 10]
    one = clusters(np.array([3.0, 30.0, 0, 0]), null)[0]
    assert (one.start, one.stop) == (0, 2)
    assert one.mass == pytest.approx(6, rel=0.15)


def test_nothing_large_is_no_stretch():
    assert clusters(np.zeros(5), stream(0, "none").standard_normal((100, 5))) == ()
    assert clusters(np.ones(5), np.ones((20, 5))) == ()


def test_stretches_are_rarely_found_by_chance():
    rng, hits, n_sets = stream(0, "calibration"), 0, 400
    kernel = np.ones(3) / 3
    for _ in range(n_sets):
        draws = np.array(
            [np.convolve(row, kernel, "same") for row in rng.standard_normal((100, 12))]
        )
        hits += any(c.p <= 0.05 for c in clusters(draws[0], draws[1:]))
    assert hits / n_sets <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n_sets)
