"""Whether two groupings of units agree beyond chance, by exchanging units among their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.numerics.permutation import largest_p_values

LEAST_WIDTH = 0.2
"""Spread across the main direction, as a share of that along it, from which positions are a map."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupedLabels:
    """Two groupings of the items of one population, some of which may lack a label."""

    given: NDArray[np.int64]
    """Shape (item,); -1 for none."""
    found: NDArray[np.int64]
    """Shape (candidate, item); -1 for none."""
    stratum: NDArray[np.int64]
    """Shape (item,): items are exchanged only with others of their stratum."""
    position: NDArray[np.float64] | None = None
    """Where items lie, shape (item, 2); without it there is no map to turn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Agreement:
    """How well candidates agree with given labels, over all populations."""

    ari: NDArray[np.float64]
    """Adjusted Rand index, mean over populations by their number of items; shape (candidate,);
    NaN where nothing can be compared."""
    p_value: NDArray[np.float64]
    """Family-wise over candidates; shape (candidate,)."""
    n_items: NDArray[np.int64]
    """Items with both labels in the populations that count; shape (candidate,)."""


def label_agreement(
    populations: Sequence[GroupedLabels],
    *,
    n_permutations: int,
    least: int,
    rng: np.random.Generator,
    turn_maps: bool = False,
) -> Agreement:
    """Agreement of candidates with given labels, and how often chance gives as much.

    Given labels are exchanged among items of the same stratum and population; all candidates share
    each exchange. The statistic of a candidate is its mean adjusted Rand index, in standard
    deviations of what exchanges give, so that coarse and fine groupings count alike; p is that of
    the largest (Westfall & Young 1993), hence valid for all candidates together.

    Items must be exchangeable within strata if the groupings are unrelated: so neither may have
    been found in the same data as the other.

    Parameters
    ----------
    populations
        All with the same candidates.
    least
        Items with both labels below which a population does not count.
    turn_maps
        Chance by turned maps in place of exchanges: the given labels are a map that is turned about
        its middle by any angle and mirrored or not, and each item gets the label of the item that
        comes to lie nearest to it. Labels of neighbours stay alike as they are (a spin test in the
        plane; Alexander-Bloch et al. 2018, NeuroImage 178:540); strata take no part. Items of
        populations without positions are exchanged meanwhile.

    Returns
    -------
    Agreement of each candidate.
    """
    n_candidates = len(populations[0].found)
    weight = np.array([_weights(one, least) for one in populations], dtype=np.float64)
    total = weight.sum(axis=0)
    scores = np.full((n_permutations + 1, n_candidates), np.nan)
    for draw in range(n_permutations + 1):
        summed = np.zeros(n_candidates)
        for one, weights in zip(populations, weight, strict=True):
            given = one.given
            if draw > 0:
                given = _turned(one, rng) if turn_maps else _exchanged(one, rng)
            for candidate in np.flatnonzero(weights):
                both = (given >= 0) & (one.found[candidate] >= 0)
                score = adjusted_rand_index(given[both], one.found[candidate, both])
                summed[candidate] += weights[candidate] * score
        scores[draw] = np.where(total > 0, summed / np.maximum(total, 1), np.nan)
    # The observed grouping is one of the exchanges, so it stands among those that set the scale.
    spread = scores.std(axis=0)
    scaled = (scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return Agreement(
        ari=scores[0],
        p_value=largest_p_values(scaled[0], scaled[1:]),
        n_items=total.astype(np.int64),
    )


def _weights(one: GroupedLabels, least: int) -> list[int]:
    """Items of each candidate that can be compared; 0 where there are too few, or one group."""
    counts = []
    for found in one.found:
        both = (one.given >= 0) & (found >= 0)
        kinds = min(np.unique(one.given[both]).size, np.unique(found[both]).size)
        counts.append(int(both.sum()) if both.sum() >= least and kinds > 1 else 0)
    return counts


def _exchanged(one: GroupedLabels, rng: np.random.Generator) -> NDArray[np.int64]:
    places = exchanged_places(np.where(one.given >= 0, one.stratum, -1), rng)
    return np.asarray(one.given[places])


def exchanged_places(alike: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Which item comes to each place when items that are ``alike`` are exchanged, shape (item,).

    Items below 0 stay where they are.
    """
    places = np.arange(alike.size)
    for kind in np.unique(alike[alike >= 0]):
        own = np.flatnonzero(alike == kind)
        places[own] = rng.permutation(own)
    return places


def _turned(one: GroupedLabels, rng: np.random.Generator) -> NDArray[np.int64]:
    """Given labels of a turned map, exchanged where there is none; missing ones stay missing."""
    if one.position is None:
        return _exchanged(one, rng)
    return Turn.drawn(rng).of(one.given, one.position)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a map about its middle, after it was mirrored or not."""

    angle: float
    mirror: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Turn:
        """Any angle, mirrored in half of the cases."""
        return cls(rng.uniform(0, 2 * np.pi), int(rng.choice([-1, 1])))

    def of(self, labels: NDArray[np.int64], position: NDArray[np.float64]) -> NDArray[np.int64]:
        """Labels after the turn: of the labelled item that comes to lie nearest; -1 stays.

        Parameters
        ----------
        labels
            Shape (item,); -1 for none.
        position
            Shape (item, 2).
        """
        from scipy.spatial import KDTree

        labelled = np.flatnonzero(labels >= 0)
        turned = labels.copy()
        if labelled.size:
            centred = position[labelled] - position[labelled].mean(axis=0)
            cosine, sine = np.cos(self.angle), np.sin(self.angle)
            moved = centred * [1, self.mirror] @ np.array([[cosine, sine], [-sine, cosine]])
            turned[labelled] = labels[labelled[KDTree(moved).query(centred)[1]]]
        return turned


def plane(coordinates: NDArray[np.float64], *, least: int) -> NDArray[np.float64] | None:
    """Positions in the plane in which items spread most, shape (item, 2).

    ``None`` where there are fewer than ``least`` items, one has no position, or all lie along a
    line, such as a probe: there is no map to turn then.

    Parameters
    ----------
    coordinates
        Shape (item, coordinate); NaN where unknown.
    """
    known = coordinates[:, np.isfinite(coordinates).any(axis=0)]
    if len(known) < least or known.shape[1] < 2 or not np.isfinite(known).all():
        return None
    centred = known - known.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred, full_matrices=False)
    if spread[1] < LEAST_WIDTH * spread[0]:
        return None
    return np.asarray(centred @ directions[:2].T)


def thirds(level: NDArray[np.float64], *, least: int) -> NDArray[np.int64]:
    """Low, middle and high values as strata 0 to 2; unknown ones are a stratum of their own.

    One stratum for all where fewer than ``least`` values are known.
    """
    known = np.isfinite(level)
    if known.sum() < least:
        return np.zeros(level.size, dtype=np.int64)
    bounds = np.quantile(level[known], [1 / 3, 2 / 3])
    return np.where(known, np.searchsorted(bounds, level, side="right"), 3).astype(np.int64)
