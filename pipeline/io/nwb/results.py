"""Results of methods as processing modules of an NWB file, of core types only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Number, Table

SETTINGS = "neuroptych_settings"
"""Name of the text in ``scratch`` that holds the settings in effect."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultSeries:
    """Something that a method says of every moment of a recording."""

    name: str
    description: str
    time_s: NDArray[np.float64]
    values: NDArray[Any]
    """Shape (time,) or (time, column)."""
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultModule:
    """What one method found, as one processing module."""

    name: str
    description: str
    tables: tuple[Table, ...] = ()
    series: tuple[ResultSeries, ...] = ()


# Objects of pynwb have no types that a checker could see: they are Any below.
def add_results(nwb: Any, modules: Sequence[ResultModule], *, settings: str) -> None:
    """Add modules to a file that is not written yet, and the settings as text to its scratch space.

    A module without tables and series is left out: the format has no place for it. Names lose what
    the format does not allow, such as ``/``; missing numbers become NaN, other missing cells empty.
    """
    for module in modules:
        found = [*map(_table, module.tables), *map(_series, module.series)]
        if found:
            made = nwb.create_processing_module(module.name, module.description)
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


def _series(series: ResultSeries) -> Any:
    from pynwb import TimeSeries

    return TimeSeries(
        name=_allowed(series.name),
        description=series.description,
        data=series.values,
        unit=series.unit,
        timestamps=series.time_s,
    )


def _allowed(name: str) -> str:
    """A name without the signs that the format does not allow."""
    return re.sub(r"[/:]", "_", name) or "unnamed"
