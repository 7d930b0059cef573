"""What a part of a fit, or the joining of parts, goes on from in the midst of its work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")
R = TypeVar("R")

Made = Mapping[str, NDArray[Any]]
"""What was made, by names that tell only the arrays of a loop apart. Any: labels and numbers."""


@dataclass(slots=True, kw_only=True)
class InTurn(Generic[S]):
    """Snapshots of loops that follow each other: the last one of each.

    A part that goes on runs through the same loops. Each of them is handed its own snapshot: one
    that had ended does so at once, the one that was interrupted goes on, and later ones begin.
    """

    tell: Callable[[tuple[S, ...]], None] | None = None
    """Given the snapshots of all loops so far; nobody is told when ``None``."""
    snapshots: list[S] = field(default_factory=list)
    """Of an interrupted run at first, and then of this one."""
    _begun: int = field(default=0, init=False)

    def next(self) -> tuple[Callable[[S], None] | None, S | None]:
        """Whom the next loop gives its snapshots, the one at its end too; the one to go on from."""
        at = self._begun
        self._begun += 1
        resume = self.snapshots[at] if at < len(self.snapshots) else None
        tell = self.tell
        if tell is None:
            return None, resume

        def keep(snapshot: S) -> None:
            self.snapshots[at : at + 1] = [snapshot]
            tell(tuple(self.snapshots))

        return keep, resume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loop:
    """How far a loop has come."""

    done: int
    """Steps."""
    made: Mapping[str, NDArray[Any]]
    """What they have made; of a piece that is not done, what it goes on from."""
    random: str
    """State of the random stream as JSON, for the next step or what follows the loop; empty where
    none is drawn from."""
    by_column: tuple[str, ...] = ()
    """Arrays that lie in memory column by column, which files do not keep; sums of products may
    differ with it in the last bit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Of loops that follow each other: of the last one on its way, of the others at their end."""

    loops: tuple[Loop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Midway:
    """How a piece of work goes on in its midst, where it knows how to."""

    left: Made | None = None
    """What it left when it was interrupted."""
    keep: Callable[[Made], None] | None = None
    """To be given what it would go on from."""


class Loops:
    """All loops of a part or of a joining, by what it is given: those of one alone keep nothing.

    What goes on runs through the same code. What it draws between loops it draws again, the same
    numbers, so that only what took long has to be kept.
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
        self, number: int, made: Made, rng: np.random.Generator | None = None
    ) -> Iterator[int]:
        """The steps that are left of so many, from 0.

        Parameters
        ----------
        made
            What the steps put their results into; what is left of those that were made is there
            before the first step.
        rng
            The random stream, where steps draw from it.
        """
        keep, left = self._turns.next()
        done = 0
        if left is not None:
            done = left.done
            for name, array in made.items():
                array[...] = left.made[name]
            _set(rng, left.random)
        for step in range(done, number):
            yield step
            if keep is not None:
                keep(Loop(done=step + 1, made=made, random=_state(rng)))

    def piece(self, make: Callable[[Midway], Made], rng: np.random.Generator | None = None) -> Made:
        """What a piece of work makes, or made before it was interrupted.

        Parameters
        ----------
        make
            The work; it must change nothing but the random stream.
        rng
            The random stream, where the work draws from it.
        """
        keep, left = self._turns.next()
        if left is not None and left.done:
            _set(rng, left.random)
            turned = {name: np.asfortranarray(left.made[name]) for name in left.by_column}
            return {**left.made, **turned}
        made = make(Midway(left=None if left is None else left.made, keep=_midway(keep)))
        if keep is not None:
            by_column = tuple(name for name, one in made.items() if one.flags.fnc)
            keep(Loop(done=1, made=made, random=_state(rng), by_column=by_column))
        return made


ALONE = Loops()
"""Of what nobody will ask to go on."""


def arrays_of(record: object) -> dict[str, NDArray[Any]]:
    """A record of arrays and scalars, as what a piece of work makes."""
    kind: Any = record  # Any: any dataclass
    return {one.name: np.asarray(getattr(record, one.name)) for one in dataclasses.fields(kind)}


def record_of(kind: Callable[..., R], made: Made) -> R:
    """The record of these arrays; scalars are those of Python."""
    return kind(**{name: value if value.ndim else value.item() for name, value in made.items()})


def _midway(keep: Callable[[Loop], None] | None) -> Callable[[Made], None] | None:
    """Whom a piece gives what it goes on from."""
    return None if keep is None else lambda made: keep(Loop(done=0, made=made, random=""))


def _state(rng: np.random.Generator | None) -> str:
    return "" if rng is None else json.dumps(rng.bit_generator.state)


def _set(rng: np.random.Generator | None, state: str) -> None:
    if rng is not None:
        rng.bit_generator.state = json.loads(state)
