"""One NWB file becomes one checked recording."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.quality import Grades, Quality, Verdict
from pipeline.core.recording import RECORDING_VERSION, Recording, SampledActivity
from pipeline.io.atomic import check_room, remove_leftovers
from pipeline.io.documents import write_document
from pipeline.io.hashing import file_state, remembered_sha256
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.records import write_record
from pipeline.io.tables import write_tsv
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.gathering import Gathering
from pipeline.prepare.quality.grade import grade_units
from pipeline.stages.own_process import in_own_process
from pipeline.stages.run_context import StageRun

UNITS = "units.tsv"
"""Name of the table of units for people."""
MAX_FILES_BESIDE = 20
"""More files than these beside a recording, such as pictures, have one checksum together."""


def ingest(
    run: StageRun,
    *,
    nwb: Path,
    options: Mapping[str, Any],  # as the rule's params carry them
    subject: str,
    strict: bool,
    limits: Mapping[str, Any],  # as the rule's params carry them
    output: Path,
    quality: Path,
    checksums: Path | None = None,
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
    limits
        Fields of :class:`QualityConfig`.
    output, quality
        ``recording.h5`` and ``quality.json``. Beside the latter, ``units.tsv`` has the units and
        their grades for people; no stage reads it.
    checksums
        Folder in which checksums of files are remembered by their size and time.
    """
    units = quality.with_name(UNITS)
    units.unlink(missing_ok=True)
    remove_leftovers(units)  # no rule names it, so nobody else does
    result: Recording | Outcome
    notes: list[Note] = []  # also of a file that is refused over them
    grades = Grades()
    try:
        result, grades = _stored(
            run,
            nwb=nwb,
            options=options,
            subject=subject,
            strict=strict,
            limits=QualityConfig(**limits),
            output=output,
            notes=notes,
            checksums=checksums,
        )
    except Exception as error:
        result = run.outcome_of(error, file=nwb.name)
        write_record(output, result)
    write_document(quality, _quality(nwb.name, result, notes=tuple(notes), grades=grades))
    if isinstance(result, Recording):
        write_tsv(units, graded_units(result, grades))
    return result


def graded_units(recording: Recording, grades: Grades) -> pd.DataFrame:
    """The units with all their columns, then what was measured of each."""
    known = recording.units.reset_index(drop=True)
    measured = {name: cells for name, cells in grades.units.items() if name not in known}
    return pd.concat([known, pd.DataFrame(measured)], axis=1)


def ingest_apart(run: StageRun, *, nwb: Path, output: Path, quality: Path, **how: Any) -> None:
    """As :func:`ingest`, in a process of its own: a file that crashes it is a fault of the file.

    Parameters
    ----------
    how
        The further arguments of :func:`ingest`.
    """

    def work() -> None:
        ingest(run, nwb=nwb, output=output, quality=quality, **how)

    try:
        in_own_process(work)
    except BaseException as error:
        for path in (output, quality, quality.with_name(UNITS)):
            remove_leftovers(path)
        if not isinstance(error, DataError):
            raise
        result = run.outcome_of(error, file=nwb.name)
        write_record(output, result)
        write_document(quality, _quality(nwb.name, result, notes=(), grades=Grades()))


def _stored(
    run: StageRun,
    *,
    nwb: Path,
    options: Mapping[str, Any],
    subject: str,
    strict: bool,
    limits: QualityConfig,
    output: Path,
    notes: list[Note],
    checksums: Path | None,
) -> tuple[Recording, Grades]:
    """The recording as it was stored, and its grades; what is to be told is added to the notes."""
    from pipeline.io.nwb.read import open_recording
    from pipeline.io.nwb.second_opinion import second_opinion

    # Params may come back from their store with lists for tuples.
    fields: dict[str, Any] = {
        key: tuple(entry) if isinstance(entry, list) else entry for key, entry in options.items()
    }
    chosen = ReadOptions(**fields)
    provenance = run.provenance(
        settings=reading_settings(chosen, subject=subject, strict=strict, limits=limits),
        inputs={},
        results_version=RECORDING_VERSION,
    )
    grades = Grades()
    with (
        open_recording(
            nwb, recording=run.recording, options=chosen, provenance=provenance
        ) as reading,
        ThreadPoolExecutor(max_workers=1) as beside,
    ):
        check_room(output, least_bytes=reading.least_bytes)
        before = file_state(nwb)
        recording, gathered = _overheard(reading.recording)
        # Hashed beside the reading, once the file is known to be one that can be read.
        checksum = beside.submit(remembered_sha256, nwb, checksums)

        def finish(copied: Recording) -> Recording:
            """What can be said once all samples were read."""
            nonlocal grades
            notes.extend(reading.notes())
            notes.extend(second_opinion(reading.contents, copied, sources=reading.sources))
            graded, grades, remarks = grade_units(copied, limits, gathered=gathered())
            notes.extend(remarks)
            if strict:
                refuse_remarks(notes)
            for note in _no_mere_information(notes):
                run.tell(note, file=nwb.name)
            about = graded.about
            if subject:
                about = dataclasses.replace(about, subject=subject)
            inputs = {nwb.name: checksum.result(), **_checksums_beside(nwb, checksums)}
            known = dataclasses.replace(provenance, inputs=inputs)
            if file_state(nwb) != before:
                raise DataError(
                    code="IN-F28",
                    place="/",
                    found="the file was changed while it was read",
                    fix="wait until the recording is complete, then run again",
                )
            return dataclasses.replace(graded, about=about, provenance=known)

        return write_record(output, recording, finish=finish), grades


def reading_settings(
    options: ReadOptions, *, subject: str, strict: bool, limits: QualityConfig
) -> dict[str, object]:
    """All that a recording depends on besides its file: the block in its provenance."""
    return {
        **dataclasses.asdict(options),
        "subject": subject,
        "strict": strict,
        "quality": limits.model_dump(),
    }


def _overheard(recording: Recording) -> tuple[Recording, Callable[[], Gathering | None]]:
    """The recording, and what will be gathered for its grades while its samples are copied."""
    activity = recording.activity
    if not isinstance(activity, SampledActivity) or isinstance(activity.values, np.ndarray):
        return recording, lambda: None
    gathering = Gathering(activity)
    overheard = dataclasses.replace(recording, activity=gathering.overheard())
    return overheard, lambda: gathering if gathering.is_whole else None


def _checksums_beside(nwb: Path, memory: Path | None) -> dict[str, str]:
    """Checksums of the files that the recording led to: of each, or of many pictures together."""
    from pipeline.io.nwb.outside import files_met

    found = {
        os.path.relpath(path, nwb.parent): remembered_sha256(path, memory) for path in files_met()
    }
    if len(found) <= MAX_FILES_BESIDE:
        return found
    lines = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(found.items()))
    return {f"{len(found)} files that it names": hashlib.sha256(lines.encode()).hexdigest()}


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


def _quality(
    file: str, result: Recording | Outcome, *, notes: tuple[Note, ...], grades: Grades
) -> Quality:
    if isinstance(result, Outcome):
        return Quality(file=file, verdict="reject", notes=notes)
    kinds = {note.kind for note in notes}
    verdict: Verdict = "repair" if "repair" in kinds else "warn" if "warn" in kinds else "accept"
    unused = result.units.loc[~result.units["good"], "reason"]
    return Quality(
        file=file,
        verdict=verdict,
        notes=notes,
        n_units=len(result.units),
        n_used=len(result.units) - len(unused),
        reasons={str(reason): int(count) for reason, count in unused.value_counts().items()},
        grades=grades,
    )
