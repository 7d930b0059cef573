"""A first guess of the states: several cuts of the recording, tried for some sweeps each.

This chooses where the states of a chain begin and does not define what is sampled. Bins are cut
into classes by what trajectories do around them; each cut is scored by the evidence of the counts
with trajectories, dynamics and transitions integrated out (one importance weight a sweep), which
charges for every state that is used. One state for all bins is among the cuts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.methods.biclustering.sampler.joint import concentration_means, log_joint
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.states import show_first
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
    """One state for all bins, then classes by amplitude, by level, and by both."""
    yield np.zeros(problem.n_bins, np.int64)
    most = min(MOST_CLASSES, problem.priors.n_states, problem.n_bins // 4)
    level, amplitude = described(problem, now)
    for features in (amplitude, level, np.hstack([amplitude, level])):
        for number in range(2, most + 1):
            yield classes(features, number, problem.data.linked, rng)


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
