"""How much of what was planted was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.planted import Planted
from pipeline.core.words import counted
from pipeline.methods.biclustering.matching import counterparts
from pipeline.methods.biclustering.result import BiclusteringResult
from pipeline.methods.biclustering.truth import BiclusteringTruth
from pipeline.numerics.partitions import adjusted_rand_index, contingency


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """Found beside planted."""

    unit_agreement: float
    """Adjusted Rand index over units that took part."""
    state_agreement: float
    """Adjusted Rand index over bins."""
    state_accuracy: float
    """Share of bins in the counterpart of their planted state."""
    clusters: NDArray[np.int64] = axes("planted_cluster", "cluster")
    """Units by planted and found cluster."""
    states: NDArray[np.int64] = axes("planted_state", "state")
    """Bins by planted and found state."""
    planted_state_of_bin: NDArray[np.int64] = axes("time_bin")

    def __post_init__(self) -> None:
        check_axes(self)


def recovery(result: BiclusteringResult, truth: BiclusteringTruth) -> Recovery:
    """Match units by their ids and bins by their times.

    Raises
    ------
    ValueError
        If a unit of the result was never planted.
    """
    place = {str(name): index for index, name in enumerate(truth.unit)}
    unknown = sorted(set(map(str, result.unit)) - set(place))
    if unknown:
        raise ValueError(f"Units {', '.join(unknown[:5])} are not among the planted ones.")
    planted = np.array([truth.cluster_of_unit[place[str(name)]] for name in result.unit])
    planted, found = planted[result.used], result.cluster_of_unit[result.used]
    middle = result.time_bin_s + result.bin_s / 2
    states = truth.state_of_bin[np.searchsorted(truth.bin_start, middle, side="right") - 1]
    present = np.unique(states, return_inverse=True)[1]
    match = counterparts(result.state_of_bin, present)
    return Recovery(
        unit_agreement=adjusted_rand_index(planted, found),
        state_agreement=adjusted_rand_index(present, result.state_of_bin),
        state_accuracy=float(np.mean(match[result.state_of_bin] == present)),
        clusters=contingency(planted, found),
        states=contingency(present, result.state_of_bin),
        planted_state_of_bin=states,
    )


def planted(truth: BiclusteringTruth) -> Planted:
    """What was planted, for readers and for other methods."""
    return Planted(
        words=f"{counted(truth.cluster.size, 'cluster')} of units with trajectories of their own, "
        f"under {counted(truth.state.size, 'state')}",
        moments="states that go with no epoch",
        kind="clusters",
        groups={
            str(unit): str(truth.cluster[cluster])
            for unit, cluster in zip(truth.unit, truth.cluster_of_unit, strict=True)
        },
    )


def recovered(result: BiclusteringResult, truth: BiclusteringTruth) -> str:
    """How much of it was found."""
    seen = recovery(result, truth)
    return (
        f"{counted(result.n_clusters, 'cluster')} (ARI {seen.unit_agreement:z.2f} of "
        f"{counted(int(result.used.sum()), 'unit')}) and {counted(result.n_states, 'state')} "
        f"({100 * seen.state_accuracy:.0f} % of bins right)"
    )
