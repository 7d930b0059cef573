"""Births and deaths of clusters of one unit, with trajectories drawn from the prior.

Neal's (2000) algorithm 8 with one auxiliary cluster: beside the clusters that exist, a unit is
offered one whose dynamics and trajectory are drawn from the prior; a unit that is alone is offered
its own. Exact where clusters are independent given the states (``block``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import draw_path, draw_system, empty_dynamics
from pipeline.methods.biclustering.sampler.loadings import draw_loadings, laplace, loading_weight
from pipeline.methods.biclustering.sampler.position import Position, Problem

Array = NDArray[np.float64]


def offer_cluster(problem: Problem, now: Position, unit: int, rng: np.random.Generator) -> bool:
    """Offers one unit a cluster of its own, or death of the one it has; whether that happened."""
    data, weight = problem.data, problem.priors.cluster_weight
    old = int(now.cluster[unit])
    sizes = np.bincount(now.cluster).astype(np.float64)
    alone = sizes[old] == 1
    sizes[old] -= 1
    x = now.x
    own = old
    if not alone:
        x = np.concatenate([x, _prior_path(problem, now, rng)])
        own = x.shape[0] - 1
        sizes = np.append(sizes, 0.0)
    others = int((sizes > 0).sum())
    found = laplace(data, now.size, x, problem.loading, np.array([unit]))
    log_weight = np.log(sizes + weight) + found.evidence[0]
    born = problem.log_v[others + 1] - problem.log_v[others] if others else 0.0
    log_weight[own] = np.log(weight) + born + found.evidence[0, own]
    log_weight[np.isnan(log_weight)] = -np.inf  # a trajectory from the prior that explodes
    level = np.exp(log_weight - log_weight.max()).cumsum()
    new = int(np.searchsorted(level, rng.random() * level[-1], side="right"))
    fresh = draw_loadings(found.mode[0, new], found.root[0, new], rng)
    ratio = found.evidence[0, old] - found.evidence[0, new]
    for cluster, beta, sign in ((new, fresh, 1), (old, now.beta[unit], -1)):
        ratio += sign * loading_weight(
            data,
            unit,
            now.size[unit],
            x[cluster],
            beta,
            problem.loading.mean[unit],
            problem.loading.precision,
            1.0,
            found.mode[0, cluster],
            found.root[0, cluster],
        )
    if not np.log(rng.random()) < ratio:
        return False
    now.beta[unit] = fresh
    now.cluster[unit] = new
    if new == old or (alone and new == own):
        return False
    if new == own:
        now.x = x
        return True
    if alone:
        now.drop_empty(problem)
        return True
    return False


def _prior_path(problem: Problem, now: Position, rng: np.random.Generator) -> Array:
    """Dynamics and a trajectory of a new cluster from the prior, (1, bin, latent)."""
    q = problem.priors.n_latents
    linked = problem.data.linked
    nothing = np.zeros(linked.size, dtype=bool)
    out = empty_dynamics(1, now.weight.size, q)
    at_zero = np.zeros((linked.size, q))
    draw_system(at_zero, now.state, nothing, problem.dynamics, rng, False, out, 0)
    return draw_path(out, 0, now.state, linked, rng)[None]
