"""Log joint density of counts and unknowns, whole and with dynamics and rows integrated out."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, multigammaln

from pipeline.methods.biclustering.sampler.dynamics import path_evidence, path_log_density
from pipeline.methods.biclustering.sampler.likelihood import constant, unit_log_likelihood
from pipeline.methods.biclustering.sampler.partition_prior import log_partition_prior
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.states import state_log_prior, transition_counts

Array = NDArray[np.float64]


def log_likelihood(problem: Problem, now: Position) -> float:
    """Log probability of the observed counts given all unknowns."""
    x = now.by_cluster(problem)
    last = problem.n_bins - 1
    total = 0.0
    for unit in range(problem.n_units):
        own = x[now.cluster[unit]]
        size = now.size[unit]
        total += unit_log_likelihood(problem.data, unit, size, now.beta[unit], own, 0, 0, last)
        total += constant(problem.data.counts[unit], size, problem.data.poisson)
    return total


def log_joint(problem: Problem, now: Position, likelihood: float | None = None) -> float:
    """Log joint density with dynamics and rows of the transition matrix integrated out.

    Clusters count as a partition, so that their order does not matter.
    """
    total = log_likelihood(problem, now) if likelihood is None else likelihood
    total += _log_unit_priors(problem, now)
    alpha, _, kappa = now.concentration
    total += state_log_prior(now.state, problem.data.linked, now.weight, alpha, kappa)
    for g in range(now.x.shape[0]):
        total += path_evidence(
            now.x[g], now.state, problem.data.linked, now.weight.size, problem.dynamics
        )
    return float(total + _log_state_hyperpriors(problem, now))


def log_joint_of_all(problem: Problem, now: Position) -> float:
    """Log joint density of everything, dynamics (as ``A``, ``b``, ``Q``) and rows included."""
    total = log_likelihood(problem, now) + _log_unit_priors(problem, now)
    total += _log_state_hyperpriors(problem, now)
    n_states = now.weight.size
    count, starts = transition_counts(now.state, problem.data.linked, n_states)
    total += float((count * now.log_row).sum()) - starts * np.log(n_states)
    alpha, _, kappa = now.concentration
    for s in range(n_states):
        total += _log_dirichlet(
            now.log_row[s], alpha * now.weight + kappa * (np.arange(n_states) == s)
        )
    last = problem.n_bins - 1
    for g in range(now.x.shape[0]):
        total += path_log_density(
            now.x[g], now.dynamics, g, now.state, problem.data.linked, 0, last
        )
        for s in range(n_states):
            total += _log_dynamics_prior(problem, now, g, s)
    return float(total)


def _log_unit_priors(problem: Problem, now: Position) -> float:
    """Partition, baselines, loadings and dispersions."""
    priors = problem.priors
    sizes = np.bincount(now.cluster)
    total = log_partition_prior(sizes, problem.log_v, priors.cluster_weight)
    precision = problem.loading.precision
    away = now.beta - problem.loading.mean
    total += float((0.5 * np.log(precision / (2 * np.pi)) - 0.5 * precision * away**2).sum())
    gain = now.gain / priors.gain_sd
    total -= float(0.5 * (gain**2).sum())
    total -= gain.size * float(np.log(priors.gain_sd) + 0.5 * np.log(2 * np.pi))
    if priors.family == "negative_binomial":
        shape, rate = priors.dispersion_shape, priors.dispersion_rate
        total += float(((shape - 1) * np.log(now.size) - rate * now.size).sum())
        total += now.size.size * (shape * np.log(rate) - lgamma(shape))
    return total


def _log_state_hyperpriors(problem: Problem, now: Position) -> float:
    """Common weights of states and concentrations."""
    priors = problem.priors
    n_states = now.weight.size
    total = _log_dirichlet(np.log(now.weight), np.full(n_states, now.concentration[1] / n_states))
    shape = priors.concentration_shape
    if shape is not None:
        rate = shape / concentration_means(problem)
        total += float(
            (
                shape * np.log(rate)
                - gammaln(shape)
                + (shape - 1) * np.log(now.concentration)
                - rate * now.concentration
            ).sum()
        )
    return total


def concentration_means(problem: Problem) -> Array:
    """Prior means of ``alpha``, ``gamma`` and ``kappa``."""
    priors = problem.priors
    return np.array([priors.state_concentration, priors.weight_concentration, priors.stickiness])


def _log_dirichlet(log_value: Array, parameter: Array) -> float:
    """Log density of a Dirichlet variable from its logs."""
    return float(
        gammaln(parameter.sum()) - gammaln(parameter).sum() + ((parameter - 1) * log_value).sum()
    )


def _log_dynamics_prior(problem: Problem, now: Position, g: int, s: int) -> float:
    """Log density of ``A``, ``b`` and ``Q`` of one system and state."""
    prior = problem.dynamics
    w, half = now.dynamics.w[g, s], now.dynamics.half[g, s]
    d = w.shape[0]
    degrees = d + prior.extra
    total = 0.5 * degrees * d * np.log(prior.scale / 2) - multigammaln(degrees / 2, d)
    total += (degrees + d + 1) * half - 0.5 * prior.scale * np.trace(w)
    away = np.column_stack([now.dynamics.a[g, s] - np.eye(d), now.dynamics.b[g, s]])
    total += 0.5 * d * (d + 1) * np.log(prior.precision / (2 * np.pi)) + (d + 1) * half
    return float(total - 0.5 * prior.precision * np.sum(w * (away @ away.T)))
