"""How far types are to be believed: restarts, twins, nulls, sessions, and other clusterings.

Labels and tables only; nothing here needs a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.celltypes.objective import NO_TYPE, Floats, Labels, margins
from pipeline.numerics.partitions import adjusted_rand_index

FEWEST = 5
"""Units below which a type is unconfirmed."""
REAPPEARS = 0.5
"""Overlap with independent clusterings below which a type is unconfirmed."""
N_SESSION_PERMUTATIONS = 199
MOST_MIXTURE = 15
"""Components of a mixture among which the Bayesian criterion chooses, at most."""
CONFUSION_FLOOR = 1e-8
OWN = "these types"
"""Name of the row of the types themselves among other clusterings."""
FEW_UNITS_BELOW = 0.1
"""Share of units that lie nearer to another type than what counts as separation."""


def scaled_confusion(means: Floats) -> Floats:
    """Mean answers with each column over its own diagonal, shape (stimulus, type)."""
    own = means.diagonal()
    divisor = np.where(np.abs(own) < CONFUSION_FLOOR, CONFUSION_FLOOR, own)
    return np.asarray(means / divisor)


def similar_order(means: Floats) -> NDArray[np.intp]:
    """Types so that those whose answers are alike are neighbours, shape (type,)."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(means) < 3:
        return np.arange(len(means))
    columns = means.T - means.T.mean(axis=1, keepdims=True)
    size = np.linalg.norm(columns, axis=1, keepdims=True)
    unit = columns / np.where(size > 0, size, 1)
    away = 1 - np.clip(unit @ unit.T, -1, 1)[np.triu_indices(len(unit), 1)]
    return np.asarray(leaves_list(linkage(away, method="average")), dtype=np.intp)


def separation(responses: Floats, labels: Labels) -> float:
    """Margin that nine of ten units exceed, over the mean answer to the own stimulus.

    Scale-free: 1 where units answer alike to their own stimulus and to no other at all. Not the
    mean margin, since a continuum that is cut has large margins too, but many units at the cuts.
    0 with one type.
    """
    typed = labels >= 0
    if len(responses) < 2 or not typed.any():
        return 0.0
    own = responses[labels[typed], np.flatnonzero(typed)]
    strength = float(np.abs(own).mean())
    margin = np.quantile(margins(responses, labels)[typed], FEW_UNITS_BELOW)
    return float(margin / strength) if strength > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One clustering among several of the same units."""

    name: str
    labels: Labels
    objective: float
    """Mean J of the polished stimuli over held-out units; over all where there are none."""


def objective_to_compare(objective: Floats, held_out: Floats) -> float:
    """Mean J over held-out units, or over all that shaped stimuli where a type has none."""
    return float((held_out if np.isfinite(held_out).all() else objective).mean())


def choose(runs: Sequence[Run]) -> Run:
    """The run that stands for all.

    The number of types is that which most runs end in, and among equally many numbers that whose
    runs agree best; J decides only between runs of that number.
    """
    numbers = np.array([run.labels.max(initial=NO_TYPE) + 1 for run in runs])
    candidates, counts = np.unique(numbers, return_counts=True)
    best = candidates[counts == counts.max()]
    if best.size > 1:
        agreement = [
            np.median(
                [
                    adjusted_rand_index(run.labels, other.labels)
                    for run, n in zip(runs, numbers, strict=True)
                    if n == number
                    for other in runs
                    if other is not run
                ]
            )
            for number in best
        ]
        best = best[[int(np.argmax(agreement))]]
    same = [run for run, n in zip(runs, numbers, strict=True) if n == best[0]]
    return max(same, key=lambda run: run.objective)


def reappearance(labels: Labels, others: Sequence[Labels], n_types: int) -> Floats:
    """Overlap of each type with its best match in other clusterings, the mean over these.

    The Jaccard index over units that both label; NaN without others.
    """
    if not others:
        return np.full(n_types, np.nan)
    found = np.zeros((len(others), n_types))
    for row, other in enumerate(others):
        both = (labels >= 0) & (other >= 0)
        for one in range(n_types):
            mine = both & (labels == one)
            overlaps = [
                (mine & (other == theirs)).sum() / max((mine | (both & (other == theirs))).sum(), 1)
                for theirs in np.unique(other[both])
            ]
            found[row, one] = max(overlaps, default=0.0)
    return np.asarray(found.mean(axis=0))


def verdicts(
    size: NDArray[np.int64],
    again: Floats,
    pairs: Floats,
    *,
    least_pair: float,
    observed: float,
    null: Floats,
) -> NDArray[np.str_]:
    """What may be said of each type.

    ``continuum`` where populations without types are separated as well, or the type is not told
    from another; ``unconfirmed`` where it is small or other clusterings do not find it;
    ``supported`` else.

    Parameters
    ----------
    size
        Units of each type.
    again
        Overlap with independent clusterings; NaN where not known.
    pairs
        How far types are told apart, shape (type, type), NaN on the diagonal.
    least_pair
        What is asked of it.
    observed, null
        Separation here, and in populations without types.
    """
    found = np.full(size.size, "supported", dtype="<U12")
    known = np.isfinite(again)
    found[(size < FEWEST) | (known & (again < REAPPEARS)) | ~known] = "unconfirmed"
    if size.size > 1:
        nearest = np.min(np.nan_to_num(pairs, nan=np.inf), axis=1)
        found[nearest < least_pair] = "continuum"
    if size.size < 2 or (null.size and not (observed > null).all()):
        found[:] = "continuum"
    return found


def session_association(
    labels: Labels, session: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Adjusted mutual information of type and recording, and its p-value by permutation.

    NaN with one recording.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    if np.unique(session).size < 2:
        return float("nan"), float("nan")
    observed = float(adjusted_mutual_info_score(session, labels))
    drawn = [
        float(adjusted_mutual_info_score(rng.permutation(session), labels))
        for _ in range(N_SESSION_PERMUTATIONS)
    ]
    at_least = sum(value >= observed for value in drawn)
    return observed, (1 + at_least) / (1 + N_SESSION_PERMUTATIONS)


def k_means_labels(points: Floats, n_clusters: int, seed: int) -> Labels:
    """K-means with many starts."""
    from sklearn.cluster import KMeans

    return np.asarray(
        KMeans(n_clusters=n_clusters, n_init=10, random_state=seed).fit_predict(points),
        dtype=np.int64,
    )


def mixture_labels(points: Floats, seed: int) -> Labels:
    """A Gaussian mixture with its own covariances along the axes, as many as the BIC takes."""
    from sklearn.mixture import GaussianMixture

    most = min(MOST_MIXTURE, len(points) // 2)
    fits = [
        GaussianMixture(n, covariance_type="diag", n_init=2, reg_covar=1e-4, random_state=seed).fit(
            points
        )
        for n in range(1, max(most, 1) + 1)
    ]
    best = min(fits, key=lambda fit: fit.bic(points))
    return np.asarray(best.predict(points), dtype=np.int64)


def spectral_labels(points: Floats, n_clusters: int, seed: int) -> Labels:
    """Spectral clustering of a graph of nearest neighbours, weighted by closeness."""
    from sklearn.cluster import SpectralClustering

    away = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    near = np.sort(away, axis=1)[:, min(7, len(points) - 1)]
    closeness = np.exp(-(away**2) / np.maximum(np.outer(near, near), 1e-12))
    return np.asarray(
        SpectralClustering(
            n_clusters=n_clusters, affinity="precomputed", random_state=seed
        ).fit_predict(closeness),
        dtype=np.int64,
    )


def baseline_row(
    name: str,
    found: Labels,
    *,
    types: Labels,
    known: NDArray[np.str_],
    independent: Labels | None = None,
) -> dict[str, object]:
    """One other clustering beside the types, shape (unit,) all.

    Parameters
    ----------
    found
        Its labels; -1 for units it does not label.
    types
        Types of the same units.
    known
        Types that were known before; empty where unknown.
    independent
        Its labels from independent data, -1 where there are none.
    """
    told = known != ""
    return {
        "baseline": name,
        "n_clusters": int(np.unique(found[found >= 0]).size),
        "ari_types": agreement(found, types),
        "ari_labels": agreement(found, np.where(told, _codes(known), NO_TYPE)),
        "ari_independent": float("nan")
        if independent is None
        else own_agreement(found, independent),
    }


def agreement(first: Labels, second: Labels) -> float:
    """Adjusted Rand index over units that both label; NaN below two."""
    both = (first >= 0) & (second >= 0)
    return adjusted_rand_index(first[both], second[both]) if both.sum() > 1 else float("nan")


def own_agreement(found: Labels, again: Labels) -> float:
    """:func:`agreement` of a clustering with itself; NaN where it has only one cluster.

    One cluster agrees with one cluster, and that is no merit.
    """
    several = min(np.unique(labels[labels >= 0]).size for labels in (found, again)) > 1
    return agreement(found, again) if several else float("nan")


def _codes(names: NDArray[np.str_]) -> Labels:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def matched(labels: Labels, truth: Labels) -> Mapping[str, float]:
    """How well labels are those of a truth, by several measures.

    ``balanced_accuracy`` is the mean over true types of the share of their units that are found
    after the best one-to-one match of types.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_mutual_info_score, homogeneity_completeness_v_measure

    both = (labels >= 0) & (truth >= 0)
    mine, true = labels[both], truth[both]
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(true, mine)
    table = np.zeros((true.max(initial=0) + 1, mine.max(initial=0) + 1))
    np.add.at(table, (true, mine), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    present = table.sum(axis=1) > 0
    share = np.zeros(len(table))
    share[rows] = table[rows, columns] / np.maximum(table.sum(axis=1)[rows], 1)
    return {
        "ari": adjusted_rand_index(mine, true),
        "ami": float(adjusted_mutual_info_score(true, mine)),
        "homogeneity": float(homogeneity),
        "completeness": float(completeness),
        "balanced_accuracy": float(share[present].mean()) if present.any() else float("nan"),
    }


def baseline_table(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Rows of :func:`baseline_row` as a table."""
    numbers = ("ari_types", "ari_labels", "ari_independent")
    return pd.DataFrame(list(rows), columns=["baseline", "n_clusters", *numbers]).astype(
        {"baseline": "str", "n_clusters": "int64", **dict.fromkeys(numbers, "float64")}
    )
