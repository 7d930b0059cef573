"""What may be said of a result: whether clusters and states are supported, and what was settled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.config import MASKS
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.scores import NAMES

AGREE = 0.8
"""Adjusted Rand index from which partitions of chains count as the same."""
BEYOND_ERROR = 2.0
"""Standard errors from which a difference of scores counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """By how many bits a spike the model predicts hidden counts better than something else."""

    bits: float
    error: float

    @property
    def tested(self) -> bool:
        """Whether there is a value."""
        return bool(np.isfinite(self.bits))

    @property
    def clear(self) -> bool:
        """Whether the model is better by more than its error allows for."""
        return self.tested and self.bits > BEYOND_ERROR * self.error

    def said(self) -> str:
        """Value and error."""
        return f"{self.bits:+.3f} +- {self.error:.3f} bits a spike" if self.tested else "not tested"


UNTESTED = Gain(bits=np.nan, error=np.nan)


def gain_over(result: BiclusteringResult, prediction: str, mask: str = MASKS[0]) -> Gain:
    """The model's gain over a prediction, by its name in the table of scores."""
    scores = result.scores
    rows = scores[(scores["mask"] == mask) & (scores["prediction"] == prediction)]
    if rows.empty:
        return UNTESTED
    row = rows.iloc[0]
    return Gain(bits=float(row["less_than_model"]), error=float(row["difference_error"]))


def bits_of(result: BiclusteringResult, prediction: str, mask: str = MASKS[0]) -> Gain:
    """Bits a spike of a prediction above each unit's mean rate."""
    scores = result.scores
    rows = scores[(scores["mask"] == mask) & (scores["prediction"] == prediction)]
    if rows.empty:
        return UNTESTED
    return Gain(bits=float(rows.iloc[0]["bits"]), error=float(rows.iloc[0]["error"]))


def chains_agree(agreement: NDArray[np.float64]) -> float:
    """Least agreement of a chain with the chain that most others agree with; NaN for one chain.

    Parameters
    ----------
    agreement
        Adjusted Rand indices, shape (chain, chain).
    """
    if len(agreement) < 2:
        return float("nan")
    central = int(np.argmax(agreement.sum(axis=1)))
    return float(np.delete(agreement[central], central).min())


def clusters_by_chain(result: BiclusteringResult) -> list[int]:
    """Clusters in the partition that each chain found by itself."""
    return [int(labels.max()) + 1 for labels in result.chain_cluster]


def odd_chains(agreement: NDArray[np.float64]) -> list[int]:
    """Chains whose partition is not that of the chain that most others agree with."""
    if len(agreement) < 2:
        return []
    central = int(np.argmax(agreement.sum(axis=1)))
    return [index for index, score in enumerate(agreement[central]) if score < AGREE]


def clusters_verdict(result: BiclusteringResult) -> str:
    """``supported``, ``not better``, ``unsettled``, ``one`` or ``untested``.

    Clusters are supported when chains from different starts find the same ones and the model
    predicts hidden counts better than one with a single cluster.
    """
    if result.n_clusters == 1:
        return "one"
    gains = [gain_over(result, NAMES["one-cluster"], mask) for mask in MASKS]
    tested = [gain for gain in gains if gain.tested]
    agree = chains_agree(result.chain_agreement)
    if not tested or np.isnan(agree):
        return "untested"
    if not all(gain.clear for gain in tested):
        return "not better"
    return "supported" if agree >= AGREE else "unsettled"


def states_verdict(result: BiclusteringResult) -> str:
    """The same of states, beside a model with one state."""
    if result.n_states == 1:
        return "one"
    gains = [gain_over(result, NAMES["one-state"], mask) for mask in MASKS]
    tested = [gain for gain in gains if gain.tested]
    agree = chains_agree(result.chain_state_agreement)
    if not tested or np.isnan(agree):
        return "untested"
    if not any(gain.clear for gain in tested):
        return "not better"
    return "supported" if agree >= AGREE else "unsettled"


def moving_chains(result: BiclusteringResult) -> int:
    """Chains in which the number of clusters moved at all."""
    return int(np.sum(np.ptp(result.posterior.n_clusters, axis=1) > 0))
