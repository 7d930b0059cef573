"""Similarity of vectors of dissimilarities when items are drawn with replacement.

A pair of items counts as often as both were drawn together, and pairs of two copies of one item
do not count: all follows from weights, and nothing is gathered or built anew. Each draw's numbers
are those of :func:`~pipeline.numerics.similarity.compare` on the drawn pairs. Bures similarity
alone needs all pairs: there copies of an item lie at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.dissimilarity import Floats, n_items, squared_form
from pipeline.numerics.ranks import concordance, dense_codes, tied_pairs, weighted_ranks
from pipeline.numerics.similarity import moment_similarity, whitened_moments

Resampled = Literal[
    "cosine",
    "corr",
    "spearman",
    "rho_a",
    "tau_a",
    "tau_b",
    "whitened_cosine",
    "whitened_corr",
    "bures",
]
RESAMPLED: tuple[Resampled, ...] = get_args(Resampled)

BLOCK_BYTES = 64 * 2**20
"""About how much memory the weighted vectors of one block of draws take."""

NO_VARIANCE = 1e-10
"""Share of its own size below which a sum of squares is rounding."""


def compare_resampled(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    measure: Resampled,
    counts: NDArray[np.integer],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Floats:
    """Compare each of some vectors with each of others in every draw of items.

    Parameters
    ----------
    first, second
        Complete condensed dissimilarities, shape (vector, pair).
    measure
        Whitened measures are those of items with equal, independent noise, copies included.
    counts
        How often each item was drawn, shape (draw, item).

    Returns
    -------
    Shape (draw, first, second); NaN where a drawn vector has nothing to compare.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is missing or infinite, or the measure is not offered here.
    """
    one: Floats = np.asarray(first, dtype=np.float64)
    other: Floats = np.asarray(second, dtype=np.float64)
    if measure not in RESAMPLED:
        raise ValueError(f"'{measure}' is none of the measures {', '.join(RESAMPLED)}.")
    if one.shape[1] != other.shape[1] or counts.shape[1] != n_items(one.shape[1]):
        raise ValueError(
            f"vectors of shapes {one.shape} and {other.shape}, items of shape {counts.shape}."
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("dissimilarities are missing or infinite; draws need all of them.")
    drawn = np.asarray(counts, dtype=np.float64)
    found = np.empty((len(drawn), len(one), len(other)))
    vectors = min(len(one), len(other)) + 1
    if measure in ("spearman", "rho_a"):
        vectors = len(one) + len(other)
    step = max(1, block_bytes // (8 * max(one.shape[1], drawn.shape[1] ** 2) * vectors))
    left, right = np.triu_indices(drawn.shape[1], 1)
    for start in range(0, len(drawn), step):
        items = drawn[start : start + step]
        weights = items[:, left] * items[:, right]
        block = found[start : start + step]
        if measure in ("spearman", "rho_a"):
            block[:] = _of_ranks(one, other, weights, scaled=measure == "spearman")
        elif measure in ("tau_a", "tau_b"):
            block[:] = _kendall(one, other, weights, corrected=measure == "tau_b")
        elif measure == "bures":
            block[:] = _bures(one, other, items)
        else:
            block[:] = products(one, other, measure, items, weights).similarity()
    return found


def without_scale(
    vectors: NDArray[np.floating], measure: Resampled, count: NDArray[np.integer]
) -> Floats:
    """Vectors less what a measure ignores, in one draw of items, so that they can be averaged.

    As :func:`~pipeline.numerics.similarity.pooled` has it before it takes the mean.

    Parameters
    ----------
    vectors
        Complete condensed dissimilarities, shape (vector, pair).
    count
        How often each item was drawn, shape (item,).

    Returns
    -------
    Shape (vector, pair); values of pairs that were not drawn mean nothing. NaN for vectors without
    a scale.
    """
    left, right = np.triu_indices(count.size, 1)
    weight = np.asarray(count, dtype=np.float64)[left] * count[right]
    values: Floats = np.asarray(vectors, dtype=np.float64)
    if measure in ("spearman", "rho_a", "tau_a", "tau_b"):
        return np.asarray(weighted_ranks(dense_codes(values), weight[None])[0])
    total = weight.sum()
    if measure in ("corr", "whitened_corr"):
        values = values - (values @ weight / total)[:, None]
    size = np.sqrt(np.square(values) @ weight / total)
    return np.asarray(values / np.where(size > 0, size, np.nan)[:, None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Products:
    """Inner products of vectors under a measure, one table a draw.

    Attributes
    ----------
    inner
        Shape (draw, first, second).
    squares
        Of each side with itself, shapes (draw, first) and (draw, second).
    sizes
        What squares are rounding beside, same shapes.
    """

    inner: Floats
    squares: tuple[Floats, Floats]
    sizes: tuple[Floats, Floats]

    def roots(self) -> tuple[Floats, Floats]:
        """Lengths of the vectors of each side; NaN where a square is rounding of its size."""
        one, other = (
            np.sqrt(np.where(square > NO_VARIANCE * size, square, np.nan))
            for square, size in zip(self.squares, self.sizes, strict=True)
        )
        return one, other

    def similarity(self) -> Floats:
        """Inner products over both lengths, shape (draw, first, second)."""
        one, other = self.roots()
        return np.asarray(self.inner / one[:, :, None] / other[:, None, :])


def products(
    one: Floats, other: Floats, measure: Resampled, items: Floats, weights: Floats
) -> Products:
    """Inner products behind cosines and correlations, whitened or not.

    Parameters
    ----------
    one, other
        Complete condensed dissimilarities, shape (vector, pair).
    items, weights
        How often each item and each pair was drawn, shapes (draw, item) and (draw, pair).
    """
    if measure.startswith("whitened"):
        return _whitened(one, other, items, weights, centred=measure == "whitened_corr")
    return _plain(one, other, weights, centred=measure == "corr")


def _inner(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Weighted inner products of each with each, shape (draw, first, second)."""
    if len(one) > len(other):
        return np.swapaxes(_inner(other, one, weights), 1, 2)
    heavy = np.multiply(weights[:, None, :], one, order="C").reshape(-1, one.shape[1])
    return np.asarray((heavy @ other.T).reshape(len(weights), len(one), len(other)))


def _plain(one: Floats, other: Floats, weights: Floats, *, centred: bool) -> Products:
    """Of cosine, or of correlation where ``centred``."""
    if centred:  # a shift changes nothing and keeps digits
        one, other = (side - side.mean(axis=1, keepdims=True) for side in (one, other))
    inner = _inner(one, other, weights)
    squares = tuple(weights @ np.square(side).T for side in (one, other))
    sizes = tuple(np.where(square > 0, 0.0, 1.0) for square in squares)
    if centred:
        total = weights.sum(axis=1)
        total = np.where(total > 0, total, np.nan)
        sums = [weights @ side.T for side in (one, other)]
        inner = inner - sums[0][:, :, None] * sums[1][:, None, :] / total[:, None, None]
        sizes = squares
        squares = tuple(
            square - np.square(side) / total[:, None]
            for square, side in zip(squares, sums, strict=True)
        )
    return Products(inner=inner, squares=(squares[0], squares[1]), sizes=(sizes[0], sizes[1]))


def _of_ranks(one: Floats, other: Floats, weights: Floats, *, scaled: bool) -> Floats:
    """Spearman's correlation where ``scaled``, else rho-a."""
    total = weights.sum(axis=1)
    middle = ((total + 1) / 2)[:, None, None]
    ranks = [weighted_ranks(dense_codes(side), weights) - middle for side in (one, other)]
    inner = (ranks[0] * weights[:, None]) @ np.swapaxes(ranks[1], 1, 2)
    squares = [np.einsum("bap,bap,bp->ba", side, side, weights) for side in ranks]
    sizes = (np.where(squares[0] > 0, 0.0, 1.0), np.where(squares[1] > 0, 0.0, 1.0))
    found = Products(inner=inner, squares=(squares[0], squares[1]), sizes=sizes).similarity()
    if scaled:
        return found
    every = (total**3 - total)[:, None, None]
    return np.asarray(np.where(np.isnan(found), np.nan, 12 * inner / np.where(every, every, 1)))


def _kendall(one: Floats, other: Floats, weights: Floats, *, corrected: bool) -> Floats:
    """Kendall's tau-a, or tau-b where ``corrected`` for ties: copies of a pair are ties."""
    total = weights.sum(axis=1)[:, None]
    every = total * (total - 1) / 2
    codes = [dense_codes(side) for side in (one, other)]
    untied = [every - tied_pairs(code, weights) for code in codes]
    known = (untied[0] > 0)[:, :, None] & (untied[1] > 0)[:, None, :]
    scale = np.broadcast_to(every[:, :, None], known.shape)
    if corrected:
        scale = np.sqrt(untied[0][:, :, None] * untied[1][:, None, :])
    inner = concordance(codes[0], codes[1], weights)
    return np.asarray(inner / np.where(known, scale, np.nan))


def _bures(one: Floats, other: Floats, items: Floats) -> Floats:
    """Bures similarity of drawn items: one drawn m times weighs m, as if its noise were 1 / m."""
    found = np.empty((len(items), len(one), len(other)))
    for place, count in enumerate(items):
        there = np.flatnonzero(count)
        pairs = np.outer(count, count)[np.triu_indices(count.size, 1)] > 0
        moments = [
            whitened_moments(side[:, pairs], noise=1 / count[there]).reshape(
                -1, there.size, there.size
            )
            for side in (one, other)
        ]
        found[place] = moment_similarity(moments[0], moments[1])[0]
    return found


def _whitened(
    one: Floats, other: Floats, items: Floats, weights: Floats, *, centred: bool
) -> Products:
    """Of the whitened cosine of drawn pairs, or correlation where ``centred``.

    Under the inverse covariance of the pairs that are there, the inner product of two vectors is
    that of what a sum of one number for each item cannot explain, where each item's distance to
    itself, 0, is explained too. The numbers are those of a small system of equations, whose matrix
    a draw's counts give.
    """
    system = _system(items)
    if not centred:
        inner = _explained_away(one, other, system, items, weights)
        own = [_own_products(side, system, items, weights) for side in (one, other)]
        squares = (own[0][:, :, 0], own[1][:, :, 0])
        sizes = (np.where(squares[0] > 0, 0.0, 1.0), np.where(squares[1] > 0, 0.0, 1.0))
        return Products(inner=inner, squares=squares, sizes=sizes)
    # The mean of the drawn pairs goes from each vector; a vector of ones follows along.
    ones = np.ones((1, one.shape[1]))
    total = np.where(weights.any(axis=1), weights.sum(axis=1), np.nan)
    means = [(weights @ side.T) / total[:, None] for side in (one, other)]
    sides = [np.vstack([side, ones]) for side in (one, other)]
    made = _explained_away(sides[0], sides[1], system, items, weights)
    own = [_own_products(side, system, items, weights) for side in sides]
    inner = (
        made[:, :-1, :-1]
        - means[0][:, :, None] * made[:, -1:, :-1]
        - means[1][:, None, :] * made[:, :-1, -1:]
        + means[0][:, :, None] * means[1][:, None, :] * made[:, -1:, -1:]
    )
    centred_squares = [
        square[:, :-1, 0] - 2 * mean * square[:, :-1, 1] + np.square(mean) * square[:, -1:, 0]
        for square, mean in zip(own, means, strict=True)
    ]
    return Products(
        inner=inner,
        squares=(centred_squares[0], centred_squares[1]),
        sizes=(own[0][:, :-1, 0], own[1][:, :-1, 0]),
    )


def _item_sums(side: Floats, items: Floats) -> Floats:
    """Twice each item's drawn sum of dissimilarities, times its count, (draw, vector, item)."""
    square = squared_form(side)
    flat = square.reshape(-1, items.shape[1])
    sums = (items @ flat.T).reshape(len(items), *square.shape[:2])
    return np.asarray(2 * items[:, None, :] * sums)


def _system(items: Floats) -> Floats:
    """Matrix of the equations of what sums of one number for each item explain, inverted."""
    total = items.sum(axis=1, keepdims=True)
    matrix = 2 * items[:, :, None] * items[:, None, :]
    place = np.arange(items.shape[1])
    matrix[:, place, place] = 2 * items * (total - items) + 4 * items
    matrix[:, place, place] += items == 0
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _explained_away(
    one: Floats, other: Floats, system: Floats, items: Floats, weights: Floats
) -> Floats:
    """Inner products of what is left, shape (draw, first, second)."""
    sums = [_item_sums(side, items) for side in (one, other)]
    explained = (sums[0] @ system) @ np.swapaxes(sums[1], 1, 2)
    return np.asarray(2 * _inner(one, other, weights) - explained)


def _own_products(side: Floats, system: Floats, items: Floats, weights: Floats) -> Floats:
    """Inner product of each vector with itself and with the last, shape (draw, vector, 2)."""
    sums = _item_sums(side, items)
    half = sums @ system
    itself = 2 * weights @ np.square(side).T - (half * sums).sum(axis=2)
    last = 2 * weights @ (side * side[-1]).T - (half * sums[:, -1:]).sum(axis=2)
    return np.stack([itself, last], axis=2)
