"""A model's clusterings joined to the types, with what speaks for and against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import ALONE, Loops, Made, Midway
from pipeline.core.views import StimulusResponses
from pipeline.methods.celltypes.ascent import Ascent, Stimuli, initial_stimuli
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.describe import descriptors
from pipeline.methods.celltypes.encoding.fit import EncodingFit
from pipeline.methods.celltypes.evidence import (
    OWN,
    Run,
    agreement,
    baseline_row,
    baseline_table,
    choose,
    k_means_labels,
    mixture_labels,
    objective_to_compare,
    reappearance,
    separation,
    session_association,
    spectral_labels,
    verdicts,
)
from pipeline.methods.celltypes.folds import outer_evidence
from pipeline.methods.celltypes.objective import (
    NO_TYPE,
    Discriminate,
    Excite,
    Floats,
    Labels,
    cluster_means,
    margins,
    membership,
    posterior,
)
from pipeline.methods.celltypes.population import (
    Population,
    loop_rule,
    normalisation,
    population,
)
from pipeline.methods.celltypes.result import (
    UNIT_COLUMNS,
    CelltypesResult,
    ClusteringPart,
    FoldPart,
    ModelEvidence,
    ModelPart,
)
from pipeline.methods.celltypes.showings import principal
from pipeline.methods.celltypes.typing_units import SHOWINGS, accuracy_by_showings
from pipeline.numerics.partitions import mean_agreement

PERMUTATION_STEPS = 20
"""Steps of the stimuli of permuted labels."""
MOST_EXCITING = 24
"""Units whose most exciting stimuli are computed, for a clustering by the answers to them."""
COMPARED_STRETCHES = 2_000
"""Stretches of the training stimulus that stimuli are compared with."""


def types_of_model(
    models: Sequence[ModelPart],
    clusterings: Sequence[ClusteringPart],
    folds: Sequence[FoldPart],
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    rng: np.random.Generator,
    *,
    provenance: Provenance,
    loops: Loops = ALONE,
) -> CelltypesResult:
    """The types of the restart that stands for all, and the evidence.

    Parameters
    ----------
    models, clusterings, folds
        All parts, by name; the first model serves.
    views, config
        What they were given.
    rng
        Random stream.
    provenance
        Put into the result.
    loops
        Of the joining; a piece is an ascent.
    """
    fit = _fit_of(models[0])
    typed = np.flatnonzero(fit.units["used"].to_numpy(dtype=bool))
    restarts = [part for part in clusterings if part.name.startswith("restart")]
    twins = [part for part in clusterings if part.name.startswith("twin") and part.status == "ok"]
    nulls = [part for part in clusterings if part.name.startswith("null")]
    best = best_clustering(restarts)
    labels = best.type_of_unit
    n_types = best.n_types
    who = population(fit, views, config, threads=provenance.threads)
    everyone = population(
        fit,
        views,
        config,
        threads=provenance.threads,
        chosen=np.ones(len(fit.units), dtype=bool),
    )
    stimuli = best.stimuli
    if stimuli is None:
        raise NotApplicable("The clustering has no stimuli.")
    answers = everyone.engine.responses(stimuli)
    inside = answers[:, typed]
    means = cluster_means(inside, membership(labels, n_types))
    twin_labels = np.array(
        [_matched_to(typed, models[int(part.name.partition("-")[2])], part) for part in twins],
        dtype=np.int64,
    ).reshape(len(twins), typed.size)
    independent = list(twin_labels) or [
        part.type_of_unit for part in restarts if part.name != best.name
    ]
    again = reappearance(labels, independent, n_types)
    null = np.array([separation(part.responses, part.type_of_unit) for part in nulls])
    apart = separation(inside, labels)
    session = _sessions(fit, views)[typed]
    association = session_association(labels, session, rng)
    scattered = _scattered(len(fit.units), typed, labels)
    every_label = np.array([part.type_of_unit for part in restarts]).reshape(-1, typed.size)
    return CelltypesResult(
        mode="model",
        status="ok" if n_types > 1 else "single_cluster",
        reason="",
        recording=np.array([view.recording for view in views], dtype=str),
        units=_units(fit, views),
        type_of_unit=scattered,
        status_of_unit=_status(fit, typed, best.held_out),
        margin=margins(answers, scattered),
        probability=_own_share(answers, scattered, config.loop.temperature),
        test_correlation=fit.units["test_correlation"].to_numpy(dtype=np.float64),
        typed_unit=typed.astype(np.int64),
        responses=answers,
        stimulus=np.array([f"stimulus {index + 1}" for index in range(n_types)]),
        objective=best.objective,
        held_out_objective=best.held_out_objective,
        response_confusion=means,
        pair_fraction=best.pair_fraction,
        temperature=config.loop.temperature,
        separation=apart,
        null_separation=null,
        reappearance=again,
        verdict=verdicts(
            np.bincount(labels, minlength=n_types),
            again,
            best.pair_fraction,
            least_pair=config.split.min_pair_fraction,
            observed=apart,
            null=null,
        ),
        stability=mean_agreement(every_label) if len(every_label) > 1 else float("nan"),
        agreement=float(np.mean([agreement(labels, other) for other in twin_labels]))
        if len(twin_labels)
        else float("nan"),
        session_information=association[0],
        session_p=association[1],
        baselines=_baselines(
            models,
            views,
            config,
            who,
            typed,
            labels,
            twin_labels[0] if len(twin_labels) else None,
            rng,
            loops,
        ),
        model=_evidence(
            fit,
            views,
            config,
            who,
            best,
            restarts,
            every_label,
            twins,
            twin_labels,
            nulls,
            rng,
            loops,
        ),
        outer=outer_evidence(
            fit,
            config,
            best,
            folds,
            rng,
            spikes=all(view.signal == "spikes" for view in views),
        ),
        shown=None,
        provenance=provenance,
    )


def without_types(
    part: ModelPart,
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    *,
    provenance: Provenance,
) -> CelltypesResult:
    """The result where the model cannot serve: no types, and what the model could do."""
    fit = _fit_of(part)
    n = len(fit.units)
    none = np.empty((0, 0))
    reasons = fit.units["reason"].to_numpy(dtype=str)
    return CelltypesResult(
        mode="model",
        status=part.status,
        reason=part.reason,
        recording=np.array([view.recording for view in views], dtype=str),
        units=_units(fit, views),
        type_of_unit=np.full(n, NO_TYPE, dtype=np.int64),
        status_of_unit=np.where(reasons == "", part.status.replace("_", " "), reasons),
        margin=np.full(n, np.nan),
        probability=np.full(n, np.nan),
        test_correlation=fit.units["test_correlation"].to_numpy(dtype=np.float64),
        typed_unit=np.empty(0, dtype=np.int64),
        responses=np.empty((0, n)),
        stimulus=np.empty(0, dtype=str),
        objective=np.empty(0),
        held_out_objective=np.empty(0),
        response_confusion=none,
        pair_fraction=none,
        temperature=config.loop.temperature,
        separation=0.0,
        null_separation=np.empty(0),
        reappearance=np.empty(0),
        verdict=np.empty(0, dtype=str),
        stability=float("nan"),
        agreement=float("nan"),
        session_information=float("nan"),
        session_p=float("nan"),
        baselines=baseline_table([]),
        model=None,
        outer=None,
        shown=None,
        provenance=provenance,
    )


def _fit_of(part: ModelPart) -> EncodingFit:
    if part.fit is None:
        raise NotApplicable(part.reason)
    return part.fit


def best_clustering(restarts: Sequence[ClusteringPart]) -> ClusteringPart:
    """The restart that stands for all."""
    chosen = choose(
        [
            Run(
                name=part.name,
                labels=part.type_of_unit,
                objective=objective_to_compare(part.objective, part.held_out_objective),
            )
            for part in restarts
        ]
    )
    return next(part for part in restarts if part.name == chosen.name)


def _matched_to(typed: NDArray[np.intp], model: ModelPart, part: ClusteringPart) -> Labels:
    """Types through another model, of the units that the first one types."""
    used = np.flatnonzero(_fit_of(model).units["used"].to_numpy(dtype=bool))
    return _scattered(len(_fit_of(model).units), used, part.type_of_unit)[typed]


def _scattered(n: int, rows: NDArray[np.intp], labels: Labels) -> Labels:
    everyone = np.full(n, NO_TYPE, dtype=np.int64)
    everyone[rows] = labels
    return everyone


def _sessions(fit: EncodingFit, views: Sequence[StimulusResponses]) -> NDArray[np.int64]:
    names = [view.recording for view in views]
    return np.array([names.index(name) for name in fit.units["recording"]], dtype=np.int64)


def _status(
    fit: EncodingFit, typed: NDArray[np.intp], held_out: NDArray[np.bool_]
) -> NDArray[np.str_]:
    status = fit.units["reason"].to_numpy(dtype=object).copy()
    status[typed] = np.where(held_out, "held out", "typed")
    return status.astype(str)


def _own_share(answers: Floats, labels: Labels, temperature: float) -> Floats:
    share = np.full(labels.size, np.nan)
    typed = np.flatnonzero(labels >= 0)
    share[typed] = posterior(answers[:, typed], temperature)[labels[typed], np.arange(typed.size)]
    return share


def _units(fit: EncodingFit, views: Sequence[StimulusResponses]) -> pd.DataFrame:
    """The table of units, with their places in the tissue."""
    position = np.concatenate([view.position for view in views]).astype(np.float64)
    table = fit.units.assign(x_um=position[:, 0], y_um=position[:, 1])
    return table[list(UNIT_COLUMNS)].reset_index(drop=True)


def _evidence(
    fit: EncodingFit,
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    who: Population,
    best: ClusteringPart,
    restarts: Sequence[ClusteringPart],
    every_label: Labels,
    twins: Sequence[ClusteringPart],
    twin_labels: Labels,
    nulls: Sequence[ClusteringPart],
    rng: np.random.Generator,
    loops: Loops,
) -> ModelEvidence:
    stimuli = np.asarray(best.stimuli, dtype=np.float32)
    model, scale = fit.model, fit.model.scale
    observed, permuted = _permutations(who, best, config, rng, loops)
    return ModelEvidence(
        network=fit.network,
        network_reason=fit.reason,
        stimuli=stimuli,
        channel=model.channel,
        frame_rate_hz=model.rate_hz,
        window_frames=model.window,
        mean=scale.mean,
        sd=scale.sd,
        low=scale.low,
        high=scale.high,
        stimulus_unit=views[0].stimulus_unit,
        resemblance=_resemblance(fit, views, stimuli),
        traces=_traces(fit, config, stimuli, best.type_of_unit),
        descriptors=descriptors(stimuli, model.rate_hz),
        restart=np.array([part.name for part in restarts], dtype=str),
        restart_labels=every_label,
        restart_start=np.array([part.n_start for part in restarts], dtype=np.int64),
        restart_objective=np.array([part.objective.mean() for part in restarts]),
        restart_held_out=np.array([part.held_out_objective.mean() for part in restarts]),
        best_restart=best.name,
        twin=np.array([part.name for part in twins], dtype=str),
        twin_labels=twin_labels,
        null=np.array([part.name for part in nulls], dtype=str),
        null_types=np.array([part.n_types for part in nulls], dtype=np.int64),
        permutation_observed=observed,
        permutation_objective=permuted,
        typing=_typing(fit, config, who, best, views, rng),
        history=best.history,
        events=best.events,
        selection_temperature=best.selection_temperature,
        n_removed=best.n_removed,
        flags=best.flags,
    )


def _permutations(
    who: Population,
    best: ClusteringPart,
    config: CelltypesConfig,
    rng: np.random.Generator,
    loops: Loops,
) -> tuple[float, Floats]:
    """Mean J of the types, and of permuted types, after as many steps from the same noise."""
    k = best.n_types
    if k < 2 or config.n_permutations == 0:
        return float("nan"), np.empty(0)

    def climbed(_: Midway) -> Made:
        return {"value": _of_permuted(who, best, config, rng)}

    value = loops.piece(climbed, rng)["value"]
    return float(value[0]), value[1:]


def _of_permuted(
    who: Population, best: ClusteringPart, config: CelltypesConfig, rng: np.random.Generator
) -> Floats:
    """Mean J of the types and of permuted types, shape (1 + permutation,)."""
    k = best.n_types
    start = who.engine.project(initial_stimuli((k, *who.shape), rng, smooth=True))
    drawn = [best.type_of_unit] + [
        rng.permutation(best.type_of_unit) for _ in range(config.n_permutations)
    ]
    weights = np.repeat(np.stack([membership(labels, k) for labels in drawn]), k, axis=0)
    goal = Discriminate(weights, np.tile(np.arange(k), len(drawn)), config.loop.temperature)
    ascent = Ascent(steps=PERMUTATION_STEPS)
    climbed = who.engine.climb(np.tile(start, (len(drawn), 1, 1, 1, 1)), goal, ascent, rng)
    value = goal(climbed.responses, np.arange(len(weights)))[0]
    return np.asarray(value.reshape(len(drawn), k).mean(axis=1))


def _traces(
    fit: EncodingFit, config: CelltypesConfig, stimuli: Stimuli, labels: Labels
) -> NDArray[np.float32]:
    """Mean normalised answers of each type in every frame, after grey: (stimulus, frame, type)."""
    units = np.flatnonzero(fit.units["used"].to_numpy(dtype=bool))
    normalise = normalisation(fit, units, config)
    weights = membership(labels, int(labels.max()) + 1)
    memory = fit.model.design.memory
    found = []
    for stimulus in stimuli:
        frames = stimulus.transpose(1, 0, 2, 3)
        movie = np.concatenate([np.zeros((memory - 1, *frames.shape[1:]), np.float32), frames])
        answers = normalise(fit.model.traces(movie)[:, units].astype(np.float64))
        found.append(answers @ weights.T)
    return np.stack(found).astype(np.float32)


def _resemblance(fit: EncodingFit, views: Sequence[StimulusResponses], stimuli: Stimuli) -> Floats:
    """Largest cosine of each stimulus with a stretch of the training stimulus."""
    length = stimuli.shape[2]
    best = np.zeros(len(stimuli))
    flat = stimuli.reshape(len(stimuli), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    stretches = [
        (view, int(first), int(stop))
        for view in views
        for first, stop, role in view.stretches[["first", "stop", "role"]].itertuples(index=False)
        if role == "train" and stop - first >= length
    ]
    total = sum(stop - first for _, first, stop in stretches)
    step = max(1, total // COMPARED_STRETCHES)
    for view, first, stop in stretches:
        frames = fit.model.scale.scaled(np.asarray(view.stimulus[first:stop]))
        for at in range(0, len(frames) - length + 1, step):
            piece = frames[at : at + length].transpose(1, 0, 2, 3).ravel()
            size = float(np.linalg.norm(piece))
            if size > 0:
                best = np.maximum(best, flat @ piece / size)
    return np.asarray(best, dtype=np.float64)


def _typing(
    fit: EncodingFit,
    config: CelltypesConfig,
    who: Population,
    best: ClusteringPart,
    views: Sequence[StimulusResponses],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """How often types would be found again from so many showings; nothing for traces."""
    columns = ["repeats", "accuracy", "chance"]
    if best.n_types < 2 or any(view.signal != "spikes" for view in views):
        return pd.DataFrame({name: pd.Series([], dtype="float64") for name in columns})
    units = np.flatnonzero(fit.units["used"].to_numpy(dtype=bool))
    normalise = normalisation(fit, units, config)
    rates = best.responses * normalise.divisor + normalise.offset
    counts = rates * fit.model.window
    accuracy = accuracy_by_showings(counts, best.type_of_unit, SHOWINGS, rng)
    return pd.DataFrame(
        {
            "repeats": np.array(SHOWINGS, dtype=np.int64),
            "accuracy": accuracy,
            "chance": 1 / best.n_types,
        }
    )


def _baselines(
    models: Sequence[ModelPart],
    views: Sequence[StimulusResponses],
    config: CelltypesConfig,
    who: Population,
    typed: NDArray[np.intp],
    labels: Labels,
    independent_types: Labels | None,
    rng: np.random.Generator,
    loops: Loops,
) -> pd.DataFrame:
    """Other clusterings of the same units, where the number of clusters is given: that of types."""
    n_types = int(labels.max()) + 1
    if not config.baselines or n_types < 2:
        return baseline_table([])
    fit = _fit_of(models[0])
    known = fit.units["label"].to_numpy(dtype=str)[typed]
    features = {"training answers": who.points}
    weights = _readout(fit, typed)
    if weights is not None:
        features["readout weights"] = weights
    recorded = _recorded(views, typed)
    if recorded is not None:
        features["recorded repeats"] = recorded
    exciting = loops.piece(lambda _: {"points": _to_exciting(who, config, rng)}, rng)
    features["exciting stimuli"] = exciting["points"]
    twin = _twin_features(models, views, config)
    rows = [baseline_row(OWN, labels, types=labels, known=known, independent=independent_types)]
    for name, points in features.items():
        other, rows_of_other = twin.get(name, (None, None))
        ways: dict[str, Callable[[Floats], Labels]] = {
            "k-means": partial(k_means_labels, n_clusters=n_types, seed=0),
            "mixture": partial(mixture_labels, seed=0),
        }
        if name == "readout weights":
            ways["spectral"] = partial(spectral_labels, n_clusters=n_types, seed=0)
        for way, cluster in ways.items():
            independent = None
            if other is not None and rows_of_other is not None:
                independent = _scattered(len(fit.units), rows_of_other, cluster(other))[typed]
            rows.append(
                baseline_row(
                    f"{way}: {name}",
                    cluster(points),
                    types=labels,
                    known=known,
                    independent=independent,
                )
            )
    return baseline_table(rows)


def _readout(fit: EncodingFit, units: NDArray[np.intp]) -> Floats | None:
    """Weights of the features that units read, each unit's of length 1; none for ``ln``."""
    weights = fit.model.members[0].arrays.get("readout.weight")
    if weights is None:
        return None
    chosen = np.asarray(weights, dtype=np.float64)[units]
    size = np.linalg.norm(chosen, axis=1, keepdims=True)
    return chosen / np.where(size > 0, size, 1)


def _recorded(views: Sequence[StimulusResponses], typed: NDArray[np.intp]) -> Floats | None:
    """Mean recorded answers to frames that were shown again, in few numbers; one recording only.

    Units look at different places of these frames, which is why such clusterings need stimuli
    that are the same everywhere.
    """
    if len(views) > 1 or not (views[0].again >= 0).any():
        return None
    view = views[0]
    classes, code = np.unique(view.again, return_inverse=True)
    known = view.valid[:, typed]
    total = np.zeros((classes.size, typed.size))
    count = np.zeros((classes.size, typed.size))
    np.add.at(total, code, np.where(known, view.responses[:, typed], 0))
    np.add.at(count, code, known)
    mean = (total / np.maximum(count, 1))[classes >= 0]
    spread = mean.std(axis=0)
    return principal(((mean - mean.mean(axis=0)) / np.where(spread > 0, spread, 1)).T)


def _to_exciting(who: Population, config: CelltypesConfig, rng: np.random.Generator) -> Floats:
    """Answers of all units to the most exciting stimuli of some, in few numbers."""
    n = len(who.points)
    chosen = np.sort(rng.permutation(n)[:MOST_EXCITING])
    start = who.engine.project(initial_stimuli((chosen.size, *who.shape), rng, smooth=True))
    goal = Excite(np.eye(n)[chosen], np.arange(chosen.size))
    rule = loop_rule(config, steps=config.ascent.compare_steps)
    climbed = who.engine.climb(start, goal, rule.polish, rng)
    answers = climbed.responses.T
    spread = answers.std(axis=0)
    return principal(answers / np.where(spread > 0, spread, 1))


def _twin_features(
    models: Sequence[ModelPart], views: Sequence[StimulusResponses], config: CelltypesConfig
) -> dict[str, tuple[Floats, NDArray[np.intp]]]:
    """The same features through the second model, and which units they are of."""
    if len(models) < 2 or models[1].status != "ok":
        return {}
    fit = _fit_of(models[1])
    units = np.flatnonzero(fit.units["used"].to_numpy(dtype=bool))
    who = population(fit, views, config, threads=1)
    found = {"training answers": (who.points, units)}
    weights = _readout(fit, units)
    if weights is not None:
        found["readout weights"] = (weights, units)
    return found
