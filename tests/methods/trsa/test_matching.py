"""Units that answer alike are found, those that do not are not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa import matching
from pipeline.methods.trsa.matching import (
    held_out_correlation,
    match_units,
    one_to_one,
    soft_shares,
    tuning_correlation,
)


def halves(tuning, rng, noise=0.3):
    return tuple(tuning + noise * rng.normal(size=tuning.shape) for _ in range(2))


def orders(count, n_draws, rng):
    return np.stack([rng.permutation(count) for _ in range(n_draws)])


def test_correlations_equal_numpys():
    rng = stream(0, "units")
    first, second = rng.normal(size=(12, 3)), rng.normal(size=(12, 4))
    expected = np.corrcoef(first.T, second.T)[:3, 3:]
    np.testing.assert_allclose(tuning_correlation(first, second), expected, atol=1e-14)


def test_a_soft_match_of_equal_numbers_is_one_to_one_and_else_shares():
    correlation = stream(1, "units").random((4, 4))
    rows, columns = one_to_one(correlation)
    expected = correlation[rows, columns].mean()
    assert (soft_shares(correlation) * correlation).sum() == pytest.approx(expected)
    twin = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    shares = soft_shares(twin)
    np.testing.assert_allclose(shares, twin / 4, atol=1e-9)
    np.testing.assert_allclose(soft_shares(correlation[:3]).sum(axis=0), 1 / 4, atol=1e-9)
    np.testing.assert_allclose(soft_shares(correlation[:3]).sum(axis=1), 1 / 3, atol=1e-9)


def test_shuffled_copies_of_units_are_found_again():
    rng = stream(2, "units")
    tuning = rng.normal(size=(30, 10))
    order = rng.permutation(10)
    found = match_units(halves(tuning, rng), halves(tuning[:, order], rng), orders(30, 39, rng))
    assert found.correlation > 0.85
    assert found.reproducible == 1
    assert found.mutual == 1
    assert found.p == found.soft_p == pytest.approx(1 / 40)
    assert found.correlation > found.chance
    assert found.soft_correlation > found.soft_chance


def test_unrelated_units_are_matched_by_chance_only():
    rng = stream(3, "units")
    p = [
        match_units(
            halves(rng.normal(size=(20, 6)), rng),
            halves(rng.normal(size=(20, 6)), rng),
            orders(20, 19, rng),
        ).p
        for _ in range(20)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.2
    assert 0.3 < np.mean(p) < 0.75


def test_units_without_tuning_are_refused():
    rng = stream(4, "units")
    first = rng.normal(size=(12, 3))
    with pytest.raises(ValueError, match="answers to all conditions alike"):
        tuning_correlation(first, np.ones((12, 2)))
    with pytest.raises(ValueError, match="12 conditions against 11"):
        tuning_correlation(first, first[:11])


def test_many_units_of_unequal_numbers_are_shared_out_too():
    """Softened shares have the right sums and are nearly as good as exact ones."""
    rng = stream(5, "units")
    tuning = rng.normal(size=(30, 45))
    first, second = halves(tuning[:, :40], rng), halves(tuning, rng)
    correlation = tuning_correlation(first[0], second[0])
    assert correlation.size > matching.EXACT_UP_TO
    soft, exact = matching.softened_shares(correlation), matching._exact_shares(correlation)
    np.testing.assert_allclose(soft.sum(axis=0), 1 / 45, rtol=0.01)
    np.testing.assert_allclose(soft.sum(axis=1), 1 / 40, rtol=0.01)
    assert (soft * correlation).sum() == pytest.approx((exact * correlation).sum(), abs=0.01)
    found = match_units(first, second, orders(30, 19, rng))
    assert found.soft_p == pytest.approx(1 / 20)
    assert found.soft_correlation > found.soft_chance + 0.3
    assert found.soft_correlation == matching.shared_correlation(first, second)


def test_hundreds_of_units_are_shared_out_by_an_even_choice(monkeypatch):
    rng = stream(6, "units")
    tuning = rng.normal(size=(20, 12))
    first, second = halves(tuning[:, :9], rng), halves(tuning, rng)
    every = shuffled = orders(20, 9, rng)
    whole = match_units(first, second, every)
    monkeypatch.setattr(matching, "MOST_SHARED", 6)
    few = match_units(first, second, shuffled)
    assert few.correlation == whole.correlation
    chosen = [
        tuple(half[:, matching._even_choice(half.shape[1])] for half in side)
        for side in (first, second)
    ]
    assert [side[0].shape[1] for side in chosen] == [6, 6]
    assert few.soft_correlation == held_out_correlation(*chosen)
    assert np.isfinite(few.soft_p)
    assert matching._even_choice(12).tolist() == [0, 2, 4, 6, 8, 10]


def test_shares_are_found_where_units_hardly_correlate_with_one():
    """Kernels vanish where all correlations of a unit are far below others'."""
    correlation = stream(7, "far").uniform(0.9, 1, size=(5, 8))
    correlation[:, 3] = -1.0
    correlation[2] = -1.0
    shares = matching.softened_shares(correlation)
    np.testing.assert_allclose(shares.sum(axis=0), 1 / 8, rtol=0.01)
    np.testing.assert_allclose(shares.sum(axis=1), 1 / 5, rtol=0.01)
