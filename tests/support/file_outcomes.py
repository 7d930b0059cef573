"""The page that says what becomes of every file there is to try: real, foreign and broken.

    python -m tests.support.file_outcomes [--write]

prints ``docs/files.md``, or writes it. It needs the recordings and the generator of bad inputs
beside the checkout; a test compares the page with what it would be now.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.core.errors import ConfigErrors, PipelineError, printable
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.quality import Quality
from pipeline.core.recording import Recording, SampledActivity
from pipeline.core.words import counted
from pipeline.io.documents import read_document
from pipeline.io.sheets import SheetRow
from pipeline.stages.check import Project, load_project
from pipeline.stages.ingest import ingest
from pipeline.stages.run_context import StageRun
from tests.support.bad_inputs import GENERATOR, ROOT, Case, generate, read_cases, run_case

PAGE = ROOT / "docs" / "files.md"
DATA = ROOT.parent / "shared" / "data"
REAL = DATA / "real" / "recordings.tsv"
WILD = DATA / "nwb-in-the-wild"
SOURCES = (REAL, WILD, GENERATOR)
"""What lies beside the checkout and must be there."""

_HEAD = """\
# What becomes of files

Made by `python -m tests.support.file_outcomes --write`; a test compares it with what the code
does. Every file that the checks try stands here with the outcome and with every word that is said
about it, so that a reader can look up what a message looks like, and we can see whether it helps.
[recordings.md](recordings.md) says how files are read, and [errors.md](errors.md) what the codes
mean.

- **accept**: read as it is. Remarks of the kind *note* are mere information.
- **warn**: read as it is, but something should be looked at.
- **repair**: read after a change that is told. `prepare.strict` refuses repairs and warnings.
- **reject**: nothing of it is used; the report says why, and the other recordings go on.

"""
_REAL_HEAD = """\
## Public recordings

Read with the lines of their recording sheet.

| recording | outcome | read as | told |
| --- | --- | --- | --- |
"""
_WILD_HEAD = """\
## Files of other programs

Tests and examples of other tools, and files of labs, read without any help of the sheet. Most hold
no activity of a population and are refused for it.

| file | outcome | read as | told |
| --- | --- | --- | --- |
"""
_BAD_HEAD = """\
## Broken files, settings and sheets

Each is a small sound session with one fault.

| case | what is wrong | outcome | told |
| --- | --- | --- | --- |
"""
_TEXT_LIMIT = 700
"""Longest text of a cell; a message with a long list is cut in its middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one input."""

    outcome: str
    read_as: str = ""
    told: tuple[str, ...] = ()


def page() -> str:
    """The whole page."""
    with TemporaryDirectory() as scratch, _quiet():
        folder = Path(scratch)
        real = [_line(row.recording, *_shown(_of_row(row, folder))) for row in _real_rows()]
        wild = [_line(path.name, *_shown(_of_wild(path, folder))) for path in _wild_files()]
        root = generate(folder / "set")
        bad = [
            _line(case.id, case.what, found.outcome, _lasting(_joined(found.told), root=root))
            for case in read_cases(root)
            for found in [_of_case(case, root=root, folder=folder)]
        ]
    tables = ((_REAL_HEAD, real), (_WILD_HEAD, wild), (_BAD_HEAD, bad))
    return _HEAD + "\n".join(head + "".join(lines) for head, lines in tables)


def _real_rows() -> tuple[SheetRow, ...]:
    with TemporaryDirectory() as folder:
        return _project(Path(folder), sheet=str(REAL)).rows


def _wild_files() -> list[Path]:
    return sorted(WILD.glob("*.nwb"))


def _of_wild(path: Path, folder: Path) -> FileOutcome:
    return _of_row(_row(folder, path, activity=""), folder)


def _of_case(case: Case, *, root: Path, folder: Path) -> FileOutcome:
    file = root / case.file
    if case.needs:  # what this process may have too much of, such as root's rights
        with TemporaryDirectory() as outputs:
            ending = run_case(case, root=root, folder=Path(outputs))
        return FileOutcome(outcome=ending.outcome, told=(ending.message,))
    try:
        if case.level == "config":
            with contextlib.chdir(file.parent):
                load_project(Path(file.name))
            return FileOutcome(outcome="accept")
        row = _row(root, file, activity=case.modality)
    except ConfigErrors as error:
        return FileOutcome(outcome="reject", told=tuple(map(str, error.problems)))
    return _of_row(row, folder)


def _row(folder: Path, file: Path, *, activity: str) -> SheetRow:
    place = os.path.relpath(file, folder)
    line = f"experiment\trecording\tnwb\tactivity\nlab\tday1\t{place}\t{activity}\n"
    (folder / "recordings.tsv").write_text(line, encoding="utf-8")
    (row,) = _project(folder, sheet="recordings.tsv").rows
    return replace(row, nwb=folder / row.nwb)


def _project(folder: Path, *, sheet: str) -> Project:
    (folder / "config.yaml").write_text(f"recordings: {sheet}\n", encoding="utf-8")
    with contextlib.chdir(folder):
        return load_project(Path("config.yaml"))


def _of_row(row: SheetRow, folder: Path) -> FileOutcome:
    """A line of a sheet through the ingest stage."""
    output, quality = folder / "recording.h5", folder / "quality.json"
    try:
        result = ingest(
            StageRun(stage="ingest", experiment=row.experiment, recording=row.recording),
            nwb=row.nwb,
            options=asdict(row.options),
            subject=row.subject,
            strict=False,
            limits={},
            output=output,
            quality=quality,
        )
    except PipelineError as error:  # of the environment
        subject = f"{row.experiment}/{row.recording}"
        return FileOutcome(
            outcome="reject", told=(str(error.at(experiment=subject, file=row.nwb.name)),)
        )
    found = read_document(quality, Quality)
    if isinstance(result, Outcome):
        return FileOutcome(outcome="reject", told=(_error(result),))
    return FileOutcome(
        outcome=found.verdict,
        read_as=described(result),
        told=tuple(_remark(note) for note in found.notes),
    )


def _error(outcome: Outcome) -> str:
    parts = {key: str(value) for key, value in outcome.failure.items()}
    return str(PipelineError(**parts))


def _remark(note: Note) -> str:
    kind = "note" if note.kind == "info" else note.kind
    return f"{kind} {note.code} {note.place}: {note.text}"


def described(recording: Recording) -> str:
    """What a recording holds, in a line."""
    activity, units = recording.activity, recording.units
    first, last = activity.span_s
    if isinstance(activity, SampledActivity):
        what = (
            f"{activity.signal} in '{activity.value_unit}', {len(activity.time)} samples x "
            f"{counted(len(units), 'unit')} at {activity.rate_hz:.4g} Hz"
        )
    else:
        what = f"{activity.times.size} spikes of {counted(len(units), 'unit')}"
    facts = [f"{what}, {first:g} to {last:g} s"]
    if not units["good"].all():
        facts.append(f"{int(units['good'].sum())} units used")
    regions = {str(name): int(count) for name, count in units["region"].value_counts().items()}
    named = [f"{name or 'no region'} {count}" for name, count in sorted(regions.items())]
    facts.append(", ".join(named) if set(regions) != {""} else "")
    identities = int((units["identity"] != "").sum())
    facts.append(f"{identities} named neurons" if identities else "")
    trials = recording.trials
    n_conditions = trials["condition"].nunique()
    facts.append(
        f"{counted(len(trials), 'trial')} of {counted(n_conditions, 'condition')}"
        if len(trials)
        else ""
    )
    for title, names in (
        (
            "intervals",
            {f"{name} ({len(rows)})": rows for name, rows in recording.intervals.items()},
        ),
        ("stimuli", recording.stimuli),
        ("behaviour", recording.behaviour),
    ):
        facts.append(f"{title}: {', '.join(sorted(names))}" if names else "")
    return "; ".join(fact for fact in facts if fact)


def _shown(found: FileOutcome) -> tuple[str, str, str]:
    return found.outcome, found.read_as, _joined(found.told)


def _joined(told: Sequence[str]) -> str:
    return "\n".join(
        text
        if len(text) <= _TEXT_LIMIT
        else f"{text[: _TEXT_LIMIT // 2]} ... {text[-_TEXT_LIMIT // 2 :]}"
        for text in told
    )


def _lasting(text: str, *, root: Path) -> str:
    """Without what differs between two sets: their folder and owner, and how well files pack."""
    text = re.sub(r"\(\d{4,} bytes\)", "(... bytes)", text.replace(str(root), "/set"))
    return re.sub(r"owner uid \d+", "owner uid ...", text)


def _line(*cells: str) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |\n"


def _cell(text: str) -> str:
    """Text as Markdown shows it letter by letter, its lines below each other."""
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("*", "&#42;")):
        text = text.replace(letter, entity)
    for letter in "`_[]":
        text = text.replace(letter, f"\\{letter}")
    return "<br>".join(printable(line) for line in text.split("\n"))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that stages say beside the job."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


if __name__ == "__main__":
    absent = [str(path) for path in SOURCES if not path.exists()]
    if absent:
        sys.exit(f"not beside the checkout: {', '.join(absent)}")
    text = page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
