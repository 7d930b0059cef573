"""Tables of intervals: trials with their condition, epochs with their label, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import EPOCH_COLUMNS, TRIAL_COLUMNS
from pipeline.core.words import counted, for_number
from pipeline.io.nwb.interval_series import interval_table
from pipeline.io.nwb.labels import oddities, with_counts
from pipeline.io.nwb.objects import NwbObject, Survey
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.series import stimulus_objects
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
CONDITION_COLUMNS = (
    "condition",
    "stimulus",
    "stimulus_name",
    "stimulus_id",
    "stimulus_type",
    "trial_type",
    *LABEL_COLUMNS,
)
"""Columns that are the condition where the sheet names none, in order of preference."""
EVENTS = "EventsTable"
"""Type of tables of moments, some of which last, in the format and in its extension for events."""
MAX_LISTED = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """All intervals of a file."""

    trials: pd.DataFrame
    epochs: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    trials_place: str
    """HDF5 path of the table that became the trials; empty without one."""
    notes: tuple[Note, ...]


def interval_objects(contents: Survey) -> dict[str, NwbObject]:
    """Tables of intervals by name: of ``/intervals``, of modules, of events, then series.

    Where a name is taken, that of the container stands before it.
    """
    found = sorted(
        contents.of_type("TimeIntervals"), key=lambda item: item.parent_path != "/intervals"
    )
    named: dict[str, NwbObject] = {}
    for item in (*found, *contents.of_type(EVENTS), *contents.of_type("IntervalSeries")):
        container = item.parent_path.rsplit("/", 1)[-1]
        named[item.name if item.name not in named else f"{container}.{item.name}"] = item
    return named


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
        table, table_notes = _table_of(item, needed=needed)
        notes += table_notes
        if table is not None:
            tables[name] = table
    trials, trial_notes = _trials(tables, objects, chosen=chosen, options=options)
    return Intervals(
        trials=trials,
        epochs=_epochs(tables),
        tables=tables,
        trials_place=objects[chosen].path if chosen else "",
        notes=notes + trial_notes,
    )


def _trials_name(objects: Mapping[str, NwbObject], *, options: ReadOptions) -> str:
    name = options.intervals or ("trials" if "trials" in objects else "")
    by_path = {item.path: key for key, item in objects.items()}
    name = by_path.get("/" + name.strip("/"), name)
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
    return _lasting(columns) if item.is_a(EVENTS) else columns


def _lasting(events: pd.DataFrame) -> pd.DataFrame:
    """Events with start and stop: those without a duration have none, and stop when they start."""
    if "timestamp" not in events:
        return events
    start = pd.to_numeric(events["timestamp"], errors="coerce")
    lasts = pd.to_numeric(events.get("duration", 0.0 * start), errors="coerce").fillna(0.0)
    times = pd.DataFrame({"start_time": start, "stop_time": start + lasts})
    further = events.drop(columns=["timestamp", "duration", *times], errors="ignore")
    return pd.concat([times, further], axis=1)


def _table_of(item: NwbObject, *, needed: bool) -> tuple[pd.DataFrame | None, tuple[Note, ...]]:
    if not item.is_a("IntervalSeries"):
        return _interval_table(item, needed=needed)
    try:
        return interval_table(item)
    except DataError as error:
        if needed:
            raise
        text = f"Not read: {error.found}."
        return None, (Note(code=error.code, kind="warn", place=error.place, text=text),)


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
        n_lost = int((~known).sum())
        verbs = for_number(n_lost, "[has no time and was|have no time and were]")
        text = f"{n_lost} of {known.size} intervals {verbs} left out."
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
    found = (
        f"{rows.size} of {len(table)} intervals "
        f"{for_number(rows.size, '[stops before it starts|stop before they start]')} "
        f"({for_number(rows.size, 'row[|s]')} {listed})"
    )
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
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    if not chosen:
        return _empty(TRIAL_COLUMNS), ()
    table, place = tables[chosen], objects[chosen].path
    found = next((name for name in CONDITION_COLUMNS if name in table), "")
    names = options.condition or ((found,) if found else ())
    if (whole := "+".join(names)) in table:
        names = (whole,)  # a column that is itself called so
    parts = [named_column(table, name, place=place, sheet_column="condition") for name in names]
    notes: tuple[Note, ...] = ()
    for name, labels in zip(names, parts, strict=True):
        notes += _label_notes(table[name], labels, place=f"{place}/{name}")
    condition = ["+".join(words) for words in zip(*parts, strict=True)] or [chosen] * len(table)
    if len(table) and not options.condition and found not in ("", "condition"):
        text = (
            f"Column '{found}' was taken as the condition; column 'condition' of the sheet decides."
        )
        notes += (Note(code="IN-T15", kind="info", place=place, text=text),)
    if not names and not options.intervals and len(table):
        notes += (_no_condition(table, place=place),)
    return _with_text(table, "condition", condition), notes


def _label_notes(
    column: pd.Series[Any],  # Any: columns differ in type
    labels: list[str],
    *,
    place: str,
) -> tuple[Note, ...]:
    written = [
        value if isinstance(value, str) else label
        for value, label in zip(column, labels, strict=True)
    ]
    odd = oddities(written)
    if not odd:
        return ()
    text = (
        f"Stimulus labels: {odd}. Only blanks around a label are taken away; all trials are kept. "
        f"Labels and counts: {with_counts(written)}."
    )
    return (Note(code="IN-T08", kind="warn", place=place, text=text),)


def _no_condition(table: pd.DataFrame, *, place: str) -> Note:
    text = (
        "No column says which stimulus was shown, so all trials count as one condition. Columns: "
        f"{columns_in_words(table)}. Column 'condition' of the sheet names one or several."
    )
    kind: Literal["info", "warn"] = "warn" if set(table) == {"start_s", "stop_s"} else "info"
    return Note(code="IN-T02", kind=kind, place=place, text=text)


def columns_in_words(table: pd.DataFrame) -> str:
    """Columns of a table beside its times, with some of their values."""
    names = [name for name in table if name not in ("start_s", "stop_s")]
    words = [
        f"{name} ({', '.join(list(dict.fromkeys(map(as_label, table[name])))[:4])})"
        for name in names[:MAX_LISTED]
    ]
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ("; ".join(words) or "none but the times") + more


def missing_trials(contents: Survey, intervals: Intervals, *, kind: str) -> tuple[Note, ...]:
    """What to know of a recording without trials: what else the file has in their place.

    Parameters
    ----------
    kind
        ``calcium`` or ``spikes``.
    """
    if len(intervals.trials):
        return ()
    stimuli = [item.path for item in stimulus_objects(contents)]
    others = {name: table for name, table in intervals.tables.items() if len(table)}
    listed = "; ".join(
        f"{name} ({counted(len(table), 'row')}; columns: {columns_in_words(table)})"
        for name, table in others.items()
    )
    empty = bool(intervals.trials_place)
    text = (
        f"There are no trials{': the table has no rows' if empty else ''}; methods that need "
        f"trials are not applicable. Tables of intervals: {listed or 'none'}. "
        f"Stimuli: {', '.join(stimuli) or 'none'}."
    )
    if others:
        text += " Column 'intervals' of the sheet can name one of the tables."
    # Spikes with nothing beside them are most often an export that lost its trials.
    odd = empty or (kind == "spikes" and not others and not stimuli)
    place = intervals.trials_place or "/intervals/trials"
    return (Note(code="IN-T01", kind="warn" if odd else "info", place=place, text=text),)


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
