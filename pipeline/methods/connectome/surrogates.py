"""The fitted data set beside its surrogates.

Surrogates are fitted once each from one random start, so the data's side of a comparison is the
median over its restarts, never the best of them. With few surrogates nothing is decided: see
:attr:`Comparison.verdict`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.words import counted
from pipeline.methods.connectome.result import ConnectomeResult

FOR_A_CLAIM = 199
"""Surrogates that a verdict rests on; with fewer there is a first look only."""

LEVEL = 0.05

TESTED = ("reproducibility", "explained", "gain", "concentration")
"""Comparisons that become checks and share the level; the number of communities is shown only,
as structure makes it neither larger nor smaller."""

SHARED_LEVEL = LEVEL / len(TESTED)
"""What the p value of one tested comparison must not exceed (Bonferroni)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """One statistic of the data and of all surrogates."""

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
    def verdict(self) -> Literal["untested", "first look", "above", "not above"]:
        """What may be said of the data against chance.

        With few surrogates data that surrogates reach are not above chance already, but data
        beyond all of them are no more than a first look.
        """
        if not np.isfinite(self.p_value):
            return "untested"
        if self.surrogates.size >= FOR_A_CLAIM:
            return "above" if self.p_value <= SHARED_LEVEL else "not above"
        return "first look" if self.n_as_large == 0 or self.p_value <= LEVEL else "not above"

    def said(self) -> str:
        """The p value with what it rests on."""
        if not np.isfinite(self.p_value):
            return "not tested"
        return (
            f"p = {self.p_value:.3g} ({self.n_as_large} of "
            f"{counted(self.surrogates.size, 'surrogate')} as large)"
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

    A component's gain is the median, over restarts, of the explained share that is lost without it,
    0 in restarts where it is not found again. It is supported when the largest gain of a surrogate
    reaches that in so few surrogates that p is at most 0.05. In each restart a component's gain is
    at most the largest one there, which is to a fit of the data what the largest gain is to a
    surrogate's; so this holds for all components at once, whichever restart is the best. All false
    with fewer than 19 surrogates.
    """
    largest, gain = result.surrogate_largest_gain, np.median(result.restart_gain, axis=0)
    n_as_large = (largest[None, :] >= gain[:, None]).sum(axis=1)
    return np.asarray((1 + n_as_large) / (1 + largest.size) <= LEVEL)
