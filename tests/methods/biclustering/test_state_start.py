"""First guesses of states are compared by what counts and trajectories say of them alone."""

from __future__ import annotations

import copy

import numpy as np

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.chain import first_position
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.state_start import SHORT_BY, score, short_by


def test_a_score_does_not_hang_on_drawn_weights_and_concentrations():
    rng = np.random.default_rng(0)
    wave = np.exp(1 + np.sin(np.arange(60) / 5))
    counts = rng.poisson(wave[:, None] * np.ones(4))
    problem = Problem.of(CountData.of(counts), Priors(n_factors=1, n_states=4))
    now = first_position(problem, rng, "one")
    now.state[30:] = 1
    other = copy.deepcopy(now)
    # Weights near zero, as they are drawn for states that are not used, have an unbounded density.
    other.weight = np.array([0.5, 0.5 - 1.001e-9, 1e-9, 1e-12])
    other.concentration = np.array([2.0, 0.4, 60.0])
    scores = [score(problem, one, np.random.default_rng(1)) for one in (now, other)]
    assert scores[0] == scores[1]


def test_a_state_is_credited_with_what_its_bins_can_tell():
    bins = np.array([0, 2, 10, 100, 1_000_000])
    credit = short_by(bins, 4.0)
    assert credit[0] == 0
    assert np.all(np.diff(credit) > 0)
    assert credit[1] < SHORT_BY / 4
    assert credit[3] > 0.9 * SHORT_BY
    np.testing.assert_allclose(credit[-1], SHORT_BY, atol=1e-4)
