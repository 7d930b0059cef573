"""Spikes as smoothed rates on a regular time grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.intervals import union
from pipeline.core.recording import SpikeTrains

REACH = 5.0
"""Widths (sigma) after which the Gaussian is cut; less than a millionth lies beyond."""

FRAMES_A_WIDTH = 2
"""Frames of the grid in one width: enough that a Gaussian's course is not lost between them."""

SPIKES_AT_ONCE = 200_000


def grid_rate_hz(sigma_s: float) -> float:
    """The rate of a grid on which rates of this width lose nothing."""
    return FRAMES_A_WIDTH / sigma_s


def smoothed_rates(
    trains: SpikeTrains, units: NDArray[np.intp], time: NDArray[np.float64], *, sigma_s: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rates of some units: spikes weighted by a Gaussian, over the observed time weighted alike.

    Dividing by what the Gaussian covers of the observed time keeps the rate right where the
    observation starts and stops.

    Parameters
    ----------
    trains
        Spike times and when each unit was observed.
    units
        Which units, in the order wanted.
    time
        Regular grid in seconds, shape (time,).
    sigma_s
        Width of the Gaussian in seconds.

    Returns
    -------
    Rates in spikes a second and whether the unit was observed then, shape (time, unit); rates are
    0 where it was not.
    """
    values = np.zeros((time.size, units.size), dtype=np.float32)
    valid = np.zeros(values.shape, dtype=bool)
    shared = _covered(time, trains.observed, sigma_s) if trains.unit_observed is None else None
    for column, unit in enumerate(units.tolist()):
        covered, inside = shared or _covered(time, trains.observed_of(unit), sigma_s)
        weight = _weights(time, trains.of_unit(unit), sigma_s)
        values[inside, column] = weight[inside] / covered[inside]
        valid[:, column] = inside
    return values, valid


def _weights(
    time: NDArray[np.float64], spikes: NDArray[np.float64], sigma_s: float
) -> NDArray[np.float64]:
    """Sum of Gaussians of area 1 around spikes, shape (time,)."""
    step = (time[-1] - time[0]) / (time.size - 1)
    around = np.arange(-int(np.ceil(REACH * sigma_s / step)), int(REACH * sigma_s / step) + 2)
    total = np.zeros(time.size)
    for first in range(0, spikes.size, SPIKES_AT_ONCE):
        times = spikes[first : first + SPIKES_AT_ONCE, None]
        frame = np.floor((times - time[0]) / step).astype(np.int64) + around
        on_grid = (frame >= 0) & (frame < time.size)
        distance = (time[np.clip(frame, 0, time.size - 1)] - times) / sigma_s
        height = np.exp(-(distance**2) / 2) * (on_grid & (np.abs(distance) <= REACH))
        total += np.bincount(frame[on_grid], height[on_grid], minlength=time.size)
    return np.asarray(total / (sigma_s * np.sqrt(2 * np.pi)))


def _covered(
    time: NDArray[np.float64], observed: NDArray[np.float64], sigma_s: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Share of a Gaussian around each time that was observed, and whether the time was."""
    from scipy.special import ndtr

    share, inside = np.zeros(time.size), np.zeros(time.size, dtype=bool)
    for start, stop in union(observed):
        near = slice(*np.searchsorted(time, [start - REACH * sigma_s, stop + REACH * sigma_s]))
        share[near] += ndtr((stop - time[near]) / sigma_s) - ndtr((start - time[near]) / sigma_s)
        inside[slice(*np.searchsorted(time, [start, stop]))] = True
        inside |= time == stop
    return share, inside
