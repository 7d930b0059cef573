"""Draws of trajectories, clusters and loadings of negative-binomial counts without rejection.

A count ``y`` of size ``r`` and log mean ``eta`` has, with ``psi = eta - log r``, a probability in
proportion to ``exp(y psi) / (1 + exp(psi)) ** (y + r)``. Given a Pólya-Gamma variable ``omega`` of
shape ``y + r`` and tilt ``psi`` that is the Gaussian ``exp(kappa psi - omega psi ** 2 / 2)`` with
``kappa = (y - r) / 2`` (Polson, Scott & Windle 2013, Journal of the American Statistical
Association 108, theorem 1). So trajectories and loadings have exact Gaussian conditionals. New
variables are drawn for each of the two moves and forgotten after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import Dynamics
from pipeline.methods.biclustering.sampler.gaussian import (
    backward,
    cholesky,
    factor,
    forward,
    solve_root,
    solve_transposed,
)
from pipeline.methods.biclustering.sampler.likelihood import Counts
from pipeline.methods.biclustering.sampler.loadings import LoadingPrior, draw_loadings
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.prior import log_mean
from pipeline.methods.biclustering.sampler.trajectories import Members, members_of, window_prior
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def draw_precisions(problem: Problem, now: Position, rng: np.random.Generator) -> Array:
    """Pólya-Gamma variables of all counts, 0 where there is none; shape (unit, bin)."""
    from polyagamma import random_polyagamma

    counts = problem.data.counts
    tilt = log_mean(problem, now) - np.log(now.size)[:, None]
    shape = np.maximum(counts, 0.0) + now.size[:, None]
    return np.where(counts >= 0, random_polyagamma(shape, tilt, random_state=rng), 0.0)


def redraw_trajectories(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """New trajectories of all systems, in place."""
    omega = draw_precisions(problem, now, rng)
    crew = now.crew(problem)
    for g in range(now.x.shape[0]):
        draw_given(
            problem.data, members_of(crew, g), omega, now.x[g], now.dynamics, g, now.state, rng
        )


def redraw_units(problem: Problem, now: Position, rng: np.random.Generator) -> None:
    """New clusters, baselines and loadings of all units, in place."""
    omega = draw_precisions(problem, now, rng)
    labels_given(
        problem.data,
        omega,
        now.size,
        now.by_cluster(problem),
        problem.loading,
        problem.priors.cluster_weight,
        now.cluster,
        now.beta,
        rng,
    )


@compiled
def draw_given(
    data: Counts,
    members: Members,
    omega: Array,
    x: Array,
    dynamics: Dynamics,
    g: int,
    state: Index,
    rng: np.random.Generator,
) -> None:
    """Draws a system's whole trajectory (bin, latent) given precisions of counts, in place."""
    n, d = x.shape
    diagonal, below, linear = window_prior(x, dynamics, g, state, data.linked, np.array([0, n - 1]))
    q = members.beta.shape[1]
    f = np.ones(q)
    for m in range(members.unit.size):
        unit, place, size = members.unit[m], members.place[m], members.size[m]
        for j in range(1, q):
            f[j] = members.beta[m, j]
        for t in range(n):
            if data.counts[unit, t] < 0:
                continue
            own = omega[unit, t]
            known = data.exposure[unit, t] + members.beta[m, 0] - np.log(size)
            pull = 0.5 * (data.counts[unit, t] - size) - own * known
            for i in range(q):
                linear[t, place + i] += pull * f[i]
                for j in range(q):
                    diagonal[t, place + i, place + j] += own * f[i] * f[j]
    root, link, _ = factor(diagonal, below)
    right = solve_root(root, link, linear)
    for t in range(n):
        for i in range(d):
            right[t, i] += rng.standard_normal()
    x[:] = solve_transposed(root, link, right)


@compiled
def loadings_given(
    data: Counts,
    unit: int,
    omega: Array,
    size: float,
    x: Array,
    prior_mean: Array,
    prior_precision: Array,
    mode: Array,
    root: Array,
) -> float:
    """Fills in mean and root of a unit's loadings on a trajectory; the log evidence.

    Terms that do not depend on the trajectory are left out.
    """
    q = mode.size
    log_size = np.log(size)
    root[:] = 0.0
    f = np.ones(q)
    total = 0.0
    for i in range(q):
        mode[i] = prior_precision[i] * prior_mean[i]
        root[i, i] = prior_precision[i]
    for t in range(x.shape[0]):
        if data.counts[unit, t] < 0:
            continue
        own = omega[unit, t]
        kappa = 0.5 * (data.counts[unit, t] - size)
        known = data.exposure[unit, t] + x[t, 0] - log_size
        total += kappa * known - 0.5 * own * known * known
        for i in range(1, q):
            f[i] = x[t, i]
        for i in range(q):
            mode[i] += (kappa - own * known) * f[i]
            for j in range(i + 1):
                root[i, j] += own * f[i] * f[j]
    total -= cholesky(root)
    forward(root, mode)
    for i in range(q):
        total += 0.5 * mode[i] * mode[i]
    backward(root, mode)
    return total


@compiled
def labels_given(
    data: Counts,
    omega: Array,
    size: Array,
    x: Array,
    prior: LoadingPrior,
    cluster_weight: float,
    cluster: Index,
    beta: Array,
    rng: np.random.Generator,
) -> None:
    """Draws clusters, with loadings integrated out, and then loadings of all units, in place.

    Units that are alone in their cluster keep it. ``x`` is (cluster, bin, latent).
    """
    k, q, n_units = x.shape[0], x.shape[2], cluster.size
    number = np.zeros(k)
    for i in range(n_units):
        number[cluster[i]] += 1
    mode, root = np.empty((k, q)), np.empty((k, q, q))
    weight = np.empty(k)
    for i in range(n_units):
        old = cluster[i]
        alone = number[old] == 1
        top = -np.inf
        for c in range(k):
            if alone and c != old:
                weight[c] = -np.inf
                continue
            weight[c] = loadings_given(
                data, i, omega, size[i], x[c], prior.mean[i], prior.precision, mode[c], root[c]
            )
            weight[c] += np.log(number[c] - (1 if c == old else 0) + cluster_weight)
            top = max(top, weight[c])
        for c in range(k):
            weight[c] = np.exp(weight[c] - top)
        level = rng.random() * weight.sum()
        new = 0
        while new < k - 1 and level >= weight[new]:
            level -= weight[new]
            new += 1
        if weight[new] == 0.0:  # rounding at the upper end
            new = old
        number[old] -= 1
        number[new] += 1
        cluster[i] = new
        beta[i] = draw_loadings(mode[new], root[new], rng)
