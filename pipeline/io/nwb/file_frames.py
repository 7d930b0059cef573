"""Frames that lie in files beside a recording, as one source that decodes what is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.io.nwb.external_files import ExternalFile
from pipeline.io.nwb.outside import at_end


@dataclass(slots=True, eq=False)
class FileFrames(ABC):
    """Frames of files one after another, as float32."""

    place: str
    files: tuple[ExternalFile, ...]
    first: NDArray[np.int64]
    """Number of the first frame of each file, and of all frames; shape (file + 1,)."""
    shape: tuple[int, ...]
    """Frames, pixels along x (a picture's columns) and y (its rows), channels of colour if any."""

    def __post_init__(self) -> None:
        at_end(self._close)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One frame."""
        return (1, *self.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return np.dtype(np.float32)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[np.float32]:
        """The entries in a rectangle.

        Raises
        ------
        DataError
            If a file is damaged, or holds other frames than its beginning says.
        """
        parts = key if isinstance(key, tuple) else (key,)
        wanted = range(self.shape[0])[parts[0]]
        found = np.empty((len(wanted), *self.shape[1:]), dtype=np.float32)
        for place, number in enumerate(wanted):
            at = int(np.searchsorted(self.first, number, side="right")) - 1
            found[place] = self._frame(number, at)
        return found[(slice(None), *parts[1:])]

    @abstractmethod
    def _frame(self, number: int, at: int) -> NDArray[Any]:
        """The frame of a number, which lies in the file at a place among the files."""

    @abstractmethod
    def _close(self) -> None:
        """Close the file that is open, if one is."""
