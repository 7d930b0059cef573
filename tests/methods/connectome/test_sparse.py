"""Graphs made sparse: the disparity filter and the strongest ties, by hand and by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

from pipeline.core.rng import stream
from pipeline.methods.connectome.communities import concentration, find_communities
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.sparse import disparity, sparsified, strongest


def settings(**changes) -> ConnectomeConfig:
    return ConnectomeConfig(n_partitions=20, **changes)


def drawn(rng, n_units=12, *, share=1.0):
    weights = np.triu(rng.exponential(size=(n_units, n_units)), 1)
    weights *= rng.random(weights.shape) < share
    return weights + weights.T


def test_the_disparity_is_counted_by_hand():
    # Unit 0 has strength 10 in three parts, 8, 1, 1; units 1 and 2 are tied to each other too.
    weights = np.zeros((5, 5))
    for one, other, weight in ((0, 1, 8), (0, 2, 1), (0, 3, 1), (1, 2, 2)):
        weights[one, other] = weights[other, one] = weight
    found = disparity(weights)
    assert found[0, 1] == pytest.approx(min(0.2**2, 1 - 0.8))  # ends with 3 and 2 edges
    assert found[0, 2] == pytest.approx(min(0.9**2, 1 - 1 / 3))
    assert found[1, 2] == pytest.approx(min(1 - 0.2, 1 - 2 / 3))
    assert found[0, 3] == pytest.approx(0.9**2)  # unit 3 has no other edge and says nothing
    assert (found[4] == 1).all()
    np.testing.assert_array_equal(found, found.T)


def test_the_disparity_is_the_integral_of_the_publication():
    weights = drawn(stream(0, "integral"), 6)
    share = weights / weights.sum(axis=1, keepdims=True)
    for one, other in ((0, 1), (2, 5)):
        ends = [
            1 - 4 * quad(lambda x: (1 - x) ** 3, 0, share[at])[0]
            for at in ((one, other), (other, one))
        ]
        assert disparity(weights)[one, other] == pytest.approx(min(ends))


def test_one_end_is_uniform_where_chance_cuts_its_strength():
    # A hub whose strength is cut by chance; its partners have no other edge, so it alone counts.
    rng = stream(0, "null")
    found = []
    for _ in range(400):
        weights = np.zeros((9, 9))
        weights[0, 1:] = weights[1:, 0] = 5 * rng.dirichlet(np.ones(8))
        found.append(disparity(weights)[0, 1])
    assert kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.035)


def test_the_kept_ties_do_not_depend_on_scale_or_order():
    rng = stream(0, "order")
    weights = drawn(rng, share=0.7)
    order = rng.permutation(len(weights))
    for changes in ({"sparsify": "backbone", "backbone_alpha": 0.2}, {"sparsify": "density"}):
        config = settings(**changes)
        kept = sparsified(weights, config)
        assert 0 < np.count_nonzero(kept) < np.count_nonzero(weights)
        np.testing.assert_array_equal(kept, kept.T)
        np.testing.assert_array_equal(kept[kept > 0], weights[kept > 0])
        np.testing.assert_allclose(sparsified(7 * weights, config), 7 * kept)
        np.testing.assert_array_equal(
            sparsified(weights[np.ix_(order, order)], config), kept[np.ix_(order, order)]
        )


def test_the_strongest_are_as_many_as_asked_for_and_those_as_strong():
    weights = np.zeros((4, 4))
    weights[np.triu_indices(4, 1)] = [6, 5, 4, 4, 2, 1]
    weights += weights.T
    assert np.count_nonzero(strongest(weights, 2 / 6)) == 2 * 2
    assert np.count_nonzero(strongest(weights, 3 / 6)) == 2 * 4  # a tie
    assert np.count_nonzero(strongest(weights, 0.001)) == 2
    assert strongest(weights, 1.0) is weights


def test_equal_ties_have_no_backbone():
    weights = np.ones((10, 10)) - np.eye(10)
    assert not sparsified(weights, settings(sparsify="backbone")).any()
    nothing = find_communities([weights], settings(sparsify="backbone"), rng=stream(0, "none"))[0]
    assert nothing.count == 0
    assert not nothing.structured


@pytest.mark.parametrize("method", ["block_model", "leiden"])
def test_planted_groups_stay_whole_among_the_ties_that_stand_out(method):
    groups = np.repeat(np.arange(4), 7)
    rng = stream(0, "planted")
    same = groups[:, None] == groups[None, :]
    weights = np.triu(np.where(same, 1.0, 0.05) * rng.exponential(size=same.shape), 1)
    weights += weights.T
    config = settings(communities=method, sparsify="backbone", backbone_alpha=0.2)
    kept = sparsified(weights, config) > 0
    assert (kept & same).sum() > 0.9 * kept.sum()
    found = find_communities([weights], config, rng=stream(0, "found"))[0]
    # Leiden leaves out units whose ties are weak.
    whole = [set(found.levels[0][groups == group]) - {-1} for group in range(4)]
    assert all(len(one) == 1 for one in whole)
    # So few ties are described as shortly with two groups in one, which modularity keeps apart.
    assert len(set.union(*whole)) >= (4 if method == "leiden" else 3)
    # What communities hold is counted over all ties.
    assert found.concentration == pytest.approx(concentration(weights, found.label))


def test_off_the_graph_is_as_it_was():
    weights = drawn(stream(0, "off"))
    assert sparsified(weights, settings()) is weights
