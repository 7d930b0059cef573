"""Why a method does not apply is told together with what would make it apply."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pipeline

ROOMS = ("methods", "prepare")
HALVES = ("refits.py", "halves.py")
"""Refusals of half of the data, which stand in a sentence about agreement."""
REMEDY = re.compile(
    r"(?:prepare|methods)\.[a-z_]+|of the sheet|in the sheet|in the file|This method needs"
)
ELSEWHERE = (
    "are active at the same time",  # the activity itself
    "No recording of the experiment has a usable view",  # each recording's reason is told before
    "The clustering has no stimuli",
    "has responses",  # followed by why each unit and trial was left out
    "The stimuli ''",  # the setting that chooses one follows from a variable
)


def words_of(node):
    """All literal text below a node."""
    return "".join(
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def reasons():
    root = Path(pipeline.__file__).parent
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        if path.name in HALVES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "NotApplicable":
                yield f"{path.name}:{node.lineno}", words_of(node)


def test_every_reason_why_a_method_does_not_apply_says_what_to_do():
    told = {place: words for place, words in reasons() if " " in words}
    assert len(told) > 20
    without = {
        place: words
        for place, words in told.items()
        if not REMEDY.search(words) and not any(known in words for known in ELSEWHERE)
    }
    assert without == {}
