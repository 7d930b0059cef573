"""What key numbers must be: few, in words, with their uncertainty, no settings and no p values."""

from __future__ import annotations

import re

from pipeline.core.parts import Section

SETTINGS = re.compile(r"permutation|bootstrap|restart|surrogate|recordings|\bp\b|_")


def sentence_ends(text: str) -> int:
    """How many sentences a text has, by full stops and the like before a capital or the end."""
    return len(re.findall(r"[.!?](?=\s+['\"(]?[A-Z]|\s*$)", text))


def unclear(section: Section) -> list[str]:
    """What is wrong with the sentence and the key numbers of a section that has a result."""
    numbers = section.key_numbers
    ends = sentence_ends(section.sentence)
    faults = [] if ends == 1 else [f"{ends} sentences: {section.sentence}"]
    faults += [] if 1 <= len(numbers) <= 3 else [f"{len(numbers)} of them"]
    faults += [one.name for one in numbers if SETTINGS.search(one.name)]
    faults += [
        f"{one.name}: {one.low} to {one.high}"
        for one in numbers
        if one.low is not None and not (one.low <= one.value <= one.high and one.beside)
    ]
    ranged = any(one.low is not None or one.beside for one in numbers)
    return faults + ([] if ranged else ["nothing says how sure"])
