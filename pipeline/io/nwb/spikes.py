"""Spike times of units: one after another, sorted, with the stretches that were observed."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.intervals import union
from pipeline.core.notes import Note
from pipeline.core.recording import SpikeTrains, steps_back
from pipeline.core.words import counted, for_number
from pipeline.io.nwb.electrodes import electrode_regions
from pipeline.io.nwb.objects import NwbObject, Survey, child
from pipeline.io.nwb.observation import (
    Ragged,
    far_observed,
    guessed_interval,
    shared,
    told_intervals,
)
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.positions import positions
from pipeline.io.nwb.session import session_end
from pipeline.io.nwb.spike_checks import check_scale, odd_times, resolution_note
from pipeline.io.nwb.tables import ragged_ends, row_ids, scalar_columns
from pipeline.io.nwb.trials import Intervals
from pipeline.io.nwb.units import unit_table
from pipeline.io.nwb.values import is_numeric, is_vector, read_all
from pipeline.io.nwb.waveforms import with_waveforms

_USE_OTHER = "name a file with sorted units, or set column 'activity' of the sheet to 'calcium'"


def units_tables(contents: Survey) -> tuple[NwbObject, ...]:
    """Tables that could be the units: the file's own one alone, else all that modules hold."""
    at_root = contents.at("/units")
    if at_root is not None and at_root.is_a("Units"):
        return (at_root,)
    return contents.of_type("Units")


def units_object(contents: Survey, *, name: str = "") -> NwbObject | None:
    """The table of units of a path or name, or the only one that could be meant without a name."""
    found = units_tables(contents)
    if name:
        every = contents.of_type("Units")
        path = "/" + name.strip("/")
        found = tuple(one for one in every if one.path == path) or tuple(
            one for one in every if one.name == name
        )
    return found[0] if len(found) == 1 else None


def read_spikes(
    contents: Survey, *, options: ReadOptions, intervals: Intervals
) -> tuple[SpikeTrains, pd.DataFrame, NwbObject, tuple[Note, ...]]:
    """Spike trains and unit table.

    Parameters
    ----------
    intervals
        Intervals of the file; where it does not say what was observed, trials count as observed.

    Returns
    -------
    Spike trains, unit table with one row a unit, the file's table, and notes.
    """
    table, ids = _rows(contents, name=options.series)
    times, starts, data = _spike_times(table, n_units=len(ids), options=options)
    place = f"{table.path}/spike_times"
    notes = _sort(times, starts, ids=ids, place=place)
    told, told_notes = told_intervals(table, n_units=len(ids))
    end = session_end(contents, tables=intervals.tables.values())
    if told is not None:
        until = float(np.fmax(end, times.max()))
        notes += far_observed(told, until=until, place=f"{table.path}/obs_intervals")
        end = float(np.fmax(end, told[0][:, 1].max()))
    notes += told_notes + check_scale(
        times, starts, session_end=end, stored=data.dtype, place=place
    )
    latest = float(max(times.max(), -times.min()))
    notes += resolution_note(latest, stored=data.dtype, place=place)
    trains, guess_notes = _trains(times, starts, told=told, intervals=intervals, table=table)
    units, unit_notes = unit_table(
        ids,
        _columns(table, n_units=len(ids)),
        place=table.path,
        fallback_region=electrode_regions(table, n_units=len(ids)),
        options=options,
    )
    notes += guess_notes + unit_notes + odd_times(trains, ids=ids, place=place)
    return trains, units, table, notes


def check_spikes(contents: Survey, *, options: ReadOptions) -> None:
    """Refuse a table of units as :func:`read_spikes` does, as far as can be told without times.

    Raises
    ------
    DataError
        If there are no units or no spikes, or the table contradicts itself or the sheet.
    """
    table, ids = _rows(contents, name=options.series)
    _stored_times(table, n_units=len(ids))
    told_intervals(table, n_units=len(ids))
    unit_table(
        ids,
        scalar_columns(table.group, n_rows=len(ids), leave_out=("spike_times",)),
        place=table.path,
        fallback_region=electrode_regions(table, n_units=len(ids)),
        options=options,
    )


def _rows(contents: Survey, *, name: str) -> tuple[NwbObject, list[str]]:
    """The table of units and the ids of its rows."""
    table = units_object(contents, name=name)
    every = contents.of_type("Units")
    if table is None and every:
        listed = ", ".join(one.path for one in every)
        raise DataError(
            code="IN-S01",
            place=every[0].parent_path,
            found=f"there is no table of units '{name}'; the file has: {listed}"
            if name
            else f"several tables of units could be meant: {listed}",
            fix="write the path of one into column 'series' of the sheet and 'spikes' into column "
            f"'activity', for example {every[0].path}",
        )
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
    return table, ids


def _columns(table: NwbObject, *, n_units: int) -> pd.DataFrame:
    columns = scalar_columns(table.group, n_rows=n_units, leave_out=("spike_times",))
    columns, _ = positions(table.group, columns, rows=np.arange(n_units))
    return with_waveforms(table.group, columns)


def _stored_times(table: NwbObject, *, n_units: int) -> tuple[h5py.Dataset, NDArray[np.int64]]:
    """The dataset of all spike times, and where each unit's end in it."""
    data = child(table.group, "spike_times")
    place = f"{table.path}/spike_times"
    if not isinstance(data, h5py.Dataset):
        raise DataError(
            code="IN-S01", place=place, found="the units have no spike times", fix=_USE_OTHER
        )
    if not is_numeric(data) or not is_vector(data):
        raise DataError(
            code="IN-S09",
            place=place,
            found=f"spike times are {data.dtype} of shape {data.shape}",
            fix="write them as one column of seconds",
        )
    ends = ragged_ends(table.group, "spike_times", n_values=data.size)
    if ends is None and n_units == 1:
        ends = np.array([data.size])
    if ends is None or ends.size != n_units:
        count = "no index" if ends is None else f"an index of {ends.size} rows"
        raise DataError(
            code="IN-S11",
            place=f"{place}_index",
            found=f"spike times have {count} for {n_units} units",
            fix="write the table again with pynwb, which makes the index",
        )
    if ends[-1] == 0:
        raise DataError(
            code="IN-S04",
            place=place,
            found=f"no spikes: all {n_units} units are silent",
            fix="export the recording again with its spike times",
        )
    return data, ends


def _spike_times(
    table: NwbObject, *, n_units: int, options: ReadOptions
) -> tuple[NDArray[np.float64], NDArray[np.int64], h5py.Dataset]:
    """All spike times as stored, where each unit's begin, and the dataset."""
    data, ends = _stored_times(table, n_units=n_units)
    place = f"{table.path}/spike_times"
    times = read_all(data, max_gb=options.max_series_gb).reshape(-1)[: ends[-1]]
    starts = np.concatenate([[0], ends]).astype(np.int64)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        units = np.unique(np.searchsorted(starts, bad, side="right") - 1)
        raise DataError(
            code="IN-S09",
            place=place,
            found=f"{bad.size} of {times.size} spike times {for_number(bad.size, '[is|are]')} NaN "
            f"or infinite, in {counted(units.size, 'unit')}, the first in row {units[0]}",
            fix="leave these spikes out or correct their times",
        )
    return times, starts, data


def _sort(
    times: NDArray[np.float64], starts: NDArray[np.int64], *, ids: list[str], place: str
) -> tuple[Note, ...]:
    """Bring the spike times of each unit into ascending order, where they stand."""
    late = steps_back(times, starts)
    if not late.size:
        return ()
    mixed = np.unique(np.searchsorted(starts, late, side="right") - 1).tolist()
    for unit in mixed:
        times[starts[unit] : starts[unit + 1]].sort(kind="stable")
    named = ", ".join(ids[unit] for unit in mixed[:5])
    text = (
        f"Spike times of {len(mixed)} of {len(ids)} units were not in ascending order and were "
        f"sorted ({for_number(len(mixed), 'unit[|s]')} {named}{', ...' if len(mixed) > 5 else ''})."
    )
    return (Note(code="IN-S06", kind="repair", place=place, text=text),)


def _trains(
    times: NDArray[np.float64],
    starts: NDArray[np.int64],
    *,
    told: Ragged | None,
    intervals: Intervals,
    table: NwbObject,
) -> tuple[SpikeTrains, tuple[Note, ...]]:
    """Spike trains with the stretches in which each unit was observed."""
    if told is None:
        trials = intervals.trials[["start_s", "stop_s"]].to_numpy(dtype=np.float64)
        observed = guessed_interval(times, starts, known=trials)
        (start, stop) = observed[0]
        text = (
            f"The file does not say when units were observed; {start:.6g} s to {stop:.6g} s was "
            "taken, from the first to the last spike or trial."
        )
        place = f"{table.path}/obs_intervals"
        note = Note(code="IN-S16", kind="info", place=place, text=text)
        return SpikeTrains(times=times, starts=starts, observed=observed), (note,)
    everybody = shared(told)
    if everybody is not None:
        return SpikeTrains(times=times, starts=starts, observed=everybody), ()
    trains = SpikeTrains(
        times=times,
        starts=starts,
        observed=union(told[0]),
        unit_observed=told[0],
        unit_observed_starts=told[1],
    )
    return trains, ()
