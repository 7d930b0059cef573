"""The overview over experiments: one table, with links to their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pipeline.core.parts import Number
from pipeline.report.packing import script_hash
from pipeline.report.render import environment, policy, template_text, tokens
from pipeline.report.wording import number_text

MOST_NUMBERS = 2
"""Numbers of a method that are shown in its cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexMethod:
    """How one method ended for one experiment."""

    status: str
    reason: str = ""
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
                    numbers=_first_numbers(method["numbers"]),
                )
                for name, method in document["methods"].items()
            },
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
            address=lambda link: quote(link, safe="/"),
            number=number_text,
        )
    )


def _first_numbers(numbers: Mapping[str, Any]) -> dict[str, Number]:  # Any: parsed JSON
    plain = {
        name: value
        for name, value in numbers.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return dict(list(plain.items())[:MOST_NUMBERS])
