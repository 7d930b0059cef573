"""Arrays that may not fit in memory, read in blocks along time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class ArraySource(Protocol):
    """An array of known shape of which stretches along the first axis can be read.

    ``pipeline.io.records`` implements it over HDF5, :class:`MemoryArray` over an array, so that
    code that streams need not know where the numbers lie.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes, time first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Entries ``start`` to ``stop`` (exclusive) along the first axis."""


@dataclass(frozen=True, slots=True)
class MemoryArray:
    """An array in memory as an :class:`ArraySource`."""

    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes, time first."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.values.dtype

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Entries ``start`` to ``stop`` (exclusive) along the first axis."""
        return self.values[start:stop]


def blocks(
    source: ArraySource, *, max_bytes: int = 64 * 2**20
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Successive stretches of a source, each of at most ``max_bytes``, with where they start."""
    row_bytes = max(1, int(np.prod(source.shape[1:])) * source.dtype.itemsize)
    step = max(1, max_bytes // row_bytes)
    for start in range(0, source.shape[0], step):
        yield start, source.read(start, min(start + step, source.shape[0]))
