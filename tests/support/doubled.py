"""A compiled function for tests of the compiler's folder."""

from __future__ import annotations

from pipeline.numerics.compiled import compiled


@compiled
def twice(number: int) -> int:
    """Two times a number."""
    return 2 * number
