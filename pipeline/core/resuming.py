"""Loops that run in turn within a part of a fit, so that it goes on in the midst of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

S = TypeVar("S")


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
