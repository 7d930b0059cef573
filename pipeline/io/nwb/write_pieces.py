"""Arrays on their way into an NWB file, piece by piece where they need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hdmf.backends.hdf5 import H5DataIO
from hdmf.data_utils import GenericDataChunkIterator
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource, pieces

BLOCK_BYTES = 32 * 2**20
"""How much of an array is in memory at once."""
CHUNK_MB = 1.0
"""Chunks of what has none of its own."""

Key = slice | tuple[slice, ...]


def packed(values: ArraySource) -> Any:  # Any: what pynwb takes for data
    """An array that is compressed in the file; empty ones cannot be.

    Arrays in memory are handed over as they are; of other sources, pieces of whole chunks are
    read while the file is written.
    """
    if 0 in values.shape:
        return values[:]
    data = values if isinstance(values, np.ndarray) else _Pieces(values)
    return H5DataIO(data, compression="gzip", shuffle=True)


# pynwb asks iterators for their pieces when the whole file is laid out.
class _Pieces(GenericDataChunkIterator):  # type: ignore[misc]  # the library has no types
    """Pieces of a source, as the writer of NWB files asks for them."""

    def __init__(self, source: ArraySource) -> None:
        self._source = source
        chunks = getattr(source, "chunks", None)
        layout: dict[str, Any] = {"chunk_mb": CHUNK_MB, "buffer_gb": BLOCK_BYTES / 1e9}
        if chunks is not None:
            first = next(pieces(source, max_bytes=BLOCK_BYTES))
            layout = {
                "chunk_shape": tuple(map(min, chunks, source.shape)),
                "buffer_shape": tuple(part.stop for part in first),
            }
        super().__init__(**layout)

    def _get_data(self, selection: tuple[slice, ...]) -> NDArray[Any]:
        return self._source[selection]

    def _get_maxshape(self) -> tuple[int, ...]:
        return self._source.shape

    def _get_dtype(self) -> np.dtype[Any]:
        return self._source.dtype


@dataclass(frozen=True, slots=True, eq=False)
class _Derived:
    """A source that is made from another one of the same shape."""

    source: ArraySource

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return getattr(self.source, "chunks", None)


def masked(values: ArraySource, valid: ArraySource) -> ArraySource:
    """Samples, NaN where they are not valid."""
    source = _Masked(values, valid)
    return source[:] if isinstance(values, np.ndarray) else source


@dataclass(frozen=True, slots=True, eq=False)
class _Masked(_Derived):
    """Samples, NaN where they are not valid."""

    valid: ArraySource

    def __getitem__(self, key: Key, /) -> NDArray[np.float32]:
        return np.where(self.valid[key], self.source[key], np.float32(np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class _Bytes(_Derived):
    """Whole grey levels as single bytes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def __getitem__(self, key: Key, /) -> NDArray[np.uint8]:
        return self.source[key].astype(np.uint8)


def whole_levels(frames: ArraySource) -> ArraySource:
    """Frames of whole grey levels as single bytes, others as they are.

    Frames that are not in memory are read once for this, and again when they are written.
    """
    if isinstance(frames, np.ndarray):
        return frames.astype(np.uint8) if _are_levels(frames) else frames
    read = (frames[key] for key in pieces(frames, max_bytes=BLOCK_BYTES))
    return _Bytes(frames) if all(map(_are_levels, read)) else frames


def single_images(images: ArraySource) -> Iterator[Any]:  # Any: what pynwb takes for data
    """Each of many images of shape (image, x, y, channel) by itself; a single channel has no axis.

    Images that are not in memory are read when they are written.
    """
    for number in range(images.shape[0]):
        image = _Image(images, number)
        yield image[:] if isinstance(images, np.ndarray) else packed(image)


@dataclass(frozen=True, slots=True, eq=False)
class _Image(_Derived):
    """One of many images."""

    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        _, *plane, n_channels = self.source.shape
        return (*plane,) if n_channels == 1 else (*plane, n_channels)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return self.shape

    def __getitem__(self, key: Key, /) -> NDArray[Any]:
        own = self.source[self.number : self.number + 1].reshape(self.shape)
        return own[key]


def _are_levels(frames: NDArray[Any]) -> bool:
    with np.errstate(invalid="ignore"):  # NaN is no level
        return bool(np.array_equal(frames.astype(np.uint8), frames))
