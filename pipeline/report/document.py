"""The report as data, for programs: what ``report.json`` holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.parts import Check, Section
from pipeline.report.page import AGREEMENT, DATA, Page
from pipeline.report.redact import redacted

Json = dict[str, Any]  # Any: JSON


def report_document(page: Page) -> Json:
    """What ``report.json`` holds: every number and check of the page, and how it was made.

    Returns
    -------
    ``experiment``; ``recordings``, one mapping each, with ``reading``, the entries of the sheet's
    columns by which it was read; ``data``, ``methods`` by name and, where there is one,
    ``agreement``, each section with ``title``, ``status``, ``reason``, ``numbers``,
    ``key_numbers``, ``checks`` in the order of the page's data and ``sources``, the files it was
    made from, in the experiment's folder; ``settings``, ``changed_settings`` and ``provenance``.
    """
    shown = redacted(page) if page.redact else page
    data = next((each for each in shown.sections if each.id == DATA), None)
    return {
        "experiment": shown.experiment,
        "recordings": [
            {**plain(row), "reading": plain(shown.reading.get(str(row["recording"]), {}))}
            for row in shown.recordings
        ],
        **({"data": _section(data, shown)} if data else {}),
        "methods": {section.id: _section(section, shown) for section in shown.methods},
        **({"agreement": _section(shown.agreement, shown)} if shown.agreement else {}),
        "settings": plain(shown.settings),
        "changed_settings": list(shown.changed),
        "provenance": plain(shown.provenance),
    }


def sections_of(document: Mapping[str, Any]) -> Json:  # Any: JSON
    """What a document says of each method, and of the agreement between methods, by name."""
    agreement = document.get(AGREEMENT)
    return {**document["methods"], **({AGREEMENT: agreement} if agreement else {})}


def plain(value: Any) -> Any:  # Any: nested records, mappings and numbers
    """The same content in JSON's types; numbers that are not finite become ``None``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _section(section: Section, page: Page) -> Json:
    return {
        "title": section.title,
        "status": section.status,
        "reason": section.reason or _doubts(section.checks),
        "sentence": section.sentence,
        "further": section.further,
        **({"planted": section.planted} if section.planted else {}),
        "numbers": plain(section.numbers),
        "key_numbers": [plain(dataclasses.asdict(one)) for one in section.key_numbers],
        "checks": [plain(dataclasses.asdict(check)) for check in section.checks],
        "sources": list(page.sources.get(section.id, ())),
    }


def _doubts(checks: Sequence[Check]) -> str:
    """Names of the checks that failed, and behind them of those that warn."""
    words = {"fail": "failed", "warn": "read first"}
    named = {status: [one.name for one in checks if one.status == status] for status in words}
    return "; ".join(
        f"{words[status]}: {', '.join(each)}" for status, each in named.items() if each
    )
