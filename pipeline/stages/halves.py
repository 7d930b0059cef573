"""A method fitted again to each half of the data, for tests of agreement between methods."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import NotApplicable, PipelineError
from pipeline.core.halves import HALVES_VERSION, HalfLabels, Halves
from pipeline.core.labelling import UnitLabels
from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording
from pipeline.core.views import View
from pipeline.io.records import open_record, read_digest, read_record, record_type, write_record
from pipeline.prepare.halves import NAMES, Spans, halves_of, within
from pipeline.stages.checkpoints import Checkpoints, remove_checkpoints
from pipeline.stages.fit import MethodJob, first_outcome, usable
from pipeline.stages.run_context import StageRun
from pipeline.stages.termination import checkpointed_work, end_if_asked

logger = logging.getLogger(__name__)

ALONE = "no other method groups units by their activity here"


def refit_halves(
    run: StageRun,
    job: MethodJob,
    *,
    recordings: Mapping[str, Path],
    views: Sequence[Path],
    fit: Path,
    others: Sequence[Path],
    gap_s: float,
    output: Path,
) -> None:
    """Store labels of units from both halves of the data, or why there are none.

    A half is all that the method's room ``refits`` is given of the data, so that nothing of the
    other can have a part in its labels. A job that is ended early goes on as one of a part does:
    the first half is kept until both are there, and a half on its way leaves a checkpoint.

    Parameters
    ----------
    recordings
        Recording id to ``recording.h5``, of the recordings that are fitted together.
    views
        Their views.
    fit
        The main fit, which tells how many components or types to seek.
    others
        Views of the other methods that could be held against this one; if none of them could be
        made, nothing is fitted.
    gap_s
        Seconds between the halves that are left out, at least.
    output
        ``halves.h5``.
    """
    places = [output.parent / "parts" / f"half-{half}.h5" for half in (0, 1)]
    result = read_record(fit, job.spec.room("result").Result, Outcome)
    written: Halves | Outcome
    if isinstance(result, Outcome):
        written = result
    elif all(record_type(path) == Outcome.__name__ for path in others):
        written = Outcome(status="not_applicable", reason=ALONE)
    else:
        try:
            spans = _spans(recordings, gap_s=gap_s)
            with job.open_views(views) as seen:
                missing = first_outcome(seen)
                found = usable(seen)
                if not found and missing is not None:
                    written = missing
                else:
                    names = [view.recording for view in found]
                    span_s = np.stack([spans[name].span_s for name in names])
                    provenance = run.provenance(
                        settings=job.settings,
                        inputs={
                            os.path.relpath(path, output.parent): read_digest(path)
                            for path in (*recordings.values(), *views, fit)
                        },
                        seed=job.seed,
                        results_version=job.spec.results_version,
                    )
                    within_spans = {"halves": HALVES_VERSION, "span_s": span_s.tolist()}
                    kept = dataclasses.replace(
                        provenance, settings={**job.settings, **within_spans}
                    )
                    first, second = (
                        _kept_labels(
                            Checkpoints.of(job.checkpoint, place, kept),
                            functools.partial(_labels, run, job, found, result, spans, half),
                        )
                        for half, place in enumerate(places)
                    )
                    written = Halves(
                        first=first,
                        second=second,
                        recording=np.array(names, dtype=np.str_),
                        span_s=span_s,
                        alike_s=np.array([spans[name].alike_s for name in names]),
                        provenance=provenance,
                    )
        except Exception as error:
            written = run.outcome_of(error, output=output)
    write_record(output, written)
    for place in places:
        remove_checkpoints(place)


def _kept_labels(
    checkpoints: Checkpoints, fit: Callable[..., tuple[UnitLabels, ...]]
) -> tuple[UnitLabels, ...]:
    """Labels of a half; those that a run of the same data and settings left when it was ended."""
    if checkpoints.finished.exists():
        try:
            left: HalfLabels = read_record(checkpoints.finished, HalfLabels)
        except PipelineError as error:
            logger.warning("fitting the half anew, since what was kept cannot be used: %s", error)
        else:
            logger.info("going on from %s", checkpoints.finished)
            return left.labels
    with checkpointed_work():
        labels = fit(**checkpoints.arguments())
    write_record(checkpoints.finished, HalfLabels(labels=labels))
    end_if_asked()
    return labels


def _spans(recordings: Mapping[str, Path], *, gap_s: float) -> dict[str, Spans]:
    """Spans of the halves of every recording that could be read."""
    found = {}
    for name, path in recordings.items():
        with open_record(path, Recording, Outcome) as record:
            if isinstance(record, Recording):
                found[name] = halves_of(record, gap_s=gap_s)
    return found


def _labels(
    run: StageRun,
    job: MethodJob,
    views: Sequence[View],
    result: object,
    spans: Mapping[str, Spans],
    half: int,
    **resuming: Any,  # Any: what the method leaves and goes on from
) -> tuple[UnitLabels, ...]:
    """Groupings of one half that have more than one group."""
    parts = tuple(within(view, spans[view.recording].span_s[half]) for view in views)
    try:
        found: tuple[UnitLabels, ...] = job.spec.room("refits").refit(
            parts,
            result,
            job.config,
            job.stream(run, f"half-{half}"),
            threads=run.threads,
            **resuming,
        )
    except NotApplicable as error:
        raise NotApplicable(f"in the {NAMES[half]} half of the data: {error}") from error
    several = tuple(one for one in found if np.unique(one.label).size > 1)
    if not several:
        raise NotApplicable(f"the {NAMES[half]} half of the data has no two groups of units")
    return several
