"""How many spikes a file holds and until when, from few of its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import NwbObject, Survey, child
from pipeline.io.nwb.session import session_end
from pipeline.io.nwb.tables import ragged_ends
from pipeline.io.nwb.values import is_numeric

N_PROBED = 16
"""Units whose last spikes are looked at; each lies in a chunk of its own."""


def spike_count(units: NwbObject | None) -> int:
    """Spikes of all units as the file's head tells; 0 where it tells none."""
    times = _column(units.group, "spike_times") if units is not None else None
    return 0 if times is None else int(times.shape[0])


def latest_time(contents: Survey, units: NwbObject | None) -> float:
    """The latest time met among series, intervals and last spikes of some units; 0 without any."""
    ends = [session_end(contents, tables=())]
    for table in contents.of_type("TimeIntervals"):
        stops = _column(table.group, "stop_time")
        if stops is not None:
            ends.append(float(stops[-1]))
    if units is not None:
        ends += _last_spikes(units)
    known = [end for end in ends if np.isfinite(end)]
    return max(known, default=0.0)


def _last_spikes(units: NwbObject) -> Iterator[float]:
    times = _column(units.group, "spike_times")
    if times is None:
        return
    try:
        ends = ragged_ends(units.group, "spike_times", n_values=times.shape[0])
        if ends is None:
            ends = np.array([times.shape[0]])
        full = ends[np.diff(ends, prepend=0) > 0]
        for at in (
            np.unique(np.linspace(0, full.size - 1, N_PROBED).astype(int)) if full.size else ()
        ):
            yield float(times[int(full[at]) - 1])
    except (DataError, OSError):
        return  # the reader of spikes says what is wrong with them


def _column(table: h5py.Group, name: str) -> h5py.Dataset | None:
    """A column of numbers that is not empty."""
    try:
        found = child(table, name)
    except DataError:
        return None
    usable = isinstance(found, h5py.Dataset) and len(found.shape) == 1 and found.shape[0] > 0
    return found if usable and is_numeric(found) else None
