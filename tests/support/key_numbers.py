"""What key numbers must be: few, in words, with their uncertainty, no settings and no p values."""

from __future__ import annotations

import re

from pipeline.core.parts import Section

SETTINGS = re.compile(r"permutation|bootstrap|restart|surrogate|recordings|\bp\b|_")


def unclear(section: Section) -> list[str]:
    """What is wrong with the key numbers of a section that has a result."""
    numbers = section.key_numbers
    faults = [] if 1 <= len(numbers) <= 3 else [f"{len(numbers)} of them"]
    faults += [one.name for one in numbers if SETTINGS.search(one.name)]
    faults += [
        f"{one.name}: {one.low} to {one.high}"
        for one in numbers
        if one.low is not None and not (one.low <= one.value <= one.high and one.beside)
    ]
    ranged = any(one.low is not None or one.beside for one in numbers)
    return faults + ([] if ranged else ["nothing says how sure"])
