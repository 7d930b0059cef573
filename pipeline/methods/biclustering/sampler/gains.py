"""Gains of units on covariates: series that are known, such as running, followed by each unit.

They are drawn together with baseline and loadings from a normal around the mode, and accepted by
the exact ratio. What all units of a cluster follow alike may as well be a part of its trajectory:
a second move passes some of a covariate on from gains to the trajectory or back, which changes no
log mean, so that priors decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import path_evidence
from pipeline.methods.biclustering.sampler.invariance import STEPS
from pipeline.methods.biclustering.sampler.likelihood import Counts
from pipeline.methods.biclustering.sampler.loadings import (
    draw_loadings,
    laplace_of_unit,
    loading_weight,
)
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

START_SIZE = 5.0
"""Dispersion at which first gains are found."""


def first_gains(problem: Problem) -> Array:
    """Gains most likely without any trajectory, (unit, covariate); exposures have them from now on.

    The search for clusters and states would else begin with those that follow a covariate.
    """
    n_covariates = problem.covariates.shape[1]
    gain = np.zeros((problem.n_units, n_covariates))
    if not n_covariates:
        return gain
    x = np.column_stack([np.zeros(problem.n_bins), problem.covariates])
    data = problem.data._replace(exposure=problem.exposure)
    mode, root = np.empty(n_covariates + 1), np.empty((n_covariates + 1,) * 2)
    precision = precisions(problem, 1)
    for unit in range(problem.n_units):
        mean = np.zeros(n_covariates + 1)
        mean[0] = problem.loading.mean[unit, 0]
        laplace_of_unit(data, unit, START_SIZE, x, mean, precision, 1.0, mode, root)
        gain[unit] = mode[1:]
    problem.data.exposure[:] = problem.exposure + gain @ problem.covariates.T
    problem.known.clear()
    return gain


def precisions(problem: Problem, q: int) -> Array:
    """Prior precisions of the first ``q`` of baseline and loadings, then of gains."""
    n_covariates = problem.covariates.shape[1]
    own = np.full(n_covariates, problem.priors.gain_sd**-2)
    return np.concatenate([problem.loading.precision[:q], own])


def draw_gains(problem: Problem, now: Position, rng: np.random.Generator) -> tuple[int, int]:
    """New baselines, loadings and gains of all units, in place; accepted and proposed."""
    q = problem.priors.n_latents
    accepted = gain_moves(
        problem.data._replace(exposure=problem.exposure),
        now.size,
        now.by_cluster(problem),
        problem.covariates,
        problem.loading.mean,
        precisions(problem, q),
        now.cluster,
        now.beta,
        now.gain,
        rng,
    )
    now.follow(problem)
    return accepted, problem.n_units


@compiled
def gain_moves(
    data: Counts,
    size: Array,
    x: Array,
    covariates: Array,
    mean: Array,
    precision: Array,
    cluster: Index,
    beta: Array,
    gain: Array,
    rng: np.random.Generator,
) -> int:
    """As :func:`draw_gains`, on exposures without what units follow; how many were accepted."""
    n_units, q = beta.shape
    number = gain.shape[1]
    both = np.empty((x.shape[1], q + number))
    both[:, q:] = covariates
    prior_mean = np.zeros(q + number)
    before = np.empty(q + number)
    mode, root = np.empty(q + number), np.empty((q + number, q + number))
    accepted = 0
    for unit in range(n_units):
        both[:, :q] = x[cluster[unit]]
        prior_mean[:q] = mean[unit]
        before[:q] = beta[unit]
        before[q:] = gain[unit]
        laplace_of_unit(data, unit, size[unit], both, prior_mean, precision, 1.0, mode, root)
        fresh = draw_loadings(mode, root, rng)
        ratio = loading_weight(
            data, unit, size[unit], both, fresh, prior_mean, precision, 1.0, mode, root
        )
        ratio -= loading_weight(
            data, unit, size[unit], both, before, prior_mean, precision, 1.0, mode, root
        )
        if np.log(rng.random()) < ratio:
            accepted += 1
            beta[unit] = fresh[:q]
            gain[unit] = fresh[q:]
    return accepted


def share_covariates(problem: Problem, now: Position, rng: np.random.Generator) -> tuple[int, int]:
    """Passes some of each covariate on between each cluster's trajectory and its units' gains.

    Accepted and proposed. Dynamics are integrated out and must be drawn anew afterwards.
    """
    q, spread = problem.priors.n_latents, problem.priors.gain_sd
    n_covariates = problem.covariates.shape[1]
    linked, n_states = problem.data.linked, now.weight.size
    done = 0
    for k in range(now.n_clusters(problem)):
        g, place = (0, k * q) if problem.full else (k, 0)
        units = np.flatnonzero(now.cluster == k)
        factors = np.column_stack([np.ones(units.size), now.beta[units, 1:]])
        evidence = path_evidence(now.x[g], now.state, linked, n_states, problem.dynamics)
        for c in range(n_covariates):
            by = STEPS[rng.integers(0, STEPS.size)] * rng.standard_normal(q)
            there = now.x[g].copy()
            there[:, place : place + q] += np.outer(problem.covariates[:, c], by)
            then = path_evidence(there, now.state, linked, n_states, problem.dynamics)
            old = now.gain[units, c]
            new = old - factors @ by
            ratio = then - evidence + 0.5 * float((old**2 - new**2).sum()) / spread**2
            if np.log(rng.random()) < ratio:
                now.x[g] = there
                now.gain[units, c] = new
                evidence = then
                done += 1
    now.follow(problem)
    return done, now.n_clusters(problem) * n_covariates
