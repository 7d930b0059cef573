"""Cell types without a model: the discriminative stimuli among those that were shown.

An extension that is not in the paper. Labels and stimuli alternate as with a model, but a cluster's
stimulus is the best of a list. Since noise is fitted too, the objective rises with the number of
types whatever they are; what decides instead is how much the labels from one half of the trials
say about those that the other half gives with the same stimuli. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.core.resuming import ALONE, Loops, arrays_of, record_of
from pipeline.methods.celltypes.objective import (
    NO_TYPE,
    Floats,
    Labels,
    assign,
    cluster_means,
    membership,
    objective,
)
from pipeline.numerics.partitions import adjusted_rand_index

MOST_ITERATIONS = 50
APART_S = 1.0
"""Two pieces of a movie that are closer than this do not serve two types."""
LEAST_SHARE = 0.5
"""Share of the stimuli that a unit must have been shown."""
IMPOSSIBLE = -1e12

SCAN_COLUMNS = (
    "n_types",
    "objective",
    "objective_other_half",
    "retyping_ari",
    "retyping_information",
    "independent_ari",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """Stimuli that were shown, and answers to every showing."""

    stimulus: NDArray[np.str_]
    """Names, shape (stimulus,)."""
    halves: Floats
    """Mean answers in odd and in even showings, shape (2, stimulus, unit); NaN where none."""
    whole: Floats
    """Mean answers over all showings, shape (stimulus, unit)."""
    start_s: Floats
    """Where a piece of a movie starts; NaN for stimuli without an order, shape (stimulus,)."""
    n_showings: NDArray[np.int64]
    """Least number over units that saw it, shape (stimulus,)."""

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which stimuli are too close to each other for two types, shape (stimulus, stimulus)."""
        apart = np.abs(self.start_s[:, None] - self.start_s[None, :])
        near = np.less(apart, APART_S, where=np.isfinite(apart), out=np.zeros(apart.shape, bool))
        return near | np.eye(self.start_s.size, dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Types and their stimuli for one number of types."""

    labels: Labels
    """Shape (unit,); -1 for units with too few answers."""
    stimuli: NDArray[np.int64]
    """Of each type, shape (type,)."""
    objective: Floats
    """J of each type, shape (type,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscreteTypes:
    """Types from shown stimuli, with what each number of types is worth."""

    chosen: Chosen
    normalised: Floats
    """Answers on each unit's own scale, shape (stimulus, unit)."""
    scan: pd.DataFrame
    """One row a number of types; see ``SCAN_COLUMNS``."""
    n_asked: int
    """The number that was taken; fewer may remain."""
    halves: tuple[Chosen, Chosen]
    """Types from the odd and from the even showings alone, for this number of types."""
    retyped: Labels
    """Labels from the other half by the stimuli of each half, shape (half, unit)."""


def shown(
    responses: Floats,
    condition: NDArray[np.int64],
    names: NDArray[np.str_],
    start_s: Floats | None = None,
) -> Shown:
    """Mean answers to each stimulus, over all showings and over every other one.

    Parameters
    ----------
    responses
        Shape (showing, unit), in the order in which they were shown; NaN where not known.
    condition
        Which stimulus each showing is of, shape (showing,).
    names
        Shape (stimulus,).
    start_s
        Where pieces of a movie start.
    """
    n = names.size
    rank = np.zeros(condition.size, dtype=np.int64)
    for stimulus in range(n):
        which = condition == stimulus
        rank[which] = np.arange(which.sum())
    halves = [_means(responses, condition, n, rank % 2 == half) for half in (0, 1)]
    counts = np.stack(
        [np.isfinite(responses[condition == stimulus]).sum(axis=0) for stimulus in range(n)]
    )
    least = np.where(counts > 0, counts, counts.max(initial=0)).min(axis=1, initial=2**31)
    return Shown(
        stimulus=names,
        halves=np.stack(halves),
        whole=_means(responses, condition, n, np.ones(condition.size, dtype=bool)),
        start_s=np.full(n, np.nan) if start_s is None else start_s,
        n_showings=np.minimum(least, counts.max(axis=1, initial=0)).astype(np.int64),
    )


def _means(
    responses: Floats, condition: NDArray[np.int64], n: int, which: NDArray[np.bool_]
) -> Floats:
    """Mean over some showings of each stimulus; NaN where there are none."""
    found = np.full((n, responses.shape[1]), np.nan)
    for stimulus in range(n):
        rows = responses[which & (condition == stimulus)]
        known = np.isfinite(rows)
        count = known.sum(axis=0)
        total = np.where(known, rows, 0).sum(axis=0)
        np.divide(total, count, out=found[stimulus], where=count > 0)
    return found


def normalised(responses: Floats) -> Floats:
    """Answers less the unit's mean over stimuli, in its standard deviations; NaN where unknown.

    Units that answer alike to all stimuli, or to fewer than half of them, become NaN.
    """
    known = np.isfinite(responses)
    enough = known.sum(axis=0) >= max(2, LEAST_SHARE * len(responses))
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, responses, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, responses - mean, 0) ** 2).sum(axis=0) / count)
    usable = enough & (spread > 1e-9 * np.maximum(np.abs(mean), 1))
    return np.where(known & usable, (responses - mean) / np.where(usable, spread, 1), np.nan)


def discrete_types(
    seen: Shown,
    *,
    n_types: int | None,
    max_types: int,
    n_restarts: int,
    temperature: float,
    distinct: bool,
    tolerance: float,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> DiscreteTypes:
    """Types of units by the shown stimuli that tell them apart best.

    Parameters
    ----------
    seen
        Stimuli and answers.
    n_types
        Number of types; chosen by what halves say about each other where ``None``.
    max_types
        Most that are tried.
    n_restarts
        Random starts for each number.
    temperature
        Of the objective.
    distinct
        Whether types have different stimuli.
    tolerance
        How much less than the most information is as good, in nats.
    rng
        Random stream.
    loops
        Of a joining; a piece is the search for a number of types in a half, or in all.

    Raises
    ------
    ValueError
        If fewer than two units or two stimuli can be used.
    """
    halves = [normalised(half) for half in seen.halves]
    whole = normalised(seen.whole)
    n_units = int(np.isfinite(whole).any(axis=0).sum())
    if n_units < 2 or len(whole) < 2:
        raise ValueError(
            f"{n_units} units with answers to {len(whole)} stimuli; two of each are needed."
        )
    search = partial(
        fit,
        near=seen.near,
        n_restarts=n_restarts,
        temperature=temperature,
        distinct=distinct,
        rng=rng,
    )
    most = min(max_types, len(whole) if distinct else max_types, n_units)
    tried = range(2, most + 1) if n_types is None else [max(1, min(n_types, most))]
    fits = {}
    rows = []
    for n in tried:
        # As many types may remain as were asked for, or fewer.
        fits[n] = [kept(search, part, n, rng, loops) for part in (*halves, whole)]
        rows.append(
            {
                "n_types": n,
                "objective": float(fits[n][2].objective.mean()),
                **compared(fits[n][:2], halves, temperature),
            }
        )
    scan = pd.DataFrame(rows, columns=list(SCAN_COLUMNS)).astype({"n_types": "int64"})
    information = scan["retyping_information"].to_numpy()
    enough = information >= np.nanmax(information, initial=-np.inf) - tolerance
    number = int(scan["n_types"].to_numpy()[enough.argmax()])
    odd, even, chosen = fits[number]
    return DiscreteTypes(
        chosen=chosen,
        normalised=whole,
        scan=scan,
        n_asked=number,
        halves=(odd, even),
        retyped=np.stack([retyped(odd, halves[1]), retyped(even, halves[0])]),
    )


def retyped(chosen: Chosen, responses: Floats) -> Labels:
    """Labels of the same units from other showings of the chosen stimuli, shape (unit,).

    ``responses`` are normalised, shape (stimulus, unit). -1 for units without a type and for those
    of which no answer to any of the stimuli is known.
    """
    return np.where(chosen.labels >= 0, assign(responses[chosen.stimuli]), NO_TYPE)


def fit(
    responses: Floats,
    n_types: int,
    *,
    near: NDArray[np.bool_],
    n_restarts: int,
    temperature: float,
    distinct: bool,
    rng: np.random.Generator,
) -> Chosen:
    """The best of many alternations of labels and stimuli, from random labels.

    Parameters
    ----------
    responses
        Normalised, shape (stimulus, unit); NaN where not known.
    n_types
        Types to start with; some may vanish.
    near
        Stimuli that cannot serve two types, shape (stimulus, stimulus).
    """
    usable = np.isfinite(responses).any(axis=0)
    seen = responses[:, usable]
    best: tuple[float, Labels, NDArray[np.int64], Floats] | None = None
    for _ in range(n_restarts if n_types > 1 else 1):
        labels = rng.permutation(np.arange(seen.shape[1]) % n_types)
        found = _alternated(seen, labels, near, temperature, distinct=distinct)
        # Few types cannot beat many, so that restarts with vanished types lose by themselves.
        if best is None or found[0] > best[0]:
            best = found
    if best is None:
        raise ValueError("At least one restart is needed.")
    everyone = np.full(responses.shape[1], NO_TYPE, dtype=np.int64)
    everyone[usable] = best[1]
    return Chosen(labels=everyone, stimuli=best[2], objective=best[3])


def kept(
    search: Callable[[Floats, int], Chosen],
    responses: Floats,
    n_types: int,
    rng: np.random.Generator,
    loops: Loops,
) -> Chosen:
    """What a search finds, as a piece of a joining; ``search`` draws from ``rng``."""
    found = loops.piece(lambda _: arrays_of(search(responses, n_types)), rng)
    return record_of(Chosen, found)


def _alternated(
    responses: Floats,
    labels: Labels,
    near: NDArray[np.bool_],
    temperature: float,
    *,
    distinct: bool,
) -> tuple[float, Labels, NDArray[np.int64], Floats]:
    """Labels and stimuli in turn until no unit moves: mean J, labels, stimuli, J of each type."""
    for _ in range(MOST_ITERATIONS):
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        n = int(labels.max()) + 1
        means = cluster_means(responses, membership(labels, n))
        unknown = np.isnan(means).any(axis=1)
        scores = objective(np.where(np.isnan(means), 0, means), temperature)
        scores[unknown] = IMPOSSIBLE
        stimuli = _stimuli(scores, near) if distinct else scores.argmax(axis=0)
        value = scores[stimuli, np.arange(n)]
        after = assign(responses[stimuli], labels)
        # Units that were not shown any of the stimuli stay where they are.
        after = np.where(after == NO_TYPE, labels, after)
        if np.array_equal(after, labels):
            break
        labels = after
    return float(value.mean()), labels, stimuli.astype(np.int64), value


def _stimuli(scores: Floats, near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A stimulus for each type, all different and none near another: the best together.

    Where the best assignment takes neighbours, types choose one by one instead, the surest first.
    """
    rows, columns = linear_sum_assignment(scores, maximize=True)
    found = np.empty(scores.shape[1], dtype=np.int64)
    found[columns] = rows
    close = near[np.ix_(found, found)]
    if close.sum() == found.size:
        return found
    open_ones = np.ones(len(scores), dtype=bool)
    for target in np.argsort(-scores.max(axis=0), kind="stable"):
        choice = np.where(open_ones, scores[:, target], IMPOSSIBLE).argmax()
        if not open_ones[choice]:
            break
        found[target] = choice
        open_ones &= ~near[choice]
    return found


def compared(fits: list[Chosen], halves: list[Floats], temperature: float) -> dict[str, float]:
    """What each half of the showings says about the other, averaged over both directions."""
    rows = []
    for one, other in ((0, 1), (1, 0)):
        chosen, responses = fits[one], halves[other]
        again = retyped(chosen, responses)
        both = (chosen.labels >= 0) & (again >= 0)
        n = len(chosen.stimuli)
        seen = np.where(both, chosen.labels, NO_TYPE)
        present = np.isin(np.arange(n), seen)
        value = np.nan
        if present.all():
            means = cluster_means(responses[chosen.stimuli], membership(seen, n))
            value = float(np.nanmean(objective(means, temperature).diagonal()))
        rows.append(
            (
                value,
                adjusted_rand_index(chosen.labels[both], again[both]),
                information(chosen.labels[both], again[both], n),
            )
        )
    value, ari, bits = np.mean(rows, axis=0)
    both = (fits[0].labels >= 0) & (fits[1].labels >= 0)
    return {
        "objective_other_half": float(value),
        "retyping_ari": float(ari),
        "retyping_information": float(bits),
        "independent_ari": adjusted_rand_index(fits[0].labels[both], fits[1].labels[both]),
    }


def information(first: Labels, second: Labels, n_types: int) -> float:
    """Mutual information of two labellings in nats, less what chance gives on average."""
    if first.size == 0:
        return 0.0
    table = np.zeros((n_types, n_types))
    np.add.at(table, (first, second), 1 / first.size)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    there = table > 0
    found = float((table[there] * np.log(table[there] / expected[there])).sum())
    return found - (n_types - 1) ** 2 / (2 * first.size)
