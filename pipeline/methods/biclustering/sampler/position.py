"""Where a chain stands: all unknowns, and the views of them that moves need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.dynamics import Dynamics, DynamicsPrior, prior_of
from pipeline.methods.biclustering.sampler.likelihood import Counts, counts_of
from pipeline.methods.biclustering.sampler.loadings import LoadingPrior
from pipeline.methods.biclustering.sampler.partition_prior import log_coefficients
from pipeline.methods.biclustering.sampler.trajectories import Crew

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Data and priors as the moves read them."""

    data: Counts
    priors: Priors
    loading: LoadingPrior
    dynamics: DynamicsPrior
    log_v: Array
    """Logs of the coefficients of the partition prior by number of clusters."""
    covariates: Array
    """Series that units follow, (bin, covariate)."""
    exposure: Array
    """Log exposure without what units follow, (unit, bin); ``data.exposure`` has it."""
    known: dict[bytes, Any] = field(default_factory=dict)
    """What sets of units say by themselves, by the set; kept so that it is found once only."""

    @classmethod
    def of(cls, data: CountData, priors: Priors) -> Problem:
        """The problem of some data under some priors."""
        mean = np.zeros((data.n_units, priors.n_latents))
        if priors.baseline == "empirical":
            mean[:, 0] = empirical_baseline(data)
        variance = np.full(priors.n_latents, priors.loading_sd**2)
        variance[0] = priors.baseline_sd**2
        counts = counts_of(data, priors)
        return cls(
            data=counts,
            covariates=np.ascontiguousarray(data.followed),
            exposure=counts.exposure.copy(),
            priors=priors,
            loading=LoadingPrior(mean=mean, precision=1 / variance),
            dynamics=prior_of(priors),
            log_v=_log_v(data.n_units, priors),
        )

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.data.counts.shape[0])

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.data.counts.shape[1])

    @property
    def full(self) -> bool:
        """Whether all clusters are one system."""
        return self.priors.coupling == "full"


def _log_v(n_units: int, priors: Priors) -> Array:
    """Coefficients of the partition prior, and one more number of clusters that is impossible."""
    weight = priors.cluster_weight
    if priors.one_cluster:
        out = np.full(n_units + 2, -np.inf)
        out[1] = gammaln(weight) - gammaln(n_units + weight)  # the one partition is certain
        return out
    known = log_coefficients(n_units, weight=weight, decay=priors.cluster_decay)
    return np.append(known, -np.inf)


def empirical_baseline(data: CountData) -> Array:
    """Log of each unit's mean count per exposure, half a count added to both, shape (unit,)."""
    exposure = np.where(data.observed, np.exp(data.log_exposure), 0.0).sum(axis=0)
    total = np.where(data.observed, data.counts, 0).sum(axis=0)
    return np.asarray(np.log((total + 0.5) / (exposure + 0.5)))


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """All unknowns of the model; moves replace its arrays or write into them."""

    cluster: Index
    """(unit,), every value below ``n_clusters`` occurs."""
    beta: Array
    """Baseline and loadings, (unit, latent)."""
    size: Array
    """Dispersion, (unit,); 1 for Poisson counts, where nothing reads it."""
    x: Array
    """Trajectories, (system, bin, latent of the system)."""
    state: Index
    """(bin,)."""
    dynamics: Dynamics
    log_row: Array
    """Logs of the transition matrix, (state, state)."""
    weight: Array
    """Common weights of the states, (state,)."""
    concentration: Array
    """``alpha``, ``gamma``, ``kappa``."""
    gain: Array
    """Of covariates, (unit, covariate). Exposures hold what they make: see :meth:`follow`."""

    def follow(self, problem: Problem) -> None:
        """Put what units follow into the exposures that all moves read."""
        if problem.covariates.shape[1]:
            problem.data.exposure[:] = problem.exposure + self.gain @ problem.covariates.T
            problem.known.clear()

    def n_clusters(self, problem: Problem) -> int:
        """Number of clusters, none of them empty."""
        return int(self.x.shape[0] * self.x.shape[2] // problem.priors.n_latents)

    def by_cluster(self, problem: Problem) -> Array:
        """Trajectories of single clusters, (cluster, bin, latent)."""
        if not problem.full:
            return self.x
        q = problem.priors.n_latents
        return np.ascontiguousarray(self.x[0].reshape(problem.n_bins, -1, q).transpose(1, 0, 2))

    def put_clusters(self, problem: Problem, x: Array) -> None:
        """Take trajectories of single clusters, (cluster, bin, latent)."""
        if problem.full:
            x = x.transpose(1, 0, 2).reshape(1, problem.n_bins, -1)
        self.x = np.ascontiguousarray(x)

    def crew(self, problem: Problem) -> Crew:
        """Units in the order of their systems."""
        if problem.full:
            system, place = np.zeros_like(self.cluster), self.cluster * problem.priors.n_latents
        else:
            system, place = self.cluster, np.zeros_like(self.cluster)
        order = np.argsort(system, kind="stable")
        first = np.searchsorted(system[order], np.arange(self.x.shape[0] + 1))
        return Crew(
            unit=order.astype(np.int64),
            place=place[order].astype(np.int64),
            beta=self.beta[order],
            size=self.size[order],
            first=first.astype(np.int64),
        )

    def drop_empty(self, problem: Problem) -> None:
        """Forget clusters without units; numbers of the others close up."""
        used, cluster = np.unique(self.cluster, return_inverse=True)
        if used.size < self.n_clusters(problem):
            self.put_clusters(problem, self.by_cluster(problem)[used])
            self.cluster = cluster.astype(np.int64)
