"""Sign flips: whether values that are symmetric about 0 by chance are larger than that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXACT = 14
"""Most values whose flips are all tried."""

N_DRAWN = 9999
SLACK = 1e-12
"""Sums that differ by rounding only count as equal."""


def sign_flip_p(values: NDArray[np.floating], *, rng: np.random.Generator) -> float:
    """One-sided p value of the mean of independent values against a mean of 0.

    Parameters
    ----------
    values
        One value an independent unit (an animal), shape (unit,); finite.
    rng
        Draws flips where there are too many to try all.

    Returns
    -------
    Share of flips whose sum is as large; with all flips tried at least 2 ** -n.

    Raises
    ------
    ValueError
        If there is no value, or one is not finite.
    """
    if not values.size or not np.isfinite(values).all():
        raise ValueError("Sign flips need one finite value or more.")
    observed = values.sum() - SLACK * np.abs(values).sum()
    if values.size <= EXACT:
        flips = (np.arange(2**values.size)[:, None] >> np.arange(values.size)) & 1
        return float(np.mean((1 - 2 * flips) @ values >= observed))
    signs = rng.integers(0, 2, size=(N_DRAWN, values.size)) * 2 - 1
    return float((1 + np.count_nonzero(signs @ values >= observed)) / (1 + N_DRAWN))
