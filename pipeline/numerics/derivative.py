"""Derivatives of noisy, gappy series on a regular grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORTEST_RUN = 3
"""Samples a stretch without gaps needs so that a derivative is taken in it."""


def runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Start and stop (exclusive) of each stretch of true values, shape (run, 2)."""
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges.reshape(-1, 2)


def bridge_short_gaps(
    values: NDArray[np.floating], valid: NDArray[np.bool_], max_frames: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Series with gaps of at most ``max_frames`` frames bridged by straight lines.

    Parameters
    ----------
    values, valid
        Shape (time, unit); what stands in ``values`` where ``valid`` is false is not looked at.
    max_frames
        Longest gap to bridge, in frames.

    Returns
    -------
    Values (0 where still missing) and which of them are known, both (time, unit). Gaps at the
    start and the end are never filled.
    """
    filled = np.where(valid, values, 0.0).astype(np.float64)
    known = valid.copy()
    for unit in np.flatnonzero(~valid.all(axis=0)):
        for start, stop in runs(~valid[:, unit]):
            inside = start > 0 and stop < len(values)
            if inside and stop - start <= max_frames:
                ends = filled[[start - 1, stop], unit]
                filled[start:stop, unit] = np.interp(
                    np.arange(start, stop), [start - 1, stop], ends
                )
                known[start:stop, unit] = True
    return filled, known


def gaussian_derivative(
    values: NDArray[np.floating], valid: NDArray[np.bool_], *, sigma_frames: float, rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """First derivative of series smoothed with a Gaussian, in value units per second.

    Parameters
    ----------
    values, valid
        Shape (time, unit), on a regular grid.
    sigma_frames
        Width of the Gaussian, in frames.
    rate_hz
        Frames a second.

    Returns
    -------
    Derivative (0 where unknown) and where it is known, both (time, unit).

    Notes
    -----
    Sampled derivative-of-Gaussian kernel cut at four widths, edges continued by their nearest
    sample, each stretch without gaps by itself; stretches below three samples give nothing.
    """
    from scipy.ndimage import gaussian_filter1d

    def filtered(stretch: NDArray[np.floating]) -> NDArray[np.float64]:
        smooth: NDArray[np.float64] = gaussian_filter1d(
            stretch.astype(np.float64), sigma_frames, axis=0, order=1, mode="nearest", truncate=4.0
        )
        return rate_hz * smooth

    derivative = np.zeros(values.shape)
    known = np.zeros(values.shape, dtype=bool)
    complete = valid.all(axis=0)
    if len(values) >= SHORTEST_RUN and complete.any():
        derivative[:, complete] = filtered(values[:, complete])
        known[:, complete] = True
    for unit in np.flatnonzero(~complete):
        for start, stop in runs(valid[:, unit]):
            if stop - start >= SHORTEST_RUN:
                derivative[start:stop, unit] = filtered(values[start:stop, unit])
                known[start:stop, unit] = True
    return derivative, known
