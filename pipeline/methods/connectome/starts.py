"""Where a factorisation starts from."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.hals import Model, Problem, residual_energy
from pipeline.methods.connectome.masks import cell_weights
from pipeline.numerics.cp import balanced

Start = Literal["random", "nndsvd", "deflation"]

DEFLATION_STEPS = 5
"""Updates of one component of a start before the next is taken from what it leaves."""

OVERSAMPLED = 8
POWER_STEPS = 3
"""Columns beyond the rank, and products with table and transpose, of the singular vectors."""


def start_models(
    problem: Problem, *, kind: Start, rank: int, count: int, rng: np.random.Generator
) -> list[Model]:
    """Models to start from, as large as the data where observed.

    Parameters
    ----------
    kind
        ``random``: uniform entries. ``nndsvd``: positive parts of singular vectors of each
        unfolding (Boutsidis & Gallopoulos 2008), with small random entries in place of zeros.
        ``deflation``: one component after another, each from the residual of a cell drawn in
        proportion to what the ones before it leave there.
    rank, count
        Components of a model, and models.
    rng
        Their randomness.
    """
    makers = {"random": _random, "nndsvd": _singular, "deflation": _deflated}
    models = [makers[kind](problem, rank, rng) for _ in range(count)]
    for model in models:
        _scale(problem, model)
    return models


def _random(problem: Problem, rank: int, rng: np.random.Generator) -> Model:
    """Uniform entries."""
    n_rows, n_slots, n_pairs = problem.shape
    return Model(
        time=rng.random((n_rows, rank)),
        slot=rng.random((n_slots, rank)) if n_slots > 1 else np.ones((1, rank)),
        pair=rng.random((n_pairs, rank)),
    )


def _singular(problem: Problem, rank: int, rng: np.random.Generator) -> Model:
    """Positive parts of the leading singular vectors of the unfoldings.

    Pairs come first; time and slots are unfolded from the data in the space of the leading pair
    vectors (a sequentially truncated higher-order decomposition), which needs no table.
    """
    n_rows, n_slots, n_pairs = problem.shape
    width = min(rank + OVERSAMPLED, n_pairs, n_rows * n_slots)
    basis = np.linalg.qr(rng.standard_normal((n_pairs, width)))[0]
    for _ in range(POWER_STEPS):
        cells = np.linalg.qr(problem.products.over_pairs(basis))[0]
        basis, sizes, turn = np.linalg.svd(problem.products.over_cells(cells), full_matrices=False)
    del sizes, turn
    small = problem.products.over_pairs(basis).reshape(n_rows, n_slots, width)
    by_time = small.reshape(n_rows, -1)
    by_slot = small.transpose(1, 0, 2).reshape(n_slots, -1)
    return Model(
        time=_positive(np.linalg.svd(by_time, full_matrices=False)[0], rank, rng),
        slot=_positive(np.linalg.svd(by_slot, full_matrices=False)[0], rank, rng)
        if n_slots > 1
        else np.ones((1, rank)),
        pair=_positive(basis, rank, rng),
    )


def _positive(
    vectors: NDArray[np.float64], rank: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Larger of the positive and the negative part of each vector, random beyond the last one."""
    n_rows = len(vectors)
    factor = np.asarray(rng.random((n_rows, rank)) / np.sqrt(n_rows), dtype=np.float64)
    for index in range(min(rank, vectors.shape[1])):
        up, down = np.maximum(vectors[:, index], 0), np.maximum(-vectors[:, index], 0)
        part = up if np.linalg.norm(up) >= np.linalg.norm(down) else down
        # Zeros would stay zero for long; a hundredth of the mean is enough to leave.
        factor[:, index] = np.where(part > 0, part, 0.01 * part.mean() * rng.random(n_rows))
    return factor


def _deflated(problem: Problem, rank: int, rng: np.random.Generator) -> Model:
    """Rank-one fits to what the components before leave."""
    n_rows, n_slots, n_pairs = problem.shape
    time, slot, pair = np.zeros((n_rows, 0)), np.zeros((n_slots, 0)), np.zeros((n_pairs, 0))
    for _ in range(rank):
        weight = cell_weights(time, slot)
        product = problem.products.over_pairs(pair) if pair.shape[1] else np.zeros_like(weight)
        energy = np.maximum(residual_energy(problem, time, slot, pair, product), 0)
        share = energy / energy.sum() if energy.sum() > 0 else np.full(energy.size, 1 / energy.size)
        cell = int(rng.choice(energy.size, p=share))
        chosen = np.zeros((energy.size, 1))
        chosen[cell] = 1
        seed = problem.products.over_cells(chosen)[:, 0] - pair @ weight[cell]
        one = _rank_one(problem, np.maximum(seed, 0), (time, slot, pair))
        time = np.column_stack([time, one[0]])
        slot = np.column_stack([slot, one[1]])
        pair = np.column_stack([pair, one[2]])
    noise = 1e-3 / np.sqrt(n_pairs)
    return Model(
        time=time + 1e-3 * rng.random(time.shape) * max(float(time.mean()), 1e-12),
        slot=slot + (1e-3 * rng.random(slot.shape) if n_slots > 1 else 0),
        pair=pair + noise * rng.random(pair.shape),
    )


def _rank_one(
    problem: Problem, seed: NDArray[np.float64], before: tuple[NDArray[np.float64], ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One more component beside others that stay as they are; unobserved entries count as 0."""
    n_rows, n_slots, _ = problem.shape
    tiny = np.finfo(float).tiny
    time, slot = np.zeros(n_rows), np.ones(n_slots)
    pair = seed / max(float(np.linalg.norm(seed)), tiny)
    others = cell_weights(before[0], before[1])
    for _ in range(DEFLATION_STEPS):
        rest = problem.products.over_pairs(pair[:, None])[:, 0] - others @ (before[2].T @ pair)
        table = rest.reshape(n_rows, n_slots)
        time = np.maximum(table @ slot, 0) / max(float(slot @ slot), tiny)
        if n_slots > 1:
            slot = np.maximum(time @ table, 0) / max(float(time @ time), tiny)
            slot = slot if slot.any() else np.ones(n_slots)
        weight = (time[:, None] * slot[None, :]).reshape(-1)
        found = problem.products.over_cells(weight[:, None])[:, 0] - before[2] @ (others.T @ weight)
        found = np.maximum(found, 0)
        if not found.any():
            break
        norm = float(np.linalg.norm(found))
        time, pair = time * norm / max(float(weight @ weight), tiny), found / norm
    return time, slot, pair


def _scale(problem: Problem, model: Model) -> None:
    """Brings the model to the size of the data, spread evenly over the modes."""
    observed = problem.observed
    energy = float(
        (observed.cell_sums(model.time, model.slot) * observed.pair_sums(model.pair)).sum()
    )
    if energy > 0:
        model.time = model.time * (problem.size / np.sqrt(energy))
    model.put(balanced(model.factors()))
