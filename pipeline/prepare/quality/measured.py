"""What measuring a recording's units gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Numbers of all units, and what follows from them."""

    numbers: Mapping[str, NDArray[np.float64]]
    """Measure of :mod:`pipeline.core.quality` to its values, shape (unit,); NaN where a unit has
    none."""
    findings: Mapping[str, NDArray[np.bool_]]
    """Kind of finding to the units that have it, shape (unit,)."""
    identical: tuple[tuple[int, ...], ...] = ()
    """Groups of units with the same activity, by index."""
    not_assessed: Mapping[str, str] = field(default_factory=dict)
    """Measure to why it was not taken of any unit."""
