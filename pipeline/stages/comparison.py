"""Two folders of results held against each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import EnvironmentFault
from pipeline.io.documents import missing

IGNORED = frozenset({"jobs", "machine", "provenance_version", "settings_sha256"})
"""What belongs to a run and not to its results, or repeats something else."""
WORDS = frozenset({"checks", "key_numbers", "sources", "title"})
"""What a report tells of a section beside how it ended and its numbers."""


def result_differences(one: Path, other: Path) -> list[tuple[str, Any, Any]]:
    """What differs: versions, settings, inputs, how methods ended, and their headline numbers.

    Returns
    -------
    One triple a difference: dotted place, value in ``one``, value in ``other``; ``None`` where a
    side has nothing there.

    Raises
    ------
    EnvironmentFault
        If a folder holds no finished run (RN-R27).
    """
    before, now = dict(_leaves(_collected(one), "")), dict(_leaves(_collected(other), ""))
    return [
        (place, before.get(place), now.get(place))
        for place in sorted(before.keys() | now.keys())
        if before.get(place) != now.get(place)
    ]


def _collected(folder: Path) -> dict[str, Any]:
    made = _document(folder / "provenance.json")
    experiments = {
        path.parent.name: _results(_document(path)) for path in sorted(folder.glob("*/report.json"))
    }
    collected = made.pop("experiments")
    inputs = {name: entry["recordings"] for name, entry in collected.items()}
    code = {name: _without_counts(entry.get("code", [])) for name, entry in collected.items()}
    return {
        **{key: value for key, value in made.items() if key not in IGNORED},
        "inputs": inputs,
        "code": code,
        "experiments": experiments,
    }


def _without_counts(code: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Commits and versions, whatever the number of jobs that each did."""
    found = [{key: value for key, value in each.items() if key != "jobs"} for each in code]
    return sorted(found, key=json.dumps)


def _results(document: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of recordings, and of each section how it ended and its numbers."""

    def short(section: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in section.items() if key not in WORDS}

    return {
        "recordings": document.get("recordings", []),
        "methods": {name: short(each) for name, each in document.get("methods", {}).items()},
        **{key: short(document[key]) for key in ("data", "agreement") if key in document},
    }


def _document(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        fault: EnvironmentFault = missing(path)
        raise fault from error
    return found


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:  # Any: JSON
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for number, inner in enumerate(value):
            name = inner.get("recording", number)
            yield from _leaves(inner, f"{place}.{name}")
    else:
        yield place, value
