"""Units of two populations that answer alike: convergent learning.

Units are matched by their tuning over the same conditions in one half of the repeats, and the
match is scored in the other half, so that a match of noise scores nothing.

Sources: Li, Yosinski, Clune, Lipson & Hopcroft (2016), ICLR; Khosla & Williams (2024) (soft
matching).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Halves = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Patterns from two halves of the repeats, each (condition, unit)."""


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
    p, soft_p
        Of the two correlations, when conditions of the second population are shuffled.
    """

    correlation: float
    soft_correlation: float
    reproducible: float
    mutual: float
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

    Optimal transport by linear programming: exact, for some hundreds of units a side.
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye, kron, vstack

    n_first, n_second = correlation.shape
    if n_first == n_second:  # a one-to-one match is a best one
        shares = np.zeros((n_first, n_second))
        shares[one_to_one(correlation)] = 1 / n_first
        return shares
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


def match_units(
    first: Halves, second: Halves, n_shuffles: int, rng: np.random.Generator
) -> UnitMatch:
    """Match units in one half of the repeats and score the match in the other.

    Parameters
    ----------
    first, second
        Patterns of the two populations over the same conditions, in both halves.
    n_shuffles
        Shuffles of the second population's conditions, alike in both halves.
    """
    seen, reproducible, mutual = _scores(first, second)
    count = len(second[0])
    null = np.zeros((n_shuffles, 2))
    for row in null:
        order = rng.permutation(count)
        row[:] = _scores(first, (second[0][order], second[1][order]))[0]
    beyond = (null >= seen - 1e-12).sum(axis=0)
    p = (1 + beyond) / (1 + n_shuffles)
    return UnitMatch(
        correlation=float(seen[0]),
        soft_correlation=float(seen[1]),
        reproducible=reproducible,
        mutual=mutual,
        p=float(p[0]),
        soft_p=float(p[1]),
    )


def _scores(first: Halves, second: Halves) -> tuple[Floats, float, float]:
    """Held-out correlations (hard, soft), share of equal partners, share of mutual ones."""
    halves = [tuning_correlation(a, b) for a, b in zip(first, second, strict=True)]
    held_out = []
    for chosen, other in (halves, halves[::-1]):
        hard = other[one_to_one(chosen)].mean()
        held_out.append((hard, (soft_shares(chosen) * other).sum()))
    matched = [np.zeros(half.shape, dtype=bool) for half in halves]
    for half, match in zip(halves, matched, strict=True):
        match[one_to_one(half)] = True
    smaller = min(halves[0].shape)
    mean = halves[0] + halves[1]
    best = (mean == mean.max(axis=0)) & (mean == mean.max(axis=1, keepdims=True))
    same = float((matched[0] & matched[1]).sum() / smaller)
    return np.mean(held_out, axis=0), same, float(min(best.sum() / smaller, 1))
