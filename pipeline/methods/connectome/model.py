"""What a fitted model says about each recording, and simpler models to compare it with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.alignment import AffinityTable, Alignment, recording_rows
from pipeline.methods.connectome.tensorly_engine import (
    Fit,
    fit_nonnegative,
    residual_sum_of_squares,
)

STATIC_ITERATIONS = 100
REFIT_ITERATIONS = 25
"""HALS iterations that are ample for one component, and for one mode with the others fixed."""


def three_modes(factors: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], ...]:
    """Factors with the mode of slots, which a fit of one slot does not have."""
    if len(factors) == 3:
        return tuple(factors)
    return factors[0], np.ones((1, factors[0].shape[1])), factors[1]


def modes_of(
    table: AffinityTable,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Values and mask to factorise: time x slot x pair, or time x pair for a single slot.

    One slot would be a mode of one entry, which says nothing and costs copies of the table.
    """
    if table.values.shape[1] == 1:
        return table.values[:, 0], table.observed[:, 0]
    return table.values, table.observed


def component_gains(table: AffinityTable, fit: Fit) -> NDArray[np.float64]:
    """Explained share that is lost without each component, shape (component,)."""
    values, observed = modes_of(table)
    total = residual_sum_of_squares(
        values, observed, weight=np.zeros_like(fit.weight), factors=fit.factors
    )
    gains = np.empty(fit.weight.size)
    for component in range(fit.weight.size):
        weight = fit.weight.copy()
        weight[component] = 0
        rest = residual_sum_of_squares(values, observed, weight=weight, factors=fit.factors)
        gains[component] = rest / total - fit.relative_error**2
    return gains


def recording_explained(
    table: AffinityTable, alignment: Alignment, fit: Fit
) -> NDArray[np.float64]:
    """Explained share within each recording, shape (recording,)."""
    time, slot, pair = three_modes(fit.factors)
    explained = np.empty(alignment.recording.size)
    for index in range(alignment.recording.size):
        rows, column = recording_rows(alignment, index)
        values, observed = table.values[rows, column], table.observed[rows, column]
        weight = fit.weight * slot[column]
        factors = (time[rows], pair)
        rest = residual_sum_of_squares(values, observed, weight=weight, factors=factors)
        total = residual_sum_of_squares(values, observed, weight=0 * weight, factors=factors)
        explained[index] = 1 - rest / total if total else np.nan
    return explained


def static_explained(table: AffinityTable, alignment: Alignment, rng: np.random.Generator) -> float:
    """Explained share of one fixed graph of changing strength in each recording by itself."""
    rest, total = 0.0, 0.0
    for index in range(alignment.recording.size):
        rows, column = recording_rows(alignment, index)
        values, observed = table.values[rows, column], table.observed[rows, column]
        size = float(np.linalg.norm(values.ravel())) ** 2
        if size == 0:
            continue
        fit = fit_nonnegative(
            values, observed, rank=1, rng=rng, max_iterations=STATIC_ITERATIONS, tolerance=1e-5
        )
        total += size
        rest += size * fit.relative_error**2
    return 1 - rest / total


def recording_shares(alignment: Alignment, fit: Fit) -> NDArray[np.float64]:
    """Share of each component's size in each recording, shape (component, recording).

    The size is the sum of the time factor over the recording's frames, times the recording
    factor where recordings share frames. Components without any size give equal shares.
    """
    time, slot, _ = three_modes(fit.factors)
    size = np.empty((fit.weight.size, alignment.recording.size))
    for index in range(alignment.recording.size):
        rows, column = recording_rows(alignment, index)
        size[:, index] = time[rows].sum(axis=0) * slot[column]
    total = size.sum(axis=1, keepdims=True)
    return np.where(total > 0, size / np.where(total > 0, total, 1), 1 / size.shape[1])


def reproducibility(
    table: AffinityTable, alignment: Alignment, fit: Fit, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Agreement of pair factors refitted in each recording by itself, shape (component,).

    With one recording its two time halves take the place of recordings. The time factors stay as
    they were fitted to all the data, so the value alone is too good; it means something beside
    the same value of surrogates only.

    Returns
    -------
    Mean cosine over pairs of recordings, weighted by the component's shares in both, over unit
    pairs observed in both; NaN for a component that is in one recording only.
    """
    pieces = _pieces(alignment)
    refits = [_refit(table, fit, rows, column, rng) for rows, column in pieces]
    time, slot, _ = three_modes(fit.factors)
    sizes = np.stack([time[rows].sum(axis=0) * slot[column] for rows, column in pieces])
    agreement = np.zeros(fit.weight.size)
    total = np.zeros(fit.weight.size)
    for first in range(len(pieces)):
        for second in range(first + 1, len(pieces)):
            both = refits[first][1] & refits[second][1]
            one, other = refits[first][0][both], refits[second][0][both]
            norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
            cosine = (one * other).sum(axis=0) / np.where(norms > 0, norms, 1)
            weight = sizes[first] * sizes[second]
            agreement += weight * cosine
            total += weight
    return np.where(total > 0, agreement / np.where(total > 0, total, 1), np.nan)


def _pieces(alignment: Alignment) -> list[tuple[slice | NDArray[np.int64], int]]:
    """Recordings as (bins, slot), or the halves of the only one."""
    if alignment.recording.size > 1:
        return [recording_rows(alignment, index) for index in range(alignment.recording.size)]
    half = alignment.bin_time_s.size // 2
    return [(slice(0, half), 0), (slice(half, None), 0)]


def _refit(
    table: AffinityTable,
    fit: Fit,
    rows: slice | NDArray[np.int64],
    column: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pair factors of some frames given their time factors, and the pairs observed there."""
    time, slot, _ = three_modes(fit.factors)
    observed = table.observed[rows, column]
    seen = np.asarray(observed.any(axis=0), dtype=bool)
    pair = np.zeros((seen.size, fit.weight.size))
    values = table.values[rows, column][:, seen]
    if values.any():
        refit = fit_nonnegative(
            values,
            observed[:, seen],
            rank=fit.weight.size,
            rng=rng,
            max_iterations=REFIT_ITERATIONS,
            tolerance=1e-6,
            fixed_first=time[rows] * (fit.weight * slot[column]),
        )
        pair[seen] = refit.factors[1]
    return pair, seen
