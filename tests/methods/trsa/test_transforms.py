"""Geo-topological transforms: by hand, invariances, edges, families and grids."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.transforms import (
    FAMILIES,
    SCALES,
    family_levels,
    family_of,
    geo_topological,
    is_degenerate,
    level_grid,
    quantiles,
    scaled_ranks,
    sigmoid,
)

GRID = level_grid()


def test_by_hand():
    vector = np.array([10.0, 30, 20, 50, 40])  # ranks 0, 0.5, 0.25, 1, 0.75
    levels = np.array([[0, 1], [0.25, 0.75], [0.5, 0.5], [0, 0], [0, 0.25]])
    expected = [
        [0, 0.5, 0.25, 1, 0.75],
        [0, 0.5, 0, 1, 1],
        [0, 0, 0, 1, 1],
        [0, 1, 1, 1, 1],
        [0, 1, 1, 1, 1],
    ]
    np.testing.assert_allclose(geo_topological(vector, levels), expected, atol=1e-15)
    values = np.array([0.0, 1, 2, 3, 10])
    by_value = geo_topological(values, np.array([[0.0, 0.75]]), scale="quantile")
    np.testing.assert_allclose(by_value[0], [0, 1 / 3, 2 / 3, 1, 1])
    by_share = geo_topological(values, np.array([[0.1, 0.3]]), scale="fraction")
    np.testing.assert_allclose(by_share[0], [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("scale", SCALES)
def test_values_are_shares_and_never_missing_with_ties_or_without(scale):
    rng = stream(0, "transforms")
    for vector in (rng.random(45), rng.integers(4, size=45).astype(float), rng.random(44)):
        found = geo_topological(vector, GRID, scale=scale)
        assert found.shape == (230, vector.size)
        assert ((found >= 0) & (found <= 1)).all()
        order = np.argsort(vector)
        assert (np.diff(found[:, order], axis=1) >= 0).all()
        equal = GRID[:, 0] == GRID[:, 1]
        assert set(np.unique(found[equal])) <= {0.0, 1.0}


def test_equal_levels_at_a_value_count_it_as_near():
    # The median of an odd number of values is one of them: the published code has 0/0 there.
    found = geo_topological(np.array([3.0, 1, 2]), np.array([[0.5, 0.5]]))
    np.testing.assert_array_equal(found, [[1, 0, 0]])


def test_ranks_see_no_difference_between_increasing_maps():
    vector = stream(1, "transforms").normal(size=36)
    found = geo_topological(vector, GRID)
    for mapped in (np.exp(vector), vector**3 - 7, 1e-9 * vector):
        np.testing.assert_array_equal(geo_topological(mapped, GRID), found)
    # Values do, up to straight lines.
    line = geo_topological(3 * vector + 2, GRID, scale="quantile")
    np.testing.assert_allclose(line, geo_topological(vector, GRID, scale="quantile"), atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_vectors_of_a_batch_have_thresholds_of_their_own_and_missing_pairs_stay(scale):
    rows = stream(2, "transforms").random((2, 3, 21))
    rows[1, 2, [4, 9]] = np.nan
    found = geo_topological(rows, GRID, scale=scale)
    assert found.shape == (2, 3, 230, 21)
    for where in np.ndindex(2, 3):
        there = ~np.isnan(rows[where])
        alone = geo_topological(rows[where][there], GRID, scale=scale)
        np.testing.assert_allclose(found[where][:, there], alone, atol=1e-14)
        assert np.isnan(found[where][:, ~there]).all()


def test_vectors_without_ranks_or_a_largest_value_are_missing_and_said_to_be():
    rows = np.array([[1.0, 1, 1], [-3, -2, -1], [1, 2, 3], [np.nan, 2, 2], [np.nan] * 3])
    np.testing.assert_array_equal(is_degenerate(rows), [True, False, False, True, True])
    np.testing.assert_array_equal(is_degenerate(rows, "fraction"), [True, True, False, True, True])
    for scale in SCALES:
        gone = np.isnan(geo_topological(rows, GRID, scale=scale)).all(axis=(-2, -1))
        np.testing.assert_array_equal(gone, is_degenerate(rows, scale))
    assert np.isnan(scaled_ranks(rows[0])).all()
    assert np.isnan(sigmoid(rows[0])).all()


def test_quantiles_equal_numpys():
    rows = stream(3, "transforms").random((4, 30))
    levels = np.linspace(0, 1, 41)
    expected = np.quantile(rows, levels, axis=-1).T
    np.testing.assert_allclose(quantiles(rows, levels), expected, atol=1e-15)


def test_the_grid_has_every_pair_but_the_one_that_says_nothing():
    assert GRID.shape == (230, 2)
    assert (GRID[:, 0] <= GRID[:, 1]).all()
    assert not (GRID == 1).all(axis=1).any()
    assert len(np.unique(GRID, axis=0)) == 230
    vector = np.arange(10.0)
    assert (geo_topological(vector, GRID).max(axis=1) == 1).all()


def test_families_are_tried_in_order():
    assert family_of(0.0, 0.4) == "local"
    assert family_of(0.1, 0.301) == "local"  # within the tolerance
    assert family_of(0.6, 1.0) == "global"
    assert family_of(0.05, 0.85) == "geometry"
    assert family_of(0.0, 1.0) == "geometry"
    assert family_of(0.4, 0.6) == "topology"
    assert family_of(0.3, 0.6) == "intermediate"


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_levels_belong_to_their_family(family):
    levels = family_levels(family, 10, stream(4, "family", family))
    assert levels.shape == (10, 2)
    assert {family_of(*pair) for pair in levels} == {family}
    np.testing.assert_array_equal(np.round(levels, 2), levels)
    again = family_levels(family, 10, stream(4, "family", family))
    np.testing.assert_array_equal(levels, again)


def test_levels_that_make_no_ramp_are_refused():
    vector = np.arange(6.0)
    for levels, text in (
        ([[0.6, 0.4]], "above its upper level"),
        ([[-0.1, 0.4]], "outside"),
        ([[0.1, 1.4]], "outside"),
        ([[np.nan, 0.4]], "outside"),
        ([0.1, 0.4], r"\(level, 2\) is needed"),
    ):
        with pytest.raises(ValueError, match=text):
            geo_topological(vector, np.array(levels))
    with pytest.raises(ValueError, match="'ranks' is none of the scales"):
        geo_topological(vector, GRID, scale="ranks")
