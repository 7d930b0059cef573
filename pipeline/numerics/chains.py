"""Convergence of Markov chains, with ArviZ; NaN where a quantity never moves.

A quantity that is the same in every draw has no R-hat and no effective size, and says nothing
about convergence. ArviZ is imported when something is computed, since that takes seconds.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

R_HAT_GOOD = 1.01
R_HAT_BAD = 1.05
ENOUGH_DRAWS = 100
"""Effective draws wanted of each chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How well several chains agree on one quantity."""

    r_hat: float
    """Rank-normalised split R-hat (Vehtari et al. 2021, Bayesian Analysis 16:667)."""
    ess_bulk: float
    ess_tail: float

    @property
    def defined(self) -> bool:
        """Whether the quantity moved, so that there is something to judge."""
        return bool(np.isfinite(self.r_hat))


NOTHING = Convergence(r_hat=np.nan, ess_bulk=np.nan, ess_tail=np.nan)


def convergence(draws: NDArray[np.floating]) -> Convergence:
    """R-hat and effective sizes of one quantity.

    Parameters
    ----------
    draws
        Shape (chain, draw).

    Returns
    -------
    NaN throughout where there are fewer than 4 draws a chain, a draw is not finite, or all draws
    are the same. Chains that never move but differ from each other have an infinite R-hat.
    """
    values = np.asarray(draws, dtype=np.float64)
    if values.shape[1] < 4 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return NOTHING
    if not np.ptp(values, axis=1).any():
        return Convergence(r_hat=np.inf, ess_bulk=float(values.shape[0]), ess_tail=np.nan)
    arviz = _arviz()
    r_hat = float(arviz.rhat(values, method="rank")) if values.shape[0] > 1 else np.nan
    return Convergence(
        r_hat=r_hat,
        ess_bulk=float(arviz.ess(values, method="bulk")),
        ess_tail=float(arviz.ess(values, method="tail")),
    )


@cache
def _arviz() -> ModuleType:
    """ArviZ, which tells once a day what it plans and notes that in the user's cache folder.

    A home that cannot be written to would end the import, so it is shown another folder.
    """
    import matplotlib.pyplot  # noqa: F401 - it has a cache of its own, in the true folder

    before = os.environ.get("XDG_CACHE_HOME")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore", FutureWarning)
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            import arviz
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before
    loaded: ModuleType = arviz
    return loaded
