"""The recording sheet: which file is which recording, and how to read it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from pipeline.config.names import nearest
from pipeline.config.text import shown_path, user_path
from pipeline.core.errors import ConfigError, ConfigErrors
from pipeline.core.recording import ID_PATTERN
from pipeline.io.nwb.files import ASK_THE_OWNER, denial
from pipeline.io.nwb.options import Activity, ReadOptions

MAX_BYTES = 16_777_216
"""Far above any sheet."""


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column that the pipeline knows."""

    name: str
    description: str
    required: bool = False
    options: tuple[str, ...] = ()


COLUMNS = (
    SheetColumn(
        "experiment",
        "Recordings with the same entry are analysed together and share one report. Letters, "
        "digits, `_`, `-`.",
        required=True,
    ),
    SheetColumn(
        "recording",
        "Name of the recording, unique in its experiment. Letters, digits, `_`, `-`.",
        required=True,
    ),
    SheetColumn("nwb", "The file; a relative path starts at the sheet.", required=True),
    SheetColumn("subject", "Animal; decides over what the file says."),
    SheetColumn(
        "activity",
        "What to read: `calcium`, `spikes`, or `auto` (default): calcium traces if the file has "
        "them, else spikes.",
        options=get_args(Activity),
    ),
    SheetColumn(
        "series",
        "Name or HDF5 path of the trace series, where several could be meant; several joined by "
        "`+` are read as planes of one population. With `activity` `spikes`, the table of units.",
    ),
    SheetColumn(
        "intervals",
        "Table of intervals that becomes the trials: `trials` (default), `epochs`, or any other "
        "name.",
    ),
    SheetColumn(
        "condition",
        "Column of that table that names the condition; several joined by `+`: "
        "`orientation+contrast`.",
    ),
    SheetColumn("region", "Column of the unit or ROI table with the brain region."),
    SheetColumn(
        "identity", "Column of the unit or ROI table with the name of an identified neuron."
    ),
    SheetColumn(
        "accepted",
        "Column of the unit or ROI table that tells which units are used (`iscell`, `Accepted`, "
        "..., of truth values, 0 and 1, or words such as yes and no; a column called `rejected` "
        "counts the other way round). Without it all units are used.",
    ),
    SheetColumn("exclude", "A reason; the line is then left out, and the report says so."),
    SheetColumn("truth", "Folder with planted truth, written by the simulation."),
)
"""All columns with a meaning, in the order in which they are explained; others are kept."""

COLUMN_NAMES = tuple(column.name for column in COLUMNS)
REQUIRED = tuple(column.name for column in COLUMNS if column.required)
READING = tuple(name for name in COLUMN_NAMES if name in {one.name for one in fields(ReadOptions)})
"""Columns that tell how a recording is read."""

RESERVED_BY_WINDOWS = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
RESERVED_BY_RESULTS = frozenset({"logs", "timings"})
"""Folders beside those of the experiments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One line of the sheet."""

    experiment: str
    recording: str
    nwb: Path
    """The file, with relative paths resolved from the sheet's folder."""
    nwb_text: str
    """The file as written."""
    subject: str = ""
    options: ReadOptions = field(default_factory=ReadOptions)
    exclude: str = ""
    """Why the recording is left out; empty when it is used."""
    truth: Path | None = None
    """Folder with planted truth of a simulation."""
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Study variables: all further columns, as text."""
    line: int
    """Line in the sheet, from 1."""


def read_sheet(path: Path) -> tuple[SheetRow, ...]:
    """The lines of a recording sheet, in order, left-out ones included.

    Everything is text as written: ``007``, ``NA``, ``1e3`` and ``no`` stay what they are. Byte
    order marks and any line ends are accepted.

    Raises
    ------
    ConfigErrors
        With all problems at once.
    """
    shown = shown_path(path)
    try:
        header, cells = _table(path, shown=shown)
    except ConfigError as error:
        raise ConfigErrors([error]) from None
    problems = list(_header_problems(header, shown=shown))
    known = {name for name in header if name in COLUMN_NAMES}
    if not known.issuperset(REQUIRED):
        raise ConfigErrors([*problems, *_missing_columns(header, shown=shown)])
    if not cells:
        problems.append(
            _problem(
                "CF-K02",
                shown,
                found="the sheet has a header and no rows, so there are no recordings",
                fix="add one line a recording",
            )
        )
    rows = []
    for line, values in cells:
        entry = dict(zip(header, values, strict=False))
        extra = [value for value in values[len(header) :] if value]
        if extra:
            problems.append(
                _problem(
                    "CF-K02",
                    shown,
                    place=f"line {line}",
                    found=f"{len(values)} entries under {len(header)} columns",
                    fix="remove the tabs that are too many",
                )
            )
        problems += _entry_problems(entry, path=path, shown=shown, line=line)
        rows.append(_row(entry, folder=path.parent, line=line))
    problems += _clashes(rows, shown=shown)
    problems += _unused(rows, shown=shown)
    if problems:
        raise ConfigErrors(problems)
    return tuple(rows)


def column_markdown() -> str:
    """The columns of the sheet as a table for the settings reference."""
    lines = ["| column | needed | meaning |", "| --- | --- | --- |"]
    lines += [
        f"| `{column.name}` | {'yes' if column.required else 'no'} | {column.description} |"
        for column in COLUMNS
    ]
    return "\n".join(lines)


def column_schema() -> dict[str, object]:
    """JSON schema of one line of the sheet."""
    properties: dict[str, object] = {}
    for column in COLUMNS:
        entry: dict[str, object] = {"type": "string", "description": column.description}
        if column.options:
            entry["enum"] = ["", *column.options]
        if column.name in ("experiment", "recording"):
            entry["pattern"] = f"^{ID_PATTERN.pattern}$"
        elif column.required:
            entry["minLength"] = 1
        properties[column.name] = entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Line of a recording sheet",
        "description": "Further columns are study variables and are kept as text.",
        "type": "object",
        "properties": properties,
        "required": list(REQUIRED),
        "additionalProperties": {"type": "string"},
    }


def nearest_file(path: Path) -> str:
    """Words that name the existing file which was probably meant; empty when none is near."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if folder != path.parent:
        return f"; the folder {shown_path(folder)} is there, but nothing of that name in it"
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return ""
    near = nearest(path.name, names)
    alike = [name for name in names if name.endswith(path.suffix or ".nwb")]
    if near is not None:
        return f"; did you mean '{near}'"
    if alike:
        more = f" and {len(alike) - 5} more" if len(alike) > 5 else ""
        return f"; the folder has {', '.join(alike[:5])}{more}"
    return ""


def _problem(code: str, file: str, *, found: str, fix: str, place: str = "-") -> ConfigError:
    return ConfigError(code=code, file=file, place=place, found=found, fix=fix)


def _table(path: Path, *, shown: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and line number with entries of each further line that is not blank."""
    text = _text(path, shown=shown)
    lines = [
        (number, [_cell(cell) for cell in line.split("\t")])
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1)
        if line.strip()
    ]
    if not lines:
        raise _problem(
            "CF-K02",
            shown,
            found="the sheet is empty, so there are no recordings",
            fix=f"start it with a line of column names ({', '.join(REQUIRED)}), separated by tabs",
        )
    header = lines[0][1]
    while header and not header[-1]:
        header.pop()
    if len(header) == 1 and header[0] not in COLUMN_NAMES:
        separator = next((name for mark, name in _OTHER_SEPARATORS if mark in header[0]), "")
        if separator:
            raise _problem(
                "CF-K02",
                shown,
                place="line 1",
                found=f"the columns are separated by {separator}, not by tabs",
                fix="save the sheet as tab-separated text",
            )
    return header, lines[1:]


_OTHER_SEPARATORS = ((",", "commas"), (";", "semicolons"), ("|", "bars"), (" ", "blanks"))


def _cell(text: str) -> str:
    """An entry without blanks around it and without a spreadsheet's quotes."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"').strip()
    return text


def _text(path: Path, *, shown: str) -> str:
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise _problem(
            "CF-K02",
            shown,
            found=f"the sheet is not there{nearest_file(path)}",
            fix="name your sheet in the settings, as 'recordings: SHEET'",
        ) from None
    except (OSError, ValueError) as error:
        raise _problem(
            "CF-K02",
            shown,
            found=f"the sheet cannot be read: {getattr(error, 'strerror', None) or error}",
            fix="name a tab-separated text file that you may read",
        ) from None
    if size > MAX_BYTES:
        raise _problem(
            "CF-K02",
            shown,
            found=f"the sheet has {size} bytes",
            fix=f"a sheet has less than {MAX_BYTES}; is this the right file",
        )
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    kind = "a workbook" if content.startswith(b"PK\x03\x04") else "no text"
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        text, kind = "\0", kind if kind == "a workbook" else f"not UTF-8 at byte {error.start}"
    if "\0" in text.partition("\n")[0]:
        raise _problem(
            "CF-K02",
            shown,
            found=f"the sheet is {kind}, but tab-separated text is needed",
            fix="save it as tab-separated text in UTF-8",
        )
    return text


def _header_problems(header: Sequence[str], *, shown: str) -> Iterator[ConfigError]:
    first: dict[str, int] = {}
    for number, name in enumerate(header, start=1):
        place = f"line 1, column {name or number}"
        if not name:
            yield _problem(
                "CF-K03",
                shown,
                place=place,
                found=f"column {number} has no name",
                fix="name it in the first line, or remove it",
            )
        elif name in first:
            yield _problem(
                "CF-K07",
                shown,
                place=place,
                found=f"the column '{name}' stands twice, as columns {first[name]} and {number}",
                fix="keep one of them",
            )
        elif name not in COLUMN_NAMES:
            near = nearest(name, COLUMN_NAMES)
            if near is not None:
                yield _problem(
                    "CF-K03",
                    shown,
                    place=place,
                    found=f"'{name}' is not a column that means something here",
                    fix=f"did you mean '{near}'? If it is a study variable, give it a name that "
                    "is less alike",
                )
        first.setdefault(name, number)


def _missing_columns(header: Sequence[str], *, shown: str) -> Iterator[ConfigError]:
    suggested = {nearest(name, COLUMN_NAMES) for name in header if name not in COLUMN_NAMES}
    for name in REQUIRED:
        if name not in header and name not in suggested:
            yield _problem(
                "CF-K02",
                shown,
                place=f"line 1, column {name}",
                found=f"the column '{name}' is missing; columns found: {', '.join(header)}",
                fix=f"name the columns in the first line; needed are {', '.join(REQUIRED)}",
            )


def _entry_problems(
    entry: Mapping[str, str], *, path: Path, shown: str, line: int
) -> Iterator[ConfigError]:
    for column in ("experiment", "recording"):
        reason = _id_fault(entry.get(column, ""), is_experiment=column == "experiment")
        if reason:
            yield _problem(
                "CF-K08",
                shown,
                place=f"line {line}, column {column}",
                found=f"the id '{entry.get(column, '')[:80]}' {reason}",
                fix="choose another name: letters, digits, '_' and '-', beginning with a letter or "
                "digit, at most 64 characters",
            )
    activity = entry.get("activity", "")
    if activity and activity not in get_args(Activity):
        near = nearest(activity, get_args(Activity))
        yield _problem(
            "CF-K05",
            shown,
            place=f"line {line}, column activity",
            found=f"'{activity[:80]}' is not a kind of activity"
            + (f"; did you mean '{near}'" if near else ""),
            fix="allowed are auto, calcium and spikes",
        )
    condition = entry.get("condition", "")
    if condition and not all(ReadOptions.of_entries(entry).condition):
        yield _problem(
            "CF-K05",
            shown,
            place=f"line {line}, column condition",
            found=f"'{condition[:80]}' names an empty column",
            fix="write column names joined by single '+'",
        )
    if not entry.get("exclude"):
        yield from _file_problems(entry, path=path, shown=shown, line=line)


def _id_fault(value: str, *, is_experiment: bool) -> str:
    """What is wrong with an id; empty when nothing is."""
    if not value:
        return "is empty"
    if not ID_PATTERN.fullmatch(value):
        return "has characters that are not allowed" if len(value) <= 64 else "is too long"
    if value.lower() in RESERVED_BY_WINDOWS:
        return "is reserved by Windows, so that the results could not be copied there"
    if is_experiment and value.lower() in RESERVED_BY_RESULTS:
        return "is the name of a folder that the results need for themselves"
    return ""


def _file_problems(
    entry: Mapping[str, str], *, path: Path, shown: str, line: int
) -> Iterator[ConfigError]:
    text, place = entry.get("nwb", ""), f"line {line}, column nwb"
    file = _resolved(text, path.parent)
    if not text:
        yield _problem(
            "IN-F01",
            shown,
            place=place,
            found="no file is named",
            fix="write the path of the NWB file, or a reason in the column exclude",
        )
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        yield _problem(
            "IN-F01",
            shown,
            place=place,
            found=f"'{text[:200]}' is an address, not a file",
            fix="download the file and write its path",
        )
    elif denied := denial(file):
        yield _problem(
            "IN-F08",
            shown,
            place=place,
            found=f"the file '{text[:200]}' may not be read: {denied}",
            fix=f"{ASK_THE_OWNER}, or write a reason in the column exclude",
        )
    elif fault := _unreachable(file):
        yield _problem(
            "IN-F01",
            shown,
            place=place,
            found=f"the file '{text[:200]}' {fault}",
            fix="correct the path; a relative path starts at the sheet",
        )
    elif set("{}") & set(str(file)):
        yield _problem(
            "CF-K10",
            shown,
            place=place,
            found=f"the path '{str(file)[:200]}' has braces, the mark of wildcards",
            fix="rename it, or name a link without braces that leads to it",
        )
    truth = entry.get("truth", "")
    if truth and not _resolved(truth, path.parent).is_dir():
        yield _problem(
            "IN-F01",
            shown,
            place=f"line {line}, column truth",
            found=f"the folder '{truth[:200]}' is not there",
            fix="correct the path, or leave the entry empty for recordings of animals",
        )


def _unreachable(file: Path) -> str:
    """Why nothing can be found at a path; empty when something is there, whatever it is."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        if file.is_symlink():
            return "is a link to something that is not there"
        return f"is not there{nearest_file(file)}"
    except (OSError, ValueError) as error:
        return f"cannot be reached: {getattr(error, 'strerror', None) or error}"
    return ""


def _clashes(rows: Sequence[SheetRow], *, shown: str) -> Iterator[ConfigError]:
    """Recordings named twice, and ids that differ only in upper and lower case."""
    recordings: dict[tuple[str, str], SheetRow] = {}
    experiments: dict[str, SheetRow] = {}
    for row in rows:
        first = experiments.setdefault(row.experiment.lower(), row)
        if first.experiment != row.experiment:
            yield _case_clash("experiment", first.experiment, row.experiment, first, row, shown)
        other = recordings.setdefault((row.experiment.lower(), row.recording.lower()), row)
        if other is row:
            continue
        if other.recording != row.recording:
            yield _case_clash("recording", other.recording, row.recording, other, row, shown)
        elif other.experiment == row.experiment:
            yield _problem(
                "CF-K07",
                shown,
                place=f"lines {other.line} and {row.line}, column recording",
                found=f"the recording '{row.recording}' of '{row.experiment}' stands twice",
                fix="give each recording of an experiment its own name",
            )


def _case_clash(
    column: str, one: str, two: str, first: SheetRow, row: SheetRow, shown: str
) -> ConfigError:
    return _problem(
        "CF-K09",
        shown,
        place=f"lines {first.line} and {row.line}, column {column}",
        found=f"the ids '{one}' and '{two}' differ only in upper and lower case, so that their "
        "results would share a folder on some disks",
        fix="write them alike, or choose another name",
    )


def _unused(rows: Sequence[SheetRow], *, shown: str) -> Iterator[ConfigError]:
    """Experiments of which every recording is left out."""
    used = {row.experiment for row in rows if not row.exclude}
    for experiment in dict.fromkeys(row.experiment for row in rows):
        if experiment not in used:
            lines = [row.line for row in rows if row.experiment == experiment]
            yield _problem(
                "CF-K02",
                shown,
                place=f"line {lines[0]}, column exclude",
                found=f"all {len(lines)} recordings of '{experiment}' are left out",
                fix="remove its lines, or the reason in one of them",
            )


def _row(entry: Mapping[str, str], *, folder: Path, line: int) -> SheetRow:
    truth = entry.get("truth", "")
    return SheetRow(
        experiment=entry.get("experiment", ""),
        recording=entry.get("recording", ""),
        nwb=_resolved(entry.get("nwb", ""), folder),
        nwb_text=entry.get("nwb", ""),
        subject=entry.get("subject", ""),
        options=ReadOptions.of_entries(entry),
        exclude=entry.get("exclude", ""),
        truth=_resolved(truth, folder) if truth else None,
        variables=MappingProxyType(
            {name: value for name, value in entry.items() if name not in COLUMN_NAMES}
        ),
        line=line,
    )


def _resolved(text: str, folder: Path) -> Path:
    return folder / user_path(text)
