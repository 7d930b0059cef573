"""The fit: dissimilarities, tests within recordings and over subjects, relations and models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.method import NO_TABLES, Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Checkpoint, Loops
from pipeline.core.rng import stream
from pipeline.core.views import ResponsePatterns
from pipeline.methods.trsa import (
    across,
    comparison,
    decoding,
    dimensions,
    fitting,
    graph_curves,
    homology,
    persistence,
    scores,
    within,
)
from pipeline.methods.trsa.config import COMPARISON_PARTS, TrsaConfig
from pipeline.methods.trsa.model import Sample, sample_of
from pipeline.methods.trsa.models import models_of
from pipeline.methods.trsa.populations import (
    OK,
    dissimilarities_of,
    likeness,
    participation_ratio,
)
from pipeline.methods.trsa.relations import (
    Order,
    condition_orders,
    similarity_p,
    smooth_steps,
    why_no_null,
)
from pipeline.methods.trsa.result import PartResult, TrsaResult
from pipeline.methods.trsa.subject_identification import identified_in_time
from pipeline.methods.trsa.targets import targets_of
from pipeline.methods.trsa.transforms import level_grid
from pipeline.numerics.permutation import adjusted

Floats = NDArray[np.float64]

__all__ = ["Checkpoint", "combine", "condition_order", "draws_of", "fit_part"]


def fit_part(
    views: tuple[ResponsePatterns, ...],
    config: TrsaConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
    checkpoint: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> PartResult:
    """One chunk of relabellings, of resamples or of shuffles.

    Parameters
    ----------
    views
        One view a recording of the experiment.
    config
        The method's settings.
    part
        ``permutation-NNN``, ``bootstrap-NNN``, ``homology-NNN``, ``graphs-NNN`` or
        ``comparison-NNN``, as planned by the settings.
    rng
        The random stream of this part.
    progress
        Told after every split.
    provenance
        Put into the result. Its seed and experiment name the streams that parts share: of families
        of levels, and of the shuffles of comparisons.
    tables
        Text of the tables of models by their paths in the settings.
    checkpoint, resume
        Given what the part's loops have made after each of their steps; what to go on from, which
        changes no digit.

    Raises
    ------
    NotApplicable
        If the recordings share too few conditions, or no region has enough units.
    """
    sample = sample_of(views, config)
    n_draws = draws_of(part, config)
    loops = Loops(checkpoint, resume)
    if part.name.startswith("homology"):
        clouds = homology.clouds_of(sample, config, condition_order(sample, config))
        bars = homology.shuffled(clouds, n_draws, rng, progress, loops)
        return PartResult(
            name=part.name,
            longest_bars=bars[0] if bars else None,
            betti_curves=bars[1] if bars else None,
            provenance=provenance,
        )
    if part.name.startswith("graphs"):
        order = condition_order(sample, config)
        drawn = graph_curves.drawn(sample, config, order, n_draws, rng, progress, loops)
        return PartResult(
            name=part.name,
            graph_shuffles=drawn[0] if drawn else None,
            graph_resamples=drawn[1] if drawn else None,
            provenance=provenance,
        )
    if part.name.startswith("comparison"):
        found = _compared(sample, config, part, progress, provenance, loops)
        return PartResult(
            name=part.name,
            compared=found.numbers if found else None,
            matched=found.matched if found else None,
            provenance=provenance,
        )
    levels = level_grid(config.level_step)
    if part.name.startswith("permutation"):
        inside = within.relabelled(
            sample, config, levels, n_draws, rng, provenance, progress, loops
        )
        over = across.permuted(sample, config, levels, n_draws, rng, loops)
        return PartResult(
            name=part.name,
            halves_accuracy=inside.accuracy if inside else None,
            halves_raw=inside.raw if inside else None,
            halves_taken=inside.taken if inside else None,
            separation=inside.separation if inside else None,
            course_separation=inside.courses if inside else None,
            pair_separation=inside.pair_separation if inside else None,
            contiguous_separation=inside.contiguous if inside else None,
            accuracy_null=over,
            provenance=provenance,
        )
    resampled = across.resampled(sample, config, n_draws, rng, _families(config, provenance), loops)
    models, targets = models_of(sample, config, tables), targets_of(sample, config)
    scored = scores.resampled(models, targets, config, n_draws, rng, loops) or {}
    fitted = fitting.resampled(models, targets, config, n_draws, rng, loops) or {}
    alike = within.resampled(sample, config, n_draws, rng, provenance, loops)
    told = decoding.resampled(sample, n_draws, rng, loops)
    return PartResult(
        name=part.name,
        accuracy_both=resampled["both"] if resampled else None,
        accuracy_subjects=resampled["subjects"] if resampled else None,
        accuracy_conditions=resampled["conditions"] if resampled else None,
        halves_both=alike.get("both"),
        halves_units=alike.get("units"),
        halves_conditions=alike.get("conditions"),
        taken_both=alike.get("taken_both"),
        taken_units=alike.get("taken_units"),
        taken_conditions=alike.get("taken_conditions"),
        decoding_both=told["both"],
        decoding_units=told["units"],
        decoding_conditions=told["conditions"],
        model_both=scored.get("both"),
        model_subjects=scored.get("subjects"),
        model_conditions=scored.get("conditions"),
        fitted_both=fitted.get("both"),
        fitted_subjects=fitted.get("subjects"),
        fitted_conditions=fitted.get("conditions"),
        provenance=provenance,
    )


def combine(
    parts: Mapping[str, PartResult],
    views: tuple[ResponsePatterns, ...],
    config: TrsaConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    tables: Mapping[str, pd.DataFrame] = NO_TABLES,
    loops: Loops = ALONE,
) -> TrsaResult:
    """What is observed, beside what relabellings and resamples gave.

    Parameters
    ----------
    parts
        All parts by name.
    views, config
        What the parts were given.
    rng
        The random stream of the joining step (shuffles of conditions).
    provenance
        Put into the result.
    tables
        What the parts were given.
    loops
        Its pieces; one that was ended goes on to the same result, to the last bit.
    """
    sample = sample_of(views, config)
    levels = level_grid(config.level_step)
    ordered = [parts[name] for name in sorted(parts)]
    found = dissimilarities_of(sample, config)
    first = found.by_estimator[0]
    order = condition_order(sample, config)
    missing = why_no_null(order, sample.n_conditions, _smoothest(first))
    observed = within.observed(
        sample, config, levels, ordered, rng, provenance, order=order, no_null=missing
    )
    subjects, subjects_missing = across.observed(
        sample, config, levels, ordered, _families(config, provenance)
    )
    rows = across.subject_rows(sample, config)
    course = None
    if observed.courses is not None and not isinstance(rows, str):
        along = observed.courses
        course = identified_in_time(
            rows, along.dissimilarities, along.time_bin, config.n_permutations, rng, loops
        )
    models = models_of(sample, config, tables)
    targets = targets_of(sample, config)
    scored = scores.observed(models, targets, config, ordered, rng, order=order, no_null=missing)
    clouds = homology.clouds_of(sample, config, order)
    holes = persistence.observed(sample, clouds, ordered, config)
    p_raw, p_adjusted = _similarity_p(sample, first, config, order, missing, provenance)
    return TrsaResult(
        condition=sample.condition,
        populations=_population_table(sample, found.status, first, observed, ordered, provenance),
        estimator=np.array(config.estimators),
        dissimilarities=found.by_estimator,
        level_bounds=levels,
        similarity=likeness(first, first, config.measure),
        p_raw=p_raw,
        p_adjusted=p_adjusted,
        halves=observed.halves,
        halves_missing=observed.missing,
        region_pairs=observed.pairs,
        relation_missing=missing,
        courses=observed.courses,
        subjects=subjects,
        subjects_missing=subjects_missing,
        subjects_course=course,
        model=np.array(models.name, dtype=np.str_),
        model_dissimilarities=models.dissimilarities,
        model_scores=scored.table,
        model_pairs=scored.pairs,
        model_weights=scored.weights,
        fitted_missing=fitting.why_not(models, config, sample.n_conditions),
        noise_ceiling=scored.ceiling,
        model_missing=missing,
        comparisons=comparison.table_of(sample, ordered, config),
        comparisons_missing=comparison.why_none(sample, config),
        comparisons_no_p=comparison.why_no_p(order, missing),
        graphs=graph_curves.observed(sample, config, order, ordered),
        dimensions=dimensions.dimensions_of(sample, config),
        persistence=holes.table,
        persistence_bars=holes.bars,
        persistence_lengths=holes.lengths,
        persistence_null=holes.null,
        persistence_betti=holes.betti,
        persistence_betti_null=holes.betti_null,
        persistence_distances=holes.distances,
        persistence_missing=persistence.why_none(clouds, config),
        left_out=_left_out(sample, found.status),
        condition_order=order,
        fixed_order=sample.fixed_order,
        gapless=sample.gapless,
        n_permutations=config.n_permutations,
        n_bootstraps=config.n_bootstraps,
        provenance=provenance,
    )


def _similarity_p(
    sample: Sample,
    first: Floats,
    config: TrsaConfig,
    order: Order,
    missing: str,
    provenance: Provenance,
) -> tuple[Floats, Floats]:
    """P of the similarity of every two populations, and adjusted for the number of pairs."""
    count = len(first)
    if missing:
        return np.full((count, count), np.nan), np.full((count, count), np.nan)
    rng = stream(provenance.seed, provenance.experiment, "trsa", "similarity")
    orders = condition_orders(sample.n_conditions, order, config.n_permutations, rng)
    recording = np.array([sample.sessions[index].recording for index, _ in sample.populations()])
    p = similarity_p(first, recording, orders, order)
    upper = np.triu_indices(count, 1)
    corrected = np.full((count, count), np.nan)
    corrected[upper] = adjusted(p[upper], config.correction)
    corrected[upper[1], upper[0]] = corrected[upper]
    return p, corrected


def _compared(
    sample: Sample,
    config: TrsaConfig,
    part: Part,
    progress: Progress,
    provenance: Provenance,
    loops: Loops,
) -> comparison.Compared | None:
    """Statistics of a part's share of the pairs, whose shuffles are the same in all parts."""
    kind, _, number = part.name.rpartition("-")
    share = slice(int(number), None, COMPARISON_PARTS)
    if comparison.why_none(sample, config) or not comparison.pairs_of(sample)[share]:
        return None
    order = condition_order(sample, config)
    first = dissimilarities_of(sample, config).by_estimator[0]
    missing = why_no_null(order, sample.n_conditions, _smoothest(first))
    rng = stream(provenance.seed, provenance.experiment, "trsa", f"{kind}-000")
    return comparison.compared(sample, config, order, missing, rng, progress, loops, share)


def draws_of(part: Part, config: TrsaConfig) -> int:
    """How many relabellings or resamples a part makes."""
    kind, _, number = part.name.rpartition("-")
    if kind == "comparison":
        return 1
    size = config.homology.draws_per_part if kind == "homology" else config.draws_per_part
    total = {
        "permutation": config.n_permutations,
        "bootstrap": config.n_bootstraps,
        "homology": config.homology.n_shuffles,
        "graphs": config.n_graphs,
    }[kind]
    return min(size, total - int(number) * size)


def condition_order(sample: Sample, config: TrsaConfig) -> Order:
    """Whether conditions are exchangeable, or lie along a line or a circle."""
    if config.condition_order == "auto":
        return "linear" if sample.fixed_order else "none"
    return config.condition_order


def _families(config: TrsaConfig, provenance: Provenance) -> across.Families:
    """The pairs of levels that stand for each family, the same in all parts."""
    rng = stream(provenance.seed, provenance.experiment, "trsa", "families")
    return across.Families.drawn(config.pairs_per_family, rng)


def _smoothest(dissimilarities: Floats) -> float:
    """Over how many steps of their order conditions stay alike, at most over populations."""
    return max(smooth_steps(row) for row in dissimilarities)


def _left_out(sample: Sample, status: list[str]) -> pd.DataFrame:
    """What was left out, and populations whose dissimilarities cannot be compared."""
    rows = [
        (f"{sample.sessions[index].recording}: dissimilarities of {name}", 1, known.rstrip("."))
        for (index, region), known in zip(sample.populations(), status, strict=True)
        for name in [sample.sessions[index].regions[region]]
        if known != OK
    ]
    if not rows:
        return sample.left_out
    added = pd.DataFrame(rows, columns=list(sample.left_out.columns))
    joined = pd.concat([sample.left_out, added], ignore_index=True)
    return joined.astype(dict(sample.left_out.dtypes))


def _population_table(
    sample: Sample,
    status: list[str],
    first: Floats,
    observed: within.Observed,
    parts: Sequence[PartResult],
    provenance: Provenance,
) -> pd.DataFrame:
    """One row a region of a recording."""
    told = decoding.observed(sample, parts)
    rng = stream(provenance.seed, provenance.experiment, "trsa", "equal units")
    equal = decoding.with_equal_units(sample, rng)
    rows = []
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        name = session.regions[region]
        seen = observed.reliability.get((session.recording, name))
        rows.append(
            {
                "recording": session.recording,
                "subject": session.subject,
                "region": name,
                "n_units": session.units_of(region).size,
                "n_trials": session.condition.size,
                "n_folds": session.n_folds,
                "rate_hz": float(np.median(session.rate_hz[session.units_of(region)])),
                "status": status[place],
                "decoding": told[place][0],
                "decoding_low": told[place][1].low,
                "decoding_high": told[place][1].high,
                "decoding_equal": equal[place],
                "dimensionality": participation_ratio(first[place]),
                "reliability": seen.reliability if seen else np.nan,
                # A correlation: its symmetric interval ends where correlations do.
                "reliability_low": max(seen.low, -1.0) if seen else np.nan,
                "reliability_high": min(seen.high, 1.0) if seen else np.nan,
                "reliability_p": seen.p if seen else np.nan,
                "repeat_reliability": seen.repeats if seen else np.nan,
            }
        )
    table = pd.DataFrame(rows)
    words = ("recording", "subject", "region", "status")
    return table.astype(dict.fromkeys(words, "str"))
