"""Units that answer alike are found, those that do not are not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
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


def test_units_are_shared_out_only_where_asked():
    rng = stream(5, "units")
    one, other = halves(rng.normal(size=(9, 3)), rng), halves(rng.normal(size=(9, 4)), rng)
    shuffled = orders(9, 4, rng)
    hard = match_units(one, other, shuffled, soft=False)
    whole = match_units(one, other, shuffled)
    assert np.isnan([hard.soft_correlation, hard.soft_chance, hard.soft_p]).all()
    assert np.isfinite(whole.soft_correlation)
    assert (hard.correlation, hard.p) == (whole.correlation, whole.p)
    assert held_out_correlation(one, other) == hard.correlation
