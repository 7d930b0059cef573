"""The fitted data set beside its surrogates.

Surrogates are fitted once each from one random start, so the data's side of a comparison is the
median over its restarts, never the best of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.result import ConnectomeResult

FOR_A_CLAIM = 199
"""Surrogates that a claim should rest on."""

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """One statistic of the data and of all surrogates; larger is more structure."""

    name: str
    title: str
    observed: float
    surrogates: NDArray[np.float64]

    @property
    def n_as_large(self) -> int:
        """Surrogates that reach the data's value."""
        return int((self.surrogates >= self.observed).sum())

    @property
    def p_value(self) -> float:
        """One-sided, (1 + surrogates as large) / (1 + surrogates); NaN without surrogates."""
        if self.surrogates.size == 0 or not np.isfinite(self.observed):
            return np.nan
        return (1 + self.n_as_large) / (1 + self.surrogates.size)

    @property
    def quantile(self) -> float:
        """95th percentile of the surrogates; NaN without."""
        return float(np.quantile(self.surrogates, 1 - LEVEL)) if self.surrogates.size else np.nan

    def said(self) -> str:
        """The p value with what it rests on."""
        if not np.isfinite(self.p_value):
            return "not tested"
        return (
            f"p = {self.p_value:.3g} ({self.n_as_large} of {self.surrogates.size} surrogates "
            "as large)"
        )


def compare(result: ConnectomeResult) -> dict[str, Comparison]:
    """Comparisons by name: ``explained``, ``gain``, ``reproducibility``, ``communities``, ..."""
    across = "recordings" if result.recording.size > 1 else "time halves"

    def comparison(
        name: str, title: str, observed: NDArray[np.float64], surrogates: NDArray[np.float64]
    ) -> Comparison:
        known = observed[np.isfinite(observed)]
        return Comparison(
            name=name,
            title=title,
            observed=float(np.median(known)) if known.size else np.nan,
            surrogates=surrogates[np.isfinite(surrogates)],
        )

    found = (
        comparison(
            "explained",
            "Explained share",
            result.restart_explained,
            result.surrogate_explained,
        ),
        comparison(
            "gain",
            "Gain over a static graph",
            result.restart_explained - result.static_explained,
            result.surrogate_explained - result.surrogate_static,
        ),
        comparison(
            "reproducibility",
            f"Reproducibility across {across}",
            result.restart_reproducibility,
            result.surrogate_reproducibility,
        ),
        comparison(
            "communities",
            "Communities of a component",
            result.restart_communities,
            result.surrogate_communities,
        ),
        comparison(
            "concentration",
            "Strength inside communities",
            result.restart_concentration,
            result.surrogate_concentration,
        ),
    )
    return {one.name: one for one in found}


def supported_components(result: ConnectomeResult) -> NDArray[np.bool_]:
    """Components that matter more than the most important one of nearly all surrogates.

    A component is supported when the explained share lost without it is above the 95th
    percentile, over surrogates, of the same loss for the surrogate's largest component. All
    false without surrogates.
    """
    if result.surrogate_largest_gain.size == 0:
        return np.zeros(result.rank, dtype=bool)
    limit = np.quantile(result.surrogate_largest_gain, 1 - LEVEL)
    return np.asarray(result.component_gain > limit)
