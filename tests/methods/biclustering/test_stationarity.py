"""Every move leaves the posterior as it is: unknowns and counts drawn together stay so.

Unknowns come from the prior and counts from the unknowns, so that together they are a draw from
the joint distribution; a move that is right changes no mean of anything (Geweke 2004; here many
independent draws are moved a few times each, and differences are compared pairwise).
"""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler import sweep as moves
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_counts, draw_position, log_mean

N_UNITS, N_BINS = 5, 14

PRIORS = Priors(
    n_factors=1,
    baseline="zero",
    baseline_sd=0.7,
    loading_sd=0.7,
    dispersion_shape=3.0,
    noise_scale=2.0,
    noise_extra_degrees=20.0,
    dynamics_precision=30.0,
    cluster_decay=0.5,
    n_states=3,
    state_concentration=2.0,
    weight_concentration=3.0,
    stickiness=4.0,
)
PLAN = moves.Plan(n_windows=3, n_births=2)


def make_problem(**changes):
    rng = np.random.default_rng(0)
    data = CountData(
        counts=np.zeros((N_BINS, N_UNITS), np.int32),
        observed=rng.random((N_BINS, N_UNITS)) > 0.1,
        segment=(np.arange(N_BINS) >= 9).astype(np.int32),
        log_exposure=np.full((N_BINS, N_UNITS), 0.5),
    )
    return Problem.of(data, dataclasses.replace(PRIORS, **changes))


def fill_counts(problem, now, rng):
    poisson = problem.data.poisson
    counts = draw_counts(log_mean(problem, now), now.size, poisson=poisson, rng=rng)
    seen = problem.data.counts >= 0
    problem.data.counts[seen] = counts[seen]
    problem.known.clear()


def statistics(problem, now):
    """Numbers that do not depend on the names of clusters and states."""
    eta = log_mean(problem, now)
    own = now.by_cluster(problem)[now.cluster]
    seen = problem.data.counts >= 0
    linked = problem.data.linked
    s = now.state
    governs = now.dynamics.half[:, s[linked]] if now.dynamics.half.size else np.zeros(1)
    per_state = np.bincount(s[linked], minlength=3)
    sizes = np.bincount(now.cluster)
    fit = np.where(seen, problem.data.counts - np.exp(np.minimum(eta, 5)), 0.0)
    turn = np.diagonal(now.dynamics.a, axis1=2, axis2=3)[:, s[linked]]
    return np.array(
        [
            sizes.size,
            (sizes**2).sum(),
            float(now.cluster[0] == now.cluster[1]),
            np.minimum(eta, 5).mean(),
            np.minimum(np.abs(eta), 5).mean(),
            now.beta[:, 0].mean(),
            (now.beta[:, 0] ** 2).mean(),
            (now.beta[:, 1:] ** 2).sum(),
            np.log(now.size).mean(),
            np.minimum(np.abs(own[..., 0]), 5).mean(),
            np.minimum(np.abs(np.diff(own[..., 0], axis=1)), 5).mean(),
            np.minimum(np.abs(own[:, 0, -1]), 5).mean(),
            np.tanh(fit).mean(),
            (per_state > 0).sum(),
            (per_state**2).sum(),
            float((np.diff(s[:9]) != 0).sum()),
            governs.mean(),
            turn.mean(),
            (turn**2).mean(),
            np.log(now.concentration[0]),
            np.log(now.concentration[1]),
            np.log(now.concentration[2]),
            (now.weight**2).sum(),
            np.exp(now.log_row.diagonal()).mean(),
        ]
    )


def z_scores(problem, kernel, *, draws, seed=0):
    """Of the mean change of each statistic when a kernel is applied to draws from the joint."""
    rng = np.random.default_rng(seed)
    change = []
    for _ in range(draws):
        now = draw_position(problem, rng)
        fill_counts(problem, now, rng)
        before = statistics(problem, now)
        kernel(problem, now, rng)
        change.append(statistics(problem, now) - before)
    change = np.array(change)
    spread = change.std(axis=0) / np.sqrt(draws)
    return np.where(spread > 0, change.mean(axis=0) / np.where(spread > 0, spread, 1), 0.0)


def sweep(problem, now, rng):
    for _ in range(3):
        moves.sweep(problem, now, PLAN, rng, moves.Tally())


def states(problem, now, rng):
    moves.move_states(problem, now, dataclasses.replace(PLAN, n_windows=0), rng, moves.Tally())


def windows(problem, now, rng):
    moves.move_states(problem, now, dataclasses.replace(PLAN, n_windows=20), rng, moves.Tally())


def rows(problem, now, rng):
    for _ in range(3):
        moves.move_rows(problem, now, rng)


def trajectories(problem, now, rng):
    moves.move_trajectories(problem, now, PLAN, rng, moves.Tally())


def pieces(problem, now, rng):
    plan = dataclasses.replace(PLAN, piece=6)
    moves.move_trajectories(problem, now, plan, rng, moves.Tally())


def units(problem, now, rng):
    plan = dataclasses.replace(PLAN, n_births=10)
    moves.move_units(problem, now, plan, rng, moves.Tally())
    moves.move_dynamics(problem, now, rng)


def dispersions(problem, now, rng):
    moves.move_dispersions(problem, now, rng)


def invariances(problem, now, rng):
    moves.move_along_invariances(problem, now, rng, moves.Tally())
    moves.move_dynamics(problem, now, rng)


def splits(problem, now, rng):
    for _ in range(2):
        moves.split_or_merge(problem, now, 6, rng)
    moves.move_dynamics(problem, now, rng)


KERNELS = (
    states, windows, rows, trajectories, pieces, units, dispersions, invariances, splits, sweep
)  # fmt: skip
FAMILIES = [{"family": "poisson"}, {"coupling": "full"}, {"n_factors": 2}, {"n_factors": 0}]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_move_leaves_draws_from_the_joint_distribution_so(kernel):
    assert np.abs(z_scores(make_problem(), kernel, draws=150)).max() < 4.2


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_move_changes_no_mean_by_little_either(kernel):
    assert np.abs(z_scores(make_problem(), kernel, draws=2500, seed=1)).max() < 4.2


@pytest.mark.slow
@pytest.mark.parametrize("changes", FAMILIES)
def test_sweeps_of_other_models_change_no_mean(changes):
    assert np.abs(z_scores(make_problem(**changes), sweep, draws=1500)).max() < 4.2


@pytest.mark.slow
def test_counts_and_unknowns_updated_in_turn_follow_the_prior():
    rng = np.random.default_rng(1)
    problem = make_problem()
    now = draw_position(problem, rng)
    chain = []
    for _ in range(3000):
        fill_counts(problem, now, rng)
        moves.sweep(problem, now, PLAN, rng, moves.Tally())
        chain.append(statistics(problem, now))
    prior = np.array([statistics(problem, drawn(problem, rng)) for _ in range(3000)])
    batches = np.array(chain).reshape(50, 60, -1).mean(axis=1)
    spread = np.hypot(batches.std(axis=0) / np.sqrt(50), prior.std(axis=0) / np.sqrt(3000))
    z = (batches.mean(axis=0) - prior.mean(axis=0)) / spread
    assert np.abs(z).max() < 4.2


def drawn(problem, rng):
    now = draw_position(problem, rng)
    fill_counts(problem, now, rng)
    return copy.copy(now)
