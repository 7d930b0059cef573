"""Sections of an experiment become one page and its machine-readable twin."""

from __future__ import annotations

import csv
import dataclasses
import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pipeline
from pipeline import registry
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Number, Section
from pipeline.core.quality import Quality
from pipeline.core.recording import Recording
from pipeline.io.atomic import replacing
from pipeline.io.documents import foreign, read_document, write_plain
from pipeline.io.records import open_record
from pipeline.io.sheets import READING
from pipeline.report.data_section import data_section, recording_rows
from pipeline.report.document import report_document
from pipeline.report.page import AGREEMENT, DATA, Page, Timing
from pipeline.report.redact import HIDDEN, redacted
from pipeline.report.render import render
from pipeline.report.saved_tables import tables_of_no_section
from pipeline.stages.assess import section_without_result
from pipeline.stages.citing import bibtex, methods_text, tool_versions
from pipeline.stages.figures import write_figures, write_tables
from pipeline.stages.log_tail import with_log_tail
from pipeline.stages.provenance import computed_in_words
from pipeline.stages.run_context import StageRun

BYTES_PER_MB = 1_000_000


def report(
    run: StageRun,
    *,
    recordings: Mapping[str, Path],
    qualities: Mapping[str, Path],
    sections: Mapping[str, Path],
    agreement: Path,
    left_out: Mapping[str, str],
    settings: Mapping[str, Any],  # all that a report can depend on
    changed: Sequence[str],
    timings: Path,
    redact: bool,
    page_limit_mb: float,
    table_formats: Sequence[str],
    figure_formats: Sequence[str],
    html: Path,
    document: Path,
    tables: Path,
    figures: Path,
) -> None:
    """Write the experiment's page, its machine-readable twin, and its parts as files.

    Parameters
    ----------
    recordings, qualities
        Recording id to ``recording.h5`` and ``quality.json``, in the order of the sheet.
    sections
        Method to ``section.json``, for methods that ran.
    agreement
        ``section.json`` about agreement between methods.
    left_out
        Recording id to the sheet's reason, for recordings that are not used.
    settings, changed
        Settings used, and the dotted keys among them that are not the default.
    timings
        Folder with the timing tables of the experiment's jobs.
    table_formats
        Formats in which tables are written: names in :data:`pipeline.io.tables.WRITERS`.
    figure_formats
        Formats in which figures are drawn: names in :data:`pipeline.viz.draw.PICTURES`.
    html, document, tables, figures
        ``report.html``, ``report.json`` and the folders for tables and figures.
    """
    quality = {name: read_document(path, Quality) for name, path in qualities.items()}
    notes = {name: each.notes for name, each in quality.items()}
    notes |= {
        name: (left_out_note(HIDDEN if redact else reason),) for name, reason in left_out.items()
    }
    with ExitStack() as opened:
        records = {
            name: opened.enter_context(open_record(path, Recording, Outcome))
            for name, path in recordings.items()
        }
        found = [record for record in records.values() if isinstance(record, Recording)]
        failures = {name: one for name, one in records.items() if isinstance(one, Outcome)}
        for name, note in repeated(found).items():
            notes[name] = (*notes.get(name, ()), note)
        methods = [
            method_section(name, sections, experiment=run.experiment) for name in registry.methods()
        ]
        rows = recordings_shown(found, failures)
        page = Page(
            experiment=run.experiment,
            version=pipeline.__version__,
            sections=tuple(
                with_log_tail(section, results=html.parent.parent)
                for section in (
                    data_section(
                        found,
                        notes,
                        failures,
                        {name: each.grades for name, each in quality.items()},
                    ),
                    *methods,
                    read_document(agreement, Section, experiment=run.experiment),
                )
            ),
            recordings=rows,
            reading={each.id: reading_of(each) for each in found},
            files={
                **{name: (quality[name].file,) for name in failures},
                **{each.id: tuple(each.provenance.inputs) for each in found},
            },
            settings=settings,
            changed=tuple(changed),
            provenance=provenance_shown(found),
            computed=computed_in_words(html.parent, redact=redact),
            timings=read_timings(timings),
            methods_text=methods_text(
                methods, rows=rows, settings=settings, versions=tool_versions()
            ),
            bibtex=bibtex(methods),
            sources=sources_of(list(recordings), sections),
            redact=redact,
            limit_bytes=int(page_limit_mb * BYTES_PER_MB),
        )
    write_report(
        page,
        html=html,
        document=document,
        tables=tables,
        table_formats=table_formats,
        figures=figures,
        figure_formats=figure_formats,
    )


def write_report(
    page: Page,
    *,
    html: Path,
    document: Path,
    tables: Path,
    table_formats: Sequence[str],
    figures: Path,
    figure_formats: Sequence[str],
) -> None:
    """Write a page, its twin for programs, and its tables and figures, all redacted alike."""
    with replacing(html) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    write_plain(document, report_document(page))
    shown = redacted(page) if page.redact else page
    beside = tables_of_no_section(shown)
    write_tables(tables, shown.sections, formats=table_formats, beside=beside)
    write_figures(figures, shown.sections, formats=figure_formats)


def left_out_note(reason: str) -> Note:
    """The remark on a recording that the sheet excludes."""
    return Note(
        code="CF-K17", kind="info", place="sheet, column exclude", text=f"Left out: {reason}"
    )


def repeated(recordings: Sequence[Recording]) -> dict[str, Note]:
    """A warning for each recording that has the same activity as one before it.

    The same file may hold several recordings, such as planes; the same series of files with the
    same content is one recording that counts twice.
    """
    first: dict[tuple[str, ...], str] = {}
    notes: dict[str, Note] = {}
    for recording in recordings:
        contents = sorted(recording.provenance.inputs.values())
        known = first.setdefault((recording.about.source_series, *contents), recording.id)
        if contents and known != recording.id:
            text = (
                f"The same activity as recording {known}, from a file with the same content: it "
                "counts twice, as if two experiments had agreed."
            )
            notes[recording.id] = Note(
                code="IN-F29", kind="warn", place="sheet, column nwb", text=text
            )
    return notes


def recordings_shown(
    found: Sequence[Recording], failures: Mapping[str, Outcome]
) -> tuple[dict[str, Number], ...]:
    """One row a recording: those that were read, then those that could not be."""
    read: list[dict[str, Number]] = [
        {**row, "status": "ok", "reason": ""} for row in recording_rows(found)
    ]
    failed: list[dict[str, Number]] = [
        {"recording": name, "status": "failed", "reason": outcome.reason}
        for name, outcome in failures.items()
    ]
    return (*read, *failed)


def reading_of(recording: Recording) -> dict[str, str]:
    """The sheet's columns by which a recording was read, and their entries, as in the sheet."""
    read = recording.provenance.settings
    return {
        name: "+".join(entry) if isinstance(entry := read[name], (list, tuple)) else str(entry)
        for name in READING
    }


def method_section(name: str, sections: Mapping[str, Path], *, experiment: str) -> Section:
    """What the report says about a method, also when it did not run.

    Raises
    ------
    DataError
        If what is stored belongs to another experiment or method (RN-R11).
    """
    if name in sections:
        section = read_document(sections[name], Section, experiment=experiment)
        if section.id != name:
            raise foreign(sections[name], f"it belongs to {section.id}, expected {name}")
        return section
    spec = registry.methods()[name]
    off = Outcome(
        status="not_applicable",
        reason=f"switched off in the settings (methods.{name}.enabled)",
        failure={"code": "CF-K18"},
    )
    return dataclasses.replace(
        section_without_result(name, spec.title, off), citation=spec.citation
    )


def sources_of(
    recordings: Sequence[str], sections: Mapping[str, Path]
) -> dict[str, tuple[str, ...]]:
    """Section id to the files it was made from, relative to the experiment's folder.

    ``RECORDING`` in a path stands for the id of each of several recordings.

    Parameters
    ----------
    recordings
        Ids, in the order of the sheet.
    sections
        Method to ``section.json``, for methods that ran.
    """
    each = recordings[0] if len(recordings) == 1 else "RECORDING"
    found: dict[str, tuple[str, ...]] = {}
    found[DATA] = (f"recordings/{each}/recording.h5", f"recordings/{each}/quality.json")
    for name in sections:
        pooled = registry.methods()[name].pools_recordings
        fit = f"{name}/fit.h5" if pooled else f"{name}/{each}/fit.h5"
        found[name] = (fit, f"{name}/checks.json", f"{name}/section.json")
    found[AGREEMENT] = ("units.csv", f"{AGREEMENT}/section.json")
    return found


def provenance_shown(recordings: Sequence[Recording]) -> dict[str, object]:
    """What made the page: versions, the code, and each input file with its checksum."""
    shown: dict[str, object] = {
        "package_version": pipeline.__version__,
        "python": platform.python_version(),
        "inputs": {
            f"{recording.id}: {file}": checksum
            for recording in recordings
            for file, checksum in recording.provenance.inputs.items()
        },
    }
    if recordings:
        first = recordings[0].provenance
        shown["code_digest"] = first.code_digest
        shown["libraries"] = dict(first.libraries)
    return shown


def read_timings(folder: Path) -> tuple[Timing, ...]:
    """Wall time and peak memory of the jobs whose timing tables are in a folder."""
    timings = []
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                memory = row.get("max_rss", "-")
                measured = memory not in ("-", "NA", "")
                timings.append(
                    Timing(
                        job=path.stem,
                        seconds=float(row["s"]),
                        peak_mb=float(memory) if measured else None,
                    )
                )
    return tuple(timings)
