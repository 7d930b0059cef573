"""Paths over near conditions: by hand, independent of order, finite, and unlike the published."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.geodesics import nearest, neighbour_counts, shortest_share, two_step
from pipeline.methods.trsa.transforms import level_grid
from pipeline.numerics.dissimilarity import condensed_form, squared_form

LEVELS = np.array([[0, 0.3], [0.1, 0.5], [0.3, 0.3], [0, 1]])
VARIANTS = {
    "two_step": lambda d, **how: two_step(d, LEVELS, **how),
    "shortest_share": lambda d, **how: shortest_share(d, np.array([0.1, 0.3, 1.0]), **how),
    "nearest": lambda d, **how: nearest(d, np.array([1, 2, 5]), **how),
    "mutual": lambda d, **how: nearest(d, np.array([1, 2, 5]), neighbours="mutual", **how),
}


def line(count=6):
    """Conditions on a line, at growing steps so that no two pairs are as far apart."""
    place = np.cumsum(2.0 ** np.arange(count))
    return condensed_form(np.abs(place[:, None] - place[None, :]))


def reordered(vector, order):
    return condensed_form(squared_form(vector)[np.ix_(order, order)])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_order_of_conditions_does_not_matter(variant, ties):
    vector = stream(0, "paths").random(45)
    vector = np.round(vector * 8) if ties else vector
    order = stream(1, "order").permutation(10)
    for how in ({}, {"ranked": True}):
        found = VARIANTS[variant](vector, **how)
        moved = VARIANTS[variant](reordered(vector, order), **how)
        expected = np.stack([reordered(row, order) for row in found.values])
        np.testing.assert_allclose(moved.values, expected, atol=1e-12)
        np.testing.assert_array_equal(moved.n_components, found.n_components)


def test_the_published_neighbours_depend_on_the_order_of_conditions():
    vector = stream(0, "paths").random(45)
    order = np.arange(10)[::-1]
    found = nearest(vector, np.array([2]), legacy=True).values[0]
    moved = nearest(reordered(vector, order), np.array([2]), legacy=True).values[0]
    assert not np.allclose(moved, reordered(found, order))


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_ranks_matter_and_batches_are_independent(variant):
    rows = stream(2, "paths").random((3, 36))
    found = VARIANTS[variant](rows)
    np.testing.assert_allclose(VARIANTS[variant](np.exp(3 * rows)).values, found.values)
    for row, values in zip(rows, found.values, strict=True):
        np.testing.assert_array_equal(VARIANTS[variant](row).values, values)


def test_steps_are_counted_where_levels_are_equal():
    # Five pairs of fifteen are neighbours on the line; all are within the lowest third.
    chain = condensed_form(np.abs(np.arange(6.0)[:, None] - np.arange(6.0)[None, :]))
    found = two_step(chain, np.array([[0.2, 0.2]]))
    np.testing.assert_array_equal(found.values[0], chain)
    np.testing.assert_array_equal(found.n_components, [1])


def test_an_edge_of_length_zero_stays_an_edge():
    chain = condensed_form(np.abs(np.arange(6.0)[:, None] - np.arange(6.0)[None, :]))
    levels = np.array([[0.2, 0.7]])
    # Neighbours are at 0, so that everything along the line is within reach of 0.
    assert (two_step(chain, levels).values == 0).all()
    assert (two_step(chain, levels, legacy=True).values > 0).all()


def test_identical_conditions_have_the_same_paths():
    vector = stream(3, "paths").random(45)
    square = squared_form(vector)
    square[1], square[:, 1] = square[0], square[:, 0]
    square[1, 1] = square[0, 1] = square[1, 0] = 0
    for variant in VARIANTS:
        if variant == "mutual":
            continue  # of two alike, both are neighbours of each other and may crowd others out
        for row in squared_form(VARIANTS[variant](condensed_form(square)).values):
            np.testing.assert_allclose(row[0, 2:], row[1, 2:], atol=1e-12)


def islands():
    """Two groups of three, 1 to 3 apart within and 10 and more between."""
    square = np.full((6, 6), 10.0)
    square[:3, :3] = square[3:, 3:] = [[0, 1, 2], [1, 0, 3], [2, 3, 0]]
    square[:3, 3:] += np.arange(9).reshape(3, 3)
    square[3:, :3] = square[:3, 3:].T
    return condensed_form(square)


def test_conditions_that_no_path_joins_get_what_was_asked_for():
    share = np.array([5 / 14])  # the six pairs within groups
    between = islands() >= 10
    plain = shortest_share(islands(), share)
    np.testing.assert_array_equal(plain.n_components, [2])
    longest = plain.values[0][~between].max()
    widest = (5.5 - 1.5) / (15 - 1.5)  # the longest edge: its scaled rank, shared by two
    np.testing.assert_allclose(plain.values[0][between], longest + widest)
    missing = shortest_share(islands(), share, disconnected="nan").values[0]
    np.testing.assert_array_equal(np.isnan(missing), between)
    top = shortest_share(islands(), share, ranked=True, disconnected="rank_top").values[0]
    assert (top[between] == top.max()).all()
    assert top.max() == pytest.approx(15 - (9 - 1) / 2)
    assert np.isfinite(plain.values).all()


def test_no_infinity_leaves_by_default():
    vector = stream(4, "paths").random(66)
    found = two_step(vector, level_grid())
    assert np.isfinite(found.values).all()
    assert (found.n_components >= 1).all()


def test_neighbours_by_hand():
    # On the growing line each condition is nearest to the one before it.
    found = nearest(line(), np.array([1]))
    np.testing.assert_array_equal(found.n_components, [1])
    ranks = np.argsort(np.argsort(line())) / 14
    np.testing.assert_allclose(found.values[0][0], ranks[0])
    # 0 and 1 are each other's nearest; nobody else is chosen by the one they choose.
    mutual = nearest(line(), np.array([1]), neighbours="mutual")
    np.testing.assert_array_equal(mutual.n_components, [5])
    np.testing.assert_array_equal(neighbour_counts(np.array([0, 0.05, 0.5]), 30), [0, 1, 15])


def test_neighbours_as_near_as_the_last_one_are_kept():
    square = np.array([[0.0, 1, 1, 5], [1, 0, 4, 6], [1, 4, 0, 7], [5, 6, 7, 0]])
    found = nearest(condensed_form(square), np.array([1]))
    np.testing.assert_array_equal(found.n_components, [1])


def test_dissimilarities_without_ranks_stay_missing():
    rows = np.stack([np.ones(15), islands()])
    found = two_step(rows, LEVELS).values
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_what_has_no_paths_is_refused():
    vector = islands()
    holed = vector.copy()
    holed[2] = np.nan
    for work, text in (
        (lambda: two_step(holed, LEVELS), "are missing"),
        (lambda: two_step(vector, LEVELS, disconnected="rank_top"), "needs ranked"),
        (lambda: two_step(vector, LEVELS, disconnected="far"), "'far' is none of"),
        (lambda: shortest_share(vector, np.array([1.2])), "outside"),
        (lambda: nearest(vector, np.array([-1])), "negative"),
    ):
        with pytest.raises(ValueError, match=text):
            work()
