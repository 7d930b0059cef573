"""Spike times of units: one after another, sorted, with the stretches that were observed."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import SpikeTrains
from pipeline.io.nwb.objects import NwbObject, Survey, child, dereference
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.positions import positions
from pipeline.io.nwb.tables import as_label, ragged_ends, row_ids, scalar_columns
from pipeline.io.nwb.units import unit_table
from pipeline.io.nwb.values import is_numeric, read_all

_USE_OTHER = "name a file with sorted units, or set column 'activity' of the sheet to 'calcium'"


def units_object(contents: Survey) -> NwbObject | None:
    """The table of units: the file's own one, else the only one that a module holds."""
    at_root = contents.at("/units")
    if at_root is not None and at_root.is_a("Units"):
        return at_root
    elsewhere = contents.of_type("Units")
    return elsewhere[0] if len(elsewhere) == 1 else None


def read_spikes(
    contents: Survey, *, options: ReadOptions, trials: pd.DataFrame
) -> tuple[SpikeTrains, pd.DataFrame, NwbObject, tuple[Note, ...]]:
    """Spike trains and unit table.

    Parameters
    ----------
    trials
        Trials of the recording; where the file does not say what was observed, they count as
        observed.

    Returns
    -------
    Spike trains, unit table with one row a unit, the file's table, and notes.
    """
    table = units_object(contents)
    if table is None:
        raise DataError(
            code="IN-S01",
            place="/units",
            found="there is no table of units with spike times",
            fix=_USE_OTHER,
        )
    ids = row_ids(table.group)
    if not ids:
        raise DataError(
            code="IN-S01", place=table.path, found="the table has 0 units", fix=_USE_OTHER
        )
    times, starts, place = _spike_times(table, n_units=len(ids))
    times, notes = _sorted_times(times, starts, ids=ids, place=place)
    columns = positions(
        table.group, scalar_columns(table.group, n_rows=len(ids)), rows=np.arange(len(ids))
    )
    units, unit_notes = unit_table(
        ids,
        columns,
        place=table.path,
        fallback_region=_electrode_regions(table, n_units=len(ids)),
        options=options,
    )
    observed, observed_notes = _observed(table, times, trials=trials)
    notes += unit_notes + observed_notes + _odd_times(times, observed, place=place)
    return SpikeTrains(times=times, starts=starts, observed=observed), units, table, notes


def _spike_times(
    table: NwbObject, *, n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], str]:
    """All spike times as stored, where each unit's begin, and their HDF5 path."""
    data = child(table.group, "spike_times")
    place = f"{table.path}/spike_times"
    if not isinstance(data, h5py.Dataset):
        raise DataError(
            code="IN-S01", place=place, found="the units have no spike times", fix=_USE_OTHER
        )
    if not is_numeric(data) or len(data.shape) != 1:
        raise DataError(
            code="IN-S09",
            place=place,
            found=f"spike times are {data.dtype} of shape {data.shape}",
            fix="write them as one column of seconds",
        )
    ends = ragged_ends(table.group, "spike_times", n_values=data.shape[0])
    if ends is None or ends.size != n_units:
        count = "no index" if ends is None else f"an index of {ends.size} rows"
        raise DataError(
            code="IN-S11",
            place=f"{place}_index",
            found=f"spike times have {count} for {n_units} units",
            fix="write the table again with pynwb, which makes the index",
        )
    times = read_all(data)[: ends[-1]]
    if times.size == 0:
        raise DataError(
            code="IN-S04",
            place=place,
            found=f"no spikes: all {n_units} units are silent",
            fix="export the recording again with its spike times",
        )
    starts = np.concatenate([[0], ends]).astype(np.int64)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        units = np.unique(np.searchsorted(starts, bad, side="right") - 1)
        raise DataError(
            code="IN-S09",
            place=place,
            found=f"{bad.size} of {times.size} spike times are NaN or infinite, in {units.size} "
            f"units, the first in row {units[0]}",
            fix="leave these spikes out or correct their times",
        )
    return times, starts, place


def _sorted_times(
    times: NDArray[np.float64], starts: NDArray[np.int64], *, ids: list[str], place: str
) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    out = times.copy()
    mixed: list[str] = []
    for unit, name in enumerate(ids):
        own = slice(starts[unit], starts[unit + 1])
        if np.any(np.diff(times[own]) < 0):
            out[own] = np.sort(times[own], kind="stable")
            mixed.append(name)
    if not mixed:
        return out, ()
    text = (
        f"Spike times of {len(mixed)} of {len(ids)} units were not in ascending order and were "
        f"sorted (units {', '.join(mixed[:5])}{', ...' if len(mixed) > 5 else ''})."
    )
    return out, (Note(code="IN-S06", kind="repair", place=place, text=text),)


def _observed(
    table: NwbObject, times: NDArray[np.float64], *, trials: pd.DataFrame
) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    """Stretches in which at least one unit was observed, shape (interval, 2), seconds."""
    data = child(table.group, "obs_intervals")
    if isinstance(data, h5py.Dataset) and data.shape[-1:] == (2,) and data.shape[0]:
        stretches = read_all(data)
        bad = np.flatnonzero(~np.isfinite(stretches).all(axis=1) | (np.diff(stretches)[:, 0] < 0))
        if bad.size:
            raise DataError(
                code="IN-S14",
                place=data.name,
                found=f"{bad.size} of {len(stretches)} observed intervals stop before they start "
                f"or are not numbers, the first in row {bad[0]}",
                fix="correct start and stop of these intervals",
            )
        return union(stretches), ()
    start = min([float(times.min()), *trials["start_s"].tolist()])
    stop = max([float(times.max()), *trials["stop_s"].tolist()])
    text = (
        f"The file does not say when units were observed; {start:.6g} s to {stop:.6g} s was taken, "
        "from the first to the last spike or trial."
    )
    place = f"{table.path}/obs_intervals"
    note = Note(code="IN-S16", kind="info", place=place, text=text)
    return np.array([[start, stop]]), (note,)


def union(stretches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intervals joined where they overlap, in order of time.

    Intervals that only touch stay apart: the border may be a cut in the recording.

    Parameters
    ----------
    stretches
        Start and stop, shape (interval, 2), any order.
    """
    joined: list[list[float]] = []
    for start, stop in np.unique(stretches, axis=0).tolist():
        if joined and start < joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    return np.array(joined, dtype=np.float64).reshape(-1, 2)


def _odd_times(
    times: NDArray[np.float64], observed: NDArray[np.float64], *, place: str
) -> tuple[Note, ...]:
    notes: tuple[Note, ...] = ()
    negative = times[times < 0]
    if negative.size:
        text = (
            f"{negative.size} of {times.size} spike times are negative; the least is "
            f"{negative.min():.6g} s."
        )
        notes += (Note(code="IN-S05", kind="warn", place=place, text=text),)
    inside = np.zeros(times.size, dtype=bool)
    for start, stop in observed:
        inside |= (times >= start) & (times <= stop)
    outside = times[~inside]
    if outside.size:
        text = (
            f"{outside.size} of {times.size} spikes lie outside the observed intervals; the first "
            f"at {outside.min():.6g} s."
        )
        notes += (Note(code="IN-S07", kind="warn", place=place, text=text),)
    return notes


def _electrode_regions(table: NwbObject, *, n_units: int) -> list[str]:
    """Region of each unit from the electrodes it was found on; several joined by ``/``."""
    nothing = [""] * n_units
    data = child(table.group, "electrodes")
    if not isinstance(data, h5py.Dataset) or len(data.shape) != 1:
        return nothing
    electrodes = dereference(data, "table")
    if not isinstance(electrodes, h5py.Group):
        return nothing
    columns = scalar_columns(electrodes, n_rows=len(row_ids(electrodes)))
    if "location" not in columns:
        return nothing
    labels = [as_label(value) for value in columns["location"]]
    rows = data[...].astype(np.int64)
    ends = ragged_ends(table.group, "electrodes", n_values=rows.size)
    ends = np.arange(1, rows.size + 1) if ends is None else ends
    if ends.size != n_units or np.any((rows < 0) | (rows >= len(labels))):
        return nothing
    starts = np.concatenate([[0], ends[:-1]])
    return [
        "/".join(sorted({labels[row] for row in rows[a:b]} - {""}))
        for a, b in zip(starts, ends, strict=True)
    ]
