"""Sections of an experiment become one page; pages become the index."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pipeline
from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section
from pipeline.core.recording import Recording
from pipeline.io.atomic import replacing
from pipeline.io.documents import read_document
from pipeline.io.records import read_record
from pipeline.report.data_section import data_section
from pipeline.report.document import report_document
from pipeline.report.index import IndexEntry, render_index
from pipeline.report.render import Page, render
from pipeline.stages.ingest import Quality
from pipeline.stages.run_context import StageRun


def report(
    run: StageRun,
    *,
    recordings: Mapping[str, Path],
    qualities: Mapping[str, Path],
    sections: Mapping[str, Path],
    settings: Mapping[str, Any],  # the whole of the settings, shown as they were used
    overrides: Mapping[str, Any],
    timings: Path,
    redact: bool,
    page_limit_mb: float,
    html: Path,
    document: Path,
) -> None:
    """Write the experiment's page and its machine-readable twin.

    Parameters
    ----------
    recordings, qualities
        Recording id to ``recording.h5`` and ``quality.json``, in the order of the sheet.
    sections
        Method to ``section.json``, for methods that ran.
    settings, overrides
        Settings used, and those among them that were given on the command line.
    timings
        Folder with the timing tables of the experiment's jobs.
    html, document
        ``report.html`` and ``report.json``.
    """
    loaded = {name: read_record(path, Recording, Outcome) for name, path in recordings.items()}
    found = [record for record in loaded.values() if isinstance(record, Recording)]
    failures = {name: record for name, record in loaded.items() if isinstance(record, Outcome)}
    notes = {name: read_document(path, Quality).notes for name, path in qualities.items()}
    methods = [_section_of(name, sections) for name in registry.announced()]
    page = Page(
        experiment=run.experiment,
        version=pipeline.__version__,
        sections=(data_section(found, notes, failures=failures), *methods),
        recordings=tuple(found),
        settings=settings,
        overrides=overrides,
        provenance=_provenance(found, sections=sections),
        timings=read_timings(timings),
        redact=redact,
        limit_mb=page_limit_mb,
    )
    with replacing(html) as temporary:
        temporary.write_text(render(page), encoding="utf-8")
    with replacing(document) as temporary:
        text = json.dumps(report_document(page), indent=1, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
