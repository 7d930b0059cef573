"""Stretches that the file excludes from analysis, taken out of what counts as recorded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.errors import DataError
from pipeline.core.intervals import inside, union, without
from pipeline.core.notes import Note
from pipeline.core.recording import SampledActivity, SpikeTrains
from pipeline.core.words import counted, for_number
from pipeline.io.nwb.objects import NwbObject, Survey, child, referenced, text_attribute
from pipeline.io.nwb.tables import ragged_ends, row_ids, scalar_columns
from pipeline.io.nwb.values import check_filters, check_size

PLACE = "/intervals/invalid_times"


@dataclass(frozen=True, slots=True, eq=False)
class _Masked:
    """Which samples are valid and lie at a time that is, as a source."""

    valid: ArraySource
    kept: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.valid.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        chunks: tuple[int, ...] | None = getattr(self.valid, "chunks", None)
        return chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.bool_)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        rows = key[0] if isinstance(key, tuple) else key
        return self.valid[key] & self.kept[rows, None]


def without_invalid_times(
    activity: SampledActivity | SpikeTrains, contents: Survey, *, source: NwbObject
) -> tuple[SampledActivity | SpikeTrains, tuple[Note, ...]]:
    """The activity with what the file's ``invalid_times`` exclude marked as not recorded.

    Samples there count as missing and spikes there as not observed; their numbers stay. A row
    that names the series it is about counts only for those.

    Parameters
    ----------
    source
        The series or table of units that is the activity.

    Raises
    ------
    DataError
        If nothing is left.
    """
    table = contents.at(PLACE)
    if table is None or not table.is_a("TimeIntervals"):
        return activity, ()
    stretches = _stretches(table, source=source)
    if not len(stretches):
        return activity, ()
    marked, n_lost, n_all = (
        _without_samples(activity, stretches)
        if isinstance(activity, SampledActivity)
        else _without_observation(activity, stretches)
    )
    seconds = float(np.diff(stretches, axis=1).sum())
    n_stretches = counted(len(stretches), "stretch", "stretches")
    verb = for_number(len(stretches), "[is|are]")
    if n_lost == n_all:
        raise DataError(
            code="IN-T14",
            place=PLACE,
            found=f"all of the recording lies in invalid times ({n_stretches}, {seconds:.6g} s)",
            fix="correct the table of invalid times, or name another file",
        )
    effect = (
        "samples in them are marked as missing"
        if isinstance(activity, SampledActivity)
        else "units count as not observed there"
    )
    text = (
        f"{n_stretches}, {seconds:.6g} s in all, {verb} marked as invalid, "
        f"{100 * n_lost / n_all:.1f} % of the recording: {effect}."
    )
    return marked, (Note(code="IN-T14", kind="info", place=PLACE, text=text),)


def _without_samples(
    activity: SampledActivity, stretches: NDArray[np.float64]
) -> tuple[SampledActivity, float, float]:
    lost = inside(activity.time, stretches)
    marked = dataclasses.replace(activity, valid=_Masked(activity.valid, ~lost))
    return marked, float(lost.sum()), float(lost.size)


def _without_observation(
    activity: SpikeTrains, stretches: NDArray[np.float64]
) -> tuple[SpikeTrains, float, float]:
    before = float(np.diff(activity.observed, axis=1).sum())
    observed = without(activity.observed, stretches)
    lost = before - float(np.diff(observed, axis=1).sum())
    if not len(observed):
        return activity, 1.0, 1.0
    if activity.unit_observed is None:
        return dataclasses.replace(activity, observed=observed), lost, before
    own = [without(activity.observed_of(unit), stretches) for unit in range(activity.n_units)]
    starts = np.concatenate([[0], np.cumsum([len(one) for one in own])]).astype(np.int64)
    marked = dataclasses.replace(
        activity,
        observed=observed,
        unit_observed=np.concatenate(own),
        unit_observed_starts=starts,
    )
    return marked, lost, before


def _stretches(table: NwbObject, *, source: NwbObject) -> NDArray[np.float64]:
    """Start and stop of the rows that are about the source, joined."""
    columns = scalar_columns(table.group, n_rows=len(row_ids(table.group)))
    if not {"start_time", "stop_time"} <= set(columns):
        return np.empty((0, 2))  # the reader of tables tells what is wrong
    names = ("start_time", "stop_time")
    times = np.stack(
        [pd.to_numeric(columns[name], errors="coerce").to_numpy(np.float64) for name in names], 1
    )
    usable = np.isfinite(times).all(axis=1) & (times[:, 1] > times[:, 0])
    usable &= _about(table.group, n_rows=len(times), source=source)
    return union(times[usable])


def _about(table: h5py.Group, *, n_rows: int, source: NwbObject) -> NDArray[np.bool_]:
    """Which rows name no series, or the source; units also stem from any raw voltage."""
    about = np.ones(n_rows, dtype=bool)
    series = child(table, "timeseries")
    if (
        not isinstance(series, h5py.Dataset)
        or "timeseries" not in (series.dtype.names or ())
        or len(series.shape) != 1
    ):
        return about
    check_size(series)
    check_filters(series)
    ends = ragged_ends(table, "timeseries", n_values=series.shape[0])
    ends = np.arange(1, n_rows + 1) if ends is None else ends
    if ends.size != n_rows or (n_rows and ends[-1] > series.shape[0]):
        return about
    fits = [_fits(series, reference, source=source) for reference in series["timeseries"]]
    for row, (first, last) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
        about[row] = first == last or any(fits[first:last])
    return about


def _fits(series: h5py.Dataset, reference: object, *, source: NwbObject) -> bool:
    """Whether a reference among the rows' series leads to the source; one to nothing does."""
    target = referenced(series.file, reference, where=series.name)
    if target is None:
        return True
    if source.is_a("Units"):
        return text_attribute(target, "neurodata_type") in ("ElectricalSeries", "SpikeEventSeries")
    same: bool = target == source.group
    return same
