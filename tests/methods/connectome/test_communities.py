"""Communities of graphs whose groups are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.connectome.communities import (
    concentration,
    find_communities,
    graph,
    modularity,
)


def blocks(*sizes: int, inside: float = 1.0, outside: float = 0.05) -> np.ndarray:
    label = np.repeat(np.arange(len(sizes)), sizes)
    weights = np.where(label[:, None] == label[None, :], inside, outside)
    np.fill_diagonal(weights, 0)
    return weights


def found_in(weights, **more):
    settings = {"resolution": 1.0, "min_strength": 0.0, "n_partitions": 10} | more
    return find_communities(weights, rng=stream(0, "leiden"), **settings)


def test_blocks_are_found_and_numbered_by_size():
    found = found_in(blocks(4, 7, 5))
    assert found.label.tolist() == [2] * 4 + [0] * 7 + [1] * 5
    assert found.agreement == 1.0
    np.testing.assert_allclose(found.membership, 1)


def test_the_order_of_units_does_not_matter():
    weights = blocks(4, 7, 5)
    order = stream(0, "order").permutation(16)
    found = found_in(weights[np.ix_(order, order)])
    np.testing.assert_array_equal(found.label, found_in(weights).label[order])


def test_units_without_an_edge_belong_to_none():
    weights = blocks(4, 4, 3, outside=0.0)
    weights[8:] = weights[:, 8:] = 0
    assert found_in(weights).label[8:].tolist() == [-1, -1, -1]


def test_weak_units_take_no_part():
    weights = blocks(5, 6, outside=0.02)
    weights[5:, 5:] *= 0.05
    assert found_in(weights, min_strength=0.25).label.tolist() == [0] * 5 + [-1] * 6


def test_groups_of_two_are_no_communities():
    assert found_in(blocks(5, 2, outside=0.0)).label.tolist() == [0] * 5 + [-1] * 2


def test_modularity_of_two_triangles_and_a_bridge_is_as_counted_by_hand():
    # Two triangles and one bridge: Q = 2 (6/14 - (7/14)^2) counted by hand.
    weights = blocks(3, 3, outside=0.0)
    weights[2, 3] = weights[3, 2] = 1
    label = np.array([0, 0, 0, 1, 1, 1])
    assert modularity(weights, label) == pytest.approx(2 * (6 / 14 - 0.25))


def test_concentration_is_one_less_its_pairs_for_a_lone_clique():
    weights = np.zeros((10, 10))
    weights[:4, :4] = 1 - np.eye(4)
    label = np.array([0] * 4 + [-1] * 6)
    assert concentration(weights, label) == pytest.approx(1 - 12 / 90)
    assert concentration(1 - np.eye(10), np.zeros(10, int)) == pytest.approx(0)


def test_a_pair_factor_becomes_a_symmetric_graph_without_its_faintest_edges():
    weights = graph(np.array([2.0, 1.0, 0.001]), np.array([[0, 1], [0, 2], [1, 2]]), 3)
    np.testing.assert_allclose(weights, [[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]])
