"""Dissimilarities of all pairs of items: condensed and square form, average ranks.

A condensed vector holds the upper triangle row by row: pairs (0, 1), (0, 2), ..., (n-2, n-1). All
functions work along the last axis (condensed) or the last two (square) and take any leading ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SQUARE_TOLERANCE = 1e-8
"""How far a square form may be from symmetric with a zero diagonal, relative to its largest."""


def n_items(n_pairs: int) -> int:
    """Number of items that have so many pairs.

    Raises
    ------
    ValueError
        If no number of items has so many.
    """
    n = (1 + math.isqrt(1 + 8 * n_pairs)) // 2
    if n * (n - 1) // 2 != n_pairs:
        raise ValueError(f"{n_pairs} is not the number of pairs of any number of items.")
    return n


def squared_form(condensed: NDArray[np.floating]) -> Floats:
    """Symmetric matrices with a zero diagonal, shape (..., item, item), of (..., pair)."""
    n = n_items(condensed.shape[-1])
    first, second = np.triu_indices(n, 1)
    square = np.zeros((*condensed.shape[:-1], n, n))
    square[..., first, second] = square[..., second, first] = condensed
    return square


def condensed_form(square: NDArray[np.floating]) -> Floats:
    """Upper triangles, shape (..., pair), of matrices (..., item, item).

    Raises
    ------
    ValueError
        If a matrix is not square, not symmetric or has entries on its diagonal. Entries may be
        missing (NaN) where their mirror image is too.
    """
    if square.ndim < 2 or square.shape[-1] != square.shape[-2]:
        raise ValueError(f"dissimilarities have shape {square.shape}, which is not square.")
    allowed = SQUARE_TOLERANCE * np.max(np.abs(square), initial=0, where=np.isfinite(square))
    diagonal = np.diagonal(square, axis1=-2, axis2=-1)
    if not np.all(np.abs(diagonal) <= allowed):
        raise ValueError("dissimilarities have entries on the diagonal that are not zero.")
    mirrored = np.swapaxes(square, -1, -2)
    if not np.allclose(square, mirrored, rtol=0, atol=allowed, equal_nan=True):
        raise ValueError("dissimilarities are not symmetric.")
    first, second = np.triu_indices(square.shape[-1], 1)
    return np.asarray(square[..., first, second], dtype=np.float64)


def average_ranks(values: NDArray[np.floating]) -> Floats:
    """Ranks from 1 along the last axis; equal values share their mean rank.

    Missing values (NaN) stay missing and do not count; infinities are values like others.
    """
    from scipy.stats import rankdata

    if not values.size:
        return np.zeros(values.shape)
    ranks = np.asarray(rankdata(values, axis=-1, nan_policy="propagate"), dtype=np.float64)
    missing = np.isnan(values)
    if missing.any():
        # NaN sorts behind everything, so that the ranks of the others are what they should be.
        filled = np.where(missing, np.inf, values)
        tied = missing | np.isposinf(values)
        ranks = np.asarray(rankdata(filled, axis=-1), dtype=np.float64)
        n_missing = missing.sum(axis=-1, keepdims=True)
        ranks = np.where(tied, ranks - n_missing / 2, ranks)
        ranks[missing] = np.nan
    return ranks


def tied_share(values: NDArray[np.floating]) -> Floats:
    """Share of values, along the last axis, that some other value equals."""
    ordered = np.sort(values, axis=-1)
    same = np.diff(ordered, axis=-1) == 0
    edge = np.zeros((*values.shape[:-1], 1), dtype=bool)
    tied = np.concatenate([edge, same], axis=-1) | np.concatenate([same, edge], axis=-1)
    return np.asarray(tied.sum(axis=-1) / np.maximum(1, (~np.isnan(values)).sum(axis=-1)))
