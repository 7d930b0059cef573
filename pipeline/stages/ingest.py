"""One NWB file becomes one checked recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording
from pipeline.io.documents import write_document
from pipeline.io.hashing import sha256_of
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.records import write_record
from pipeline.prepare.quality import grade_units
from pipeline.stages.run_context import StageRun


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quality:
    """What ingest accepted, repaired or warned about, and how units were graded."""

    file: str
    notes: tuple[Note, ...] = ()
    n_units: int = 0
    n_good: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason for not using a unit, and how many units have it."""


def ingest(
    run: StageRun,
    *,
    nwb: Path,
    options: Mapping[str, Any],  # as the rule's params carry them
    subject: str,
    strict: bool,
    output: Path,
    quality: Path,
) -> Recording | Outcome:
    """Read, grade and store a recording; a fault of the file is stored in its place.

    Parameters
    ----------
    nwb
        The lab's file; opened for reading only.
    options
        Fields of :class:`ReadOptions`.
    subject
        Subject named in the sheet; it decides over the file's.
    strict
        Whether anything repaired or warned about is a fault.
    output, quality
        ``recording.h5`` and ``quality.json``.
    """
    result: Recording | Outcome
    notes: list[Note] = []  # also of a file that is refused over them
    try:
        result = _stored(
            run,
            nwb=nwb,
            options=options,
            subject=subject,
            strict=strict,
            output=output,
            notes=notes,
        )
    except Exception as error:
        result = run.outcome_of(error, file=nwb.name)
        write_record(output, result)
    write_document(quality, _quality(nwb.name, result, notes=tuple(notes)))
    return result


def _stored(
    run: StageRun,
    *,
    nwb: Path,
    options: Mapping[str, Any],
    subject: str,
    strict: bool,
    output: Path,
    notes: list[Note],
) -> Recording:
    """The recording as it was stored; what is to be told is added to the notes."""
    from pipeline.io.nwb.read import open_recording

    # Params may come back from their store with lists for tuples.
    fields: dict[str, Any] = {
        key: tuple(entry) if isinstance(entry, list) else entry for key, entry in options.items()
    }
    chosen = ReadOptions(**fields)
    provenance = run.provenance(
        settings={**dataclasses.asdict(chosen), "subject": subject}, inputs={}
    )
    with open_recording(
        nwb, recording=run.recording, options=chosen, provenance=provenance
    ) as reading:

        def finish(copied: Recording) -> Recording:
            """What can be said once all samples were read."""
            notes.extend(reading.notes())
            if strict:
                refuse_remarks(notes)
            for note in _no_mere_information(notes):
                run.tell(note, file=nwb.name)
            about = copied.about
            if subject:
                about = dataclasses.replace(about, subject=subject)
            known = dataclasses.replace(provenance, inputs={nwb.name: sha256_of(nwb)})
            return grade_units(dataclasses.replace(copied, about=about, provenance=known))

        return write_record(output, reading.recording, finish=finish)


def refuse_remarks(notes: Sequence[Note]) -> None:
    """What ``prepare.strict`` asks for: nothing is repaired, nothing only warned about.

    Raises
    ------
    DataError
        With code, place and text of the first such remark, and how many others there are.
    """
    refused = _no_mere_information(notes)
    if not refused:
        return
    first, *others = refused
    count = f"{len(refused)} remark{'s' if others else ''}"
    further = f", also {', '.join(sorted({note.code for note in others}))}" if others else ""
    raise DataError(
        code=first.code,
        place=first.place,
        found=f"{first.text.rstrip('.')} (strict: {count}{further})",
        fix="repair the recording, or read it as it is with 'prepare: {strict: false}'; the report "
        "lists all remarks",
    )


def _no_mere_information(notes: Sequence[Note]) -> list[Note]:
    return [note for note in notes if note.kind != "info"]


def _quality(file: str, result: Recording | Outcome, *, notes: tuple[Note, ...]) -> Quality:
    if isinstance(result, Outcome):
        return Quality(file=file, notes=notes)
    bad = result.units.loc[~result.units["good"], "reason"]
    return Quality(
        file=file,
        notes=notes,
        n_units=len(result.units),
        n_good=len(result.units) - len(bad),
        reasons={str(reason): int(count) for reason, count in bad.value_counts().items()},
    )
