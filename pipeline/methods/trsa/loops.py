"""Loops of a part that go on where an interrupted run of the part left them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import InTurn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loop:
    """How far a loop has come."""

    done: int
    """Steps."""
    made: Mapping[str, NDArray[np.float64]]
    """What they have made, by names that tell only the arrays of the loop apart."""
    random: str
    """State of the part's random stream as JSON, for the next step or what follows the loop."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Of loops that follow each other: of the last one on its way, of the others at their end."""

    loops: tuple[Loop, ...]


class Loops:
    """All loops of a part, by what the part is given: those of a part alone keep nothing.

    A part that goes on runs through the same code. What it draws between loops it draws again, the
    same numbers, so that only what took long has to be kept.
    """

    def __init__(
        self,
        checkpoint: Callable[[Checkpoint], None] | None = None,
        resume: Checkpoint | None = None,
    ) -> None:
        self._turns: InTurn[Loop] = InTurn(snapshots=[] if resume is None else list(resume.loops))
        if checkpoint is not None:
            self._turns.tell = lambda loops: checkpoint(Checkpoint(loops=loops))

    def steps(
        self,
        number: int,
        made: Mapping[str, NDArray[np.float64]],
        rng: np.random.Generator | None = None,
    ) -> Iterator[int]:
        """The steps that are left of so many, from 0.

        Parameters
        ----------
        made
            What the steps put their results into; what is left of those that were made is there
            before the first step.
        rng
            The part's random stream, where steps draw from it.
        """
        keep, left = self._turns.next()
        done = 0
        if left is not None:
            done = left.done
            for name, array in made.items():
                array[...] = left.made[name]
            if rng is not None:
                rng.bit_generator.state = json.loads(left.random)
        for step in range(done, number):
            yield step
            if keep is not None:
                state = "" if rng is None else json.dumps(rng.bit_generator.state)
                keep(Loop(done=step + 1, made=made, random=state))


ALONE = Loops()
"""Of a part that nobody will ask to go on."""
