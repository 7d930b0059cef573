"""States of dense places: memberships written out, choice by hand, and holes through noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from benchmarks.trsa_shapes import holes_of, states_of
from pipeline.core.rng import stream
from pipeline.methods.trsa.neighbourhoods import dense_distances, dense_points, memberships


def test_memberships_are_those_written_out():
    points = stream(1, "points").standard_normal((12, 3))
    n, k = len(points), 5
    distances = cdist(points, points, "cosine")
    one_way = np.zeros((n, n))
    for state in range(n):
        others = [other for other in np.argsort(distances[state]) if other != state][: k - 1]
        near = distances[state, others]
        width = brentq(lambda w, near=near: np.exp(-near / w).sum() - np.log2(k), 1e-6, 1e6)
        one_way[state, others] = np.exp(-near / width)
    expected = one_way + one_way.T - one_way * one_way.T
    np.testing.assert_allclose(memberships(points, k).toarray(), expected, atol=1e-9)


def test_the_densest_states_come_first_and_copies_last():
    alike = np.zeros((5, 5))
    alike[0, 1] = alike[1, 0] = 1.0  # 1 is a copy of 0
    for a, b, value in ((0, 2, 0.5), (1, 2, 0.5), (2, 3, 0.4), (3, 4, 0.1)):
        alike[a, b] = alike[b, a] = value
    # Densities 1.5, 1.5, 1.4, 0.5, 0.1; after 0 the copy is last, and 2 has 0.9.
    np.testing.assert_array_equal(dense_points(csr_array(alike), 5), [0, 2, 4, 3, 1])
    with pytest.raises(ValueError, match="6 of 5 states"):
        dense_points(csr_array(alike), 6)


def test_states_that_are_no_neighbours_are_as_far_as_any():
    angle = np.array([0.0, 0.1, 0.2, 2.0, 2.1, 2.2])
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = dense_distances(points, 6)
    assert (found >= 0).all()
    # Three near pairs a group, and nine that are as far as any.
    assert (found == found.max()).sum() >= 9
    again = dense_distances(points[::-1] * np.arange(1, 7)[:, None], 6)
    np.testing.assert_allclose(np.sort(again), np.sort(found))


@pytest.mark.parametrize(
    ("shape", "loops", "voids"), [("ring", 1, 0), ("sphere", 0, 1), ("cloud", 0, 0)]
)
def test_planted_holes_are_seen_through_noise(shape, loops, voids):
    found = holes_of(states_of(shape, stream(3, shape), 600), n_points=60, n_shuffles=19)
    assert (found[0].n_passing, found[0].n_by_gap) == (loops, loops)
    assert (found[1].n_passing, found[1].n_by_gap) == (voids, voids)


@pytest.mark.slow
def test_a_torus_is_two_loops_and_a_void():
    states = states_of("torus", stream(3, "torus"), 1000)
    loops, voids = holes_of(states, n_points=110, n_shuffles=19)
    assert loops.n_passing == loops.n_by_gap == 2
    assert voids.n_passing == voids.n_by_gap == 1
