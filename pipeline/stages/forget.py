"""Recorded failures are not results: they are removed so that a repaired cause is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.outcome import Outcome
from pipeline.io.atomic import write_fault
from pipeline.io.records import read_record, record_type
from pipeline.stages.run_context import failure_file

RECORDS = (
    "recordings/*/recording.h5",
    "views/*/*.h5",
    "*/**/parts/*.h5",
    "*/**/fit.h5",
    "*/**/halves.h5",
)
"""Where the workflow puts records, in the folder of an experiment."""


def forget_failed(out: Path, *, experiments: Iterable[str]) -> tuple[Path, ...]:
    """Delete the records of these experiments that hold a failure, or that are damaged.

    Records that say a method does not apply stay: that is a result. What was made from a deleted
    file is made anew by the workflow. Files in other places of ``out`` are not ours to delete.

    Raises
    ------
    EnvironmentFault
        If one cannot be deleted (RN-R26).
    """
    forgotten = []
    for experiment in experiments:
        for pattern in RECORDS:
            for path in sorted((out / experiment).glob(pattern)):
                if not is_no_result(path):
                    continue
                try:
                    path.unlink()
                    failure_file(path).unlink(missing_ok=True)
                except OSError as error:
                    raise write_fault(path, error) from error
                forgotten.append(path)
    return tuple(forgotten)


def is_no_result(path: Path) -> bool:
    """Whether a record holds a failure, or is damaged."""
    try:
        return (
            record_type(path) == Outcome.__name__ and read_record(path, Outcome).status == "failed"
        )
    except EnvironmentFault:
        return True  # damaged
    except DataError:
        return False  # of another version, which may be a newer one: its reader says what to do
