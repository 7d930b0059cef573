"""Similarity of vectors of dissimilarities with means over others, under resampling.

What a lower noise ceiling is made of: each vector against the mean of those of other subjects, in
every draw of items and of subjects. Where a measure is an inner product, those of means follow
from those of the vectors, and no mean is built; means of ranks are sums of whole numbers, which
are sorted in linear time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled
from pipeline.numerics.dissimilarity import Floats
from pipeline.numerics.ranks import dense_codes, weighted_ranks
from pipeline.numerics.resampled import (
    BLOCK_BYTES,
    NO_VARIANCE,
    Resampled,
    compare_resampled,
    products,
    without_scale,
)


def compare_with_means(
    vectors: NDArray[np.floating],
    measure: Resampled,
    counts: NDArray[np.integer],
    weights: NDArray[np.floating],
    others: NDArray[np.bool_],
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Floats:
    """Compare each vector with the mean of some others, after what the measure ignores.

    Parameters
    ----------
    vectors
        Complete condensed dissimilarities, shape (vector, pair).
    counts
        How often each item was drawn, shape (draw, item).
    weights
        How often each vector was drawn, whole numbers, some ways for each draw of items, shape
        (draw, way, vector).
    others
        Which vectors the mean is over that each vector is held against, of some kinds, shape
        (kind, vector, vector).

    Returns
    -------
    Shape (draw, way, kind, vector); NaN where no other was drawn, or where there is nothing to
    compare.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    found = np.empty((*weights.shape[:2], len(others), len(rows)))
    largest = max(rows.shape[1], counts.shape[1] ** 2)
    step = max(1, block_bytes // (8 * largest * (len(rows) + 1)))
    for start in range(0, len(counts), step):
        block = slice(start, start + step)
        if measure in ("spearman", "rho_a"):
            found[block] = _of_ranks(rows, measure, counts[block], weights[block], others)
        elif measure in ("tau_a", "tau_b", "bures"):
            found[block] = _one_by_one(rows, measure, counts[block], weights[block], others)
        else:
            found[block] = _of_products(rows, measure, counts[block], weights[block], others)
    return found


def _pair_weights(counts: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """How often each item and each pair was drawn."""
    items = np.asarray(counts, dtype=np.float64)
    left, right = np.triu_indices(items.shape[1], 1)
    return items, items[:, left] * items[:, right]


def _of_products(
    rows: Floats,
    measure: Resampled,
    counts: NDArray[np.integer],
    weights: NDArray[np.floating],
    others: NDArray[np.bool_],
) -> Floats:
    """Cosines and correlations, from inner products of the vectors."""
    items, drawn = _pair_weights(counts)
    made = products(rows, rows, measure, items, drawn)
    lengths = made.roots()[0]
    # Means are of vectors of unit size: whitened measures weigh them by their plain one.
    size = lengths
    if measure.startswith("whitened"):
        plain = products(rows, rows, "corr" if measure.endswith("corr") else "cosine", items, drawn)
        size = plain.roots()[0]
    shares = np.where(others, weights[:, :, None, None, :], 0.0)
    with np.errstate(invalid="ignore"):
        shares = np.where(shares > 0, shares / size[:, None, None, None, :], 0.0)
    of_mean = shares @ made.inner[:, None, None]
    along = np.diagonal(of_mean, axis1=-2, axis2=-1)
    square = (of_mean * shares).sum(axis=-1)
    largest = np.square(shares @ np.nan_to_num(lengths)[:, None, None, :, None])[..., 0]
    root = np.sqrt(np.where(square > NO_VARIANCE * largest, square, np.nan))
    return np.asarray(along / root / lengths[:, None, None, :])


def _of_ranks(
    rows: Floats,
    measure: Resampled,
    counts: NDArray[np.integer],
    weights: NDArray[np.floating],
    others: NDArray[np.bool_],
) -> Floats:
    """Spearman's correlation and rho-a, of ranks of the mean of ranks."""
    _, drawn = _pair_weights(counts)
    ranks = weighted_ranks(dense_codes(rows), drawn)
    found = np.full((*weights.shape[:2], len(others), len(rows)), np.nan)
    _rank_agreement(
        ranks,
        np.ascontiguousarray(drawn),
        np.ascontiguousarray(weights, dtype=np.float64),
        np.ascontiguousarray(others),
        measure == "spearman",
        found,
    )
    return found


def _one_by_one(
    rows: Floats,
    measure: Resampled,
    counts: NDArray[np.integer],
    weights: NDArray[np.floating],
    others: NDArray[np.bool_],
) -> Floats:
    """Measures that are no inner products, from means that are built."""
    found = np.full((*weights.shape[:2], len(others), len(rows)), np.nan)
    for draw, count in enumerate(counts):
        plain = without_scale(rows, measure, count)
        for way, kind, row in np.ndindex(found.shape[1:]):
            share = weights[draw, way] * others[kind, row]
            used = share > 0
            mean = share[used] @ plain[used]
            if used.any() and np.isfinite(mean).all():
                cell = compare_resampled(mean[None], rows[row][None], measure, count[None])
                found[draw, way, kind, row] = cell[0, 0, 0]
    return found


@compiled
def _rank_agreement(
    ranks: Floats,
    drawn: Floats,
    weights: Floats,
    others: NDArray[np.bool_],
    scaled: bool,  # a compiled loop takes its arguments by place
    found: Floats,
) -> None:
    """Spearman's correlation where ``scaled``, else rho-a, of each row with the mean of others.

    ranks: (draw, row, pair), ranks among drawn pairs. drawn: (draw, pair). weights: (draw, way,
    row). others: (kind, row, row). found: (draw, way, kind, row), NaN where nothing is written.
    """
    n_draws, n_rows, n_pairs = ranks.shape
    there = np.empty(n_pairs, dtype=np.int64)
    sums = np.empty(n_pairs)
    keys = np.empty(n_pairs, dtype=np.int64)
    spare_keys = np.empty(n_pairs, dtype=np.int64)
    order = np.empty(n_pairs, dtype=np.int64)
    spare_order = np.empty(n_pairs, dtype=np.int64)
    for draw in range(n_draws):
        n_there, total = 0, 0.0
        for pair in range(n_pairs):
            if drawn[draw, pair] > 0.0:
                there[n_there] = pair
                n_there += 1
                total += drawn[draw, pair]
        middle = (total + 1.0) / 2.0
        for way in range(weights.shape[1]):
            for kind in range(others.shape[0]):
                for row in range(n_rows):
                    n_others = 0
                    sums[:n_there] = 0.0
                    for other in range(n_rows):
                        weight = weights[draw, way, other]
                        if weight > 0.0 and others[kind, row, other]:
                            n_others += 1
                            for place in range(n_there):
                                sums[place] += weight * ranks[draw, other, there[place]]
                    if n_others == 0:
                        continue
                    # Ranks are halves of whole numbers, so that twice their sums are whole.
                    for place in range(n_there):
                        keys[place] = np.int64(2.0 * sums[place])
                        order[place] = place
                    _sort(keys, order, spare_keys, spare_order, n_there)
                    inner, of_mean, of_row, below, start = 0.0, 0.0, 0.0, 0.0, 0
                    while start < n_there:
                        stop, here = start, 0.0
                        while stop < n_there and keys[stop] == keys[start]:
                            here += drawn[draw, there[order[stop]]]
                            stop += 1
                        rank = below + (here + 1.0) / 2.0 - middle
                        of_mean += here * rank * rank
                        for place in range(start, stop):
                            pair = there[order[place]]
                            own = ranks[draw, row, pair] - middle
                            inner += drawn[draw, pair] * rank * own
                            of_row += drawn[draw, pair] * own * own
                        below += here
                        start = stop
                    if of_mean > 0.0 and of_row > 0.0:
                        if scaled:
                            found[draw, way, kind, row] = inner / np.sqrt(of_mean * of_row)
                        else:
                            every = total * total * total - total
                            found[draw, way, kind, row] = 12.0 * inner / every


@compiled
def _sort(
    keys: NDArray[np.int64],
    order: NDArray[np.int64],
    spare_keys: NDArray[np.int64],
    spare_order: NDArray[np.int64],
    count: int,
) -> None:
    """Sort the first so many keys, not negative, and their places, byte by byte from the lowest."""
    largest = np.int64(0)
    for place in range(count):
        largest = max(largest, keys[place])
    ends = np.empty(257, dtype=np.int64)
    shift = 0
    while (largest >> shift) > 0:
        ends[:] = 0
        for place in range(count):
            ends[((keys[place] >> shift) & 255) + 1] += 1
        for digit in range(256):
            ends[digit + 1] += ends[digit]
        for place in range(count):
            digit = (keys[place] >> shift) & 255
            spare_keys[ends[digit]] = keys[place]
            spare_order[ends[digit]] = order[place]
            ends[digit] += 1
        keys[:count] = spare_keys[:count]
        order[:count] = spare_order[:count]
        shift += 8
