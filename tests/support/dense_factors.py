"""The factorisation written out over the whole table, in double precision and without any trick."""

from __future__ import annotations

import numpy as np


def iteration(table, observed, factors, *, sparse=0.0, smooth=0.0, ridge=0.0):
    """One outer iteration of HALS: time, slots, pairs, three passes each (fewer when still)."""
    factors = [factor.copy() for factor in factors]
    data = np.where(observed, table, 0.0)
    for mode in range(3):
        if mode == 1 and table.shape[1] == 1:
            continue
        rest = [factor for index, factor in enumerate(factors) if index != mode]
        others = np.einsum("ir,jr->ijr", *rest)
        values, weights = np.moveaxis(data, mode, 0), np.moveaxis(observed, mode, 0)
        product = np.einsum("nij,ijr->nr", values, others)
        gram = np.einsum("nij,ijr,ijs->nrs", weights.astype(float), others, others)
        first = None
        for _ in range(3):
            before = factors[mode].copy()
            for r in range(factors[mode].shape[1]):
                order = np.arange(len(product))
                if mode == 0 and smooth:
                    order = np.concatenate([order[::2], order[1::2]])
                for row in order:
                    _entry(factors[mode], product, gram, row, r, mode, sparse, smooth, ridge)
            change = ((factors[mode] - before) ** 2).sum()
            first = change if first is None else first
            if change <= 1e-4 * first and change is not first:
                break
    return factors


def _entry(factor, product, gram, row, r, mode, sparse, smooth, ridge):
    """One entry of a factor set to its exact minimiser."""
    if gram[row, r, r] == 0:
        return
    slope = product[row, r] - factor[row] @ gram[row, :, r] - ridge * factor[row, r]
    curve = gram[row, r, r] + ridge
    if mode == 2:
        slope -= sparse
    if mode == 0:
        for neighbour in (row - 1, row + 1):
            if 0 <= neighbour < len(factor):
                slope -= smooth * (factor[row, r] - factor[neighbour, r])
                curve += smooth
    factor[row, r] = max(0.0, factor[row, r] + slope / curve)


def objective(table, observed, factors, *, sparse=0.0, smooth=0.0, ridge=0.0):
    """What the iterations lower."""
    gap = np.where(observed, table - np.einsum("tr,ar,pr->tap", *factors), 0)
    steps = np.diff(factors[0], axis=0)
    modes = [factors[0], factors[2]] if table.shape[1] == 1 else factors
    return (
        (gap**2).sum() / 2
        + sparse * factors[2].sum()
        + smooth / 2 * (steps**2).sum()
        + ridge / 2 * sum((factor**2).sum() for factor in modes)
    )
