"""What one half of the showings says about types from the other half."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.celltypes.discrete import (
    Chosen,
    DiscreteTypes,
    Shown,
    fit,
    kept,
    normalised,
)
from pipeline.methods.celltypes.evidence import separation
from pipeline.methods.celltypes.objective import (
    Floats,
    Labels,
    assign,
    cluster_means,
    membership,
    objective,
    pair_fractions,
)
from pipeline.methods.celltypes.splitting import gaussian_mix
from pipeline.methods.celltypes.typing_units import balanced_share, known_mean

SHOWINGS = (1, 2, 3, 5, 9, 15, 30)
"""Numbers of showings for which typing is tried."""
N_DRAWS = 20
"""Choices of so many showings."""
SCALE_SHARE = 6
"""As with a model: differences count on a scale of a sixth of the answer to the own stimulus."""
TINY = 1e-9
FEWEST_UNITS = 4
"""Units that a surrogate population is made of, at least."""

Showings = tuple[Floats, NDArray[np.int64]]
"""Of one recording: answers (showing, unit) with NaN, and the stimulus of each showing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherHalf:
    """What showings without part in types say about them, averaged over both directions."""

    reappearance: Floats
    """How well each type comes again, 0 to 1, shape (cell_type,)."""
    objective: Floats
    """J of each type; negative where others answer more to its stimulus, shape (cell_type,)."""
    pair_fraction: Floats
    """How far two types are told apart, shape (cell_type, cell_type); NaN on the diagonal."""


def in_the_other_half(
    found: DiscreteTypes, halves: Sequence[Floats], typed: NDArray[np.intp], temperature: float
) -> OtherHalf:
    """Types of all showings, judged by showings that shaped neither stimuli nor labels.

    A type of all showings is traced to its best match (Jaccard) among the types of one half, and
    these are judged in the other half by the same stimuli. The smaller of the two overlaps is how
    well it comes again; two types with the same match are not told apart at all.

    Parameters
    ----------
    found
        The types.
    halves
        Normalised answers of both halves, shape (stimulus, unit) each.
    typed
        Units with a type.
    temperature
        Of the objective.
    """
    labels = found.chosen.labels[typed]
    n_types = len(found.chosen.stimuli)
    again, value, pairs = [], [], []
    for half, retyped, answers in zip(found.halves, found.retyped, halves[::-1], strict=True):
        mine, n_half = half.labels[typed], len(half.stimuli)
        there = overlap(labels, mine, n_types, n_half)
        match = there.argmax(axis=1)
        comes_again = np.diagonal(overlap(mine, retyped[typed], n_half, n_half))
        again.append(np.minimum(there.max(axis=1), comes_again[match]))
        means = cluster_means(answers[half.stimuli][:, typed], membership(mine, n_half))
        means = np.nan_to_num(means)
        value.append(objective(means, temperature).diagonal()[match])
        scale = max(float(means.diagonal().mean()) / SCALE_SHARE, TINY)
        apart = np.nan_to_num(pair_fractions(means, scale))
        pairs.append(apart[np.ix_(match, match)])
    apart = np.mean(pairs, axis=0)
    np.fill_diagonal(apart, np.nan)
    return OtherHalf(
        reappearance=np.mean(again, axis=0),
        objective=np.mean(value, axis=0),
        pair_fraction=apart,
    )


def overlap(first: Labels, second: Labels, n_first: int, n_second: int) -> Floats:
    """Jaccard index of every two clusters, shape (of the first, of the second)."""
    both = (first >= 0) & (second >= 0)
    table = np.zeros((n_first, n_second))
    np.add.at(table, (first[both], second[both]), 1)
    either = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    return np.asarray(table / np.maximum(either, 1))


def typing_by_showings(
    found: DiscreteTypes, recordings: Sequence[Showings], rng: np.random.Generator
) -> pd.DataFrame:
    """How many showings typing takes, by showings that had no part in the types.

    Types and stimuli are those of the odd showings; units are typed again from a few of the even
    ones, drawn without replacement.

    Parameters
    ----------
    found
        The types.
    recordings
        Answers of each recording, whose units follow one another.
    rng
        For the draws.

    Returns
    -------
    Columns ``repeats``, ``accuracy`` (mean over types of the share of their units that are found
    again) and ``chance``.
    """
    half: Chosen = found.halves[0]
    n_types = len(half.stimuli)
    even = [
        [answers[np.flatnonzero(condition == stimulus)[1::2]] for stimulus in half.stimuli]
        for answers, condition in recordings
    ]
    most = min(len(rows) for stimuli in even for rows in stimuli)
    rows = []
    for n in (n for n in SHOWINGS if n <= most):
        shares = []
        for _ in range(N_DRAWS):
            answers = np.concatenate(
                [known_mean(_drawn(stimuli, n, rng)) for stimuli in even], axis=1
            )
            known = (half.labels >= 0) & np.isfinite(answers).all(axis=0)
            shares.append(balanced_share(assign(answers[:, known]), half.labels[known]))
        rows.append({"repeats": n, "accuracy": float(np.mean(shares)), "chance": 1 / n_types})
    return pd.DataFrame(rows, columns=["repeats", "accuracy", "chance"]).astype(
        {"repeats": "int64", "accuracy": "float64", "chance": "float64"}
    )


def _drawn(stimuli: Sequence[Floats], n: int, rng: np.random.Generator) -> Floats:
    """So many showings of each stimulus, shape (stimulus, showing, unit)."""
    return np.stack([of[rng.choice(len(of), size=n, replace=False)] for of in stimuli])


def null_separation(
    seen: Shown,
    *,
    n_types: int,
    n_nulls: int,
    n_restarts: int,
    temperature: float,
    distinct: bool,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> Floats:
    """Separation of types found in populations without types, of the same mean and covariance.

    Units are first put on their own scales, or the loudest would be all that a mixture holds.
    Units that did not see every stimulus have no part.
    """
    complete = np.isfinite(seen.whole).all(axis=0)
    scaled = normalised(seen.whole[:, complete])
    scaled = scaled[:, np.isfinite(scaled).all(axis=0)]
    n_units = scaled.shape[1]
    if n_units < FEWEST_UNITS or n_types < 2:
        return np.empty(0)
    search = partial(
        fit,
        near=seen.near,
        n_restarts=n_restarts,
        temperature=temperature,
        distinct=distinct,
        rng=rng,
    )
    found = []
    for _ in range(n_nulls):
        surrogate = normalised(scaled @ gaussian_mix(np.arange(n_units), n_units, rng).T)
        types = kept(search, surrogate, n_types, rng, loops)
        found.append(separation(surrogate[types.stimuli], types.labels))
    return np.array(found)
