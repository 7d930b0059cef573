"""Compiled loops over resampled dissimilarities. Types are those given; see the callers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled

LANES = 8
"""Sums run in so many lanes side by side, in an order of their own that never changes."""


@compiled
def nearest_share(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    first_levels: NDArray[np.float32],
    second_levels: NDArray[np.float32],
    total: NDArray[np.float64],
) -> None:
    """Add, for each draw and pair of levels, the share of rows that find their partner.

    Row q of one half finds row q of the other when that is nearest to it among the rows of that
    half, after both went through the ramp between their own thresholds; both directions count,
    and so do ties, by their share.

    first, second: (draw, region, pair) float32. first_levels, second_levels:
    (draw, region, level, 2) float32. total: (draw, level) float64.
    """
    n_draws, n_regions, n_pairs = first.shape
    n_levels = total.shape[1]
    width = (n_pairs + LANES - 1) // LANES * LANES
    one = np.zeros((n_regions, width), dtype=np.float32)
    other = np.zeros((n_regions, width), dtype=np.float32)
    distance = np.zeros((n_regions, n_regions), dtype=np.float32)
    lanes = np.zeros(LANES, dtype=np.float32)
    for draw in range(n_draws):
        for level in range(n_levels):
            for region in range(n_regions):
                _ramp(first[draw, region], first_levels[draw, region, level], one[region])
                _ramp(second[draw, region], second_levels[draw, region, level], other[region])
            for a in range(n_regions):
                for b in range(n_regions):
                    distance[a, b] = _squared_distance(one[a], other[b], lanes)
            hits = 0.0
            for a in range(n_regions):
                hits += _is_nearest(distance[a], a) + _is_nearest(distance[:, a], a)
            total[draw, level] += hits / (2 * n_regions)


@compiled
def _ramp(
    values: NDArray[np.float32], bounds: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """0 up to the lower bound, 1 from the upper one on, a line between; a step if they are one."""
    lower, upper = bounds[0], bounds[1]
    if upper > lower:
        slope = np.float32(1) / (upper - lower)
        for pair in range(values.shape[0]):
            moved = (values[pair] - lower) * slope
            out[pair] = min(max(moved, np.float32(0)), np.float32(1))
    else:
        for pair in range(values.shape[0]):
            out[pair] = np.float32(1) if values[pair] > upper else np.float32(0)


@compiled
def _squared_distance(
    one: NDArray[np.float32], other: NDArray[np.float32], lanes: NDArray[np.float32]
) -> np.float32:
    """Sum of squared differences of vectors whose length is a whole number of lanes."""
    lanes[:] = 0
    for start in range(0, one.shape[0], LANES):
        for lane in range(LANES):
            step = one[start + lane] - other[start + lane]
            lanes[lane] += step * step
    total = np.float32(0)
    for lane in range(LANES):
        total += lanes[lane]
    return total


@compiled
def _is_nearest(distance: NDArray[np.float32], place: int) -> float:
    """1 where the entry is the smallest, its share where several are, else 0."""
    own = distance[place]
    slack = own * np.float32(1e-6)
    ties = 0
    for index in range(distance.shape[0]):
        if distance[index] < own - slack:
            return 0.0
        if distance[index] <= own + slack:
            ties += 1
    return 1.0 / ties


@compiled
def identified(
    gram: NDArray[np.float64],
    subject: NDArray[np.int64],
    label: NDArray[np.int64],
    n_labels: int,
    weight: NDArray[np.float64],
    hits: NDArray[np.float64],
) -> float:
    """Add how often each row is assigned to each label, by its nearest centroid.

    Centroids are of the rows of other subjects, which count by their weights.

    gram: (row, row) float64, inner products of rows. subject, label: (row,) int64; a subject has
    at most one row of a label. weight: (row,) float64, how often a row was drawn; those of weight
    0 are absent. hits: (n_labels + 1, n_labels) float64; row ``label`` gets the
    assignments of that label, weighted, shared between ties. Rows whose label no other subject
    has, or that have no other candidate, are left out and counted in the last row. Returns by how
    much, relative to its distance, the second nearest centroid was ever farther than the nearest.
    """
    n_rows = gram.shape[0]
    row_of = np.full((subject.max() + 1, n_labels), -1)
    sums = np.zeros((n_rows, n_labels))
    mass = np.zeros(n_labels)
    square = np.zeros(n_labels)
    for row in range(n_rows):
        row_of[subject[row], label[row]] = row
        w = weight[row]
        mass[label[row]] += w
        if w != 0:
            for other in range(n_rows):
                sums[other, label[row]] += w * gram[other, row]
    for row in range(n_rows):
        square[label[row]] += weight[row] * sums[row, label[row]]
    distance = np.zeros(n_labels)
    closest = np.inf
    for row in range(n_rows):
        w = weight[row]
        own = label[row]
        if w == 0:
            continue
        n_known = 0
        for c in range(n_labels):
            total, inner, norm = mass[c], sums[row, c], square[c]
            mine = row_of[subject[row], c]
            if mine >= 0:  # the subject's own row does not count
                v = weight[mine]
                total -= v
                inner -= v * gram[row, mine]
                norm += v * v * gram[mine, mine] - 2 * v * sums[mine, c]
            if total > 0.5:
                distance[c] = gram[row, row] - 2 * inner / total + norm / (total * total)
                n_known += 1
            else:
                distance[c] = np.inf
        if n_known < 2 or distance[own] == np.inf:
            hits[n_labels, own] += w
            continue
        best = np.min(distance)
        slack = 1e-9 * (abs(best) + gram[row, row])
        ties = 0
        for c in range(n_labels):
            if distance[c] <= best + slack:
                ties += 1
            elif distance[c] < np.inf:
                closest = min(closest, (distance[c] - best) / distance[c])
        for c in range(n_labels):
            if distance[c] <= best + slack:
                hits[own, c] += w / ties
    return closest
