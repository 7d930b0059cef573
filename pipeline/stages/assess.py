"""A result is questioned, drawn and put into words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.outcome import Outcome
from pipeline.core.parts import Check, Section, qualified
from pipeline.core.recording import Recording
from pipeline.core.unit_names import UnitNames
from pipeline.core.views import View
from pipeline.io.documents import write_document
from pipeline.io.records import open_record, read_record
from pipeline.stages.fit import MethodJob, first_outcome, usable
from pipeline.stages.planted import planted_words, read_truths
from pipeline.stages.run_context import StageRun


def assess(
    run: StageRun,
    job: MethodJob,
    *,
    recordings: Mapping[str, Path],
    fits: Sequence[Path],
    views: Sequence[Path],
    truths: Sequence[Path],
    checks: Path,
    section: Path,
) -> Section:
    """Write what the report says about a method: its checks and its section.

    Parameters
    ----------
    recordings
        Recording id to ``recording.h5``, of all that the experiment has: units are called alike
        whichever of them the method took.
    fits
        The method's result, or the record of why there is none; one a recording, in folders named
        by the recordings' ids, of a method that does not pool them.
    truths
        What was planted for all methods, ``METHOD.h5`` each, in simulated recordings.
    checks, section
        ``checks.json`` and ``section.json``.
    """
    result_type = job.spec.room("result").Result
    results = [read_record(path, result_type, Outcome) for path in fits]
    lacking = all(isinstance(result, Outcome) for result in results)
    outcome = first_outcome(results) if lacking else None
    if outcome is None:
        try:
            units = unit_tables(recordings)
            with job.open_views(views) as seen:
                written = _section(
                    job,
                    fitted=[path.parent.name for path in fits],
                    results=results,
                    seen=seen,
                    truths=truths,
                    units=units,
                )
        except Exception as error:
            outcome = run.outcome_of(error, file=fits[0].name)
    if outcome is not None:
        written = section_without_result(job.spec.name, job.spec.title, outcome)
    written = dataclasses.replace(written, citation=job.spec.citation)
    write_document(checks, written.checks)
    write_document(section, written, experiment=run.experiment)
    return written


def _section(
    job: MethodJob,
    *,
    fitted: Sequence[str],
    results: Sequence[object],
    seen: Sequence[View | Outcome],
    truths: Sequence[Path],
    units: Mapping[str, pd.DataFrame],
) -> Section:
    names = UnitNames.of(units)
    planted, doubted = read_truths(truths)
    truth = planted.get(job.spec.name)
    if job.spec.pools_recordings:
        (result,) = results
        found, missing = usable(seen), missing_recordings(seen)
    else:
        of_recording = {
            name: (one, view)
            for name, one, view in zip(fitted, results, seen, strict=True)
            if not isinstance(one, Outcome) and not isinstance(view, Outcome)
        }
        result = {name: one for name, (one, _) in of_recording.items()}
        found = tuple(view for _, view in of_recording.values())
        missing = missing_recordings(results)
    checks: tuple[Check, ...] = job.spec.room("diagnostics").assess(
        result, found, job.config, truth=truth
    )
    checks = (*missing, *doubted, *checks)
    figures = job.spec.room("figures").figures(result, found, job.config, truth=truth, names=names)
    section: Section = job.spec.room("section").section(
        result, checks, figures, job.config, names=names
    )
    return dataclasses.replace(
        section,
        sentence=qualified(section.sentence, section.checks),
        planted=planted_words(job.spec, result, planted, units),
    )


def unit_tables(recordings: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Tables of units of the recordings that could be read."""
    found = {}
    for name, path in recordings.items():
        with open_record(path, Recording, Outcome) as record:
            if isinstance(record, Recording):
                found[name] = record.units
    return found


def missing_recordings(results: Sequence[object]) -> tuple[Check, ...]:
    """A warning when recordings of the experiment could not be used; nothing otherwise."""
    missing = [result for result in results if isinstance(result, Outcome)]
    if not missing:
        return ()
    return (
        Check(
            name="Recordings used",
            status="warn",
            value=f"{len(results) - len(missing)} of {len(results)}",
            threshold="all",
            meaning="; ".join(sorted({result.reason for result in missing})),
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
