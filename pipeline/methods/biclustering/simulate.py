"""Simulated counts with planted clusters of units and states of the population.

One state is quiet: trajectories stay near 0. In the others they turn slowly around a level that
each cluster has in each state. States last for a Poisson number of bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.core.axes import axes, check_axes
from pipeline.core.provenance import Provenance
from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.model import CountData, Family
from pipeline.methods.biclustering.truth import BiclusteringTruth

Truth = BiclusteringTruth
"""What is planted in a recording, by the name all methods use."""

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

BIN_S = 0.5
SIZES = {"demo": (60, 4, 3, 720), "tiny": (18, 3, 2, 240)}
"""Units, clusters, states and bins."""


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
    dynamics: NDArray[np.float64] = axes("state", "cluster_slot", "latent", "latent_before")
    level: NDArray[np.float64] = axes("state", "cluster_slot", "latent")
    """Where trajectories of a state tend to."""
    noise_variance: NDArray[np.float64] = axes("state")

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
    matrix, level, noise = _dynamics(rng, n_clusters, n_states)
    x = _trajectories(rng, state, matrix, level, noise)
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
        dynamics=matrix,
        level=level,
        noise_variance=noise,
    )
    return CountData.of(rng.poisson(mean)), planted


def simulate(
    rng: np.random.Generator, size: Literal["demo", "tiny"] = "demo"
) -> tuple[SpikeCounts, BiclusteringTruth]:
    """A view of counts of a recording, and what was planted in it.

    Parameters
    ----------
    rng
        Random stream.
    size
        ``demo`` (60 units in 4 clusters, 3 states, six minutes) or ``tiny`` (18 units in 3
        clusters, 2 states, two minutes).
    """
    n_units, n_clusters, n_states, n_bins = SIZES[size]
    data, planted = planted_counts(
        rng, n_units=n_units, n_clusters=n_clusters, n_states=n_states, n_bins=n_bins
    )
    unit = np.array([f"u{index:02d}" for index in range(n_units)])
    time_s = BIN_S * np.arange(n_bins, dtype=np.float64)
    truth = BiclusteringTruth(
        unit=unit,
        cluster=np.array([f"cluster {index}" for index in range(n_clusters)]),
        state=np.array(["quiet", *(f"lively {index}" for index in range(1, n_states))]),
        cluster_of_unit=planted.cluster.astype(np.int64),
        bin_start=time_s,
        bin_observed=np.ones(n_bins, dtype=bool),
        state_of_bin=planted.state,
        trajectory=planted.trajectory,
        baseline=planted.baseline - np.log(BIN_S),
        loading=planted.loading,
        dispersion=np.full(n_units, DISPERSION),
        dynamics=planted.dynamics,
        state_mean=planted.level,
        noise_variance=planted.noise_variance,
        mean_count=np.exp(planted.log_rate),
    )
    nothing = pd.DataFrame({"start_s": np.empty(0), "stop_s": np.empty(0)})
    no_text = pd.Series([], dtype="str")
    view = SpikeCounts(
        recording="simulated",
        time_s=time_s,
        counts=data.counts,
        observed=data.observed,
        exposure_s=np.full(data.counts.shape, BIN_S, dtype=np.float32),
        segment=data.segment,
        unit=unit,
        region=np.array(["north", "south"])[np.arange(n_units) % 2],
        epochs=nothing.assign(label=no_text),
        trials=nothing.assign(condition=no_text),
        left_out=pd.DataFrame(
            {"what": no_text, "count": np.empty(0, dtype=np.int64), "reason": no_text}
        ),
        bin_s=BIN_S,
        source="spikes",
        conversion="",
        cut_at="gaps",
        provenance=Provenance(
            stage="simulate", experiment="simulated", package_version="0", code_digest=""
        ),
    )
    return view, truth


def _states(rng: np.random.Generator, n_states: int, n_bins: int) -> NDArray[np.int64]:
    """Visits of Poisson length, each to another state than the one before."""
    now = int(rng.integers(0, n_states))
    out: list[int] = []
    while len(out) < n_bins:
        out += [now] * max(int(rng.poisson(DWELL_BINS)), 1)
        now = (now + int(rng.integers(1, n_states))) % n_states if n_states > 1 else now
    return np.array(out[:n_bins], dtype=np.int64)


Dynamics = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _dynamics(rng: np.random.Generator, n_clusters: int, n_states: int) -> Dynamics:
    """Transition matrices, levels and variances of innovations by state."""
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
    return matrix, level, noise


def _trajectories(
    rng: np.random.Generator,
    state: NDArray[np.int64],
    matrix: NDArray[np.float64],
    level: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Trajectories (bin, cluster, latent)."""
    n_clusters, q = level.shape[1:]
    x = np.zeros((state.size, n_clusters, q))
    for t, s in enumerate(state):
        before = x[t - 1] if t else level[s]
        x[t] = level[s] + np.einsum("kij,kj->ki", matrix[s], before - level[s])
        x[t] += np.sqrt(noise[s]) * rng.standard_normal((n_clusters, q))
    return x
