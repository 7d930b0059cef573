"""How well chains agree, in quantities that do not depend on the names of clusters and states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.biclustering.model import Draws
from pipeline.numerics.chains import convergence
from pipeline.numerics.partitions import adjusted_rand_index


def invariants(
    chains: Sequence[Draws], units: NDArray[np.int64]
) -> Mapping[str, NDArray[np.float64]]:
    """Quantities of every draw by name, shape (chain, draw) each.

    Parameters
    ----------
    chains
        Draws of all chains, as many of each.
    units
        Point partition of the units that take part.
    """

    def each(values: Sequence[NDArray[np.number]]) -> NDArray[np.float64]:
        return np.stack([np.asarray(one, dtype=np.float64) for one in values])

    found = {
        "log joint density": each([draws.log_joint for draws in chains]),
        "log likelihood": each([draws.log_likelihood for draws in chains]),
        "number of clusters": each([draws.n_clusters for draws in chains]),
        "number of states": each([draws.n_states for draws in chains]),
        "agreement of units with the result": each(
            [
                np.array([adjusted_rand_index(units, labels) for labels in draws.cluster])
                for draws in chains
            ]
        ),
        "share of bins in the largest state": each([_largest(draws.state) for draws in chains]),
        "stickiness": each([draws.stickiness for draws in chains]),
    }
    sizes = [draws.dispersion for draws in chains]
    if all(np.isfinite(size).all() for size in sizes):
        found["mean log dispersion"] = each([np.log(size).mean(axis=1) for size in sizes])
    return found


def convergence_table(quantities: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """One row a quantity: mean, 95 % interval, R-hat and effective draws."""
    rows = []
    for name, values in quantities.items():
        found = convergence(values)
        rows.append(
            {
                "quantity": name,
                "mean": float(values.mean()),
                "low": float(np.quantile(values, 0.025)),
                "high": float(np.quantile(values, 0.975)),
                "r_hat": found.r_hat,
                "ess_bulk": found.ess_bulk,
                "ess_tail": found.ess_tail,
            }
        )
    return pd.DataFrame(rows).astype({"quantity": "str"})


def moves_table(chains: Mapping[str, Draws]) -> pd.DataFrame:
    """Accepted and proposed moves by chain."""
    rows = [
        (move, chain, int(accepted), int(proposed))
        for chain, draws in chains.items()
        for move, (accepted, proposed) in draws.moves.items()
    ]
    return pd.DataFrame(rows, columns=["move", "chain", "accepted", "proposed"]).astype(
        {"move": "str", "chain": "str", "accepted": "int64", "proposed": "int64"}
    )


def agreement_matrix(partitions: NDArray[np.integer]) -> NDArray[np.float64]:
    """Adjusted Rand index of every pair of partitions, shape (partition, partition)."""
    n = len(partitions)
    matrix = np.ones((n, n))
    for first, second in np.ndindex(n, n):
        if first < second:
            score = adjusted_rand_index(partitions[first], partitions[second])
            matrix[first, second] = matrix[second, first] = score
    return matrix


def _largest(states: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of bins in the largest state, shape (draw,)."""
    return np.array([np.bincount(labels).max() / labels.size for labels in states])
