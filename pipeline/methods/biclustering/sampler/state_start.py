"""A first guess of the states, from how far trajectories are from rest.

It chooses where the states of a chain begin and does not define what is sampled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.methods.biclustering.sampler.position import Position, Problem

SMOOTH_BINS = 6.0


def start_states(problem: Problem, now: Position, rng: np.random.Generator) -> NDArray[np.int64]:
    """Two states by k-means on the local amplitude of all latents, shape (bin,)."""
    from sklearn.cluster import KMeans

    x = now.by_cluster(problem)
    away = x - np.median(x, axis=1, keepdims=True)
    away = away / (away.std(axis=1, keepdims=True) + 1e-9)
    amplitude = np.sqrt(gaussian_filter1d(away**2, SMOOTH_BINS, axis=1))
    features = amplitude.transpose(1, 0, 2).reshape(problem.n_bins, -1)
    if problem.n_bins < 4 or problem.priors.n_states < 2:
        return np.zeros(problem.n_bins, np.int64)
    seed = int(rng.integers(0, 2**31))
    return np.asarray(KMeans(2, n_init=10, random_state=seed).fit_predict(features), np.int64)
