"""Noise covariance: divisors, shrinkage against sums written out, and what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from pipeline.core.rng import stream
from pipeline.methods.trsa.noise import NOISE_KINDS, noise_covariance, residuals, whitened


def correlated(n_conditions, n_repeats, n_units, seed=0):
    rng = stream(seed, "correlated")
    root = rng.normal(size=(n_units, n_units)) / np.sqrt(n_units) + np.eye(n_units)
    condition = np.repeat(np.arange(n_conditions), n_repeats)
    means = rng.normal(size=(n_conditions, n_units)) * 3
    responses = means[condition] + rng.normal(size=(condition.size, n_units)) @ root.T
    return responses, condition, root @ root.T


def test_residuals_have_no_mean_in_any_condition():
    responses, condition, _ = correlated(5, 3, 4)
    errors, degrees = residuals(responses, condition)
    assert degrees == 10
    for label in range(5):
        np.testing.assert_allclose(errors[condition == label].mean(axis=0), 0, atol=1e-12)


def test_the_covariance_is_unbiased_with_two_repeats():
    rng = stream(1, "unbiased")
    condition = np.repeat(np.arange(6), 2)
    responses = rng.normal(size=(4000, 12, 2)) * [1, 2]
    noise = noise_covariance(responses, condition, "full")
    np.testing.assert_allclose(noise.covariance.mean(axis=0), [[1, 0], [0, 4]], atol=0.1)
    # The divisor of rsatoolbox, conditions less one times repeats, would give about half of it.
    legacy = noise_covariance(responses, condition, "diag", legacy=True)
    assert legacy.covariance[:, 0, 0].mean() == pytest.approx(0.6, abs=0.05)


def test_shrinkage_to_no_covariance_equals_its_sums_written_out():
    responses, condition, _ = correlated(6, 3, 4)
    errors, degrees = residuals(responses, condition)
    count = len(errors)
    scaled = errors / np.sqrt((errors**2).sum(axis=0) / degrees)
    above, below = 0.0, 0.0
    for i in range(4):
        for j in range(4):
            if i != j:
                products = scaled[:, i] * scaled[:, j]
                below += (products.sum() / degrees) ** 2
                spread = ((products - products.mean()) ** 2).sum()
                above += count / degrees**3 * spread
    noise = noise_covariance(responses, condition)
    assert noise.shrinkage == pytest.approx(above / below, abs=1e-13)
    sample = errors.T @ errors / degrees
    expected = np.where(np.eye(4) > 0, sample, sample * (1 - above / below))
    np.testing.assert_allclose(noise.covariance, expected, atol=1e-13)


def test_shrinkage_to_one_variance_is_ledoit_and_wolfs_where_means_are_known():
    responses = stream(2, "known").normal(size=(30, 6)) * np.arange(1, 7)
    pairs = np.concatenate([responses, -responses])  # one condition whose mean is exactly 0
    noise = noise_covariance(pairs, np.zeros(60, dtype=int), "shrink_eye")
    # scikit-learn divides by trials; with residual degrees the two differ by that factor.
    expected = ledoit_wolf_shrinkage(pairs, assume_centered=True) * 60 / 59
    assert noise.shrinkage == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("n_conditions", "n_repeats"), [(30, 2), (60, 2), (30, 5), (12, 10)])
def test_shrinkage_is_near_the_best_whatever_the_number_of_repeats(n_conditions, n_repeats):
    found, best = [], []
    grid = np.linspace(0, 1, 101)
    errors = np.zeros(grid.size)
    for seed in range(60):
        responses, condition, _ = correlated(n_conditions, n_repeats, 40, seed=0)
        rng = stream(seed, "repeated")
        truth_root = np.linalg.cholesky(correlated(2, 2, 40, seed=0)[2])
        responses = rng.normal(size=(condition.size, 40)) @ truth_root.T
        truth = truth_root @ truth_root.T
        noise = noise_covariance(responses, condition)
        found.append(float(noise.shrinkage))
        sample = noise_covariance(responses, condition, "diag").covariance
        whole, degrees = residuals(responses, condition)
        whole = whole.T @ whole / degrees
        scale = np.sqrt(np.diagonal(truth))
        for place, share in enumerate(grid):
            mixed = (1 - share) * whole + share * sample
            errors[place] += np.square((mixed - truth) / np.outer(scale, scale)).sum()
    best = grid[errors.argmin()]
    assert np.mean(found) == pytest.approx(best, abs=0.06)


@pytest.mark.parametrize("kind", NOISE_KINDS)
def test_noise_takes_batches_and_is_positive_definite(kind):
    responses, condition, _ = correlated(10, 3, 5)
    other = responses[:, ::-1] * 2
    both = noise_covariance(np.stack([responses, other]), condition, kind)
    for place, one in enumerate((responses, other)):
        alone = noise_covariance(one, condition, kind)
        np.testing.assert_allclose(both.covariance[place], alone.covariance, atol=1e-12)
        assert both.shrinkage[place] == pytest.approx(float(alone.shrinkage), abs=1e-12)
        assert (np.linalg.eigvalsh(alone.covariance) > 0).all()


def test_shrunk_noise_is_positive_definite_with_more_units_than_trials():
    responses, condition, _ = correlated(4, 2, 30)
    for kind in ("shrink_diag", "shrink_eye"):
        covariance = noise_covariance(responses, condition, kind).covariance
        assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_whitened_patterns_have_the_inner_products_of_the_inverse_covariance():
    patterns = stream(3, "patterns").normal(size=(2, 3, 4, 5))
    root = stream(4, "noise").normal(size=(2, 5, 7))
    noise = root @ np.swapaxes(root, 1, 2)
    found = whitened(patterns, noise)
    for batch in range(2):
        for fold in range(3):
            one = patterns[batch, fold]
            expected = one @ np.linalg.inv(noise[batch]) @ one.T
            product = found[batch, fold] @ found[batch, fold].T
            np.testing.assert_allclose(product, expected, atol=1e-10)


def test_noise_that_cannot_be_estimated_is_refused():
    responses, condition, _ = correlated(4, 2, 5)
    for arguments, text in (
        ((responses, np.arange(8)), "no condition has two trials"),
        ((responses * [1, 1, 0, 1, 1], condition), "same response in all trials"),
        ((responses * 0 + 0.1, condition), "same response in all trials"),
        ((np.where(responses > 5, np.nan, responses), condition), "missing values"),
        ((responses, condition, "full"), "4 degrees of freedom cannot give"),
    ):
        with pytest.raises(ValueError, match=text):
            noise_covariance(*arguments)
    with pytest.raises(ValueError, match="'full' has no legacy form"):
        noise_covariance(responses, condition, "full", legacy=True)
    with pytest.raises(ValueError, match="not positive definite"):
        whitened(responses, np.ones((5, 5)))
