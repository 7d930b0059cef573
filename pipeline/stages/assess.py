"""A result is questioned, drawn and put into words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.outcome import Outcome
from pipeline.core.parts import Check, Section
from pipeline.io.documents import write_document
from pipeline.io.records import read_record
from pipeline.stages.fit import MethodJob, read_views, usable
from pipeline.stages.run_context import StageRun


def assess(
    run: StageRun,
    job: MethodJob,
    *,
    fit: Path,
    views: Sequence[Path],
    truth: Path | None,
    checks: Path,
    section: Path,
) -> Section:
    """Write what the report says about a method: its checks and its section.

    Parameters
    ----------
    fit
        The method's result, or the record of why there is none.
    truth
        What was planted, for simulated recordings.
    checks, section
        ``checks.json`` and ``section.json``.
    """
    result = read_record(fit, job.spec.room("result").Result, Outcome)
    if not isinstance(result, Outcome):
        try:
            written = _section(job, result=result, views=views, truth=truth)
        except Exception as error:
            result = run.outcome_of(error, file=fit.name)
    if isinstance(result, Outcome):
        written = section_without_result(job.spec.name, job.spec.title, result)
    written = dataclasses.replace(written, citation=job.spec.citation)
    write_document(checks, written.checks)
    write_document(section, written)
    return written


def _section(
    job: MethodJob, *, result: object, views: Sequence[Path], truth: Path | None
) -> Section:
    seen = read_views(views)
    found = usable(seen)
    planted = read_record(truth, job.spec.room("simulate").Truth) if truth is not None else None
    checks: tuple[Check, ...] = job.spec.room("diagnostics").assess(
        result, found, job.config, truth=planted
    )
    checks = (*missing_recordings(seen), *checks)
    figures = job.spec.room("figures").figures(result, found, job.config, truth=planted)
    section: Section = job.spec.room("section").section(result, checks, figures, job.config)
    return section


def missing_recordings(views: Sequence[object]) -> tuple[Check, ...]:
    """A warning when recordings of the experiment could not be used; nothing otherwise."""
    missing = [view for view in views if isinstance(view, Outcome)]
    if not missing:
        return ()
    return (
        Check(
            name="Recordings used",
            status="warn",
            value=f"{len(views) - len(missing)} of {len(views)}",
            threshold="all",
            meaning="; ".join(sorted({view.reason for view in missing})),
            advice="Repair or exclude these recordings; the data section names them.",
        ),
    )


def section_without_result(name: str, title: str, outcome: Outcome) -> Section:
    """The section that says why a method has no result."""
    word = "failed" if outcome.status == "failed" else "does not apply here"
    return Section(
        id=name,
        title=title,
        status=outcome.status,
        sentence=f"{title} {word}.",
        reason=outcome.reason,
        failure=outcome.failure,
    )
