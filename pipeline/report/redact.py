"""The same page without who was recorded, where it was computed, and free text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.report.page import Page

HIDDEN = "(hidden)"

SENSITIVE = frozenset(
    {
        "subject", "subject_id", "animal", "session_id", "session_start", "recorded", "identifier",
        "nwb_identifier", "description", "institution", "lab", "genotype", "strain", "age", "sex",
        "host", "hostname", "user", "username", "path", "folder", "cwd", "log", "log_path",
        "log_tail",
        "command", "job_id", "allow_external",
    }
)  # fmt: skip
"""Names of fields and table columns, in lower case with ``_``, whose values are hidden."""


def redacted(page: Page) -> Page:
    """The page with sensitive fields and columns hidden, and subjects' names wherever they occur.

    Ids of experiments and recordings stay: the person who wrote the sheet chose them.
    """
    names = sorted(
        {str(row["subject"]) for row in page.recordings if row.get("subject")},
        key=len,
        reverse=True,
    )
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or r"(?!)")
    return dataclasses.replace(
        page,
        sections=tuple(_hidden(section, pattern) for section in page.sections),
        recordings=tuple(_hidden(row, pattern) for row in page.recordings),
        settings=_hidden(page.settings, pattern),
        provenance=_hidden(page.provenance, pattern),
        methods_text=pattern.sub(HIDDEN, page.methods_text),
        note=pattern.sub(HIDDEN, page.note),
        timings=tuple(_hidden(timing, pattern) for timing in page.timings),
    )


def _hidden(value: Any, pattern: re.Pattern[str]) -> Any:  # Any: any part of a page
    if isinstance(value, str):
        return pattern.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {
            pattern.sub(HIDDEN, str(key)): _column(key, item, pattern)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_hidden(item, pattern) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value,
            **{
                field.name: _hidden(getattr(value, field.name), pattern)
                for field in dataclasses.fields(value)
            },
        )
    return value


def _column(key: object, item: Any, pattern: re.Pattern[str]) -> Any:  # Any: a field's value
    if str(key).strip().lower().replace(" ", "_") not in SENSITIVE:
        return _hidden(item, pattern)
    if isinstance(item, (list, tuple)):
        return type(item)(HIDDEN for _ in item)
    return None if item is None or isinstance(item, np.ndarray) else HIDDEN
