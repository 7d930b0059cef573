"""First guesses of states are compared by what counts and trajectories say of them alone."""

from __future__ import annotations

import copy

import numpy as np

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.chain import first_position
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_position, log_mean
from pipeline.methods.biclustering.sampler.state_start import (
    SHORT_BY,
    cuts,
    overlap,
    score,
    short_by,
)
from pipeline.methods.biclustering.sampler.sweep import move_dynamics, move_rows


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


def test_states_that_differ_in_their_dynamics_alone_are_among_the_cuts():
    rng = np.random.default_rng(0)
    planted = np.arange(400) // 50 % 2
    turn = 0.35 * (2 * planted - 1)
    x = np.zeros((1, 400, 2))
    for t in range(1, 400):
        c, s = 0.97 * np.cos(turn[t]), 0.97 * np.sin(turn[t])
        x[0, t] = [[c, -s], [s, c]] @ x[0, t - 1] + 0.15 * rng.standard_normal(2)
    priors = Priors(family="poisson", n_factors=1, n_states=4)
    empty = CountData.of(np.ones((400, 40), np.int64))
    now = draw_position(Problem.of(empty, priors), rng)
    now.cluster = np.zeros(40, np.int64)
    now.beta = np.column_stack([np.ones(40), rng.standard_normal(40)])
    now.x, now.state = x, np.zeros(400, np.int64)
    mean = np.exp(log_mean(Problem.of(empty, priors), now))
    problem = Problem.of(CountData.of(rng.poisson(mean).T), priors)
    move_dynamics(problem, now, rng)
    move_rows(problem, now, rng)
    # Which way trajectories turn shows neither in their level nor in their amplitude.
    found = [overlap(state, planted) for state in cuts(problem, now, rng)]
    assert max(found) > 0.9
