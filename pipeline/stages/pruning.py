"""Results that no later run needs: joined parts, views of older settings, what left the sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline import registry
from pipeline.config import view_name
from pipeline.core.recording import ID_PATTERN
from pipeline.io.atomic import write_fault
from pipeline.stages.check import Project
from pipeline.stages.forget import is_no_result

OF_EXPERIMENT = ("recordings", "views", "agreement", "tables", "figures")
"""Folders of an experiment's results beside those of the methods."""
PAGES = ("units.*", "report.*")


def prune_results(project: Project, out: Path) -> dict[Path, int]:
    """Delete parts of fits whose result is there, and views with settings not asked for now.

    Nothing is made anew for want of them; a later change of what they were made of makes them all
    anew, as it does anyway. Views of methods that are switched off stay, since their fits do.

    Returns
    -------
    File to the bytes it took.

    Raises
    ------
    EnvironmentFault
        If one cannot be deleted (RN-R26).
    """
    kinds = {kind for spec in registry.methods().values() for kind in spec.kinds}
    asked = {view_name(project.settings, kind) for kind in kinds}
    freed: dict[Path, int] = {}
    for experiment in project.experiments:
        folder = out / experiment
        for fit in sorted(folder.glob("*/**/fit.h5")):
            if not is_no_result(fit):
                freed |= _deleted(sorted(fit.parent.glob("parts/*")))
        for view in sorted(folder.glob("views/*")):
            if view.name not in asked and view.name.partition("-")[0] in kinds:
                freed |= _deleted(sorted(view.glob("*")))
                _without_empty([view])
    return freed


def prune_what_is_not_in_sheet(project: Project, out: Path) -> dict[Path, int]:
    """Delete results of recordings and experiments that the sheet no longer names, or excludes.

    What lies beside the folders and pages that the workflow makes is not ours to delete. Returns
    and raises as :func:`prune_results` does.
    """
    freed: dict[Path, int] = {}
    for folder in _experiments(out):
        rows = project.experiments.get(folder.name)
        if rows is None:
            others = [out / kind / folder.name for kind in ("logs", "timings")]
            freed |= _deleted([*_of_experiment(folder), *_files(others)])
            _without_empty([*others, folder])
        else:
            used = {row.recording for row in rows}
            for name in sorted({path.name for path in folder.glob("recordings/*")} - used):
                freed |= _deleted(_of_recording(folder, name))
                _without_empty([folder / "recordings" / name, *folder.glob(f"*/{name}")])
    return freed


def _experiments(out: Path) -> Iterator[Path]:
    """Folders that hold a recording or a report as the workflow writes them."""
    for folder in sorted(out.glob("*/")):
        marks = [*folder.glob("recordings/*/recording.run.json"), folder / "report.run.json"]
        if ID_PATTERN.fullmatch(folder.name) and any(mark.exists() for mark in marks):
            yield folder


def _of_experiment(folder: Path) -> Iterator[Path]:
    yield from _files(folder / name for name in (*OF_EXPERIMENT, *registry.methods()))
    for pattern in PAGES:
        yield from (path for path in folder.glob(pattern) if path.is_file())


def _of_recording(folder: Path, name: str) -> Iterator[Path]:
    alone = [spec.name for spec in registry.methods().values() if not spec.pools_recordings]
    yield from _files([folder / "recordings" / name, *(folder / each / name for each in alone)])
    yield from folder.glob(f"views/*/{name}.*")


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _deleted(paths: Iterable[Path]) -> dict[Path, int]:
    freed = {}
    for path in list(paths):
        size = path.stat().st_size
        try:
            path.unlink()
        except OSError as error:
            raise write_fault(path, error) from error
        freed[path] = size
    return freed


def _without_empty(folders: Iterable[Path]) -> None:
    """Delete these folders and those in them, as far as nothing is left there."""
    for folder in list(folders):
        inside = [path for path in folder.rglob("*") if path.is_dir()]
        for each in (*sorted(inside, reverse=True), folder):
            with suppress(OSError):
                each.rmdir()
