"""Non-negative factors by hierarchical alternating least squares, with exact masks.

Each column of a factor is set to its exact non-negative minimiser in turn (Cichocki & Phan 2009),
several times a mode while the products with the data are at hand (Gillis & Glineur 2012). The model
is ``sum over r of time[t, r] slot[a, r] pair[p, r]``, all factors non-negative, and the objective

``1/2 sum of squared residuals over observed entries + sparse * sum(pair)
+ smooth/2 * sum of squared differences in time + ridge/2 * sum of squares of all factors``

never rises. One iteration reads the data twice: once for time and slots, once for pairs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.contraction import Products
from pipeline.methods.connectome.masks import Observed, cell_weights
from pipeline.numerics.cp import balanced

INNER = 3
"""Passes over the columns of a mode for one product with the data."""

ENOUGH = 0.01
"""Passes end when one changes the factor by less than this share of the first one's change."""

MOST_SEEDS = 3
"""How often columns that became all zero are put on the largest residual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """Strengths of the penalties; all off by default."""

    sparse: float = 0.0
    """On the sum of the pair factor."""
    smooth: float = 0.0
    """On squared differences of the time factor between frames that follow each other."""
    ridge: float = 0.0
    """On the squares of all factors."""

    def __post_init__(self) -> None:
        if min(self.sparse, self.smooth, self.ridge) < 0:
            raise ValueError("Penalties must not be negative.")
        if (self.sparse > 0 or self.smooth > 0) and self.ridge == 0:
            raise ValueError(
                "A penalty on sparseness or smoothness does nothing without one on the size of "
                "all factors: shrinking one factor and enlarging another makes it vanish."
            )

    @property
    def any(self) -> bool:
        """Whether anything is penalised."""
        return self.ridge > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What is factorised: data, what of them is observed, and what is penalised."""

    products: Products
    observed: Observed
    penalty: Penalty = field(default_factory=Penalty)
    linked: NDArray[np.bool_] | None = None
    """Whether rows of time ``i`` and ``i + 1`` follow each other; all do when ``None``."""

    @property
    def size(self) -> float:
        """Norm of the data."""
        return float(np.sqrt(self.products.energy.sum()))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows of time, slots, pairs."""
        return self.observed.n_rows, self.observed.n_slots, self.products.n_pairs

    def seen_only(self, seen: NDArray[np.bool_]) -> Problem:
        """The problem where units are observed only where they are also seen, (row, slot, unit)."""
        observed = self.observed.seen[self.observed.pattern] & seen
        return dataclasses.replace(
            self,
            products=self.products.seen_only(observed.reshape(-1, self.observed.n_units)),
            observed=Observed.of(
                observed,
                max_groups=self.observed.max_groups,
                channels=self.observed.channels,
            ),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Model:
    """Factors on their way; changed in place by :func:`iterate`."""

    time: NDArray[np.float64]
    slot: NDArray[np.float64]
    pair: NDArray[np.float64]
    errors: list[float] = field(default_factory=list)
    """Relative error over observed entries after each iteration."""
    objectives: list[float] = field(default_factory=list)
    """Objective with penalties, after each iteration."""
    n_seeds: int = 0
    """Times that columns which became all zero were put elsewhere."""

    @property
    def rank(self) -> int:
        """Number of columns."""
        return int(self.pair.shape[1])

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Columns that are all zero in some mode, shape (component,)."""
        factors = (self.time, self.slot, self.pair)
        used = [(factor > 0).any(axis=0) for factor in factors]
        return np.asarray(~np.logical_and.reduce(used), dtype=bool)

    def factors(self) -> list[NDArray[np.float64]]:
        """Factors of the modes that have more than one entry."""
        return [self.time, self.pair] if len(self.slot) == 1 else [self.time, self.slot, self.pair]

    def put(self, factors: Sequence[NDArray[Any]]) -> None:
        """Take the factors of :meth:`factors` back."""
        self.time, self.pair = factors[0], factors[-1]
        if len(factors) == 3:
            self.slot = factors[1]


def iterate(problem: Problem, models: Sequence[Model]) -> None:
    """One iteration of all models, which share the two passes over the data."""
    over_pairs = _shared(problem.products.over_pairs, [one.pair for one in models])
    for model, product in zip(models, over_pairs, strict=True):
        _seed_again(problem, model, product)
        _update_cells(problem, model, product)
        del product
    del over_pairs  # as large as the weights that follow, and not needed beside them
    weights = [cell_weights(one.time, one.slot) for one in models]
    for model, product in zip(models, _shared(problem.products.over_cells, weights), strict=True):
        _update_pairs(problem, model, product)


def _shared(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    columns: Sequence[NDArray[np.float64]],
) -> list[NDArray[np.float64]]:
    """One pass over the data for the columns of all models, by model."""
    if len(columns) == 1:
        return [product(columns[0])]
    bounds = np.cumsum([one.shape[1] for one in columns])[:-1]
    return np.split(product(np.concatenate(columns, axis=1)), bounds, axis=1)


def kkt_residual(problem: Problem, model: Model) -> float:
    """Largest distance from the conditions of a minimum over modes; it has no unit.

    For each factor the norm of ``min(factor, gradient)`` over one plus the factor's norm, with the
    data divided by their norm and each component's weight spread evenly over the modes.
    """
    size = problem.size
    if not problem.penalty.any:
        model = Model(time=model.time, slot=model.slot, pair=model.pair)
        model.put(balanced(model.factors()))
    modes = len(model.factors())
    unit = size ** (1 / modes)
    gradients = _gradients(problem, model)
    return max(
        float(
            np.linalg.norm(np.minimum(factor / unit, gradient / (size * size / unit)))
            / (1 + np.linalg.norm(factor / unit))
        )
        for factor, gradient in zip(model.factors(), gradients, strict=True)
    )


def refit_pairs(
    problem: Problem,
    time: NDArray[np.float64],
    slot: NDArray[np.float64],
    *,
    sweeps: int,
) -> NDArray[np.float64]:
    """Pair factors that fit best with time and slot factors as they are, (pair, component).

    They are found from zero by passes of HALS, which need the data once for all.
    """
    observed = problem.observed
    product = problem.products.over_cells(cell_weights(time, slot))
    sums = observed.cell_sums(time, slot)
    pair = np.zeros_like(product)
    for _ in range(sweeps):
        fill = observed.fill(time, slot, pair)
        target = product if fill is None else product + fill.to_pairs
        for rows, kind, grams in observed.pair_grams(sums):
            _sweep(pair, target, grams, rows, kind)
    return pair


def refit_times(
    problem: Problem,
    pair: NDArray[np.float64],
    *,
    sweeps: int,
    slot: NDArray[np.float64] | None = None,
    shrink: float = 0.0,
) -> NDArray[np.float64]:
    """Time factors that fit best with the other factors as they are, (row, component).

    Parameters
    ----------
    problem, pair
        Data and pair factors.
    sweeps
        Passes of HALS from zero, which need the data once for all.
    slot
        Slot factors; needed where there are several slots.
    shrink
        Ridge on each component, as a share of its squared size in a row where all is observed: a
        row in which no more of the component than that is observed gets half of what fits best.

    Raises
    ------
    ValueError
        If the problem has several slots and there are no slot factors.
    """
    observed = problem.observed
    if slot is None:
        if observed.n_slots != 1:
            raise ValueError(f"{observed.n_slots} slots, but no slot factors.")
        slot = np.ones((1, pair.shape[1]))
    shape = observed.n_rows, observed.n_slots, pair.shape[1]
    product = np.einsum("tar,ar->tr", problem.products.over_pairs(pair).reshape(shape), slot)
    grams = observed.time_grams(slot, observed.pair_sums(pair))
    component = np.arange(pair.shape[1])
    grams[:, component, component] += shrink * (slot**2).sum(axis=0) * (pair**2).sum(axis=0)
    time = np.zeros(product.shape)
    rows = np.arange(observed.n_rows)
    for _ in range(sweeps):
        fill = observed.fill(time, slot, pair)
        target = product
        if fill is not None:
            target = product + np.einsum("tar,ar->tr", fill.to_cells.reshape(shape), slot)
        _sweep(time, target, grams, rows, observed.row_kind)
    return time


def part_of(problem: Problem, rows: NDArray[np.int64], slots: Sequence[int]) -> Problem:
    """The problem of some rows of time in some slots, without penalties."""
    cells = rows[:, None] * problem.observed.n_slots + np.asarray(slots)
    return Problem(
        products=problem.products.of_cells(cells.reshape(-1)),
        observed=problem.observed.of_rows(rows, slots),
    )


def unfolded(problem: Problem) -> Problem:
    """The same cells one after another in one slot: what a matrix factorisation sees."""
    return Problem(products=problem.products, observed=problem.observed.unfolded())


def _update_cells(problem: Problem, model: Model, product: NDArray[np.float64]) -> None:
    """Time, then slots, given the pairs."""
    observed, penalty = problem.observed, problem.penalty
    fill = observed.fill(model.time, model.slot, model.pair)
    if fill is not None:
        product = product + fill.to_cells
    table = product.reshape(observed.n_rows, observed.n_slots, model.rank)
    sums = observed.pair_sums(model.pair)
    target = np.einsum("tar,ar->tr", table, model.slot)
    grams = observed.time_grams(model.slot, sums)
    if penalty.smooth > 0:
        _smooth_sweeps(problem, model.time, target, grams)
    else:
        rows = np.arange(observed.n_rows)
        _sweeps(model.time, target, grams, rows, observed.row_kind, ridge=penalty.ridge)
    if observed.n_slots > 1:
        slots = np.arange(observed.n_slots)
        target = np.einsum("tar,tr->ar", table, model.time)
        grams = observed.slot_grams(model.time, sums)
        _sweeps(model.slot, target, grams, slots, slots, ridge=penalty.ridge)


def _update_pairs(problem: Problem, model: Model, product: NDArray[np.float64]) -> None:
    """Pairs given time and slots; then the error, and columns of equal size in all modes."""
    from pipeline.methods.connectome.kernels import row_energy

    observed, penalty = problem.observed, problem.penalty
    fill = observed.fill(model.time, model.slot, model.pair)
    target = product if fill is None else product + fill.to_pairs
    energy = 0.0
    for rows, kind, grams in observed.pair_grams(observed.cell_sums(model.time, model.slot)):
        _sweeps(model.pair, target, grams, rows, kind, sparse=penalty.sparse, ridge=penalty.ridge)
        energy += row_energy(model.pair, grams, rows, kind)
    _note_error(problem, model, product, energy)
    if not penalty.any:
        model.put(balanced(model.factors()))


def _note_error(
    problem: Problem, model: Model, product: NDArray[np.float64], energy: float
) -> None:
    """Relative error and objective from the product at hand and the model's sum of squares."""
    observed, penalty = problem.observed, problem.penalty
    fill = observed.fill(model.time, model.slot, model.pair)
    if fill is not None:
        energy -= fill.energy
    squared = problem.size**2 - 2 * float((product * model.pair).sum()) + energy
    squared = max(squared, 0.0)
    model.errors.append(float(np.sqrt(squared) / problem.size))
    steps = np.diff(model.time, axis=0)[_linked(problem)]
    model.objectives.append(
        squared / 2
        + penalty.sparse * float(model.pair.sum())
        + penalty.smooth / 2 * float((steps**2).sum())
        + penalty.ridge / 2 * sum(float((factor**2).sum()) for factor in model.factors())
    )


def _gradients(problem: Problem, model: Model) -> list[NDArray[np.float64]]:
    """Gradients of the objective for each of the model's factors."""
    observed, penalty = problem.observed, problem.penalty
    fill = observed.fill(model.time, model.slot, model.pair)
    to_cells = problem.products.over_pairs(model.pair)
    to_pairs = problem.products.over_cells(cell_weights(model.time, model.slot))
    if fill is not None:
        to_cells, to_pairs = to_cells + fill.to_cells, to_pairs + fill.to_pairs
    table = to_cells.reshape(observed.n_rows, observed.n_slots, model.rank)
    sums = observed.pair_sums(model.pair)
    grams = observed.time_grams(model.slot, sums)
    time = np.einsum("ts,tsr->tr", model.time, grams[observed.row_kind])
    time -= np.einsum("tar,ar->tr", table, model.slot)
    steps = penalty.smooth * np.diff(model.time, axis=0) * _linked(problem)[:, None]
    time[1:] += steps
    time[:-1] -= steps
    pair = penalty.sparse - to_pairs
    for rows, kind, grams in observed.pair_grams(observed.cell_sums(model.time, model.slot)):
        pair[rows] += np.einsum("ps,psr->pr", model.pair[rows], grams[kind])
    found = [time, pair]
    if observed.n_slots > 1:
        grams = observed.slot_grams(model.time, sums)
        slot = np.einsum("as,asr->ar", model.slot, grams)
        found.insert(1, slot - np.einsum("tar,tr->ar", table, model.time))
    return [
        gradient + penalty.ridge * factor
        for gradient, factor in zip(found, model.factors(), strict=True)
    ]


def _seed_again(problem: Problem, model: Model, product: NDArray[np.float64]) -> None:
    """Puts a column that became all zero on the largest residual, which changes no other.

    HALS never leaves an all-zero column by itself. Its time factor stays zero here, so that the
    objective does not rise; the next update of time is free to use it. ``product`` is updated.
    With penalties an empty column may be what is asked for, and stays.
    """
    if problem.penalty.any or model.n_seeds >= MOST_SEEDS or not model.empty.any():
        return
    model.n_seeds += 1
    taken: list[int] = []
    empty = np.flatnonzero(model.empty)
    model.time[:, empty] = 0
    energy = residual_energy(problem, model.time, model.slot, model.pair, product)
    for column in empty:
        energy[taken] = 0
        largest = int(energy.argmax())
        taken.append(largest)
        chosen = np.zeros((energy.size, 1))
        chosen[largest] = 1
        model_there = model.pair @ cell_weights(model.time, model.slot)[largest]
        seed = np.maximum(problem.products.over_cells(chosen)[:, 0] - model_there, 0)
        model.slot[:, column] = 1
        model.pair[:, column] = seed / max(float(np.linalg.norm(seed)), np.finfo(float).tiny)
        product[:, column] = problem.products.over_pairs(model.pair[:, [column]])[:, 0]


def residual_energy(
    problem: Problem,
    time: NDArray[np.float64],
    slot: NDArray[np.float64],
    pair: NDArray[np.float64],
    product: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum of squared residuals of each cell over its observed pairs, shape (cell,).

    ``product`` is the data times the pair factor, (cell, component).
    """
    crossing = (cell_weights(time, slot) * product).sum(axis=1)
    model = problem.observed.cell_energy(time, slot, pair)
    return np.asarray(problem.products.energy - 2 * crossing + model)


def _sweeps(
    factor: NDArray[np.float64],
    product: NDArray[np.float64],
    grams: NDArray[np.float64],
    rows: NDArray[np.int64],
    kind: NDArray[np.int64],
    *,
    sparse: float = 0.0,
    ridge: float = 0.0,
) -> None:
    """Passes of HALS over a factor's columns until they change little, in place."""
    first = _sweep(factor, product, grams, rows, kind, sparse=sparse, ridge=ridge)
    for _ in range(INNER - 1):
        change = _sweep(factor, product, grams, rows, kind, sparse=sparse, ridge=ridge)
        if change <= ENOUGH**2 * first:
            break


def _sweep(
    factor: NDArray[np.float64],
    product: NDArray[np.float64],
    grams: NDArray[np.float64],
    rows: NDArray[np.int64],
    kind: NDArray[np.int64],
    *,
    sparse: float = 0.0,
    ridge: float = 0.0,
) -> float:
    """One pass; the squared change."""
    from pipeline.methods.connectome.kernels import hals_sweep

    bounds = (0, rows.size)
    return float(hals_sweep(factor, product, grams, rows, kind, sparse, ridge, bounds))


def _smooth_sweeps(
    problem: Problem,
    time: NDArray[np.float64],
    target: NDArray[np.float64],
    grams: NDArray[np.float64],
) -> None:
    """Passes over the time factor with penalised differences."""
    from pipeline.methods.connectome.kernels import smooth_sweep

    penalty, linked = problem.penalty, _linked(problem)
    first = np.inf
    for index in range(INNER):
        change = smooth_sweep(
            time, target, grams, problem.observed.row_kind, linked, penalty.smooth, penalty.ridge
        )
        first = change if index == 0 else first
        if index and change <= ENOUGH**2 * first:
            break


def _linked(problem: Problem) -> NDArray[np.bool_]:
    """Whether successive rows of time follow each other."""
    if problem.linked is not None:
        return problem.linked
    return np.ones(problem.observed.n_rows - 1, dtype=bool)
