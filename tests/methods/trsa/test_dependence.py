"""The adaptive test of dependence: by hand, exact p, invariances, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from pipeline.core.rng import stream
from pipeline.methods.trsa.dependence import dependence, level_pairs
from pipeline.methods.trsa.transforms import geo_topological
from pipeline.numerics.dissimilarity import squared_form


def orders(count, n_draws, rng):
    return np.stack([rng.permutation(count) for _ in range(n_draws)])


def distance_correlation(first, second):
    """By the textbook, entry by entry."""
    made = []
    for square in (first, second):
        n = len(square)
        made.append(
            np.array(
                [
                    [
                        square[i, j] - square[i].mean() - square[:, j].mean() + square.mean()
                        for j in range(n)
                    ]
                    for i in range(n)
                ]
            )
        )
    a, b = made
    return np.sqrt(abs((a * b).sum()) / np.sqrt((a * a).sum() * (b * b).sum()))


def test_cells_are_distance_correlations_in_standard_deviations_above_the_others():
    rng = stream(0, "cells")
    one, other = pdist(rng.normal(size=(7, 2))), pdist(rng.normal(size=(7, 3)))
    shuffled = orders(7, 3, rng)
    found = dependence(one, other, shuffled, n_levels=3)
    assert found.levels.tolist() == [[0, 0.5], [0, 1], [0.5, 1]]
    ramped = [squared_form(geo_topological(d, found.levels)) for d in (one, other)]
    for a in range(3):
        for b in range(3):
            values = [
                distance_correlation(ramped[0][a], ramped[1][b][np.ix_(order, order)])
                for order in [np.arange(7), *shuffled]
            ]
            expected = (values[0] - np.mean(values[1:])) / np.std(values[1:])
            assert found.score[a, b] == pytest.approx(expected)
    plain = distance_correlation(ramped[0][1], ramped[1][1])
    assert found.correlation == pytest.approx(plain)
    assert found.statistic == found.score.max()


def test_p_is_that_of_the_whole_set_whichever_member_is_seen():
    """Every member of the set is treated alike: their p are their places in the set."""
    rng = stream(1, "set")
    one, other = pdist(rng.normal(size=(9, 2))), pdist(rng.normal(size=(9, 2)))
    members = np.concatenate([np.arange(9)[None], orders(9, 19, rng)])
    p = []
    for seen, order in enumerate(members):
        moved = squared_form(other)[np.ix_(order, order)][np.triu_indices(9, 1)]
        back = np.argsort(order)
        rest = np.array([back[each] for each in np.delete(members, seen, axis=0)])
        p.append(dependence(one, moved, rest).p)
    np.testing.assert_allclose(np.sort(p), np.arange(1, 21) / 20)


def test_it_depends_neither_on_the_scale_of_distances_nor_on_the_order_of_items():
    rng = stream(2, "scale")
    one, other = pdist(rng.normal(size=(10, 2))), pdist(rng.normal(size=(10, 3)))
    shuffled = orders(10, 9, rng)
    found = dependence(one, other, shuffled)
    mapped = dependence(one**3, np.exp(other), shuffled)
    np.testing.assert_allclose(found.score, mapped.score)
    assert found.p == mapped.p
    swapped = dependence(other, one, np.argsort(shuffled, axis=1))
    np.testing.assert_allclose(found.score, swapped.score.T)


def test_a_noisy_copy_depends():
    rng = stream(3, "copy")
    points = rng.normal(size=(14, 3))
    shuffled = orders(14, 39, rng)
    found = dependence(pdist(points), pdist(points + 0.2 * rng.normal(size=(14, 3))), shuffled)
    assert found.p == found.correlation_p == 1 / 40
    assert found.statistic > 3
    assert found.best[0] < found.best[1]
    assert found.best[2] < found.best[3]


def test_only_neighbours_in_common_are_found_where_distances_hide_them():
    """Clusters of three that lie elsewhere in both: near pairs agree, far ones do not."""
    hits = plain = near = 0
    for seed in range(12):
        rng = stream(seed, "clusters")
        centre = [4 * rng.standard_t(2, size=(6, 2)) for _ in range(2)]
        clouds = [np.repeat(each, 3, axis=0) + 0.3 * rng.normal(size=(18, 2)) for each in centre]
        found = dependence(*(pdist(cloud) for cloud in clouds), orders(18, 39, rng))
        hits += found.p <= 0.05
        plain += found.correlation_p <= 0.05
        near += found.best[:2] == found.best[2:] == (0, 1 / 7)
    assert hits == 12
    assert hits >= plain
    assert near >= 4


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(ValueError, match="all alike"):
        dependence(np.ones(6), np.arange(6.0), orders(4, 3, stream(4, "flat")))
    with pytest.raises(ValueError, match="missing"):
        dependence(np.full(6, np.nan), np.arange(6.0), orders(4, 3, stream(4, "flat")))
    assert len(level_pairs(8)) == 28


@pytest.mark.slow
def test_independent_representations_depend_as_rarely_as_they_may():
    n_sets, small = 300, 0
    for seed in range(n_sets):
        rng = stream(seed, "independent")
        found = dependence(
            pdist(rng.normal(size=(10, 4))), pdist(rng.normal(size=(10, 4))), orders(10, 19, rng)
        )
        small += found.p <= 0.1
    share = small / n_sets
    assert abs(share - 0.1) <= 2.5 * np.sqrt(0.1 * 0.9 / n_sets)
