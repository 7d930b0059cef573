"""What a part leaves to go on from: fits of networks, then ascents of a clustering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.resuming import InTurn
from pipeline.methods.celltypes.encoding.interrupted import Training
from pipeline.methods.celltypes.remembering import Remembered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """How far a part has come; a half of the data has networks and a clustering in one part."""

    trainings: tuple[Training, ...] = ()
    """Of networks: the last one on its way, the others at their end."""
    ascents: Remembered | None = None


class Resumption:
    """Hands each piece of a part's work what an interrupted run left of it, and keeps all of it."""

    def __init__(
        self, checkpoint: Callable[[Checkpoint], None] | None, resume: Checkpoint | None
    ) -> None:
        left = resume or Checkpoint()
        self.ascents = left.ascents
        """Of a clustering, to go on from."""
        self.trainings: InTurn[Training] = InTurn(snapshots=list(left.trainings))
        """Of the fits of networks."""
        self.keep_ascents: Callable[[Remembered], None] | None = None
        """What a clustering gives its ascents; nothing where nobody asks for them."""
        if checkpoint is not None:

            def keep_trainings(trainings: tuple[Training, ...]) -> None:
                checkpoint(Checkpoint(trainings=trainings, ascents=self.ascents))

            def keep_ascents(ascents: Remembered) -> None:
                trainings = tuple(self.trainings.snapshots)
                checkpoint(Checkpoint(trainings=trainings, ascents=ascents))

            self.trainings.tell, self.keep_ascents = keep_trainings, keep_ascents
