"""States of a population beside the strengths of components, moment by moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.labelling import Association, Courses, StateSequence
from pipeline.numerics.courses import states_and_courses

CUT = "not tested: components were fitted to pieces cut out around epochs"
LEAST_FRAMES = 20


def states_beside_courses(
    states: Sequence[StateSequence], courses: Sequence[Courses]
) -> tuple[Association, ...]:
    """How much of each component's course states explain, in each recording that has both.

    Chance is told by states that are shifted in time. States and components come from the same
    activity: that they go together says that they follow the same events, and is no second
    evidence for either.
    """
    by_name = {one.recording: one for one in courses}
    found = []
    for sequence in states:
        if sequence.recording not in by_name:
            continue
        beside = by_name[sequence.recording]
        state = state_at(sequence, beside.time_s)
        seen = state >= 0
        if seen.sum() < LEAST_FRAMES:
            continue
        test = states_and_courses(beside.course[seen], state[seen])
        shifts = f"{int(seen.sum()) - 1} shifts of states in time, largest of all components"
        null = CUT if beside.cut else test.reason or shifts
        found += [
            Association(
                recording=sequence.recording,
                first="states",
                second=f"component {component + 1}",
                measure="variance explained (share)",
                value=float(share),
                p_value=float("nan") if beside.cut else float(p),
                null=null,
                family=f"states and components of {sequence.recording}",
            )
            for component, (share, p) in enumerate(zip(test.explained, test.p_value, strict=True))
        ]
    return tuple(found)


def state_at(sequence: StateSequence, time_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """State at each time, shape of ``time_s``; -1 where no bin holds it."""
    place = np.searchsorted(sequence.start_s, time_s, side="right") - 1
    inside = (place >= 0) & (time_s < sequence.start_s[np.maximum(place, 0)] + sequence.bin_s)
    return np.where(inside, sequence.state[np.maximum(place, 0)], -1)
