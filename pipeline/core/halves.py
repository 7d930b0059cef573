"""Labels of units from two stretches of the same recordings that have no sample in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.labelling import UnitLabels
from pipeline.core.provenance import Provenance

HALVES_VERSION = 3
"""Raised by hand in the change that alters labels of halves, so that they are made anew."""
GAP_TIMES = 3
"""Times for which activity stays alike that lie between halves: e^-6 of it is left where it is
forgotten exponentially."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """A method fitted to each half of the data by itself."""

    first: tuple[UnitLabels, ...]
    """Groupings from the first half; their names say nothing about those of the second."""
    second: tuple[UnitLabels, ...]
    recording: NDArray[np.str_] = axes("recording")
    span_s: NDArray[np.float64] = axes("recording", "half", "bound", unit="s")
    """Start and stop of both halves; infinite where a half is bounded by the recording alone."""
    alike_s: NDArray[np.float64] = axes("recording", unit="s")
    """For how long the activity stays alike, which the gap between halves is made for."""
    provenance: Provenance

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def gap_s(self) -> NDArray[np.float64]:
        """Seconds between the halves of each recording, shape (recording,)."""
        return np.asarray(self.span_s[:, 1, 0] - self.span_s[:, 0, 1])

    @property
    def kind(self) -> str:
        """What units are grouped into."""
        return self.first[0].kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HalfLabels:
    """One half, kept for the case that the job is ended before the other is fitted."""

    labels: tuple[UnitLabels, ...]
