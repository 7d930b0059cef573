"""Arrays that may not fit in memory, read piece by piece."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EnvironmentFault

BLOCK_BYTES = 64 * 2**20
"""How much of an array is held at once while it is worked through."""


@runtime_checkable
class ArraySource(Protocol):
    """An array of known shape of which rectangles can be read; any NumPy array is one.

    Readers of files implement it over HDF5, so that code that streams need not know where the
    numbers lie. A source may have an attribute ``chunks``: the shape of the pieces in which it is
    stored, of which each is decoded as a whole.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes, time first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        """The entries in a rectangle: one slice an axis, missing ones mean all."""


def memory_bytes() -> int:
    """Memory this process may have: the machine's, or what a scheduler or container allows."""
    machine = int(os.sysconf("SC_PAGE_SIZE")) * int(os.sysconf("SC_PHYS_PAGES"))
    return min([machine, *group_limits()])


def group_limits(
    told: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """Limits in bytes of the control groups of this process, of both versions of Linux's groups.

    Parameters
    ----------
    told
        Where the system names the groups.
    root
        Folder of all groups.
    """
    lines = told.read_text().splitlines() if told.exists() else []
    for _, controllers, group in (line.split(":", 2) for line in lines):
        if not controllers:
            base, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = base / group.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(base):
                with suppress(OSError, ValueError):  # not seen from inside a container; "max"
                    yield int((folder / name).read_text())


def check_room(n_bytes: int, *, what: str, fix: str) -> None:
    """Refuse what this machine's memory cannot hold, before anything of it is made.

    Parameters
    ----------
    n_bytes
        How much will be in memory at once, at least.
    what
        It in words, such as "counts of 1000 units in 10^9 bins".
    fix
        What makes it smaller.

    Raises
    ------
    EnvironmentFault
        If it is larger than the memory (RN-R03).
    """
    if n_bytes > memory_bytes():
        raise EnvironmentFault(
            code="RN-R03",
            found=f"{what} would take {n_bytes / 1e9:.3g} GB, and this job has "
            f"{memory_bytes() / 1e9:.3g} GB of memory",
            fix=f"{fix}, or give the job more memory",
        )


def loaded_whole(source: ArraySource) -> NDArray[Any]:
    """A source as an array in memory, if that has room for it: raises as :func:`check_room`."""
    check_room(
        math.prod(source.shape) * source.dtype.itemsize,
        what=f"an array of {' x '.join(map(str, source.shape))} entries that is used as a whole",
        fix="use fewer units or a coarser grid of time",
    )
    return source[:]


def pieces(
    source: ArraySource, *, max_bytes: int = BLOCK_BYTES, axes: tuple[int, ...] | None = None
) -> Iterator[tuple[slice, ...]]:
    """Rectangles that cover a source, of whole chunks, each as large as ``max_bytes`` allows.

    A single chunk that is larger comes as it is. Rectangles span the last axes first, so that
    they are stretches of time wherever the chunks of one stretch fit.

    Parameters
    ----------
    axes
        Axes that may be cut; all where ``None``.
    """
    shape = source.shape
    sizes = list(_chunk(source))
    for axis in set(range(len(shape))) - set(range(len(shape)) if axes is None else axes):
        sizes[axis] = max(1, shape[axis])
    for axis in reversed(range(len(shape))):
        fitting = max_bytes // max(1, math.prod(sizes) * source.dtype.itemsize)
        sizes[axis] = max(1, min(shape[axis], sizes[axis] * max(1, fitting)))
    steps = [
        [slice(start, min(start + size, whole)) for start in range(0, whole, size)]
        for whole, size in zip(shape, sizes, strict=True)
    ]
    yield from itertools.product(*steps)


def _chunk(source: ArraySource) -> tuple[int, ...]:
    """Shape of the pieces in which a source is stored; single entries where it has no chunks."""
    stored = getattr(source, "chunks", None) or (1,) * len(source.shape)
    return tuple(max(1, min(*pair)) for pair in zip(stored, source.shape, strict=True))


def loaded(*sources: ArraySource) -> tuple[NDArray[Any], ...]:
    """Sources of one shape as arrays in memory, read side by side; arrays are taken as they are."""
    if all(isinstance(source, np.ndarray) for source in sources):
        return tuple(np.asarray(source) for source in sources)
    arrays = tuple(np.empty(source.shape, dtype=source.dtype) for source in sources)
    for key in pieces(sources[0]):
        for array, source in zip(arrays, sources, strict=True):
            array[key] = source[key]
    return arrays


def blocks(
    source: ArraySource, *, max_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Successive stretches of a source along time, of about ``max_bytes``, with where they start.

    Stretches are of whole chunks, so that nothing is decoded twice.
    """
    for key in pieces(source, max_bytes=max_bytes, axes=(0,)):
        yield key[0].start, source[key]


def bands(
    source: ArraySource, columns: NDArray[np.intp], *, max_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[NDArray[np.intp], slice]]:
    """Columns of a source of shape (time, column), grouped by the stretch to read for them.

    Parameters
    ----------
    columns
        Columns that are wanted, in any order.

    Yields
    ------
    Places in ``columns``, and the stretch of columns, of about ``max_bytes``, in which all of
    them lie. Stretches without a wanted column are left out.
    """
    for _, stretch in pieces(source, max_bytes=max_bytes, axes=(1,)):
        places = np.flatnonzero((columns >= stretch.start) & (columns < stretch.stop))
        if places.size:
            yield places, stretch


def side_by_side(sources: Sequence[ArraySource]) -> ArraySource:
    """Sources of shape (time, column) as one; rows that only some of them have are left out."""
    return sources[0] if len(sources) == 1 else _SideBySide(tuple(sources))


@dataclass(frozen=True, slots=True, eq=False)
class _SideBySide:
    """Columns of several sources, one after another."""

    sources: tuple[ArraySource, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        n_rows = min(source.shape[0] for source in self.sources)
        return n_rows, sum(source.shape[1] for source in self.sources)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.sources[0].dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """The largest pieces in which one of the sources is stored."""
        rows, columns = zip(*(_chunk(source) for source in self.sources), strict=True)
        return max(rows), max(columns)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        parts = (*key, slice(None))[:2] if isinstance(key, tuple) else (key, slice(None))
        rows, columns = (
            slice(*part.indices(size)) for part, size in zip(parts, self.shape, strict=True)
        )
        found, first = [], 0
        for source in self.sources:
            start = max(0, columns.start - first)
            stop = min(source.shape[1], columns.stop - first)
            if start < stop:
                found.append(source[rows, start:stop])
            first += source.shape[1]
        return np.hstack(found) if found else np.empty((rows.stop - rows.start, 0), self.dtype)


def rows_of(source: ArraySource, rows: slice) -> ArraySource:
    """A stretch of a source along time, still read piece by piece; of an array a view of it.

    Parameters
    ----------
    rows
        With a start and a stop, no step.
    """
    return source[rows] if isinstance(source, np.ndarray) else _Rows(source, rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Some successive rows of a source."""

    source: ArraySource
    rows: slice

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.stop - self.rows.start, *self.source.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        first, *others = key if isinstance(key, tuple) else (key,)
        start, stop, _ = first.indices(self.shape[0])
        return self.source[slice(self.rows.start + start, self.rows.start + stop), *others]
