"""Numbers in sentences: nouns and verbs in the form that one or several take."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FORMS = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")


def counted(number: int, noun: str, several: str = "") -> str:
    """A number with its noun, such as ``1 unit`` and ``3 units``; ``several``: an odd plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {several or noun + 's'}"


def from_to(counts: Iterable[int], noun: str) -> str:
    """Least and most of several counts, such as ``20 to 40 units``."""
    listed = [int(count) for count in counts]
    low, high = min(listed), max(listed)
    return counted(high, noun) if low == high else f"{low} to {counted(high, noun)}"


def with_article(noun: str) -> str:
    """A noun with its indefinite article: ``a Recording``, ``an Outcome``, ``a UnitTable``."""
    return f"{'an' if noun[:1].lower() in set('aeio') else 'a'} {noun}"


def joined(names: Iterable[str], *, most: int = 8) -> str:
    """Names in a row; of many the first and the last."""
    listed = list(names)
    if len(listed) > most:
        return f"{listed[0]} to {listed[-1]} ({len(listed)})"
    return ", ".join(listed)


def for_number(number: int, words: str) -> str:
    """Words in which every ``[is|are]`` is the first for one and the second else.

    Words of files must not stand in ``words``: they may have brackets.
    """
    return _FORMS.sub(r"\1" if number == 1 else r"\2", words)
