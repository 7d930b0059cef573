"""Results of methods as processing modules of an NWB file, of core types only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.exported import ResultColumn, ResultFrames, ResultRows, ResultSeries
from pipeline.core.parts import Number, Table
from pipeline.io.nwb.write import clock

SETTINGS = "neuroptych_settings"
"""Name of the text in ``scratch`` that holds the settings in effect."""
MOST_BYTES = 100_000_000
"""Size above which a table of numbers, a series or frames are left out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultModule:
    """What one method found, as one processing module."""

    name: str
    description: str
    tables: tuple[Table, ...] = ()
    rows: tuple[ResultRows, ...] = ()
    series: tuple[ResultSeries, ...] = ()
    frames: tuple[ResultFrames, ...] = ()


# Objects of pynwb have no types that a checker could see: they are Any below.
def add_results(nwb: Any, modules: Sequence[ResultModule], *, settings: str) -> None:
    """Add modules to a file that is not written yet, and the settings as text to its scratch space.

    A module that holds nothing is left out: the format has no place for it. Names lose what the
    format does not allow, such as ``/``; missing numbers become NaN, other missing cells empty.
    What is larger than :data:`MOST_BYTES` is left out, which the module's description says.
    """
    for module in modules:
        found = [
            *map(_table, module.tables),
            *(_rows(one, nwb) for one in module.rows if _fits(one)),
            *(_series(one) for one in module.series if _fits(one)),
            *(image_series(one) for one in module.frames if _fits(one)),
        ]
        if found:
            large = [
                one.name
                for kind in (module.rows, module.series, module.frames)
                for one in kind
                if not _fits(one)
            ]
            words = f" Too large for this file: {', '.join(large)}." if large else ""
            made = nwb.create_processing_module(module.name, module.description + words)
            for one in found:
                made.add(one)
    nwb.add_scratch(settings, name=SETTINGS, description="Settings of the analysis, as JSON.")


def _table(table: Table) -> Any:
    from hdmf.common import DynamicTable, VectorData

    columns: dict[str, Any] = {}
    for title, cells in table.columns.items():
        name = _allowed(title)
        while name in columns or hasattr(DynamicTable, name):
            name += "_"
        columns[name] = VectorData(name=name, description=f"{title}.", data=_entries(cells))
    return DynamicTable(
        name=_allowed(table.id),
        description=f"{table.title}. {table.caption}".strip(),
        columns=list(columns.values()),
    )


def _entries(cells: Sequence[Number]) -> list[Any]:
    """Cells of one kind, as the format asks for."""
    known = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in known}
    whole = len(known) == len(cells)
    if whole and (kinds == {bool} or kinds == {int}):
        return list(known)
    if known and kinds <= {int, float}:
        return [np.nan if cell is None else float(cell) for cell in cells]
    return ["" if cell is None else str(cell) for cell in cells]


def _fits(one: ResultRows | ResultSeries | ResultFrames) -> bool:
    arrays = [each.values for each in one.columns] if isinstance(one, ResultRows) else [one.values]
    return sum(array.nbytes for array in arrays) <= MOST_BYTES


def _rows(rows: ResultRows, nwb: Any) -> Any:
    from hdmf.common import DynamicTable

    return DynamicTable(
        name=_allowed(rows.name),
        description=rows.description,
        columns=[_column(column, nwb) for column in rows.columns],
    )


def _column(column: ResultColumn, nwb: Any) -> Any:
    from hdmf.common import DynamicTableRegion, VectorData

    from pipeline.io.nwb.write_pieces import packed

    told = {"name": column.name, "description": column.description}
    if column.of_units:
        return DynamicTableRegion(**told, data=column.values, table=_units(nwb))
    return VectorData(**told, data=packed(column.values))


def _units(nwb: Any) -> Any:
    """The table of units, or of ROIs, that :func:`write_recording` made."""
    if nwb.units is not None:
        return nwb.units
    (segmentation,) = nwb.processing["ophys"]["ImageSegmentation"].plane_segmentations.values()
    return segmentation


def image_series(frames: ResultFrames) -> Any:
    """Frames as a series of images, whose time begins with the stimulus and not the session.

    NWB orders axes as frame, x, y.
    """
    from pynwb.image import ImageSeries

    from pipeline.io.nwb.write_pieces import packed

    return ImageSeries(
        name=re.sub(r"\W", "_", frames.name),
        description=frames.description,
        data=packed(np.ascontiguousarray(frames.values.swapaxes(1, 2))),
        unit=frames.unit,
        format="raw",
        rate=float(frames.rate_hz),
        starting_time=0.0,
    )


def _series(series: ResultSeries) -> Any:
    from pynwb import TimeSeries

    from pipeline.io.nwb.write_pieces import packed

    return TimeSeries(
        name=_allowed(series.name),
        description=series.description,
        data=packed(series.values),
        unit=series.unit,
        **clock(series.time_s),
    )


def _allowed(name: str) -> str:
    """A name without the signs that the format does not allow."""
    return re.sub(r"[/:]", "_", name) or "unnamed"
