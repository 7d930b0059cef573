"""Moves along directions in which the counts' probability does not change.

Shifting a trajectory, adding its factors to the common log rate, or stretching a factor leaves
all log means as they are when baselines and loadings make up for it; only priors decide. Dynamics
are integrated out and must be drawn anew afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import DynamicsPrior, path_evidence
from pipeline.methods.biclustering.sampler.loadings import LoadingPrior
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

STEPS = np.array([0.03, 0.1, 0.3])
"""Sizes of steps, one of them drawn for each proposal."""


@compiled
def loading_log_prior(beta: Array, units: Index, prior: LoadingPrior) -> float:
    """Log prior of some units' baselines and loadings without its constants."""
    total = 0.0
    for m in range(units.size):
        for j in range(beta.shape[1]):
            away = beta[units[m], j] - prior.mean[units[m], j]
            total -= 0.5 * prior.precision[j] * away * away
    return total


@compiled
def invariance_moves(
    x: Array,
    state: Index,
    linked: Flags,
    n_states: int,
    prior: DynamicsPrior,
    loading: LoadingPrior,
    cluster: Index,
    n_clusters: int,
    full: bool,
    beta: Array,
    rng: np.random.Generator,
) -> Index:
    """One move of each kind for each cluster, in place; accepted and proposed by kind, (3, 2)."""
    done = np.zeros((3, 2), np.int64)
    q = beta.shape[1]
    for c in range(n_clusters):
        g = 0 if full else c
        place = c * q if full else 0
        units = np.flatnonzero(cluster == c)
        now = path_evidence(x[g], state, linked, n_states, prior)
        now += loading_log_prior(beta, units, loading)
        for kind in range(3):
            if kind > 0 and q == 1:
                continue
            there, with_it = x[g].copy(), beta.copy()
            step = STEPS[rng.integers(0, STEPS.size)]
            ratio = 0.0
            if kind == 0:
                for j in range(q):
                    by = step * rng.standard_normal()
                    for t in range(there.shape[0]):
                        there[t, place + j] -= by
                    for m in range(units.size):
                        factor = beta[units[m], j] if j > 0 else 1.0
                        with_it[units[m], 0] += by * factor
            elif kind == 1:
                for j in range(1, q):
                    by = step * rng.standard_normal()
                    for t in range(there.shape[0]):
                        there[t, place] += by * there[t, place + j]
                    for m in range(units.size):
                        with_it[units[m], j] -= by
            else:
                j = int(rng.integers(1, q))
                by = step * rng.standard_normal()
                for t in range(there.shape[0]):
                    there[t, place + j] *= np.exp(by)
                for m in range(units.size):
                    with_it[units[m], j] *= np.exp(-by)
                ratio = by * (there.shape[0] - units.size)
            then = path_evidence(there, state, linked, n_states, prior)
            then += loading_log_prior(with_it, units, loading)
            done[kind, 1] += 1
            if np.log(rng.random()) < then - now + ratio:
                done[kind, 0] += 1
                now = then
                x[g] = there
                beta[:] = with_it
    return done
