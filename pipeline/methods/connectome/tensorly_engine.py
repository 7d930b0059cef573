"""Non-negative factors of a table of affinities with missing entries.

The model is time x recording x pair, or time x pair where recordings lie one after another.
Missing entries are handled exactly by minorise-maximise steps: they are filled with the current
model, a HALS iteration (Cichocki & Phan 2009, as implemented in TensorLy) follows, and again.
More iterations between two fillings would only fit what was filled in, and end far from the
optimum. Filling leaves the squared error of the observed entries as the whole error, and the
iterations can only lower it, so the error over observed entries never rises and never depends on
what is stored where nothing was observed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.methods.connectome.factorisation import Snapshot
from pipeline.methods.connectome.hals import Model
from pipeline.numerics.cp import balanced, khatri_rao, normalise

WINDOW = 5
"""HALS iterations over which the stopping rule looks at the error."""

BLOCK_ENTRIES = 4_000_000
"""Entries of the table that are worked on at a time, so that no second table is made."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Factors of one fit with unit-norm columns, largest weight first.

    Where the first factor was given, all factors are as fitted and all weights 1.
    """

    weight: NDArray[np.float64]
    """Shape (component,)."""
    factors: tuple[NDArray[np.float64], ...]
    """One a mode of the table, (entry, component)."""
    relative_error: float
    """Norm of the residual over the norm of the data, over observed entries."""
    errors: NDArray[np.float64]
    """Relative error before the first and after each five iterations."""
    converged: bool

    @property
    def explained(self) -> float:
        """Share of the sum of squares that the model explains, over observed entries."""
        return 1.0 - self.relative_error**2


def fit_nonnegative(
    values: NDArray[np.float32],
    observed: NDArray[np.bool_] | None,
    *,
    rank: int,
    rng: np.random.Generator,
    max_iterations: int,
    tolerance: float,
    progress: Progress = silent,
    fixed_first: NDArray[np.floating] | None = None,
    checkpoint: Callable[[Snapshot], None] | None = None,
    resume: Snapshot | None = None,
) -> Fit:
    """Non-negative CP factors from one random start.

    Parameters
    ----------
    values
        Non-negative table with two or more modes; entries that are not observed are not looked
        at.
    observed
        Same shape; ``None`` when everything is.
    rank
        Number of components.
    max_iterations
        Most HALS iterations.
    tolerance
        Ends when the relative error falls by less than this share over five iterations.
    fixed_first
        When given, the factor of the first mode, (entry, component), which then stays as it is;
        components keep its order.
    checkpoint, resume
        Given a snapshot of a table with two or three modes after every five iterations; one to go
        on from, to the same result to the last bit.

    Returns
    -------
    The factors and how the fit went.

    Raises
    ------
    ValueError
        If nothing observed differs from 0.
    """
    import tensorly
    from tensorly.cp_tensor import CPTensor
    from tensorly.decomposition import non_negative_parafac_hals

    tensorly.set_backend("numpy")
    if observed is not None and observed.all():
        observed = None
    norm = np.sqrt(_sum_of_squares(values, observed, factors=None))
    if norm == 0:
        raise ValueError("All observed affinities are 0; there is nothing to factorise.")
    work = values if observed is None else values.copy()
    factors: list[NDArray[Any]] = _random_start(
        values.shape, observed, rank=rank, rng=rng, norm=norm
    )
    if fixed_first is not None:
        factors[0] = fixed_first.astype(np.float32)
    errors: list[float] = []
    converged = False
    if resume is not None:  # the start was drawn all the same: others draw after it
        (model,) = resume.models
        factors, errors, (converged,) = model.factors(), list(model.errors), resume.done
    squared = _fill(work, values, observed, factors)
    errors = errors or [float(np.sqrt(squared) / norm)]
    ones = np.ones(rank, dtype=np.float32)
    n_rounds = -(-max_iterations // WINDOW)
    between_fillings = WINDOW if observed is None else 1
    while len(errors) <= n_rounds and not converged:
        for _ in range(WINDOW // between_fillings):
            found = non_negative_parafac_hals(
                work,
                rank,
                n_iter_max=between_fillings,
                init=CPTensor((ones, factors)),
                tol=None,
                fixed_modes=None if fixed_first is None else [0],
            )
            factors = [np.ascontiguousarray(factor) for factor in found.factors]
            if fixed_first is None:
                factors = balanced(factors)
            squared = _fill(work, values, observed, factors)
        errors.append(float(np.sqrt(squared) / norm))
        converged = errors[-2] - errors[-1] < tolerance * errors[-2]
        progress(len(errors) - 1, n_rounds, f"relative error {errors[-1]:.5f}")
        if checkpoint is not None:
            checkpoint(_snapshot(factors, errors, converged))
    if fixed_first is None:
        weight, unit = normalise(factors)
    else:
        weight, unit = np.ones(rank), tuple(factor.astype(np.float64) for factor in factors)
    return Fit(
        weight=weight,
        factors=unit,
        relative_error=errors[-1],
        errors=np.array(errors),
        converged=converged,
    )


def residual_sum_of_squares(
    values: NDArray[np.float32],
    observed: NDArray[np.bool_] | None,
    *,
    weight: NDArray[np.float64],
    factors: Sequence[NDArray[np.float64]],
) -> float:
    """Sum of squared residuals of a model over observed entries."""
    first = (factors[0] * weight).astype(np.float32)
    rest = [factor.astype(np.float32) for factor in factors[1:]]
    return _sum_of_squares(values, observed, factors=[first, *rest])


def _snapshot(
    factors: Sequence[NDArray[Any]], errors: Sequence[float], converged: bool
) -> Snapshot:
    """Where a fit is; a table without slots has one."""
    time, *slot, pair = factors
    model = Model(
        time=time,
        slot=slot[0] if slot else np.ones((1, time.shape[1])),
        pair=pair,
        errors=list(errors),
    )
    return Snapshot(iteration=WINDOW * (len(errors) - 1), models=(model,), done=(converged,))


def _random_start(
    shape: tuple[int, ...],
    observed: NDArray[np.bool_] | None,
    *,
    rank: int,
    rng: np.random.Generator,
    norm: float,
) -> list[NDArray[Any]]:
    """Uniform factors whose model is as large as the data where observed."""
    factors = [rng.random((size, rank), dtype=np.float32) for size in shape]
    zeros = np.zeros(shape[1:], dtype=np.float32)
    size = np.sqrt(_sum_of_squares(np.broadcast_to(zeros, shape), observed, factors=factors))
    return balanced([factors[0] * np.float32(norm / size), *factors[1:]])


def _blocks(shape: tuple[int, ...]) -> list[slice]:
    """Stretches of the first mode that hold a bounded number of entries."""
    step = max(1, BLOCK_ENTRIES // max(1, int(np.prod(shape[1:]))))
    return [slice(start, start + step) for start in range(0, shape[0], step)]


def _model_block(
    factors: Sequence[NDArray[np.floating]], rest: NDArray[np.floating], rows: slice
) -> NDArray[np.floating]:
    """The model on some rows of the first mode."""
    shape = (-1, *(len(factor) for factor in factors[1:]))
    return (factors[0][rows] @ rest.T).reshape(shape)


def _sum_of_squares(
    values: NDArray[np.float32],
    observed: NDArray[np.bool_] | None,
    *,
    factors: Sequence[NDArray[np.floating]] | None,
) -> float:
    """Sum of squares of the data, or of data minus model, over observed entries."""
    total = 0.0
    rest = None if factors is None else khatri_rao(factors[1:])
    for rows in _blocks(values.shape):
        gap = values[rows]
        if factors is not None and rest is not None:
            gap = gap - _model_block(factors, rest, rows)
        if observed is not None:
            gap = np.where(observed[rows], gap, np.float32(0))
        total += _squared(gap)
    return total


def _squared(gap: NDArray[np.floating]) -> float:
    """Sum of squares, with the rows' sums added in double precision."""
    rows = np.einsum("...i,...i->...", gap, gap)
    return float(rows.sum(dtype=np.float64))


def _fill(
    work: NDArray[np.float32],
    values: NDArray[np.float32],
    observed: NDArray[np.bool_] | None,
    factors: Sequence[NDArray[np.floating]],
) -> float:
    """Put the model where nothing is observed; the squared error where something is."""
    if observed is None:
        return _sum_of_squares(values, None, factors=factors)
    total = 0.0
    rest = khatri_rao(factors[1:])
    for rows in _blocks(values.shape):
        model = _model_block(factors, rest, rows)
        work[rows] = np.where(observed[rows], values[rows], model)
        gap = work[rows] - model
        total += _squared(gap)
    return total
