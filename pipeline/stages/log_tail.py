"""The end of the log of a job without a result, for readers who have the page, not its folder."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from pipeline.core.parts import Section
from pipeline.stages.reference import PROJECT_FOLDER

MOST_LINES = 20
MOST_BYTES = 16_000
"""As much of the end of a log is read."""


def with_log_tail(section: Section, *, results: Path) -> Section:
    """A section without a result, with the last lines of the log it names, as ``log_tail``.

    Parameters
    ----------
    section
        Any section; one that names no log, or whose log is gone, stays as it is.
    results
        The folder of results, in which logs have their places.
    """
    log = section.failure.get("log")
    path = results / str(log)
    if not log or not path.is_file():
        return section
    return dataclasses.replace(section, failure={**section.failure, "log_tail": log_tail(path)})


def log_tail(path: Path) -> str:
    """The last lines of a log, without the folders of whoever ran the job."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MOST_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    for folder, shown in ((PROJECT_FOLDER, "."), (Path.cwd(), "."), (Path.home(), "~")):
        if len(folder.parts) > 1:
            text = text.replace(os.fspath(folder), shown)
    return "\n".join(text.splitlines()[-MOST_LINES:])
