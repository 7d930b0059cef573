"""Whether clusters go with regions, and states with epochs and conditions, beyond chance.

Units are compared with shuffles of their clusters. Bins depend on their neighbours, so states are
compared with whole sequences of states shifted around in time, never with shuffled bins; and an
arrangement of a few long epochs cannot be told from drift by any shift, so it is not tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.views import SpikeCounts
from pipeline.methods.biclustering.problem import psth_groups
from pipeline.numerics.partitions import adjusted_rand_index, normalised_mutual_information

OF_UNITS = "clusters and regions"
"""The one question about units; all others are about bins."""
LEAST_RUNS = 6
"""Stretches of equal label that a sequence needs before shifts say anything about it."""
LEAST_SHIFT = 0.05
"""Share of the recording by which states are shifted at least."""
DRAWS_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """Labels that are given, beside labels that were found."""

    what: str
    given: NDArray[np.int64]
    found: NDArray[np.int64]
    drawn: NDArray[np.integer]
    """Labels of draws, shape (draw, item)."""
    in_time: bool
    untestable: str = ""
    """Why chance cannot be told; empty where it can."""
    where: NDArray[np.bool_] | None = None
    """Which of the items of ``found`` are compared; all when ``None``."""


def questions(
    view: SpikeCounts,
    used: NDArray[np.bool_],
    *,
    clusters: NDArray[np.int64],
    drawn_clusters: NDArray[np.integer],
    states: NDArray[np.int64],
    drawn_states: NDArray[np.integer],
) -> Iterator[Question]:
    """What can be asked of this recording."""
    region = np.unique(view.region[used], return_inverse=True)[1]
    if region.max(initial=0) > 0:
        yield Question(
            what=OF_UNITS,
            given=region.astype(np.int64),
            found=clusters,
            drawn=drawn_clusters,
            in_time=False,
        )
    epoch = bin_labels(view)
    if np.unique(epoch[epoch >= 0]).size > 1:
        n_runs = 1 + int(np.count_nonzero(np.diff(epoch[epoch >= 0])))
        yield Question(
            what="states and epochs",
            given=epoch,
            found=states,
            drawn=drawn_states,
            in_time=True,
            where=epoch >= 0,
            untestable=(
                ""
                if n_runs >= LEAST_RUNS
                else f"{n_runs} stretches of epochs cannot be told from slow change"
            ),
        )
    condition = psth_groups(view)[0]
    if condition.max(initial=0) > 0:
        yield Question(
            what="states and time in trials of each condition",
            given=condition,
            found=states,
            drawn=drawn_states,
            in_time=True,
            where=condition > 0 if np.any(condition == 0) else None,
        )


def bin_labels(view: SpikeCounts) -> NDArray[np.int64]:
    """Epoch of the middle of each bin as a code; -1 outside of all. Later epochs win."""
    names = view.epochs["label"].astype(str).to_numpy(dtype=str)
    codes = np.unique(names, return_inverse=True)[1] if names.size else np.empty(0, dtype=int)
    middle = view.time_s + view.bin_s / 2
    labels = np.full(middle.size, -1, dtype=np.int64)
    for code, start, stop in zip(codes, view.epochs["start_s"], view.epochs["stop_s"], strict=True):
        labels[(middle >= start) & (middle < stop)] = code
    return labels


def epoch_names(view: SpikeCounts) -> tuple[str, ...]:
    """Labels of epochs in the order of the codes of :func:`bin_labels`."""
    return tuple(str(name) for name in np.unique(view.epochs["label"].astype(str)))


def answer(
    question: Question, *, n_null: int, rng: np.random.Generator
) -> dict[str, float | int | str | bool]:
    """Agreement, its uncertainty over draws, and where it stands among what chance gives."""
    where = np.ones(question.found.size, bool) if question.where is None else question.where
    given, found = question.given[where], question.found[where]
    picked = np.unique(np.linspace(0, len(question.drawn) - 1, DRAWS_SHOWN).astype(int))
    aris = [adjusted_rand_index(given, question.drawn[draw][where]) for draw in picked]
    nmi = normalised_mutual_information(given, found)
    testable = not question.untestable and np.isfinite(nmi) and np.unique(found).size > 1
    null = np.empty(0)
    if testable:
        null = np.array(
            [
                normalised_mutual_information(given, labels[where])
                for labels in _by_chance(question, n_null, rng)
            ]
        )
    return {
        "what": question.what,
        "labels": int(np.unique(given).size),
        "ari": adjusted_rand_index(given, found),
        "ari_low": float(np.quantile(aris, 0.025)),
        "ari_high": float(np.quantile(aris, 0.975)),
        "nmi": nmi,
        "null_nmi": float(np.median(null)) if null.size else np.nan,
        "null_high": float(np.quantile(null, 0.95)) if null.size else np.nan,
        "p_value": float((1 + np.sum(null >= nmi - 1e-12)) / (1 + null.size))
        if null.size
        else np.nan,
        "n_null": int(null.size),
        "testable": bool(testable),
        "note": question.untestable or ("" if testable else "one group holds everything"),
    }


def _by_chance(
    question: Question, n_null: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Labels by chance: shuffled units, or shifted sequences."""
    found = question.found
    if not question.in_time:
        for _ in range(n_null):
            yield rng.permutation(found)
        return
    least = max(1, int(LEAST_SHIFT * found.size))
    shifts = np.arange(least, found.size - least + 1)
    if shifts.size > n_null:
        shifts = rng.choice(shifts, size=n_null, replace=False)
    for shift in shifts:
        yield np.roll(found, shift)


def association_table(
    asked: Iterator[Question], *, n_null: int, rng: np.random.Generator
) -> pd.DataFrame:
    """One row a question; no rows where nothing can be asked."""
    columns = (
        *("what", "labels", "ari", "ari_low", "ari_high", "nmi", "null_nmi"),
        *("null_high", "p_value", "n_null", "testable", "note"),
    )
    rows = [answer(question, n_null=n_null, rng=rng) for question in asked]
    table = pd.DataFrame(rows, columns=list(columns))
    kinds = {"what": "str", "note": "str", "labels": "int64", "n_null": "int64", "testable": "bool"}
    return table.astype({name: kinds.get(name, "float64") for name in columns})
