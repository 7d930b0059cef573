"""Chunks of HDF5 datasets, packed and unpacked by threads of our own.

HDF5 has one lock, under which it packs and unpacks one chunk after another. Here the library only
hands over the bytes of chunks as they lie in the file. That is done for numbers of plain types, and
for the filters that are known here exactly: shuffle, deflate and Zstandard. All else, a chunk that
is not stored or was stored without one of its dataset's filters included, is left to the library.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import h5py
import numpy as np
import pyarrow
from isal import isal_zlib
from numpy.typing import NDArray

THREADS = 2
"""That pack or unpack at once; a reader and a writer may have as many each."""
LEAST_BYTES = 2**20
"""Smaller pieces are not worth the threads."""
DEFLATE, SHUFFLE, ZSTD = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, 32015
KNOWN = {(SHUFFLE,), (DEFLATE,), (ZSTD,), (SHUFFLE, DEFLATE), (SHUFFLE, ZSTD)}
"""Filters that are undone here, in the order in which they are applied. Chunks without any are not
handed over safely: the library takes their size from one place of a file and reads by another."""


S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Form:
    """How the chunks of a dataset are stored."""

    filters: tuple[int, ...]
    level: int
    """Of Zstandard."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Of a chunk that is unpacked; those at the ends of axes are as long as all."""
        return math.prod(self.shape) * self.dtype.itemsize

    def unpacked(self, raw: bytes) -> NDArray[Any]:
        """The entries of a chunk.

        Raises
        ------
        OSError
            If the bytes are damaged, or are not those of exactly one chunk. No more memory is
            taken than that needs, whatever they would unpack to.
        """
        ends = True
        if ZSTD in self.filters:
            raw = pyarrow.Codec("zstd").decompress(raw, self.n_bytes, asbytes=True)
        elif DEFLATE in self.filters:
            inflater = isal_zlib.decompressobj()
            try:
                raw = inflater.decompress(raw, self.n_bytes + 1)
            except isal_zlib.error as error:  # type: ignore[misc]  # stubbed as an instance
                raise OSError(f"inflating a chunk failed: {error}") from error
            ends = inflater.eof
        if len(raw) != self.n_bytes or not ends:
            raise OSError(f"a chunk does not unpack to the {self.n_bytes} bytes declared")
        if SHUFFLE not in self.filters:
            return np.frombuffer(raw, dtype=self.dtype).reshape(self.shape)
        weights = np.frombuffer(raw, dtype=np.uint8).reshape(self.dtype.itemsize, -1)
        entries = np.empty(weights.shape[::-1], dtype=np.uint8)
        for place, own in enumerate(weights):  # several times as fast as one transposition
            entries[:, place] = own
        return entries.view(self.dtype).reshape(self.shape)

    def packed(self, entries: NDArray[Any]) -> bytes:
        """The bytes of a chunk by shuffle and Zstandard; what it lacks at ends of axes is zero."""
        whole = entries
        if entries.shape != self.shape:
            whole = np.zeros(self.shape, dtype=self.dtype)
            whole[tuple(slice(size) for size in entries.shape)] = entries
        raw = np.ascontiguousarray(whole).view(np.uint8).reshape(-1, self.dtype.itemsize)
        weights = np.empty(raw.shape[::-1], dtype=np.uint8)
        for place, own in enumerate(weights):
            own[:] = raw[:, place]
        packed: bytes = pyarrow.Codec("zstd", self.level).compress(weights, asbytes=True)
        return packed


def read_in_threads(
    dataset: h5py.Dataset, key: Sequence[slice], *, into: NDArray[Any] | None = None
) -> NDArray[Any] | None:
    """The entries in a rectangle, as the library would give them.

    Parameters
    ----------
    key
        One slice of step 1 for each axis; missing ones mean all.
    into
        An array of the rectangle's shape and the dataset's type to be filled.

    Returns
    -------
    The entries, or None where reading them is the library's work: nothing was read then.

    Raises
    ------
    OSError
        If a chunk is damaged, or unpacks to more than its dataset declares.
    """
    form = _form(dataset)
    if form is None:
        return None
    whole = (*key, *[slice(None)] * (len(dataset.shape) - len(key)))
    spans = [range(*part.indices(size)) for part, size in zip(whole, dataset.shape, strict=True)]
    shape = tuple(len(span) for span in spans)
    if math.prod(shape) * form.dtype.itemsize < LEAST_BYTES or any(s.step != 1 for s in spans):
        return None
    entries = np.empty(shape, dtype=form.dtype) if into is None else into

    def as_stored() -> Iterator[tuple[tuple[int, ...], bytes]]:
        for corner in _corners(spans, form.shape):
            try:
                left_out, raw = dataset.id.read_direct_chunk(corner)
            except (OSError, RuntimeError):  # a chunk that is not stored, above all
                left_out, raw = 1, b""
            if left_out:
                ours, shared = places(corner)
                entries[ours] = dataset[_within(shared, [0] * len(shared))]
            else:
                yield corner, raw

    def unpack(chunk: tuple[tuple[int, ...], bytes]) -> None:
        corner, raw = chunk
        ours, shared = places(corner)
        entries[ours] = form.unpacked(raw)[_within(shared, corner)]

    def places(corner: tuple[int, ...]) -> tuple[tuple[slice, ...], list[range]]:
        shared = [
            range(max(first, span.start), min(first + length, span.stop))
            for first, length, span in zip(corner, form.shape, spans, strict=True)
        ]
        return _within(shared, [span.start for span in spans]), shared

    for _ in _in_order(unpack, as_stored()):
        pass
    return entries


def can_write_in_threads(dataset: h5py.Dataset) -> bool:
    """Whether :func:`write_in_threads` knows how the dataset is packed."""
    form = _form(dataset)
    return form is not None and form.filters == (SHUFFLE, ZSTD)


def write_in_threads(dataset: h5py.Dataset, rows: NDArray[Any], *, first: int) -> None:
    """Write whole rows of chunks; the bytes of the file are those that the library would make.

    Parameters
    ----------
    rows
        C-contiguous entries of the dataset's type, from the first row of a chunk to the last one
        of a chunk or of the dataset.
    first
        Row of the dataset at which they begin.
    """
    form = _form(dataset)
    if form is None:
        raise ValueError(f"{dataset.name} is not packed in a way that is known here")
    spans = [range(first, first + len(rows)), *(range(size) for size in dataset.shape[1:])]

    def pack(corner: tuple[int, ...]) -> bytes:
        shared = [
            range(start, min(start + length, span.stop))
            for start, length, span in zip(corner, form.shape, spans, strict=True)
        ]
        return form.packed(rows[_within(shared, [first, *[0] * (len(spans) - 1)])])

    corners = _corners(spans, form.shape)
    for corner, packed in zip(corners, _in_order(pack, corners), strict=True):
        dataset.id.write_direct_chunk(corner, packed)


def _in_order(work: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """What threads make of items, which are taken in the caller's thread, a few ahead.

    The threads must not call the HDF5 library: a caller may hold its lock, as loops over groups do.
    """
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        pending: deque[Future[T]] = deque()
        for item in items:
            if len(pending) > THREADS:
                yield pending.popleft().result()
            pending.append(pool.submit(work, item))
        while pending:
            yield pending.popleft().result()


def _form(dataset: h5py.Dataset) -> _Form | None:
    """How the chunks are stored, if all of that is known here."""
    if dataset.chunks is None or dataset.dtype.kind not in "biuf":
        return None
    if not h5py.h5t.py_create(dataset.dtype, logical=True).equal(dataset.id.get_type()):
        return None  # numbers of fewer bits than their bytes have, for example
    plan = dataset.id.get_create_plist()
    found = [plan.get_filter(index) for index in range(plan.get_nfilters())]
    filters = tuple(number for number, *_ in found)
    parameters = {number: told for number, _, told, _ in found}
    itemsize = dataset.dtype.itemsize
    if filters not in KNOWN or parameters.get(SHUFFLE, (itemsize,)) != (itemsize,):
        return None
    level = parameters.get(ZSTD, ())
    return _Form(filters, level[0] if level else 1, dataset.chunks, dataset.dtype)


def _corners(spans: Sequence[range], chunk: Sequence[int]) -> list[tuple[int, ...]]:
    """The first entries of all chunks that have a part in a rectangle, in C order."""
    axes = (
        range(span.start // length * length, span.stop, length)
        for span, length in zip(spans, chunk, strict=True)
    )
    return list(itertools.product(*axes))


def _within(shared: Sequence[range], origin: Sequence[int]) -> tuple[slice, ...]:
    """Where a rectangle lies as seen from an origin."""
    return tuple(
        slice(part.start - start, part.stop - start)
        for part, start in zip(shared, origin, strict=True)
    )
