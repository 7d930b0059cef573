"""Prior of a partition under a mixture of finite mixtures (Miller & Harrison 2018)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

TAIL = 1e-14
"""Terms of the sum over numbers of clusters are left out below this share of the sum."""

CHUNK = 512


def log_coefficients(
    n_units: int, *, weight: float, decay: float, most: int | None = None
) -> NDArray[np.float64]:
    """Logs of ``V(t)`` for ``t = 0, ..., most`` occupied clusters, the first one -infinity.

    The prior of a partition into ``t`` blocks of sizes ``n_k`` is ``V(t)`` times the product of
    ``Gamma(n_k + weight) / Gamma(weight)``.

    Parameters
    ----------
    n_units
        Number of units.
    weight
        Dirichlet weight of each cluster.
    decay
        The number of clusters is geometric on 1, 2, ... with this probability of stopping.
    most
        Largest number of occupied clusters; all that are possible when ``None``.
    """
    most = n_units if most is None else most
    out = np.full(most + 1, -np.inf)
    for occupied in range(1, most + 1):
        first, total = occupied, -np.inf
        while True:
            k = np.arange(first, first + CHUNK, dtype=np.float64)
            terms = (
                gammaln(k + 1)
                - gammaln(k - occupied + 1)
                + gammaln(weight * k)
                - gammaln(weight * k + n_units)
                + np.log(decay)
                + (k - 1) * np.log1p(-decay)
            )
            total = float(np.logaddexp(total, logsumexp(terms)))
            first += CHUNK
            if terms[-1] < total + np.log(TAIL) and (1 - decay) ** first < 1e-12:
                break
        out[occupied] = total
    return out


def log_partition_prior(
    sizes: NDArray[np.integer], coefficients: NDArray[np.float64], weight: float
) -> float:
    """Log prior probability of a partition from the sizes of its blocks, none of them 0."""
    return float(coefficients[sizes.size] + (gammaln(sizes + weight) - gammaln(weight)).sum())
