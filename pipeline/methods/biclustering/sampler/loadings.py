"""Baselines, loadings and clusters of units, given trajectories.

For each unit and cluster the loadings are integrated out by Laplace's method; a cluster and
loadings are proposed from that approximation and taken by the ratio of the exact density to it,
so that the approximation only decides how often a proposal is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.gaussian import backward, cholesky, forward
from pipeline.methods.biclustering.sampler.likelihood import (
    CLIP,
    Counts,
    kernel,
    slopes,
    unit_log_likelihood,
)
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

CLOSE = 1e-3
"""Largest change of a loading in the last Newton step; ratios are exact whatever it is."""

MOST_STEPS = 25


class LoadingPrior(NamedTuple):
    """Independent normal priors of baseline and loadings."""

    mean: Array
    """(unit, latent): the baseline's mean, then zeros."""
    precision: Array
    """(latent,)."""


class Laplace(NamedTuple):
    """Loadings integrated out, for each unit and cluster."""

    evidence: Array
    """Log density of a unit's counts, without terms that no move changes; (unit, cluster)."""
    mode: Array
    """(unit, cluster, latent)."""
    root: Array
    """Lower root of the precision at the mode, (unit, cluster, latent, latent)."""


@compiled
def laplace_of_unit(
    data: Counts,
    unit: int,
    size: float,
    x: Array,
    prior_mean: Array,
    prior_precision: Array,
    power: float,
    mode: Array,
    root: Array,
) -> float:
    """Fills in mode and root for one unit on one trajectory (bin, latent); the log evidence.

    The counts' probability is raised to ``power``; it is 1 but on the way between partitions.
    The steps begin at the same place always, so that all of it depends on counts, size and
    trajectory alone.
    """
    q = mode.size
    log_size = np.log(size)
    total, mean = 0.5, 0.5
    for t in range(x.shape[0]):
        if data.counts[unit, t] >= 0:
            total += data.counts[unit, t]
            mean += np.exp(min(data.exposure[unit, t] + x[t, 0], CLIP))
    mode[:] = 0.0
    mode[0] = np.log(total / mean)
    before = mode.copy()
    step = np.zeros(q)
    gradient = np.empty(q)
    f = np.ones(q)
    best, value, half = -np.inf, 0.0, 0.0
    scale = 1.0
    settled = False
    for _ in range(MOST_STEPS):
        root[:] = 0.0
        value = 0.0
        for i in range(q):
            away = mode[i] - prior_mean[i]
            gradient[i] = -prior_precision[i] * away
            root[i, i] = prior_precision[i]
            value -= 0.5 * prior_precision[i] * away * away
        for t in range(x.shape[0]):
            count = data.counts[unit, t]
            if count < 0:
                continue
            eta = data.exposure[unit, t] + mode[0] + x[t, 0]
            for j in range(1, q):
                f[j] = x[t, j]
                eta += mode[j] * f[j]
            value += power * kernel(count, eta, size, log_size, data.poisson)
            slope, curve = slopes(count, eta, size, data.poisson)
            slope *= power
            curve *= power
            for i in range(q):
                gradient[i] += slope * f[i]
                for j in range(i + 1):
                    root[i, j] += curve * f[i] * f[j]
        if not value >= best - 1e-9 * (1 + abs(best)) and scale > 1e-4:
            scale *= 0.5
            for i in range(q):
                mode[i] = before[i] + scale * step[i]
            continue
        half = cholesky(root)
        if settled:
            break
        best = value
        for i in range(q):
            before[i] = mode[i]
            step[i] = gradient[i]
        forward(root, step)
        backward(root, step)
        scale = 1.0
        change = 0.0
        for i in range(q):
            mode[i] += step[i]
            change = max(change, abs(step[i]))
        settled = change < CLOSE
    for i in range(q):
        half -= 0.5 * np.log(prior_precision[i])
    return value - half


@compiled
def laplace(data: Counts, size: Array, x: Array, prior: LoadingPrior, units: Index) -> Laplace:
    """Some units on all trajectories (cluster, bin, latent)."""
    k, q = x.shape[0], x.shape[2]
    out = Laplace(
        np.empty((units.size, k)), np.empty((units.size, k, q)), np.empty((units.size, k, q, q))
    )
    for m in range(units.size):
        unit = units[m]
        for c in range(k):
            out.evidence[m, c] = laplace_of_unit(
                data,
                unit,
                size[unit],
                x[c],
                prior.mean[unit],
                prior.precision,
                1.0,
                out.mode[m, c],
                out.root[m, c],
            )
    return out


@compiled
def draw_loadings(mode: Array, root: Array, rng: np.random.Generator) -> Array:
    """A draw from the normal with that mode and root of the precision."""
    out = np.empty(mode.size)
    for i in range(out.size):
        out[i] = rng.standard_normal()
    backward(root, out)
    return out + mode


@compiled
def loading_weight(
    data: Counts,
    unit: int,
    size: float,
    x: Array,
    beta: Array,
    prior_mean: Array,
    prior_precision: Array,
    power: float,
    mode: Array,
    root: Array,
) -> float:
    """Log of exact density over normal approximation of loadings on a trajectory."""
    q = beta.size
    total = power * unit_log_likelihood(data, unit, size, beta, x, 0, 0, x.shape[0] - 1)
    for i in range(q):
        away = beta[i] - prior_mean[i]
        total += 0.5 * np.log(prior_precision[i]) - 0.5 * prior_precision[i] * away * away
        value = 0.0
        for j in range(i, q):
            value += root[j, i] * (beta[j] - mode[j])
        total += 0.5 * value * value - np.log(root[i, i])
    return total


@compiled
def label_moves(
    data: Counts,
    size: Array,
    x: Array,
    prior: LoadingPrior,
    cluster_weight: float,
    cluster: Index,
    beta: Array,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """New clusters and loadings of all units, in place; accepted and proposed.

    Units that are alone in their cluster keep it, and no cluster is born: this is the part of the
    update in which the clusters that exist are given. ``x`` is (cluster, bin, latent).
    """
    k, n_units = x.shape[0], cluster.size
    found = laplace(data, size, x, prior, np.arange(n_units))
    number = np.zeros(k)
    for i in range(n_units):
        number[cluster[i]] += 1
    weight = np.empty(k)
    accepted = 0
    for i in range(n_units):
        old = cluster[i]
        new = old
        if number[old] > 1:
            top = -np.inf
            for c in range(k):
                others = number[c] - (1 if c == old else 0)
                weight[c] = np.log(others + cluster_weight) + found.evidence[i, c]
                top = max(top, weight[c])
            for c in range(k):
                weight[c] = np.exp(weight[c] - top)
            level = rng.random() * weight.sum()
            new = 0
            while new < k - 1 and level >= weight[new]:
                level -= weight[new]
                new += 1
        fresh = draw_loadings(found.mode[i, new], found.root[i, new], rng)
        ratio = -found.evidence[i, new] + found.evidence[i, old]
        ratio += loading_weight(
            data,
            i,
            size[i],
            x[new],
            fresh,
            prior.mean[i],
            prior.precision,
            1.0,
            found.mode[i, new],
            found.root[i, new],
        )
        ratio -= loading_weight(
            data,
            i,
            size[i],
            x[old],
            beta[i],
            prior.mean[i],
            prior.precision,
            1.0,
            found.mode[i, old],
            found.root[i, old],
        )
        if np.log(rng.random()) < ratio:
            accepted += 1
            number[old] -= 1
            number[new] += 1
            cluster[i] = new
            beta[i] = fresh
    return accepted, n_units
