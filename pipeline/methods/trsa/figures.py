"""What the figures of a comparison of representations show."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Heatmap, Line, Lines, Panel
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.views import ResponsePatterns
from pipeline.core.words import counted, from_to
from pipeline.methods.trsa.comparison_figures import comparison_figures
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import LEVEL
from pipeline.methods.trsa.families import families_figure
from pipeline.methods.trsa.geodesics import two_step
from pipeline.methods.trsa.graph_figures import graph_figures
from pipeline.methods.trsa.population_maps import regions_figure
from pipeline.methods.trsa.recovery import recovery
from pipeline.methods.trsa.result import HalvesResult, SubjectsResult, TrsaResult
from pipeline.methods.trsa.simulate import TrsaTruth
from pipeline.methods.trsa.subject_time_figures import subject_time_figures
from pipeline.methods.trsa.time_figures import time_figures
from pipeline.methods.trsa.topology_figures import holes_figures
from pipeline.methods.trsa.transforms import geo_topological, scaled_ranks
from pipeline.numerics.dissimilarity import squared_form

SHOWN_POPULATIONS = 6
SHOWN_LABELS = 40
FEW_MODELS = 2
"""Models whose bars leave room for several regions side by side."""
TOPOLOGY = (0.4, 0.6)
"""Levels of the transform that is drawn where no best pair is known."""


def figures(
    result: TrsaResult,
    views: tuple[ResponsePatterns, ...],
    config: TrsaConfig,
    truth: TrsaTruth | None = None,
    names: UnitNames = NO_NAMES,
) -> tuple[Figure, ...]:
    """All figures of a result in reading order.

    Parameters
    ----------
    result
        The joined fit.
    views
        What was compared.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    names
        What units are called; no figure shows a single one.
    """
    found = [_matrices(result, config)]
    if result.populations["reliability"].notna().any():
        found.append(_reliability(result))
    if result.halves is not None:
        found.append(_halves(result, result.halves))
    if result.courses is not None:
        found += time_figures(result, result.courses, population_names(result))
        found += subject_time_figures(result, result.courses)
    if result.subjects is not None:
        found.append(_subjects(result, result.subjects))
        if result.subjects.least_p <= LEVEL:
            found.append(families_figure(result.subjects, config))
    found.append(_transform(result))
    if len(result.populations) > 2:
        found.append(regions_figure(result, config, population_names(result), best_levels(result)))
    if result.model.size:
        found.append(_models(result, config))
    found += graph_figures(result)
    found += comparison_figures(result, population_names(result))
    found += holes_figures(result, config)
    if truth is not None:
        found.append(_truth(result, truth))
    return tuple(found)


def population_names(result: TrsaResult) -> tuple[str, ...]:
    """Region of each population, with its recording where there are several."""
    several = result.populations["recording"].nunique() > 1
    return tuple(
        f"{row.region} ({row.recording})" if several else str(row.region)
        for row in result.populations.itertuples(index=False)
    )


def best_levels(result: TrsaResult) -> tuple[float, float] | None:
    """The pair of levels that tells regions apart best; None where nothing was told apart."""
    subjects, halves = result.subjects, result.halves
    # Over subjects only where their number allows a test.
    if subjects is not None and (subjects.least_p <= LEVEL or halves is None):
        accuracy = subjects.accuracy
    elif halves is not None:
        accuracy = halves.all_accuracy
    else:
        return None
    lower, upper = result.level_bounds[int(np.argmax(accuracy))]
    return float(lower), float(upper)


def level_map(result: TrsaResult, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values of pairs of levels as a matrix: lower levels are columns, upper ones rows."""
    row, column = level_cells(result)
    steps = np.unique(result.level_bounds)
    matrix = np.full((steps.size, steps.size), np.nan, dtype=np.float32)
    matrix[row, column] = values.round(4)
    return matrix


def level_cells(result: TrsaResult) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of each pair of levels in :func:`level_map`."""
    steps = np.unique(result.level_bounds)
    column = np.searchsorted(steps, result.level_bounds[:, 0])
    row = np.searchsorted(steps, result.level_bounds[:, 1])
    return steps.size - 1 - row, column


def _accuracy_map(result: TrsaResult, accuracy: NDArray[np.float64], *, p: str) -> Heatmap:
    """Accuracies of pairs of levels, the best one framed; ``p`` says how sure that one is."""
    best = int(np.argmax(accuracy))
    row, column = level_cells(result)
    drawn = _level_heatmap(result, accuracy, title="Accuracy over levels", value_title="Accuracy")
    return dataclasses.replace(
        drawn,
        outlined=((int(row[best]), int(column[best])),),
        outlined_title=f"best levels ({p})",
    )


def _level_heatmap(
    result: TrsaResult,
    values: NDArray[np.float64],
    *,
    title: str,
    value_title: str,
    limits: tuple[float, float] | None = None,
) -> Heatmap:
    steps = np.unique(result.level_bounds)
    names = tuple(f"{step:g}" for step in steps)
    return Heatmap(
        title=title,
        values=level_map(result, values),
        x_title="Lower level",
        y_title="Upper level",
        value_title=value_title,
        x_labels=names,
        y_labels=names[::-1],
        limits=limits,
        square=True,
        missing_title="no pair of levels",
    )


def _matrix(values: NDArray[np.float64], labels: tuple[str, ...], *, title: str) -> Heatmap:
    """Dissimilarities, shape (pair,), as a square."""
    alike = np.isnan(values).all()  # ranks of equal values
    square = squared_form(values)
    np.fill_diagonal(square, np.nan)
    shown = labels if len(labels) <= SHOWN_LABELS else ()
    return Heatmap(
        title=title,
        values=square.round(4).astype(np.float32),
        x_title="Condition",
        y_title="Condition",
        value_title="Scaled rank",
        x_labels=shown,
        y_labels=shown,
        limits=(0.0, 1.0),
        square=True,
        missing_title="all pairs alike" if alike else "same condition",
    )


def _one_of_each_first(regions: NDArray[Any]) -> NDArray[np.intp]:  # Any: names
    """Places in an order in which no region comes a second time before all have come once."""
    turn = [int((regions[:place] == regions[place]).sum()) for place in range(regions.size)]
    return np.argsort(turn, kind="stable")


def _matrices(result: TrsaResult, config: TrsaConfig) -> Figure:
    """Dissimilarities, their transform and their paths, one row a population."""
    levels = best_levels(result) or TOPOLOGY
    labels = tuple(str(name) for name in result.condition)
    names = population_names(result)
    first = result.dissimilarities[0]
    usable = np.flatnonzero(~np.isnan(first).any(axis=1))
    shown = _one_of_each_first(result.populations["region"].to_numpy()[usable])
    shown = usable[shown[:SHOWN_POPULATIONS]]
    bounds = np.array([levels])
    panels: list[Panel] = []
    words = f"levels {levels[0]:g} to {levels[1]:g}"
    for place in shown:
        name = names[place]
        ranks = scaled_ranks(first[place])
        panels.append(_matrix(ranks, labels, title=f"{name}: geometry"))
        topology = geo_topological(first[place], bounds, scale=config.scale)[0]
        panels.append(_matrix(topology, labels, title=f"{name}: {words}"))
        paths = two_step(first[place], bounds, scale=config.scale).values[0]
        panels.append(_matrix(scaled_ranks(paths), labels, title=f"{name}: paths"))
    dimensions = result.dimensions["cross_validated"].to_numpy(dtype=np.float64)
    told = [
        f"{name} {value:.1f}"
        for name, value in zip(names, dimensions, strict=True)
        if np.isfinite(value)
    ]
    return Figure(
        id="dissimilarities",
        title="Which conditions are answered alike",
        finding=(
            f"{result.condition.size} conditions in {counted(len(names), 'population')}; "
            "dimensions "
            f"over which conditions spread: {', '.join(told) or 'not defined'}."
        ),
        caption=(
            f"Left: ranks of the dissimilarities ('{result.estimator[0]}') of all pairs of "
            f"conditions, from 0 (most alike) to 1. Middle: the same through the ramp of {words}: "
            "pairs below the lower level count as one, pairs above the upper level as simply far. "
            "Right: ranks of the shortest paths over pairs that are not far; grey where all are "
            "alike. "
            f"{shown.size} of {counted(len(names), 'population')} drawn, one of each region before "
            "a second of any. Good: blocks or bands "
            "that come "
            "back over regions or subjects. Bad: speckle, which is noise. No band: see the "
            "reliability."
        ),
        alt="Matrices of conditions against conditions, three for each population.",
        panels=tuple(panels),
        columns=3,
    )


def _repeat_words(labels: tuple[str, ...], values: NDArray[np.float64]) -> str:
    """Which regions' dissimilarities repeat; best and least only among several that do."""
    best, worst = int(values.argmax()), int(values.argmin())
    if len(labels) == 1:
        return f"{labels[0]} " + (
            f"agree with a rank correlation of {values[0]:.2f}"
            if values[0] > 0
            else f"do not agree (rank correlation {values[0]:z.2f})"
        )
    if values[best] <= 0:
        return (
            f"no region agree (the largest rank correlation, of {labels[best]}, is "
            f"{values[best]:z.2f})"
        )
    return (
        f"{labels[best]} agree best (rank correlation {values[best]:.2f}) and those of "
        f"{labels[worst]} least ({values[worst]:z.2f})"
    )


def _reliability(result: TrsaResult) -> Figure:
    """How well dissimilarities repeat over units and trials, and over trials alone."""
    names = population_names(result)
    known = np.flatnonzero(result.populations["reliability"].notna().to_numpy())
    values = result.populations["reliability"].to_numpy(dtype=np.float64)[known]
    repeats = result.populations["repeat_reliability"].to_numpy(dtype=np.float64)[known]
    low, high = (
        result.populations[f"reliability_{end}"].to_numpy(dtype=np.float64)[known]
        for end in ("low", "high")
    )
    told, told_low, told_high = (
        result.populations[f"decoding{end}"].to_numpy(dtype=np.float64)[known]
        for end in ("", "_low", "_high")
    )
    labels = tuple(names[place] for place in known)
    rows = result.populations.iloc[known]
    return Figure(
        id="reliability",
        title="Reliability of each region's dissimilarities",
        finding=(
            "Between halves that share no unit and no repeat, dissimilarities of "
            f"{_repeat_words(labels, values)}."
        ),
        caption=(
            f"n: {from_to(rows['n_units'], 'unit')} a region and "
            f"{from_to(rows['n_folds'], 'repeat')}. Left: rank correlation of "
            "dissimilarities "
            "between halves with other units and other repeats, mean over random splits, with 95 % "
            "ranges over neurons and stimuli of this recording; a half has half the units, so all "
            "units are more reliable than this. "
            "Then: halves of the repeats with the same units; it says how noisy trials are, and "
            "nothing about the region: any group of units is like itself. Last: share of "
            "conditions that are recognised in a left-out repeat by the nearest mean of the "
            "others, with 95 % ranges over neurons and stimuli; dashed: chance; without a range "
            "where no resample differs. "
            "Good: on the left well above 0, with a range that does not hold 0. Bad: a range that "
            "holds 0; how such a region relates to others is not known, however well its trials "
            "repeat and tell conditions."
        ),
        alt="Three bar charts over regions.",
        panels=(
            Bars(
                title="Other units, other repeats",
                labels=labels,
                values=values.round(4),
                lower=low.round(4),
                upper=high.round(4),
                x_title="Region",
                y_title="Rank correlation",
                reference=0.0,
                reference_label="no agreement",
            ),
            Bars(
                title="Same units, other repeats",
                labels=labels,
                values=repeats.round(4),
                x_title="Region",
                y_title="Rank correlation",
                reference=0.0,
                reference_label="no agreement",
            ),
            Bars(
                title="Conditions told by single trials",
                labels=labels,
                values=told.round(4),
                lower=told_low.round(4),
                upper=told_high.round(4),
                x_title="Region",
                y_title="Share of conditions",
                reference=round(1 / result.condition.size, 4),
                reference_label="chance",
            ),
        ),
        columns=3,
    )


def _halves(result: TrsaResult, halves: HalvesResult) -> Figure:
    """Regions told apart within recordings."""
    best = int(np.argmax(halves.all_accuracy))
    lower, upper = result.level_bounds[best]
    geometry = geometry_level(result)
    p = float(halves.all_p_corrected[best])
    several = halves.session.size > 1
    span = halves.accuracy_low, halves.accuracy_high
    unknown = (np.nan, np.nan)
    # Each accuracy with its range, then that of regroupings.
    told = {
        "unit norm": (halves.raw_accuracy.mean(), unknown),
        "unit norm, chance": (halves.raw_chance.mean(), halves.raw_regrouped),
        "ranks": (halves.all_accuracy[geometry], span),
        "ranks, chance": (halves.all_chance[geometry], halves.all_regrouped[geometry]),
        f"{lower:g} to {upper:g}": (halves.all_accuracy[best], unknown),
        f"{lower:g} to {upper:g}, chance": (halves.all_chance[best], halves.all_regrouped[best]),
    }
    values = np.array([value for value, _ in told.values()])
    ends = np.array([ends for _, ends in told.values()])
    where = f"the mean over {halves.session.size} recordings" if several else "this recording"
    return Figure(
        id="within",
        title="Telling regions apart within a recording",
        finding=(
            f"In {where}, a region's half is recognised among the halves of the other regions in "
            f"{100 * values[4]:.0f} % at the best levels ({lower:g} to {upper:g}; corrected p = "
            f"{p:.2g}) and in {100 * values[2]:.0f} % by ranks"
            + (f" (95 % range {_percent(*span)} %)" if np.isfinite(span[0]) else "")
            + f", where random regroupings of the same units reach {100 * values[3]:.0f} % "
            f"({_percent(*ends[3])} % in nine of ten)."
        ),
        caption=(
            f"{halves.n_splits} random splits; halves have other units and other repeats. Left: "
            "accuracy at each pair of levels, lower level to the right and upper level upwards, "
            "the best one framed; "
            "the corner on the left above is pure geometry, the diagonal pure topology. Bars: "
            "accuracy of dissimilarities scaled to unit norm, of their ranks, and at the best "
            f"levels, each above its chance: {result.n_permutations} regroupings of the units "
            "(mean, and 5 to 95 % of them). The 95 % range of ranks is over neurons and stimuli of "
            + ("these recordings" if several else "this recording")
            + ", and secondary to p; unit norm has none, and the best levels have none, as they "
            "were chosen on the same data. The p of "
            "the best levels is against the largest accuracy anywhere on the map in each "
            "regrouping. Matrix: which region's halves were taken for which, by ranks; rows sum to "
            "1"
            + (", means over recordings that have both regions" if several else "")
            + ". Good: bars well beyond their regroupings, a strong diagonal. Bad: bars within "
            "them, as if "
            "units had been dealt out to regions. It is about units of these recordings and no "
            "statement on other animals."
        ),
        alt="A map of accuracy over levels, bars beside regroupings, and a matrix of regions.",
        panels=(
            _accuracy_map(result, halves.all_accuracy, p=f"corrected p = {p:.2g}"),
            Bars(
                title="Geometry and topology",
                labels=tuple(told),
                values=values.round(4),
                lower=ends[:, 0].round(4),
                upper=ends[:, 1].round(4),
                x_title="Statistic",
                y_title="Accuracy",
            ),
            _taken_matrix(halves),
        ),
        columns=2,
    )


def _percent(low: float, high: float) -> str:
    return f"{100 * low:.0f} to {100 * high:.0f}"


def _taken_matrix(halves: HalvesResult) -> Heatmap:
    """Which region's halves were taken for which, mean over recordings."""
    names = tuple(dict.fromkeys(halves.taken["region"].astype(str)))
    mean = halves.taken.groupby(["region", "assigned"])["share"].mean()
    values = [[mean.get((one, other), np.nan) for other in names] for one in names]
    return Heatmap(
        title="Which region's halves were taken for which",
        values=np.array(values).round(4).astype(np.float32),
        x_title="Taken for",
        y_title="Region",
        value_title="Share",
        x_labels=names,
        y_labels=names,
        limits=(0.0, 1.0),
        square=True,
        missing_title="never recorded together",
    )


def _subjects(result: TrsaResult, found: SubjectsResult) -> Figure:
    """Regions told apart over subjects."""
    best = int(np.argmax(found.accuracy))
    lower, upper = result.level_bounds[best]
    names = tuple(str(name) for name in found.region)
    possible = found.least_p <= LEVEL
    p = f"corrected p = {found.p_corrected[best]:.2g}" if possible else "too few for a test"
    nested = (
        f"; with levels chosen without the subject that is judged {100 * found.nested_accuracy:.0f}"
        " %"
        if np.isfinite(found.nested_accuracy)
        else ""
    )
    return Figure(
        id="across",
        title="Telling regions apart over subjects",
        finding=(
            f"Over {found.subject.size} subjects, {100 * found.accuracy[best]:.0f} % of regions "
            f"are recognised from the other subjects at the best levels ({lower:g} to {upper:g}; "
            f"{p}){nested}; chance is {100 / len(names):.0f} %."
        ),
        caption=(
            f"Each of {found.subject.size} subjects is left out in turn, and each of its regions "
            "goes to the nearest mean of a region over the other subjects. Left: accuracy at each "
            "pair of levels. The best cell, framed, is chosen on the same data, so its accuracy is "
            "too high; the nested one is not. "
            "Right: which region was taken for which, at the best levels; rows sum to 1. Regions "
            f"were relabelled within subjects {result.n_permutations} times. Good: accuracy well "
            "above chance in a whole field of the map, and when levels are chosen without the "
            "subject; a strong diagonal on the right. Bad: single bright cells, or rows that look "
            "alike. A region can also be recognised by how noisy it is."
        ),
        alt="A map of accuracy over lower and upper levels, and a matrix of regions.",
        panels=(
            _accuracy_map(result, found.accuracy, p=p),
            Heatmap(
                title="Which region was taken for which",
                values=found.confusion.round(4).astype(np.float32),
                x_title="Assigned",
                y_title="Region",
                value_title="Share",
                x_labels=names,
                y_labels=names,
                limits=(0.0, 1.0),
                square=True,
            ),
        ),
        columns=2,
    )


def _transform(result: TrsaResult) -> Figure:
    """The ramp between two levels."""
    best = best_levels(result)
    x = np.linspace(0, 1, 101)
    pairs = {"geometry": (0.0, 1.0), "topology": (0.5, 0.5)}
    if best is not None and best not in pairs.values():
        pairs["best"] = best
    lines = []
    for group, (name, (lower, upper)) in enumerate(pairs.items()):
        ramp = (x - lower) / (upper - lower) if upper > lower else (x > upper).astype(np.float64)
        lines.append(
            Line(
                name=f"{name} ({lower:g} to {upper:g})",
                y=np.clip(ramp, 0, 1).round(4),
                group=group,
            )
        )
    width = result.level_bounds[:, 1] - result.level_bounds[:, 0]
    return Figure(
        id="transform",
        title="From geometry to topology",
        finding=(
            "Levels far apart keep all distances; levels that meet leave only who is near whom."
        ),
        caption=(
            "Left: what becomes of a dissimilarity, by its rank among all pairs. Below the lower "
            "level it counts as 0, above the upper one as 1. Right: the triangle of all "
            f"{width.size} pairs of levels that were tried, with the width of the ramp. Neither "
            "good nor bad: nothing here is measured."
        ),
        alt="Ramps and a step between 0 and 1, and a triangle of widths.",
        panels=(
            Lines(
                title="Transform",
                x=x.round(4),
                lines=tuple(lines),
                x_title="Rank of the dissimilarity",
                y_title="Transformed",
            ),
            _level_heatmap(result, width, title="Width of the ramp", value_title="Width"),
        ),
        columns=2,
    )


def _models(result: TrsaResult, config: TrsaConfig) -> Figure:
    """Scores of models in each region."""
    table = result.model_scores
    regions = list(dict.fromkeys(table["region"]))
    panels: list[Panel] = []
    for region in regions:
        rows = table[table["region"] == region]
        score, se = (rows[name].to_numpy(dtype=np.float64) for name in ("score", "se"))
        ceiling = result.noise_ceiling[result.noise_ceiling["region"] == region]
        reference, top = (float(ceiling[name].iloc[0]) for name in ("lower", "upper"))
        known = np.isfinite(reference)
        panels.append(
            Bars(
                title=str(region),
                labels=tuple(rows["model"]),
                values=score.round(4),
                lower=(score - se).round(4),
                upper=(score + se).round(4),
                x_title="Model",
                y_title=config.measure,
                reference=round(reference, 4) if known else 0.0,
                reference_to=round(top, 4) if known and np.isfinite(top) else None,
                reference_label="noise ceiling, lower to upper" if known else "no likeness",
            )
        )
    scores = table["score"].to_numpy(dtype=np.float64)
    tested = table["p_adjusted"].notna().any()
    n_good = int((table["p_adjusted"] <= LEVEL).sum())
    finding = "No model has a score."
    if np.isfinite(scores).any():
        top = int(np.nanargmax(scores))
        model, region = table["model"].iloc[top], table["region"].iloc[top]
        finding = (
            f"'{model}' explains {region} best ({scores[top]:z.2f}); {n_good} of {len(table)} "
            f"models and regions have an adjusted p <= {LEVEL}."
            if tested
            else f"Scores lie between {np.nanmin(scores):z.2f} and {scores[top]:z.2f} and none is "
            f"tested: {result.model_missing or 'they only follow the order of conditions'}."
        )
    return Figure(
        id="models",
        title="What regions could represent",
        finding=finding,
        caption=(
            "Similarity of each region's dissimilarities with those of models: differences of "
            "columns of the trials (':circular' around a circle, ':same' whether they are the "
            "same) and of the pixels shown. Ranges are one standard error over conditions"
            + (
                " and subjects"
                if result.subjects is not None
                else ", of which there is no ceiling with one subject"
            )
            + f". {result.condition.size} conditions. "
            + (
                "Dashed lines and the band between them: the noise ceiling, which no model can be "
                "expected to pass; the lower line is the likeness of each subject with the mean of "
                "the others (rather too low), the upper one with the mean of all, its own among "
                "them (too high). "
                if result.noise_ceiling["lower"].notna().any()
                else ""
            )
            + "Good: a range above 0 that reaches the noise ceiling. Bad: one that holds 0. Models "
            "that resemble each other share their scores."
        ),
        alt="Bars of scores with standard errors, one panel a region.",
        panels=tuple(panels),
        columns=3 if table["model"].nunique() <= FEW_MODELS else 1,
    )


def _truth(result: TrsaResult, truth: TrsaTruth) -> Figure:
    """Planted beside found."""
    found = recovery(result, truth)
    labels = tuple(str(name) for name in truth.condition)
    names = population_names(result)
    panels: list[Panel] = []
    for place, row in enumerate(result.populations.itertuples(index=False)):
        if len(panels) >= 2 * SHOWN_POPULATIONS:
            break
        known = np.flatnonzero((truth.region == row.region) & (truth.geometry != "none"))
        if not known.size or np.isnan(result.dissimilarities[0, place]).any():
            continue
        planted = scaled_ranks(truth.dissimilarities[known[0]])
        seen = scaled_ranks(result.dissimilarities[0, place])
        panels.append(_matrix(planted, labels, title=f"{names[place]}: planted"))
        conditions = tuple(str(name) for name in result.condition)
        panels.append(_matrix(seen, conditions, title=f"{names[place]}: found"))
    words = ", ".join(f"{region} {value:z.2f}" for (_, region), value in found.items())
    return Figure(
        id="truth",
        title="Planted beside found",
        finding=f"Rank correlation of found with planted dissimilarities: {words}.",
        caption=(
            f"Simulated recording with {len(labels)} conditions. Left: squared distances of the "
            "planted tuning, as ranks. Right: what was found from responses. No band: see the "
            "reliability. Good: the same bands "
            "and blocks. Bad: others, or none. Regions without tuning are not drawn."
        ),
        alt="Pairs of matrices of conditions, planted and found.",
        panels=tuple(panels),
        columns=2,
    )


def geometry_level(result: TrsaResult) -> int:
    """Place of the pair of levels that keeps all ranks."""
    return int(np.flatnonzero((result.level_bounds == [0.0, 1.0]).all(axis=1))[0])
