"""Estimators against their definitions written out, and what they must refuse."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from pipeline.core.rng import stream
from pipeline.methods.trsa.estimators import (
    CROSS_VALIDATED,
    ESTIMATORS,
    condition_means,
    correlation,
    cosine,
    crossnobis,
    crossnobis_fold_noise,
    dissimilarities,
    euclidean,
    euclidean2,
    fold_means,
    mahalanobis2,
    poisson_kl,
    poisson_kl_cv,
)
from pipeline.methods.trsa.noise import noise_covariance

PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def trials(seed=0, *, n_folds=3, n_units=5, keep=1.0):
    """Counts of four conditions, one trial a fold but for those that are left out."""
    rng = stream(seed, "trials")
    condition, fold = np.tile(np.arange(4), n_folds), np.repeat(np.arange(n_folds), 4)
    rates = rng.uniform(2, 9, (4, n_units))
    responses = rng.poisson(rates[condition]).astype(float)
    kept = rng.random(condition.size) < keep
    return responses[kept], condition[kept], fold[kept]


def double_sum(left, right, held):
    """Cross-validated distances by their definition: pairs of folds, one after another."""
    found = []
    for i, j in PAIRS:
        usable = [m for m in range(len(held)) if held[m, i] and held[m, j]]
        terms = [
            (left[m, i] - left[m, j]) @ (right[n, i] - right[n, j]) / left.shape[-1]
            for m, n in permutations(usable, 2)
        ]
        found.append(np.mean(terms) if terms else np.nan)
    return np.array(found)


def test_distances_equal_scipys():
    patterns = stream(0, "patterns").normal(size=(4, 6))
    scipys = pdist(patterns, "sqeuclidean")
    np.testing.assert_allclose(euclidean2(patterns), scipys / 6, rtol=1e-12)
    np.testing.assert_allclose(euclidean(patterns), np.sqrt(scipys), rtol=1e-12)
    np.testing.assert_allclose(cosine(patterns), pdist(patterns, "cosine"), rtol=1e-12)
    np.testing.assert_allclose(correlation(patterns), pdist(patterns, "correlation"), rtol=1e-12)
    root = stream(1, "noise").normal(size=(6, 9))
    scipys = pdist(patterns, "mahalanobis", VI=np.linalg.inv(root @ root.T))
    np.testing.assert_allclose(mahalanobis2(patterns, root @ root.T), scipys**2 / 6, rtol=1e-10)


def test_close_patterns_far_from_zero_keep_their_digits():
    patterns = 1e6 + stream(2, "patterns").normal(size=(5, 8)) * [[1], [1], [1e-6], [1e-6], [1]]
    expected = pdist(patterns, "sqeuclidean") / 8
    np.testing.assert_allclose(euclidean2(patterns), expected, rtol=1e-9)
    patterns[1] = patterns[0]
    assert euclidean2(patterns)[0] == 0
    assert correlation(patterns)[0] == 0


def test_means_weigh_trials_alike_and_folds_keep_what_they_hold():
    responses = np.array([[1.0], [3.0], [8.0], [5.0]])
    condition, fold = np.array([0, 0, 0, 1]), np.array([7, 7, 9, 7])
    np.testing.assert_allclose(condition_means(responses, condition, 2), [[4], [5]])
    means, counts = fold_means(responses, condition, fold, 2)
    np.testing.assert_allclose(means[..., 0], [[2, 5], [8, 0]])
    np.testing.assert_array_equal(counts, [[2, 1], [1, 0]])


@pytest.mark.parametrize("keep", [1.0, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_cross_validated_distances_equal_the_sum_over_pairs_of_folds(keep, seed):
    responses, condition, fold = trials(seed, n_folds=5, keep=keep)
    means, counts = fold_means(responses, condition, fold, 4)
    held = counts > 0
    np.testing.assert_allclose(crossnobis(means, held), double_sum(means, means, held), atol=1e-12)
    rates = (means + 0.1) / 1.1
    expected = double_sum(rates, np.log(rates), held)
    np.testing.assert_allclose(poisson_kl_cv(means, held), expected, atol=1e-12)


def test_leaving_out_one_fold_at_a_time_is_the_same_for_complete_folds():
    responses, condition, fold = trials(n_folds=4)
    means, counts = fold_means(responses, condition, fold, 4)
    left_out = []
    for one in range(4):
        rest = np.delete(means, one, axis=0).mean(axis=0)
        left_out.append([(means[one, i] - means[one, j]) @ (rest[i] - rest[j]) for i, j in PAIRS])
    found = crossnobis(means, counts > 0)
    np.testing.assert_allclose(found, np.mean(left_out, axis=0) / 5, atol=1e-12)


def test_pairs_that_no_two_folds_share_are_missing():
    responses, condition, fold = trials(n_folds=3)
    lost = (condition == 3) & (fold > 0)
    found = dissimilarities(
        responses[~lost], condition[~lost], fold[~lost], 4, "crossnobis", noise=None
    )
    np.testing.assert_array_equal(np.isnan(found), [False, False, True, False, True, True])


@pytest.mark.parametrize("keep", [1.0, 0.7])
def test_a_pair_of_folds_is_whitened_by_the_mean_of_its_noise(keep):
    responses, condition, fold = trials(3, n_folds=4, keep=keep)
    means, counts = fold_means(responses, condition, fold, 4)
    held = counts > 0
    roots = stream(4, "noise").normal(size=(4, 5, 8))
    noise = roots @ np.swapaxes(roots, 1, 2)
    expected = np.full(6, np.nan)
    for place, (i, j) in enumerate(PAIRS):
        usable = [m for m in range(4) if held[m, i] and held[m, j]]
        terms = [
            (means[m, i] - means[m, j])
            @ np.linalg.inv((noise[m] + noise[n]) / 2)
            @ (means[n, i] - means[n, j])
            / 5
            for m, n in permutations(usable, 2)
        ]
        if terms:
            expected[place] = np.mean(terms)
    found = crossnobis_fold_noise(means, held, noise)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_cross_validated_distances_of_equal_conditions_are_zero_on_average():
    rng = stream(5, "null")
    condition, fold = np.tile(np.arange(4), 3), np.repeat(np.arange(3), 4)
    responses = rng.normal(size=(2000, 12, 6))
    crossed = dissimilarities(responses, condition, fold, 4, "crossnobis", noise=None)
    error = crossed.std() / np.sqrt(2000)
    assert abs(crossed.mean()) < 4 * error
    plain = dissimilarities(responses, condition, fold, 4, "euclidean2")
    assert plain.mean() == pytest.approx(2 / 3, rel=0.05)  # 2 variances over 3 repeats


def test_equal_rates_are_no_distance_apart_and_others_by_their_divergence():
    rates = np.array([[1.0, 4], [1, 4], [3, 2], [0, 0]])
    found = poisson_kl(rates)
    assert found[0] == 0
    mixed = (rates + 0.1) / 1.1
    expected = ((mixed[0] - mixed[2]) * np.log(mixed[0] / mixed[2])).sum() / 2
    assert found[1] == pytest.approx(expected, abs=1e-14)
    assert np.isfinite(found).all()


def test_all_pairs_of_folds_count_and_not_only_the_last_fold():
    responses, condition, fold = trials(6, n_folds=4)
    means, counts = fold_means(responses, condition, fold, 4)
    found = poisson_kl_cv(means, counts > 0)
    order = [1, 2, 3, 0]
    np.testing.assert_allclose(poisson_kl_cv(means[order], counts[order] > 0), found, atol=1e-13)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_take_batches_and_follow_the_order_of_conditions(estimator):
    responses, condition, fold = trials(7, n_folds=6, keep=0.9)
    other = responses[:, ::-1] + 1
    both = dissimilarities(np.stack([responses, other]), condition, fold, 4, estimator)
    for batch, one in zip(both, (responses, other), strict=True):
        found = dissimilarities(one, condition, fold, 4, estimator)
        np.testing.assert_allclose(batch, found, atol=1e-12)
    moved = dissimilarities(responses, 3 - condition, fold, 4, estimator)
    np.testing.assert_allclose(moved[[5, 4, 2, 3, 1, 0]], both[0], atol=1e-12)
    shuffled = stream(8, "order").permutation(condition.size)
    again = dissimilarities(responses[shuffled], condition[shuffled], fold[shuffled], 4, estimator)
    np.testing.assert_allclose(again, both[0], atol=1e-12)


def test_a_population_twice_is_as_far_apart_as_once():
    responses, condition, fold = trials(9)
    for estimator in ESTIMATORS:
        if estimator in ("euclidean", "mahalanobis2", "crossnobis"):
            continue  # unscaled, or whitened by a noise that is singular then
        once = dissimilarities(responses, condition, fold, 4, estimator)
        twice = dissimilarities(np.tile(responses, 2), condition, fold, 4, estimator)
        np.testing.assert_allclose(twice, once, atol=1e-12)


def test_whitened_distances_do_not_depend_on_units_gains():
    responses, condition, fold = trials(10, n_folds=6)
    gained = responses * [1, 10, 0.1, 3, 100]
    for estimator in ("mahalanobis2", "crossnobis"):
        plain = dissimilarities(responses, condition, fold, 4, estimator)
        scaled = dissimilarities(gained, condition, fold, 4, estimator)
        np.testing.assert_allclose(scaled, plain, rtol=1e-9)


def test_what_an_estimator_cannot_use_is_refused():
    responses, condition, fold = trials()
    for change, text in (
        ({"estimator": "crossnobi"}, "'crossnobi' is none of the estimators"),
        ({"condition": condition + 1}, "outside 0 to 3"),
        ({"condition": np.minimum(condition, 2)}, "1 condition has no trial"),
        ({"responses": np.where(responses > 8, np.nan, responses)}, "missing values"),
        ({"responses": responses - 20, "estimator": "poisson_kl"}, "negative"),
        ({"responses": responses - 20, "estimator": "poisson_kl_cv"}, "negative"),
        ({"responses": responses[:, :2], "estimator": "correlation"}, "2 units are too few"),
        ({"fold": 0 * fold, "estimator": "crossnobis"}, "need two folds"),
        (
            {"responses": responses * (condition != 2)[:, None], "estimator": "cosine"},
            "pattern of condition 2 is zero",
        ),
        (
            {
                "responses": np.where((condition == 1)[:, None], 0.1, responses),
                "estimator": "correlation",
            },
            "pattern of condition 1 is the same in all units",
        ),
    ):
        arguments = {
            "responses": responses,
            "condition": condition,
            "fold": fold,
            "n_conditions": 4,
            "estimator": "euclidean2",
        }
        with pytest.raises(ValueError, match=text):
            dissimilarities(**{**arguments, **change})
    assert set(ESTIMATORS) > CROSS_VALIDATED
    covariances = np.stack([noise_covariance(responses, condition).covariance] * 3)
    means, counts = fold_means(responses, condition, 0 * fold, 4)
    with pytest.raises(ValueError, match="need two folds"):
        crossnobis_fold_noise(means, counts > 0, covariances)
