"""Products of affinities with factors, without or with the table of affinities.

A solver needs two products only. The table has a row for each cell (a bin of time in one slot) and
a column for each pair of units; unobserved entries are zero:

- over pairs: ``table @ pairs``, shape (cell, component);
- over cells: ``table.T @ weights``, shape (pair, component).

Where affinities are products of what single units do, both follow from the units' values: the
table is never made (:class:`UnitProducts`). Other tables are read in blocks along time
(:class:`TableProducts`). Data are in single precision, sums over many cells in double.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource, blocks

CACHE_PAIRS = 4096
"""Pairs whose lanes fit into a processor's second cache (256 KiB)."""

CELLS_A_JOB = 4096

Job = TypeVar("Job")


class Products(Protocol):
    """A table of affinities, zero where not observed, as a solver sees it."""

    @property
    def n_pairs(self) -> int:
        """Columns of the table."""

    @property
    def energy(self) -> NDArray[np.float64]:
        """Sum of squares of each row of the table, shape (cell,)."""

    def over_pairs(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table times factors of pairs, (pair, column) to (cell, column)."""

    def over_cells(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transposed table times weights of cells, (cell, column) to (pair, column)."""

    def of_cells(self, cells: NDArray[np.int64]) -> Products:
        """The same of some cells only, in their order."""

    def scaled(self, factor: NDArray[np.float64]) -> Products:
        """The same with the affinities of each cell multiplied by a factor, (cell,)."""

    def seen_only(self, seen: NDArray[np.bool_]) -> Products:
        """The same with zeros where not both units are seen, (cell, unit)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitColumns:
    """Affinities of cells as sums of outer products of sparse vectors over units.

    The affinity of units ``i`` and ``j`` in a cell is the sum over its columns of the product of
    their two values. Columns are sorted by cell, entries of a column by unit.
    """

    start: NDArray[np.int64]
    """Shape (column + 1,); entries of column ``k`` are ``start[k]`` to ``start[k + 1]``."""
    unit: NDArray[np.uint16]
    value: NDArray[np.float32]
    cell: NDArray[np.int64]
    """Shape (column,), not decreasing."""
    n_cells: int
    n_units: int

    @classmethod
    def of(
        cls,
        values: NDArray[np.floating],
        *,
        cell: NDArray[np.int64] | None = None,
        n_cells: int | None = None,
    ) -> UnitColumns:
        """From dense columns (column, unit), one a cell unless ``cell`` says which.

        Raises
        ------
        ValueError
            If there are more units than 16-bit numbers.
        """
        n_columns, n_units = values.shape
        if n_units > np.iinfo(np.uint16).max:
            raise ValueError(f"{n_units} units are more than {np.iinfo(np.uint16).max}.")
        kept = values != 0
        start = np.concatenate([[0], np.cumsum(np.count_nonzero(kept, axis=1))])
        units = np.broadcast_to(np.arange(n_units, dtype=np.uint16), values.shape)
        return cls(
            start=start.astype(np.int64),
            unit=units[kept],
            value=values[kept].astype(np.float32, copy=False),
            cell=np.arange(n_columns) if cell is None else cell,
            n_cells=n_columns if n_cells is None else n_cells,
            n_units=n_units,
        )

    def of_cells(self, cells: NDArray[np.int64]) -> UnitColumns:
        """The columns of some cells, in their order."""
        order = np.full(self.n_cells, -1, dtype=np.int64)
        order[cells] = np.arange(cells.size)
        kept = np.flatnonzero(order[self.cell] >= 0)
        kept = kept[np.argsort(order[self.cell[kept]], kind="stable")]
        size = np.diff(self.start)[kept]
        start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        entries = np.repeat(self.start[kept] - start[:-1], size) + np.arange(start[-1])
        return UnitColumns(
            start=start,
            unit=self.unit[entries],
            value=self.value[entries],
            cell=order[self.cell[kept]],
            n_cells=cells.size,
            n_units=self.n_units,
        )

    def beside(self, other: UnitColumns) -> UnitColumns:
        """Sums of the affinities of both."""
        order = np.argsort(np.concatenate([self.cell, other.cell]), kind="stable")
        size = np.concatenate([np.diff(self.start), np.diff(other.start)])
        begin = np.concatenate([self.start[:-1], other.start[:-1] + self.start[-1]])
        start = np.concatenate([[0], np.cumsum(size[order])]).astype(np.int64)
        entries = np.repeat(begin[order] - start[:-1], size[order]) + np.arange(start[-1])
        return UnitColumns(
            start=start,
            unit=np.concatenate([self.unit, other.unit])[entries],
            value=np.concatenate([self.value, other.value])[entries],
            cell=np.concatenate([self.cell, other.cell])[order],
            n_cells=self.n_cells,
            n_units=self.n_units,
        )

    def seen_only(self, seen: NDArray[np.bool_]) -> UnitColumns:
        """The same without the values of units that are not seen, (cell, unit)."""
        column = np.repeat(np.arange(self.cell.size), np.diff(self.start))
        kept = seen[self.cell[column], self.unit]
        size = np.bincount(column[kept], minlength=self.cell.size)
        return dataclasses.replace(
            self,
            start=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
            unit=self.unit[kept],
            value=self.value[kept],
        )

    def scaled(self, factor: NDArray[np.float64]) -> UnitColumns:
        """With the affinities of each cell multiplied by a factor, (cell,)."""
        root = np.sqrt(factor)[self.cell].astype(np.float32)
        return dataclasses.replace(self, value=self.value * np.repeat(root, np.diff(self.start)))


class UnitProducts:
    """Products with affinities that are sums of outer products, from the units' values alone.

    Parameters
    ----------
    columns
        What the affinities are made of.
    threads
        Threads to use; their number changes no digit.
    """

    def __init__(self, columns: UnitColumns, *, threads: int = 1) -> None:
        self.columns = columns
        self.threads = threads
        n_units = columns.n_units
        unit = np.arange(n_units, dtype=np.int64)
        self.n_pairs = n_units * (n_units - 1) // 2
        self._offset = unit * (2 * n_units - unit - 1) // 2 - unit - 1
        self._tiles = _tiles(n_units, CACHE_PAIRS)
        self._one_each = columns.cell.size == columns.n_cells and bool(
            (np.diff(columns.cell) == 1).all()
        )
        self.energy = self._energy()

    def over_pairs(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table times factors of pairs, (pair, column) to (cell, column)."""
        from pipeline.methods.connectome.kernels import products_over_pairs

        columns = self.columns
        lanes = _to_lanes(pair)
        found = np.empty((len(lanes), columns.cell.size, lanes.shape[2]), dtype=np.float32)

        def work(job: tuple[int, int, int]) -> None:
            group, *cells = job
            products_over_pairs(
                columns.start,
                columns.unit,
                columns.value,
                self._offset,
                self._tiles,
                lanes[group],
                found[group],
                tuple(cells),
            )

        stretches = _stretches(columns.cell.size, CELLS_A_JOB)
        _run(
            work, [(group, *one) for group in range(len(lanes)) for one in stretches], self.threads
        )
        return self._to_cells(_from_lanes(found, pair.shape[1]))

    def over_cells(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transposed table times weights of cells, (cell, column) to (pair, column)."""
        from pipeline.methods.connectome.kernels import products_over_columns

        columns = self.columns
        lanes = _to_lanes(weight if self._one_each else weight[columns.cell])
        found = np.zeros((len(lanes), self.n_pairs, lanes.shape[2]))

        def work(job: tuple[int, int, int]) -> None:
            group, first, stop = job
            size = int(_pairs_before(stop, columns.n_units) - _pairs_before(first, columns.n_units))
            products_over_columns(
                columns.start,
                columns.unit,
                columns.value,
                self._offset,
                lanes[group],
                np.empty((size, lanes.shape[2]), dtype=np.float32),
                found[group],
                (first, stop),
            )

        most = min(CACHE_PAIRS, max(1, self.n_pairs // (2 * self.threads)))
        tiles = _tiles(columns.n_units, CACHE_PAIRS if self.threads == 1 else most)
        bounds = [(int(first), int(stop)) for first, stop in itertools.pairwise(tiles)]
        _run(work, [(group, *one) for group in range(len(lanes)) for one in bounds], self.threads)
        return _from_lanes(found, weight.shape[1])

    def of_cells(self, cells: NDArray[np.int64]) -> UnitProducts:
        """The same of some cells only, in their order."""
        return self.made_of(self.columns.of_cells(cells))

    def scaled(self, factor: NDArray[np.float64]) -> UnitProducts:
        """The same with the affinities of each cell multiplied by a factor, (cell,)."""
        return self.made_of(self.columns.scaled(factor))

    def seen_only(self, seen: NDArray[np.bool_]) -> UnitProducts:
        """The same with zeros where not both units are seen, (cell, unit)."""
        return self.made_of(self.columns.seen_only(seen))

    def made_of(self, columns: UnitColumns) -> UnitProducts:
        """Products of other columns, computed in the same way."""
        return UnitProducts(columns, threads=self.threads)

    def _to_cells(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the columns of each cell."""
        if self._one_each:
            return found
        total = np.zeros((self.columns.n_cells, found.shape[1]))
        cell = self.columns.cell
        if cell.size:
            first = np.flatnonzero(np.concatenate([[True], np.diff(cell) > 0]))
            total[cell[first]] = np.add.reduceat(found, first, axis=0)
        return total

    def _energy(self) -> NDArray[np.float64]:
        """Sum of squared affinities of each cell."""
        from pipeline.methods.connectome.kernels import cell_energy

        columns = self.columns
        energy = np.zeros(columns.n_cells)
        cell_energy(columns.start, columns.unit, columns.value, columns.cell, energy)
        return energy


class SplitProducts:
    """Affinities in two channels, same and opposite directions, from the units' values alone.

    Opposite changes are what is left of all changes without the same ones, so that products of
    both channels follow from those of all changes and of the same ones. Pairs stand twice: same
    directions first.

    Parameters
    ----------
    every, same
        Products with affinities whatever the directions, and where they are the same.
    """

    def __init__(self, every: UnitProducts, same: UnitProducts) -> None:
        self._every, self._same = every, same
        self.n_pairs = 2 * self._every.n_pairs
        both = every.made_of(every.columns.beside(same.columns)).energy
        crossing = (both - self._every.energy - self._same.energy) / 2
        opposite = self._every.energy - 2 * crossing + self._same.energy
        self.energy = self._same.energy + np.maximum(opposite, 0)

    def over_pairs(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table times factors of pairs, (channel * pair, column) to (cell, column)."""
        same, opposite = np.split(pair, 2)
        return self._same.over_pairs(same - opposite) + self._every.over_pairs(opposite)

    def over_cells(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transposed table times weights of cells, (cell, column) to (channel * pair, column)."""
        same = self._same.over_cells(weight)
        return np.concatenate([same, self._every.over_cells(weight) - same])

    def of_cells(self, cells: NDArray[np.int64]) -> SplitProducts:
        """The same of some cells only, in their order."""
        return SplitProducts(self._every.of_cells(cells), self._same.of_cells(cells))

    def scaled(self, factor: NDArray[np.float64]) -> SplitProducts:
        """The same with the affinities of each cell multiplied by a factor, (cell,)."""
        return SplitProducts(self._every.scaled(factor), self._same.scaled(factor))

    def seen_only(self, seen: NDArray[np.bool_]) -> SplitProducts:
        """The same with zeros where not both units are seen, (cell, unit)."""
        return SplitProducts(self._every.seen_only(seen), self._same.seen_only(seen))


class TableProducts:
    """Products with a table that is there, or is made or read block by block.

    Parameters
    ----------
    source
        The table, (cell, pair), zero where not observed. It is read twice an iteration.
    threads
        Threads to use.
    max_bytes
        Most of the table to hold at a time.
    factor
        What the rows of the table are multiplied by, (cell,); by 1 where ``None``.
    """

    def __init__(
        self,
        source: ArraySource,
        *,
        threads: int = 1,
        max_bytes: int = 64 * 2**20,
        factor: NDArray[np.float64] | None = None,
    ) -> None:
        self._source = source
        self._threads = threads
        self._max_bytes = max_bytes
        self._factor = np.ones(source.shape[0]) if factor is None else factor
        self.n_pairs = source.shape[1]
        squares = [
            np.einsum("ij,ij->i", block, block, dtype=np.float64)
            for _, block in blocks(source, max_bytes=max_bytes)
        ]
        self.energy = np.concatenate([np.empty(0), *squares]) * self._factor**2

    def over_pairs(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table times factors of pairs, (pair, column) to (cell, column)."""
        from pipeline.methods.connectome.kernels import table_over_pairs

        lanes = _to_lanes(pair)
        found = np.empty((len(lanes), self._source.shape[0], lanes.shape[2]), dtype=np.float32)
        for begin, block in blocks(self._source, max_bytes=self._max_bytes):
            rows = found[:, begin : begin + len(block)]
            values = np.ascontiguousarray(block, dtype=np.float32)

            def work(
                job: tuple[int, int, int],
                values: NDArray[np.float32] = values,
                rows: NDArray[np.float32] = rows,
            ) -> None:
                group, *cells = job
                table_over_pairs(values, lanes[group], rows[group], tuple(cells), CACHE_PAIRS)

            stretches = _stretches(len(block), CELLS_A_JOB // 8)
            _run(
                work,
                [(group, *one) for group in range(len(lanes)) for one in stretches],
                self._threads,
            )
        return _from_lanes(found, pair.shape[1]) * self._factor[:, None]

    def over_cells(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transposed table times weights of cells, (cell, column) to (pair, column)."""
        from pipeline.methods.connectome.kernels import table_over_cells

        lanes = _to_lanes(weight * self._factor[:, None])
        found = np.zeros((len(lanes), self.n_pairs, lanes.shape[2]))
        for begin, block in blocks(self._source, max_bytes=self._max_bytes):
            rows = lanes[:, begin : begin + len(block)]
            values = np.ascontiguousarray(block, dtype=np.float32)

            def work(
                job: tuple[int, int, int],
                values: NDArray[np.float32] = values,
                rows: NDArray[np.float32] = rows,
            ) -> None:
                group, *pairs = job
                part = np.empty((pairs[1] - pairs[0], lanes.shape[2]), dtype=np.float32)
                table_over_cells(values, rows[group], part, found[group], tuple(pairs))

            stretches = _stretches(self.n_pairs, CACHE_PAIRS // 4)
            _run(
                work,
                [(group, *one) for group in range(len(lanes)) for one in stretches],
                self._threads,
            )
        return _from_lanes(found, weight.shape[1])

    def of_cells(self, cells: NDArray[np.int64]) -> TableProducts:
        """The same of some cells only, in their order."""
        return TableProducts(
            _Rows(self._source, cells),
            threads=self._threads,
            max_bytes=self._max_bytes,
            factor=self._factor[cells],
        )

    def scaled(self, factor: NDArray[np.float64]) -> TableProducts:
        """The same with the affinities of each cell multiplied by a factor, (cell,)."""
        return TableProducts(
            self._source,
            threads=self._threads,
            max_bytes=self._max_bytes,
            factor=self._factor * factor,
        )

    def seen_only(self, seen: NDArray[np.bool_]) -> TableProducts:
        """The same with zeros where not both units are seen, (cell, unit)."""
        return TableProducts(
            _Seen(self._source, seen),
            threads=self._threads,
            max_bytes=self._max_bytes,
            factor=self._factor,
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a source, as a source."""

    source: ArraySource
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return self.rows.size, *self.source.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.source.dtype

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        """The entries in a rectangle."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        rows = self.rows[first]
        if not rows.size:
            return np.empty((0, *self.source.shape[1:]), dtype=self.dtype)[:, *rest]
        low, high = int(rows.min()), int(rows.max()) + 1
        return self.source[(slice(low, high), *rest)][rows - low]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A source with zeros where not both units of a pair are seen, as a source.

    Its columns are all pairs of units, once or several times.
    """

    source: ArraySource
    seen: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return self.source.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.source.dtype

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        """The entries in a rectangle."""
        rows, *rest = key if isinstance(key, tuple) else (key,)
        one, other = np.triu_indices(self.seen.shape[1], 1)
        channels = self.source.shape[1] // one.size
        both = self.seen[rows][:, one] & self.seen[rows][:, other]
        values = np.where(np.tile(both, channels), self.source[rows], 0)
        return values[:, *rest]


def _run(work: Callable[[Job], None], jobs: Iterable[Job], threads: int) -> None:
    """Jobs that write to places of their own, over some threads."""
    if threads == 1:
        for job in jobs:
            work(job)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, jobs):
            pass


def _to_lanes(columns: NDArray[np.floating]) -> NDArray[np.float32]:
    """Columns (row, column) as lanes (group, row, lane), filled up with zeros."""
    from pipeline.methods.connectome.kernels import LANES

    n_rows, n_columns = columns.shape
    groups = -(-n_columns // LANES)
    lanes = np.zeros((groups, n_rows, LANES), dtype=np.float32)
    for group in range(groups):
        part = columns[:, group * LANES : (group + 1) * LANES]
        lanes[group, :, : part.shape[1]] = part
    return lanes


def _from_lanes(lanes: NDArray[np.floating], n_columns: int) -> NDArray[np.float64]:
    """Lanes (group, row, lane) as columns (row, column)."""
    joined = np.concatenate(list(lanes), axis=1) if len(lanes) > 1 else lanes[0]
    return joined[:, :n_columns].astype(np.float64)


def _stretches(size: int, step: int) -> list[tuple[int, int]]:
    """Bounds of stretches of at most ``step``."""
    return [(first, min(first + step, size)) for first in range(0, size, step)]


def _pairs_before(unit: NDArray[np.int64] | int, n_units: int) -> NDArray[np.int64]:
    """Pairs whose first unit comes before ``unit``."""
    before = np.asarray(unit, dtype=np.int64)
    return np.asarray(before * (2 * n_units - before - 1) // 2, dtype=np.int64)


def _tiles(n_units: int, most: int) -> NDArray[np.int64]:
    """Bounds of units whose pairs are at most ``most``, or of a single unit."""
    before = _pairs_before(np.arange(n_units + 1), n_units)
    bounds = [0]
    while bounds[-1] < n_units:
        stop = int(np.searchsorted(before, before[bounds[-1]] + most, side="right")) - 1
        bounds.append(min(max(stop, bounds[-1] + 1), n_units))
    return np.array(bounds, dtype=np.int64)
