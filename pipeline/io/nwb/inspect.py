"""What an NWB file offers, and the sheet line that reads it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas as pd

from pipeline.core.errors import DataError, printable
from pipeline.core.recording import About
from pipeline.io.nwb.about import read_about
from pipeline.io.nwb.accepted import accepted_column
from pipeline.io.nwb.choice import joined_entry
from pipeline.io.nwb.electrodes import electrode_regions
from pipeline.io.nwb.extent import latest_time, spike_count
from pipeline.io.nwb.external_files import names_files
from pipeline.io.nwb.external_frames import first_frame_words
from pipeline.io.nwb.images import holds_frames
from pipeline.io.nwb.interval_series import interval_table
from pipeline.io.nwb.objects import NwbObject, Survey, child, dereference, survey, text_attribute
from pipeline.io.nwb.open import open_nwb
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.planes import why_apart
from pipeline.io.nwb.read import check_readable
from pipeline.io.nwb.series import covariate_objects, image_objects
from pipeline.io.nwb.spikes import units_tables
from pipeline.io.nwb.tables import as_label, is_text_column, row_ids, scalar_columns
from pipeline.io.nwb.traces import NO_CELLS, Candidate, all_traces, best_of, series_rate_hz
from pipeline.io.nwb.trials import interval_columns, interval_objects
from pipeline.io.nwb.units import IDENTITY_COLUMNS, REGION_COLUMNS

SHEET_COLUMNS = (
    "experiment",
    "recording",
    "nwb",
    "subject",
    "activity",
    "series",
    "intervals",
    "condition",
    "region",
    "identity",
    "accepted",
)
CONDITION_WORDS = ("condition", "stimulus", "stim", "block", "orientation", "direction", "type")
"""Parts of names of columns that often hold conditions."""
_COUNTERS = ("repeat", "repetition", "trial", "index", "number", "id")
"""Columns that count presentations instead of naming them."""
_DETAILS = ("present", "period", "power", "onset", "offset", "duration", "time")
"""Parts of names of columns that say whether, when or how strongly: after those that say what."""
_N_EXAMPLES = 4
MOST_LINES = 40
"""Lines of one heading; files of one series a trial have thousands."""
_BREAKS = re.compile(r"[\t\r\n]+")
"""What ends an entry or a line of the sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOffer:
    """A series of the file."""

    path: str
    shape: tuple[int, ...]
    rate_hz: float
    unit: str
    kind: str
    """``dff``, ``fluorescence``, ``events``, ``baseline`` or ``background``; else the NWB type."""
    where: str = ""
    """Container, plane, indicator and channel of traces; files in which frames lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOffer:
    """A column with one entry a row."""

    name: str
    is_text: bool
    n_distinct: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOffer:
    """A table of units, ROIs or intervals."""

    path: str
    n_rows: int
    columns: tuple[ColumnOffer, ...]
    accepted: str = ""
    """The column that tells which units are accepted; empty where none does."""

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContents:
    """What one file offers."""

    path: Path
    about: About
    traces: tuple[SeriesOffer, ...]
    """Traces of cells, best kind first, then baselines, neuropil and other background."""
    together: str
    """Entry of column ``series`` that reads the best traces as planes of one population."""
    apart: str
    """Why they cannot be; empty where there is one, or none."""
    cells: TableOffer | None
    """The table of units, or of the ROIs of the best traces."""
    units: tuple[str, ...]
    """Paths of the tables that could be the units."""
    n_spikes: int
    """Spikes of all units."""
    until_s: float
    """The latest time that was met, among few; 0 where there was none."""
    regions: Mapping[str, int]
    """Regions by the electrodes of units, and how many units are there."""
    intervals: tuple[TableOffer, ...]
    stimuli: tuple[SeriesOffer, ...]
    behaviour: tuple[SeriesOffer, ...]
    remarks: tuple[str, ...]
    suggestion: Mapping[str, str]
    """Entries for the recording sheet."""
    refusal: DataError | None
    """What a run would refuse the file for, as far as its structure tells; None for nothing."""


def inspect_file(path: Path, *, options: ReadOptions | None = None) -> FileContents:
    """What a file offers, read from its structure and its tables, not from its traces.

    Parameters
    ----------
    options
        What sheet and settings say about how to read it, which may be what it would be refused
        for; where None, they say what is suggested.

    Raises
    ------
    DataError, EnvironmentFault
        If the file cannot be opened as NWB 2.
    """
    with open_nwb(path, allow_external=options.allow_external if options else ()) as file:
        contents = survey(file)
        offered = all_traces(contents)
        best = best_of(offered)
        tables = units_tables(contents)
        units = tables[0] if tables else None
        traces = tuple(_trace_offer(one) for one in offered)
        cells = _cells(contents, offered, units=units)
        intervals = tuple(
            offer
            for item in interval_objects(contents).values()
            if (offer := _interval_offer(item)) is not None
        )
        about = read_about(file, contents, source_series=traces[0].path if traces else "")
        suggestion = _suggest(best, cells, intervals, units=tables, about=about)
        return FileContents(
            path=path,
            about=about,
            traces=traces,
            together=joined_entry(contents, best),
            apart=why_apart(contents, best) if len(best) > 1 else "",
            cells=cells,
            units=tuple(table.path for table in tables),
            n_spikes=spike_count(units),
            until_s=latest_time(contents, units),
            regions=_regions(units),
            intervals=intervals,
            stimuli=tuple(_series_offer(item) for item in image_objects(contents)),
            behaviour=tuple(_series_offer(item) for item in covariate_objects(contents)),
            remarks=tuple(f"{note.place}: {note.text}" for note in contents.notes()),
            suggestion=suggestion,
            refusal=_refusal(contents, options=options or ReadOptions.of_entries(suggestion)),
        )


def describe(contents: FileContents, *, experiment: str, recording: str) -> str:
    """The contents in words, ending in the header and the line for the recording sheet.

    A file without activity has no line.
    """
    about = contents.about
    who = ", ".join(part for part in (about.subject, about.species, about.sex, about.age) if part)
    lines = [
        f"{contents.path}",
        f"NWB {about.nwb_version}; session {about.session_id or 'without id'}, "
        f"{about.session_start or 'no start time'}",
        f"Subject: {who or 'not told'}",
        f"About: {about.description or 'not told'}",
        "",
        *_paragraph("Calcium traces", [_series_line(one) for one in contents.traces]),
        *_paragraph("Units with spike times", _units_lines(contents)),
        *_paragraph("Columns of the unit or ROI table", _column_lines(contents.cells)),
        *_paragraph("Tables of intervals", _interval_lines(contents)),
        *_paragraph("Stimuli", [_series_line(one) for one in contents.stimuli]),
        *_paragraph("Behaviour", [_series_line(one) for one in contents.behaviour]),
        *_paragraph("Remarks", list(contents.remarks), when_empty=False),
        *_choice_lines(contents),
        *_refusal_lines(contents.refusal),
    ]
    if contents.suggestion["activity"]:
        lines += [
            "For the recording sheet (tab-separated; check the suggestions; a relative path starts "
            "at the sheet):",
            "",
            sheet_lines(contents, experiment=experiment, recording=recording),
        ]
    return "\n".join(lines)


def sheet_lines(contents: FileContents, *, experiment: str, recording: str) -> str:
    """Header and line of the recording sheet, tab-separated."""
    entries = {
        **contents.suggestion,
        "experiment": experiment,
        "recording": recording,
        "nwb": str(contents.path),
    }
    line = "\t".join(_one_cell(entries.get(name, "")) for name in SHEET_COLUMNS)
    return "\t".join(SHEET_COLUMNS) + "\n" + line


def _one_cell(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()


def _refusal(contents: Survey, *, options: ReadOptions) -> DataError | None:
    try:
        check_readable(contents, options=options)
    except DataError as error:
        return error
    return None


def _trace_offer(one: Candidate) -> SeriesOffer:
    facts = (f"in {one.container}" if one.container else "", one.plane.words())
    return SeriesOffer(
        path=one.item.path,
        shape=one.shape,
        rate_hz=one.rate_hz,
        unit=one.unit,
        kind=one.signal,
        where=", ".join(fact for fact in facts if fact),
    )


def _series_offer(item: NwbObject) -> SeriesOffer:
    try:
        data = child(item.group, "data")
    except DataError:
        data = None
    if names_files(item.group) and not holds_frames(data):
        return SeriesOffer(
            path=item.path,
            shape=(),
            rate_hz=series_rate_hz(item),
            unit="",
            kind=item.type,
            where=first_frame_words(item.group),
        )
    if not isinstance(data, h5py.Dataset):
        return SeriesOffer(path=item.path, shape=(), rate_hz=float("nan"), unit="", kind=item.type)
    return SeriesOffer(
        path=item.path,
        shape=tuple(data.shape),
        rate_hz=series_rate_hz(item),
        unit=text_attribute(data, "unit"),
        kind=item.type,
    )


def _cells(
    contents: Survey, offered: tuple[Candidate, ...], *, units: NwbObject | None
) -> TableOffer | None:
    if not offered:
        return _table_offer(units) if units is not None else None
    try:
        rois = child(offered[0].item.group, "rois")
        target = dereference(rois, "table") if isinstance(rois, h5py.Dataset) else None
    except DataError:
        return None
    table = contents.same_as(target) if target is not None else None
    return _table_offer(table) if table is not None else None


def _regions(units: NwbObject | None) -> dict[str, int]:
    if units is None:
        return {}
    try:
        labels = electrode_regions(units, n_units=len(row_ids(units.group)))
    except DataError:
        return {}
    return dict(sorted(Counter(label for label in labels if label).items()))


def _table_offer(item: NwbObject) -> TableOffer | None:
    try:
        columns = scalar_columns(item.group, n_rows=len(row_ids(item.group)))
    except DataError:
        return None
    return _offer_of(item, columns)


def _interval_offer(item: NwbObject) -> TableOffer | None:
    try:
        columns = interval_table(item)[0] if item.is_a("IntervalSeries") else interval_columns(item)
    except DataError:
        return None
    return _offer_of(item, columns)


def _offer_of(item: NwbObject, columns: pd.DataFrame) -> TableOffer:
    offers = tuple(_column_offer(str(name), columns[name]) for name in columns)
    return TableOffer(
        path=item.path, n_rows=len(columns), columns=offers, accepted=accepted_column(columns)
    )


def _column_offer(name: str, column: pd.Series[Any]) -> ColumnOffer:  # Any: columns differ
    labels = [as_label(value) for value in column]
    distinct = [label for label in dict.fromkeys(labels) if label]
    return ColumnOffer(
        name=name,
        is_text=is_text_column(column),
        n_distinct=len(distinct),
        examples=tuple(distinct[:_N_EXAMPLES]),
    )


def _suggest(
    best: tuple[Candidate, ...],
    cells: TableOffer | None,
    intervals: tuple[TableOffer, ...],
    *,
    units: tuple[NwbObject, ...],
    about: About,
) -> dict[str, str]:
    chosen = _trial_table(intervals)
    columns = cells.columns if cells else ()
    text_columns = [column.name for column in columns if column.is_text]
    return {
        "subject": about.subject,
        "activity": "calcium" if best else "spikes" if units else "",
        "series": _series_entry(best) if best else units[0].path if len(units) > 1 else "",
        "intervals": chosen.name if chosen else "",
        "condition": _condition_column(chosen) if chosen else "",
        "region": next((name for name in REGION_COLUMNS if name in text_columns), ""),
        "accepted": "",
        "identity": next((name for name in IDENTITY_COLUMNS if name in text_columns), ""),
    }


def _readable(traces: tuple[SeriesOffer, ...]) -> tuple[SeriesOffer, ...]:
    """Traces without baselines, neuropil and other background."""
    return tuple(one for one in traces if one.kind not in NO_CELLS)


def _series_entry(best: tuple[Candidate, ...]) -> str:
    """Path of the first series where the reader could not choose by itself, else empty."""
    return best[0].item.path if len(best) > 1 or (best and best[0].signal == "events") else ""


def _trial_table(intervals: tuple[TableOffer, ...]) -> TableOffer | None:
    """``trials``, else a table that says what was shown, else the one with the most rows.

    Epochs of several kinds say more than intervals of one kind, such as what the animal did.
    """
    by_name = {table.name: table for table in intervals if table.n_rows}
    if "trials" in by_name:
        return by_name["trials"]
    others = [
        table
        for name, table in by_name.items()
        if name != "invalid_times" and table.path.startswith("/intervals/")
    ]
    custom = [table for table in others if table.name != "epochs"]
    telling = [table for table in custom if _condition_column(table)]
    epochs = [
        table
        for table in others
        if table.name == "epochs" and any(column.n_distinct > 1 for column in _labels(table))
    ]
    return max(telling or epochs or custom, key=lambda table: table.n_rows, default=None)


def _labels(table: TableOffer) -> list[ColumnOffer]:
    return [column for column in table.columns if column.is_text]


def _condition_column(table: TableOffer) -> str:
    """The column that most likely names conditions: few distinct values, each seen often."""
    fitting = [
        column
        for column in table.columns
        if 2 <= column.n_distinct <= max(2, table.n_rows // 2)
        and column.name not in ("start_time", "stop_time")
        and not any(
            word == part for part in column.name.lower().split("_")[:1] for word in _COUNTERS
        )
    ]
    ranked = [
        column.name for word in CONDITION_WORDS for column in fitting if word in column.name.lower()
    ]
    if ranked:
        return min(ranked, key=lambda name: not set(name.lower().split("_")).isdisjoint(_DETAILS))
    return next((column.name for column in fitting if column.is_text), "")


def _paragraph(title: str, lines: list[str], *, when_empty: bool = True) -> list[str]:
    if not lines and not when_empty:
        return []
    left = len(lines) - MOST_LINES
    more = [f"... and {left} more"] if left > 0 else []
    return [f"{title}:", *(f"  {line}" for line in (lines[:MOST_LINES] + more or ["none"])), ""]


def _series_line(one: SeriesOffer) -> str:
    shape = " x ".join(map(str, one.shape)) or "no data in the file"
    rate = f"{one.rate_hz:.4g} Hz" if one.rate_hz == one.rate_hz else "no rate"
    where = f", {one.where}" if one.where else ""
    return f"{one.path}  {one.kind}, {shape}, {rate}, unit '{one.unit}'{where}"


def _units_lines(contents: FileContents) -> list[str]:
    if not contents.units:
        return []
    if len(contents.units) > 1:
        return [f"several tables: {', '.join(contents.units)}"]
    if contents.traces or contents.cells is None:
        return ["a table of units; the traces come first unless column 'activity' says spikes"]
    lines = [f"{contents.cells.path}  {contents.cells.n_rows} units"]
    if contents.regions:
        counts = ", ".join(f"{region} {count}" for region, count in contents.regions.items())
        lines.append(f"regions by their electrodes: {counts}")
    return lines


def _column_lines(table: TableOffer | None) -> list[str]:
    if table is None:
        return []
    return [
        f"{column.name}: {column.n_distinct} values, for example {', '.join(column.examples)}"
        for column in table.columns
    ]


def _interval_lines(contents: FileContents) -> list[str]:
    lines: list[str] = []
    for table in contents.intervals:
        lines.append(f"{table.name}: {table.n_rows} intervals")
        lines.extend(
            f"  {line}" for line in _column_lines(table) if not line.startswith(("start_", "stop_"))
        )
    return lines


def _choice_lines(contents: FileContents) -> list[str]:
    """What to decide before the line is pasted."""
    readable = _readable(contents.traces)
    if not readable and not contents.units:
        return ["There is no activity here that this pipeline can read.", ""]
    lines = []
    if readable and contents.suggestion["series"] and readable[0].kind == "events":
        lines.append("There are only inferred events; column 'series' says that they are wanted.")
    if not readable and len(contents.units) > 1:
        lines.append(
            "Several tables could be the units; column 'series' chooses. The line names the first."
        )
    if contents.apart or contents.together:
        lines += [
            "Several series could be the activity; column 'series' chooses. The line names the "
            "first."
        ]
    if contents.together:
        lines += [
            "To read all as planes of one population, write into column 'series':",
            f"  {contents.together}",
        ]
    if contents.apart:
        lines.append(f"They are no planes of one population: {contents.apart}.")
    lines += _condition_lines(contents)
    lines += _accepted_lines(contents.cells)
    return [*lines, ""] if lines else []


def _condition_lines(contents: FileContents) -> list[str]:
    """That trials would be of one condition, and which columns could tell them apart."""
    chosen = contents.suggestion["intervals"]
    table = next((one for one in contents.intervals if one.name == chosen), None)
    if table is None or contents.suggestion["condition"]:
        return []
    names = [
        column.name
        for column in table.columns
        if column.n_distinct > 1 and column.name not in ("start_time", "stop_time")
    ]
    if not names:
        return []
    return [
        f"All intervals of '{table.name}' would be of one condition. Column 'condition' can name "
        f"one or several of: {', '.join(names)} (joined by +)."
    ]


def _refusal_lines(refusal: DataError | None) -> list[str]:
    """What stands in the way of a run, with what to do."""
    if refusal is None:
        return []
    return [
        f"As it is, a run would refuse this file ({refusal.code}):",
        f"  {printable(refusal.place)}: {printable(refusal.found)}.",
        f"  Fix: {printable(refusal.fix)}; see docs/errors.md#{refusal.code.lower()}",
        "",
    ]


def _accepted_lines(cells: TableOffer | None) -> list[str]:
    """That a column tells accepted units, and what to do with it."""
    if cells is None or not cells.accepted:
        return []
    return [
        f"Column '{cells.accepted}' tells which units are accepted. To use these alone, write it "
        "into column 'accepted'."
    ]
