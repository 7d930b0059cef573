"""Reliability and ceilings against formulas by hand and planted signal and noise."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.celltypes.encoding.scores import correlation, repeat_scores


def shown_again(n_frames, n_times, rng, *, signal=1.0, noise=1.0, n_units=3):
    """A signal with noise, so many times in a row: (frame, unit), classes, and the signal."""
    mean = signal * rng.standard_normal((n_frames, n_units))
    answers = mean + noise * rng.standard_normal((n_times, n_frames, n_units))
    again = np.tile(np.arange(n_frames), n_times)
    return answers.reshape(-1, n_units), again, np.tile(mean, (n_times, 1))


def test_correlation_is_that_of_numpy_where_all_or_some_is_known():
    rng = stream(0, "correlation")
    x, y = rng.standard_normal((2, 50, 4))
    known = rng.random((50, 4)) > 0.3
    found = correlation(x, np.where(known, y, np.nan), known)
    for unit in range(4):
        rows = known[:, unit]
        assert found[unit] == pytest.approx(np.corrcoef(x[rows, unit], y[rows, unit])[0, 1])


def test_a_constant_or_a_short_series_has_no_correlation():
    x = stream(0, "short").standard_normal((40, 3))
    y = np.stack([np.full(40, 0.1), x[:, 1], x[:, 2]], axis=1)
    known = np.ones((40, 3), dtype=bool)
    known[9:, 2] = False
    assert np.isnan(correlation(x, y, known)).tolist() == [True, False, True]
    assert np.isnan(correlation(y, x, known)).tolist() == [True, False, True]


def test_leave_one_out_is_the_mean_of_correlations_by_hand():
    answers, again, _ = shown_again(30, 4, stream(1, "oracle"))
    found = repeat_scores(answers, np.ones(answers.shape, bool), again, answers)
    trials = answers.reshape(4, 30, 3)
    for unit in range(3):
        by_hand = [
            np.corrcoef(trials[k, :, unit], np.delete(trials, k, 0).mean(0)[:, unit])[0, 1]
            for k in range(4)
        ]
        assert found.reliability[unit] == pytest.approx(np.mean(by_hand))


def test_signal_power_is_that_of_sahani_and_linden():
    answers, again, guess = shown_again(40, 5, stream(2, "power"))
    found = repeat_scores(answers, np.ones(answers.shape, bool), again, guess)
    trials = answers.reshape(5, 40, 3)
    n = 5
    of_sum, of_each = trials.sum(0).var(0, ddof=1), trials.var(1, ddof=1).sum(0)
    signal = (of_sum - of_each) / (n * (n - 1))
    # Theirs takes the noise from the variances of single showings, ours from the spread within
    # frames; both are without bias, and equal but for the noise's own sampling.
    share = signal / (of_each / n)
    np.testing.assert_allclose(found.signal_share, share, rtol=0.05)


def test_planted_shares_and_ceilings_are_found():
    answers, again, guess = shown_again(5000, 6, stream(3, "planted"), signal=1.0, noise=2.0)
    found = repeat_scores(answers, np.ones(answers.shape, bool), again, guess)
    np.testing.assert_allclose(found.signal_share, 0.2, atol=0.02)
    np.testing.assert_allclose(found.single_ceiling, np.sqrt(0.2), atol=0.02)
    np.testing.assert_allclose(found.mean_ceiling, np.sqrt(1 / (1 + 4 / 6)), atol=0.02)
    np.testing.assert_allclose(found.normalised_correlation, 1.0, atol=0.02)
    half = guess + stream(3, "wrong").standard_normal(guess.shape)[again]
    worse = repeat_scores(answers, np.ones(answers.shape, bool), again, half)
    np.testing.assert_allclose(worse.normalised_correlation, np.sqrt(0.5), atol=0.03)


def test_showings_of_unequal_number_and_missing_entries_change_nothing_in_expectation():
    rng = stream(4, "unequal")
    answers, again, guess = shown_again(4000, 5, rng, noise=1.0)
    known = rng.random(answers.shape) > 0.3
    found = repeat_scores(np.where(known, answers, 1e6), known, again, guess)
    np.testing.assert_allclose(found.signal_share, 0.5, atol=0.03)
    np.testing.assert_allclose(found.normalised_correlation, 1.0, atol=0.02)


def test_noise_alone_has_no_ceiling():
    answers, again, guess = shown_again(60, 4, stream(6, "noise"), signal=0.0, n_units=40)
    found = repeat_scores(answers, np.ones(answers.shape, bool), again, guess)
    negative = found.signal_share <= 0
    assert 8 < negative.sum() < 32
    assert np.isnan(found.single_ceiling[negative]).all()
    assert np.isnan(found.mean_ceiling[negative]).all()
    assert np.abs(found.reliability.mean()) < 0.05


def test_without_showings_nothing_is_told():
    answers = stream(7, "once").standard_normal((50, 2))
    found = repeat_scores(answers, np.ones(answers.shape, bool), np.full(50, -1), answers)
    for name in ("reliability", "signal_share", "single_ceiling", "mean_correlation"):
        assert np.isnan(getattr(found, name)).all()
