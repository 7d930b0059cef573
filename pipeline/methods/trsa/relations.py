"""Correlations of dissimilarities, and what they are worth when conditions are shuffled.

Labels of conditions may only be permuted where conditions are exchangeable. Along an order, in
which neighbours are alike by nature, any two smooth matrices correlate; there the null is made of
shifts, and on a line the mean of each lag is taken out first.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.words import counted
from pipeline.numerics.dissimilarity import Floats, average_ranks, squared_form
from pipeline.numerics.permutation import p_values

Order = Literal["none", "linear", "circular"]

ENUMERATED = 6
"""Up to so many conditions all permutations are tried."""

LEAST_SHIFTED = 20
"""Conditions that shifts need, as the smallest p is 1 / conditions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relation:
    """Correlation of each of some matrices with each of others, and its p."""

    correlation: Floats
    """Rank correlation, shape (first, second)."""
    p: Floats
    """One-sided; NaN where there is no fair null."""


def why_no_null(order: Order, n_conditions: int, smoothness: float) -> str:
    """Why shuffles of conditions are no fair null; empty where they are.

    Parameters
    ----------
    smoothness
        As :func:`smooth_steps` gives it.
    """
    if order == "none":
        return ""
    if n_conditions < LEAST_SHIFTED:
        return (
            f"{n_conditions} conditions in one order allow {counted(n_conditions - 1, 'shift')}; "
            f"a test needs {LEAST_SHIFTED} conditions"
        )
    if order == "linear" and smoothness > n_conditions / 6:
        return "neighbouring conditions are alike over too much of their order"
    return ""


def condition_orders(
    n_conditions: int, order: Order, n_draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Orders of conditions under the null, shape (draw, condition).

    Permutations, all but the identity where there are few; or all shifts, where neighbours are
    alike.
    """
    whole = np.arange(n_conditions)
    if order != "none":
        return np.stack([np.roll(whole, shift) for shift in range(1, n_conditions)])
    if n_conditions <= ENUMERATED and math.factorial(n_conditions) - 1 <= n_draws:
        return np.array(list(itertools.permutations(whole))[1:])
    return np.stack([rng.permutation(n_conditions) for _ in range(n_draws)])


def relate(
    first: Floats, second: Floats, orders: NDArray[np.int64], order: Order = "none"
) -> Relation:
    """Mean rank correlation over splits, and how often a shuffled one is as large.

    Parameters
    ----------
    first, second
        Dissimilarities from disjoint data, shape (split, matrix, pair), complete.
    orders
        As :func:`condition_orders` gives them; all matrices of ``second`` are shuffled.
    order
        On a line the mean of each lag is taken out of the ranks.
    """
    one, other = (rank_scores(rows, order) for rows in (first, second))
    n_splits = len(one)
    flat = np.moveaxis(one, 1, 0).reshape(one.shape[1], -1)

    def correlation(index: NDArray[np.int64] | slice) -> Floats:
        moved = np.moveaxis(other[:, :, index], 1, 0).reshape(other.shape[1], -1)
        return np.asarray(flat @ moved.T) / n_splits

    observed = correlation(slice(None))
    null = np.stack([correlation(index) for index in pair_orders(orders)])
    return Relation(correlation=observed, p=p_values(observed, null))


def similarity_p(
    dissimilarities: Floats,
    recording: NDArray[np.str_],
    orders: NDArray[np.int64],
    order: Order = "none",
) -> Floats:
    """P of the rank correlation of each two populations, as conditions of one are shuffled.

    Parameters
    ----------
    dissimilarities
        Shape (population, pair).
    recording
        Of each population. Populations of one recording share the noise of single trials, which
        shuffles do not have, and get no p here.
    orders, order
        As of :func:`relate`.

    Returns
    -------
    Symmetric, shape (population, population); NaN without a p, as on the diagonal.
    """
    count = len(dissimilarities)
    complete = np.isfinite(dissimilarities).all(axis=1)
    scored = np.full(dissimilarities.shape, np.nan)
    scored[complete] = rank_scores(dissimilarities[complete], order)
    known = np.flatnonzero(np.isfinite(scored).all(axis=1))
    scored = scored[known]
    observed = scored @ scored.T
    reached = np.ones(observed.shape)  # the data among the shuffles
    for index in pair_orders(orders):
        reached += scored @ scored[:, index].T >= observed - 1e-12
    found = np.full((count, count), np.nan)
    found[np.ix_(known, known)] = reached / (1 + len(orders))
    upper = np.triu_indices(count, 1)
    found[upper[1], upper[0]] = found[upper]  # shuffles of either are the same null
    found[recording[:, None] == recording] = np.nan
    return found


def pair_orders(orders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of pairs after conditions were put in another order, shape (draw, pair)."""
    n = orders.shape[1]
    first, second = np.triu_indices(n, 1)
    place = np.zeros((n, n), dtype=np.int64)
    place[first, second] = place[second, first] = np.arange(first.size)
    return place[orders[:, first], orders[:, second]]


def smooth_steps(dissimilarities: Floats) -> float:
    """Over how many steps neighbours stay alike: where the autocorrelation falls to 1/e.

    Of the conditions' patterns, as squared distances tell it; infinite where it never does.

    Parameters
    ----------
    dissimilarities
        Squared distances, shape (pair,).
    """
    square = squared_form(np.where(np.isnan(dissimilarities), 0, dissimilarities))
    centred = square - square.mean(axis=0) - square.mean(axis=1)[:, None] + square.mean()
    products = -centred / 2
    own = np.trace(products) / len(products)
    if own <= 0:
        return 0.0
    for lag in range(1, len(products)):
        if np.diagonal(products, lag).mean() / own <= 1 / math.e:
            return float(lag)
    return math.inf


def rank_scores(rows: Floats, order: Order = "none") -> Floats:
    """Ranks of mean 0 and length 1, on a line less the mean of each lag; shape as given."""
    ranks = average_ranks(rows)
    if order == "linear":
        n = (1 + math.isqrt(1 + 8 * rows.shape[-1])) // 2
        first, second = np.triu_indices(n, 1)
        for lag in range(1, n):
            there = second - first == lag
            ranks[..., there] -= ranks[..., there].mean(axis=-1, keepdims=True)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    return np.asarray(ranks / np.where(length > 0, length, np.nan))
