"""Traces of ROIs: which series, in which orientation, with which missing samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import SampledActivity
from pipeline.io.nwb.objects import (
    NwbObject,
    Survey,
    child,
    child_text,
    dereference,
    text_attribute,
)
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.positions import positions
from pipeline.io.nwb.samples import Samples, scaled
from pipeline.io.nwb.tables import row_ids, scalar_columns
from pipeline.io.nwb.units import unit_table
from pipeline.io.nwb.values import check_streamed, is_numeric, time_base

_NEUROPIL = re.compile(r"neuropil", re.IGNORECASE)
_EVENTS = re.compile(r"deconv|event|spike|spks", re.IGNORECASE)
_DFF = re.compile(r"d(elta)?_?f_?(over|/|by|div)?_?f(?![a-z])|dff", re.IGNORECASE)
TIERS = ("dff", "fluorescence", "events")
"""Kinds of signal in the order in which they are preferred."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A series that could be the activity."""

    item: NwbObject
    signal: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the samples as stored."""
        data = child(self.item.group, "data")
        return tuple(data.shape) if isinstance(data, h5py.Dataset) else ()

    @property
    def rate_hz(self) -> float:
        """Samples a second, from the rate or the first timestamps; NaN where not known."""
        try:
            timestamps = child(self.item.group, "timestamps")
            starting_time = child(self.item.group, "starting_time")
        except DataError:
            return float("nan")
        if isinstance(timestamps, h5py.Dataset) and is_numeric(timestamps):
            times = timestamps[:100]
            steps = np.diff(times) if times.size > 1 else np.array([np.nan])
            middle = float(np.median(steps))
            return 1.0 / middle if middle > 0 else float("nan")
        if isinstance(starting_time, h5py.Dataset):
            return float(starting_time.attrs.get("rate", float("nan")))
        return float("nan")

    def line(self) -> str:
        """Path, shape and rate in one line."""
        shape = " x ".join(map(str, self.shape)) or "no data"
        return f"{self.item.path} ({shape}, {self.rate_hz:.4g} Hz)"


def candidates(contents: Survey) -> tuple[Candidate, ...]:
    """Series that could be the activity, best kind first; neuropil is never among them."""
    found = [
        Candidate(item=item, signal=_signal(contents, item))
        for item in contents.of_type("RoiResponseSeries")
        if not _NEUROPIL.search(item.path)
    ]
    return tuple(sorted(found, key=lambda one: (TIERS.index(one.signal), one.item.path)))


def choose(contents: Survey, *, options: ReadOptions) -> Candidate:
    """The series that is the activity.

    Raises
    ------
    DataError
        If there is none, the one the sheet names is not there, or several are equally good.
    """
    offered = candidates(contents)
    if options.series:
        return _named(offered, options.series)
    for tier in ("dff", "fluorescence"):
        best = [one for one in offered if one.signal == tier]
        if len(best) == 1:
            return best[0]
        if best:
            raise _several(best)
    raise _none(contents, offered)


def read_calcium(
    contents: Survey, *, options: ReadOptions
) -> tuple[SampledActivity, pd.DataFrame, NwbObject, tuple[Note, ...], Samples]:
    """Activity and unit table of the chosen series.

    Returns
    -------
    Activity with shape (time, unit), whose samples are still in the file; unit table with one row
    a unit; the series; notes; and the samples, which have notes of their own once they were read.
    """
    chosen = choose(contents, options=options)
    series = chosen.item
    data = _samples(series)
    check_streamed(data, max_gb=options.max_series_gb)
    table, rows, table_notes = _roi_table(contents, series)
    n_rois = None if rows is None else rows.size
    transposed, notes = _orientation(series, data, n_rois=n_rois)
    n_samples, n_units = data.shape[::-1] if transposed else (*data.shape, 1)[:2]
    times = time_base(series.group, n_samples=n_samples)
    samples = Samples(scaled(data, transposed=transposed, max_gb=options.max_series_gb))
    units, unit_notes = _units(contents, table, rows=rows, n_units=n_units, options=options)
    activity = SampledActivity(
        values=samples.values,
        valid=samples.valid,
        time=times,
        value_unit=text_attribute(data, "unit"),
        signal=chosen.signal,
    )
    return activity, units, series, notes + table_notes + unit_notes, samples


def _signal(contents: Survey, item: NwbObject) -> str:
    if _EVENTS.search(item.name) or _EVENTS.search(item.parent_path.rsplit("/", 1)[-1]):
        return "events"
    container = contents.type_at(item.parent_path)
    if container == "DfOverF" or (container != "Fluorescence" and _DFF.search(item.name)):
        return "dff"
    return "fluorescence"


def _named(offered: Sequence[Candidate], name: str) -> Candidate:
    wanted = name.strip()
    by_path = [one for one in offered if one.item.path == "/" + wanted.strip("/")]
    found = by_path or [one for one in offered if one.item.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise _several(found)
    lines = "; ".join(one.line() for one in offered) or "none"
    raise DataError(
        code="IN-C01",
        place="/processing",
        found=f"there is no ROI series '{name}'; the file has: {lines}",
        fix="correct column 'series' of the sheet",
    )


def _several(best: Sequence[Candidate]) -> DataError:
    lines = "; ".join(f"({number}) {one.line()}" for number, one in enumerate(best, start=1))
    return DataError(
        code="IN-C02",
        place=best[0].item.parent_path,
        found=f"several series could be the activity: {lines}",
        fix=f"name one in column 'series' of the sheet, for example {best[0].item.path}",
    )


def _none(contents: Survey, offered: Sequence[Candidate]) -> DataError:
    needed = [item for item in contents.unknown if "rois" in item.group and "data" in item.group]
    if needed:
        return DataError(
            code="IN-F13",
            place=needed[0].path,
            found=f"the traces are of type {needed[0].type} of the extension "
            f"{needed[0].namespace}, whose definition is not in the file",
            fix=f"install {needed[0].namespace} where the file is written, so that its definition "
            "is stored with the data, or store the traces as RoiResponseSeries",
        )
    if offered:
        lines = "; ".join(one.line() for one in offered)
        return DataError(
            code="IN-C01",
            place="/processing",
            found=f"no dF/F or fluorescence, only inferred events: {lines}",
            fix="to analyse events, name the series in column 'series' of the sheet, for example "
            f"{offered[0].item.path}",
        )
    types = sorted({item.type for item in contents.objects})
    return DataError(
        code="IN-C01",
        place="/processing",
        found="no calcium traces (RoiResponseSeries in DfOverF or Fluorescence); the file has: "
        + (", ".join(types) or "no typed objects"),
        fix="name another file, or set column 'activity' of the sheet to 'spikes' if it has units",
    )


def _samples(series: NwbObject) -> h5py.Dataset:
    data = child(series.group, "data")
    if not isinstance(data, h5py.Dataset):
        raise DataError(
            code="IN-C05",
            place=f"{series.path}/data",
            found="the series has no samples",
            fix="name another series in column 'series' of the sheet",
        )
    if not is_numeric(data) or len(data.shape) not in (1, 2):
        raise DataError(
            code="IN-C28",
            place=f"{series.path}/data",
            found=f"samples are {data.dtype} of shape {data.shape}, not a numeric table of "
            "time x ROI",
            fix="name another series in column 'series' of the sheet",
        )
    if 0 in data.shape or max(data.shape) < 2:
        raise DataError(
            code="IN-C05",
            place=f"{series.path}/data",
            found=f"the series has shape {data.shape}; at least 2 samples of 1 ROI are needed",
            fix="name another series in column 'series' of the sheet",
        )
    return data


def _roi_table(
    contents: Survey, series: NwbObject
) -> tuple[NwbObject | None, NDArray[np.int64] | None, tuple[Note, ...]]:
    """The table of ROIs and the row of each trace; None where the series names no table."""
    rois = child(series.group, "rois")
    target = dereference(rois, "table") if isinstance(rois, h5py.Dataset) else None
    if not isinstance(rois, h5py.Dataset) or target is None:
        text = "The series names no table of ROIs; units are numbered."
        return (
            None,
            None,
            (Note(code="IN-C31", kind="warn", place=f"{series.path}/rois", text=text),),
        )
    table = contents.same_as(target)
    if table is None or not table.is_a("DynamicTable") or table.is_a("TimeIntervals"):
        raise DataError(
            code="IN-C22",
            place=rois.name,
            found=f"the ROIs refer to {target.name}, which is not a table of cells",
            fix="let rois refer to a PlaneSegmentation",
        )
    rows = rois[...].astype(np.int64)
    n_rows = len(row_ids(table.group))
    outside = np.flatnonzero((rows < 0) | (rows >= n_rows))
    if outside.size:
        raise DataError(
            code="IN-C20",
            place=rois.name,
            found=f"{outside.size} rois are out of range: index {rows[outside[0]]} at position "
            f"{outside[0]}, but {table.path} has {n_rows} rows",
            fix="write the series again with references to existing rows",
        )
    return table, rows, ()


def _orientation(
    series: NwbObject, data: h5py.Dataset, *, n_rois: int | None
) -> tuple[bool, tuple[Note, ...]]:
    """Whether samples are stored ROI x time, which only ROI count and time base can tell."""
    if len(data.shape) == 1:
        return False, ()
    n_first, n_second = data.shape
    if n_rois is None or n_second == n_rois:
        if n_first != n_second:
            return False, ()
        text = (
            f"As many samples as ROIs ({n_first}): the orientation is ambiguous; time x ROI, as "
            "the format demands, was taken."
        )
        return False, (Note(code="IN-C10", kind="warn", place=data.name, text=text),)
    timestamps = child(series.group, "timestamps")
    n_times = timestamps.shape[0] if isinstance(timestamps, h5py.Dataset) else None
    if n_first == n_rois and n_times in (None, n_second):
        reason = "a constant rate" if n_times is None else f"{n_times} timestamps"
        text = (
            f"Stored as ROI x time ({n_first} x {n_second}); {n_rois} ROIs and {reason} say so. "
            "It was transposed."
        )
        return True, (Note(code="IN-C09", kind="repair", place=data.name, text=text),)
    times = "" if n_times is None else f" and {n_times} timestamps"
    raise DataError(
        code="IN-C09",
        place=data.name,
        found=f"samples have shape {n_first} x {n_second}, but the number of rois is {n_rois}"
        + times,
        fix="write the samples as time x ROI with one reference in rois a column",
    )


def _units(
    contents: Survey,
    table: NwbObject | None,
    *,
    rows: NDArray[np.int64] | None,
    n_units: int,
    options: ReadOptions,
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    if table is None or rows is None:
        return unit_table(
            [str(number) for number in range(n_units)],
            pd.DataFrame(index=pd.RangeIndex(n_units)),
            place="/processing",
            fallback_region=[""] * n_units,
            options=options,
        )
    ids = row_ids(table.group)
    columns = scalar_columns(table.group, n_rows=len(ids)).iloc[rows].reset_index(drop=True)
    columns = positions(table.group, columns, rows=rows)
    return unit_table(
        [ids[row] for row in rows],
        columns,
        place=table.path,
        fallback_region=[plane_location(table)] * n_units,
        options=options,
    )


def plane_location(table: NwbObject) -> str:
    """Where the imaging plane of a table of ROIs lay; empty where the file does not tell.

    The format demands a location, so that many files say ``unknown``.
    """
    try:
        plane = child(table.group, "imaging_plane")
    except DataError:
        return ""
    location = child_text(plane, "location").strip() if isinstance(plane, h5py.Group) else ""
    return "" if location.lower() == "unknown" else location
