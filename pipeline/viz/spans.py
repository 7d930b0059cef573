"""Labels of stretches of an axis, in an order that all figures of a page share."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.core.parts import Span


def span_labels(spans: Sequence[Span]) -> tuple[str, ...]:
    """Each label once, sorted as people count; its place is its number and colour.

    The order does not depend on what came first, so that recordings with the same labels in
    another order show them in the same colours.
    """
    return tuple(sorted({span.label for span in spans}, key=_counted))


def _counted(label: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``trial 2`` before ``trial 10``."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"([0-9]+)", label)
        if part
    )
