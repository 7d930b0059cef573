"""Settings and sheet together, before any job, and what a run of them would do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import registry
from pipeline.config import Settings, load_config, method_tables, place_of, view_name
from pipeline.config.load import NONE
from pipeline.config.text import shown_path, user_path
from pipeline.core.errors import ConfigError, ConfigErrors, PipelineError
from pipeline.core.method import MethodSpec
from pipeline.io.nwb.inspect import FileContents
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.sheets import SheetRow, nearest_file, read_sheet
from pipeline.prepare.kinds import KINDS, is_ruled_out
from pipeline.stages.expected import Expected, ExpectedJob, activity_kind, expected_jobs
from pipeline.stages.own_process import in_own_process


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is to be done: checked settings, and the lines of the sheet."""

    settings: Settings
    rows: tuple[SheetRow, ...]
    """Their options hold what sheet and settings say about reading."""

    @property
    def experiments(self) -> dict[str, tuple[SheetRow, ...]]:
        """Experiment to its recordings that are used, both in the sheet's order."""
        used = [row for row in self.rows if not row.exclude]
        return {
            name: tuple(row for row in used if row.experiment == name)
            for name in dict.fromkeys(row.experiment for row in used)
        }

    def left_out(self, experiment: str) -> tuple[SheetRow, ...]:
        """The recordings of an experiment that the sheet excludes."""
        return tuple(row for row in self.rows if row.experiment == experiment and row.exclude)


def load_project(config_path: Path, overrides: Mapping[str, object] = NONE) -> Project:
    """Settings and sheet, both checked.

    Raises
    ------
    ConfigErrors
        With all problems of both files at once.
    """
    problems: list[PipelineError] = []
    settings: Settings | None = None
    rows: tuple[SheetRow, ...] = ()
    try:
        settings = load_config(config_path, overrides)
        problems += _missing_folders(settings, overrides)
        problems += _missing_tables(settings)
    except ConfigErrors as error:
        problems += error.problems
    place, sheet = place_of(config_path, overrides, key="recordings")
    if isinstance(sheet, str) and sheet:
        path = _beside(config_path, sheet)
        if path.exists():
            try:
                rows = read_sheet(path)
            except ConfigErrors as error:
                problems += error.problems
        else:
            problems.append(
                ConfigError(
                    code="CF-K02",
                    file=shown_path(config_path),
                    place=place,
                    found=f"the sheet '{sheet}' is not there{nearest_file(path)}",
                    fix="correct the path; a relative path starts at the settings file",
                )
            )
    if settings is None or problems:
        raise ConfigErrors(problems)
    return Project(
        settings=settings,
        rows=tuple(
            dataclasses.replace(row, options=_with_settings(row.options, settings)) for row in rows
        ),
    )


def _with_settings(options: ReadOptions, settings: Settings) -> ReadOptions:
    """What the sheet says about reading a file, and what the settings say."""
    prepare, limits = settings.prepare, settings.prepare.limits
    low, high = limits.rate_hz
    return dataclasses.replace(
        options,
        allow_external=tuple(
            str(_beside(settings.source, name)) for name in prepare.allow_external
        ),
        max_series_gb=None if limits.max_series_gb == "auto" else limits.max_series_gb,
        rate_hz=(low, high),
    )


def _beside(source: Path, name: str) -> Path:
    """A path that settings name; a relative one starts at their file."""
    return source.parent / user_path(name)


def _missing_folders(settings: Settings, overrides: Mapping[str, object]) -> Iterator[ConfigError]:
    """Folders of ``prepare.allow_external`` that are not there: probably a slip."""
    place, _ = place_of(settings.source, overrides, key="prepare.allow_external")
    for name in settings.prepare.allow_external:
        if not _beside(settings.source, name).is_dir():
            yield ConfigError(
                code="CF-K05",
                file=shown_path(settings.source),
                place=place,
                found=f"there is no folder '{name[:200]}'",
                fix="correct the path; a relative path starts at the settings file",
            )


def _missing_tables(settings: Settings) -> Iterator[ConfigError]:
    """Tables of methods that are not there."""
    for name in registry.methods():
        block = getattr(settings.methods, name)
        paths = method_tables(settings, name) if block.enabled else ()
        for told, path in zip(block.tables(), paths, strict=False):
            if not Path(path).is_file():
                yield ConfigError(
                    code="CF-K13",
                    file=shown_path(settings.source),
                    place=f"methods.{name}",
                    found=f"there is no table '{told[:200]}'{nearest_file(Path(path))}",
                    fix="correct the path; a relative path starts at the settings file",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOutlook:
    """What a quick look into a recording's file shows."""

    id: str
    kind: str
    """``calcium`` or ``spikes``; empty when the file cannot be read."""
    problem: PipelineError | None = None
    contents: FileContents | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOutlook:
    """Whether a method would run on an experiment, as far as can be told before."""

    name: str
    reason: str
    """Why it would not run; empty when it would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOutlook:
    """What a run would do with an experiment."""

    name: str
    recordings: tuple[RecordingOutlook, ...]
    left_out: tuple[SheetRow, ...]
    methods: tuple[MethodOutlook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run would do."""

    experiments: tuple[ExperimentOutlook, ...]
    n_jobs: int
    """Jobs of a run from the start."""
    expected: Expected
    """What those of them take that have something to do."""

    @property
    def problems(self) -> tuple[PipelineError, ...]:
        """What keeps recordings from being read."""
        return tuple(
            recording.problem
            for experiment in self.experiments
            for recording in experiment.recordings
            if recording.problem is not None
        )


def outlook(project: Project) -> Outlook:
    """What a run would do, from a quick look into each file that reads no bulk data."""
    experiments = []
    stalled_s = project.settings.run.stalled_after_s
    for name, rows in project.experiments.items():
        recordings = tuple(_look(row, stalled_s=stalled_s) for row in rows)
        experiments.append(
            ExperimentOutlook(
                name=name,
                recordings=recordings,
                left_out=project.left_out(name),
                methods=tuple(
                    MethodOutlook(
                        name=method,
                        reason=_why_not(method, settings=project.settings, found=recordings),
                    )
                    for method in registry.methods()
                ),
            )
        )
    jobs: list[ExpectedJob] = []
    for experiment in experiments:
        rows = project.experiments[experiment.name]
        seen = {recording.id: recording.contents for recording in experiment.recordings}
        looked = [(row, contents) for row in rows if (contents := seen[row.recording]) is not None]
        running = [method.name for method in experiment.methods if not method.reason]
        jobs += expected_jobs(project.settings, experiment.name, looked, running)
    return Outlook(
        experiments=tuple(experiments),
        n_jobs=count_jobs(project),
        expected=Expected(jobs=tuple(jobs)),
    )


def count_jobs(project: Project) -> int:
    """Jobs of a run from the start.

    A recording is ingested once and prepared once a view; a method has its batches of parts and
    their joining for each experiment, or each recording, and its assessment for each experiment;
    each experiment has an agreement and a report, and the run an index, a provenance, a summary and
    the target that asks for them. Methods that can be held against each other are fitted to halves
    of the data once an experiment, or a recording. Nothing is fitted where the sheet tells that no
    view can be made.
    """
    settings = project.settings
    specs = [
        spec for name, spec in registry.methods().items() if getattr(settings.methods, name).enabled
    ]
    views = {view_name(settings, kind) for spec in specs for kind in spec.kinds}
    n_recordings = sum(len(rows) for rows in project.experiments.values())
    n_experiments = len(project.experiments)
    n_jobs = n_recordings * (1 + len(views)) + 2 * n_experiments + 4
    for spec in specs:
        rounds = getattr(settings.methods, spec.name).rounds()
        share = settings.run.parts_per_job if spec.parts_share_jobs else 1
        n_batches = sum(math.ceil(len(parts) / share) for parts in rounds)
        pooled = list(project.experiments.values())
        alone: list[tuple[SheetRow, ...]] = [(row,) for rows in pooled for row in rows]
        fits = pooled if spec.pools_recordings else alone
        n_fitted = sum(not nothing_to_fit(settings, spec, rows) for rows in fits)
        n_jobs += n_fitted * n_batches + len(fits) + n_experiments
        n_jobs += sum(_n_halves(settings, spec, rows) for rows in pooled)
    return n_jobs


def _n_halves(settings: Settings, spec: MethodSpec, rows: Sequence[SheetRow]) -> int:
    if spec not in fitted_to_halves(settings, rows):
        return 0
    alone = sum(not nothing_to_fit(settings, spec, [row]) for row in rows)
    return 1 if spec.pools_recordings else alone


def nothing_to_fit(settings: Settings, spec: MethodSpec, rows: Sequence[SheetRow]) -> bool:
    """Whether the sheet already tells that a method has no view of any of these recordings."""
    said = [(row.options.activity, row.options.series) for row in rows]
    return all(is_ruled_out(kind, getattr(settings.prepare, kind), said) for kind in spec.kinds)


def fitted_to_halves(settings: Settings, rows: Sequence[SheetRow]) -> tuple[MethodSpec, ...]:
    """Methods that are fitted to halves of an experiment's data as well; at least two, or none.

    Those that are switched on, have a room ``refits``, and may have a view, as far as the sheet
    tells. One alone has none to be held against.
    """
    if not settings.agreement.halves:
        return ()
    found = tuple(
        spec
        for name, spec in registry.methods().items()
        if getattr(settings.methods, name).enabled
        and spec.has_room("refits")
        and not nothing_to_fit(settings, spec, rows)
    )
    return found if len(found) > 1 else ()


def _look(row: SheetRow, *, stalled_s: float) -> RecordingOutlook:
    from pipeline.io.nwb.inspect import inspect_file

    try:
        contents = in_own_process(
            lambda: inspect_file(row.nwb, options=row.options), stalled_s=stalled_s
        )
        if contents.refusal is not None:
            raise contents.refusal
    except PipelineError as error:
        known = error.at(experiment=f"{row.experiment}/{row.recording}", file=row.nwb_text)
        return RecordingOutlook(id=row.recording, kind="", problem=known)
    return RecordingOutlook(id=row.recording, kind=activity_kind(row, contents), contents=contents)


def _why_not(method: str, *, settings: Settings, found: Sequence[RecordingOutlook]) -> str:
    """Why a method would not run; empty when it would, as far as is known."""
    if not getattr(settings.methods, method).enabled:
        return f"switched off (methods.{method}.enabled)"
    spec = registry.methods()[method]
    needs, kind = spec.needs, KINDS[spec.needs]
    needed = {one for of in spec.kinds for one in KINDS[of].served(getattr(settings.prepare, of))}
    kinds = {recording.kind for recording in found if recording.kind}
    if not kinds:
        return "no recording can be read"
    if kinds.isdisjoint(needed):
        wanted, given = " or ".join(sorted(needed)), " and ".join(sorted(kinds))
        switches = [
            f"prepare.{needs}.{kind.on_request[one]}"
            for one in sorted(kinds - {*needed})
            if one in kind.on_request
        ]
        unless = f" ({', '.join(switches)} is 0)" if switches else ""
        return f"it needs {wanted} recordings, and these are {given}{unless}"
    return ""
