"""Activity in even bins, fine or coarse as asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.recording import SampledActivity, SpikeTrains


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Binned:
    """Activity in even bins, NaN where nothing was recorded."""

    values: NDArray[np.float32]
    """Shape (unit, bin)."""
    centres: NDArray[np.float64]
    """Middle of each bin, in s."""
    width_s: float

    @property
    def edges(self) -> NDArray[np.float64]:
        """Edges of the bins in s, shape (bin + 1,)."""
        half = self.width_s / 2
        return np.append(self.centres - half, self.centres[-1] + half)


def nice_width(least: float) -> float:
    """The smallest of 1, 2 or 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** np.floor(np.log10(least))
    for factor in (1.0, 2.0, 5.0):
        if factor * power >= least * (1 - 1e-9):
            return float(factor * power)
    return float(10.0 * power)


def bin_activity(
    activity: SampledActivity | SpikeTrains, units: NDArray[np.intp], *, columns: int
) -> Binned:
    """Means of samples, or spike rates in Hz, of some units in at most ``columns`` bins."""
    if isinstance(activity, SampledActivity):
        return _bin_samples(activity, units, columns=columns)
    return _bin_spikes(activity, units, columns=columns)


def _bin_samples(activity: SampledActivity, units: NDArray[np.intp], *, columns: int) -> Binned:
    start, stop = activity.span_s
    interval = float(np.median(np.diff(activity.time)))
    least = (stop - start + interval) / columns
    width = interval if least <= interval else nice_width(least)
    place = np.floor((activity.time - start) / width + 0.5 * interval / width).astype(int)
    n_bins = int(place[-1]) + 1
    firsts = np.flatnonzero(np.diff(place, prepend=-1))
    values = np.full((units.size, n_bins), np.nan, dtype=np.float32)
    for places, traces, valid in activity.traces(units):
        known = np.where(valid, traces, 0.0)
        summed = np.add.reduceat(known, firsts, axis=0, dtype=np.float64)
        count = np.add.reduceat(valid, firsts, axis=0, dtype=np.int64)
        mean = np.divide(summed, count, out=np.full(summed.shape, np.nan), where=count > 0)
        values[np.ix_(places, place[firsts])] = mean.T
    centres = start - 0.5 * interval + (np.arange(n_bins, dtype=np.float64) + 0.5) * width
    return Binned(values=values, centres=centres, width_s=width)


def _bin_spikes(activity: SpikeTrains, units: NDArray[np.intp], *, columns: int) -> Binned:
    start, stop = activity.span_s
    width = nice_width(max((stop - start) / columns, 1e-3))
    n_bins = max(1, int(np.ceil((stop - start) / width - 1e-9)))
    edges = start + width * np.arange(n_bins + 1)
    seen = np.zeros(n_bins)
    for begin, end in activity.observed:
        seen += np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0, None)
    counts = np.stack(
        [np.histogram(activity.of_unit(int(unit)), edges)[0] for unit in units]
        or [np.zeros(n_bins)]
    )
    enough = seen > 0.2 * width
    rates = np.full(counts.shape, np.nan, dtype=np.float32)
    rates[:, enough] = counts[:, enough] / seen[enough]
    return Binned(values=rates[: units.size], centres=(edges[:-1] + edges[1:]) / 2, width_s=width)
