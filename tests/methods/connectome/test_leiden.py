"""Modularity's groups of graphs whose groups are known."""

from __future__ import annotations

import ctypes

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.connectome.communities import find_communities
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.leiden import _partitions


def blocks(*sizes: int, inside: float = 1.0, outside: float = 0.05) -> np.ndarray:
    label = np.repeat(np.arange(len(sizes)), sizes)
    weights = np.where(label[:, None] == label[None, :], inside, outside)
    np.fill_diagonal(weights, 0)
    return weights


def found_in(weights, **settings):
    settings = {"min_strength": 0.0, "n_partitions": 10} | settings
    config = ConnectomeConfig(communities="leiden", **settings)
    return find_communities([weights], config, rng=stream(0, "leiden"))[0]


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


def test_what_else_the_process_drew_does_not_matter():
    """The package draws from the C library, whose state is the whole process's."""
    drawn = np.triu(stream(0, "weights").uniform(size=(30, 30)), 1)
    weights = np.where(drawn > 0.8, drawn, 0.0)
    weights += weights.T
    library = ctypes.CDLL(None)
    found = []
    for seed in range(1, 9):
        library.srand(seed)
        rng = stream(0, "runs")
        found.append(_partitions(weights, resolution=1.0, n_partitions=20, rng=rng))
    assert all(np.array_equal(one, found[0]) for one in found)
