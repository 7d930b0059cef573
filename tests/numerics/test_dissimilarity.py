"""Condensed and square forms, and average ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from pipeline.core.rng import stream
from pipeline.numerics.dissimilarity import (
    average_ranks,
    condensed_form,
    n_items,
    squared_form,
    tied_share,
)


def test_the_number_of_items_follows_from_the_number_of_pairs():
    assert [n_items(n * (n - 1) // 2) for n in (1, 2, 3, 60, 100_000)] == [1, 2, 3, 60, 100_000]
    with pytest.raises(ValueError, match=r"^4 is not the number of pairs"):
        n_items(4)


def test_forms_turn_into_each_other_as_scipys():
    vectors = stream(0, "forms").random((2, 3, 10))
    square = squared_form(vectors)
    np.testing.assert_array_equal(square[1, 2], squareform(vectors[1, 2]))
    np.testing.assert_array_equal(condensed_form(square), vectors)


def test_a_square_that_is_no_dissimilarity_is_refused():
    good = squareform([1.0, 2.0, 3.0])
    for wrong, text in (
        (good[:2], "not square"),
        (good + np.diag([0, 0, 1]), "diagonal"),
        (good + np.diag([0, np.nan, 0]), "diagonal"),
        (np.triu(good), "not symmetric"),
        (good + 1e-6 * np.eye(3, k=1), "not symmetric"),
    ):
        with pytest.raises(ValueError, match=text):
            condensed_form(wrong)
    rounded = good + 1e-9 * np.eye(3, k=1)
    np.testing.assert_allclose(condensed_form(rounded), [1, 2, 3])


def test_ranks_share_ties_and_leave_missing_values_out():
    values = np.array([[3.0, 1, 1, 2], [np.inf, np.nan, 5, np.inf], [np.nan] * 4])
    expected = [[4, 1.5, 1.5, 3], [2.5, np.nan, 1, 2.5], [np.nan] * 4]
    np.testing.assert_array_equal(average_ranks(values), expected)


def test_ranks_with_missing_values_equal_those_of_the_rest():
    rng = stream(1, "ranks")
    values = rng.integers(5, size=(6, 20)).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    for found, row in zip(average_ranks(values), values, strict=True):
        there = ~np.isnan(row)
        np.testing.assert_array_equal(found[there], rankdata(row[there]))
        assert np.isnan(found[~there]).all()


def test_the_share_of_ties_counts_every_value_that_another_equals():
    values = np.array([[1.0, 1, 2, 3], [1, 2, 3, 4], [5, 5, 5, 5], [1, 1, np.nan, np.nan]])
    np.testing.assert_array_equal(tied_share(values), [0.5, 0, 1, 1])
