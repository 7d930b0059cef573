"""Recorded failures are not results: they are removed so that a repaired cause is tried again."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.outcome import Outcome
from pipeline.io.records import read_record, record_type

logger = logging.getLogger(__name__)


def forget_failed(out: Path) -> tuple[Path, ...]:
    """Delete the result files below ``out`` that hold the record of a failure.

    Files that say a method does not apply stay: that is a result. What was made from a deleted
    file is made anew by the workflow.
    """
    forgotten = []
    for path in sorted(out.rglob("*.h5")):
        try:
            failed = (
                record_type(path) == Outcome.__name__
                and read_record(path, Outcome).status == "failed"
            )
        except PipelineError:
            failed = True  # damaged, or of another version: not a result either
        if failed:
            path.unlink()
            forgotten.append(path)
    return tuple(forgotten)
