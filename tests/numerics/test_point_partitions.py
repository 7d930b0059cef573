"""Point partitions against losses computed draw by draw, and against every partition there is."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.partitions import (
    adjusted_rand_index,
    coassignment,
    variation_of_information,
)
from pipeline.numerics.point_partitions import (
    LOSSES,
    CoClustering,
    by_size,
    dahl_loss,
    descended,
    pear_loss,
    point_partition,
    vi_loss,
)


def every_partition(n_items):
    """All partitions of some items, as labels of which each new one is the next number."""
    found = [[0]]
    for _ in range(n_items - 1):
        found = [[*labels, k] for labels in found for k in range(max(labels) + 2)]
    return [np.array(labels) for labels in found]


def noisy_draws(truth, *, n_draws, wrong, rng):
    draws = np.tile(truth, (n_draws, 1))
    flips = rng.random(draws.shape) < wrong
    draws[flips] = rng.integers(0, truth.max() + 2, flips.sum())
    return draws


def test_sums_over_the_probabilities_are_those_of_the_dense_matrix():
    rng = stream(0, "co-clustering")
    draws = rng.integers(0, 4, (25, 12)) * 3 - 1
    posterior, dense = CoClustering(draws), coassignment(draws)
    np.testing.assert_allclose(posterior.dense, dense)
    np.testing.assert_allclose(posterior.row_sums, dense.sum(axis=1))
    labels = rng.integers(0, 3, 12)
    expected = np.stack([dense[:, labels == k].sum(axis=1) for k in range(3)], axis=1)
    np.testing.assert_allclose(posterior.within(labels), expected)


def test_losses_are_the_textbook_ones():
    rng = stream(1, "losses")
    draws = noisy_draws(np.repeat([0, 1, 2], 4), n_draws=40, wrong=0.2, rng=rng)
    posterior, dense = CoClustering(draws), coassignment(draws)
    for labels in (draws[0], np.zeros(12, int), np.arange(12)):
        labels = by_size(labels)
        same = labels[:, None] == labels
        assert dahl_loss(posterior, labels) + (dense**2).sum() == pytest.approx(
            ((same - dense) ** 2).sum()
        )
        upper = np.triu_indices(12, 1)
        together, probable = same[upper].sum(), dense[upper].sum()
        chance = together * probable / 66
        pear = ((same * dense)[upper].sum() - chance) / ((together + probable) / 2 - chance)
        assert pear_loss(posterior, labels) == pytest.approx(-pear)
        exact = np.mean([variation_of_information(labels, draw) for draw in draws])
        assert vi_loss(posterior, labels) <= exact + 1e-12
    # With one draw the bound is the distance itself.
    one = CoClustering(draws[:1])
    expected = variation_of_information(draws[1], draws[0])
    assert vi_loss(one, by_size(draws[1])) == pytest.approx(expected)


def test_the_point_by_vi_is_the_best_of_all_partitions():
    rng = stream(2, "all partitions")
    partitions = every_partition(6)
    assert len(partitions) == 203
    for _ in range(20):
        posterior = CoClustering(rng.integers(0, 3, (4, 6)))
        least = min(vi_loss(posterior, by_size(labels)) for labels in partitions)
        assert vi_loss(posterior, point_partition(posterior)) == pytest.approx(least, abs=1e-9)


def test_the_descent_ends_where_no_move_of_one_item_lowers_the_bound():
    rng = stream(6, "descent")
    posterior = CoClustering(noisy_draws(np.arange(9) % 3, n_draws=40, wrong=0.3, rng=rng))
    for _ in range(10):
        start = by_size(rng.integers(0, 4, 9))
        found = descended(posterior, start)
        least = vi_loss(posterior, by_size(found))
        assert least <= vi_loss(posterior, start)
        for item in range(9):
            for group in range(found.max() + 2):
                moved = found.copy()
                moved[item] = group
                assert least <= vi_loss(posterior, by_size(moved)) + 1e-8


@pytest.mark.parametrize("loss", list(LOSSES))
def test_a_clear_partition_is_found_whatever_its_labels(loss):
    rng = stream(3, "clear", loss)
    truth = np.repeat([0, 1, 2], [10, 7, 4])
    draws = noisy_draws(truth, n_draws=60, wrong=0.05, rng=rng)
    found = point_partition(CoClustering(draws), loss)
    assert adjusted_rand_index(found, truth) == 1
    np.testing.assert_array_equal(np.bincount(found), [10, 7, 4])
    renamed = np.stack([rng.permutation(9)[labels] for labels in draws])
    np.testing.assert_array_equal(point_partition(CoClustering(renamed), loss), found)


def test_order_of_items_changes_nothing_but_their_order():
    rng = stream(4, "order")
    draws = noisy_draws(np.repeat([0, 1], [9, 5]), n_draws=50, wrong=0.1, rng=rng)
    order = rng.permutation(14)
    first = point_partition(CoClustering(draws))
    again = point_partition(CoClustering(draws[:, order]))
    assert adjusted_rand_index(first[order], again) == 1


def test_many_items_are_judged_without_a_matrix():
    rng = stream(5, "many")
    truth = np.repeat(np.arange(12) % 3, 250)
    posterior = CoClustering(noisy_draws(truth, n_draws=50, wrong=0.02, rng=rng))
    assert adjusted_rand_index(point_partition(posterior), truth) > 0.9


@pytest.mark.parametrize("loss", list(LOSSES))
def test_one_item_is_one_group(loss):
    np.testing.assert_array_equal(point_partition(CoClustering(np.zeros((4, 1), int)), loss), [0])
