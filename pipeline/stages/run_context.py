"""What surrounds the work of a stage: log, threads, failures as data, facts of the run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from threadpoolctl import threadpool_limits

import pipeline
from pipeline.core.arrays import memory_bytes
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
from pipeline.io.atomic import check_room, remove_leftovers, replacing
from pipeline.io.claims import SLURM_JOB, drop_claim, write_claim
from pipeline.io.hashing import code_digest, sha256_of
from pipeline.io.records import read_digest, read_provenance
from pipeline.stages.claims import AT_WORK
from pipeline.stages.machine import commit_at_start, machine_facts
from pipeline.stages.termination import termination_heard

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
SECONDS_BETWEEN_PROGRESS = 10.0
COMPUTING_LIBRARIES = ("numpy", "scipy", "pandas", "h5py", "scikit-learn", "tensorly", "pynwb")

ON_ERROR_VARIABLE = "NEUROPTYCH_ON_METHOD_ERROR"
"""Carries ``run.on_method_error`` to the jobs. Not a parameter of rules: changing it must not make
finished results anew."""

RUN_VARIABLE = "NEUROPTYCH_RUN"
"""Carries the id of the run to its jobs: when it began, and a digest of its settings."""

STARTED_VARIABLE = "NEUROPTYCH_STARTED"
"""Carries to the jobs how their run was started: :func:`how_started`."""

LEAST_BYTES = 2**17
"""What any stage writes at the very least: a result, the facts of the run, a log."""

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
    log: Path | None = None
    outputs: tuple[Path, ...] = ()
    """Files that the stage makes; facts of the run and of failures are written beside them."""
    cost: Mapping[str, object] = field(default_factory=dict)
    """Sizes of the work, and what they were expected to take (``pipeline.stages.costs``)."""
    inputs: tuple[Path, ...] = ()
    """Files that documents were made of; records hold theirs themselves."""
    read_from: Path | None = None
    """Folder of the user's files of which records tell only the names."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Settings that documents depend on."""

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

    def outcome_of(
        self, error: Exception, *, file: str = "-", output: Path | None = None
    ) -> Outcome:
        """The record of a fault of data or method; other errors are raised again.

        Faults of the environment (class 5) are raised, so that the scheduler may try again. A
        defect in our code is recorded for the reader and keeps its traceback in the log.

        Parameters
        ----------
        file
            Name of the file at fault, where the error does not tell it.
        output
            The result whose place the record takes; the first of the stage's where ``None``.
        """
        if isinstance(error, NotApplicable):
            logger.info("%s: not applicable: %s", self.subject, error)
            return self.not_applicable(str(error))
        if isinstance(error, PipelineError):
            error = error.at(experiment=self.subject, file=file)
        if self.on_error == "raise" or isinstance(error, EnvironmentFault | MemoryError | OSError):
            raise error
        if not isinstance(error, PipelineError):
            logger.exception("%s: unexpected error", self.subject)
            error = (
                unfit(error) if isinstance(error, ValueError) else _known(error) or defect(error)
            )
        known = error.at(experiment=self.subject, file=file)
        logger.error("%s", known)
        print(known, file=sys.stderr)  # noqa: T201 - shown by the workflow beside the job
        self.keep_failure(known, output=output)
        return Outcome(
            status="failed", reason=known.found, failure={**known.parts(), **self._log_named()}
        )

    def not_applicable(self, reason: str) -> Outcome:
        """The record of why a method does not apply, with the log of the job that found out."""
        return Outcome(
            status="not_applicable",
            reason=reason,
            failure={"code": "ME-N02", **self._log_named()},
        )

    def _log_named(self) -> dict[str, str]:
        return {"log": self.log_shown} if self.log else {}

    @property
    def log_shown(self) -> str:
        """The log file as its place in the folder of results; empty where there is none."""
        return "/".join(self.log.parts[-3:]) if self.log else ""

    def facts(self) -> dict[str, object]:
        """What belongs to this run and not to its result."""
        return {
            "stage": self.stage,
            "experiment": self.experiment,
            "recording": self.recording,
            "method": self.method,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": platform.node(),
            "slurm_job": os.environ.get(SLURM_JOB, ""),
            "threads": self.threads,
            **machine_facts(),
            "package_version": pipeline.__version__,
            **commit_at_start(),
            "seconds": round(time.monotonic() - self.started, 3),
            "processor_seconds": round(sum(os.times()[:4]), 3),
            "peak_memory_mb": peak_memory_mb(),
            **({"cost": self.cost} if self.cost else {}),
        }

    def links(self) -> dict[str, object]:
        """What this run made, of what and with which settings; paths from the first output on."""
        folder = self.outputs[0].parent
        made = self._made()
        # Records name theirs in a way of their own, which is told as it is: they may be deleted.
        of_record = dict(made.inputs) if made is not None else {}
        inputs = {_from(folder, path): digest_of(path) for path in self.inputs} or of_record
        return {
            "code_digest": code_digest(),
            "outputs": [_from(folder, path) for path in self.outputs],
            **({"inputs": inputs} if inputs else {}),
            **({"read_from": _from(folder, self.read_from)} if self.read_from else {}),
            **({"settings": self.settings} if self.settings else {}),
            **(
                {"started": json.loads(started)}
                if (started := os.environ.get(STARTED_VARIABLE))
                else {}
            ),
            **({"device": made.device} if made is not None else {}),
        }

    def _made(self) -> Provenance | None:
        """What its first record with a result says of itself; ``None`` where there is none."""
        for path in self.outputs:
            if path.suffix == ".h5":
                with suppress(EnvironmentFault, DataError):  # told by whoever reads it
                    made = read_provenance(path, sealed=False)
                    if made is not None:
                        return made
        return None

    def keep_failure(self, error: PipelineError, *, output: Path | None = None) -> None:
        """Write what failed, where and when, beside the result that it kept from being made.

        A disk that takes no such file must not hide the failure itself.
        """
        if output is None and not self.outputs:
            return
        run_id = os.environ.get(RUN_VARIABLE, "")
        record = {
            **self.facts(),
            **error.parts(),
            "exit_code": error.exit_code,
            "message": str(error),
            "run": run_id,
            "settings_digest": run_id.rpartition("-")[2],
            "log": self.log_shown,
        }
        try:
            _write_json(failure_file(output or self.outputs[0]), record)
        except (EnvironmentFault, OSError) as fault:
            logger.warning("%s: the failure could not be recorded: %s", self.subject, fault)


def digest_of(path: Path) -> str:
    """The digest that a record tells of its content, or the SHA-256 of another file."""
    return read_digest(path) if path.suffix == ".h5" else sha256_of(path)


def _from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def failure_file(output: Path) -> Path:
    """Where it is told why a result is not there, or holds a failure."""
    return output.with_suffix(".failure.json")


def run_id(settings: Mapping[str, object]) -> str:
    """An id for the run that begins now with these settings."""
    text = json.dumps(settings, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{digest}"


def how_started(
    *, directory: Path, out: str, configfiles: Sequence[Path], config: Mapping[str, object]
) -> str:
    """What :data:`STARTED_VARIABLE` is to hold, for the command that makes a result again.

    Parameters
    ----------
    directory
        Where the workflow runs; a relative ``out`` starts there.
    configfiles, config
        Settings files, and what was set over them.
    """
    started = {
        "directory": os.fspath(directory.absolute()),
        "out": out,
        "configfiles": [os.fspath(path.absolute()) for path in configfiles],
        "config": dict(config),
    }
    return json.dumps(started, sort_keys=True, default=str)


def _known(error: Exception) -> PipelineError | None:
    """The error as a reader can act on it; ``None`` where it is a defect of ours."""
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, MemoryError | OSError):
        return shortage(error)
    return lacking(error) if isinstance(error, ImportError) and not _is_ours(error) else None


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
        wanted = f" ({error})" if str(error) else ""
        return EnvironmentFault(
            code="RN-R03",
            found=f"memory ran out{wanted}: {peak_memory_mb()} MB were in use at most, and this "
            f"job has {memory_bytes() // 2**20} MB",
            fix="give the job more memory (--set-resources RULE:mem_mb=...), or run fewer at once",
        )
    return EnvironmentFault(
        code="RN-R04",
        file=str(error.filename or "-"),
        found=f"the system refused a file: {error.strerror or error}",
        fix="see that the folder is there, has room and may be read and written, then run again",
    )


def lacking(error: ImportError) -> PipelineError:
    """The error a reader sees when a package that is needed is not there."""
    return EnvironmentFault(
        code="RN-R17",
        found=f"a package is missing or broken: {error}",
        fix="set up again with './run.sh --setup', which installs everything; what does not need "
        "it is not affected",
    )


def _is_ours(error: ImportError) -> bool:
    """Whether what could not be imported is this package's own: a defect."""
    return (error.name or "").partition(".")[0] == pipeline.__name__


def defect(error: Exception) -> PipelineError:
    """The error a reader sees when our own code broke."""
    return PipelineError(
        code="RN-D01",
        found=f"{type(error).__name__}: {error}",
        fix="report this with the log file; the other methods are not affected",
    )


class Progress:
    """Writes how far a long loop is, at most every ten seconds.

    What is left is reckoned from the steps after the first one that was told, since much may come
    before it, or nothing where a loop goes on from a checkpoint.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._started = self._told = time.monotonic()
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps are finished."""
        now = time.monotonic()
        if self._first is None or done < self._first[0]:
            self._first = (done, now)
        if now - self._told < SECONDS_BETWEEN_PROGRESS and done < total:
            return
        self._told = now
        first, since = self._first if done > self._first[0] else (0, self._started)
        left = (now - since) / max(done - first, 1) * (total - done)
        logger.info("%s: %d of %d, about %.0f s left %s", self._subject, done, total, left, note)


def facts_file(output: Path) -> Path:
    """Where the facts of the run stand that made an output."""
    return output.with_suffix(".run.json")


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
        Files the stage makes; what killed writers of them left is removed, and what was told of
        an earlier failure. Facts of the run are written beside the first one, since they do not
        belong into a file that is to be the same for the same result.

    Yields
    ------
    The run, which knows its log and its outputs.
    """
    run = replace(run, log=log, outputs=tuple(outputs))
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
            failure_file(output).unlink(missing_ok=True)
        if outputs:
            remove_leftovers(facts_file(outputs[0]))
            check_room(outputs[0], least_bytes=LEAST_BYTES)
        # Beside the variables that the workflow sets before Python starts.
        with threadpool_limits(limits=run.threads), termination_heard():
            yield run
    except SystemExit:
        logger.info("%s: %s ends, as it was asked to", run.subject, run.stage)
        raise
    except Exception as error:
        known = _known(error)
        if known is None:
            logger.exception("%s: %s failed", run.subject, run.stage)
            run.keep_failure(defect(error).at(experiment=run.subject))
            raise
        known = known.at(experiment=run.subject)
        # The log's last line carries the class, since schedulers answer 1 for any failed job.
        logger.error("%s (exit %d)", known, known.exit_code)
        print(known, file=sys.stderr)  # noqa: T201
        run.keep_failure(known)
        raise SystemExit(known.exit_code) from None
    finally:
        if claim is not None:
            drop_claim(claim)
    seconds = time.monotonic() - run.started
    logger.info("%s: %s done in %.1f s", run.subject, run.stage, seconds)
    if outputs:
        _write_json(facts_file(outputs[0]), {**run.facts(), **run.links()})


def _write_json(path: Path, facts: Mapping[str, object]) -> None:
    with replacing(path) as temporary:
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
