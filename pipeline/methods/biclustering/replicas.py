"""Replicated counts beside the real ones: what the model gets right of each unit, and what not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.methods.biclustering.model import CountData, Draws

STATISTICS = ("mean", "variance", "Fano factor", "share of zeros")
LAGS = (1, 2, 3, 5, 10)
NAMES = (*STATISTICS, *(f"autocorrelation, lag {lag}" for lag in LAGS))
MOST_REPLICAS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replicas:
    """Statistics of each unit's counts, and where they stand among replicas."""

    statistic: NDArray[np.str_] = axes("statistic")
    observed: NDArray[np.float64] = axes("statistic", "unit_used")
    replicated: NDArray[np.float64] = axes("statistic", "unit_used")
    """Mean over replicas."""
    p_value: NDArray[np.float64] = axes("statistic", "unit_used")
    """Share of replicas with a larger value, ties by half; NaN where it is undefined."""
    n_replicas: int

    def __post_init__(self) -> None:
        check_axes(self)


def replicate(draws: Draws, data: CountData, rng: np.random.Generator) -> Replicas:
    """Draw counts under kept draws and compare their statistics with the data's.

    Trajectories are the fitted ones, so that this asks whether counts scatter around them as the
    model says, and not whether such trajectories would come up again.

    Parameters
    ----------
    draws, data
        A chain and what it saw.
    rng
        Random stream of the replicas.
    """
    real = _statistics(np.where(data.observed, data.counts, 0).astype(np.float64), data)
    picked = np.unique(np.linspace(0, draws.kept_draw.size - 1, MOST_REPLICAS).round().astype(int))
    above, mean = np.zeros(real.shape), np.zeros(real.shape)
    for kept in picked:
        expected = np.exp(np.minimum(draws.log_mean(int(kept), data), 20.0))
        size = draws.dispersion[draws.kept_draw[kept]].astype(np.float64)
        spread = np.ones_like(expected)
        finite = np.isfinite(size)
        r = size[finite]
        spread[:, finite] = rng.gamma(r, 1.0, (data.n_bins, r.size)) / r
        again = _statistics(rng.poisson(expected * spread).astype(np.float64), data)
        above += (again > real) + 0.5 * (again == real)
        mean += again
    n = picked.size
    return Replicas(
        statistic=np.array(NAMES),
        observed=real,
        replicated=mean / n,
        p_value=np.where(np.isfinite(real), above / n, np.nan),
        n_replicas=int(n),
    )


def _statistics(counts: NDArray[np.float64], data: CountData) -> NDArray[np.float64]:
    """:data:`NAMES` of each unit over its observed bins, shape (statistic, unit)."""
    seen = data.observed
    n = np.maximum(seen.sum(axis=0), 1)
    kept = np.where(seen, counts, 0.0)
    mean = kept.sum(axis=0) / n
    centred = np.where(seen, counts - mean, 0.0)
    variance = (centred**2).sum(axis=0) / n
    rows = [mean, variance, _ratio(variance, mean), ((counts == 0) & seen).sum(axis=0) / n]
    for lag in LAGS:
        same = (data.segment[lag:] == data.segment[:-lag])[:, None]
        pairs = same & seen[lag:] & seen[:-lag]
        products = np.where(pairs, centred[lag:] * centred[:-lag], 0.0).sum(axis=0)
        rows.append(_ratio(products / np.maximum(pairs.sum(axis=0), 1), variance))
    return np.stack(rows)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotients; NaN over 0."""
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out
