"""What captions of figures must say: how many, how sure, what good and what bad looks like."""

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
SURE = re.compile(
    r"\b(?:intervals?|standard errors?|median absolute deviations?|quartiles?|"
    r"quantiles?|whiskers|bootstrap\w*|jackknife|posterior|p(?:-values?)?|"
    r"surrogates?|exchange[ds]?|shuffle[ds]?|permut\w*|relabel\w*|chains?|draws|"
    r"held[- ]out|hidden counts|(?:same|other|their) halves|"
    r"(?:\d+ %|their|its|as a) (?:ranges?|band))\b|\bbands?:|\+-|\u00b1",
    re.IGNORECASE,
)
"""What tells how far what is shown would change with other data, or could be chance."""
NO_BAND = re.compile(r"\bno (?:[\w-]+ )?(?:band|interval|error)s?\b", re.IGNORECASE)
"""Of figures that have none, and say so."""


def lacking(caption: str) -> list[str]:
    """Which of n, how sure, good and bad a caption does not say.

    A figure that only describes needs neither the last two nor how sure it is. Blanks at which the
    page breaks no line are blanks.
    """
    caption = " ".join(caption.split())
    found = [] if COUNT.search(caption) else ["n"]
    if NEITHER.search(caption):
        return found
    found += [] if SURE.search(caption) or NO_BAND.search(caption) else ["how sure"]
    found += [] if GOOD.search(caption) else ["good"]
    return found + ([] if BAD.search(caption) else ["bad"])
