"""Whether two groupings of units agree beyond chance, each found in another half of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.label_tests import Turn, exchanged_places
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.numerics.permutation import p_values

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossedLabels:
    """Groupings of the items of one population; -1 for items without a label.

    A crossing holds what one half of the data says by one method against what the other half says
    by another method. All populations have the same crossings and candidates.
    """

    given: tuple[Labels, ...]
    """Of each crossing the groupings by the one method, shape (given candidate, item)."""
    found: tuple[Labels, ...]
    """Of each crossing those by the other, shape (found candidate, item)."""
    stratum: Labels
    """Shape (item,): items are exchanged only with others of their stratum."""
    position: NDArray[np.float64] | None = None
    """Where items lie, shape (item, 2); without it there is no map to turn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossedAgreement:
    """How well two methods agree over halves of the data."""

    ari: float
    """Mean over crossings of the adjusted Rand index of the best candidates; NaN where nothing can
    be compared."""
    p_value: float
    chance: float
    """Mean of the same over exchanges; NaN without."""
    chance_high: float
    """What one exchange in twenty exceeds."""
    best: tuple[tuple[int, int] | None, ...]
    """Of each crossing the candidates that agree best; ``None`` where none can be compared."""


def crossed_agreement(
    populations: Sequence[CrossedLabels],
    *,
    n_permutations: int,
    least: int,
    rng: np.random.Generator,
    turn_maps: bool = False,
) -> CrossedAgreement:
    """Agreement over halves of the data, and how often chance gives as much.

    Noise of one half has no part in the other, so that groupings from different halves can agree
    only by what units keep. Given labels are exchanged among items of the same stratum and
    population that have labels in the same groupings; all crossings share each exchange, as do
    all candidates. The statistic is the mean over crossings of the largest adjusted Rand index
    among candidates, each in standard deviations of what exchanges give: which candidate of one
    half is which of the other need not be known.

    Parameters
    ----------
    populations
        All with the same crossings and candidates.
    least
        Items with both labels below which two groupings of a population are not compared.
    turn_maps
        Chance by turned maps in place of exchanges, as in
        :func:`~pipeline.numerics.label_tests.label_agreement`.

    Returns
    -------
    The agreement. Without exchanges, the best candidates are those with the largest index.
    """
    n_crossings = len(populations[0].given)
    weight = [
        np.array([_weights(one, crossing, least) for one in populations])
        for crossing in range(n_crossings)
    ]
    scores = [np.zeros((n_permutations + 1, *each.shape[1:])) for each in weight]
    for draw in range(n_permutations + 1):
        for at, one in enumerate(populations):
            given = one.given
            if draw > 0:
                given = _turned(one, rng) if turn_maps else _exchanged(one, rng)
            for crossing in range(n_crossings):
                scores[crossing][draw] += _weighted_scores(
                    given[crossing], one.found[crossing], weight[crossing][at]
                )
    statistic: list[NDArray[np.float64]] = []
    index: list[NDArray[np.float64]] = []
    best: list[tuple[int, int] | None] = []
    for summed, weights in zip(scores, weight, strict=True):
        total = weights.sum(axis=0)
        known = np.flatnonzero(total.ravel())
        if not known.size:
            best.append(None)
            continue
        mean = summed.reshape(len(summed), -1)[:, known] / total.ravel()[known]
        # The observed grouping is one of the exchanges, so it stands among those that set scales.
        spread = mean.std(axis=0)
        scaled = (mean - mean.mean(axis=0)) / np.where(spread > 0, spread, 1)
        largest = (scaled if n_permutations else mean).argmax(axis=1)
        rows = np.arange(len(mean))
        statistic.append(scaled[rows, largest])
        index.append(mean[rows, largest])
        row, column = np.unravel_index(known[largest[0]], total.shape)
        best.append((int(row), int(column)))
    if not statistic:
        nothing = float("nan")
        return CrossedAgreement(
            ari=nothing, p_value=nothing, chance=nothing, chance_high=nothing, best=tuple(best)
        )
    over, ari = np.mean(statistic, axis=0), np.mean(index, axis=0)
    tested = n_permutations > 0
    return CrossedAgreement(
        ari=float(ari[0]),
        p_value=float(p_values(over[0], over[1:])) if tested else float("nan"),
        chance=float(ari[1:].mean()) if tested else float("nan"),
        chance_high=float(np.quantile(ari[1:], 0.95)) if tested else float("nan"),
        best=tuple(best),
    )


def _weights(one: CrossedLabels, crossing: int, least: int) -> Labels:
    """Items of each two candidates that can be compared, else 0, shape (given, found)."""
    given, found = one.given[crossing], one.found[crossing]
    counts = np.zeros((len(given), len(found)), dtype=np.int64)
    for row, first in enumerate(given):
        for column, second in enumerate(found):
            both = (first >= 0) & (second >= 0)
            kinds = min(np.unique(first[both]).size, np.unique(second[both]).size)
            if both.sum() >= least and kinds > 1:
                counts[row, column] = both.sum()
    return counts


def _weighted_scores(given: Labels, found: Labels, weights: Labels) -> NDArray[np.float64]:
    scores = np.zeros(weights.shape)
    for row, column in np.argwhere(weights):
        both = (given[row] >= 0) & (found[column] >= 0)
        scores[row, column] = adjusted_rand_index(given[row, both], found[column, both])
    return scores * weights


def _exchanged(one: CrossedLabels, rng: np.random.Generator) -> tuple[Labels, ...]:
    """Given labels of all crossings after one exchange of items, missing ones staying in place."""
    labelled = np.concatenate([each >= 0 for each in one.given])
    alike = np.unique(np.vstack([labelled, one.stratum]), axis=1, return_inverse=True)[1]
    places = exchanged_places(alike.ravel(), rng)
    return tuple(each[:, places] for each in one.given)


def _turned(one: CrossedLabels, rng: np.random.Generator) -> tuple[Labels, ...]:
    """Given labels of all crossings after the map was turned once; exchanged without a map."""
    if one.position is None:
        return _exchanged(one, rng)
    turn = Turn.drawn(rng)
    return tuple(np.stack([turn.of(row, one.position) for row in each]) for each in one.given)
