"""Hidden counts and their scores against formulas, SciPy and small cases worked by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.methods.biclustering.holdout import (
    Predicted,
    baselines,
    best_size,
    cumulative,
    hidden_entries,
    log_probability,
    predicted,
)
from pipeline.methods.biclustering.problem import log_psth, priors_of, problem_of, psth_groups
from pipeline.methods.biclustering.scores import MODEL, pit_density, score_table
from pipeline.methods.biclustering.simulate import simulate
from tests.support.small_biclusters import config_of, drawn


@pytest.fixture(scope="module")
def planted():
    return simulate(stream(0, "holdout"), size="tiny")


def with_trials(view, *, length_s=2.0, pause_s=1.0, n_conditions=3):
    start = np.arange(0, view.time_s[-1] - length_s, length_s + pause_s)
    trials = pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + length_s,
            "condition": pd.Series(
                [f"c{index % n_conditions}" for index in range(start.size)], dtype="str"
            ),
        }
    )
    return dataclasses.replace(view, trials=trials)


def test_probabilities_are_scipys():
    counts, log_mean = np.arange(12.0)[:, None], np.log([0.1, 2.0, 30.0])
    for size in (0.3, 5.0, 1e3):
        r = np.asarray(size)
        expected = stats.nbinom(size, size / (size + np.exp(log_mean)))
        np.testing.assert_allclose(
            log_probability(counts, log_mean, r), expected.logpmf(counts), rtol=1e-8
        )
        np.testing.assert_allclose(cumulative(counts, log_mean, r), expected.cdf(counts), rtol=1e-8)
    poisson = stats.poisson(np.exp(log_mean))
    r = np.asarray(np.inf)
    np.testing.assert_allclose(log_probability(counts, log_mean, r), poisson.logpmf(counts))
    np.testing.assert_allclose(cumulative(counts, log_mean, r), poisson.cdf(counts))
    assert cumulative(np.array([-1.0]), log_mean[:1], r) == 0


def test_speckles_hide_the_share_of_every_unit(planted):
    view, _ = planted
    observed = view.observed.copy()
    observed[:120, 0] = False
    view = dataclasses.replace(view, observed=observed, counts=view.counts * observed)
    hidden = hidden_entries(view, config_of(held_out_share=0.25), "speckled")
    np.testing.assert_array_equal(hidden.sum(axis=0), [30, *[60] * 17])
    assert not hidden[~observed].any()
    again = hidden_entries(view, config_of(held_out_share=0.25), "speckled")
    np.testing.assert_array_equal(hidden, again)


def test_blocks_hide_whole_stretches_of_some_units_within_segments(planted):
    view, _ = planted
    segment = np.repeat([0, 1], [105, 135]).astype(np.int32)
    view = dataclasses.replace(view, segment=segment)
    hidden = hidden_entries(view, config_of(block_s=5.0), "blocked")
    for unit in range(18):
        for part in (hidden[:105, unit], hidden[105:, unit]):
            whole = part[: part.size // 10 * 10].reshape(-1, 10)
            assert set(whole.sum(axis=1)) <= {0, 10}
    # Other units are hidden at other times, so that no bin is without any.
    assert hidden.any(axis=1).sum() > 120
    assert not hidden.all(axis=1).any()


def test_a_fit_does_not_see_what_is_hidden_and_the_prediction_is_the_mean_over_draws(planted):
    view, truth = planted
    hidden = hidden_entries(view, config_of(), "speckled")
    problem = problem_of(view, config_of(), hidden=hidden)
    assert not problem.data.observed[hidden].any()
    draws = drawn(truth, problem.used, stream(1, "draws"), n_kept=3, wrong=0.2)
    found = predicted(draws, problem.data, hidden)
    rates = [np.exp(draws.log_rate(kept)) for kept in range(3)]
    probability = np.mean(
        [
            stats.nbinom(10.0, 10.0 / (10.0 + rate[hidden])).pmf(view.counts[hidden])
            for rate in rates
        ],
        axis=0,
    )
    np.testing.assert_allclose(found.log_probability, np.log(probability), rtol=1e-5)
    np.testing.assert_allclose(
        np.exp(found.log_probability), found.up_to - found.below, rtol=1e-4, atol=1e-9
    )


def test_the_truth_predicts_better_than_smoothing_and_that_better_than_the_mean(planted):
    view, truth = planted
    view = with_trials(view)
    config = config_of()
    hidden = hidden_entries(view, config, "blocked")
    problem = problem_of(view, config, hidden=hidden)
    simple = baselines(view, problem.data, problem.used, hidden)
    draws = drawn(truth, problem.used, stream(1, "truth"))
    own = predicted(draws, problem.data, hidden).log_probability
    assert own.sum() > simple["smoothed rate"].sum() + 50
    assert own.sum() > simple["PSTH"].sum() + 50
    speckled = hidden_entries(view, config, "speckled")
    problem = problem_of(view, config, hidden=speckled)
    simple = baselines(view, problem.data, problem.used, speckled)
    assert simple["smoothed rate"].sum() > simple["mean rate, free spread"].sum() + 50
    assert simple["mean rate, free spread"].sum() > simple["mean rate"].sum()


def test_a_count_takes_no_part_in_its_own_psth(planted):
    view = with_trials(planted[0])
    seen = np.ones(view.counts.shape, dtype=bool)
    before = log_psth(view, seen)
    group, trial = psth_groups(view)
    at = int(np.flatnonzero(group > 0)[0])
    counts = view.counts.copy()
    counts[at, 0] += 500
    after = log_psth(dataclasses.replace(view, counts=counts), seen)
    level = np.log(counts[:, 0].mean() / view.counts[:, 0].mean())
    # Its own bin moves with the unit's mean alone, the same bin of other trials by far more.
    assert after[at, 0] == pytest.approx(before[at, 0] - level, abs=0.2)
    others = np.flatnonzero((group == group[at]) & (trial != trial[at]))
    assert np.all(after[others, 0] + level > before[others, 0] + 1)


def test_psth_is_the_mean_over_other_trials(planted):
    view = with_trials(planted[0], n_conditions=2)
    seen = np.ones(view.counts.shape, dtype=bool)
    found = log_psth(view, seen)
    # Trials of 4 bins with pauses of 2: the second bin of the third trial, which has condition 0.
    at, others = 6 * 2 + 1, [6 * k + 1 for k in range(0, len(view.trials), 2) if k != 2]
    mean = view.counts.mean(axis=0)
    expected = (view.counts[others].sum(axis=0) + mean) / (len(others) + 1) / mean
    np.testing.assert_allclose(found[at], np.log(expected), rtol=1e-10)


def test_the_best_size_is_near_the_one_that_made_the_counts():
    rng = stream(2, "size")
    mean = np.full((4000, 3), 5.0)
    sizes = np.array([0.5, 4.0])
    counts = rng.poisson(mean)
    counts[:, :2] = rng.poisson(mean[:, :2] * rng.gamma(sizes, 1 / sizes, (4000, 2)))
    found = best_size(counts.astype(float), np.log(mean), np.ones(counts.shape, dtype=bool))
    np.testing.assert_allclose(found[:2], sizes, rtol=0.2)
    assert found[2] > 50


def test_scores_are_bits_a_spike_and_gains_differences():
    entry_bin = np.arange(200, dtype=np.int32)
    reference = np.full(200, -1.0)
    table = score_table(
        "speckled",
        {MODEL: np.full(200, -1.0 + np.log(2)), "other": np.full(200, -1.0)},
        reference=reference,
        entry_bin=entry_bin,
        n_bins=200,
        n_spikes=100,
    ).set_index("prediction")
    # A bit for each of 200 counts is two for each of 100 spikes; all blocks alike have no error.
    assert table.loc[MODEL, "bits"] == pytest.approx(2)
    assert table.loc["other", "less_than_model"] == pytest.approx(2)
    assert table.loc["other", "difference_error"] == pytest.approx(0, abs=1e-12)
    noisy = np.where(entry_bin < 100, -2.0, 0.0)
    table = score_table(
        "x", {MODEL: noisy}, reference=reference, entry_bin=entry_bin, n_bins=200, n_spikes=100
    )
    blocks = np.repeat([-10.0, 10.0], 10) / (100 * np.log(2))
    assert table["error"][0] == pytest.approx(np.sqrt(20) * blocks.std(ddof=1))


def test_the_transform_of_counts_from_the_prediction_is_flat_and_of_wider_ones_is_not():
    rng = stream(3, "pit")
    counts, log_mean = rng.poisson(3.0, 40_000).astype(float), np.log(3.0)

    def transform(counts):
        size = np.asarray(np.inf)
        n = counts.size
        return pit_density(
            Predicted(
                entry_bin=np.zeros(n, np.int32),
                entry_unit=np.zeros(n, np.int32),
                log_probability=np.zeros(n),
                below=cumulative(counts - 1, log_mean, size),
                up_to=cumulative(counts, log_mean, size),
            )
        )

    flat = transform(counts)
    assert flat.sum() == pytest.approx(20)
    assert np.abs(flat - 1).max() < 0.06
    wide = transform(rng.poisson(3.0 * rng.gamma(1.0, 1.0, 40_000)).astype(float))
    assert min(wide[0], wide[-1]) > 1.5


def test_units_with_few_spikes_take_no_part(planted):
    view, _ = planted
    counts = view.counts.copy()
    counts[:, 3] = 0
    counts[7, 3] = 9
    counts[:, 4] = 0
    view = dataclasses.replace(view, counts=counts)
    problem = problem_of(view, config_of(min_spikes=10))
    np.testing.assert_array_equal(np.flatnonzero(~problem.used), [3, 4])
    assert problem_of(view, config_of(min_spikes=9)).used[3]
    with pytest.raises(NotApplicable, match="has 4320 counts"):
        problem_of(planted[0], config_of(max_counts=4319))
    with pytest.raises(NotApplicable, match="None of the 18 units"):
        problem_of(view, config_of(min_spikes=1_000_000))


def test_exposure_enters_as_the_share_of_a_bin(planted):
    view, _ = planted
    exposure = view.exposure_s.copy()
    exposure[0, 0] = 0.25
    problem = problem_of(dataclasses.replace(view, exposure_s=exposure), config_of())
    assert problem.data.log_exposure[0, 0] == pytest.approx(np.log(0.5))
    assert problem.data.log_exposure[1, 0] == 0


def test_the_expected_visit_is_converted_by_the_width_of_bins():
    config = config_of()
    assert priors_of(config, bin_s=0.5).stickiness == 100
    assert priors_of(config, bin_s=0.25).stickiness == 200
