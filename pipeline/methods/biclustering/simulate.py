"""Simulated counts with planted clusters of units and states of the population.

One state is quiet: trajectories stay near 0. In the others they turn slowly around a level that
each cluster has in each state. States last for a Poisson number of bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.core.axes import axes, check_axes
from pipeline.methods.biclustering.model import CountData, Family

N_FACTORS = 2
DWELL_BINS = 50
"""Mean length of a visit to a state."""

QUIET, PERSISTENCE = 0.01, 0.98
"""What is left of a deviation after a bin, in the quiet state and in others."""

TURN = np.pi / 20
"""Angle that trajectories of states that are not quiet turn by in a bin."""

LEVEL_SD = 0.7
"""Of the common log rate between clusters and states that are not quiet."""

NOISE_VARIANCE = np.array([0.01, 0.03])
"""Of trajectories, in the quiet state and in others."""

UNIT_SD = 0.5
"""Of baselines and loadings."""

DISPERSION = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """What was planted in simulated counts."""

    cluster: NDArray[np.int64] = axes("unit")
    state: NDArray[np.int64] = axes("bin")
    """State of the transition into the bin."""
    trajectory: NDArray[np.float64] = axes("bin", "cluster_slot", "latent")
    baseline: NDArray[np.float64] = axes("unit")
    loading: NDArray[np.float64] = axes("unit", "factor")
    log_rate: NDArray[np.float64] = axes("bin", "unit")

    def __post_init__(self) -> None:
        check_axes(self)


def planted_counts(
    rng: np.random.Generator,
    *,
    n_units: int = 30,
    n_clusters: int = 3,
    n_states: int = 2,
    n_bins: int = 500,
    family: Family = "negative_binomial",
) -> tuple[CountData, Planted]:
    """Counts of one gapless recording with planted clusters of about equal sizes.

    With one state it is not the quiet one.
    """
    cluster = rng.permutation(np.arange(n_units) % n_clusters)
    state = _states(rng, n_states, n_bins)
    x = _trajectories(rng, state, n_clusters, n_states)
    baseline = UNIT_SD * rng.standard_normal(n_units)
    loading = UNIT_SD * rng.standard_normal((n_units, N_FACTORS))
    own = x[:, cluster]
    log_rate = baseline + own[..., 0] + np.einsum("tip,ip->ti", own[..., 1:], loading)
    mean = np.exp(log_rate)
    if family == "negative_binomial":
        mean = mean * rng.gamma(DISPERSION, 1 / DISPERSION, mean.shape)
    planted = Planted(
        cluster=cluster,
        state=state,
        trajectory=x,
        baseline=baseline,
        loading=loading,
        log_rate=log_rate,
    )
    return CountData.of(rng.poisson(mean)), planted


def _states(rng: np.random.Generator, n_states: int, n_bins: int) -> NDArray[np.int64]:
    """Visits of Poisson length, each to another state than the one before."""
    now = int(rng.integers(0, n_states))
    out: list[int] = []
    while len(out) < n_bins:
        out += [now] * max(int(rng.poisson(DWELL_BINS)), 1)
        now = (now + int(rng.integers(1, n_states))) % n_states if n_states > 1 else now
    return np.array(out[:n_bins], dtype=np.int64)


def _trajectories(
    rng: np.random.Generator, state: NDArray[np.int64], n_clusters: int, n_states: int
) -> NDArray[np.float64]:
    """Trajectories (bin, cluster, latent)."""
    q = N_FACTORS + 1
    shape = (n_states, n_clusters)
    turns = rng.standard_normal((*shape, 3))
    turns *= TURN / np.linalg.norm(turns, axis=-1, keepdims=True)
    matrix = PERSISTENCE * Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    matrix = matrix.reshape(*shape, q, q)
    level = np.zeros((*shape, q))
    level[..., 0] = LEVEL_SD * rng.standard_normal(shape)
    noise = np.full(n_states, NOISE_VARIANCE[1])
    if n_states > 1:
        matrix[0], level[0], noise[0] = QUIET * np.eye(q), 0.0, NOISE_VARIANCE[0]
    x = np.zeros((state.size, n_clusters, q))
    for t, s in enumerate(state):
        before = x[t - 1] if t else level[s]
        x[t] = level[s] + np.einsum("kij,kj->ki", matrix[s], before - level[s])
        x[t] += np.sqrt(noise[s]) * rng.standard_normal((n_clusters, q))
    return x
