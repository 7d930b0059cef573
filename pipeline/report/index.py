"""The overview over experiments: one table, with links to their reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pipeline.core.parts import Number
from pipeline.report.document import sections_of
from pipeline.report.packing import script_hash
from pipeline.report.render import environment, policy, template_text, tokens
from pipeline.report.wording import NOTHING, key_words, number_text

SEVERAL = "several"
"""In place of an entry of the sheet that is not the same for all recordings."""
EMPTY = "(empty)"
MOST_NUMBERS = 4
"""Numbers of a method that are compared over experiments."""
IN_A_CELL = 2
"""Those of them that stand in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexMethod:
    """How one method ended for one experiment."""

    status: str
    reason: str = ""
    planted: str = ""
    """What simulated recordings hold of it, and how much was found."""
    numbers: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One experiment: its report and what is worth comparing over experiments."""

    experiment: str
    link: str
    """Address of the report, relative to the index."""
    recordings: int
    units: int
    units_used: int
    methods: Mapping[str, IndexMethod]
    settings: Mapping[str, str] = field(default_factory=dict)
    """Dotted key to value in words, of all settings in effect and of the sheet's columns by which
    the recordings were read."""

    @classmethod
    def of(cls, document: Mapping[str, Any], *, link: str) -> IndexEntry:  # Any: parsed JSON
        """The entry of an experiment from its ``report.json``."""
        rows = document["recordings"]
        return cls(
            experiment=document["experiment"],
            link=link,
            recordings=len(rows),
            units=sum(row.get("units") or 0 for row in rows),
            units_used=sum(row.get("units_used") or 0 for row in rows),
            methods={
                name: IndexMethod(
                    status=method["status"],
                    reason=method["reason"],
                    planted=method.get("planted", ""),
                    numbers=_first_numbers(method["numbers"]),
                )
                for name, method in sections_of(document).items()
            },
            settings={**dict(_leaves(document.get("settings") or {}, "")), **_reading(rows)},
        )


def render_index(entries: Sequence[IndexEntry]) -> str:
    """The overview as one HTML text that needs nothing but the reports it links to."""
    from markupsafe import Markup

    script = template_text("index.js")
    methods = list(dict.fromkeys(name for entry in entries for name in entry.methods))
    return (
        environment()
        .get_template("index.html")
        .render(
            entries=entries,
            methods=methods,
            policy=policy(script_hash(script)),
            tokens=Markup(tokens()),  # noqa: S704 - our own text
            css=Markup(template_text("page.css")),  # noqa: S704 - our own text
            script=Markup(script),  # noqa: S704 - our own text
            differences=differences(entries),
            numbers=Markup(_numbers_json(entries)),  # noqa: S704 - no "<" in it
            address=lambda link: quote(link, safe="/"),
            number=number_text,
            key_words=key_words,
            most=IN_A_CELL,
        )
    )


def differences(entries: Sequence[IndexEntry]) -> dict[str, tuple[str, ...]]:
    """Setting to its value in each experiment, for settings that are not the same in all."""
    keys = dict.fromkeys(key for entry in entries for key in entry.settings)
    rows = {key: tuple(entry.settings.get(key, NOTHING) for entry in entries) for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _reading(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:  # Any: parsed JSON
    """The sheet's columns, and the entry that all recordings of an experiment have in each."""
    entries: dict[str, set[str]] = {}
    for row in rows:
        for name, entry in row.get("reading", {}).items():
            entries.setdefault(f"sheet: {name}", set()).add(entry or EMPTY)
    return {name: SEVERAL if len(each) > 1 else min(each) for name, each in entries.items()}


def _leaves(block: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """Dotted keys and values in words of nested settings."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            listed = value if isinstance(value, list) else [value]
            yield f"{above}{key}", ", ".join(number_text(item) for item in listed)


def _numbers_json(entries: Sequence[IndexEntry]) -> str:
    """Method, name of the number and its value in each experiment, for the page's script."""
    found: dict[tuple[str, str], dict[str, Number]] = {}
    for entry in entries:
        for method, one in entry.methods.items():
            for name, value in one.numbers.items():
                found.setdefault((method, name), {})[entry.experiment] = value
    listed = [
        {"method": method, "name": key_words(name), "values": values}
        for (method, name), values in found.items()
    ]
    return json.dumps(listed, ensure_ascii=True).replace("<", "\\u003c")


def _first_numbers(numbers: Mapping[str, Any]) -> dict[str, Number]:  # Any: parsed JSON
    plain = {
        name: value
        for name, value in numbers.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return dict(list(plain.items())[:MOST_NUMBERS])
