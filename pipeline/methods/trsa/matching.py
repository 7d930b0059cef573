"""Units of two populations that answer alike: convergent learning.

Units are matched by their tuning over the same conditions in one half of the repeats, and the
match is scored in the other half, so that a match of noise scores nothing.

Sources: Li, Yosinski, Clune, Lipson & Hopcroft (2016), ICLR; Khosla & Williams (2024) (soft
matching); Cuturi (2013), NeurIPS (transport with entropy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Halves = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Patterns from two halves of the repeats, each (condition, unit)."""


EXACT_UP_TO = 1000
"""Pairs of units up to which units of unequal numbers are shared out exactly, which is slow."""

MOST_SHARED = 400
"""Units of a side that are shared out, where numbers differ; of more, an even choice of so many."""

SOFTNESS = 0.02
"""Correlation by which shares of a softened transport fall to 1/e."""

SETTLED = 1e-3
MOST_ROUNDS = 500


@dataclass(frozen=True, slots=True, eq=False)
class UnitMatch:
    """How well units of two populations pair off, averaged over both ways of the halves.

    Attributes
    ----------
    correlation
        Mean correlation, in the other half, of units matched one to one.
    soft_correlation
        The same where each unit may be shared between several.
    reproducible
        Share of units that have the same partner in both halves.
    mutual
        Share of units, of the smaller population, that are each other's best.
    chance, soft_chance
        Means of the two correlations when conditions of the second population are shuffled.
    p, soft_p
        Share of shuffles that correlate as well, the data among them.
    """

    correlation: float
    soft_correlation: float
    reproducible: float
    mutual: float
    chance: float
    soft_chance: float
    p: float
    soft_p: float


def tuning_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    """Correlation of each unit's tuning with each other's, shape (first unit, second unit).

    Raises
    ------
    ValueError
        If conditions differ in number, or a unit answers to all of them alike.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} conditions against {len(second)}; they must be as many.")
    scaled = []
    for patterns in (first, second):
        centred = patterns - np.mean(patterns, axis=0, dtype=np.float64)
        size = np.linalg.norm(centred, axis=0)
        if not (np.ptp(patterns, axis=0) > 0).all():
            raise ValueError("a unit answers to all conditions alike, so that it has no tuning.")
        scaled.append(centred / size)
    return np.asarray(scaled[0].T @ scaled[1])


def one_to_one(correlation: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of units with the largest sum of correlations (Hungarian method): rows, columns."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(correlation, maximize=True)
    return np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)


def soft_shares(correlation: Floats) -> Floats:
    """How much of each unit goes to each other at best, all units of a side alike; sums to 1.

    Optimal transport: of equal numbers by the Hungarian method, of unequal ones by linear
    programming up to :data:`EXACT_UP_TO` pairs of units, and softened by entropy beyond, where it
    takes a second for thousands of units.
    """
    n_first, n_second = correlation.shape
    if n_first == n_second:  # a one-to-one match is a best one
        shares = np.zeros((n_first, n_second))
        shares[one_to_one(correlation)] = 1 / n_first
        return shares
    if correlation.size > EXACT_UP_TO:
        return softened_shares(correlation)
    return _exact_shares(correlation)


def softened_shares(correlation: Floats) -> Floats:
    """Shares with :data:`SOFTNESS` times their entropy to gain (Sinkhorn's scaling in turn)."""
    n_first, n_second = correlation.shape
    # The best of each row and column is out of the exponent, so that none of them vanishes.
    gain = correlation - correlation.max(axis=1, keepdims=True)
    gain = gain - gain.max(axis=0)
    kernel = np.exp(gain / SOFTNESS) + np.finfo(np.float64).tiny
    row, column = np.ones(n_first), np.ones(n_second)
    for _ in range(MOST_ROUNDS):
        row = 1 / (n_first * (kernel @ column))
        reached = column * (row @ kernel)
        if np.abs(reached * n_second - 1).max() < SETTLED:
            break
        column = column / (n_second * reached)
    shares = row[:, None] * kernel * column
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _exact_shares(correlation: Floats) -> Floats:
    """Shares by linear programming."""
    from scipy.optimize import linprog
    from scipy.sparse import eye, kron, vstack

    n_first, n_second = correlation.shape
    of_row = kron(eye(n_first), np.ones((1, n_second)), format="csr")
    of_column = kron(np.ones((1, n_first)), eye(n_second), format="csr")
    solved = linprog(
        -correlation.ravel(),
        A_eq=vstack([of_row, of_column], format="csr"),
        b_eq=np.r_[np.full(n_first, 1 / n_first), np.full(n_second, 1 / n_second)],
        bounds=(0, None),
        method="highs",
    )
    if solved.x is None:
        raise ValueError(f"units could not be shared out: {solved.message}")
    return np.asarray(solved.x, dtype=np.float64).reshape(n_first, n_second)


def match_units(first: Halves, second: Halves, orders: NDArray[np.int64]) -> UnitMatch:
    """Match units in one half of the repeats and score the match in the other.

    Parameters
    ----------
    first, second
        Patterns of the two populations over the same conditions, in both halves.
    orders
        Orders of the second population's conditions under the null, without the identity and alike
        in both halves, shape (draw, condition).
    """
    halves = _correlations(first, second)
    fewer = _fewer(first, second)
    drawn = np.full((1 + len(orders), 2), np.nan)
    for row, order in zip(drawn, [np.arange(len(first[0])), *orders], strict=True):
        moved = _correlations(first, (second[0][order], second[1][order]))
        row[0] = _held_out(moved, _hard)
        turned = fewer[1][0][order], fewer[1][1][order]
        row[1] = _held_out(_correlations(fewer[0], turned), _soft)
    p = (drawn >= drawn[0] - 1e-12).mean(axis=0)
    matched = [np.zeros(half.shape, dtype=bool) for half in halves]
    for half, match in zip(halves, matched, strict=True):
        match[one_to_one(half)] = True
    smaller = min(halves[0].shape)
    mean = halves[0] + halves[1]
    best = (mean == mean.max(axis=0)) & (mean == mean.max(axis=1, keepdims=True))
    return UnitMatch(
        correlation=float(drawn[0, 0]),
        soft_correlation=float(drawn[0, 1]),
        reproducible=float((matched[0] & matched[1]).sum() / smaller),
        mutual=float(min(best.sum() / smaller, 1)),
        chance=float(drawn[1:, 0].mean()) if len(orders) else float("nan"),
        soft_chance=float(drawn[1:, 1].mean()) if len(orders) else float("nan"),
        p=float(p[0]),
        soft_p=float(p[1]),
    )


def held_out_correlation(first: Halves, second: Halves) -> float:
    """Mean correlation in one half of units that are matched one to one in the other."""
    return _held_out(_correlations(first, second), _hard)


def shared_correlation(first: Halves, second: Halves) -> float:
    """The same of units that are shared out."""
    return _held_out(_correlations(*_fewer(first, second)), _soft)


def _fewer(first: Halves, second: Halves) -> tuple[Halves, Halves]:
    """Both populations, with an even choice of units where there are too many of unequal number."""
    if first[0].shape[1] == second[0].shape[1]:
        return first, second
    one, other = (
        tuple(half[:, _even_choice(half.shape[1])] for half in side) for side in (first, second)
    )
    return (one[0], one[1]), (other[0], other[1])


def _even_choice(count: int) -> NDArray[np.int64]:
    """Places of at most :data:`MOST_SHARED` of so many units, evenly spread over their order."""
    kept = min(count, MOST_SHARED)
    return np.arange(kept) * count // kept


def _correlations(first: Halves, second: Halves) -> tuple[Floats, Floats]:
    return tuning_correlation(first[0], second[0]), tuning_correlation(first[1], second[1])


def _held_out(halves: tuple[Floats, Floats], score: Callable[[Floats, Floats], float]) -> float:
    """Mean of both ways of the halves."""
    return (score(*halves) + score(*halves[::-1])) / 2


def _hard(chosen: Floats, other: Floats) -> float:
    return float(other[one_to_one(chosen)].mean())


def _soft(chosen: Floats, other: Floats) -> float:
    return float((soft_shares(chosen) * other).sum())
