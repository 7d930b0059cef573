"""The overview over experiments: one table, with links to their reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pipeline.core.parts import KeyNumber
from pipeline.report.document import sections_of
from pipeline.report.packing import script_hash
from pipeline.report.render import environment, policy, template_text, tokens
from pipeline.report.wording import NOTHING, number_text

SEVERAL = "several"
"""In place of an entry of the sheet that is not the same for all recordings."""
EMPTY = "(empty)"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexMethod:
    """How one method ended for one experiment."""

    title: str
    status: str
    reason: str = ""
    planted: str = ""
    """What simulated recordings hold of it, and how much was found."""
    key_numbers: tuple[KeyNumber, ...] = ()


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
                    title=method.get("title", name),
                    status=method["status"],
                    reason=method["reason"],
                    planted=method.get("planted", ""),
                    key_numbers=tuple(KeyNumber(**one) for one in method.get("key_numbers", ())),
                )
                for name, method in sections_of(document).items()
            },
            settings={**dict(_leaves(document.get("settings") or {}, "")), **_reading(rows)},
        )


def render_index(entries: Sequence[IndexEntry]) -> str:
    """The overview as one HTML text that needs nothing but the reports it links to."""
    from markupsafe import Markup

    script = template_text("index.js")
    titles = {name: one.title for entry in entries for name, one in entry.methods.items()}
    return (
        environment()
        .get_template("index.html")
        .render(
            entries=entries,
            titles=titles,
            policy=policy(script_hash(script)),
            tokens=Markup(tokens()),  # noqa: S704 - our own text
            css=Markup(template_text("page.css")),  # noqa: S704 - our own text
            script=Markup(script),  # noqa: S704 - our own text
            differences=differences(entries),
            numbers=Markup(_numbers_json(entries)),  # noqa: S704 - no "<" in it
            address=lambda link: quote(link, safe="/"),
            ranged=_ranged,
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
    """Method, name of the number and what it is in each experiment, for the page's script."""
    found: dict[tuple[str, str], dict[str, dict[str, float | str | None]]] = {}
    for entry in entries:
        for one in entry.methods.values():
            for number in one.key_numbers:
                found.setdefault((one.title, number.name), {})[entry.experiment] = {
                    "value": number.value,
                    "low": number.low,
                    "high": number.high,
                    "told": _short(number.value),
                    "ranged": _ranged(number),
                }
    listed = [
        {"method": method, "name": name, "values": values}
        for (method, name), values in found.items()
    ]
    return json.dumps(listed, ensure_ascii=True).replace("<", "\\u003c")


def _ranged(number: KeyNumber) -> str:
    """A key number with its uncertainty in brackets."""
    known = number.low is not None and number.high is not None
    ends = f"{_short(number.low)} to {_short(number.high)}" if known else ""
    beside = ", ".join(part for part in (ends, number.beside) if part)
    return f"{_short(number.value)} ({beside})" if beside else _short(number.value)


def _short(value: float | None) -> str:
    """Three digits that count, and whole numbers as they are."""
    return number_text(float(f"{value:.3g}") if isinstance(value, float) else value)
