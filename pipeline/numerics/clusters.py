"""Stretches in which a statistic stays large, tested by their mass (Maris & Oostenveld 2007)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.permutation import p_values

Floats = NDArray[np.float64]

ENTRY = 0.05
"""One-sided p of a single point from which it belongs to a stretch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Neighbouring points whose statistic is large."""

    start: int
    stop: int
    """First point after the stretch."""
    mass: float
    p: float
    """Corrected for all stretches."""


def clusters(observed: Floats, null: Floats, *, entry: float = ENTRY) -> tuple[Cluster, ...]:
    """Stretches along a course whose mass is tested against the largest of each draw.

    Every point is measured in standard deviations of its own null, so that points of different
    noise count alike.

    Parameters
    ----------
    observed
        Shape (point,). Missing points (NaN) end a stretch.
    null
        Shape (draw, point).
    entry
        Share of the null above which a point belongs to a stretch.
    """
    centre, spread = null.mean(axis=0), null.std(axis=0)
    usable = (spread > 0) & np.isfinite(observed)
    scale = np.where(usable, spread, 1.0)
    limit = (np.quantile(null, 1 - entry, axis=0) - centre) / scale
    score = np.where(usable, (observed - centre) / scale, -np.inf)
    draws = np.where(usable, (null - centre) / scale, -np.inf)
    largest = np.array([_largest(draw, limit) for draw in draws])
    found = _stretches(score, limit)
    masses = np.array([score[start:stop].sum() for start, stop in found])
    p = p_values(masses, np.repeat(largest[:, None], masses.size, axis=1))
    return tuple(
        Cluster(start=start, stop=stop, mass=float(mass), p=float(value))
        for (start, stop), mass, value in zip(found, masses, p, strict=True)
    )


def _largest(score: Floats, limit: Floats) -> float:
    """Largest mass of a stretch; 0 without one."""
    return max((float(score[a:b].sum()) for a, b in _stretches(score, limit)), default=0.0)


def _stretches(score: Floats, limit: Floats) -> list[tuple[int, int]]:
    """Runs of points above their limits."""
    above = np.concatenate([[False], score > limit, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
