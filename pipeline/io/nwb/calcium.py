"""Traces of ROIs: read in their orientation, with their missing samples and their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import side_by_side
from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import SampledActivity
from pipeline.core.words import joined
from pipeline.io.nwb.choice import choose
from pipeline.io.nwb.clock import check_rate, check_scale, check_turned, gap_notes
from pipeline.io.nwb.objects import NwbObject, Survey, child
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.planes import common_clock
from pipeline.io.nwb.positions import MASKS, positions
from pipeline.io.nwb.rois import plane_of, roi_table
from pipeline.io.nwb.samples import Samples, scaled
from pipeline.io.nwb.tables import column_names, row_ids, scalar_columns
from pipeline.io.nwb.traces import Candidate
from pipeline.io.nwb.units import unit_table
from pipeline.io.nwb.values import check_streamed, is_numeric, time_base


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Series:
    """One series as read; several are the planes of a recording."""

    candidate: Candidate
    samples: Samples
    time: NDArray[np.float64]
    cells: _Cells
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """What the table of ROIs says about the traces of a series."""

    place: str
    ids: list[str]
    columns: pd.DataFrame
    region: str


def read_calcium(
    contents: Survey, *, options: ReadOptions, trials: pd.DataFrame, with_positions: bool = True
) -> tuple[
    SampledActivity, pd.DataFrame, tuple[NwbObject, ...], tuple[Note, ...], tuple[Samples, ...]
]:
    """Activity and unit table of the chosen series, planes side by side.

    Parameters
    ----------
    trials
        Trials of the recording; they tell seconds from milliseconds.
    with_positions
        Whether to read the masks, which may be large, for the centroids of cells.

    Returns
    -------
    Activity with shape (time, unit), whose samples are still in the file; unit table with one row
    a unit; the series; notes; and the samples, which have notes of their own once they were read.
    """
    chosen = choose(contents, options=options)
    read = [
        _read_series(contents, one, options=options, trials=trials, with_positions=with_positions)
        for one in chosen
    ]
    time, offsets = common_clock(chosen, [one.time for one in read])
    ids, columns, notes = _all_cells(read, offsets)
    units, unit_notes = unit_table(
        ids,
        columns,
        place=" + ".join(dict.fromkeys(one.cells.place for one in read)),
        fallback_region=[one.cells.region for one in read for _ in one.cells.ids],
        options=options,
    )
    sources = tuple(one.item for one in chosen)
    activity = SampledActivity(
        values=side_by_side([one.samples.values for one in read]),  # noqa: PD011 (no pandas)
        valid=side_by_side([one.samples.valid for one in read]),
        time=time,
        value_unit=chosen[0].unit,
        signal=chosen[0].signal,
    )
    notes = tuple(note for one in read for note in one.notes) + notes + unit_notes
    return activity, units, sources, notes, tuple(one.samples for one in read)


def _read_series(
    contents: Survey,
    candidate: Candidate,
    *,
    options: ReadOptions,
    trials: pd.DataFrame,
    with_positions: bool,
) -> _Series:
    series = candidate.item
    data = _samples(series)
    check_streamed(data, max_gb=options.max_series_gb)
    table, rows, table_notes = roi_table(contents, series)
    n_rois = None if rows is None else rows.size
    transposed, notes = _orientation(series, data, n_rois=n_rois)
    n_samples, n_units = data.shape[::-1] if transposed else (*data.shape, 1)[:2]
    if n_samples < 2:
        raise _too_few_samples(data)
    time = time_base(series.group, n_samples=n_samples)
    check_rate(series, time, limits_hz=options.rate_hz)
    check_scale(series, time, trials)
    if any(note.code == "IN-C10" for note in notes):
        reason = "no rois" if n_rois is None else f"as many samples as ROIs ({n_rois})"
        check_turned(series, time, trials, reason=reason)
    samples = Samples(scaled(data, transposed=transposed, max_gb=options.max_series_gb))
    cells, cell_notes = _cells(
        contents, table, rows=rows, n_units=n_units, with_positions=with_positions
    )
    return _Series(
        candidate=candidate,
        samples=samples,
        time=time,
        cells=cells,
        notes=notes + table_notes + gap_notes(series, time) + cell_notes,
    )


def _all_cells(
    read: Sequence[_Series], offsets: Sequence[float]
) -> tuple[list[str], pd.DataFrame, tuple[Note, ...]]:
    """Ids and columns of all units; ids of several planes begin with the name of theirs."""
    if len(read) == 1:
        return read[0].cells.ids, read[0].cells.columns, ()
    labels = _labels([one.candidate for one in read])
    ids = [
        f"{label}:{one}" for label, each in zip(labels, read, strict=True) for one in each.cells.ids
    ]
    tables = [
        one.cells.columns.assign(
            plane=one.candidate.plane.name or label,
            time_offset_s=np.full(len(one.cells.ids), offset),
        )
        for label, one, offset in zip(labels, read, offsets, strict=True)
    ]
    counts = ", ".join(
        f"{label} ({len(one.cells.ids)} units, {offset:+.4g} s)"
        for label, one, offset in zip(labels, read, offsets, strict=True)
    )
    n_frames = [one.time.size for one in read]
    cut = ""
    if len(set(n_frames)) > 1:
        cut = f" Some have one frame more than others; the first {min(n_frames)} are used."
    text = (
        f"{len(read)} planes are read as one population, with the times of the first: "
        f"{counts}.{cut}"
    )
    note = Note(code="IN-C35", kind="info", place=read[0].candidate.item.path, text=text)
    return ids, pd.concat(tables, ignore_index=True), (note,)


def _labels(series: Sequence[Candidate]) -> list[str]:
    """Short names that tell series apart: their own, or those of what they lie in, or paths."""
    for names in (
        [one.item.name for one in series],
        [one.plane.name for one in series],
        [one.item.parent_path.rsplit("/", 1)[-1] for one in series],
    ):
        if all(names) and max(Counter(names).values()) == 1:
            return names
    return [one.item.path for one in series]


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
        raise _too_few_samples(data)
    return data


def _too_few_samples(data: h5py.Dataset) -> DataError:
    return DataError(
        code="IN-C05",
        place=data.name,
        found=f"the series has shape {data.shape}; at least 2 samples of 1 ROI are needed",
        fix="name another series in column 'series' of the sheet",
    )


def _orientation(
    series: NwbObject, data: h5py.Dataset, *, n_rois: int | None
) -> tuple[bool, tuple[Note, ...]]:
    """Whether samples are stored ROI x time, which only ROI count and time base can tell."""
    timestamps = child(series.group, "timestamps")
    n_times = timestamps.size if isinstance(timestamps, h5py.Dataset) else None
    n_first, n_second = (*data.shape, 1)[:2]
    if n_rois is None:
        if len(data.shape) == 2 and n_times == n_second != n_first:
            raise DataError(
                code="IN-C09",
                place=data.name,
                found=f"samples have shape {n_first} x {n_second}, but there are {n_times} "
                "timestamps, and no rois tell whether the samples are stored ROI x time",
                fix="write the samples as time x ROI with one reference in rois a column",
            )
        if len(data.shape) == 1 or n_first > n_second or n_times == n_first:
            return False, ()
        text = (
            f"{n_first} samples of {n_second} ROIs were read, as the format demands; no rois tell "
            "whether they are not stored ROI x time."
        )
        return False, (Note(code="IN-C10", kind="warn", place=data.name, text=text),)
    if n_second == n_rois:
        if n_first != n_second or len(data.shape) == 1:
            return False, ()
        text = (
            f"As many samples as ROIs ({n_first}): the orientation is ambiguous; time x ROI, as "
            "the format demands, was taken."
        )
        return False, (Note(code="IN-C10", kind="warn", place=data.name, text=text),)
    times = "" if n_times is None else f" and {n_times} timestamps"
    shape = " x ".join(map(str, data.shape))
    if n_first != n_rois or len(data.shape) == 1:
        raise DataError(
            code="IN-C21",
            place=f"{series.path}/rois",
            found=f"samples have shape {shape}, but the number of rois is {n_rois}{times}",
            fix="write the samples as time x ROI with one reference in rois a column",
        )
    if n_times not in (None, n_second):
        raise DataError(
            code="IN-C09",
            place=data.name,
            found=f"samples of shape {shape} seem to be stored ROI x time, as the number of rois "
            f"is {n_rois}, but there are {n_times} timestamps",
            fix="write the samples as time x ROI with one timestamp a sample",
        )
    reason = "a constant rate" if n_times is None else f"{n_times} timestamps"
    text = (
        f"Stored as ROI x time ({n_first} x {n_second}); {n_rois} ROIs and {reason} say so. "
        "It was transposed."
    )
    return True, (Note(code="IN-C09", kind="repair", place=data.name, text=text),)


def _cells(
    contents: Survey,
    table: NwbObject | None,
    *,
    rows: NDArray[np.int64] | None,
    n_units: int,
    with_positions: bool,
) -> tuple[_Cells, tuple[Note, ...]]:
    """Ids and columns of the units of a series, with plane and position where they are told."""
    if table is None or rows is None:
        numbers = [str(number) for number in range(n_units)]
        nothing = pd.DataFrame(index=pd.RangeIndex(n_units))
        return _Cells(place="/processing", ids=numbers, columns=nothing, region=""), ()
    ids, plane = row_ids(table.group), plane_of(table)
    columns = scalar_columns(table.group, n_rows=len(ids)).iloc[rows].reset_index(drop=True)
    placed, source = columns, ""
    if with_positions:
        placed, source = positions(table.group, columns, rows=rows, spacing_um=plane.spacing_um)
    notes = _unused_columns(table, used={*columns, source})
    if "x" in placed and "x" not in columns:
        what = f"those of column '{source}'," if source else "centroids of the masks"
        text = (
            "The file does not tell the size of a pixel (grid_spacing of the imaging plane); "
            f"positions are {what} in pixels."
        )
        notes += (Note(code="IN-C34", kind="info", place=table.path, text=text),)
    several_planes = len(contents.of_type("ImagingPlane")) > 1
    if several_planes and plane.name and "plane" not in placed:
        placed = placed.assign(plane=plane.name)
    found = _Cells(
        place=table.path, ids=[ids[row] for row in rows], columns=placed, region=plane.location
    )
    return found, notes


def _unused_columns(table: NwbObject, *, used: Collection[str]) -> tuple[Note, ...]:
    """That columns of several entries a row were left out, which would vanish without a word."""
    unused = [name for name in column_names(table.group) if name not in {*used, *MASKS}]
    if not unused:
        return ()
    text = (
        "Columns that have no single number or text a row were not used: "
        f"{joined(unused, most=20)}. Positions are read from columns x, y and z, or from one that "
        "tells the order of axes and micrometers or pixels, as 'x, y in micrometers' in its "
        "description does."
    )
    return (Note(code="IN-C36", kind="info", place=table.path, text=text),)
