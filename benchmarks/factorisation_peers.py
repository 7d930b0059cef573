"""Other programs that factorise the same table, from the same start, for as many iterations.

Packages that are no dependency (tensortools) are installed into a folder of their own for the run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.methods.connectome.hals import Model

Factors = tuple[np.ndarray, ...]
"""Of time, animals and pairs."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A solver by name; ``run(iterations)`` starts anew and returns the factors."""

    name: str
    run: Callable[[int], Factors]


@contextmanager
def installed(*packages: str) -> Iterator[None]:
    """Packages that can be imported while it lasts."""
    with TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
        subprocess.run([*pip, *packages], check=True)
        sys.path.insert(0, folder)
        try:
            yield
        finally:
            sys.path.remove(folder)


def peers_of(table: np.ndarray, start: Model) -> list[Peer]:
    """All peers on a complete table."""
    first = (start.time, start.slot, start.pair)
    return [
        Peer("tensortools ncp_hals", tensortools("ncp_hals", table, first)),
        Peer("tensortools ncp_bcd", tensortools("ncp_bcd", table, first)),
        Peer("TensorLy HALS float64", tensorly(table, first)),
        Peer("TensorLy HALS float32", tensorly(table.astype(np.float32), first)),
    ]


def tensortools(
    name: str, table: np.ndarray, start: Factors, mask: np.ndarray | None = None
) -> Callable[[int], Factors]:
    """A solver of tensortools; with a mask it fills in what is missing as it goes."""
    from tensortools import optimize
    from tensortools.tensors import KTensor

    solver = getattr(optimize, name)
    masked = {} if mask is None else {"mask": mask}

    def run(iterations: int) -> Factors:
        # It stops after one iteration more than it is told.
        most = {"max_iter": iterations - 1, "min_iter": iterations - 1, "tol": -np.inf}
        init = KTensor([factor.copy() for factor in start])
        rank = start[0].shape[1]
        found = solver(table, rank, init=init, verbose=False, **masked, **most)
        if found.iterations != iterations:
            raise RuntimeError(f"{name} made {found.iterations} iterations, not {iterations}.")
        return tuple(found.factors)

    return run


def tensorly(table: np.ndarray, start: Factors) -> Callable[[int], Factors]:
    """TensorLy's HALS in the precision of the table."""
    from tensorly.cp_tensor import CPTensor
    from tensorly.decomposition import non_negative_parafac_hals

    rank = start[0].shape[1]

    def run(iterations: int) -> Factors:
        factors = [factor.astype(table.dtype) for factor in start]
        init = CPTensor((np.ones(rank, dtype=table.dtype), factors))
        found = non_negative_parafac_hals(table, rank, n_iter_max=iterations, init=init, tol=None)
        return tuple(found.factors)

    return run


def relative_error(table: np.ndarray, factors: Factors, present: np.ndarray | None = None) -> float:
    """Norm of the residual over the norm of the table, over what is observed, (animal, pair)."""
    time, slot, pair = (np.asarray(factor, dtype=np.float64) for factor in factors)
    wrong = total = 0.0
    for animal in range(table.shape[1]):
        seen = slice(None) if present is None else present[animal]
        values = table[:, animal, seen]
        wrong += float(((values - (time * slot[animal]) @ pair[seen].T) ** 2).sum())
        total += float((values**2).sum())
    return float(np.sqrt(wrong / total))
