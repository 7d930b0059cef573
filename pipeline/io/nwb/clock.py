"""Whether the times of samples are believable."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.words import counted
from pipeline.io.nwb.objects import NwbObject, child

GAP = 1.5
"""A step of more than this many usual ones is a gap; less is jitter."""
_MILLI = 1e-3
_CHECK_UNIT = "write times in seconds and rates in Hz, or widen prepare.limits.rate_hz"


def check_rate(
    series: NwbObject, times: NDArray[np.float64], *, limits_hz: tuple[float, float]
) -> None:
    """Refuse sample times whose rate nobody records at.

    Parameters
    ----------
    series
        The series they are of.
    times
        Seconds, shape (time,).
    limits_hz
        Lowest and highest believable rate.

    Raises
    ------
    DataError
        If the median step lies outside.
    """
    rate_hz = 1.0 / float(np.median(np.diff(times)))
    low, high = limits_hz
    if low <= rate_hz <= high:
        return
    stamped = isinstance(child(series.group, "timestamps"), h5py.Dataset)
    guess = ""
    if stamped and low <= rate_hz / _MILLI <= high:
        guess = (
            f"the times look like milliseconds: divided by 1000 they would give "
            f"{rate_hz / _MILLI:.4g} Hz; "
        )
    elif not stamped and low <= 1.0 / rate_hz <= high:
        guess = f"the rate looks like the interval between frames, of {1.0 / rate_hz:.4g} Hz; "
    elif low <= rate_hz * _MILLI <= high:
        guess = f"a factor of 1000 would give {rate_hz * _MILLI:.4g} Hz; "
    raise DataError(
        code="IN-C15",
        place=f"{series.path}/{'timestamps' if stamped else 'starting_time@rate'}",
        found=f"the sampling rate is {rate_hz:.4g} Hz, which is implausible (believable are "
        f"{low:g} to {high:g} Hz)",
        fix=guess + _CHECK_UNIT,
    )


def check_scale(series: NwbObject, times: NDArray[np.float64], trials: pd.DataFrame) -> None:
    """Refuse sample times in milliseconds, which trials in seconds give away.

    Raises
    ------
    DataError
        If fewer than half of the trials lie inside the recording, but would if its times were
        divided by 1000.
    """
    if not len(trials):
        return
    inside = _share_inside(times, trials)
    if inside >= 0.5 or _share_inside(times * _MILLI, trials) < 0.5:
        return
    raise DataError(
        code="IN-C15",
        place=f"{series.path}/timestamps",
        found=f"only {100 * inside:.0f} % of the {len(trials)} trials lie inside the recording, "
        f"which lasts from {times[0]:.6g} to {times[-1]:.6g} s; if these were milliseconds, most "
        "would",
        fix="divide the times of samples by 1000, so that they are in seconds",
    )


def check_turned(
    series: NwbObject, times: NDArray[np.float64], trials: pd.DataFrame, *, reason: str
) -> None:
    """Refuse samples of which nothing but trials tells the orientation, if these contradict it.

    Parameters
    ----------
    reason
        Why nothing else tells it.

    Raises
    ------
    DataError
        If fewer than half of the trials lie inside the recording.
    """
    if not len(trials) or (inside := _share_inside(times, trials)) >= 0.5:
        return
    raise DataError(
        code="IN-C10",
        place=f"{series.path}/data",
        found=f"{reason}, so that the orientation is ambiguous, and "
        f"only {100 * inside:.0f} % of the {len(trials)} trials lie inside the recording, "
        f"which lasts from {times[0]:.6g} to {times[-1]:.6g} s",
        fix="write the whole recording as time x ROI, or correct the times of the trials",
    )


def gap_notes(series: NwbObject, times: NDArray[np.float64]) -> tuple[Note, ...]:
    """A warning about stretches without samples: how many, how long, where the longest is."""
    steps = np.diff(times)
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps > GAP * usual)
    if not gaps.size:
        return ()
    longest = int(gaps[steps[gaps].argmax()])
    lost = float((steps[gaps] - usual).sum())
    text = (
        f"{counted(gaps.size, 'gap')} in the timestamps, {lost:.4g} s in all "
        f"({lost / (times[-1] - times[0]):.2g} of the recording); the longest lasts "
        f"{steps[longest]:.4g} s, from {times[longest]:.6g} s on (index {longest}), where frames "
        f"are {usual:.4g} s apart."
    )
    return (Note(code="IN-C12", kind="warn", place=f"{series.path}/timestamps", text=text),)


def _share_inside(times: NDArray[np.float64], trials: pd.DataFrame) -> float:
    start, stop = trials["start_s"].to_numpy(), trials["stop_s"].to_numpy()
    slack = float(np.median(np.diff(times)))
    return float(np.mean((start >= times[0] - slack) & (stop <= times[-1] + slack)))
