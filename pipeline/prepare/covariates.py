"""What the animal did, in the bins in which spikes are counted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.core.recording import BehaviourSeries


def binned_behaviour(
    series: Mapping[str, BehaviourSeries],
    start_s: NDArray[np.float64],
    stop_s: NDArray[np.float64],
) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Names of all channels, and their values, shape (time_bin, covariate).

    A bin's value is the mean of the samples in it, or, where a series is sampled more slowly, lies
    on the line between the samples around its middle. NaN before the first sample and after the
    last. A series of several channels gives one covariate for each, ``name[0]``, ``name[1]``, ...

    Parameters
    ----------
    series
        Series of the recording by name.
    start_s, stop_s
        Bins, in order of time.
    """
    names, columns = [], []
    middle = 0.5 * (start_s + stop_s)
    for name, one in series.items():
        n_channels = one.values.shape[1]
        at = np.searchsorted(start_s, one.time, side="right") - 1
        inside = (at >= 0) & (one.time < stop_s[np.maximum(at, 0)])
        for channel in range(n_channels):
            known = np.isfinite(one.values[:, channel])
            names.append(name if n_channels == 1 else f"{name}[{channel}]")
            columns.append(_in_bins(one.time, one.values[:, channel], known, at, inside, middle))
    values = np.stack(columns, axis=1) if columns else np.empty((start_s.size, 0))
    return np.array(names, dtype=str), values


def _in_bins(
    time: NDArray[np.float64],
    values: NDArray[np.float64],
    known: NDArray[np.bool_],
    at: NDArray[np.intp],
    inside: NDArray[np.bool_],
    middle: NDArray[np.float64],
) -> NDArray[np.float64]:
    """One channel in bins of which the middle is given."""
    out = np.full(middle.size, np.nan)
    if known.any():
        order = np.argsort(time[known], kind="stable")
        out = np.interp(middle, time[known][order], values[known][order], left=np.nan, right=np.nan)
    used = known & inside
    number = np.bincount(at[used], minlength=middle.size)
    total = np.bincount(at[used], weights=values[used], minlength=middle.size)
    return np.where(number > 0, total / np.maximum(number, 1), out)
