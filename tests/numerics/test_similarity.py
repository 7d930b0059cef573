"""Measures of similarity against their definitions, SciPy and a full solve."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import orthogonal_procrustes

from pipeline.core.rng import stream
from pipeline.numerics.dissimilarity import average_ranks, squared_form
from pipeline.numerics.similarity import MEASURES, Status, compare, pooled

SIMILARITIES = [measure for measure in MEASURES if measure != "euclid"]


def vectors(count, n_items=7, *, ties=False, seed=0):
    rng = stream(seed, "vectors")
    points = rng.normal(size=(count, n_items, 4))
    apart = points[:, :, None] - points[:, None]
    first, second = np.triu_indices(n_items, 1)
    distances = np.square(apart).sum(axis=-1)[:, first, second]
    return np.round(distances / 4) if ties else distances


def covariance_of_pairs(noise):
    """The covariance of squared distances, pair by pair."""
    first, second = np.triu_indices(len(noise), 1)
    contrast = np.zeros((first.size, len(noise)))
    contrast[np.arange(first.size), first] = 1
    contrast[np.arange(first.size), second] = -1
    return np.square(contrast @ noise @ contrast.T)


def solved(x, y, covariance):
    """Cosine under the inverse of a covariance, by solving."""
    inverse = np.linalg.inv(covariance)
    return x @ inverse @ y / np.sqrt((x @ inverse @ x) * (y @ inverse @ y))


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_of_ranks_equal_scipys(ties):
    first, second = vectors(3, ties=ties), vectors(2, ties=ties, seed=1)
    for measure, function in (
        ("corr", stats.pearsonr),
        ("spearman", stats.spearmanr),
        ("tau_b", stats.kendalltau),
    ):
        expected = [[function(x, y).statistic for y in second] for x in first]
        found = compare(first, second, measure)
        np.testing.assert_allclose(found.values, expected, atol=1e-12)
        assert (found.status == Status.OK).all()
        assert (found.n_pairs == first.shape[1]).all()


def test_tau_a_counts_pairs_of_pairs():
    first, second = vectors(2, 5, ties=True), vectors(2, 5, ties=True, seed=1)
    for x, y, found in zip(
        first, second, np.diagonal(compare(first, second, "tau_a").values), strict=True
    ):
        signs = [np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) for i, j in combinations(range(10), 2)]
        assert found == pytest.approx(np.mean(signs), abs=1e-15)


@pytest.mark.parametrize("ties", [False, True])
def test_bures_similarity_of_points_on_axes_is_that_of_their_spreads(ties):
    # Moments that commute: tr (A^1/2 B A^1/2)^1/2 is the sum of the roots of products of variances.
    axes = np.linalg.qr(stream(8, "axes").normal(size=(6, 6)) + np.eye(6))[0]
    axes = np.linalg.qr(np.c_[np.ones(6), axes])[0][:, 1:6]  # means of 0
    spread = np.array([[4.0, 1, 0, 0, 2], [1, 1, 3, 0, 0.5]])
    if ties:
        spread = np.round(spread)
    points = axes * np.sqrt(spread)[:, None]
    apart = np.square(points[:, :, None] - points[:, None]).sum(axis=-1)
    x, y = apart[:, *np.triu_indices(6, 1)]
    expected = np.sqrt(spread[0] * spread[1]).sum() / np.sqrt(spread[0].sum() * spread[1].sum())
    found = compare(np.stack([x, 7 * x]), np.stack([y, 0.1 * y]), "bures").values
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_bures_similarity_is_the_cosine_of_the_angle_after_the_best_turn():
    points = stream(9, "turn").normal(size=(2, 7, 4))
    points[1] *= 3  # of no account
    apart = np.square(points[:, :, None] - points[:, None]).sum(axis=-1)
    x, y = apart[:, *np.triu_indices(7, 1)]
    centred = points - points.mean(axis=1, keepdims=True)
    _, distance = orthogonal_procrustes(*(c / np.linalg.norm(c) for c in centred))
    assert compare(x[None], y[None], "bures").values[0, 0] == pytest.approx(distance, abs=1e-7)


def test_bures_similarity_of_distances_below_0_is_at_most_1():
    rows = vectors(2) + 2 * stream(10, "noise").normal(size=(2, 21))
    assert (rows < 0).any()  # as cross-validated distances are
    found = compare(rows, rows, "bures").values
    np.testing.assert_allclose(np.diagonal(found), 1, atol=1e-7)
    assert found[0, 1] < 1
    assert compare(-vectors(1), rows, "bures").status.tolist() == [[Status.CONSTANT] * 2]


def test_bures_similarity_needs_all_pairs():
    rows = vectors(2)
    rows[0, 3] = np.nan
    found = compare(rows, rows, "bures")
    assert found.status.tolist() == [[Status.MISSING] * 2, [Status.MISSING, Status.OK]]


def test_rho_a_is_the_mean_of_spearmans_over_all_ways_to_break_ties():
    x, y = np.array([1.0, 1, 2]), np.array([3.0, 2, 2])
    every = []
    for x_order in permutations(range(3)):
        for y_order in permutations(range(3)):
            a, b = np.array(x_order), np.array(y_order)
            if ((np.diff(x) < 0) <= (np.diff(a) < 0)).all() and a[2] == 2 and b[0] == 2:
                every.append(stats.spearmanr(a, b).statistic)
    found = compare(x[None], y[None], "rho_a").values[0, 0]
    assert found == pytest.approx(np.mean(every), abs=1e-15)


@pytest.mark.parametrize("kind", ["equal", "diagonal", "full"])
def test_whitened_measures_equal_a_solve_with_the_covariance_of_all_pairs(kind):
    first, second = vectors(3), vectors(2, seed=1)
    rng = stream(2, "noise")
    root = rng.normal(size=(7, 9))
    noise = {"equal": None, "diagonal": rng.random(7) + 0.5, "full": root @ root.T}[kind]
    full = {"equal": np.eye(7), "full": noise}.get(kind)
    covariance = covariance_of_pairs(np.diag(noise) if full is None else full)
    expected = [[solved(x, y, covariance) for y in second] for x in first]
    found = compare(first, second, "whitened_cosine", noise=noise).values
    np.testing.assert_allclose(found, expected, atol=1e-12)
    expected = [[solved(x - x.mean(), y - y.mean(), covariance) for y in second] for x in first]
    found = compare(first, second, "whitened_corr", noise=noise).values
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["equal", "full"])
def test_whitened_measures_without_some_pairs_use_the_covariance_of_the_others(kind):
    first, second = vectors(2), vectors(2, seed=1)
    first[:, [3, 8]] = np.nan
    second[:, 15] = np.nan
    root = stream(2, "noise").normal(size=(7, 9))
    noise = None if kind == "equal" else root @ root.T
    there = np.setdiff1d(np.arange(21), [3, 8, 15])
    covariance = covariance_of_pairs(np.eye(7) if noise is None else noise)[np.ix_(there, there)]
    found = compare(first, second, "whitened_cosine", noise=noise)
    expected = [[solved(x[there], y[there], covariance) for y in second] for x in first]
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert (found.n_pairs == 18).all()


def test_the_whitened_cosine_is_linear_centred_kernel_alignment():
    rng = stream(3, "cka")
    points = rng.normal(size=(2, 9, 5))
    centred = points - points.mean(axis=1, keepdims=True)
    kernel = centred @ np.swapaxes(centred, 1, 2)
    expected = (kernel[0] * kernel[1]).sum() / np.linalg.norm(kernel[0]) / np.linalg.norm(kernel[1])
    apart = np.square(points[:, :, None] - points[:, None]).sum(axis=-1)
    first, second = np.triu_indices(9, 1)
    x, y = apart[:, first, second]
    found = compare(x[None], y[None], "whitened_cosine").values[0, 0]
    assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("measure", SIMILARITIES)
def test_a_vector_is_most_like_itself_and_order_of_items_does_not_matter(measure):
    rows = vectors(4)
    found = compare(rows, rows, measure).values
    np.testing.assert_allclose(np.diagonal(found), 1, atol=1e-7)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    order = stream(4, "order").permutation(7)
    first, second = np.triu_indices(7, 1)
    moved = squared_form(rows)[:, order][:, :, order][:, first, second]
    np.testing.assert_allclose(compare(moved, moved, measure).values, found, atol=1e-7)


@pytest.mark.parametrize("measure", SIMILARITIES)
def test_vectors_without_what_is_compared_get_a_status_and_no_number(measure):
    good = vectors(1)
    zero = np.zeros_like(good)
    same = np.full_like(good, 0.1)  # its mean is not exact
    found = compare(np.vstack([good, zero, same]), good, measure)
    assert found.status[0, 0] == Status.OK
    assert found.status[1, 0] == Status.CONSTANT
    assert np.isnan(found.values[1, 0])
    ratio = measure.endswith("cosine") or measure == "bures"
    assert found.status[2, 0] == (Status.OK if ratio else Status.CONSTANT)
    assert (np.isnan(found.values) == (found.status != Status.OK)).all()


@pytest.mark.parametrize("measure", ["cosine", "corr", "spearman", "rho_a", "tau_a", "euclid"])
def test_pairs_missing_in_either_are_left_out_of_that_comparison_only(measure):
    first, second = vectors(2), vectors(2, seed=1)
    first[1, 4] = second[0, 7] = np.nan
    found = compare(first, second, measure)
    np.testing.assert_array_equal(found.n_pairs, [[20, 21], [19, 20]])
    left = np.setdiff1d(np.arange(21), [4, 7])
    alone = compare(first[1:, left], second[:1, left], measure).values
    assert found.values[1, 0] == pytest.approx(alone[0, 0], abs=1e-15)


def test_with_two_pairs_nothing_is_compared():
    first = np.array([[1.0, 2.0, np.nan]])
    found = compare(first, first, "corr")
    assert found.status[0, 0] == Status.MISSING
    assert np.isnan(found.values[0, 0])


def test_leading_axes_are_batches():
    first, second = vectors(6).reshape(2, 3, -1), vectors(4, seed=1).reshape(2, 2, -1)
    for measure in MEASURES:
        found = compare(first, second, measure).values
        assert found.shape == (2, 3, 2)
        alone = compare(first[1], second[1], measure).values
        np.testing.assert_allclose(found[1], alone, atol=1e-15)


def test_what_cannot_be_compared_is_refused():
    good = vectors(2)
    for first, options, text in (
        (good[:, :-1], {}, "cannot be compared"),
        (good[None], {}, "cannot be compared"),
        (np.where(good > 1, np.inf, good), {}, "infinite"),
        (good, {"measure": "cosin"}, "'cosin' is none of the measures"),
        (good, {"noise": np.ones(7)}, "'cosine' uses no noise"),
        (good, {"measure": "whitened_cosine", "noise": np.ones(6)}, "does not fit 7 items"),
        (good, {"measure": "whitened_cosine", "noise": -np.ones(7)}, "not positive definite"),
    ):
        with pytest.raises(ValueError, match=text):
            compare(first, good, **{"measure": "cosine", **options})


def test_pooled_vectors_are_most_like_all():
    rows = vectors(5)
    for measure in ("cosine", "corr", "spearman", "rho_a", "whitened_cosine"):
        best = compare(rows, pooled(rows, measure)[None], measure).values.mean()
        for other in [*rows, *vectors(5, seed=5)]:
            assert compare(rows, other[None], measure).values.mean() <= best + 1e-9
    np.testing.assert_allclose(pooled(rows, "euclid"), rows.mean(axis=0))
    np.testing.assert_allclose(pooled(rows, "tau_a"), average_ranks(rows).mean(axis=0))
    assert pooled(rows, "corr").min() == 0
    assert np.isnan(pooled(np.zeros((2, 3)), "cosine")).all()
