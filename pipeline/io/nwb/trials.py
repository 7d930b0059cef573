"""Tables of intervals: trials with their condition, epochs with their label, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import EPOCH_COLUMNS, TRIAL_COLUMNS
from pipeline.io.nwb.objects import NwbObject, Survey
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.tables import (
    as_label,
    column_names,
    is_text_column,
    joined_text,
    row_ids,
    scalar_columns,
)
from pipeline.io.nwb.units import named_column

LABEL_COLUMNS = ("label", "tags")
"""Columns that label intervals, in order of preference."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """All intervals of a file."""

    trials: pd.DataFrame
    epochs: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[Note, ...]


def interval_objects(contents: Survey) -> dict[str, NwbObject]:
    """Tables of intervals by name."""
    return {item.name: item for item in contents.of_type("TimeIntervals", under="/intervals")}


def read_intervals(contents: Survey, *, options: ReadOptions) -> Intervals:
    """Trials, epochs and every table of intervals.

    Raises
    ------
    DataError
        If the sheet names a table or column that is not there, or a trial or epoch stops before
        it starts.
    """
    objects = interval_objects(contents)
    chosen = _trials_name(objects, options=options)
    tables: dict[str, pd.DataFrame] = {}
    notes: tuple[Note, ...] = ()
    for name, item in objects.items():
        needed = name in (chosen, "epochs")
        table, table_notes = _interval_table(item, needed=needed)
        notes += table_notes
        if table is not None:
            tables[name] = table
    return Intervals(
        trials=_trials(tables, objects, chosen=chosen, options=options),
        epochs=_epochs(tables),
        tables=tables,
        notes=notes,
    )


def _trials_name(objects: Mapping[str, NwbObject], *, options: ReadOptions) -> str:
    name = options.intervals or ("trials" if "trials" in objects else "")
    if name and name not in objects:
        there = ", ".join(sorted(objects)) or "no tables of intervals"
        raise DataError(
            code="IN-T02",
            place="/intervals",
            found=f"there is no table of intervals '{name}'; the file has: {there}",
            fix="correct column 'intervals' of the sheet",
        )
    if not name and options.condition:
        raise DataError(
            code="IN-T02",
            place="/intervals",
            found=f"condition '{'+'.join(options.condition)}' is asked for, but there are no "
            f"trials; tables of intervals: {', '.join(sorted(objects)) or 'none'}",
            fix="name the table in column 'intervals' of the sheet, or leave 'condition' empty",
        )
    return name


def interval_columns(item: NwbObject) -> pd.DataFrame:
    """Columns of one entry a row as the file has them; several tags a row are joined by ``+``."""
    n_rows = len(row_ids(item.group))
    columns = scalar_columns(item.group, n_rows=n_rows)
    if "tags" in column_names(item.group) and "tags" not in columns:
        tags = joined_text(item.group, "tags", n_rows=n_rows)
        columns["tags"] = pd.Series(tags, dtype="str")
    return columns


def _interval_table(
    item: NwbObject, *, needed: bool
) -> tuple[pd.DataFrame | None, tuple[Note, ...]]:
    """A table with ``start_s`` and ``stop_s`` first; None where it cannot be one."""
    try:
        columns = interval_columns(item)
        start, stop = (_times(item, columns, name) for name in ("start_time", "stop_time"))
    except DataError as error:
        if needed:
            raise
        text = f"Not read: {error.found}."
        return None, (Note(code=error.code, kind="warn", place=error.place, text=text),)
    ours = ("start_s", "stop_s")
    columns = columns.drop(columns=["start_time", "stop_time"]).rename(
        columns={name: f"{name}_in_file" for name in ours}
    )
    table = pd.concat([pd.DataFrame({"start_s": start, "stop_s": stop}), columns], axis=1)
    known = np.isfinite(start) & np.isfinite(stop)
    notes: tuple[Note, ...] = ()
    if not known.all():
        text = f"{int((~known).sum())} of {known.size} intervals have no time and were left out."
        notes += (Note(code="IN-T13", kind="repair", place=item.path, text=text),)
        table = table[known].reset_index(drop=True)
    return table, notes + _backward(item, table, needed=needed)


def _times(item: NwbObject, columns: pd.DataFrame, name: str) -> pd.Series[float]:
    if name not in columns:
        raise DataError(
            code="IN-T02",
            place=item.path,
            found=f"there is no column '{name}'; the table has: {', '.join(columns.columns)}",
            fix="write start_time and stop_time in seconds",
        )
    return pd.to_numeric(columns[name], errors="coerce").astype(np.float64)


def _backward(item: NwbObject, table: pd.DataFrame, *, needed: bool) -> tuple[Note, ...]:
    rows = np.flatnonzero(table["stop_s"] < table["start_s"])
    if not rows.size:
        return ()
    listed = ", ".join(map(str, rows[:10])) + (", ..." if rows.size > 10 else "")
    found = f"{rows.size} of {len(table)} intervals stop before they start (rows {listed})"
    if not needed:
        place = f"{item.path}/stop_time"
        return (Note(code="IN-T03", kind="warn", place=place, text=f"{found}."),)
    raise DataError(
        code="IN-T03",
        place=f"{item.path}/stop_time",
        found=found,
        fix="correct start_time and stop_time of these rows",
    )


def _trials(
    tables: Mapping[str, pd.DataFrame],
    objects: Mapping[str, NwbObject],
    *,
    chosen: str,
    options: ReadOptions,
) -> pd.DataFrame:
    if not chosen:
        return _empty(TRIAL_COLUMNS)
    table = tables[chosen]
    place = objects[chosen].path
    if options.condition:
        parts = [
            named_column(table, name, place=place, sheet_column="condition")
            for name in options.condition
        ]
        condition = ["+".join(words) for words in zip(*parts, strict=True)]
    else:
        condition = _labels(table, ("condition", *LABEL_COLUMNS)) or [chosen] * len(table)
    return _with_text(table, "condition", condition)


def _epochs(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if "epochs" not in tables:
        return _empty(EPOCH_COLUMNS)
    table = tables["epochs"]
    text_columns = [name for name in table.columns if is_text_column(table[name])]
    labels = _labels(table, (*LABEL_COLUMNS, *text_columns)) or ["epoch"] * len(table)
    return _with_text(table, "label", labels)


def _labels(table: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    name = next((name for name in names if name in table.columns), None)
    return [] if name is None else [as_label(value) for value in table[name]]


def _with_text(table: pd.DataFrame, name: str, values: list[str]) -> pd.DataFrame:
    """The table with a column of ours after its times.

    A column of the file with that name but other entries is kept under another name.
    """
    ours = pd.Series(values, dtype="str", index=table.index)
    rest = table.drop(columns=["start_s", "stop_s"])
    if name in rest and [as_label(value) for value in rest[name]] == values:
        rest = rest.drop(columns=name)
    rest = rest.rename(columns={name: f"{name}_in_file"})
    return pd.concat([table[["start_s", "stop_s"]], ours.rename(name), rest], axis=1)


def _empty(names: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([], dtype="float64" if name.endswith("_s") else "str") for name in names}
    )
