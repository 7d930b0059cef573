"""What grading needs of all samples, gathered while they are read for something else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.recording import SampledActivity
from pipeline.prepare.quality.running import Running
from pipeline.prepare.quality.sample import Sample

BLOCK_BYTES = 32 * 2**20

Key = slice | tuple[slice, ...]


class Gathering:
    """Statistics and stretches of the samples of one recording.

    Parameters
    ----------
    activity
        Values and validity, in memory or readable piece by piece.
    """

    def __init__(self, activity: SampledActivity) -> None:
        self._activity = activity
        self._shape = (activity.time.size, activity.n_units)
        self.sample = Sample.empty(*self._shape)
        self.running = Running.start(activity.n_units)
        self._n_seen = 0
        self._half: tuple[tuple[int, ...], str, NDArray[Any]] | None = None

    @classmethod
    def of(cls, activity: SampledActivity) -> Gathering:
        """All samples of an activity, read for this alone."""
        gathered = cls(activity)
        for stretch, values, valid in activity.stretches(max_bytes=BLOCK_BYTES):
            gathered._add(values, valid, first_frame=stretch.start)
        return gathered

    @property
    def is_whole(self) -> bool:
        """Whether every sample was seen."""
        return self._n_seen == self._shape[0]

    def overheard(self) -> SampledActivity:
        """The same activity, of which is gathered whatever is read.

        That works for who reads values and validity side by side, stretch of time by stretch; of
        others nothing is gathered, and :attr:`is_whole` says so.
        """
        activity = self._activity
        return dataclasses.replace(
            activity,
            values=_Overheard(activity.values, "values", self),
            valid=_Overheard(activity.valid, "valid", self),
        )

    def hear(self, key: Key, name: str, piece: NDArray[Any]) -> None:
        """That a piece of the values or of their validity was read."""
        parts = (*key, slice(None))[:2] if isinstance(key, tuple) else (key, slice(None))
        rows, columns = (
            slice(*part.indices(size)) for part, size in zip(parts, self._shape, strict=True)
        )
        if rows.start != self._n_seen or (columns.start, columns.stop) != (0, self._shape[1]):
            self._give_up()
            return
        place = (rows.start, rows.stop)
        other = self._half
        if other is None or other[:2] != (place, "valid" if name == "values" else "values"):
            self._half = place, name, piece
            return
        self._half = None
        values, valid = (piece, other[2]) if name == "values" else (other[2], piece)
        self._add(values, valid, first_frame=rows.start)

    def _give_up(self) -> None:
        """Never hear the whole, and keep no memory that whoever reads all again will need."""
        self._n_seen = -1
        self._half = None
        self.sample = Sample.empty(0, self._shape[1])

    def _add(
        self, values: NDArray[np.float32], valid: NDArray[np.bool_], *, first_frame: int
    ) -> None:
        self.sample.take(values, valid, first_frame=first_frame)
        self.running.add(values, valid, first_frame=first_frame)
        self._n_seen = first_frame + len(values)


@dataclass(frozen=True, slots=True, eq=False)
class _Overheard:
    """A source whose pieces are told to a gathering."""

    source: ArraySource
    name: str
    gathering: Gathering

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return getattr(self.source, "chunks", None)

    def __getitem__(self, key: Key, /) -> NDArray[Any]:
        piece = self.source[key]
        self.gathering.hear(key, self.name, piece)
        return piece
