"""Labels as people write them: which are blank, and which may be one thing written twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

NOTHING = frozenset({"", "nan", "none", "null", "n/a", "unknown", "unlabeled", "unlabelled", "?"})
"""What stands, in any case of letters, where nobody knew a label."""
MAX_LISTED = 20
_FILLERS = re.compile(r"[\s_\-]+")
_REGION_KEY = re.compile(
    r"(?:^|[;,|\n])\s*(?:brain[ _]?)?(?:region|area|structure)\s*[:=]\s*([^;,|\n]*)", re.IGNORECASE
)


def is_blank(label: str) -> bool:
    """Whether a label says nothing."""
    return label.strip().lower() in NOTHING


def with_counts(labels: Sequence[str]) -> str:
    """Labels with how often each stands, as they are written, in order of the alphabet."""
    counts = sorted(Counter(labels).items())
    listed = ", ".join(f"{label!r} {count}" for label, count in counts[:MAX_LISTED])
    return listed + (f", ... ({len(counts)} labels)" if len(counts) > MAX_LISTED else "")


def oddities(labels: Sequence[str]) -> str:
    """What is odd about labels, in words; empty where nothing is.

    Parameters
    ----------
    labels
        As they are written, with blanks around them.
    """
    n_blank = sum(map(is_blank, labels))
    if n_blank == len(labels):
        return ""
    told: list[str] = []
    if n_blank:
        told.append(f"{n_blank} of {len(labels)} are blank or unknown")
    forms: dict[str, set[str]] = {}
    for label in set(labels):
        if not is_blank(label):
            forms.setdefault(_key(label), set()).add(label)
    several = sorted(sorted(group) for group in forms.values() if len(group) > 1)
    if several:
        groups = "; ".join(" and ".join(map(repr, group)) for group in several[:MAX_LISTED])
        told.append(f"written differently: {groups}")
    return "; ".join(told)


def told_region(text: str) -> str:
    """The region that a text names, such as ``brain_region: CA1; hemisphere: left``.

    A text of another form is itself the region; one that says nothing is none.
    """
    found = _REGION_KEY.search(text)
    region = (found[1] if found else text).strip()
    return "" if found and is_blank(region) else region


def names_region(text: str) -> bool:
    """Whether a text names its region by a keyword."""
    return _REGION_KEY.search(text) is not None


def _key(label: str) -> str:
    """The same for labels that are likely to mean the same."""
    try:
        return repr(float(label))
    except ValueError:
        return _FILLERS.sub("", label).casefold()
