"""How values, verdicts and records are put into words on a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.parts import Check, Number, Section, Table

NOTHING = "\N{EN DASH}"
"""What stands in a table where there is no value."""
ROWS_AT_ONCE = 250
"""Rows of a table that a page shows at once; its script turns to the others."""


@dataclass(frozen=True, slots=True)
class Word:
    """A verdict: the kind, which picks mark and colour, and the word itself."""

    kind: str
    text: str


STATUS_WORDS: Mapping[str, Word] = {
    "ok": Word("ok", "OK"),
    "warn": Word("warn", "Read with care"),
    "not_applicable": Word("quiet", "Not applicable"),
    "failed": Word("failed", "Failed"),
}
CHECK_WORDS: Mapping[str, Word] = {
    "pass": Word("ok", "Pass"),
    "warn": Word("warn", "Warn"),
    "fail": Word("failed", "Fail"),
    "not_tested": Word("quiet", "Not tested"),
}
LONG_CELL, LONG_WORD = 20, 44
"""Letters from which a cell with spaces, and one without, is broken into lines."""
MOST_DECIMALS = 3
SHORT_TABLE = 20
"""Rows that a table shows in full height."""
_RANK = {"fail": 0, "warn": 1, "not_tested": 2, "pass": 3}
_FAILURE_NAMES = {
    "code": "Code",
    "found": "Found",
    "fix": "What to do",
    "file": "File",
    "place": "Place",
    "message": "Message",
    "log": "Log",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table as shown."""

    name: str
    cells: tuple[str, ...]
    numeric: bool
    long: bool
    """Whether a cell is so long that it should be broken into lines."""


def number_text(value: object) -> str:
    """A value as people read it: four digits that count, a dash where there is none."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return NOTHING
        if value.is_integer() and abs(value) < 1e6:
            return str(int(value))
        text = f"{value:.4g}"
        return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return str(value)


def told(reason: str) -> str:
    """A reason as a sentence of its own: with a capital and a full stop."""
    text = reason.strip()
    ended = text if not text or text[-1] in ".!?" else f"{text}."
    return ended[:1].upper() + ended[1:]


def duration_text(seconds: float) -> str:
    """A stretch of time in the unit people would use."""
    if seconds < 0.95:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def ranked(checks: Sequence[Check]) -> list[tuple[int, Check]]:
    """Checks with their places in the section, the gravest first."""
    return sorted(enumerate(checks), key=lambda entry: (_RANK[entry[1].status], entry[0]))


def doubtful(checks: Sequence[Check]) -> list[tuple[int, Check]]:
    """Checks that failed or warn, and confounds that nothing tested; the gravest first.

    With the places of the checks in their section.
    """
    return [
        (place, check)
        for place, check in ranked(checks)
        if check.status in ("fail", "warn") or (check.status == "not_tested" and check.confound)
    ]


def failure_facts(section: Section) -> list[tuple[str, str]]:
    """Name and value of what is known of why there is no result, in reading order."""
    return [
        (name, str(section.failure[key]))
        for key, name in _FAILURE_NAMES.items()
        if section.failure.get(key) not in (None, "", "-")
    ]


def shown_columns(table: Table) -> list[Column]:
    """The columns of a table as text."""
    columns = []
    for name, cells in table.columns.items():
        texts = even_texts(cells)
        first = name.partition(" ")[0]
        title = name[:1].upper() + name[1:] if first.islower() else name
        columns.append(Column(title, texts, _numeric(cells), any(map(_long, texts))))
    return columns


def even_texts(cells: Sequence[Number]) -> tuple[str, ...]:
    """Cells of one column as text; fractions with equally many decimals, so that they compare.

    Numbers too far apart for that (some would lose all their digits) stand as they are.
    """
    texts = tuple(map(number_text, cells))
    numbers = [
        cell for cell in cells if isinstance(cell, float) and math.isfinite(cell) and cell != 0
    ]
    decimals = max((len(text.partition(".")[2]) for text in texts if _plain(text)), default=0)
    if not decimals or any(isinstance(cell, str) for cell in cells):
        return texts
    decimals = min(decimals, MOST_DECIMALS)
    if min(map(abs, numbers)) < 10.0**-decimals or max(map(abs, numbers)) >= 1e6:
        return texts
    return tuple(
        f"{cell:z.{decimals}f}" if isinstance(cell, float) and math.isfinite(cell) else text
        for cell, text in zip(cells, texts, strict=True)
    )


def _long(text: str) -> bool:
    return len(text) > (LONG_CELL if " " in text else LONG_WORD)


def _plain(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()


def typeset(text: str) -> str:
    """Text with the signs of mathematics, and without line breaks inside a value."""
    signs = {">=": "\N{GREATER-THAN OR EQUAL TO}", "<=": "\N{LESS-THAN OR EQUAL TO}"}
    signs |= {" %": "\N{NO-BREAK SPACE}%", "p = ": "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"}
    bound = "\N{LESS-THAN OR EQUAL TO}"
    signs |= {f"p {bound} ": f"p\N{NO-BREAK SPACE}{bound}\N{NO-BREAK SPACE}"}
    signs |= {" +- ": "\N{NO-BREAK SPACE}\N{PLUS-MINUS SIGN}\N{NO-BREAK SPACE}"}
    for written, sign in signs.items():
        text = text.replace(written, sign)
    return text


def shown_rows(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """The first :data:`ROWS_AT_ONCE` rows of the same."""
    return list(zip(*(column.cells[:ROWS_AT_ONCE] for column in columns), strict=True))


def rows_left_out(table: Table) -> str:
    """A sentence about rows that are not there without a script; empty when all are."""
    count = max((len(cells) for cells in table.columns.values()), default=0)
    if count <= ROWS_AT_ONCE:
        return ""
    return (
        f"The first {ROWS_AT_ONCE} of {count} rows; its file in the folder tables beside this "
        "report has all."
    )


def overall(sections: Sequence[Section]) -> str:
    """One sentence over all sections of methods: how many ended how."""
    counts = [
        (sum(section.status == status for section in sections), words)
        for status, words in (
            ("ok", "without warnings"),
            ("warn", "to be read with care"),
            ("failed", "failed"),
            ("not_applicable", "not applicable"),
        )
    ]
    told = [f"{count} {words}" for count, words in counts if count]
    total = len(sections)
    methods = "method" if total == 1 else "methods"
    return f"{total} {methods}: {', '.join(told)}." if told else "No method has run."


def _numeric(cells: Sequence[Number]) -> bool:
    present = [cell for cell in cells if cell is not None]
    return bool(present) and all(
        isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in present
    )
