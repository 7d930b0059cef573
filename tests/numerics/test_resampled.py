"""Draws by weights against vectors that are built and compared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from pipeline.core.rng import stream
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.resampled import RESAMPLED, compare_resampled
from pipeline.numerics.similarity import compare

N_ITEMS = 9


def vectors(count, *, ties=False, seed=0):
    values = stream(seed, "resampled").random((count, N_ITEMS * (N_ITEMS - 1) // 2)) + 0.1
    return np.round(values * 5) if ties else values


def built(rows, counts, copies=np.nan):
    """Drawn vectors, pairs of copies missing or at a distance."""
    drawn = np.repeat(np.arange(N_ITEMS), counts)
    first, second = np.triu_indices(drawn.size, 1)
    values = squared_form(rows)[:, drawn[first], drawn[second]]
    return np.where(drawn[first] == drawn[second], copies, values)


def draws(count, seed=1):
    rng = stream(seed, "draws")
    return rng.multinomial(N_ITEMS, np.full(N_ITEMS, 1 / N_ITEMS), size=count)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("measure", RESAMPLED)
def test_weights_give_what_drawn_vectors_give(measure, ties):
    first, second = vectors(3, ties=ties), vectors(4, ties=ties, seed=5)
    counts = draws(12)
    found = compare_resampled(first, second, measure, counts, block_bytes=20_000)
    for values, drawn in zip(found, counts, strict=True):
        copies = 0.0 if measure == "bures" else np.nan  # it needs all pairs
        sides = (built(side, drawn, copies) for side in (first, second))
        # Roots of variances that are 0 have half of the digits.
        atol = 2e-7 if measure == "bures" else 1e-11
        np.testing.assert_allclose(values, compare(*sides, measure).values, atol=atol)
    turned = compare_resampled(second, first, measure, counts)
    np.testing.assert_allclose(turned, np.swapaxes(found, 1, 2), atol=1e-12)


@pytest.mark.parametrize("measure", RESAMPLED)
def test_order_and_scale_do_not_matter(measure):
    rows, counts = vectors(3), draws(4)
    found = compare_resampled(rows, rows, measure, counts)
    order = stream(4, "order").permutation(N_ITEMS)
    moved = 3 * squared_form(rows)[:, order][:, :, order][:, *np.triu_indices(N_ITEMS, 1)]
    again = compare_resampled(moved, moved, measure, counts[:, order])
    np.testing.assert_allclose(again, found, atol=1e-7 if measure == "bures" else 1e-11)


def test_tau_b_of_drawn_values_is_scipys():
    first, second = vectors(2, ties=True), vectors(2, ties=True, seed=5)
    counts = draws(6)
    found = compare_resampled(first, second, "tau_b", counts)
    for values, drawn in zip(found, counts, strict=True):
        one, other = (built(side, drawn) for side in (first, second))
        there = ~np.isnan(one[0])
        expected = [[kendalltau(x[there], y[there]).statistic for y in other] for x in one]
        np.testing.assert_allclose(values, expected, atol=1e-12)


@pytest.mark.parametrize("measure", RESAMPLED)
def test_all_items_once_is_the_plain_comparison(measure):
    rows = vectors(3)
    found = compare_resampled(rows, rows, measure, np.ones((1, N_ITEMS), dtype=int))[0]
    np.testing.assert_allclose(found, compare(rows, rows, measure).values, atol=1e-12)


@pytest.mark.parametrize("measure", RESAMPLED)
def test_a_draw_without_variance_gives_no_number(measure):
    rows = vectors(2)
    square = squared_form(rows[:1])[0]
    square[:3, :3] = 0 if measure.endswith("cosine") or measure == "bures" else 0.1
    rows[0] = square[np.triu_indices(N_ITEMS, 1)]
    counts = np.zeros((2, N_ITEMS), dtype=int)
    counts[0, :3], counts[1, 3:] = 3, 1
    found = compare_resampled(rows, rows, measure, counts)
    assert np.isnan(found[0, 0]).all()
    assert np.isnan(found[0, :, 0]).all()
    assert np.isfinite(found[0, 1, 1])
    assert np.isfinite(found[1]).all()


def test_what_cannot_be_drawn_is_refused():
    rows = vectors(2)
    with pytest.raises(ValueError, match="'euclid' is none"):
        compare_resampled(rows, rows, "euclid", draws(1))
    with pytest.raises(ValueError, match="shapes"):
        compare_resampled(rows, rows, "cosine", draws(1)[:, :-1])
    with pytest.raises(ValueError, match="missing or infinite"):
        compare_resampled(np.where(rows > 1, np.nan, rows), rows, "cosine", draws(1))
