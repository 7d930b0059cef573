"""Products of affinities with factors as products of whole matrices, on a graphics card or not.

The solver is the one of :mod:`hals`, with its exact masks, shared passes and stopping rule; only
the two products with the data, nearly all of the work, are made here. With ``u`` the units' values
in a cell and ``C`` a component's pair strengths as a strictly upper triangle, over pairs it is
``u' C u``, for many cells and components at once; over cells it is the upper triangle of the sum of
``w u u'``. Numbers are in single precision, never rounded to TensorFloat-32, and sums over many
cells are added up in double.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import UnitColumns, UnitProducts
from pipeline.numerics.device import device_of

Tensor = Any  # torch.Tensor

ROOM_BYTES = {"cpu": 64 * 2**20, "cuda": 2**30}
"""What one batch of products may take."""

CELLS_A_SUM = 4096
"""Cells whose products are summed in single precision."""


def device_for(config: ConnectomeConfig) -> str:
    """The device that the settings ask for.

    Raises
    ------
    EnvironmentFault
        If a graphics card is asked for and there is none (RN-R18).
    """
    return device_of(config.device, setting="methods.connectome.device")


class TorchProducts(UnitProducts):
    """The products of :class:`UnitProducts` by torch.

    Parameters
    ----------
    columns
        What the affinities are made of; they are held as a whole matrix (column, unit) on the
        device once they are needed.
    device
        Of torch.
    threads
        Threads of torch on a processor; their number may change the last digits.
    """

    def __init__(self, columns: UnitColumns, *, device: str, threads: int = 1) -> None:
        super().__init__(columns, threads=threads)
        self.device = device
        self._held: Tensor | None = None
        first, second = np.triu_indices(columns.n_units, 1)
        self._place = first * columns.n_units + second

    def over_pairs(self, pair: NDArray[np.float64]) -> NDArray[np.float64]:
        """Table times factors of pairs, (pair, column) to (cell, column)."""
        values = self._values()
        n_units = self.columns.n_units
        found = np.empty((len(values), pair.shape[1]))
        place = torch.as_tensor(self._place, device=self.device)
        with _exact(self.threads):
            for columns in _steps(pair.shape[1], self._room(n_units * n_units)):
                strength = torch.zeros(
                    (columns.stop - columns.start, n_units * n_units), device=self.device
                )
                strength[:, place] = self._sent(pair[:, columns].T)
                strength = strength.reshape(-1, n_units, n_units)
                for cells in _steps(len(values), self._room(len(strength) * n_units)):
                    here = values[cells]
                    product = (torch.matmul(here, strength) * here).sum(dim=2)
                    found[cells, columns] = product.T.double().cpu().numpy()
        return self._to_cells(found)

    def over_cells(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transposed table times weights of cells, (cell, column) to (pair, column)."""
        values = self._values()
        n_units = self.columns.n_units
        of_column = weight if self._one_each else weight[self.columns.cell]
        found = np.empty((self.n_pairs, weight.shape[1]))
        place = torch.as_tensor(self._place, device=self.device)
        with _exact(self.threads):
            for columns in _steps(weight.shape[1], self._room(n_units * n_units)):
                n_columns = columns.stop - columns.start
                total = torch.zeros(
                    (n_columns, self.n_pairs), dtype=torch.float64, device=self.device
                )
                most = min(CELLS_A_SUM, self._room(n_columns * n_units))
                for cells in _steps(len(values), most):
                    here = values[cells]
                    weighted = here.T[None] * self._sent(of_column[cells, columns].T)[:, None]
                    square = torch.matmul(weighted, here).reshape(n_columns, -1)
                    total += square[:, place]
                found[:, columns] = total.T.cpu().numpy()
        return found

    def made_of(self, columns: UnitColumns) -> TorchProducts:
        """Products of other columns, computed in the same way."""
        return TorchProducts(columns, device=self.device, threads=self.threads)

    def _values(self) -> Tensor:
        """The units' values as a matrix (column, unit) on the device."""
        if self._held is None:
            columns = self.columns
            values = np.zeros((columns.cell.size, columns.n_units), dtype=np.float32)
            row = np.repeat(np.arange(columns.cell.size), np.diff(columns.start))
            values[row, columns.unit] = columns.value
            self._held = torch.as_tensor(values, device=self.device)
        return self._held

    def _sent(self, values: NDArray[np.float64]) -> Tensor:
        """Numbers in single precision on the device."""
        return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=self.device)

    def _room(self, entries: int) -> int:
        """How many times so many entries fit into one batch; once at least."""
        return max(1, ROOM_BYTES[self.device] // (4 * max(entries, 1)))


def _steps(size: int, step: int) -> Iterator[slice]:
    """Stretches of at most ``step``."""
    for first in range(0, size, step):
        yield slice(first, min(first + step, size))


@contextmanager
def _exact(threads: int) -> Iterator[None]:
    """Products in single precision as it is, with some threads; both as before afterwards."""
    before, rounded = torch.get_num_threads(), torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cuda.matmul.allow_tf32 = rounded
