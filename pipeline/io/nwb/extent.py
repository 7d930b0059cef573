"""How many spikes a file holds and until when, from few of its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import h5py
import numpy as np

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import NwbObject, Survey, child
from pipeline.io.nwb.session import session_end
from pipeline.io.nwb.tables import ragged_ends
from pipeline.io.nwb.values import check_streamed, is_numeric, read_piece

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
            with suppress(DataError):  # its own reader says what is wrong with it
                ends.append(float(read_piece(stops, (slice(-1, None),))[0]))
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
            last = int(full[at])
            yield float(read_piece(times, (slice(last - 1, last),))[0])
    except DataError:
        return  # the reader of spikes says what is wrong with them


def _column(table: h5py.Group, name: str) -> h5py.Dataset | None:
    """A column of numbers that is not empty, and of which a few may be read."""
    try:
        found = child(table, name)
        if not isinstance(found, h5py.Dataset) or len(found.shape) != 1 or not found.shape[0]:
            return None
        check_streamed(found, max_gb=None)
    except DataError:
        return None
    return found if is_numeric(found) else None
