"""Labels that methods give to units and to moments, in a form in which they can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitLabels:
    """One grouping of units; a row for each unit of a recording that has a label."""

    name: str
    """Short and unique in an experiment: the head of a column."""
    kind: str
    """Groupings of one kind, such as the communities of all components, are one question."""
    from_activity: bool
    """Whether labels were found in the activity, or are known without it."""
    recording: NDArray[np.str_] = axes("unit")
    unit: NDArray[np.str_] = axes("unit")
    """Ids of units in their recording."""
    item: NDArray[np.str_] = axes("unit")
    """The same where the same neuron was seen again in another recording."""
    label: NDArray[np.str_] = axes("unit")
    probability: NDArray[np.float64] = axes("unit")
    """How sure the label is, as the method has it; NaN where it does not say."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateSequence:
    """Which state a population was in, bin by bin."""

    recording: str
    start_s: NDArray[np.float64] = axes("time_bin", unit="s")
    bin_s: float
    state: NDArray[np.int64] = axes("time_bin")

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Courses:
    """How strong each component of a recording was, in every frame."""

    recording: str
    time_s: NDArray[np.float64] = axes("frame", unit="s")
    course: NDArray[np.float64] = axes("frame", "component")
    cut: bool
    """Whether frames are pieces cut out around epochs, so that they cannot be shifted in time."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How a method's labels of moments go with something that is known, as the method tested it."""

    recording: str
    """Empty where it is over all recordings."""
    first: str
    second: str
    measure: str
    value: float
    p_value: float
    """NaN where nothing was tested."""
    null: str
    """How chance was told, or why it could not be."""
    family: str = ""
    """The same in all whose p values hold together, as those of the largest of several do; empty
    where p is that of this one alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """All that a method gives labels to."""

    units: tuple[UnitLabels, ...] = ()
    states: tuple[StateSequence, ...] = ()
    courses: tuple[Courses, ...] = ()
    associations: tuple[Association, ...] = ()


def item_names(
    recording: str, unit: NDArray[np.str_], identity: NDArray[np.str_] | None = None
) -> NDArray[np.str_]:
    """Names under which units are the same over recordings, shape (unit,).

    Parameters
    ----------
    identity
        Names of units that can be matched, empty where not; none can when ``None``.
    """
    own = np.array([f"{recording}:{name}" for name in unit], dtype=np.str_)
    if identity is None:
        return own
    return np.asarray(np.where(identity != "", identity, own), dtype=np.str_)
