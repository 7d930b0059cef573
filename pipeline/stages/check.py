"""Settings and sheet together, before any job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Settings, load_config, place_of
from pipeline.config.load import NONE
from pipeline.config.text import shown_path
from pipeline.core.errors import ConfigError, ConfigErrors, PipelineError
from pipeline.io.sheets import SheetRow, nearest_file, read_sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is to be done: checked settings, and the lines of the sheet."""

    settings: Settings
    rows: tuple[SheetRow, ...]

    @property
    def experiments(self) -> dict[str, tuple[SheetRow, ...]]:
        """Experiment to its recordings that are used, both in the sheet's order."""
        used = [row for row in self.rows if not row.exclude]
        return {
            name: tuple(row for row in used if row.experiment == name)
            for name in dict.fromkeys(row.experiment for row in used)
        }


def load_project(config_path: Path, overrides: Mapping[str, object] = NONE) -> Project:
    """Settings and sheet, both checked.

    Raises
    ------
    ConfigErrors
        With all problems of both files at once.
    """
    problems: list[PipelineError] = []
    settings, rows = None, ()
    try:
        settings = load_config(config_path, overrides)
    except ConfigErrors as error:
        problems += error.problems
    place, sheet = place_of(config_path, overrides, key="recordings")
    if isinstance(sheet, str) and sheet:
        path = config_path.parent / Path(sheet).expanduser()
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
    return Project(settings=settings, rows=rows)
