"""Parts of a method's fit, and their joining."""

from __future__ import annotations

import dataclasses
import logging
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import registry
from pipeline.core.method import MethodConfig, MethodSpec, Part
from pipeline.core.outcome import Outcome
from pipeline.core.resuming import Checkpoint, Loops
from pipeline.core.rng import stream
from pipeline.core.views import View
from pipeline.io.hashing import sha256_of
from pipeline.io.records import open_record, read_digest, read_record, write_record
from pipeline.io.text_tables import read_text_table
from pipeline.prepare.kinds import KINDS
from pipeline.stages.checkpoints import Checkpoints, remove_checkpoints
from pipeline.stages.run_context import StageRun
from pipeline.stages.termination import checkpointed_work, end_if_asked

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MethodJob:
    """A method with its settings, as one run sees it."""

    spec: MethodSpec
    config: MethodConfig
    settings: Mapping[str, Any]
    seed: int

    @classmethod
    def of(cls, name: str, *, settings: Mapping[str, Any], seed: int) -> MethodJob:
        """From the rule's params: the method's block with its ``results_version``."""
        spec = registry.methods()[name]
        block = {key: value for key, value in settings.items() if key != "results_version"}
        return cls(spec=spec, config=spec.config.model_validate(block), settings=block, seed=seed)

    def stream(self, run: StageRun, piece: str) -> np.random.Generator:
        """The random stream of a piece of the fit; of its own for each recording fitted alone."""
        subject = [run.experiment, run.recording] if run.recording else [run.experiment]
        return stream(self.seed, *subject, self.spec.name, piece)

    @property
    def checkpoint(self) -> type[Any] | None:
        """Record of what a part leaves to go on from, of methods that have one."""
        kind: type[Any] | None = getattr(self.spec.room("algorithm"), "Checkpoint", None)
        return kind

    @contextmanager
    def open_views(self, paths: Sequence[Path]) -> Iterator[tuple[View | Outcome, ...]]:
        """Views, or why there is none, in the order of the sheet; long movies stay in the files.

        Of a method that takes more than one kind, a recording's files follow each other by kind:
        the first that holds a view counts, and one that failed is not replaced.
        """
        files: dict[str, list[Path]] = {}
        for path in paths:
            files.setdefault(path.stem, []).append(path)
        with ExitStack() as opened:
            yield tuple(self._first_view(each, opened) for each in files.values())

    def _first_view(self, files: Sequence[Path], opened: ExitStack) -> View | Outcome:
        """The view of the kind that comes first, or all reasons why there is none."""
        reasons: list[Outcome] = []
        for kind, path in zip(self.spec.kinds, files, strict=False):
            found = opened.enter_context(open_record(path, KINDS[kind].view, Outcome))
            if not isinstance(found, Outcome) or found.status == "failed":
                return found
            reasons.append(found)
        return dataclasses.replace(
            reasons[0], reason=" ".join(dict.fromkeys(each.reason for each in reasons))
        )

    def read_parts(self, paths: Sequence[Path]) -> dict[str, Any]:
        """Parts, or why there is none, by name; rounds may have records of their own."""
        if not paths:
            return {}
        kind = self.spec.room("result").PartResult
        kinds = typing.get_args(kind) or (kind,)
        return {path.stem: read_record(path, *kinds, Outcome) for path in paths}

    def read_tables(self, paths: Sequence[Path]) -> dict[str, Any]:
        """Tables by the names that the settings have for them; nothing for stages without."""
        named = self.named(paths).items()
        return (
            {"tables": {name: read_text_table(path, name=name) for name, path in named}}
            if named
            else {}
        )

    def named(self, tables: Sequence[Path]) -> dict[str, Path]:
        """Names that the settings have for tables; none for a stage that reads none of them."""
        return dict(zip(self.config.tables(), tables, strict=True)) if tables else {}


def fit_parts(
    run: StageRun,
    job: MethodJob,
    *,
    views: Sequence[Path],
    outputs: Sequence[Path],
    earlier: Sequence[Path] = (),
    tables: Sequence[Path] = (),
) -> None:
    """Compute and store the parts named by ``outputs``.

    The name of an output file is the name of its part, so that which parts share a job is not
    among the things a result depends on. A job that is ended early goes on where it was: with the
    parts that it had finished, and, of a method whose room ``algorithm`` has a record
    ``Checkpoint``, in the midst of the one it was at.

    Parameters
    ----------
    earlier
        Parts of earlier rounds; where one of them has no result, neither have these.
    tables
        Tables that the method's settings name, in their order.
    """
    with job.open_views(views) as loaded:
        provenance = _provenance(run, job, inputs=[*views, *earlier], tables=tables)
        before = job.read_parts(earlier)
        more: dict[str, Any] = {"earlier": before} if before else {}
        _fit_parts(run, job, loaded, before, provenance, outputs, tables, more)
    for output in outputs:
        remove_checkpoints(output)


def _fit_parts(
    run: StageRun,
    job: MethodJob,
    loaded: Sequence[View | Outcome],
    before: Mapping[str, Any],  # parts of earlier rounds
    provenance: Any,  # Provenance
    outputs: Sequence[Path],
    tables: Sequence[Path],
    more: Mapping[str, Any],
) -> None:
    found = usable(loaded)
    missing = first_outcome(list(before.values()))
    for output in outputs:
        part = Part(output.stem)
        rng = job.stream(run, part.name)
        result: object = missing if found else first_outcome(loaded)
        if result is None:
            checkpoints = Checkpoints.of(job.checkpoint, output, provenance)
            if checkpoints.take_over(output):
                logger.info("%s was finished before its job was interrupted", part.name)
                continue
            try:
                with checkpointed_work():
                    result = job.spec.room("algorithm").fit_part(
                        found,
                        job.config,
                        part,
                        rng,
                        run.progress(),
                        provenance=provenance,
                        **more,
                        **job.read_tables(tables),
                        **checkpoints.arguments(),
                    )
            except Exception as error:
                result = run.outcome_of(error, output=output)
            write_record(output, result)
            checkpoints.finish(output)
            end_if_asked()
        else:
            write_record(output, result)


def gather(
    run: StageRun,
    job: MethodJob,
    *,
    views: Sequence[Path],
    parts: Sequence[Path],
    output: Path,
    tables: Sequence[Path] = (),
) -> None:
    """Join the parts to the method's result and store it.

    There are no parts where the sheet already told that there would be no view to fit. A joining
    that is ended early goes on where it was, as parts do.
    """
    place = output.parent / "parts" / "joining.h5"
    loaded = job.read_parts(parts)
    result: object = first_outcome(list(loaded.values()))
    if not parts:
        with job.open_views(views) as seen:
            result = first_outcome(seen)
            if usable(seen) or result is None:
                raise RuntimeError("There are views, and no part of a fit was planned.")
    if result is None:
        try:
            provenance = _provenance(run, job, inputs=[*views, *parts], tables=tables)
            checkpoints = Checkpoints.of(Checkpoint, place, provenance)
            with job.open_views(views) as seen, checkpointed_work():
                result = job.spec.room("algorithm").combine(
                    loaded,
                    usable(seen),
                    job.config,
                    job.stream(run, "combine"),
                    provenance=provenance,
                    loops=Loops(**checkpoints.arguments()),
                    **job.read_tables(tables),
                )
        except Exception as error:
            result = run.outcome_of(error)
    write_record(output, result)
    remove_checkpoints(place)


def usable(views: Sequence[View | Outcome]) -> tuple[View, ...]:
    """The views that could be made."""
    return tuple(view for view in views if not isinstance(view, Outcome))


def first_outcome(results: Sequence[object]) -> Outcome | None:
    """The outcome that decides when parts are missing: a failure before a reason."""
    outcomes = [result for result in results if isinstance(result, Outcome)]
    return min(outcomes, key=lambda outcome: outcome.status != "failed", default=None)


def _provenance(
    run: StageRun, job: MethodJob, *, inputs: Sequence[Path], tables: Sequence[Path]
) -> Any:  # Provenance
    digests = {f"{path.parent.name}/{path.name}": read_digest(path) for path in inputs}
    digests |= {name: sha256_of(path) for name, path in job.named(tables).items()}
    return run.provenance(
        settings=job.settings,
        inputs=digests,
        seed=job.seed,
        results_version=job.spec.results_version,
    )
