"""Draws from the prior, and counts given all unknowns: the model as it is written down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import draw_dynamics, draw_path
from pipeline.methods.biclustering.sampler.joint import concentration_means
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.states import (
    draw_rows,
    draw_states,
    draw_weights,
)

Array = NDArray[np.float64]


def draw_position(problem: Problem, rng: np.random.Generator) -> Position:
    """All unknowns from the prior."""
    priors = problem.priors
    n_units, n_bins, n_states = problem.n_units, problem.n_bins, priors.n_states
    number = rng.geometric(priors.cluster_decay)
    share = rng.dirichlet(np.full(number, priors.cluster_weight))
    cluster = np.unique(rng.choice(number, n_units, p=share), return_inverse=True)[1]
    k = int(cluster.max()) + 1
    concentration = concentration_means(problem)
    if priors.concentration_shape is not None:
        concentration = concentration * rng.gamma(priors.concentration_shape, size=3)
        concentration = concentration / priors.concentration_shape
    weight = draw_weights(np.zeros(n_states), concentration[1], rng)
    nothing = np.zeros((n_states, n_states))
    log_row = draw_rows(nothing, weight, concentration[0], concentration[2], rng)
    flat = np.zeros((n_bins, n_states))
    linked = problem.data.linked
    state = draw_states(flat, log_row, linked, rng)
    systems = 1 if problem.full else k
    d = priors.n_latents * (k if problem.full else 1)
    empty = np.zeros((systems, n_bins, d))
    unlinked = np.zeros(n_bins, dtype=bool)
    dynamics = draw_dynamics(empty, state, unlinked, n_states, problem.dynamics, rng)
    beta = problem.loading.mean + rng.standard_normal(problem.loading.mean.shape) / np.sqrt(
        problem.loading.precision
    )
    size = rng.gamma(priors.dispersion_shape, 1 / priors.dispersion_rate, n_units)
    gain = priors.gain_sd * rng.standard_normal((n_units, problem.covariates.shape[1]))
    now = Position(
        cluster=cluster.astype(np.int64),
        beta=beta,
        size=np.ones(n_units) if problem.data.poisson else size,
        x=np.stack([draw_path(dynamics, g, state, linked, rng) for g in range(systems)]),
        state=state,
        dynamics=dynamics,
        log_row=log_row,
        weight=weight,
        concentration=concentration,
        gain=gain,
    )
    now.follow(problem)
    return now


def log_mean(problem: Problem, now: Position) -> Array:
    """Log mean counts given all unknowns, (unit, bin)."""
    own = now.by_cluster(problem)[now.cluster]
    out = problem.data.exposure + now.beta[:, :1] + own[..., 0]
    return np.asarray(out + np.einsum("itp,ip->it", own[..., 1:], now.beta[:, 1:]))


def draw_counts(
    log_mean: Array, size: Array, *, poisson: bool, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Counts of given log means and dispersions, (unit, bin)."""
    mean = np.exp(log_mean)
    if not poisson:
        mean = mean * rng.gamma(size[:, None], 1 / size[:, None], mean.shape)
    return np.asarray(rng.poisson(mean))
