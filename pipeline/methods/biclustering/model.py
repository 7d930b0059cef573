"""Counts, priors, lengths of chains and draws: the records that the sampler takes and gives.

Units of one cluster share a trajectory ``x = (m, f)`` of a common log rate and some factors; the
log mean count of unit ``i`` in bin ``t`` is ``baseline + m(t) + loading . f(t) + log exposure``.
The state ``s`` of a bin picks the linear dynamics of the transition into it::

    x(t) = A_s x(t - 1) + b_s + noise of covariance Q_s
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes

Family = Literal["negative_binomial", "poisson"]
Coupling = Literal["block", "full"]
Start = Literal["random", "one", "many"]
Kernel = Literal["laplace", "polya_gamma"]
"""How trajectories and loadings are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountData:
    """Counts of units in bins, and what is known about them."""

    counts: NDArray[np.int32] = axes("bin", "unit")
    """Not negative; anything where not observed."""
    observed: NDArray[np.bool_] = axes("bin", "unit")
    segment: NDArray[np.int32] = axes("bin")
    """Bins of one stretch without gaps share a value; no transition crosses a change of it."""
    log_exposure: NDArray[np.float64] = axes("bin", "unit")
    """Known part of the log mean count: length of the bin, mean response to a stimulus."""
    covariates: NDArray[np.float64] | None = axes("bin", "covariate", optional=True)
    """Series that every unit follows with gains of its own, centred and of unit spread."""

    def __post_init__(self) -> None:
        sizes = check_axes(self)
        if min(sizes.values()) == 0:
            raise ValueError("There are no bins, or no units.")
        negative = np.argwhere(self.observed & (self.counts < 0))
        if negative.size:
            raise ValueError(
                f"The count of bin {negative[0, 0]}, unit {negative[0, 1]} is below 0."
            )
        if not np.isfinite(self.log_exposure).all():
            raise ValueError("Log exposures must be finite; bins without exposure are unobserved.")
        if not np.isfinite(self.followed).all():
            raise ValueError("Covariates must be finite.")

    @classmethod
    def of(cls, counts: NDArray[np.integer]) -> CountData:
        """One gapless stretch of counts (bin, unit), all observed, of equal exposure."""
        return cls(
            counts=counts.astype(np.int32),
            observed=np.ones(counts.shape, dtype=bool),
            segment=np.zeros(counts.shape[0], dtype=np.int32),
            log_exposure=np.zeros(counts.shape),
        )

    @property
    def followed(self) -> NDArray[np.float64]:
        """The covariates, shape (bin, covariate); without any where there are none."""
        return np.empty((self.n_bins, 0)) if self.covariates is None else self.covariates

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.counts.shape[0])

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.counts.shape[1])

    @property
    def linked(self) -> NDArray[np.bool_]:
        """Whether a transition leads into a bin from the one before, shape (bin,)."""
        return np.concatenate([[False], self.segment[1:] == self.segment[:-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """The model's family and the hyperparameters of all its priors."""

    family: Family = "negative_binomial"
    coupling: Coupling = "block"
    """Whether trajectories of different clusters may drive each other (``full``) or not."""
    n_factors: int = 2
    """Factors of a trajectory beside the common log rate."""

    baseline: Literal["empirical", "zero"] = "empirical"
    """Prior mean of a unit's baseline: the log of its mean count per exposure, or 0."""
    baseline_sd: float = 1.0
    loading_sd: float = 1.0
    gain_sd: float = 1.0
    """Of units' gains on covariates."""
    dispersion_shape: float = 1.0
    dispersion_rate: float = 1.0
    """Of the gamma prior of each unit's size of the negative binomial."""

    noise_scale: float = 0.01
    """Prior mean of the innovation variance with two extra degrees of freedom."""
    noise_extra_degrees: float = 2.0
    """Degrees of freedom of the inverse Wishart above the number of latents."""
    dynamics_precision: float = 1.0
    """Of the rows of ``[A, b]`` around ``[I, 0]``, relative to the innovations."""

    cluster_weight: float = 1.0
    """Dirichlet weight of each cluster in the mixture of finite mixtures."""
    cluster_decay: float = 0.2
    """Of the geometric prior on the number of clusters, on 1, 2, ...; its mean is the inverse."""
    one_cluster: bool = False
    """Whether all units are one cluster: the model that clusters are measured by."""

    n_states: int = 10
    """Largest number of states (the weak limit of the hierarchical Dirichlet process)."""
    state_concentration: float = 5.0
    """Prior mean of how alike rows of the transition matrix are to the common weights."""
    weight_concentration: float = 5.0
    """Prior mean of the concentration of the common weights of states."""
    stickiness: float = 100.0
    """Prior mean of the extra weight of staying; about twice the expected dwell time in bins."""
    concentration_shape: float | None = 4.0
    """Shape of the gamma priors of the three concentrations; held at their means when ``None``."""

    def __post_init__(self) -> None:
        if self.n_factors < 0 or self.n_states < 1:
            raise ValueError("There are at least 0 factors and 1 state.")
        positive = {
            name: getattr(self, name)
            for name in (
                "baseline_sd",
                "loading_sd",
                "gain_sd",
                "dispersion_shape",
                "dispersion_rate",
                "noise_scale",
                "noise_extra_degrees",
                "dynamics_precision",
                "cluster_weight",
                "cluster_decay",
                "state_concentration",
                "weight_concentration",
                "stickiness",
            )
        }
        wrong = [name for name, value in positive.items() if not 0 < value < np.inf]
        if self.concentration_shape is not None and self.concentration_shape <= 0:
            wrong.append("concentration_shape")
        if wrong:
            raise ValueError(f"Not above 0: {', '.join(wrong)}.")
        if self.cluster_decay >= 1:
            raise ValueError("cluster_decay is a probability below 1.")

    @property
    def n_latents(self) -> int:
        """Latents of one cluster: the common log rate and the factors."""
        return self.n_factors + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Length of a chain, and what of it is kept."""

    n_tune: int = 2000
    """Sweeps before the first draw; heuristics run in the first part of them only."""
    n_draws: int = 2000
    """Draws that are kept."""
    thin: int = 1
    """Sweeps for one draw."""
    n_trajectories: int = 200
    """Draws, evenly spaced, of which trajectories and dynamics are kept too."""

    def __post_init__(self) -> None:
        if self.n_tune < 0 or min(self.n_draws, self.thin) < 1:
            raise ValueError("A chain has at least one draw, one sweep a draw, and no negative.")

    @property
    def n_sweeps(self) -> int:
        """Sweeps in all."""
        return self.n_tune + self.n_draws * self.thin

    def kept(self) -> NDArray[np.int64]:
        """Indices of the draws whose trajectories are kept, the last one among them."""
        count = min(self.n_trajectories, self.n_draws)
        return np.asarray((np.arange(1, count + 1) * self.n_draws) // max(count, 1) - 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Draws of one chain from the posterior, as they were made: not identified in any way."""

    cluster: NDArray[np.int16] = axes("draw", "unit")
    """0 to ``n_clusters`` - 1, in no order that means anything."""
    state: NDArray[np.int16] = axes("draw", "bin")
    """State of the transition into the bin; bins without one have that of the next bin."""
    log_joint: NDArray[np.float64] = axes("draw")
    """Log density of counts and all unknowns, up to nothing: all constants are in it."""
    log_likelihood: NDArray[np.float64] = axes("draw")
    """Log probability of the observed counts given all unknowns."""
    n_clusters: NDArray[np.int64] = axes("draw")
    n_states: NDArray[np.int64] = axes("draw")
    """States that govern at least one transition."""
    dispersion: NDArray[np.float32] = axes("draw", "unit")
    """Size of the negative binomial; infinite for Poisson counts."""
    baseline: NDArray[np.float32] = axes("draw", "unit")
    loading: NDArray[np.float32] = axes("draw", "unit", "factor")
    gain: NDArray[np.float32] = axes("draw", "unit", "covariate")
    """Change of the log mean count for one standard deviation of a covariate."""
    state_concentration: NDArray[np.float64] = axes("draw")
    weight_concentration: NDArray[np.float64] = axes("draw")
    stickiness: NDArray[np.float64] = axes("draw")

    kept_draw: NDArray[np.int64] = axes("kept")
    """Index of each draw whose trajectories and dynamics follow."""
    trajectory: NDArray[np.float32] = axes("kept", "bin", "cluster_slot", "latent")
    """Common log rate, then factors; NaN in slots that a draw does not use."""
    transition: NDArray[np.float32] = axes("kept", "state_slot", "row", "column")
    """``A`` over the latents of all clusters, one cluster after another; NaN where unused."""
    offset: NDArray[np.float32] = axes("kept", "state_slot", "row")
    innovation: NDArray[np.float32] = axes("kept", "state_slot", "row", "column")
    """``Q``, in the order of ``transition``."""

    moves: Mapping[str, tuple[int, int]]
    """Accepted and proposed, by the name of the move, over the sweeps of the kept draws."""

    def __post_init__(self) -> None:
        check_axes(self)

    def log_rate(self, kept: int) -> NDArray[np.float64]:
        """Log mean count for an exposure of 1 and mean covariates, shape (bin, unit).

        It is defined in bins that were not observed too.

        Parameters
        ----------
        kept
            Index into ``kept_draw``.
        """
        draw = self.kept_draw[kept]
        own = self.trajectory[kept][:, self.cluster[draw]].astype(np.float64)
        return np.asarray(
            self.baseline[draw]
            + own[..., 0]
            + np.einsum("tip,ip->ti", own[..., 1:], self.loading[draw])
        )

    def log_mean(self, kept: int, data: CountData) -> NDArray[np.float64]:
        """Log mean count in one kept draw with all that is known of it, shape (bin, unit).

        Parameters
        ----------
        kept
            Index into ``kept_draw``.
        data
            What the chain was given.
        """
        followed = data.followed @ self.gain[self.kept_draw[kept]].astype(np.float64).T
        return np.asarray(self.log_rate(kept) + data.log_exposure + followed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """All that is needed to go on with a chain as if it had not been interrupted."""

    sweep: int
    """Sweeps done; 0 while a start is searched for."""
    arrays: Mapping[str, NDArray[np.generic]]
    """State of the chain and the draws made so far, or of the search."""
    facts: str
    """The state of the random stream and counters, as JSON."""
