"""Whether two representations depend on each other, at the levels at which they do so most.

Distances of the same items in two representations go through ramps between all pairs of levels,
and the distance correlation of every two transformed matrices is held against what it is after the
items of one were permuted. The largest excess over all cells is the statistic, so that neither
geometry nor topology must be chosen beforehand.

Source: Lin & Kriegeskorte (2018), arXiv 1810.02923. Unlike the published code, the ramp of each
matrix has its own thresholds, whole matrices are permuted, and one set of permutations gives both
the expectation of every cell and the null of the largest excess: every member of the set, the data
among them, is held against all others, so that p is exact. Excess is in standard deviations: a
plain ratio to the mean, the published default, is largest in narrow ramps, whose mean is small, and
finds less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.trsa.transforms import Scale, geo_topological
from pipeline.numerics.dissimilarity import squared_form

Floats = NDArray[np.float64]

N_LEVELS = 8
"""Levels from 0 to 1; all pairs of a lower and a higher one are tried in both matrices."""


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """How two representations go together.

    Attributes
    ----------
    correlation
        Distance correlation of the distances as they are scaled, without a ramp.
    correlation_p
        Its p under the same permutations.
    statistic
        By how many standard deviations of the other permutations the distance correlation of a
        cell exceeds their mean, at most over cells.
    p
        Share of permutations in which that is as large, the data among them.
    score
        Of each cell, shape (pair of levels of the first, pair of levels of the second).
    levels
        Pairs of levels, shape (pair of levels, 2).
    best
        Levels of the largest score: lower and upper of the first, lower and upper of the second.
    """

    correlation: float
    correlation_p: float
    statistic: float
    p: float
    score: Floats
    levels: Floats
    best: tuple[float, float, float, float]


def level_pairs(n_levels: int = N_LEVELS) -> Floats:
    """All pairs of a lower and a higher level on an even grid, shape (pair of levels, 2)."""
    steps = np.linspace(0, 1, n_levels)
    return np.array([(low, high) for at, low in enumerate(steps) for high in steps[at + 1 :]])


def dependence(
    first: Floats,
    second: Floats,
    orders: NDArray[np.int64],
    *,
    n_levels: int = N_LEVELS,
    scale: Scale = "rank",
) -> Dependence:
    """Test dependence of two representations of the same items.

    Parameters
    ----------
    first, second
        Distances, shape (pair,) or (way, pair); several ways (halves of the data, say) are
        averaged cell by cell.
    orders
        Orders of the items under the null, without the identity, shape (draw, item).

    Raises
    ------
    ValueError
        If distances are all alike or missing, so that they have no ramp.
    """
    levels = level_pairs(n_levels)
    one, other = (np.atleast_2d(rows) for rows in (first, second))
    if np.isnan(one).any() or np.isnan(other).any():
        raise ValueError("distances are missing; dependence needs all pairs.")
    cells = np.stack(
        [_cells(a, b, levels, orders, scale) for a, b in zip(one, other, strict=True)]
    ).mean(axis=0)
    plain = int(np.flatnonzero((levels[:, 0] == 0) & (levels[:, 1] == 1))[0])
    correlation = cells[:, plain, plain]
    score = _beyond_others(cells)
    largest = score.reshape(len(cells), -1).max(axis=1)
    place = np.unravel_index(int(score[0].argmax()), score.shape[1:])
    return Dependence(
        correlation=float(correlation[0]),
        correlation_p=_share(correlation),
        statistic=float(largest[0]),
        p=_share(largest),
        score=score[0],
        levels=levels,
        best=(*levels[place[0]].tolist(), *levels[place[1]].tolist()),
    )


def _beyond_others(cells: Floats) -> Floats:
    """By how many standard deviations of all others each member of a set exceeds their mean."""
    count = len(cells) - 1
    others = (cells.sum(axis=0) - cells) / count
    squares = (np.square(cells).sum(axis=0) - np.square(cells)) / count
    spread = np.sqrt(np.maximum(squares - np.square(others), 0))
    excess = np.divide(cells - others, spread, out=np.zeros_like(cells), where=spread > 1e-9)
    return np.asarray(excess)


def _cells(
    first: Floats, second: Floats, levels: Floats, orders: NDArray[np.int64], scale: Scale
) -> Floats:
    """Distance correlation of every cell, (1 + draw, level pair, level pair); the data first."""
    one, other = (_centred(values, levels, scale) for values in (first, second))
    n_items = one.shape[-1]
    flat = one.reshape(len(levels), -1)
    found = np.empty((1 + len(orders), len(levels), len(levels)))
    for place, order in enumerate([np.arange(n_items), *orders]):
        moved = other[:, order][:, :, order].reshape(len(levels), -1)
        found[place] = flat @ moved.T
    return np.sqrt(np.abs(found))


def _centred(values: Floats, levels: Floats, scale: Scale) -> Floats:
    """Transformed distances, doubly centred, of length 1, shape (level pair, item, item).

    Levels at which all distances are alike have length 0.
    """
    square = squared_form(geo_topological(values, levels, scale=scale))
    if np.isnan(square).any():
        raise ValueError("distances are all alike; dependence needs some that differ.")
    rows = square.mean(axis=-1, keepdims=True)
    centred = square - rows - np.swapaxes(rows, -1, -2) + square.mean(axis=(-2, -1), keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=(-2, -1), keepdims=True))
    scaled = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-12)
    return np.asarray(scaled)


def _share(values: Floats) -> float:
    """Share of values as large as the first, which counts."""
    return float(np.mean(values >= values[0] - 1e-12))
