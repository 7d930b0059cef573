"""Log probabilities of counts as functions of the log mean, with slopes and curvatures."""

from __future__ import annotations

from math import lgamma
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]

CLIP = 30.0
"""Log means are cut here in proposals, and only there."""


class Counts(NamedTuple):
    """Counts as the compiled moves read them."""

    counts: Array
    """(unit, bin); -1 where not observed."""
    exposure: Array
    """Log exposure, (unit, bin)."""
    linked: NDArray[np.bool_]
    """Whether a transition leads into the bin."""
    poisson: bool


def counts_of(data: CountData, priors: Priors) -> Counts:
    """The data, unit by unit."""
    count = np.where(data.observed, data.counts, -1).T.astype(np.float64)
    return Counts(
        counts=np.ascontiguousarray(count),
        exposure=np.ascontiguousarray(data.log_exposure.T),
        linked=data.linked,
        poisson=priors.family == "poisson",
    )


@compiled
def kernel(count: float, eta: float, size: float, log_size: float, poisson: bool) -> float:
    """Log probability of a count without the terms that do not depend on the log mean."""
    if poisson:
        return float(count * eta - np.exp(eta))
    log_sum = eta + np.log1p(size * np.exp(-eta)) if eta > CLIP else np.log(size + np.exp(eta))
    return float(count * eta - (count + size) * log_sum + size * log_size)


@compiled
def slopes(count: float, eta: float, size: float, poisson: bool) -> tuple[float, float]:
    """First derivative by the log mean, and minus the second one."""
    mean = np.exp(min(eta, CLIP))
    if poisson:
        return count - mean, mean
    ratio = (count + size) / (size + mean)
    return count - mean * ratio, size * mean * ratio / (size + mean)


@compiled
def constant(count: Array, size: float, poisson: bool) -> float:
    """Terms of the log probability of a unit's counts that do not depend on the log means."""
    total = 0.0
    for t in range(count.size):
        if count[t] >= 0:
            total -= lgamma(count[t] + 1)
            if not poisson:
                total += lgamma(count[t] + size) - lgamma(size)
    return total


@compiled
def unit_log_likelihood(
    data: Counts, unit: int, size: float, beta: Array, x: Array, place: int, low: int, high: int
) -> float:
    """Sum of :func:`kernel` over bins ``low`` to ``high``, the last one included.

    The unit's trajectory are the columns of ``x`` (bin, latent) from ``place`` on.
    """
    log_size = np.log(size)
    total = 0.0
    for t in range(low, high + 1):
        count = data.counts[unit, t]
        if count < 0:
            continue
        eta = data.exposure[unit, t] + beta[0] + x[t, place]
        for j in range(1, beta.size):
            eta += beta[j] * x[t, place + j]
        total += kernel(count, eta, size, log_size, data.poisson)
    return total
