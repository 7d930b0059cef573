"""What a result holds of one recording beyond tables for people, in a form that files can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultColumn:
    """One column of a table of numbers."""

    name: str
    description: str
    """With the unit of the values, or that they have none."""
    values: NDArray[Any]
    """Shape (row,), or (row, place) where each row holds several."""
    of_units: bool = False
    """Whether values are rows of the recording's table of units."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultRows:
    """A table of numbers; columns have equally many rows."""

    name: str
    description: str
    columns: tuple[ResultColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultSeries:
    """Something that a method says of every moment of a recording."""

    name: str
    description: str
    time_s: NDArray[np.float64] = axes("time", unit="s")
    values: NDArray[Any]
    """Shape (time,) or (time, column)."""
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResultFrames:
    """Frames of a stimulus that a method made; it was not shown in the recording."""

    name: str
    description: str
    values: NDArray[np.float32] = axes("frame", "y", "x")
    unit: str
    rate_hz: float

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exported:
    """All of it."""

    rows: tuple[ResultRows, ...] = ()
    series: tuple[ResultSeries, ...] = ()
    frames: tuple[ResultFrames, ...] = ()
