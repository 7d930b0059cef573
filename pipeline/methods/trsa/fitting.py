"""Models that are fitted to a region, scored on conditions and subjects that did not fit them.

A fitted model is a sum of candidate dissimilarities with weights of at least 0, of all of them or
of two that follow each other. Conditions and subjects are split into folds; weights come from pairs
of conditions outside a fold in subjects outside a fold, the score from pairs inside in subjects
inside. Copies that a bootstrap drew go to the same fold. How conditions fall into folds is noise
of its own, which is taken out of variances with two assignments a resample.

Source: Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife 12:82566.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.core.words import counted
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import Resample, corrected_variance, resamples
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.targets import Targets
from pipeline.numerics.resampled import Resampled, compare_resampled, without_scale

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

LEAST_CONDITIONS = 12
"""With fewer, resamples often have too few different ones for two folds of three."""

PER_FOLD = 3
"""Different conditions that a fold needs, so that it has pairs to be scored on."""

ASSIGNMENTS = 2
"""Ways in which one resample is split into folds."""

POINT_ASSIGNMENTS = 24
"""Ways in which all data are split for the score itself, at least 20."""

FROM_ZERO = ("cosine", "whitened_cosine", "bures")
"""Measures for which a constant that is added to all pairs makes a difference."""

MOST_UNDEFINED = 0.5
"""Share of folds without a score up to which the rest have one for the model."""

SUBJECT_FOLDS = ((6, 2), (12, 3), (20, 4))
CONDITION_FOLDS = ((12, 2), (24, 3), (40, 4))
MOST_FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedScores:
    """Scores of fitted models on folds that did not fit them, then the ceiling.

    Attributes
    ----------
    scores
        Mean over the folds that have one, shape (..., fit + 1); NaN where none has.
    undefined
        Share of folds without a score, same shape: no candidate has a positive weight there, or
        nothing varies in the fold's pairs. NaN where there are no folds, or no ceiling.
    """

    scores: Floats
    undefined: Floats


def why_not(models: Models, config: TrsaConfig, n_conditions: int) -> str:
    """Why no model is fitted; empty where one is."""
    if not config.fitted_models:
        return "none was asked for"
    if len(models.name) < 2:
        return f"{counted(len(models.name), 'model')}, of which a fit needs 2"
    if n_conditions < LEAST_CONDITIONS:
        return f"{counted(n_conditions, 'condition')}; folds need {LEAST_CONDITIONS}"
    return ""


def n_folds(number: int, steps: Sequence[tuple[int, int]]) -> int:
    """Folds for so many subjects or conditions."""
    return next((folds for below, folds in steps if number < below), MOST_FOLDS)


def weights_of(
    kind: str, candidates: Floats, target: Floats, counts: Floats, *, centred: bool
) -> Floats:
    """Weights of at least 0 whose sum of candidates is nearest to a target, shape (model,).

    Parameters
    ----------
    kind
        ``weighted``, or ``interpolated``: at most two weights, of candidates that follow each
        other. No measure depends on the scale, so that this is the best mixture of the two.
    candidates
        Shape (model, pair).
    target, counts
        What is fitted, and how often each pair counts, shape (pair,).
    centred
        Whether a constant may be added to the sum.
    """
    used = np.flatnonzero(counts)
    root = np.sqrt(counts[used])
    y, x = target[used], candidates[:, used]
    if centred:
        share = counts[used] / counts.sum()
        y, x = y - y @ share, x - (x @ share)[:, None]
    y, x = y * root, x * root
    size = np.linalg.norm(x, axis=1)
    scaled = x / np.where(size > 0, size, 1.0)[:, None]
    products, aims = scaled @ scaled.T, scaled @ y
    some = (
        [np.arange(len(x))]
        if kind == "weighted"
        else [np.array([place, place + 1]) for place in range(len(x) - 1)]
    )
    best, chosen = -np.inf, np.zeros(len(x))
    for places in some:
        found = _at_least_zero(products[np.ix_(places, places)], aims[places])
        explained = 2 * found @ aims[places] - found @ products[np.ix_(places, places)] @ found
        if explained > best:
            best, chosen = explained, np.zeros(len(x))
            chosen[places] = found
    return chosen / np.where(size > 0, size, np.inf)


def _at_least_zero(products: Floats, aims: Floats) -> Floats:
    """Least squares with weights of at least 0, from inner products."""
    from scipy.optimize import nnls

    value, vector = np.linalg.eigh(products)
    kept = value > 1e-10 * max(float(value.max()), 1e-300)
    root = np.sqrt(value[kept])
    found, _ = nnls(root[:, None] * vector[:, kept].T, (aims @ vector[:, kept]) / root)
    return np.asarray(found)


def score_once(
    models: Models,
    rows: Floats,
    of_row: Counts,
    condition: Counts,
    config: TrsaConfig,
    rng: np.random.Generator,
) -> FittedScores:
    """Scores of fitted models in one region with one assignment to folds, then the ceiling.

    Parameters
    ----------
    rows
        Dissimilarities of the region, one row a subject, shape (row, pair).
    of_row, condition
        How often each row and each condition was drawn.

    Returns
    -------
    Of shape (fit + 1,); last the score of the mean over the subjects of the fit, NaN with one
    subject. NaN where too few different conditions or subjects were drawn.
    """
    drawn = np.flatnonzero(of_row)
    nothing = np.full(len(config.fitted_models) + 1, np.nan)
    different = int(np.count_nonzero(condition))
    n_parts = min(n_folds(condition.size, CONDITION_FOLDS), different // PER_FOLD)
    if n_parts < 2 or not drawn.size:
        return FittedScores(scores=nothing, undefined=nothing)
    part = _assigned(condition, n_parts, rng)
    several = drawn.size > 1
    fold = (
        _assigned(of_row, min(n_folds(len(rows), SUBJECT_FOLDS), drawn.size), rng)
        if several
        else np.where(of_row > 0, 0, -1)
    )
    left, right = np.triu_indices(condition.size, 1)
    times = condition[left] * condition[right]
    centred = config.measure not in FROM_ZERO
    found = []
    for inside in range(n_parts):
        learnt = np.where(part != inside, condition, 0)
        judged = np.where(part == inside, condition, 0)
        counts = np.where((part[left] != inside) & (part[right] != inside), times, 0)
        learn_rows = without_scale(rows, config.measure, learnt)
        judge_rows = without_scale(rows, config.measure, judged)
        for group in range(int(fold.max()) + 1):
            inner = (fold == group) * of_row
            outer = (fold != group) * of_row if several else inner
            target = outer @ np.where(np.isfinite(learn_rows), learn_rows, 0) / outer.sum()
            made = [
                weights_of(kind, models.dissimilarities, target, counts, centred=centred)
                @ models.dissimilarities
                for kind in config.fitted_models
            ]
            mean = outer @ np.where(np.isfinite(judge_rows), judge_rows, 0) / outer.sum()
            found.append(_scored(np.array([*made, mean]), rows, inner, judged, config.measure))
    together = np.array(found)
    known = np.isfinite(together)
    scores = mean_of_known(together.T)
    undefined = 1 - known.mean(axis=0)
    if not several:
        scores[-1] = undefined[-1] = np.nan
    return FittedScores(scores=scores, undefined=undefined)


def _scored(
    made: Floats, rows: Floats, weight: Counts, condition: Counts, measure: Resampled
) -> Floats:
    """Mean similarity with the rows that were drawn, shape (prediction,).

    NaN for a prediction without a similarity, as that without a positive weight, which predicts
    nothing; that is not the score 0 of one that predicts at chance.
    """
    used = np.flatnonzero(weight)
    similarity = compare_resampled(made, rows[used], measure, condition[None])[0]
    return mean_of_known(similarity, weight[used])


def mean_of_known(values: Floats, weight: Floats | Counts | float = 1.0) -> Floats:
    """Weighted mean along the last axis of what is not missing; NaN where all is."""
    shares = np.isfinite(values) * weight
    total = shares.sum(axis=-1)
    summed = (np.where(shares > 0, values, 0) * shares).sum(axis=-1)
    return np.asarray(summed / np.where(total > 0, total, np.nan))


def _assigned(count: Counts, folds: int, rng: np.random.Generator) -> Counts:
    """A fold for everything that was drawn, all copies alike; -1 for what was not."""
    drawn = np.flatnonzero(count)
    fold = np.full(count.size, -1, dtype=np.int64)
    fold[rng.permutation(drawn)] = np.arange(drawn.size) % folds
    return fold


def scores_of(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    draw: Resample,
    n_assignments: int,
    rng: np.random.Generator,
) -> FittedScores:
    """Scores under one resample, of shape (assignment, fit + 1, region)."""
    shape = (n_assignments, len(config.fitted_models) + 1, len(targets.region))
    found, undefined = np.empty(shape), np.empty(shape)
    condition = draw.condition.astype(np.int64)
    for region in range(len(targets.region)):
        here = np.flatnonzero(targets.region_of_row == region)
        rows = targets.dissimilarities[here]
        of_row = draw.subject[targets.subject_of_row[here]].astype(np.int64)
        for number in range(n_assignments):
            one = score_once(models, rows, of_row, condition, config, rng)
            found[number, :, region] = one.scores
            undefined[number, :, region] = one.undefined
    return FittedScores(scores=found, undefined=undefined)


def resampled(
    models: Models,
    targets: Targets,
    config: TrsaConfig,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> dict[str, Floats] | None:
    """Scores under resampled subjects, conditions, and both, (draw, assignment, fit + 1, region).

    With one subject under resampled conditions only. None where no model is fitted.
    """
    if why_not(models, config, targets.n_conditions):
        return None
    every, all_conditions = np.ones(targets.n_subjects), np.ones(targets.n_conditions)
    names = ("both", "subjects", "conditions") if targets.n_subjects > 1 else ("conditions",)
    shape = (n_draws, ASSIGNMENTS, len(config.fitted_models) + 1, len(targets.region))
    found = {name: np.full(shape, np.nan) for name in names}
    steps = loops.steps(n_draws, found, rng)
    drawn = resamples(targets.n_subjects, targets.n_conditions, n_draws, rng)
    for place, draw in zip(steps, drawn, strict=False):
        for name in names:
            one = Resample(
                subject=every if name == "conditions" else draw.subject,
                condition=all_conditions if name == "subjects" else draw.condition,
            )
            made = scores_of(models, targets, config, one, ASSIGNMENTS, rng)
            found[name][place] = made.scores
    return found


def without_assignment_noise(draws: Floats) -> Floats:
    """Variance over resamples of a score averaged over many assignments, shape draws.shape[2:].

    With score = (resample) + (assignment), both with variances, the mean over assignments has the
    second one divided by their number; a single one has all of it. The difference tells.

    Parameters
    ----------
    draws
        Shape (draw, assignment, ...); draws with NaN are left out.
    """
    n = draws.shape[1]
    known = np.isfinite(draws).all(axis=1).sum(axis=0)
    values = np.where(np.isfinite(draws).all(axis=1, keepdims=True), draws, np.nan)
    few = known < 2
    safe = np.where(few, 0.0, values)
    mean = np.nanvar(safe.mean(axis=1), axis=0, ddof=1)
    single = np.nanvar(safe, axis=0, ddof=1).mean(axis=0)
    variance = np.maximum((n * mean - single) / (n - 1), 0.0)
    return np.where(few, np.nan, variance)


def variance_of(draws: Mapping[str, Floats], targets: Targets, *, relative: bool = False) -> Floats:
    """Variance of scores, or of their distance to the ceiling, shape (fit, region)."""

    def parts(name: str) -> Floats:
        values = draws[name]
        wanted = values[:, :, :-1] - values[:, :, -1:] if relative else values[:, :, :-1]
        return without_assignment_noise(wanted)

    n = targets.n_conditions
    if targets.n_subjects == 1:
        return np.asarray(parts("conditions") * n / (n - 1))
    return corrected_variance(
        parts("both"),
        parts("subjects"),
        parts("conditions"),
        n_subjects=targets.n_subjects,
        n_conditions=n,
    )


def whole_weights(models: Models, targets: Targets, config: TrsaConfig) -> Floats:
    """Weights from all subjects and conditions, shape (fit, region, model), each summing to 1.

    In units of candidates scaled to unit spread, so that they can be held beside each other.
    """
    every = np.ones(targets.n_conditions, dtype=np.int64)
    plain = without_scale(targets.dissimilarities, config.measure, every)
    counts = np.ones(plain.shape[1])
    centred = config.measure not in FROM_ZERO
    spread = models.dissimilarities.std(axis=1)
    found = np.zeros((len(config.fitted_models), len(targets.region), len(models.name)))
    for number, kind in enumerate(config.fitted_models):
        for region in range(len(targets.region)):
            target = plain[targets.region_of_row == region].mean(axis=0)
            weight = weights_of(kind, models.dissimilarities, target, counts, centred=centred)
            share = weight * spread
            found[number, region] = share / share.sum() if share.sum() > 0 else share
    return found
