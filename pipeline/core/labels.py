"""Labels of conditions in the order in which people read them."""

from __future__ import annotations

import re


def natural_order(name: str) -> tuple[float, str]:
    """Sorting key: names that begin with a number in the order of the numbers, then the others."""
    found = re.match(r"[+-]?\d+(\.\d+)?", name)
    return (float(found[0]), name) if found else (float("inf"), name)
