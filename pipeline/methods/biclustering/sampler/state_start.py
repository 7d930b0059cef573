"""A first guess of the states: several cuts of the recording, tried for some sweeps each.

This chooses where the states of a chain begin and does not define what is sampled. Bins are cut
into classes by the dynamics that mean trajectories follow: a switching linear regression of each
bin on the one before (a switching vector autoregression; Fox, Sudderth, Jordan and Willsky, 2011,
IEEE Transactions on Signal Processing 59, 1569-1585), from several first cuts. The best are scored
by the evidence of the counts with trajectories, dynamics and transitions integrated out (one
importance weight a sweep), which charges for every state that is used. One state for all bins is
among the cuts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.methods.biclustering.matching import counterparts
from pipeline.methods.biclustering.sampler.dynamics import draw_dynamics, path_evidence
from pipeline.methods.biclustering.sampler.joint import concentration_means, log_joint
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.states import (
    draw_states,
    emissions,
    show_first,
    state_log_prior,
)
from pipeline.methods.biclustering.sampler.sweep import (
    Plan,
    Tally,
    move_dispersions,
    move_dynamics,
    move_rows,
    move_trajectories,
    move_units,
    sweep,
)
from pipeline.methods.biclustering.sampler.trajectories import (
    members_of,
    weigh_window,
    window_density,
)

SMOOTH_BINS = 6.0
"""Over which trajectories are described."""

MOST_CLASSES = 5

DRAWS = 8
"""Of trajectories, whose mean is cut."""

RANDOM, STRETCH_BINS = 8, 25
"""Random first cuts into each number of classes, and the length of their stretches."""

STEPS, STAY = 40, 0.98
"""Of a climb, and the probability that a state lasts for another bin in it."""

KEPT, ALIKE = 3, 0.9
"""Most cuts into a number of classes that are tried, and the share of bins from which on two cuts
count as the same."""

HELD = 5
"""Sweeps in which states keep the guess, so that trajectories adapt to it."""

TRIED = 16
"""Sweeps of every cut in which states move too; the last half are scored."""

LEFT = 3
"""Most cuts, the best of as many numbers of classes, that go on after these sweeps."""

GOES_ON = 24
"""Sweeps of each cut that is left, since a rough cut takes long to become a good one."""

WINDOWS = 25
"""Joint moves of each of these sweeps."""

SHORT_BY = 0.5
"""Nats per parameter of the dynamics by which a mean log weight falls short of the evidence.

Trajectories are drawn given dynamics, so that the weight lacks what the two tell of each other:
half the log of the ratio of a parameter's variances, given counts alone and given trajectories;
0.25 to 0.65 in simulated recordings with states of many bins.
"""


def start_states(problem: Problem, now: Position, rng: np.random.Generator) -> Position:
    """Where the chain stands after the best of some cuts has been tried."""
    best: dict[int, tuple[float, Position]] = {}
    for state in cuts(problem, now, rng):
        trial = copy.deepcopy(now)
        trial.state = state
        for _ in range(HELD):
            held_sweep(problem, trial, rng)
        value, number = tried(problem, trial, TRIED, rng), np.unique(state).size
        if number not in best or value > best[number][0]:
            best[number] = (value, trial)
    left = sorted(best.values(), key=lambda one: one[0], reverse=True)[:LEFT]
    results = [(tried(problem, trial, GOES_ON, rng), trial) for _, trial in left]
    return max(results, key=lambda one: one[0])[1]


def tried(problem: Problem, trial: Position, number: int, rng: np.random.Generator) -> float:
    """Mean score over the last half of some sweeps, which change the trial in place."""
    scores = []
    for _ in range(number):
        sweep(problem, trial, Plan(n_windows=WINDOWS), rng, Tally())
        scores.append(score(problem, trial, rng))
    return float(np.mean(scores[number // 2 :]))


def held_sweep(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """A sweep in which the states stay, in place."""
    move_rows(problem, now, rng)
    move_dynamics(problem, now, rng)
    move_trajectories(problem, now, Plan(), rng, Tally())
    move_units(problem, now, Plan(n_births=0), rng, Tally())
    move_dispersions(problem, now, rng)
    move_dynamics(problem, now, rng)


def score(problem: Problem, now: Position, rng: np.random.Generator) -> float:
    """Log importance weight of freshly drawn trajectories, dynamics and rows integrated out.

    States are scored under equal weights and mean concentrations: the density of drawn weights has
    no bound where a weight is near zero, and would drown the differences between cuts.
    """
    trial = copy.copy(now)
    trial.x = now.x.copy()
    trial.weight = np.full(now.weight.size, 1 / now.weight.size)
    trial.concentration = concentration_means(problem)
    crew = now.crew(problem)
    whole = np.array([0, problem.n_bins - 1])
    log_proposal = 0.0
    for g in range(trial.x.shape[0]):
        of_system = (problem.data, members_of(crew, g), trial.x[g], now.dynamics, g, now.state)
        weight = weigh_window(*of_system, whole, rng, True)
        log_proposal += window_density(*of_system, whole) - weight
    d = now.x.shape[2]
    parameters = d * (d + 1) + d * (d + 1) // 2
    bins = np.bincount(now.state[problem.data.linked])
    short = parameters * now.x.shape[0] * short_by(bins, problem.priors.noise_extra_degrees + d)
    return float(log_joint(problem, trial) - log_proposal + short.sum())


def short_by(bins: NDArray[np.int64], prior_bins: float) -> NDArray[np.float64]:
    """Nats per parameter by which the weight falls short for states of so many transitions.

    The prior, worth ``prior_bins`` transitions, adds to what counts tell of a parameter as to what
    trajectories do, and their ratio is that of ``SHORT_BY`` in long states and 1 in empty ones.
    """
    by_counts = bins * np.exp(-2 * SHORT_BY)
    return np.asarray(np.log((prior_bins + bins) / (prior_bins + by_counts)) / 2)


def cuts(problem: Problem, now: Position, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """States of bins, (bin,): one for all, then unlike ones for each number of classes.

    Climbs begin at classes by amplitude, by level and by both, and at stretches of random classes.
    Where bins are few, one state may be the most probable for trajectories that were drawn under
    it: if all climbs end there, classes are tried as they were cut.
    """
    yield np.zeros(problem.n_bins, np.int64)
    most = min(MOST_CLASSES, problem.priors.n_states, problem.n_bins // 4)
    level, amplitude = described(problem, now)
    x = mean_trajectories(problem, now, rng)
    for number in range(2, most + 1):
        firsts = [
            classes(features, number, problem.data.linked, rng)
            for features in (amplitude, level, np.hstack([amplitude, level]))
        ]
        drawn = [stretches(problem.n_bins, number, rng) for _ in range(RANDOM)]
        climbs = [climb(problem, x, first, number, rng) for first in (*firsts, *drawn)]
        ranked = [state for _, state in sorted(climbs, key=lambda one: one[0], reverse=True)]
        several = [state for state in ranked if np.unique(state).size > 1]
        yield from unlike(several or firsts)[:KEPT]


def mean_trajectories(
    problem: Problem, now: Position, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Mean of some draws, all else fixed, (system, bin, latent).

    One draw holds noise of the one state it was drawn under, by which all bins look alike.
    """
    trial = copy.deepcopy(now)
    total = np.zeros_like(trial.x)
    for _ in range(DRAWS):
        move_trajectories(problem, trial, Plan(), rng, Tally())
        total += trial.x
    return total / DRAWS


def climb(
    problem: Problem,
    x: NDArray[np.float64],
    state: NDArray[np.int64],
    number: int,
    rng: np.random.Generator,
) -> tuple[float, NDArray[np.int64]]:
    """The most probable states on a way from given ones, and their log density with trajectories.

    States (bin,) and dynamics are drawn in turn given trajectories ``x`` (system, bin, latent). In
    the first half emissions are tempered, so that a first cut can be left.
    """
    linked = problem.data.linked
    leave = (1 - STAY) / (number - 1)
    log_row = np.log(np.full((number, number), leave) + (STAY - leave) * np.eye(number))
    alpha, _, kappa = concentration_means(problem)
    weight = np.full(problem.priors.n_states, 1 / problem.priors.n_states)
    best = (-np.inf, state)
    for step in range(1, STEPS + 1):
        dynamics = draw_dynamics(x, state, linked, number, problem.dynamics, rng)
        power = min(1.0, 2 * step / STEPS)
        state = draw_states(power * emissions(x, dynamics, linked), log_row, linked, rng)
        value = state_log_prior(state, linked, weight, alpha, kappa)
        for path in x:
            value += path_evidence(path, state, linked, number, problem.dynamics)
        if value > best[0]:
            best = (value, state)
    return best


def stretches(n_bins: int, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Stretches of equal length in random classes, (bin,)."""
    label = rng.integers(0, number, n_bins // STRETCH_BINS + 1)
    return np.repeat(label, STRETCH_BINS)[:n_bins]


def unlike(states: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Those that are not alike one before, in their order."""
    kept: list[NDArray[np.int64]] = []
    for state in states:
        if all(overlap(state, one) < ALIKE for one in kept):
            kept.append(state)
    return kept


def overlap(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Share of bins in the other cut's counterpart of their class."""
    return float(np.mean(counterparts(one, other)[one] == other))


def described(problem: Problem, now: Position) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Local level and distance from rest of all latents, both (bin, latent of all clusters)."""
    x = now.by_cluster(problem)
    away = x - np.median(x, axis=1, keepdims=True)
    away = away / (away.std(axis=1, keepdims=True) + 1e-9)
    level = gaussian_filter1d(away, SMOOTH_BINS / 2, axis=1)
    amplitude = np.sqrt(gaussian_filter1d(away**2, SMOOTH_BINS, axis=1))

    def flat(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ascontiguousarray(value.transpose(1, 0, 2).reshape(problem.n_bins, -1))

    return flat(level), flat(amplitude)


def classes(
    features: NDArray[np.float64],
    number: int,
    linked: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Classes of bins by k-means."""
    from sklearn.cluster import KMeans

    seed = int(rng.integers(0, 2**31))
    label = KMeans(number, n_init=5, random_state=seed).fit_predict(features)
    state = np.asarray(label, np.int64)
    show_first(state, linked)
    return state
