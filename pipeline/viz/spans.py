"""Labels of stretches of an axis, in the order in which they first occur."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.parts import Span


def span_labels(spans: Sequence[Span]) -> tuple[str, ...]:
    """Each label once, in order of first appearance; its place is its number and colour."""
    return tuple(dict.fromkeys(span.label for span in spans))
