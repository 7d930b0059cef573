"""What a run of the bi-clustering found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.provenance import Provenance
from pipeline.methods.biclustering.holdout import Predicted
from pipeline.methods.biclustering.model import Draws
from pipeline.methods.biclustering.replicas import Replicas


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartResult:
    """One chain on all data, or what one on most of the data predicts of the rest."""

    name: str
    draws: Draws | None
    replicas: Replicas | None
    predicted: Predicted | None
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """Draws of all chains, in the layout of ArviZ. Labels are as drawn: they mean nothing."""

    cluster: NDArray[np.int16] = axes("chain", "draw", "unit_used")
    state: NDArray[np.int16] = axes("chain", "draw", "time_bin")
    n_clusters: NDArray[np.int64] = axes("chain", "draw")
    n_states: NDArray[np.int64] = axes("chain", "draw")
    """States that govern at least one transition."""
    dispersion: NDArray[np.float32] = axes("chain", "draw", "unit_used")
    state_concentration: NDArray[np.float64] = axes("chain", "draw")
    weight_concentration: NDArray[np.float64] = axes("chain", "draw")
    stickiness: NDArray[np.float64] = axes("chain", "draw")

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleStats:
    """Densities of all draws, in the layout of ArviZ."""

    log_joint: NDArray[np.float64] = axes("chain", "draw")
    log_likelihood: NDArray[np.float64] = axes("chain", "draw")

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectories:
    """What units of a cluster share, in coordinates that all draws have in common.

    The first latent is the mean log rate of the cluster's units as it changes in time; the others
    are the directions in which they differ most around it, in log rate per standard deviation of
    the units' loadings.
    """

    mean: NDArray[np.float32] = axes("time_bin", "cluster", "latent")
    low: NDArray[np.float32] = axes("time_bin", "cluster", "latent")
    """2.5th percentile over draws."""
    high: NDArray[np.float32] = axes("time_bin", "cluster", "latent")
    """97.5th percentile over draws."""
    loading: NDArray[np.float32] = axes("unit_used", "factor")
    """Mean over draws in which the unit was in its cluster, in standard deviations."""
    n_draws: NDArray[np.int64] = axes("cluster")
    """Draws in which the cluster had a counterpart."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BiclusteringResult:
    """Clusters of units and states of the population, with their uncertainty."""

    recording: str
    unit: NDArray[np.str_] = axes("unit")
    region: NDArray[np.str_] = axes("unit")
    used: NDArray[np.bool_] = axes("unit")
    """Units that took part; ``unit_used`` runs over these."""
    n_spikes: NDArray[np.int64] = axes("unit")
    cluster_of_unit: NDArray[np.int64] = axes("unit")
    """From 0 by decreasing size; -1 for units that took no part."""
    own_probability: NDArray[np.float64] = axes("unit")
    """Mean probability of being together with the others of its cluster; NaN without others."""
    cluster_probability: NDArray[np.float64] = axes("unit", "cluster")
    """Share of draws in which the unit is in the counterpart of a cluster."""
    co_clustering: NDArray[np.float32] = axes("unit_used", "other_unit_used")
    time_bin_s: NDArray[np.float64] = axes("time_bin", unit="s")
    """Start of each bin."""
    bin_s: float
    segment: NDArray[np.int32] = axes("time_bin")
    state_of_bin: NDArray[np.int64] = axes("time_bin")
    """State of the transition into the bin, from 0 by decreasing time spent."""
    state_probability: NDArray[np.float32] = axes("time_bin", "state")
    """Share of draws in which the bin is in the counterpart of a state."""
    criterion: NDArray[np.str_] = axes("criterion")
    """Losses of which the point partitions are the least: VI, maxPEAR, Dahl."""
    unit_partition: NDArray[np.int64] = axes("criterion", "unit_used")
    partition_agreement: NDArray[np.float64] = axes("criterion", "other_criterion")
    """Adjusted Rand index."""
    chain_cluster: NDArray[np.int64] = axes("chain", "unit_used")
    """Point partition of each chain by itself."""
    chain_agreement: NDArray[np.float64] = axes("chain", "other_chain")
    """Adjusted Rand index of the chains' own point partitions of units."""
    chain_state: NDArray[np.int64] = axes("chain", "time_bin")
    chain_state_agreement: NDArray[np.float64] = axes("chain", "other_chain")
    convergence: pd.DataFrame = table(
        "quantity",
        ("quantity", "mean", "low", "high", "r_hat", "ess_bulk", "ess_tail"),
    )
    moves: pd.DataFrame = table("move", ("move", "chain", "accepted", "proposed"))
    trajectories: Trajectories
    dynamics: pd.DataFrame = table(
        "dynamics",
        ("state", "cluster", "radius", "radius_low", "radius_high", "period_s", "noise_sd"),
    )
    """Of each state's transition matrix within a cluster: spectral radius, period of the leading
    turn (infinite where there is none), standard deviation of innovations."""
    eigenvalue_real: NDArray[np.float32] = axes("shown_draw", "state", "cluster", "latent")
    eigenvalue_imaginary: NDArray[np.float32] = axes("shown_draw", "state", "cluster", "latent")
    visits: pd.DataFrame = table("state", ("state", "share", "visits", "mean_visit_s"))
    scores: pd.DataFrame = table(
        "score",
        ("mask", "prediction", "bits", "error", "less_than_model", "difference_error"),
    )
    """Bits a spike above each unit's mean rate for hidden counts, with standard errors over blocks
    of time; and by how much the model is better."""
    n_hidden: pd.DataFrame = table("mask", ("mask", "counts", "spikes"))
    pit: NDArray[np.float64] = axes("pit_bin")
    """Density of the probability integral transform of speckled hidden counts; 1 is perfect."""
    replicas: Replicas
    associations: pd.DataFrame = table(
        "association",
        (
            *("what", "labels", "ari", "ari_low", "ari_high", "nmi", "null_nmi"),
            *("null_high", "p_value", "n_null", "testable", "note"),
        ),
    )
    gains: pd.DataFrame = table("gain", ("covariate", "unit", "mean", "low", "high"))
    """Of units on behaviour: change of log rate for one standard deviation of a series, posterior
    mean and 95 % interval; no rows where no behaviour was given."""
    posterior: Posterior
    sample_stats: SampleStats
    family: str
    stimulus: str
    """What was known of mean counts beforehand: ``none`` or ``psth``."""
    source: str
    """``spikes`` or ``events``."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def n_clusters(self) -> int:
        """Clusters of the point partition."""
        return int(self.cluster_probability.shape[1])

    @property
    def n_states(self) -> int:
        """States of the point partition."""
        return int(self.state_probability.shape[1])


Result = BiclusteringResult
"""The method's result, by the name all methods use."""
