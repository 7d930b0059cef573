"""When units were observed: what the file tells, else what spikes and trials suggest."""

from __future__ import annotations

from itertools import pairwise

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.intervals import union
from pipeline.core.notes import Note
from pipeline.core.words import for_number
from pipeline.io.nwb.objects import NwbObject, child
from pipeline.io.nwb.tables import ragged_ends
from pipeline.io.nwb.values import is_numeric, read_all

N_BINS = 2000
"""Bins of the histogram in which silence far from the session is looked for."""
FEW_SPIKES = 0.02
"""Spikes beyond a long silence belong to the session if they are a larger share than this."""
FAR = 20.0
"""Observed intervals that end at this multiple of the last spike or trial are in another unit."""
LONG_SILENCE = 0.25
"""A silence is long from this share of the time that all other spikes take."""

Ragged = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Intervals of all units one after another, and where each unit's begin."""


def tells_observation(table: NwbObject) -> bool:
    """Whether the table of units says when they were observed."""
    data = child(table.group, "obs_intervals")
    return isinstance(data, h5py.Dataset) and data.size > 0


def told_intervals(table: NwbObject, *, n_units: int) -> tuple[Ragged | None, tuple[Note, ...]]:
    """Observed intervals of every unit in order of time; None where the file tells none.

    Raises
    ------
    DataError
        If intervals are no pairs of numbers, stop before they start, or their index is broken.
    """
    data = child(table.group, "obs_intervals")
    if not isinstance(data, h5py.Dataset) or not data.size:
        return None, ()
    if not is_numeric(data) or len(data.shape) != 2 or data.shape[1] != 2:
        raise DataError(
            code="IN-S14",
            place=data.name,
            found=f"observed intervals are {data.dtype} of shape {data.shape}, not pairs of "
            "start and stop",
            fix="write start and stop of each interval in seconds",
        )
    stretches = read_all(data)
    bad = np.flatnonzero(~np.isfinite(stretches).all(axis=1) | (np.diff(stretches)[:, 0] < 0))
    if bad.size:
        raise DataError(
            code="IN-S14",
            place=data.name,
            found=f"{bad.size} of {len(stretches)} observed intervals "
            f"{for_number(bad.size, '[stops before it starts|stop before they start]')} "
            f"or are not numbers, the first in row {bad[0]}",
            fix="correct start and stop of these intervals",
        )
    if not np.any(np.diff(stretches) > 0):
        raise DataError(
            code="IN-S14",
            place=data.name,
            found=f"none of {len(stretches)} observed intervals has a length",
            fix="write start and stop of each interval in seconds, or leave obs_intervals out",
        )
    ends = _ends(table, n_units=n_units, n_values=len(stretches))
    if ends is None:
        return (np.tile(union(stretches), (n_units, 1)), _starts_of_equal(stretches, n_units)), ()
    return _in_order(stretches, np.concatenate([[0], ends]).astype(np.int64), place=data.name)


def far_observed(told: Ragged, *, until: float, place: str) -> tuple[Note, ...]:
    """A warning when units are said to be observed long after anything happened.

    Parameters
    ----------
    until
        The last spike, trial or sample of the file, seconds.
    """
    stop = float(told[0][:, 1].max())
    if until <= 0 or stop < FAR * until:
        return ()
    text = (
        f"Observed intervals end at {stop:.6g} s, and the last spike or trial is at {until:.6g} s: "
        "perhaps they are in another unit than seconds. All of that time counts in rates."
    )
    return (Note(code="IN-S14", kind="warn", place=place, text=text),)


def _starts_of_equal(stretches: NDArray[np.float64], n_units: int) -> NDArray[np.int64]:
    return np.arange(n_units + 1, dtype=np.int64) * len(union(stretches))


def _ends(table: NwbObject, *, n_units: int, n_values: int) -> NDArray[np.int64] | None:
    """Where each unit's intervals end; None where all intervals are everybody's."""
    ends = ragged_ends(table.group, "obs_intervals", n_values=n_values)
    if ends is None:
        return np.arange(1, n_units + 1) if n_values == n_units > 1 else None
    if ends.size != n_units:
        raise DataError(
            code="IN-S11",
            place=f"{table.path}/obs_intervals_index",
            found=f"observed intervals have an index of {ends.size} rows for {n_units} units",
            fix="write the table again with pynwb, which makes the index",
        )
    return ends


def _in_order(
    stretches: NDArray[np.float64], starts: NDArray[np.int64], *, place: str
) -> tuple[Ragged | None, tuple[Note, ...]]:
    """Intervals of each unit in order and joined where they overlap."""
    stretches = stretches[: starts[-1]]
    if not len(stretches):
        return None, ()
    own = [stretches[a:b] for a, b in pairwise(starts)]
    joined = [union(one) for one in own]
    n_lost = len(stretches) - sum(map(len, joined))
    everybody = union(stretches)
    n_untold = sum(not len(one) for one in joined)
    whole = [one if len(one) else everybody for one in joined]
    notes: tuple[Note, ...] = ()
    if n_lost:
        verbs = for_number(n_lost, "[overlaps and was|overlap and were]")
        text = f"{n_lost} of {len(stretches)} observed intervals {verbs} joined."
        notes += (Note(code="IN-S14", kind="repair", place=place, text=text),)
    if n_untold:
        text = (
            f"{n_untold} of {len(joined)} units {for_number(n_untold, '[has|have]')} no observed "
            f"interval; the intervals of all others were taken for "
            f"{for_number(n_untold, '[it|them]')}."
        )
        notes += (Note(code="IN-S16", kind="info", place=place, text=text),)
    lengths = np.array([len(one) for one in whole])
    return (np.concatenate(whole), np.concatenate([[0], np.cumsum(lengths)])), notes


def shared(intervals: Ragged) -> NDArray[np.float64] | None:
    """The intervals of every unit where all units have the same, else None."""
    stretches, starts = intervals
    lengths = np.diff(starts)
    if np.any(lengths != lengths[0]):
        return None
    by_unit = stretches.reshape(lengths.size, -1, 2)
    same = bool(np.all(by_unit == by_unit[:1]))
    return by_unit[0] if same else None


def guessed_interval(
    times: NDArray[np.float64], starts: NDArray[np.int64], *, known: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From the first to the last spike or trial, shape (1, 2), seconds.

    A few spikes far before or after all others, and after all trials, do not count.

    Parameters
    ----------
    times, starts
        Spike times, those of each unit in ascending order, and where each unit's begin.
    known
        Start and stop of trials, shape (interval, 2).
    """
    low, high = firing_span(times, starts)
    return np.array([[np.min(known[:, 0], initial=low), np.max(known[:, 1], initial=high)]])


def firing_span(times: NDArray[np.float64], starts: NDArray[np.int64]) -> tuple[float, float]:
    """First and last spike, but for few that a long silence parts from all others."""
    low, high = float(times.min()), float(times.max())
    if high <= low:
        return low, high
    edges = np.linspace(low, high, N_BINS + 1)
    counts = np.zeros(N_BINS, dtype=np.int64)
    for first, last in pairwise(starts):  # trains are sorted: no need to look at every spike
        before = np.searchsorted(times[first:last], edges[1:-1])
        counts += np.diff(before, prepend=0, append=last - first)
    full = np.flatnonzero(counts)
    before = np.cumsum(counts[full])  # spikes up to each filled bin
    few = FEW_SPIKES * times.size
    core = full[np.searchsorted(before, [few, times.size - few])]
    silences = np.flatnonzero(np.diff(full) - 1 > LONG_SILENCE * (core[1] - core[0] + 1))
    start = max((gap + 1 for gap in silences if before[gap] < few), default=0)
    late = (gap for gap in silences if times.size - before[gap] < few)
    stop = min(late, default=full.size - 1)
    if start:
        low = _extreme(times, starts, edges[full[start]], side="after")
    if stop < full.size - 1:
        high = _extreme(times, starts, edges[full[stop] + 1], side="before")
    return low, high


def _extreme(
    times: NDArray[np.float64], starts: NDArray[np.int64], border: float, *, side: str
) -> float:
    """The first spike of all units after a border, or the last before it."""
    found: list[float] = []
    for a, b in pairwise(starts):
        at = int(a + np.searchsorted(times[a:b], border))
        if side == "after" and at < b:
            found.append(float(times[at]))
        if side == "before" and at > a:
            found.append(float(times[at - 1]))
    return min(found) if side == "after" else max(found)
