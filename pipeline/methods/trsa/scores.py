"""How well model dissimilarities explain regions, with noise ceilings.

The score of a model is its similarity with a region, mean over subjects. Uncertainty is over
conditions and, with several subjects, over both. Models that are fitted are cross-validated
(:mod:`fitting`).

Source: Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife 12:82566.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa import fitting
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import Resample, corrected_variance, resamples
from pipeline.methods.trsa.models import REGION, Models, region_models
from pipeline.methods.trsa.populations import likeness
from pipeline.methods.trsa.relations import Order, condition_orders, pair_orders, rank_scores
from pipeline.methods.trsa.result import (
    MODEL_COLUMNS,
    MODEL_PAIR_COLUMNS,
    WEIGHT_COLUMNS,
    PartResult,
)
from pipeline.methods.trsa.targets import Targets
from pipeline.numerics.held_out_means import compare_with_means
from pipeline.numerics.permutation import adjusted, p_values
from pipeline.numerics.resampled import compare_resampled, without_scale
from pipeline.numerics.similarity import pooled

Floats = NDArray[np.float64]

FITTED = {"weighted": "weighted sum", "interpolated": "mixture of two"}
"""What fitted models are called beside the others."""

BLOCK = 50
"""Resamples that are compared together."""

CEILING_COLUMNS = ("region", "lower", "upper", "n_rows")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores with their uncertainty, and noise ceilings."""

    table: pd.DataFrame
    pairs: pd.DataFrame
    """Differences of fixed models, and of other regions as models."""
    weights: pd.DataFrame
    """Of fitted models."""
    ceiling: pd.DataFrame


def resampled(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> dict[str, Floats] | None:
    """Scores, then lower ceilings, under resampling, each (draw, candidate, region).

    None without models. With one subject only conditions are resampled.
    """
    if not candidate_names(models, config):
        return None
    draws = list(resamples(targets.n_subjects, targets.n_conditions, n_draws, rng))
    counts = np.array([draw.condition for draw in draws], dtype=np.int64)
    subjects = np.ones((len(draws), targets.n_subjects))
    if targets.n_subjects > 1:
        subjects = np.array([draw.subject for draw in draws])
    of_row = subjects[:, targets.subject_of_row]
    once = np.ones_like(of_row)
    whole = np.ones((1, targets.n_conditions), dtype=np.int64)
    shape = (n_draws, len(candidate_names(models, config)) + 1, len(targets.region))
    found = {name: np.full(shape, np.nan) for name in ("both", "subjects", "conditions")}
    for step in loops.steps(-(-len(draws) // BLOCK), found):
        block = slice(step * BLOCK, min((step + 1) * BLOCK, len(draws)))
        ways = np.stack([of_row[block], once[block]], axis=1)
        made = _scores(models, targets, config, counts[block], ways)
        found["both"][block], found["conditions"][block] = made[:, 0], made[:, 1]
        made = _scores(models, targets, config, whole, of_row[None, block])
        found["subjects"][block] = made[0]
    return found


def observed(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    parts: Sequence[PartResult],
    rng: np.random.Generator,
    *,
    order: Order,
    no_null: str,
) -> Scores:
    """Scores of all models in all regions, with p and noise ceilings.

    The p of a model is that of its rank correlation with the region's mean dissimilarities under
    shuffles of conditions. That of a fitted model is of its score over its standard error, that of
    the difference of two models of this difference over its own.
    """
    from scipy.stats import t as student

    ceiling = _ceilings(targets, config)
    names = candidate_names(models, config)
    if not names:
        return Scores(
            table=_table([]), pairs=_pair_table([]), weights=_weights_table([]), ceiling=ceiling
        )
    every = np.ones(targets.n_conditions, dtype=np.int64)
    once = np.ones((1, 1, len(targets.dissimilarities)))
    seen = _scores(models, targets, config, every[None], once)[0, 0]
    variance = score_variance(parts, targets, relative=False)
    below = score_variance(parts, targets, relative=True)
    degrees = targets.n_conditions - 1
    if targets.n_subjects > 1:
        degrees = min(degrees, targets.n_subjects - 1)
    p = _shuffled_p(models, targets, config, rng, order=order, no_null=no_null)
    rows: list[tuple[object, ...]] = []
    for region, name in enumerate(targets.region):
        for index, model in enumerate(names):
            if model == f"{REGION}{name}":
                continue  # the lower noise ceiling
            se = float(np.sqrt(variance[index, region]))
            gap = seen[-1, region] - seen[index, region]
            gap_se = float(np.sqrt(below[index, region]))
            below_p = (
                2 * float(student.sf(abs(gap) / gap_se, degrees))
                if np.isfinite(gap) and gap_se > 0
                else np.nan
            )
            row = (name, model, seen[index, region], se, p[index, region], np.nan, below_p, np.nan)
            rows.append(row)
    fitted, weights = _fitted(
        models, targets, config, parts, rng, degrees=degrees, null=not no_null
    )
    table = _table(rows + fitted)
    table["p_adjusted"] = adjusted(table["p"].to_numpy(), config.correction)
    pairs = _pair_table(_differences(names, seen, targets, parts, degrees, null=not no_null))
    pairs["p_adjusted"] = adjusted(pairs["p"].to_numpy(), config.correction)
    return Scores(table=table, pairs=pairs, weights=_weights_table(weights), ceiling=ceiling)


def _differences(
    names: Sequence[str],
    seen: Floats,
    targets: Targets,
    parts: Sequence[PartResult],
    degrees: int,
    *,
    null: bool,
) -> list[tuple[object, ...]]:
    """Rows of every two models in every region in which both have a score."""
    from scipy.stats import t as student

    first, second = np.triu_indices(len(names), 1)
    if not first.size:
        return []
    difference = seen[first] - seen[second]
    variance = _variance(parts, targets, lambda draws: draws[:, first] - draws[:, second])
    se = _above_zero(np.sqrt(variance))
    p = 2 * student.sf(np.abs(difference) / se, degrees) if null else np.full(se.shape, np.nan)
    return [
        (name, names[a], names[b], *(of[pair, region] for of in (difference, se, p)), np.nan)
        for region, name in enumerate(targets.region)
        for pair, (a, b) in enumerate(combinations(range(len(names)), 2))
        if np.isfinite(difference[pair, region])
    ]


def _fitted(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    parts: Sequence[PartResult],
    rng: np.random.Generator,
    *,
    degrees: int,
    null: bool,
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Rows of fitted models, and their weights; none where no model is fitted."""
    from scipy.stats import t as student

    if fitting.why_not(models, config, targets.n_conditions):
        return [], []
    whole = Resample(subject=np.ones(targets.n_subjects), condition=np.ones(targets.n_conditions))
    split = fitting.scores_of(models, targets, config, whole, fitting.POINT_ASSIGNMENTS, rng)
    undefined = split.undefined.mean(axis=0)
    seen = fitting.mean_of_known(np.moveaxis(split.scores, 0, -1))
    seen = np.where(undefined > fitting.MOST_UNDEFINED, np.nan, seen)
    draws = {
        name: np.concatenate(made)
        for name in ("both", "subjects", "conditions")
        if (made := [d for part in parts if (d := getattr(part, f"fitted_{name}")) is not None])
    }
    se = _above_zero(np.sqrt(fitting.variance_of(draws, targets)))
    gap_se = _above_zero(np.sqrt(fitting.variance_of(draws, targets, relative=True)))
    p = student.sf(seen[:-1] / se, degrees) if null else np.full(se.shape, np.nan)
    below = 2 * student.sf(np.abs(seen[-1] - seen[:-1]) / gap_se, degrees)
    weights = fitting.whole_weights(models, targets, config)
    rows: list[tuple[object, ...]] = []
    told: list[tuple[object, ...]] = []
    for region, name in enumerate(targets.region):
        for number, kind in enumerate(config.fitted_models):
            shown = FITTED[kind]
            numbers = (value[number, region] for value in (seen, se, p))
            rows.append(
                (name, shown, *numbers, np.nan, below[number, region], undefined[number, region])
            )
            told += [
                (name, shown, model, weight)
                for model, weight in zip(models.name, weights[number, region], strict=True)
            ]
    return rows, told


def _above_zero(errors: Floats) -> Floats:
    """Standard errors; NaN where the corrections left no variance, which makes no score certain."""
    return np.where(errors > 0, errors, np.nan)


def _weights_table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return _typed(rows, WEIGHT_COLUMNS, words=("region", "fit", "model"))


def candidate_names(models: Models, config: TrsaConfig) -> tuple[str, ...]:
    """Models in the order of their scores: fixed ones, then other regions."""
    return (*models.name, *(f"{REGION}{name}" for name in region_models(config)))


def _scores(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    counts: NDArray[np.int64],
    weights: Floats,
) -> Floats:
    """Mean similarity of each model, and lower ceiling, shape (draw, way, candidate + 1, region).

    Parameters
    ----------
    counts
        How often each condition was drawn, shape (draw, condition).
    weights
        How often the subject of each row was drawn, some ways for each draw of conditions, shape
        (draw, way, row).
    """
    rows = targets.dissimilarities
    n_fixed = len(models.name)
    others = np.stack([_others(targets, one) for one in (*sources_of(targets, config), None)])
    similarity = np.empty((*weights.shape[:2], n_fixed + len(others), len(rows)))
    if n_fixed:
        fixed = compare_resampled(models.dissimilarities, rows, config.measure, counts)
        similarity[:, :, :n_fixed] = fixed[:, None]
    similarity[:, :, n_fixed:] = compare_with_means(rows, config.measure, counts, weights, others)
    found = np.empty((*similarity.shape[:3], len(targets.region)))
    for region in range(len(targets.region)):
        here = targets.region_of_row == region
        share = weights[:, :, here]
        total = share.sum(axis=2, keepdims=True)
        own = np.where(share[:, :, None] > 0, similarity[..., here], 0.0)
        summed = (own @ share[..., None])[..., 0]
        found[..., region] = summed / np.where(total > 0, total, np.nan)
    return found


def sources_of(targets: Targets, config: TrsaConfig) -> list[int]:
    """Places of the regions that are models.

    Raises
    ------
    ValueError
        If a region is not there, or there is one subject.
    """
    named = region_models(config)
    for name in named:
        if name not in targets.region:
            raise ValueError(
                f"there is no region '{name}' for the model '{REGION}{name}' (methods.trsa.models);"
                f" regions are {', '.join(targets.region)}"
            )
    if named and targets.n_subjects < 2:
        raise ValueError(
            f"the model '{REGION}{named[0]}' needs a second subject, as regions that were recorded "
            "together share noise; within a recording the table of pairs of regions has their "
            "relation (take it out of methods.trsa.models)"
        )
    return [targets.region.index(name) for name in named]


def _others(targets: Targets, source: int | None) -> NDArray[np.bool_]:
    """Rows of other subjects in a region, in each row's own where ``None``; (row, row).

    None for rows of the region itself, of which this is the noise ceiling. All copies of a subject
    that was drawn often are left out.
    """
    region, subject = targets.region_of_row, targets.subject_of_row
    alike = subject[:, None] != subject
    if source is None:
        return np.asarray(alike & (region[:, None] == region))
    return np.asarray(alike & (region == source) & (region != source)[:, None])


def _means_of_others(plain: Floats, targets: Targets, source: int) -> Floats:
    """Mean over other subjects of a region, shape (row, pair); NaN for rows without another one."""
    others = _others(targets, source).astype(np.float64)
    total = others.sum(axis=1, keepdims=True)
    # Sums of ranks are exact, so that ties stay ties; rounded shares would break them.
    return np.asarray((others @ plain) / np.where(total > 0, total, np.nan))


def _ceilings(targets: Targets, config: TrsaConfig) -> pd.DataFrame:
    """Lower and upper noise ceiling of each region, NaN where one subject has it."""
    rows = []
    every = np.ones(targets.n_conditions, dtype=np.int64)
    for region, name in enumerate(targets.region):
        values = targets.dissimilarities[targets.region_of_row == region]
        upper = np.nan
        if len(values) > 1:
            together = pooled(values, config.measure)
            upper = float(likeness(values, together[None], config.measure).mean())
        lower = np.nan
        if len(values) > 1:
            alone = ~np.eye(len(values), dtype=bool)[None]
            once = np.ones((1, 1, len(values)))
            alike = compare_with_means(values, config.measure, every[None], once, alone)
            lower = float(alike.mean())
        rows.append((name, lower, upper, len(values)))
    table = pd.DataFrame(rows, columns=list(CEILING_COLUMNS))
    return table.astype({"region": "str", "lower": "float64", "upper": "float64"})


def score_variance(
    parts: Sequence[PartResult], targets: Targets, *, relative: bool = False
) -> Floats:
    """Variance of scores, or of their distance to the ceiling, shape (model, region).

    Over conditions and subjects, corrected; over conditions where there is one subject.
    """

    def of(draws: Floats) -> Floats:
        return draws[:, :-1] - draws[:, -1:] if relative else draws[:, :-1]

    return _variance(parts, targets, of)


def _variance(
    parts: Sequence[PartResult], targets: Targets, of: Callable[[Floats], Floats]
) -> Floats:
    """Variance of what ``of`` makes of draws of scores and lower ceilings."""
    variances = {}
    for name in ("both", "subjects", "conditions"):
        made = [getattr(part, f"model_{name}") for part in parts]
        values = of(np.concatenate([draw for draw in made if draw is not None]))
        known = np.isfinite(values).sum(axis=0)
        variances[name] = np.where(
            known > 1, np.nanvar(np.where(known > 1, values, 0.0), axis=0, ddof=1), np.nan
        )
    if targets.n_subjects == 1:
        n = targets.n_conditions
        return np.asarray(variances["conditions"] * n / (n - 1))
    return corrected_variance(
        variances["both"],
        variances["subjects"],
        variances["conditions"],
        n_subjects=targets.n_subjects,
        n_conditions=targets.n_conditions,
    )


def _shuffled_p(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    rng: np.random.Generator,
    *,
    order: Order,
    no_null: str,
) -> Floats:
    """P of each model's rank correlation with each region, shape (model, region)."""
    shape = (len(candidate_names(models, config)), len(targets.region))
    if no_null:
        return np.full(shape, np.nan)
    rows = rank_scores(targets.dissimilarities, order)
    here = (np.arange(shape[1])[:, None] == targets.region_of_row).astype(np.float64)
    here /= here.sum(axis=1, keepdims=True)
    means = here @ rows
    candidates = rank_scores(models.dissimilarities, order)
    plain = without_scale(
        targets.dissimilarities, config.measure, np.ones(targets.n_conditions, dtype=np.int64)
    )
    others = [
        rank_scores(_means_of_others(plain, targets, source), order)
        for source in sources_of(targets, config)
    ]

    def correlation(index: NDArray[np.int64] | slice) -> Floats:
        fixed = candidates[:, index] @ means.T
        return np.vstack([fixed, *(_region_means(one[:, index], rows, here) for one in others)])

    orders = condition_orders(targets.n_conditions, order, config.n_permutations, rng)
    null = np.stack([correlation(index) for index in pair_orders(orders)])
    return p_values(correlation(slice(None)), null)


def _region_means(one: Floats, rows: Floats, share: Floats) -> Floats:
    """Mean inner product of rows with what is their own, shape (region,).

    NaN for regions of which a row has nothing.
    """
    unknown = np.isnan(one).any(axis=1)
    products = (np.nan_to_num(one) * rows).sum(axis=1)
    return np.where(share @ unknown > 0, np.nan, share @ products)


def _table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return _typed(rows, MODEL_COLUMNS, words=("region", "model"))


def _pair_table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    return _typed(rows, MODEL_PAIR_COLUMNS, words=("region", "first", "second"))


def _typed(
    rows: list[tuple[object, ...]], columns: Sequence[str], *, words: Sequence[str]
) -> pd.DataFrame:
    """A table whose words are text and whose other columns are numbers, also without rows."""
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype({name: "str" if name in words else "float64" for name in columns})
