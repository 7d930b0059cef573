"""Ascents that are remembered, so that an interrupted clustering goes on where it was.

Nearly all of a clustering's time goes into ascents, and everything between two of them follows
from their outcomes and the random stream. So what is kept is the outcome of every ascent with the
state of the stream after it. A clustering that goes on begins anew, is handed these one by one in
place of ascents, and comes to the very point where it was, and from there to the same bytes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.methods.celltypes.ascent import Ascent, Climbed, Climber, Goal, Stimuli
from pipeline.methods.celltypes.objective import Floats

SECONDS_BETWEEN = 2.0
"""Between two times at which all that is remembered is put together."""
MOST_BYTES = 500_000_000
"""What is remembered at most; ascents after that are made anew when a clustering goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remembered:
    """Outcomes of the ascents of a clustering, from its beginning on."""

    n_stimuli: NDArray[np.int64] = axes("ascent")
    """Stimuli of each ascent."""
    stream: NDArray[np.str_] = axes("ascent")
    """State of the random stream after each, as JSON."""
    stimuli: NDArray[np.float32] = axes("climbed", "channel", "frame", "y", "x")
    """At the end of their ascents, those of one ascent after those of another."""
    responses: NDArray[np.float64] = axes("climbed", "responding")
    flags: NDArray[np.str_] = axes("climbed")

    def __post_init__(self) -> None:
        check_axes(self)


def nothing_remembered() -> Remembered:
    """What there is to remember before the first ascent."""
    return Remembered(
        n_stimuli=np.empty(0, dtype=np.int64),
        stream=np.empty(0, dtype="<U1"),
        stimuli=np.empty((0, 1, 1, 1, 1), dtype=np.float32),
        responses=np.empty((0, 1)),
        flags=np.empty(0, dtype="<U1"),
    )


@dataclass(slots=True, eq=False)
class RememberingClimber:
    """A climber that tells what came of every ascent, and knows those of an interrupted run."""

    climber: Climber
    checkpoint: Callable[[Remembered], None]
    """Given all that is remembered, after an ascent."""
    resume: Remembered | None = None
    n_replayed: int = field(default=0, init=False)
    """Ascents that were not made again."""
    _outcomes: list[tuple[Climbed, str]] = field(default_factory=list, init=False)
    _bytes: int = field(default=0, init=False)
    _made: int = field(default=0, init=False)
    _told: float = field(default_factory=time.monotonic, init=False)

    def responses(self, stimuli: Stimuli) -> Floats:
        """Responses to given stimuli, shape (stimulus, unit)."""
        return self.climber.responses(stimuli)

    def project(self, stimuli: Stimuli) -> Stimuli:
        """Stimuli within the constraints."""
        return self.climber.project(stimuli)

    def climb(
        self, stimuli: Stimuli, goal: Goal, ascent: Ascent, rng: np.random.Generator
    ) -> Climbed:
        """The outcome of an ascent, from memory where it was made before."""
        known = self._known()
        if known is not None:
            climbed, state = known
            rng.bit_generator.state = json.loads(state)
        else:
            climbed = self.climber.climb(stimuli, goal, ascent, rng)
            state = json.dumps(rng.bit_generator.state)
        if self._bytes < MOST_BYTES and len(self._outcomes) == self._made:
            self._outcomes.append((climbed, state))
            self._bytes += climbed.stimuli.nbytes + climbed.responses.nbytes
        self._made += 1
        if known is None and time.monotonic() - self._told >= SECONDS_BETWEEN:
            self.checkpoint(self.remembered())
            self._told = time.monotonic()
        return climbed

    def _known(self) -> tuple[Climbed, str] | None:
        """The next outcome of an interrupted run; nothing when they are used up."""
        before = self.resume
        if before is None or self._made >= before.n_stimuli.size:
            return None
        first = int(before.n_stimuli[: self._made].sum())
        rows = slice(first, first + int(before.n_stimuli[self._made]))
        self.n_replayed += 1
        climbed = Climbed(
            stimuli=before.stimuli[rows].copy(),
            responses=before.responses[rows].copy(),
            trace=np.empty((rows.stop - rows.start, 0)),
            flags=tuple(str(flag) for flag in before.flags[rows]),
        )
        return climbed, str(before.stream[self._made])

    def remembered(self) -> Remembered:
        """All outcomes so far."""
        if not self._outcomes:
            return nothing_remembered()
        climbed = [outcome for outcome, _ in self._outcomes]
        return Remembered(
            n_stimuli=np.array([len(one.stimuli) for one in climbed], dtype=np.int64),
            stream=np.array([state for _, state in self._outcomes], dtype=str),
            stimuli=np.concatenate([one.stimuli for one in climbed]),
            responses=np.concatenate([one.responses for one in climbed]),
            flags=np.array([flag for one in climbed for flag in one.flags], dtype=str),
        )
