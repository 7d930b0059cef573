"""Types of new units from their answers to the few stimuli of the types; no model is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.celltypes.objective import NO_TYPE, Floats, Labels, assign

N_BOOTSTRAP = 500
SHOWINGS = (1, 2, 3, 5, 9, 15, 30)
"""Numbers of showings for which typing is simulated."""
SURE = 0.5
"""Share of resamplings that must agree on a type."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Typed:
    """Types of new units."""

    labels: Labels
    """-1 for units that remain without a type, shape (unit,)."""
    confidence: Floats
    """Share of resamplings of a unit's showings that give the most frequent type; NaN where no
    stimulus was shown to it twice."""
    share: Floats
    """The same for every type, shape (unit, type)."""
    reason: NDArray[np.str_]
    """Why a unit has no type; empty where it has one."""


def type_units(responses: Floats, rng: np.random.Generator, *, sure: float = SURE) -> Typed:
    """The type whose stimulus drives each unit most, on the unit's own scale.

    Parameters
    ----------
    responses
        Answers to showings of each type's stimulus, shape (type, showing, unit); NaN where a
        stimulus was shown less often, or a unit not seen.
    rng
        For resampling showings.
    sure
        Share of resamplings that must agree.

    Raises
    ------
    ValueError
        If there are no stimuli or no showings.
    """
    n_types, n_showings, n_units = responses.shape
    if n_types < 1 or n_showings < 1:
        raise ValueError("Answers to at least one showing of one stimulus are needed.")
    votes = np.zeros((n_units, n_types))
    known = np.isfinite(responses)
    for _ in range(N_BOOTSTRAP):
        found = assign(own_scale(resampled_mean(responses, known, rng)))
        there = found >= 0
        votes[np.flatnonzero(there), found[there]] += 1
    whole = known_mean(responses)
    scaled = own_scale(whole)
    best = assign(scaled)
    share = votes / N_BOOTSTRAP
    confidence = share.max(axis=1, initial=0.0)
    winner = share.argmax(axis=1)
    missing = np.isnan(whole).any(axis=0)
    silent = np.isnan(scaled).all(axis=0) & ~missing
    unsure = (confidence < sure) | (winner != best)
    # One showing cannot be resampled: nothing is known about confidence.
    once = known.sum(axis=1).max(axis=0) < 2
    confidence, unsure = np.where(once, np.nan, confidence), unsure & ~once
    reason = np.select(
        [missing, silent, unsure],
        ["not seen during every stimulus", "answers alike to all stimuli", "unsure"],
        default="",
    )
    return Typed(
        labels=np.where(reason == "", best, NO_TYPE),
        confidence=np.where(missing | silent, np.nan, confidence),
        share=share,
        reason=reason.astype(str),
    )


def resampled_mean(responses: Floats, known: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Mean over showings drawn with replacement, shape (type, unit); NaN where nothing is known.

    Each unit draws from the showings that are known of it, as many as these are: those of others
    would be holes in its mean, and fewer draws than it has showings make it look less sure.

    Parameters
    ----------
    responses, known
        Answers and whether there are any, shape (type, showing, unit).
    """
    count = known.sum(axis=1, keepdims=True)
    first = np.take_along_axis(responses, np.argsort(~known, axis=1, kind="stable"), axis=1)
    drawn = np.take_along_axis(first, (rng.random(known.shape) * count).astype(np.intp), axis=1)
    taken = np.arange(known.shape[1])[:, None] < count
    return known_mean(np.where(taken, drawn, np.nan))


def known_mean(responses: Floats) -> Floats:
    """Mean over showings of what is known, shape (type, unit); NaN where nothing is."""
    known = np.isfinite(responses)
    count = known.sum(axis=1)
    total = np.where(known, responses, 0).sum(axis=1)
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def own_scale(responses: Floats) -> Floats:
    """Answers in standard deviations of each unit over the stimuli; NaN for flat units."""
    if len(responses) < 2:
        return np.zeros_like(responses)
    spread = responses.std(axis=0)
    flat = ~(spread > 1e-12)
    scaled = (responses - responses.mean(axis=0)) / np.where(flat, 1, spread)
    return np.where(flat, np.nan, scaled)


def accuracy_by_showings(
    counts: Floats,
    labels: Labels,
    showings: tuple[int, ...],
    rng: np.random.Generator,
    *,
    n_draws: int = 20,
) -> list[float]:
    """Share of units whose type is found again from simulated Poisson answers.

    Parameters
    ----------
    counts
        Expected answers of each unit to one showing of each stimulus, shape (type, unit).
    labels
        Types of the units.
    showings
        How often each stimulus is shown.

    Returns
    -------
    The mean over types of the share found, for each number of showings.
    """
    typed = labels >= 0
    expected, true = np.maximum(counts[:, typed], 0), labels[typed]
    found = []
    for n in showings:
        shares = []
        for _ in range(n_draws):
            answers = rng.poisson(n * expected) / n
            again = assign(own_scale(answers))
            shares.append(balanced_share(again, true))
        found.append(float(np.mean(shares)))
    return found


def balanced_share(found: Labels, true: Labels) -> float:
    """Share of units that are given their type, the mean over types; NaN without units."""
    kinds = np.unique(true)
    shares = [(found[true == kind] == kind).mean() for kind in kinds]
    return float(np.mean(shares)) if shares else float("nan")
