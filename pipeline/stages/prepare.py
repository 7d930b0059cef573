"""A recording becomes the view that a method asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording
from pipeline.core.views import VIEW_VERSION, View
from pipeline.io.records import open_record, read_digest, write_record
from pipeline.prepare.kinds import KINDS
from pipeline.stages.run_context import StageRun


def prepare(
    run: StageRun,
    *,
    view: str,
    settings: Mapping[str, Any],  # the view's block, as the rule's params carry it
    recording: Path,
    output: Path,
) -> View | Outcome:
    """Build and store one view of one recording; what cannot be built is stored as its reason."""
    with open_record(recording, Recording, Outcome) as source:
        result = _view(run, source, view=view, settings=settings, recording=recording)
        return write_record(output, result)


def _view(
    run: StageRun,
    source: Recording | Outcome,
    *,
    view: str,
    settings: Mapping[str, Any],
    recording: Path,
) -> View | Outcome:
    if isinstance(source, Outcome):
        return source
    kind = KINDS[view]
    provenance = run.provenance(
        settings=settings,
        inputs={recording.name: read_digest(recording)},
        results_version=VIEW_VERSION,
    )
    try:
        return kind.build(source, kind.settings.model_validate(dict(settings)), provenance)
    except Exception as error:
        return run.outcome_of(error, file=recording.name)
