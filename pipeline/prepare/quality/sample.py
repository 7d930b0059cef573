"""Stretches of a recording from which quantiles are taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_BYTES = 128 * 2**20
"""Recordings up to this size are taken whole, larger ones in stretches."""
STRETCH = 128
"""Frames of a stretch."""
LEAST_STRETCHES = 20
"""However many units there are, so that every tenth of the recording is seen."""
TENTHS = 10
BASELINE = 0.2
"""Quantile of a tenth that counts as its baseline; transients lie above."""
GAUSSIAN_STEP = 0.6744897501960817 * 2**0.5
"""Median size of the difference of two independent standard normal numbers."""
CHUNK = 2**18
"""Samples that are sorted at a time: few enough to stay in a processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Stretches of consecutive frames, evenly spread, one after another."""

    values: NDArray[np.float32]
    """Shape (unit, frame), NaN where a sample is not there."""
    frame: NDArray[np.int64]
    """Frame of the recording of each column, shape (frame,)."""
    n_frames: int
    """Frames of the whole recording."""

    @classmethod
    def empty(cls, n_frames: int, n_units: int) -> Sample:
        """Nothing taken yet."""
        frame = frames_to_take(n_frames, n_units)
        values = np.full((n_units, frame.size), np.nan, dtype=np.float32)
        return cls(values=values, frame=frame, n_frames=n_frames)

    def take(
        self, values: NDArray[np.float32], valid: NDArray[np.bool_], *, first_frame: int
    ) -> None:
        """The frames that are wanted among these, shape (time, unit)."""
        start, stop = np.searchsorted(self.frame, (first_frame, first_frame + len(values)))
        for first in range(start, stop, STRETCH):
            wanted = slice(first, min(first + STRETCH, stop))
            rows = self.frame[wanted] - first_frame
            taken = np.where(valid[rows], values[rows], np.float32(np.nan))
            self.values[:, wanted] = taken.T

    def units(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Values of some units at a time, so that copies stay small."""
        step = max(1, CHUNK // max(1, self.frame.size))
        for start in range(0, len(self.values), step):
            chosen = slice(start, start + step)
            yield chosen, self.values[chosen]


def frames_to_take(n_frames: int, n_units: int) -> NDArray[np.int64]:
    """All frames of a small recording, evenly spread stretches of a large one; ascending."""
    n_stretches = max(LEAST_STRETCHES, SAMPLE_BYTES // (4 * n_units * STRETCH))
    if n_stretches * STRETCH >= n_frames:
        return np.arange(n_frames)
    starts = np.linspace(0, n_frames - STRETCH, n_stretches).astype(np.int64)
    return (starts[:, None] + np.arange(STRETCH)).ravel()


def sorted_quantiles(ordered: NDArray[np.float32], shares: Sequence[float]) -> NDArray[np.float64]:
    """Quantiles (linear) of rows that are sorted, NaN last; NaN of rows without a number.

    Returns
    -------
    Shape (share, row).
    """
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    place = np.asarray(shares)[:, None] * np.maximum(count - 1, 0)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below].astype(float), ordered[rows, above].astype(float)
    between: NDArray[np.float64] = low + (place - below) * (high - low)
    return between


def noise_sd(sample: Sample) -> NDArray[np.float64]:
    """Standard deviation of each unit's noise, from the median step between neighbouring frames.

    Transients are few steps and hardly move the median. Shape (unit,).
    """
    noise = np.full(len(sample.values), np.nan)
    neighbours = np.diff(sample.frame) == 1
    for units, values in sample.units():
        steps = np.diff(values, axis=1)[:, neighbours]
        np.abs(steps, out=steps)
        steps.sort(axis=1)
        noise[units] = sorted_quantiles(steps, (0.5,))[0] / GAUSSIAN_STEP
    return noise


def rises(
    sample: Sample, *, low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each unit rises above ``high``, and in how many frames it was looked at.

    After a rise the unit must have been at ``low`` or below before it can rise again, so that noise
    about ``high`` is not counted. What came before a stretch is not known and is no rise.
    """
    count = np.zeros(len(sample.values), dtype=np.int64)
    frames = np.zeros(len(sample.values), dtype=np.int64)
    first = np.diff(sample.frame, prepend=-2) != 1
    places = np.arange(sample.frame.size, dtype=np.int32)
    for units, values in sample.units():
        above = values > high[units, None].astype(np.float32)
        below = values <= low[units, None].astype(np.float32)
        told = above | below | first
        state = np.maximum.accumulate(np.where(told, places, 0), axis=1)
        active = np.take_along_axis(~below, state, axis=1)
        count[units] = np.count_nonzero(active[:, 1:] & ~active[:, :-1] & ~first[1:], axis=1)
        frames[units] = np.count_nonzero(~np.isnan(values), axis=1)
    return count, frames


def tenths_baselines(sample: Sample) -> NDArray[np.float64]:
    """Baseline of each unit in each tenth of the recording; NaN where nothing was measured.

    Returns
    -------
    Shape (unit, tenth).
    """
    tenth = sample.frame * TENTHS // sample.n_frames
    found = np.full((len(sample.values), TENTHS), np.nan)
    for place in range(TENTHS):
        inside = np.flatnonzero(tenth == place)
        if inside.size:
            own = slice(inside[0], inside[-1] + 1)
            for units, values in sample.units():
                ordered = np.sort(values[:, own], axis=1)
                found[units, place] = sorted_quantiles(ordered, (BASELINE,))[0]
    return found


def plateau_at_top(ordered: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the largest value of sorted rows stands there more than twice as often as the next.

    Coarse numbers repeat their largest value too, but the next one below more often.
    """
    count = np.count_nonzero(~np.isnan(ordered), axis=1)
    rows = np.arange(len(ordered))
    top = ordered[rows, np.maximum(count - 1, 0)]
    n_top = np.count_nonzero(ordered == top[:, None], axis=1)
    place = count - n_top - 1
    following = ordered[rows, np.maximum(place, 0)]
    n_following = np.count_nonzero(ordered == following[:, None], axis=1)
    found: NDArray[np.bool_] = (place >= 0) & (n_top > 2 * n_following)
    return found
