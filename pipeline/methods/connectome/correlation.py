"""Correlation of traces, whole or in windows: what components are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.views import TraceEnsemble

LEAST_FRAMES = 4
"""Frames two units must share for a correlation to mean anything."""


def traces_of_units(
    view: TraceEnsemble, unit: NDArray[np.str_], present: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Traces of pooled units in one recording, and where they are known, (time, unit) each.

    Parameters
    ----------
    unit
        Pooled names: identities, or ``RECORDING:unit_id`` of units without one.
    present
        Which of them the recording has, (unit,).
    """
    place = {
        str(name) or f"{view.recording}:{own}": column
        for column, (name, own) in enumerate(zip(view.identity, view.unit, strict=True))
    }
    columns = np.array([place.get(str(name), -1) for name in unit])
    known = present & (columns >= 0)
    values = np.where(known, view.values[:, columns], 0).astype(np.float64)
    return values, view.valid[:, columns] & known & np.isfinite(values)


def whole(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Absolute Pearson correlation of all pairs over the frames both have, (pair,).

    Pairs stand in the order of ``numpy.triu_indices``; NaN for pairs with too few common frames
    or a constant trace.
    """
    shared = np.where(valid, values - _means(values, valid), 0)
    known = valid.astype(np.float64)
    n = known.T @ known
    sums = shared.T @ known
    squares = (shared**2).T @ known
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = shared.T @ shared - sums * sums.T / n
        variance = squares - sums**2 / n
        # What is left of a constant trace is rounding.
        variance[variance <= 1e-12 * squares] = np.nan
        correlation = np.abs(covariance) / np.sqrt(variance * variance.T)
    correlation[n < LEAST_FRAMES] = np.nan
    pairs: NDArray[np.float64] = correlation[np.triu_indices(values.shape[1], 1)]
    return np.minimum(pairs, 1.0)


def windowed(
    values: NDArray[np.float64], valid: NDArray[np.bool_], *, frames: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Absolute correlation in windows that overlap by half, 0 where unknown.

    Returns
    -------
    Correlations (window, pair) in the order of ``numpy.triu_indices``, and which units are known
    and not constant in a window, (window, unit).
    """
    frames = max(frames, LEAST_FRAMES)
    starts = range(0, len(values) - frames + 1, max(1, frames // 2))
    n_units = values.shape[1]
    table = np.zeros((len(starts), n_units * (n_units - 1) // 2), dtype=np.float32)
    known = np.zeros((len(starts), n_units), dtype=bool)
    for index, start in enumerate(starts):
        inside = slice(start, start + frames)
        part = values[inside]
        known[index] = valid[inside].all(axis=0) & (np.ptp(part, axis=0) > 0)
        everything = np.broadcast_to(known[index], part.shape)
        table[index] = np.nan_to_num(whole(part, everything))
    return table, known


def _means(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each unit where it is known; 0 where it never is."""
    total = np.where(valid, values, 0).sum(axis=0)
    return np.asarray(total / np.maximum(valid.sum(axis=0), 1))
