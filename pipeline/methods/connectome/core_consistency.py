"""Core consistency: whether components interact as little as the model says."""

from __future__ import annotations

import numpy as np

from pipeline.methods.connectome.factorisation import Fit
from pipeline.methods.connectome.hals import Problem


def core_consistency(problem: Problem, fit: Fit) -> float:
    """Core consistency in percent, 100 for data that are exactly the model.

    The model is a Tucker model whose core has ones on its superdiagonal and zeros elsewhere; the
    core that fits best with the factors as they are tells how far that is true. It is the data
    times the factors' pseudo-inverses, which needs no table; missing entries count as the model.

    Returns
    -------
    ``100 (1 - sum of (core - superdiagonal)^2 / rank)``, which can be far below 0; NaN for a
    single slot or more components than slots, frames or pairs, where even an exact model has a
    low value as some factor's columns depend on each other.

    Notes
    -----
    Bro & Kiers (2003), equations 11 and 12; weights absorbed in the time factor.
    """
    rank = fit.weight.size
    n_rows, n_slots, n_pairs = problem.shape
    if n_slots == 1 or rank > min(n_rows, n_slots, n_pairs):
        return np.nan
    time = fit.time * fit.weight
    inverse = np.asarray(np.linalg.pinv(fit.pair).T, dtype=np.float64)
    table = problem.products.over_pairs(inverse)
    table += problem.observed.missing_products(time, fit.slot, fit.pair, inverse)
    core = np.einsum(
        "tar,pt,qa->pqr",
        table.reshape(n_rows, n_slots, rank),
        np.linalg.pinv(time),
        np.linalg.pinv(fit.slot),
        optimize=True,
    )
    index = np.arange(rank)
    core[index, index, index] -= 1
    return float(100 * (1 - (core**2).sum() / rank))
