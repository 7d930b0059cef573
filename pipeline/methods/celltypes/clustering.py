"""The loop: stimuli for the clusters, then units to the stimuli that drive them most.

Both steps raise what the other left, as in k-means, until no unit moves. Units are of two kinds:
those that drive the stimuli, and those that are held out and are only given labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.celltypes.ascent import Ascent, Climber, Stimuli
from pipeline.methods.celltypes.objective import (
    NO_TYPE,
    Discriminate,
    Floats,
    Labels,
    assign,
    cluster_means,
    membership,
    objective,
)

Ended = Literal["converged", "single_cluster", "oscillating", "max_iterations"]
N_FEATURES = 20
"""Principal components of model responses that k-means is given."""
N_KMEANS_STARTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the loop goes."""

    temperature: float
    ascent: Ascent
    """Of one iteration."""
    polish: Ascent
    """After the loop."""
    max_iterations: int
    balanced: bool = False
    """Whether each stimulus' median response is subtracted before units are assigned."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustering:
    """Clusters with their stimuli at one moment."""

    labels: Labels
    """Shape (unit,); -1 for units that take no part."""
    stimuli: Stimuli
    """Shape (cluster, channel, frame, y, x)."""
    responses: Floats
    """To these stimuli, shape (cluster, unit)."""
    history: pd.DataFrame
    """One row an iteration: ``clusters``, ``objective`` and ``moved``."""
    ended: Ended = "max_iterations"
    flags: tuple[str, ...] = ()

    @property
    def n_clusters(self) -> int:
        """How many there are."""
        return len(self.stimuli)

    def means(self, units: NDArray[np.bool_]) -> Floats:
        """Mean responses of the clusters, over some units, shape (stimulus, cluster)."""
        chosen = np.where(units, self.labels, NO_TYPE)
        return cluster_means(self.responses, membership(chosen, self.n_clusters))

    def objective(self, units: NDArray[np.bool_], temperature: float) -> Floats:
        """J of every cluster, over some units, shape (cluster,)."""
        return objective(self.means(units), temperature).diagonal()


Checkpoint = Callable[[Clustering], None]


def alternate(
    engine: Climber,
    labels: Labels,
    stimuli: Stimuli,
    rule: Rule,
    *,
    driving: NDArray[np.bool_],
    rng: np.random.Generator,
    checkpoint: Checkpoint | None = None,
) -> Clustering:
    """The loop, from given labels and stimuli until no driving unit moves.

    Parameters
    ----------
    engine
        Climbs through the model.
    labels
        Cluster of each unit, shape (unit,); every cluster has a driving unit.
    stimuli
        Where each cluster's stimulus starts.
    rule
        How the loop goes.
    driving
        Units whose responses shape the stimuli, shape (unit,). The others are given labels.
    rng
        Random stream.
    checkpoint
        Given the clustering after every iteration, without its history.

    Raises
    ------
    ValueError
        If there are not as many labels as units, or a cluster is empty.
    """
    if labels.shape != driving.shape:
        raise ValueError(f"There are {labels.size} labels for {driving.size} units.")
    rows: list[dict[str, float]] = []
    flags: set[str] = set()
    seen: list[tuple[Labels, float]] = []
    ended: Ended = "max_iterations"
    current = Clustering(
        labels=labels, stimuli=stimuli, responses=engine.responses(stimuli), history=_history([])
    )
    for _ in range(rule.max_iterations):
        if current.n_clusters < 2:
            ended = "single_cluster"
            break
        targets = np.arange(current.n_clusters)
        weights = membership(np.where(driving, current.labels, NO_TYPE), current.n_clusters)
        climbed = engine.climb(
            current.stimuli,
            Discriminate(weights, targets, rule.temperature),
            rule.ascent,
            rng,
        )
        flags |= set(climbed.flags) - {""}
        means = cluster_means(climbed.responses, weights)
        value = float(objective(means, rule.temperature).diagonal().mean())
        raw = assign(climbed.responses, current.labels, balanced=rule.balanced)
        raw = np.where(current.labels == NO_TYPE, NO_TYPE, raw)
        moved = int((raw != current.labels)[driving].sum())
        rows.append({"clusters": current.n_clusters, "objective": value, "moved": moved})
        seen.append((current.labels, value))
        found, kept = without_empty(raw, climbed.responses, driving)
        current = Clustering(
            labels=found,
            stimuli=climbed.stimuli[kept],
            responses=climbed.responses[kept],
            history=current.history,
            flags=tuple(sorted(flags)),
        )
        if checkpoint is not None:
            checkpoint(current)
        if moved == 0:
            ended = "converged" if current.n_clusters > 1 else "single_cluster"
            break
        if len(seen) > 1 and np.array_equal(found, seen[-2][0]):
            ended = "oscillating"
            if seen[-1][1] > seen[-2][1]:
                current = replace(current, labels=seen[-1][0])
            break
    return replace(current, history=_history(rows), ended=ended, flags=tuple(sorted(flags)))


def without_empty(
    labels: Labels, responses: Floats, driving: NDArray[np.bool_]
) -> tuple[Labels, NDArray[np.intp]]:
    """Labels without clusters that no driving unit is in, numbered in the same order.

    Held-out units of such clusters go to the best of those that are left.

    Returns
    -------
    Labels, and the clusters that are kept.
    """
    kept = np.unique(labels[driving & (labels >= 0)])
    number = np.full(max(len(responses), 1), NO_TYPE, dtype=np.int64)
    number[kept] = np.arange(kept.size)
    found = np.where(labels >= 0, number[np.maximum(labels, 0)], NO_TYPE)
    homeless = (labels >= 0) & (found == NO_TYPE)
    if homeless.any():
        found[homeless] = assign(responses[kept][:, homeless])
    return found, kept.astype(np.intp)


def polished(
    engine: Climber,
    clustering: Clustering,
    rule: Rule,
    *,
    driving: NDArray[np.bool_],
    rng: np.random.Generator,
    temperature: float | None = None,
) -> Clustering:
    """The same labels with stimuli climbed to their ends, before objectives are compared.

    ``temperature`` is the rule's where it is ``None``.
    """
    if clustering.n_clusters < 2:
        return clustering
    weights = membership(np.where(driving, clustering.labels, NO_TYPE), clustering.n_clusters)
    goal = Discriminate(
        weights,
        np.arange(clustering.n_clusters),
        rule.temperature if temperature is None else temperature,
    )
    climbed = engine.climb(clustering.stimuli, goal, rule.polish, rng)
    return replace(
        clustering,
        stimuli=climbed.stimuli,
        responses=climbed.responses,
        flags=tuple(sorted({*clustering.flags, *climbed.flags} - {""})),
    )


def features(traces: NDArray[np.floating]) -> Floats:
    """Model responses as points for k-means, shape (unit, feature).

    Parameters
    ----------
    traces
        Responses of centred units to the training stimuli, shape (time, unit).

    Returns
    -------
    The first principal components of the responses, each unit's on its own scale.
    """
    traces = np.asarray(traces, dtype=np.float64)
    spread = traces.std(axis=0)
    scaled = ((traces - traces.mean(axis=0)) / np.where(spread > 0, spread, 1)).T
    scaled = scaled - scaled.mean(axis=0)
    left, size, _ = np.linalg.svd(scaled @ scaled.T / scaled.shape[1], hermitian=True)
    n = min(N_FEATURES, *scaled.shape)
    return np.asarray(left[:, :n] * np.sqrt(size[:n]), dtype=np.float64)


def k_means(points: Floats, n_clusters: int, rng: np.random.Generator) -> Labels:
    """Clusters of points, none of them empty, shape (unit,)."""
    from sklearn.cluster import KMeans

    distinct = len(np.unique(points.round(9), axis=0))
    found = KMeans(
        n_clusters=max(1, min(n_clusters, distinct)),
        n_init=N_KMEANS_STARTS,
        random_state=int(rng.integers(2**31)),
    ).fit_predict(points)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def random_labels(n_units: int, n_clusters: int, rng: np.random.Generator) -> Labels:
    """Clusters of nearly equal size by chance, none of them empty, shape (unit,)."""
    return rng.permutation(np.arange(n_units) % min(n_clusters, n_units)).astype(np.int64)


def held_out(
    strata: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which units only get labels: about a share of every stratum, shape (unit,)."""
    chosen = np.zeros(strata.size, dtype=bool)
    for stratum in np.unique(strata):
        members = rng.permutation(np.flatnonzero(strata == stratum))
        chosen[members[: round(share * members.size)]] = True
    return chosen


def _history(rows: list[dict[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["clusters", "objective", "moved"]).astype(
        {"clusters": "int64", "objective": "float64", "moved": "int64"}
    )
