"""Chunks decoded side by side, outside of the HDF5 library, which does one thing at a time.

Most files are compressed with gzip, with or without bytes shuffled. What is packed in such chunks
is taken from the library as it is stored and unpacked in several threads, while the library can
already write something else. Whatever is not of this kind, or is odd, is left to the library.
"""

from __future__ import annotations

import itertools
import math
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

DEFLATE, SHUFFLE = 1, 2
"""Numbers of HDF5's filters."""
FILTERS = ((DEFLATE,), (SHUFFLE, DEFLATE))
WORDS = {2: "<u2", 4: "<u4", 8: "<u8"}
FROM_BYTES = 2**20
"""Smaller pieces are not worth a thread."""
MOST_THREADS = 3


def unpacked(dataset: h5py.Dataset, key: tuple[slice, ...], out: NDArray[Any]) -> bool:
    """Fill an array with the entries in a rectangle, if its chunks are of the usual kind.

    Parameters
    ----------
    key
        One slice an axis; missing ones mean all.
    out
        Of the rectangle's shape and the dataset's type.

    Returns
    -------
    Whether that was done; if not, ``out`` holds anything.
    """
    filters = _filters(dataset)
    if filters not in FILTERS or dataset.dtype.kind not in "iuf" or out.nbytes < FROM_BYTES:
        return False
    if SHUFFLE in filters and dataset.dtype.itemsize not in (1, *WORDS):
        return False
    parts = (*key, *[slice(None)] * (len(dataset.shape) - len(key)))
    ranges = [slice(*part.indices(size)) for part, size in zip(parts, dataset.shape, strict=True)]
    if any(part.step != 1 for part in ranges):
        return False

    def unpack(first: tuple[int, ...], raw: bytes) -> bool:
        entries = _entries(raw, dataset, is_shuffled=SHUFFLE in filters)
        if entries is None:
            return False
        own, there = [], []
        for start, size, part in zip(first, dataset.chunks, ranges, strict=True):
            low, high = max(start, part.start), min(start + size, part.stop)
            own.append(slice(low - start, high - start))
            there.append(slice(low - part.start, high - part.start))
        out[tuple(there)] = entries[tuple(own)]
        return True

    firsts = itertools.product(
        *(
            range(part.start // size * size, part.stop, size)
            for part, size in zip(ranges, dataset.chunks, strict=True)
        )
    )
    waiting = []
    with ThreadPoolExecutor(max_workers=_n_threads()) as pool:
        for first in firsts:
            raw = _stored(dataset, first)
            if raw is None:
                return False
            waiting.append(pool.submit(unpack, first, raw))
    return all(one.result() for one in waiting)


def _filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    plan = dataset.id.get_create_plist()
    return tuple(plan.get_filter(index)[0] for index in range(plan.get_nfilters()))


def _stored(dataset: h5py.Dataset, first: tuple[int, ...]) -> bytes | None:
    """The bytes of a chunk that went through all filters; None of others and of absent ones."""
    try:
        skipped, raw = dataset.id.read_direct_chunk(first)
    except (OSError, RuntimeError, ValueError):
        return None
    return None if skipped else raw


def _entries(raw: bytes, dataset: h5py.Dataset, *, is_shuffled: bool) -> NDArray[Any] | None:
    """The entries of a chunk; None where the bytes are not what they should be."""
    dtype, shape = dataset.dtype, dataset.chunks
    n_bytes = math.prod(shape) * dtype.itemsize
    stream = zlib.decompressobj()
    try:
        plain: bytes | memoryview = stream.decompress(raw, n_bytes + 1)
    except zlib.error:
        return None
    if not stream.eof or len(plain) != n_bytes:
        return None
    if is_shuffled and dtype.itemsize > 1:
        planes = np.frombuffer(plain, dtype=np.uint8).reshape(dtype.itemsize, -1)
        words = planes[-1].astype(WORDS[dtype.itemsize])
        for plane in planes[-2::-1]:
            words <<= 8
            words |= plane
        plain = words.data
    entries: NDArray[Any] = np.frombuffer(plain, dtype=dtype).reshape(shape)
    return entries


@cache
def _n_threads() -> int:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, here)
