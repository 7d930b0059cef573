"""How much there is to do: what memory and time of a job grow with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Sizes = Mapping[str, int]
"""Lengths of a view's named axes; empty where there is no view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Sizes of a job, by what they are; what each costs is measured (``pipeline.stages.costs``)."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    """Values that are held at once."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """Elementary steps that are done."""


def several(jobs: Iterable[Work]) -> Work:
    """One after another in one process: steps add up, and the largest decides the memory."""
    numbers: dict[str, float] = {}
    steps: dict[str, float] = {}
    for job in jobs:
        for name, count in job.numbers.items():
            numbers[name] = max(numbers.get(name, 0.0), count)
        for name, count in job.steps.items():
            steps[name] = steps.get(name, 0.0) + count
    return Work(numbers=numbers, steps=steps)


def cells(view: Sizes, *axes: str) -> int:
    """Entries of an array with these axes; 0 where the view lacks one."""
    return math.prod(view.get(axis, 0) for axis in axes)


def total(views: Iterable[Sizes], *axes: str) -> int:
    """Entries of the arrays of all views."""
    return sum(cells(view, *axes) for view in views)
