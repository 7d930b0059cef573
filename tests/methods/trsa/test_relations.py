"""Correlations of dissimilarities and their nulls."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.relations import (
    condition_orders,
    pair_orders,
    rank_scores,
    relate,
    similarity_p,
    smooth_steps,
    why_no_null,
)
from pipeline.numerics.dissimilarity import condensed_form, squared_form

PAIRS = 28


def distances(points):
    return condensed_form(np.square(points[:, None] - points[None]).sum(axis=2))


def smooth_points(rng, n, width, n_dimensions=6):
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(rng.standard_normal((n, n_dimensions)), width, axis=0, mode="wrap")


def test_correlation_is_that_of_ranks_over_splits():
    rng = stream(0, "relate")
    first, second = rng.standard_normal((3, 2, PAIRS)), rng.standard_normal((3, 4, PAIRS))
    found = relate(first, second, condition_orders(8, "none", 19, rng))
    for a, b in itertools.product(range(2), range(4)):
        ranks = [
            np.argsort(np.argsort(rows, axis=1), axis=1) for rows in (first[:, a], second[:, b])
        ]
        expected = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(*ranks, strict=True)])
        assert found.correlation[a, b] == pytest.approx(expected)


def test_pairs_follow_their_conditions():
    square = squared_form(stream(0, "pairs").random(PAIRS))
    orders = condition_orders(8, "none", 5, stream(0, "orders"))
    for order, index in zip(orders, pair_orders(orders), strict=True):
        np.testing.assert_array_equal(
            condensed_form(square[np.ix_(order, order)]), condensed_form(square)[index]
        )


def test_few_conditions_are_permuted_exactly():
    orders = condition_orders(4, "none", 999, stream(0, "few"))
    assert sorted(map(tuple, orders)) == sorted(itertools.permutations(range(4)))[1:]
    values = np.array([[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]])
    p = relate(values, values, orders).p[0, 0]
    perfect = sum(
        np.array_equal(values[0, 0], values[0, 0][index])
        for index in pair_orders(np.array(list(itertools.permutations(range(4)))))
    )
    assert p == pytest.approx(perfect / math.factorial(4))


def test_ordered_conditions_are_shifted():
    orders = condition_orders(20, "circular", 999, stream(0, "shift"))
    assert orders.shape == (19, 20)
    assert all(np.array_equal(np.diff(order) % 20, np.ones(19)) for order in orders)


def test_on_a_line_the_mean_of_each_lag_is_taken_out():
    scores = squared_form(rank_scores(stream(0, "line").random(PAIRS), "linear"))
    for lag in range(1, 8):
        assert np.diagonal(scores, lag).mean() == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(rank_scores(stream(0, "one").random(PAIRS))) == pytest.approx(1)


def test_smoothness_is_found_and_too_much_of_it_refused():
    rng = stream(0, "smooth")
    rough = smooth_steps(distances(rng.standard_normal((30, 40))))
    soft = smooth_steps(distances(smooth_points(rng, 30, 4.0, 40)))
    assert rough == 1
    assert 3 < soft < 10
    assert why_no_null("linear", 30, soft) != ""
    assert why_no_null("linear", 30, rough) == ""
    assert why_no_null("none", 5, math.inf) == ""
    assert "need" in why_no_null("circular", 12, 1.0)
    assert smooth_steps(np.zeros(PAIRS)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("order", "width"), [("none", 0.0), ("circular", 1.5), ("linear", 1.0)])
def test_independent_matrices_rarely_seem_related(order, width):
    n_sets, rejected, rng = 300, 0, stream(0, "calibration", order)
    for _ in range(n_sets):
        pair = []
        for _ in range(2):
            points = rng.standard_normal((24, 6)) if width == 0 else smooth_points(rng, 24, width)
            pair.append(distances(points)[None, None])
        orders = condition_orders(24, order, 99, rng)
        rejected += relate(*pair, orders, order).p[0, 0] <= 0.05
    # Shifts of 24 conditions reach 1/24 at best; two standard errors.
    assert rejected / n_sets <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n_sets)


def test_permuting_ordered_conditions_would_mislead():
    """What shifts are for: permutations find two smooth rings related that are not."""
    rng, rejected = stream(0, "mislead"), 0
    for _ in range(20):
        pair = [distances(smooth_points(rng, 24, 1.5))[None, None] for _ in range(2)]
        orders = condition_orders(24, "none", 99, rng)
        rejected += relate(*pair, orders).p[0, 0] <= 0.05
    assert rejected >= 15


def test_populations_have_p_of_their_likeness_but_not_within_a_recording():
    rng = stream(0, "alike")
    points = rng.standard_normal((10, 5))
    alike = [distances(points + 0.3 * rng.standard_normal((10, 5))) for _ in range(3)]
    rows = np.stack([*alike, distances(rng.standard_normal((10, 5))), np.full(45, np.nan)])
    recording = np.array(["a", "a", "b", "c", "d"])
    orders = condition_orders(10, "none", 99, rng)
    p = similarity_p(rows, recording, orders)
    np.testing.assert_array_equal(p, p.T)
    assert np.isnan(p[0, 1])
    assert np.isnan(np.diagonal(p)).all()
    assert np.isnan(p[4]).all()
    assert p[0, 2] == p[1, 2] == 0.01
    one = relate(rows[None, [0, 2, 3]], rows[None, [0, 2, 3]], orders)
    np.testing.assert_allclose(p[np.ix_([0, 2, 3], [0, 2, 3])][0, 1:], one.p[0, 1:])


def test_that_p_is_rarely_small_without_likeness():
    rng = stream(0, "unlike")
    rows = np.stack([distances(rng.standard_normal((10, 5))) for _ in range(40)])
    orders = condition_orders(10, "none", 199, rng)
    p = similarity_p(rows, np.arange(40).astype(str), orders)[np.triu_indices(40, 1)]
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
