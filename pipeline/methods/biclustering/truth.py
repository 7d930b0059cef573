"""What simulated spikes hold: clusters, states and trajectories that were planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BiclusteringTruth:
    """Clusters, states and trajectories that were planted."""

    unit: NDArray[np.str_] = axes("unit")
    cluster: NDArray[np.str_] = axes("cluster")
    state: NDArray[np.str_] = axes("state")
    cluster_of_unit: NDArray[np.int64] = axes("unit")
    bin_start: NDArray[np.float64] = axes("time_bin", unit="s")
    bin_observed: NDArray[np.bool_] = axes("time_bin")
    """False in pauses of the recording, where the dynamics go on unseen."""
    state_of_bin: NDArray[np.int64] = axes("time_bin")
    """State of the transition into the bin."""
    trajectory: NDArray[np.float64] = axes("time_bin", "cluster", "latent")
    """Common log rate, then two factors."""
    baseline: NDArray[np.float64] = axes("unit")
    """Log of the rate in Hz where trajectories, tuning and gain are 0."""
    loading: NDArray[np.float64] = axes("unit", "factor")
    dispersion: NDArray[np.float64] = axes("unit")
    """Size of the negative binomial."""
    dynamics: NDArray[np.float64] = axes("state", "cluster", "latent", "latent_before")
    state_mean: NDArray[np.float64] = axes("state", "cluster", "latent")
    """Where the trajectories of a state tend to."""
    noise_variance: NDArray[np.float64] = axes("state")
    mean_count: NDArray[np.float64] = axes("time_bin", "unit")
    """Mean of the negative binomial, all influences included; 0 where not observed."""

    def __post_init__(self) -> None:
        check_axes(self)
