"""Outer folds over units: what units say that had no part in any choice.

The units that a clustering holds out shape no stimulus, but they judge its splits, its merges and
its restarts, so their numbers are too good. Here a fold of the units is left out of all of that:
the others go through restarts, splits and merges of their own, and the units of the fold come in
when the stimuli are made. Only the encoding model has seen them, as it has seen all units.

A unit that is typed by its answers to the stimuli has by that a high answer to its type's stimulus,
whatever the types are worth. So objective and confusion are over units that are typed without these
answers: by which type's units answer to the training stimulus most as the unit does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.ascent import initial_stimuli
from pipeline.methods.celltypes.clustering import Clustering, alternate, k_means, polished
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.encoding.fit import EncodingFit
from pipeline.methods.celltypes.evidence import agreement
from pipeline.methods.celltypes.model import best_types, find_types
from pipeline.methods.celltypes.objective import (
    NO_TYPE,
    Floats,
    Labels,
    assign,
    cluster_means,
    membership,
    objective,
    objective_errors,
)
from pipeline.methods.celltypes.population import (
    Population,
    least_spread,
    loop_rule,
    normalisation,
    population,
    split_rule,
    training_answers,
)
from pipeline.methods.celltypes.remembering import Remembered
from pipeline.methods.celltypes.result import (
    CURVE_COLUMNS,
    FOLD_SCAN_COLUMNS,
    ClusteringPart,
    FoldPart,
    OuterEvidence,
)
from pipeline.methods.celltypes.typing_units import SHOWINGS, accuracy_by_showings
from pipeline.numerics.partitions import adjusted_rand_index

SCAN_ITERATIONS = 3
"""Rounds of stimuli and labels for each number of types that is tried."""


def fold_of_unit(strata: NDArray[np.int64], n_folds: int) -> NDArray[np.int64]:
    """Fold in which each unit is left out, shape (unit,); units of a stratum go to all folds alike.

    The same for the same strata, since each fold is a job of its own and has to know the others'.
    """
    rng = np.random.default_rng(n_folds)
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(strata == one)) for one in np.unique(strata)]
    )
    fold = np.empty(strata.size, dtype=np.int64)
    fold[order] = np.arange(strata.size) % n_folds
    return fold


def fold_part(
    fit: EncodingFit,
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    part: Part,
    *,
    n_starts: Sequence[int],
    strata: NDArray[np.int64],
    rng: np.random.Generator,
    provenance: Provenance,
    checkpoint: Callable[[Remembered], None] | None = None,
    resume: Remembered | None = None,
) -> FoldPart:
    """Types without the units of one fold, and these units typed by them.

    Parameters
    ----------
    fit
        The model.
    views, config
        What it was fitted to, and the method's settings.
    part
        ``fold-NN``.
    n_starts
        Clusters to start from, one a restart.
    strata
        Of the units that the model predicts well enough.
    rng
        Random stream.
    provenance
        Put into the result; its number of threads is used.
    checkpoint, resume
        As for a clustering, over all ascents of the fold.
    """
    used = fit.units["used"].to_numpy(dtype=bool)
    number = int(part.name.partition("-")[2])
    outer = fold_of_unit(strata, config.folds.number) == number
    inner = used.copy()
    inner[np.flatnonzero(used)[outer]] = False
    threads = provenance.threads
    who = population(fit, views, config, threads=threads, chosen=inner, scaled_by=inner)
    everyone = population(fit, views, config, threads=threads, scaled_by=inner)
    who = who.remembering(checkpoint, resume)
    runs = [
        find_types(who, config, n_start=n_start, strata=strata[~outer], rng=rng)
        for n_start in n_starts
    ]
    found = best_types(runs).clustering
    answers = training_answers(fit, views)[:, used]

    def judged(types: Clustering) -> _Judged:
        responses = everyone.engine.responses(types.stimuli)
        labels = assign(responses)
        labels[~outer] = types.labels
        return _Judged(responses, labels, closest_type(answers, labels, ~outer))

    of_all = judged(found)
    scan, scan_labels = _scan(who, config, found.n_clusters, judged, outer, rng)
    return FoldPart(
        name=part.name,
        status="ok",
        outer=outer,
        type_of_unit=of_all.labels,
        by_answers=of_all.by_answers,
        responses=of_all.responses,
        floor=least_spread(fit, config, inner),
        restart_types=np.array([one.clustering.n_clusters for one in runs], dtype=np.int64),
        scan=scan,
        scan_labels=scan_labels,
        provenance=provenance,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Types of all units by the stimuli that some of them shaped."""

    responses: Floats
    """Shape (type, unit)."""
    labels: Labels
    by_answers: Labels

    def outer_objective(self, outer: NDArray[np.bool_], temperature: float) -> float:
        """Mean J over units that shaped nothing, typed by answers; NaN if a type has none."""
        labels = np.where(outer, self.by_answers, NO_TYPE)
        n = len(self.responses)
        if not np.isin(np.arange(n), labels).all():
            return float("nan")
        means = cluster_means(self.responses, membership(labels, n))
        return float(objective(means, temperature).diagonal().mean())


def closest_type(answers: NDArray[np.floating], labels: Labels, known: NDArray[np.bool_]) -> Labels:
    """The type whose units answer to the training stimulus most as each unit does, shape (unit,).

    Parameters
    ----------
    answers
        Of centred units, shape (time, unit); each is taken on its own scale.
    labels
        Types, shape (unit,).
    known
        Units of which the types' mean answers are made.
    """
    spread = answers.std(axis=0)
    scaled = (answers - answers.mean(axis=0)) / np.where(spread > 0, spread, 1)
    weights = membership(np.where(known, labels, NO_TYPE), int(labels[known].max()) + 1)
    centres = scaled @ weights.T
    # Of |u - c|^2 the part that depends on the type.
    away = (centres**2).sum(axis=0)[:, None] - 2 * centres.T @ scaled
    return np.asarray(away.argmin(axis=0), dtype=np.int64)


def _scan(
    who: Population,
    config: CelltypesConfig,
    n_found: int,
    judged: Callable[[Clustering], _Judged],
    outer: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Labels]:
    """Other numbers of types: J with and without units that shaped stimuli, and labels of all.

    From k-means, as restarts begin; numbers that the loop does not keep have no row.
    """
    reach, n_inner = config.folds.scan, len(who.points)
    most = min(n_found + reach, n_inner // split_rule(config, n_inner).min_cells)
    rule = replace(
        loop_rule(config, steps=config.ascent.compare_steps), max_iterations=SCAN_ITERATIONS
    )
    every = np.ones(n_inner, dtype=bool)
    rows, labels = [], []
    for n_types in range(max(2, n_found - reach), most + 1 if reach else 0):
        start = k_means(who.points, n_types, rng)
        n_start = int(start.max()) + 1
        stimuli = who.engine.project(initial_stimuli((n_start, *who.shape), rng, smooth=True))
        types = alternate(who.engine, start, stimuli, rule, driving=every, rng=rng)
        if types.n_clusters != n_types:
            continue
        types = polished(who.engine, types, rule, driving=every, rng=rng)
        told = judged(types)
        temperature = config.loop.temperature
        rows.append(
            (
                n_types,
                float(types.objective(every, temperature).mean()),
                told.outer_objective(outer, temperature),
            )
        )
        labels.append(told.labels)
    table = pd.DataFrame(rows, columns=list(FOLD_SCAN_COLUMNS))
    return (
        table.astype({"n_types": "int64", "objective": "float64", "outer_objective": "float64"}),
        np.array(labels, dtype=np.int64).reshape(len(rows), outer.size),
    )


def outer_evidence(
    fit: EncodingFit,
    config: CelltypesConfig,
    best: ClusteringPart,
    folds: Sequence[FoldPart],
    rng: np.random.Generator,
    *,
    spikes: bool,
) -> OuterEvidence | None:
    """All folds together, each unit in the fold in which it was left out; nothing without folds.

    Parameters
    ----------
    fit
        The model.
    config
        The method's settings.
    best
        The types.
    folds
        All folds, whatever came of them.
    rng
        For simulated showings.
    spikes
        Whether answers are counts, so that showings can be simulated.
    """
    folds = [fold for fold in folds if fold.status == "ok"]
    if not folds or best.n_types < 2:
        return None
    used = np.flatnonzero(fit.units["used"].to_numpy(dtype=bool))
    known = fit.units["label"].to_numpy(dtype=str)[used]
    types = best.type_of_unit
    by_stimuli, by_answers = (np.full(used.size, NO_TYPE, dtype=np.int64) for _ in range(2))
    responses = np.full((best.n_types, used.size), np.nan)
    called = np.full(used.size, "", dtype=known.dtype)
    for fold in folds:
        outer = fold.outer
        counterpart = matching(fold.type_of_unit[~outer], types[~outer], fold.n_types)
        by_stimuli[outer] = counterpart[fold.type_of_unit[outer]]
        by_answers[outer] = counterpart[fold.by_answers[outer]]
        there = counterpart >= 0
        responses[np.ix_(counterpart[there], outer)] = fold.responses[np.ix_(there, outer)]
        names = most_frequent(fold.type_of_unit[~outer], known[~outer], fold.n_types)
        called[outer] = names[fold.type_of_unit[outer]]
    means, value, error, mean_error = _objective(responses, by_answers, config.loop.temperature)
    accuracy, accuracy_error = _balanced(by_stimuli, by_answers)
    told = known != ""
    _, code = np.unique(np.concatenate([known, called]), return_inverse=True)
    return OuterEvidence(
        fold=np.array([fold.name for fold in folds], dtype=str),
        fold_types=np.array([fold.n_types for fold in folds], dtype=np.int64),
        type_of_unit=by_stimuli,
        by_answers=by_answers,
        responses=responses,
        confusion=means,
        objective=value,
        objective_error=error,
        mean_objective_error=mean_error,
        accuracy=accuracy,
        accuracy_error=accuracy_error,
        agreement=agreement(by_stimuli, types),
        label_accuracy=_balanced(code[used.size :][told], code[: used.size][told])[0]
        if told.any()
        else float("nan"),
        typing=_typing(fit, config, used, folds, rng) if spikes else _no_typing(),
        curve=_curve(folds),
    )


def matching(mine: Labels, theirs: Labels, n_mine: int) -> Labels:
    """For each of our types the one of theirs that it shares most units with, each taken once.

    Returns
    -------
    Shape (type,); -1 for types without a counterpart.
    """
    from scipy.optimize import linear_sum_assignment

    shared = np.zeros((n_mine, int(theirs.max(initial=NO_TYPE)) + 1))
    np.add.at(shared, (mine, theirs), 1)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    found = np.full(n_mine, NO_TYPE, dtype=np.int64)
    found[rows] = np.where(shared[rows, columns] > 0, columns, NO_TYPE)
    return found


def most_frequent(labels: Labels, names: NDArray[np.str_], n_types: int) -> NDArray[np.str_]:
    """The name that most units of each type have that have one, shape (type,); empty for none."""
    found = np.full(n_types, "", dtype=names.dtype)
    for kind in range(n_types):
        there, count = np.unique(names[(labels == kind) & (names != "")], return_counts=True)
        if there.size:
            found[kind] = there[count.argmax()]
    return found


def _objective(
    responses: Floats, labels: Labels, temperature: float
) -> tuple[Floats, Floats, Floats, float]:
    """Mean answers, J and its standard errors; NaN for types without units or stimuli.

    Types of which no unit was in a fold with a type's stimulus are not among its opponents.
    """
    n = len(responses)
    means, value, error = np.full((n, n), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    there = np.flatnonzero(
        [(labels == kind).any() and np.isfinite(responses[kind]).any() for kind in range(n)]
    )
    number = np.full(n + 1, NO_TYPE, dtype=np.int64)
    number[there] = np.arange(there.size)
    own = number[labels]  # -1 is the last of the numbers, and stays -1
    if not there.size:
        return means, value, error, float("nan")
    means[np.ix_(there, there)] = cluster_means(responses[there], membership(own, there.size))
    for kind in there:
        known = np.flatnonzero(np.isfinite(means[kind]))
        if kind in known and known.size > 1:
            among = objective(means[[kind]][:, known], temperature)[0]
            value[kind] = among[np.searchsorted(known, kind)]
    if not np.isfinite(value).any():
        return means, value, error, float("nan")
    error[there], mean_error = objective_errors(responses[there], own, there.size, temperature)
    return means, value, np.where(np.isfinite(value), error, np.nan), mean_error


def _balanced(found: Labels, true: Labels) -> tuple[float, float]:
    """Share of units that are given their type, the mean over types, and its standard error.

    For the error every type has one unit more that was given its type and one that was not, as in
    the rule of succession: a few units that are all right are no certainty.
    """
    kinds = np.unique(true[true >= 0])
    if not kinds.size:
        return float("nan"), float("nan")
    right = np.array([(found[true == kind] == kind).sum() for kind in kinds])
    size = np.array([(true == kind).sum() for kind in kinds])
    share = (right + 1) / (size + 2)
    error = np.sqrt((share * (1 - share) / size).sum()) / kinds.size
    return float((right / size).mean()), float(error)


def _typing(
    fit: EncodingFit,
    config: CelltypesConfig,
    used: NDArray[np.intp],
    folds: Sequence[FoldPart],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """How often units that were left out get their type again from simulated showings."""
    shares, sizes = [], []
    for fold in folds:
        if fold.n_types < 2:
            continue
        own = normalisation(fit, used[fold.outer], config, floor=fold.floor)
        rates = fold.responses[:, fold.outer] * own.divisor + own.offset
        shares.append(
            accuracy_by_showings(
                rates * fit.model.window, fold.type_of_unit[fold.outer], SHOWINGS, rng
            )
        )
        sizes.append(int(fold.outer.sum()))
    if not shares:
        return _no_typing()
    return pd.DataFrame(
        {
            "repeats": np.array(SHOWINGS, dtype=np.int64),
            "accuracy": np.average(shares, axis=0, weights=sizes),
        }
    )


def _no_typing() -> pd.DataFrame:
    return pd.DataFrame({"repeats": pd.Series([], dtype="int64"), "accuracy": np.empty(0)})


def _curve(folds: Sequence[FoldPart]) -> pd.DataFrame:
    """J and the agreement of folds against the number of types, where two folds or more have it."""
    rows = []
    for n_types in sorted({int(n) for fold in folds for n in fold.scan["n_types"]}):
        there = [
            (fold.scan_labels[row], *fold.scan.iloc[row][["objective", "outer_objective"]])
            for fold in folds
            for row in np.flatnonzero(fold.scan["n_types"] == n_types)
        ]
        if len(there) < 2:
            continue
        inner, outer = (np.array([float(one[column]) for one in there]) for column in (1, 2))
        outer = outer[np.isfinite(outer)]
        alike = [adjusted_rand_index(one[0], two[0]) for one, two in combinations(there, 2)]
        rows.append(
            (
                n_types,
                len(there),
                inner.mean(),
                outer.mean() if outer.size else np.nan,
                outer.std(ddof=1) / np.sqrt(outer.size) if outer.size > 1 else np.nan,
                np.mean(alike),
                min(alike),
                max(alike),
            )
        )
    table = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
    integers = dict.fromkeys(CURVE_COLUMNS[:2], "int64")
    return table.astype({**dict.fromkeys(CURVE_COLUMNS[2:], "float64"), **integers})
