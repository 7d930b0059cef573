"""What surrounds the work of a stage: log, threads, failures as data, facts of the run."""

from __future__ import annotations

import json
import logging
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from threadpoolctl import threadpool_limits

import pipeline
from pipeline.core.errors import (
    DataError,
    EnvironmentFault,
    NotApplicable,
    PipelineError,
    printable,
)
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.provenance import Provenance
from pipeline.io.atomic import remove_leftovers, replacing
from pipeline.io.claims import SLURM_JOB, drop_claim, write_claim
from pipeline.io.hashing import code_digest
from pipeline.stages.claims import AT_WORK
from pipeline.stages.termination import termination_heard

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
SECONDS_BETWEEN_PROGRESS = 10.0
COMPUTING_LIBRARIES = ("numpy", "scipy", "pandas", "h5py", "scikit-learn", "tensorly", "pynwb")

ON_ERROR_VARIABLE = "NEUROPTYCH_ON_METHOD_ERROR"
"""Carries ``run.on_method_error`` to the jobs. Not a parameter of rules: changing it must not make
finished results anew."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """One run of one stage."""

    stage: str
    experiment: str
    recording: str = ""
    method: str = ""
    threads: int = 1
    on_error: str = field(default_factory=lambda: os.environ.get(ON_ERROR_VARIABLE, "record"))
    """``record`` turns faults of data and method into an :class:`Outcome`; ``raise`` does not."""
    started: float = field(default_factory=time.monotonic)

    @property
    def subject(self) -> str:
        """What messages call the thing worked on: experiment, and recording where there is one."""
        return f"{self.experiment}/{self.recording}" if self.recording else self.experiment

    def provenance(
        self,
        *,
        settings: Mapping[str, object],
        inputs: Mapping[str, str],
        seed: int = 0,
        results_version: int = 0,
    ) -> Provenance:
        """Facts about the result that this stage is about to make."""
        return Provenance(
            stage=self.stage,
            experiment=self.experiment,
            recording=self.recording,
            method=self.method,
            package_version=pipeline.__version__,
            code_digest=code_digest(),
            results_version=results_version,
            seed=seed,
            threads=self.threads,
            settings=settings,
            inputs=inputs,
            libraries={name: metadata.version(name) for name in COMPUTING_LIBRARIES},
        )

    def progress(self) -> Progress:
        """A callable for long loops that writes a log line now and then."""
        return Progress(self.subject)

    def tell(self, note: Note, *, file: str) -> None:
        """Say a remark on an input in one line, in the log and beside the job."""
        word = {"info": "NOTE", "warn": "WARNING", "repair": "REPAIR"}[note.kind]
        line = printable(f"{word} {note.code} {self.subject}: {file}: {note.place}: {note.text}")
        logger.warning("%s", line)
        print(line, file=sys.stderr)  # noqa: T201 - shown by the workflow beside the job

    def outcome_of(self, error: Exception, *, file: str = "-") -> Outcome:
        """The record of a fault of data or method; other errors are raised again.

        Faults of the environment (class 5) are raised, so that the scheduler may try again. A
        defect in our code is recorded for the reader and keeps its traceback in the log.
        """
        if isinstance(error, NotApplicable):
            logger.info("%s: not applicable: %s", self.subject, error)
            return Outcome(status="not_applicable", reason=str(error))
        if self.on_error == "raise" or isinstance(error, EnvironmentFault | MemoryError | OSError):
            raise error
        if not isinstance(error, PipelineError):
            logger.exception("%s: unexpected error", self.subject)
            error = unfit(error) if isinstance(error, ValueError) else defect(error)
        known = error.at(experiment=self.subject, file=file)
        logger.error("%s", known)
        print(known, file=sys.stderr)  # noqa: T201 - shown by the workflow beside the job
        return Outcome(status="failed", reason=known.found, failure=known.parts())


def unfit(error: ValueError) -> PipelineError:
    """The error a reader sees when numerical code refused the data it was given."""
    return DataError(
        code="ME-N01",
        found=str(error).rstrip("."),
        fix="repair or exclude the recording, or change the setting that is named",
    )


def shortage(error: MemoryError | OSError) -> PipelineError:
    """The error a reader sees when the machine refused memory or a file."""
    if isinstance(error, MemoryError):
        return EnvironmentFault(
            code="RN-R03",
            found=f"memory ran out ({peak_memory_mb()} MB were in use at most)",
            fix="give the job more memory (--set-resources RULE:mem_mb=...), or run fewer at once",
        )
    return EnvironmentFault(
        code="RN-R04",
        file=str(error.filename or "-"),
        found=f"the system refused a file: {error.strerror or error}",
        fix="see that the folder is there, has room and may be read and written, then run again",
    )


def defect(error: Exception) -> PipelineError:
    """The error a reader sees when our own code broke."""
    return PipelineError(
        code="RN-D01",
        found=f"{type(error).__name__}: {error}",
        fix="report this with the log file; the other methods are not affected",
    )


class Progress:
    """Writes how far a long loop is, at most every ten seconds."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._started = self._told = time.monotonic()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps are finished."""
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_PROGRESS and done < total:
            return
        self._told = now
        left = (now - self._started) / max(done, 1) * (total - done)
        logger.info("%s: %d of %d, about %.0f s left %s", self._subject, done, total, left, note)


@contextmanager
def stage_run(run: StageRun, *, log: Path | None, outputs: Sequence[Path]) -> Iterator[StageRun]:
    """Surround a stage: log file, thread limits, and a sidecar with facts of the run.

    Parameters
    ----------
    run
        What is being run.
    log
        Log file; console only when ``None``.
    outputs
        Files the stage makes; what killed writers of them left is removed. Facts of the run are
        written beside the first one, since they do not belong into a file that is to be the same
        for the same result.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()] if log is None else []
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log, mode="w", encoding="utf-8"))
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=handlers, force=True)
    logging.captureWarnings(capture=True)
    logger.info("%s: %s starts, %d threads", run.subject, run.stage, run.threads)
    claim = log.with_suffix(AT_WORK) if log is not None else None
    try:
        if claim is not None:
            write_claim(claim)
        for output in outputs:
            remove_leftovers(output)
        with threadpool_limits(limits=run.threads), termination_heard():
            yield run
    except (PipelineError, MemoryError, OSError) as error:
        known = error if isinstance(error, PipelineError) else shortage(error)
        known = known.at(experiment=run.subject)
        # The log's last line carries the class, since schedulers answer 1 for any failed job.
        logger.error("%s (exit %d)", known, known.exit_code)
        print(known, file=sys.stderr)  # noqa: T201
        raise SystemExit(known.exit_code) from None
    except Exception:
        logger.exception("%s: %s failed", run.subject, run.stage)
        raise
    finally:
        if claim is not None:
            drop_claim(claim)
    seconds = time.monotonic() - run.started
    logger.info("%s: %s done in %.1f s", run.subject, run.stage, seconds)
    if outputs:
        _write_sidecar(outputs[0], run=run, seconds=seconds)


def _write_sidecar(output: Path, *, run: StageRun, seconds: float) -> None:
    facts = {
        "stage": run.stage,
        "experiment": run.experiment,
        "recording": run.recording,
        "method": run.method,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "slurm_job": os.environ.get(SLURM_JOB, ""),
        "threads": run.threads,
        "cores_of_host": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "seconds": round(seconds, 3),
        "peak_memory_mb": peak_memory_mb(),
    }
    with replacing(output.with_suffix(".run.json")) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def peak_memory_mb() -> int:
    """Most memory that this process, or one that it waited for, was in so far, in MiB.

    From Linux's own account of the process: what ``getrusage`` says there is never less than what
    the process that started this one had in use, so a small job of a large parent looks large.
    """
    mebi = 2**20 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // mebi
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return max(children, int(line.split()[1]) // 1024)
    return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // mebi)
