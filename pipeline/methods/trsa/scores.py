"""How well model dissimilarities explain regions, with noise ceilings.

The score of a model is its similarity with a region, mean over subjects. Uncertainty is over
conditions and, with several subjects, over both. Where no model is fitted there is nothing to
cross-validate.

Source: Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife 12:82566.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import Resample, corrected_variance, resamples
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.populations import dissimilarities_of, likeness
from pipeline.methods.trsa.relations import Order, condition_orders, pair_orders, rank_scores
from pipeline.methods.trsa.result import MODEL_COLUMNS, PartResult
from pipeline.methods.trsa.transforms import is_degenerate
from pipeline.numerics.dissimilarity import n_items, squared_form
from pipeline.numerics.permutation import adjusted, p_values
from pipeline.numerics.similarity import pooled

Floats = NDArray[np.float64]

CEILING_COLUMNS = ("region", "lower", "upper", "n_rows")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """Dissimilarities to be explained: one row a region of a subject."""

    region: tuple[str, ...]
    region_of_row: NDArray[np.int64]
    subject_of_row: NDArray[np.int64]
    """Subject, or recording where subjects are not known."""
    n_subjects: int
    dissimilarities: Floats
    """Shape (row, pair)."""

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return n_items(self.dissimilarities.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Scores with their uncertainty, and noise ceilings."""

    table: pd.DataFrame
    ceiling: pd.DataFrame


def targets_of(sample: Sample, config: TrsaConfig) -> Targets:
    """One row a region of a subject; recordings of one subject are averaged."""
    found = dissimilarities_of(sample, config)
    usable = ~is_degenerate(found.by_estimator[0]) & ~np.isnan(found.by_estimator[0]).any(axis=1)
    pooled_rows: dict[tuple[str, str], list[Floats]] = {}
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        own = not session.subject or config.distinct_neurons
        # A recording of unknown subject counts by itself; the mark keeps it apart from subjects.
        name = f"recording {session.recording}" if own else f"subject {session.subject}"
        if usable[place]:
            key = (name, session.regions[region])
            pooled_rows.setdefault(key, []).append(found.by_estimator[0, place])
    subjects = list(dict.fromkeys(name for name, _ in pooled_rows))
    regions = tuple(dict.fromkeys(region for _, region in pooled_rows))
    return Targets(
        region=regions,
        region_of_row=np.array([regions.index(region) for _, region in pooled_rows]),
        subject_of_row=np.array([subjects.index(name) for name, _ in pooled_rows]),
        n_subjects=len(subjects),
        dissimilarities=np.stack([np.mean(rows, axis=0) for rows in pooled_rows.values()]),
    )


def resampled(
    models: Models, targets: Targets, config: TrsaConfig, n_draws: int, rng: np.random.Generator
) -> dict[str, Floats] | None:
    """Scores, then lower ceilings, under resampling, each (draw, candidate, region).

    None without models. With one subject only conditions are resampled.
    """
    if not models.name:
        return None
    shape = (n_draws, len(models.name) + 1, len(targets.region))
    found = {name: np.full(shape, np.nan) for name in ("both", "subjects", "conditions")}
    rows = squared_form(targets.dissimilarities)
    candidates = squared_form(models.dissimilarities)
    once = np.ones(targets.n_subjects)
    for place, draw in enumerate(resamples(targets.n_subjects, targets.n_conditions, n_draws, rng)):
        of_subject = draw.subject if targets.n_subjects > 1 else once
        chosen = _drawn_pairs(draw)
        drawn_rows, drawn_models = rows[:, *chosen], candidates[:, *chosen]
        for name, weight in (("both", of_subject), ("conditions", once)):
            found[name][place] = _scores(drawn_models, drawn_rows, targets, weight, config)
        found["subjects"][place] = _scores(
            models.dissimilarities, targets.dissimilarities, targets, of_subject, config
        )
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
    shuffles of conditions.
    """
    from scipy.stats import t as student

    once = np.ones(targets.n_subjects)
    ceiling = _ceilings(targets, config)
    if not models.name:
        return Scores(table=_table([]), ceiling=ceiling)
    seen = _scores(models.dissimilarities, targets.dissimilarities, targets, once, config)
    variance = score_variance(parts, targets, relative=False)
    below = score_variance(parts, targets, relative=True)
    degrees = targets.n_conditions - 1
    if targets.n_subjects > 1:
        degrees = min(degrees, targets.n_subjects - 1)
    p = _shuffled_p(models, targets, config, rng, order=order, no_null=no_null)
    rows: list[tuple[object, ...]] = []
    for region, name in enumerate(targets.region):
        for index, model in enumerate(models.name):
            se = float(np.sqrt(variance[index, region]))
            gap = seen[-1, region] - seen[index, region]
            gap_se = float(np.sqrt(below[index, region]))
            below_p = (
                2 * float(student.sf(abs(gap) / gap_se, degrees))
                if np.isfinite(gap) and gap_se > 0
                else np.nan
            )
            rows.append((name, model, seen[index, region], se, p[index, region], np.nan, below_p))
    table = _table(rows)
    table["p_adjusted"] = adjusted(table["p"].to_numpy(), config.correction)
    return Scores(table=table, ceiling=ceiling)


def _drawn_pairs(draw: Resample) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in the square form of the pairs of different conditions that were drawn."""
    drawn = np.repeat(np.arange(draw.condition.size), draw.condition.astype(np.int64))
    first, second = np.triu_indices(drawn.size, 1)
    apart = drawn[first] != drawn[second]
    return drawn[first[apart]], drawn[second[apart]]


def _scores(
    models: Floats, rows: Floats, targets: Targets, weight: Floats, config: TrsaConfig
) -> Floats:
    """Mean similarity of each model, and lower ceiling, shape (model + 1, region)."""
    of_row = weight[targets.subject_of_row]
    here = np.arange(len(targets.region))[:, None] == targets.region_of_row
    share = here * of_row
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total > 0, total, np.nan)
    similarity = np.vstack(
        [
            likeness(models, rows, config.measure),
            _with_others(rows, targets.region_of_row, of_row, config),
        ]
    )
    found = np.full((len(similarity), len(share)), np.nan)
    for region, part in enumerate(share):
        used = part > 0
        if used.any():
            found[:, region] = similarity[:, used] @ part[used]
    return found


def _with_others(
    rows: Floats, region: NDArray[np.int64], weight: Floats, config: TrsaConfig
) -> Floats:
    """Similarity of each row with the mean of the other rows of its region, shape (row,).

    NaN for rows without another one. All copies of a row that was drawn often are left out.
    """
    alike = (region[:, None] == region) & ~np.eye(len(rows), dtype=bool)
    others = alike * weight
    total = others.sum(axis=1)
    known = np.flatnonzero((total > 0) & (weight > 0))
    found = np.full(len(rows), np.nan)
    if known.size:
        # What a measure ignores is taken out of each row, as for the mean of them all.
        plain = pooled(rows[:, None], config.measure)
        means = (others[known] / total[known, None]) @ plain
        found[known] = np.diagonal(likeness(rows[known], means, config.measure))
    return found


def _ceilings(targets: Targets, config: TrsaConfig) -> pd.DataFrame:
    """Lower and upper noise ceiling of each region, NaN where one subject has it."""
    rows = []
    for region, name in enumerate(targets.region):
        values = targets.dissimilarities[targets.region_of_row == region]
        upper = np.nan
        if len(values) > 1:
            together = pooled(values, config.measure)
            upper = float(likeness(values, together[None], config.measure).mean())
        one = np.zeros(len(values), dtype=np.int64)
        lower = float(_with_others(values, one, np.ones(len(values)), config).mean())
        rows.append((name, lower, upper, len(values)))
    table = pd.DataFrame(rows, columns=list(CEILING_COLUMNS))
    return table.astype({"region": "str", "lower": "float64", "upper": "float64"})


def score_variance(
    parts: Sequence[PartResult], targets: Targets, *, relative: bool = False
) -> Floats:
    """Variance of scores, or of their distance to the ceiling, shape (model, region).

    Over conditions and subjects, corrected; over conditions where there is one subject.
    """
    variances = {}
    for name in ("both", "subjects", "conditions"):
        made = [getattr(part, f"model_{name}") for part in parts]
        draws = np.concatenate([draw for draw in made if draw is not None])
        values = draws[:, :-1] - draws[:, -1:] if relative else draws[:, :-1]
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
    shape = (len(models.name), len(targets.region))
    if no_null:
        return np.full(shape, np.nan)
    candidates = rank_scores(models.dissimilarities, order)
    rows = rank_scores(targets.dissimilarities, order)
    means = np.stack(
        [rows[targets.region_of_row == region].mean(axis=0) for region in range(shape[1])]
    )
    orders = condition_orders(targets.n_conditions, order, config.n_permutations, rng)
    null = np.stack([candidates[:, index] @ means.T for index in pair_orders(orders)])
    return p_values(candidates @ means.T, null)


def _table(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(MODEL_COLUMNS))
    words = MODEL_COLUMNS[:2]
    return table.astype({name: "str" if name in words else "float64" for name in MODEL_COLUMNS})
