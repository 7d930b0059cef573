"""Ranks and concordance of weighted values, in compiled loops.

Weights are how often a value is drawn: ranks and counts are those of the drawn sample, which need
not be built.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled

Floats = NDArray[np.float64]


def dense_codes(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Place of each value among the distinct ones of its row, from 0; shape (row, entry)."""
    ordered = np.sort(values, axis=-1)
    codes = np.empty(values.shape, dtype=np.int64)
    for row, line in enumerate(ordered):
        distinct = line[np.r_[True, line[1:] != line[:-1]]]
        codes[row] = np.searchsorted(distinct, values[row])
    return codes


def weighted_ranks(codes: NDArray[np.int64], weights: NDArray[np.floating]) -> Floats:
    """Average ranks, from 1, of values drawn as often as weights say.

    Parameters
    ----------
    codes
        Dense codes, shape (row, entry), from :func:`dense_codes`.
    weights
        Whole numbers, shape (draw, entry).

    Returns
    -------
    Shape (draw, row, entry). Entries of weight 0 get the rank they would share or stand before.
    """
    return _weighted_ranks(np.ascontiguousarray(codes), _rows(weights))


def tied_pairs(codes: NDArray[np.int64], weights: NDArray[np.floating]) -> Floats:
    """How many pairs of drawn values are equal; copies of an entry are.

    Parameters
    ----------
    codes
        Dense codes, shape (row, entry), from :func:`dense_codes`.
    weights
        Whole numbers, shape (draw, entry).

    Returns
    -------
    Shape (draw, row).
    """
    tied = np.empty((len(weights), len(codes)))
    for row, code in enumerate(codes):
        for draw, weight in enumerate(weights):
            drawn = np.bincount(code, weight)
            tied[draw, row] = (drawn * (drawn - 1)).sum() / 2
    return tied


def concordance(
    first: NDArray[np.int64], second: NDArray[np.int64], weights: NDArray[np.floating]
) -> Floats:
    """Concordant less discordant pairs of entries of each row with each row, under weights.

    Parameters
    ----------
    first, second
        Dense codes, shapes (first, entry) and (second, entry).
    weights
        Shape (draw, entry); a pair of entries counts the product of its weights.

    Returns
    -------
    Shape (draw, first, second).
    """
    order = np.argsort(first, axis=-1, kind="stable")
    return _concordance(
        np.ascontiguousarray(first), order, np.ascontiguousarray(second), _rows(weights)
    )


def _rows(weights: NDArray[np.floating]) -> Floats:
    return np.ascontiguousarray(weights, dtype=np.float64)


@compiled
def _weighted_ranks(codes: NDArray[np.int64], weights: Floats) -> Floats:
    """Each code's share of the sample, summed up over lower codes."""
    n_rows, n_entries = codes.shape
    ranks = np.empty((weights.shape[0], n_rows, n_entries))
    share = np.empty(n_entries)
    for draw in range(weights.shape[0]):
        for row in range(n_rows):
            n_codes = 0
            for entry in range(n_entries):
                if codes[row, entry] >= n_codes:
                    n_codes = codes[row, entry] + 1
            share[:n_codes] = 0.0
            for entry in range(n_entries):
                share[codes[row, entry]] += weights[draw, entry]
            below = 0.0
            for code in range(n_codes):
                here = share[code]
                share[code] = below + (here + 1.0) / 2.0
                below += here
            for entry in range(n_entries):
                ranks[draw, row, entry] = share[codes[row, entry]]
    return ranks


@compiled
def _concordance(
    first: NDArray[np.int64],
    order: NDArray[np.int64],
    second: NDArray[np.int64],
    weights: Floats,
) -> Floats:
    """Weights of lower and higher earlier entries, from a tree of sums over codes."""
    n_entries = first.shape[1]
    result = np.empty((weights.shape[0], first.shape[0], second.shape[0]))
    tree = np.empty(n_entries + 1)
    for draw in range(weights.shape[0]):
        for row in range(first.shape[0]):
            for other in range(second.shape[0]):
                tree[:] = 0.0
                total, met, start = 0.0, 0.0, 0
                while start < n_entries:
                    stop = start
                    code = first[row, order[row, start]]
                    # Entries tied in the first row see those before the tie, not one another.
                    while stop < n_entries and first[row, order[row, stop]] == code:
                        entry = order[row, stop]
                        if weights[draw, entry] != 0.0:
                            place = second[other, entry]
                            lower, position = 0.0, place
                            while position > 0:
                                lower += tree[position]
                                position -= position & -position
                            upto, position = 0.0, place + 1
                            while position > 0:
                                upto += tree[position]
                                position -= position & -position
                            total += weights[draw, entry] * (lower - (met - upto))
                        stop += 1
                    for index in range(start, stop):
                        entry = order[row, index]
                        if weights[draw, entry] != 0.0:
                            met += weights[draw, entry]
                            position = second[other, entry] + 1
                            while position <= n_entries:
                                tree[position] += weights[draw, entry]
                                position += position & -position
                    start = stop
                result[draw, row, other] = total
    return result
