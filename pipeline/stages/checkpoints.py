"""What a job leaves so that it can go on after it was ended early."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.provenance import Provenance
from pipeline.io.records import read_digest, read_record, write_record
from pipeline.stages.termination import defer, end_if_asked, is_asked_to_end

SECONDS_BETWEEN_CHECKPOINTS = 30.0
WORK_BETWEEN_CHECKPOINTS = 10.0
"""And so many times what the last one took, so that large ones do not take all of the time."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True, kw_only=True)
class Checkpoints:
    """Where a part of a fit leaves what it needs to go on after an interruption.

    The files' names tell all that the part depends on, so that no part goes on from what other
    settings, data or code have left.
    """

    kind: type[Any] | None
    """Record of a checkpoint; the method has none when ``None``."""
    path: Path
    """The part in the making."""
    finished: Path
    """The finished part. Snakemake deletes the output of a job that was ended, this it does not."""
    written: float = dataclasses.field(default_factory=time.monotonic)
    took: float = 0.0
    steps: int = 0
    """Steps of this attempt after which a checkpoint might be written."""

    @classmethod
    def of(cls, kind: type[Any] | None, output: Path, provenance: Provenance) -> Checkpoints:
        """The checkpoints of the part that ``output`` is for."""
        facts = json.dumps(dataclasses.asdict(provenance), sort_keys=True, default=str)
        digest = hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()
        folder = _folder(output)
        return cls(
            kind=kind,
            path=folder / f"{output.stem}.{digest}.h5",
            finished=folder / f"{output.stem}.{digest}.finished.h5",
        )

    def arguments(self) -> dict[str, Any]:
        """``checkpoint`` and ``resume`` of ``fit_part``, for a method that knows them."""
        if self.kind is None:
            return {}
        return {"checkpoint": self._keep, "resume": self._left()}

    def take_over(self, output: Path) -> bool:
        """Whether the part was finished by an interrupted run, and is in its place now."""
        if not self.finished.exists():
            return False
        try:
            read_digest(self.finished)
        except PipelineError:
            return False
        _link(self.finished, output)
        output.touch()  # younger than what it was made of, whatever was touched meanwhile
        return True

    def finish(self, output: Path) -> None:
        """The part is finished: it stays if the job is ended before its other parts are."""
        _link(output, self.finished)
        self.path.unlink(missing_ok=True)

    def _keep(self, state: object) -> None:
        defer()
        self.steps += 1
        started = time.monotonic()
        pause = max(SECONDS_BETWEEN_CHECKPOINTS, WORK_BETWEEN_CHECKPOINTS * self.took)
        if started - self.written < pause and not is_asked_to_end():
            return
        write_record(self.path, state)
        self.written = time.monotonic()
        self.took = self.written - started
        if is_asked_to_end():
            told = "asked to end, after %d steps of this attempt; the next goes on from %s"
            logger.info(told, self.steps, self.path)
        end_if_asked()

    def _left(self) -> object | None:
        """What an interrupted run of the same part left; nothing if that cannot be read."""
        if self.kind is None or not self.path.exists():
            return None
        try:
            state: object = read_record(self.path, self.kind)
        except PipelineError as error:
            logger.warning("starting anew, since the checkpoint cannot be used: %s", error)
            return None
        logger.info("going on from %s", self.path)
        return state


def remove_checkpoints(output: Path) -> None:
    """Nothing is left to go on with: neither of this run of the part nor of older ones."""
    folder = _folder(output)
    for path in folder.glob(f"{output.stem}.*"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _folder(output: Path) -> Path:
    return output.parent.parent / "checkpoints"


def _link(source: Path, target: Path) -> None:
    """A second name for a file, or a copy where the file system knows no second names."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
    beside.replace(target)
