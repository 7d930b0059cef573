"""What a run is expected to take, from a quick look into each file that reads no bulk data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline import registry
from pipeline.config import Settings, view_name
from pipeline.core.method import MethodSpec
from pipeline.core.work import Sizes
from pipeline.io.nwb.inspect import FileContents, TableOffer
from pipeline.io.sheets import SheetRow
from pipeline.prepare.kinds import is_ruled_out
from pipeline.stages.costs import (
    Estimate,
    agreement_job,
    entries_job,
    fit_jobs,
    ingest_job,
    method_job,
    prepare_job,
    together,
)

MAX_SIDE = 48
"""Pixels that 'prepare.responses.grid: auto' keeps along each side."""
MAX_FRAME_RATE_HZ = 30.0
"""Frames a second that 'prepare.responses.rate_hz: auto' keeps."""

Looked = tuple[SheetRow, FileContents]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedJob:
    """A job of the run."""

    name: str
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What all jobs take."""

    jobs: tuple[ExpectedJob, ...]

    @property
    def seconds(self) -> float:
        """Of a processor, over all jobs."""
        return sum(job.estimate.seconds for job in self.jobs)

    @property
    def longest(self) -> ExpectedJob:
        """The job that takes most time."""
        return max(self.jobs, key=lambda job: job.estimate.seconds)

    @property
    def largest(self) -> ExpectedJob:
        """The job that takes most memory."""
        return max(self.jobs, key=lambda job: job.estimate.memory_mb)


def expected_jobs(
    settings: Settings, name: str, looked: Sequence[Looked], methods: Iterable[str]
) -> Iterator[ExpectedJob]:
    """The jobs of one experiment that have something to do.

    Parameters
    ----------
    name
        The experiment.
    looked
        The lines of its recordings that can be read, and what their files hold.
    methods
        Methods that run on it.
    """
    for row, contents in looked:
        subject = f"{name}/{row.recording}"
        yield ExpectedJob(name=f"ingest {subject}", estimate=ingest_job(contents.path).estimate)
    specs = [registry.methods()[method] for method in methods]
    entries = {row.recording: _entries(row, contents) for row, contents in looked}
    for _ in {view_name(settings, kind) for spec in specs for kind in spec.kinds}:
        for recording, count in entries.items():
            yield ExpectedJob(
                name=f"prepare {name}/{recording}", estimate=prepare_job(count).estimate
            )
    views = {
        spec: [view for view in (_first_view(spec, settings, *one) for one in looked) if view]
        for spec in specs
    }
    halved = [spec for spec in specs if views[spec] and spec.has_room("refits")]
    for spec in specs:
        yield from _method_jobs(spec, settings, name, views[spec])
        if settings.agreement.halves and spec in halved and len(halved) > 1:
            yield from _halves_jobs(spec, settings, name, views[spec])
    units = [_n_units(contents) for _, contents in looked]
    n_entries = sum(entries.values())
    last = agreement_job(n_entries, units, settings.agreement.n_permutations)
    for job in (last, entries_job("report", n_entries)):
        yield ExpectedJob(name=f"{job.kind} {name}", estimate=job.estimate)


def _method_jobs(
    spec: MethodSpec, settings: Settings, name: str, views: Sequence[Sizes]
) -> Iterator[ExpectedJob]:
    config = getattr(settings.methods, spec.name)
    size = settings.run.parts_per_job if spec.parts_share_jobs else 1
    for together_fitted in [views] if spec.pools_recordings else [[view] for view in views]:
        if not together_fitted:
            continue
        for parts in config.rounds():
            for start in range(0, len(parts), size):
                names = [part.name for part in parts[start : start + size]]
                jobs = fit_jobs(spec, config, together_fitted, names)
                yield ExpectedJob(
                    name=f"{spec.name} {name}, {names[0]}",
                    estimate=together(job.estimate for job in jobs),
                )
        job = method_job(spec, config, together_fitted, "gather")
        yield ExpectedJob(name=f"{spec.name} {name}, gather", estimate=job.estimate)
    job = method_job(spec, config, views, "assess")
    yield ExpectedJob(name=f"{spec.name} {name}, assess", estimate=job.estimate)


def _halves_jobs(
    spec: MethodSpec, settings: Settings, name: str, views: Sequence[Sizes]
) -> Iterator[ExpectedJob]:
    config = getattr(settings.methods, spec.name)
    for together_fitted in [views] if spec.pools_recordings else [[view] for view in views]:
        job = method_job(spec, config, together_fitted, "halves")
        yield ExpectedJob(name=f"{spec.name} {name}, halves", estimate=job.estimate)


def _first_view(
    spec: MethodSpec, settings: Settings, row: SheetRow, contents: FileContents
) -> dict[str, int]:
    views = (expected_view(kind, settings, row, contents) for kind in spec.kinds)
    return next(filter(None, views), {})


def expected_view(
    needs: str, settings: Settings, row: SheetRow, contents: FileContents
) -> dict[str, int]:
    """Axes of a view as far as the file's structure tells; empty where it tells none."""
    n_units = _n_units(contents)
    if not _is_served(needs, settings, row, contents):
        return {}
    if needs == "ensemble":
        return _some(time=_n_frames(settings, contents), unit=n_units)
    if needs == "counts":
        n_bins = math.ceil(contents.until_s / settings.prepare.counts.bin_width_s)
        return _some(time_bin=n_bins, unit=n_units)
    if needs == "patterns":
        trials = _trials(row, contents)
        if trials is None:
            return {}
        conditions = _n_conditions(row, contents, trials)
        return _some(trial=trials.n_rows, condition=conditions, unit=n_units)
    return _movie(settings, contents, n_units)


def _is_served(needs: str, settings: Settings, row: SheetRow, contents: FileContents) -> bool:
    """Whether views of the kind are made of such a recording."""
    said = activity_kind(row, contents), row.options.series
    return not is_ruled_out(needs, getattr(settings.prepare, needs), [said])


def activity_kind(row: SheetRow, contents: FileContents) -> str:
    """``calcium`` or ``spikes``, as the sheet says or the file's contents tell."""
    if row.options.activity != "auto":
        return row.options.activity
    return "calcium" if contents.traces or row.options.series else "spikes"


def _some(**axes: int) -> dict[str, int]:
    return axes if all(axes.values()) else {}


def _n_units(contents: FileContents) -> int:
    if contents.traces:
        return min(contents.traces[0].shape, default=0)
    return contents.cells.n_rows if contents.cells is not None else 0


def _n_frames(settings: Settings, contents: FileContents) -> int:
    ensemble = settings.prepare.ensemble
    if ensemble.rate_hz != "auto":
        return math.ceil(contents.until_s * ensemble.rate_hz)
    if contents.traces:
        return max(contents.traces[0].shape, default=0)
    sigma_s = ensemble.rate_sigma_s
    return math.ceil(2 * contents.until_s / sigma_s) if sigma_s else 0


def _trials(row: SheetRow, contents: FileContents) -> TableOffer | None:
    wanted = row.options.intervals or contents.suggestion.get("intervals", "") or "trials"
    return next((table for table in contents.intervals if table.name == wanted), None)


def _n_conditions(row: SheetRow, contents: FileContents, trials: TableOffer) -> int:
    suggested = tuple(filter(None, contents.suggestion.get("condition", "").split("+")))
    named = row.options.condition or suggested
    distinct = {column.name: column.n_distinct for column in trials.columns}
    return min(trials.n_rows, math.prod(distinct.get(name, 1) for name in named))


def _movie(settings: Settings, contents: FileContents, n_units: int) -> dict[str, int]:
    movies = [one for one in contents.stimuli if len(one.shape) == 3]
    if not movies:
        return {}
    frames = sum(one.shape[0] for one in movies)
    rate = settings.prepare.responses.rate_hz
    shown_hz = movies[0].rate_hz
    wanted_hz = min(shown_hz, MAX_FRAME_RATE_HZ) if rate == "auto" else rate
    if shown_hz > 0 and math.isfinite(wanted_hz):
        frames = math.ceil(frames * wanted_hz / shown_hz)
    grid = settings.prepare.responses.grid
    y, x = (movies[0].shape[2], movies[0].shape[1]) if grid == "auto" else grid
    if grid == "auto":
        joined = math.ceil(max(y, x) / MAX_SIDE)
        y, x = y // joined, x // joined
    return _some(frame=frames, channel=1, y=y, x=x, unit=n_units)


def _entries(row: SheetRow, contents: FileContents) -> int:
    """Entries of a recording: samples or spikes, and frames that were shown."""
    activity = math.prod(contents.traces[0].shape) if contents.traces else contents.n_spikes
    return activity + sum(math.prod(one.shape) for one in contents.stimuli)
