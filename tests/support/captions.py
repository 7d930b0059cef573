"""What captions of figures must say: how many, what good and what bad looks like."""

from __future__ import annotations

import re

GOOD = re.compile(r"(?<=[.;] )Good: \w|^Good: \w")
BAD = re.compile(r"(?<=[.;] )Bad: \w|^Bad: \w")
NEITHER = re.compile(r"neither good nor bad|good or bad: neither", re.IGNORECASE)
"""Of figures that describe, and say so."""
THINGS = (
    r"animals?|bins?|chains?|clusters?|components?|conditions?|counts?|draws?|frames?|graphs?|"
    r"iterations?|neurons?|onsets?|pairs?|partitions?|points?|populations?|recordings?|regions?|repeats?|"
    r"restarts?|series|splits?|states?|stimul(?:us|i)|subjects?|surrogates?|traces?|trials?|"
    r"types?|units?"
)
COUNT = re.compile(
    rf"\bn = \d|\b\d[\d ,]*(?: of \d[\d ,]*)? (?:[\w'-]+ ){{0,2}}(?:{THINGS})\b", re.IGNORECASE
)


def lacking(caption: str) -> list[str]:
    """Which of n, good and bad a caption does not say."""
    found = [] if COUNT.search(caption) else ["n"]
    if NEITHER.search(caption):
        return found
    found += [] if GOOD.search(caption) else ["good"]
    return found + ([] if BAD.search(caption) else ["bad"])
