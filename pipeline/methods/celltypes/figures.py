"""What the figures of cell types show; how they are drawn is decided elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Heatmap, Line, Lines, Panel, Points, Span
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.views import View
from pipeline.core.words import counted, for_number
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.describe import separated
from pipeline.methods.celltypes.evidence import OWN, scaled_confusion, similar_order
from pipeline.methods.celltypes.objective import NO_TYPE
from pipeline.methods.celltypes.recovery import true_labels
from pipeline.methods.celltypes.result import CelltypesResult, ModelEvidence, ShownEvidence
from pipeline.methods.celltypes.simulate import Truth
from pipeline.methods.celltypes.splitting import STEP_OF
from pipeline.numerics.partitions import adjusted_rand_index

SHOWN_TYPES = 12
"""Types whose stimuli and traces are drawn, the largest first."""
SHOWN_RUNS = 12
SHOWN_STIMULI = 60
SHOWN_EVENTS = 24
HISTOGRAM_BINS = 20


def figures(
    result: CelltypesResult,
    views: tuple[View, ...],
    config: CelltypesConfig,
    truth: Truth | None = None,
    names: UnitNames = NO_NAMES,
) -> tuple[Figure, ...]:
    """All figures of a result in reading order.

    Parameters
    ----------
    result
        The joined fit.
    views
        What was fitted.
    config
        The method's settings.
    truth
        What was planted, for simulated recordings.
    names
        What units are called.
    """
    found: list[Figure] = []
    model, shown = result.model, result.shown
    if model is not None and result.n_types:
        found += [_stimuli(result, model), _traces(result, model)]
    if result.n_types > 1:
        found.append(_confusion(result))
        if shown is not None:
            found += [_tuning(result, shown), _scan(result, shown)]
        if result.null_separation.size:
            found.append(_continuum(result))
    if model is not None:
        found += _number(result, model, config)
        found += _outer(result)
        found += _runs(result, model)
        found += [_history(model)]
    typing = _typing_table(result)
    if len(typing):
        found.append(_typing(result, typing))
    if len(result.baselines):
        found.append(_baselines(result))
    if result.mode == "model":
        found += [_prediction(result, config), *_mosaic(result, names)]
    if truth is not None and result.n_types:
        found.append(_truth(result, truth))
    return tuple(found)


def type_names(result: CelltypesResult) -> tuple[str, ...]:
    """How types are called."""
    return tuple(f"Type {index + 1}" for index in range(result.n_types))


def _drawn(result: CelltypesResult) -> NDArray[np.intp]:
    """The largest types, in the order of their numbers."""
    largest = np.argsort(-result.size, kind="stable")[:SHOWN_TYPES]
    return np.sort(largest)


def _stimuli(result: CelltypesResult, model: ModelEvidence) -> Figure:
    """Every type's stimulus as its part in space and its part in time."""
    panels: list[Panel] = []
    channels = tuple(str(name) for name in model.channel)
    n_frames = model.stimuli.shape[2]
    time_s = (np.arange(n_frames) - n_frames + 1) / model.frame_rate_hz
    shares = []
    for kind in _drawn(result):
        name = f"Type {kind + 1}"
        parts = separated(model.stimuli[kind])
        shares.append(float(np.mean(parts.share)))
        strength = np.linalg.norm(parts.time, axis=1)
        for channel, called in enumerate(channels):
            # Channels in one scale, so that a faint one looks faint.
            image = parts.space[channel] * strength[channel] / max(strength.max(), 1e-12)
            panels.append(
                Heatmap(
                    title=f"{name}: {called}",
                    values=np.round(image, 3).astype(np.float32),
                    x_title="x (pixel)",
                    y_title="y (pixel)",
                    value_title="Part in space (share of max.)",
                    scale="diverging",
                    limits=(-1.0, 1.0),
                    square=True,
                )
            )
        if n_frames > 1:
            panels.append(
                Lines(
                    title=f"{name}: in time",
                    x=time_s,
                    lines=tuple(
                        Line(name=called, y=np.round(parts.time[channel], 3), group=channel)
                        for channel, called in enumerate(channels)
                    ),
                    x_title="Time before the end (s)",
                    y_title="Middle of the screen (SD)",
                    spans=(_window(model, time_s),),
                )
            )
    return Figure(
        id="stimuli",
        title="The stimulus of each type",
        finding=(
            f"{result.n_types} types, each with a stimulus that drives it and not the others; one "
            f"image times one course holds {100 * float(np.mean(shares)):.0f} % of a stimulus on "
            "average."
        ),
        caption=(
            f"One row a type, {len(shares)} of {result.n_types} types. Left: for each channel the "
            "image of the first singular vectors of the stimulus (two colours: of opposite sign, "
            "positive in the middle; faint where a channel matters little). Right: the course of "
            "that image in standard deviations of the training stimulus; shaded: the frames over "
            "which answers are averaged. All units look at the middle. No band: how sure the types "
            "are stands in the checks. Good: compact images and "
            "smooth courses. Bad: speckle, which the model has not learned to tell from nothing. "
            "These are predictions: nobody has shown these frames yet."
        ),
        alt=f"{len(shares)} rows: images in space by channel, and curves over time.",
        panels=tuple(panels),
        columns=len(channels) + (n_frames > 1),
    )


def _window(model: ModelEvidence, time_s: NDArray[np.float64]) -> Span:
    """The frames over which answers are averaged."""
    first = max(0, time_s.size - model.window_frames)
    return Span(start=float(time_s[first]), stop=float(time_s[-1]), label="averaged")


def _traces(result: CelltypesResult, model: ModelEvidence) -> Figure:
    """Mean answers of all types to each type's stimulus."""
    drawn = _drawn(result)
    n_frames = model.traces.shape[1]
    time_s = (np.arange(n_frames) - n_frames + 1) / model.frame_rate_hz
    panels = tuple(
        Lines(
            title=f"Stimulus of type {stimulus + 1}",
            x=time_s,
            lines=tuple(
                Line(
                    name=f"Type {kind + 1}",
                    y=np.asarray(model.traces[stimulus, :, kind], dtype=np.float64).round(3),
                    group=int(kind),
                )
                for kind in drawn
            ),
            x_title="Time before the end (s)",
            y_title="Answer (SD of the unit)",
            spans=(_window(model, time_s),),
        )
        for stimulus in drawn
    )
    own = result.response_confusion.diagonal()
    return Figure(
        id="traces",
        title="Answers of all types to each stimulus",
        finding=(
            f"In the frames that count a type answers to its own stimulus with "
            f"{np.median(own):.1f} SD (median)."
        ),
        caption=(
            f"Mean predicted answer of the units of each type ({result.typed_unit.size} units in "
            "all), each unit in standard deviations of its answers to the training stimulus, after "
            "grey. Shaded: the frames that count. No band: how sure the types are stands in the "
            "checks. "
            "Good: one curve rises in the shaded frames. Bad: two rise together."
        ),
        alt=f"{len(drawn)} panels of curves over time, one curve a type.",
        panels=panels,
        columns=2 if len(drawn) > 1 else 1,
    )


def _confusion(result: CelltypesResult) -> Figure:
    """Answers of types to stimuli, and how far pairs are told apart."""
    order = similar_order(result.response_confusion)
    names = tuple(np.array(type_names(result))[order])
    scaled = scaled_confusion(result.response_confusion)[np.ix_(order, order)]
    pairs = result.pair_fraction[np.ix_(order, order)]
    worst = np.unravel_index(np.nanargmin(result.pair_fraction), result.pair_fraction.shape)
    first, second = sorted(int(index) + 1 for index in worst)
    return Figure(
        id="confusion",
        title="Which types answer to which stimuli",
        finding=(
            f"Types {first} and {second} are closest: their stimuli tell them apart by "
            f"{np.nanmin(result.pair_fraction):z.2f} of 1"
            + (" in showings without part in the types." if result.mode == "discrete" else ".")
        ),
        caption=(
            f"Left: mean answer of the types (columns; {result.typed_unit.size} units in all) to "
            "the stimuli (rows), each column as a share of the answer to its own stimulus. Right: "
            "how far the two types of a pair are told apart by their two stimuli, 0 (duplicates) "
            "to 1 (each answers to its own alone), "
            "on a scale of a sixth of what the strongest stimuli do"
            + (
                ", in the half of the showings that did not make them (0 for two types that the "
                "other half has as one)"
                if result.mode == "discrete"
                else ""
            )
            + ". Similar types are neighbours. No band: how sure the types are stands in the "
            "checks. "
            "Good: 1 on the diagonal and little beside it; on the right all near 1. Bad: bright "
            "fields beside the diagonal, of types that answer to each other's stimuli; on the "
            "right a field near 0, of two types that are one."
        ),
        alt="Two square matrices over types.",
        panels=(
            Heatmap(
                title="Answers to stimuli",
                values=np.round(scaled, 3).astype(np.float32),
                x_title="Type",
                y_title="Stimulus of",
                value_title="Share of the own answer",
                x_labels=names,
                y_labels=names,
                scale="diverging",
                limits=(-1.0, 1.0),
                square=True,
            ),
            Heatmap(
                title="Pairs told apart",
                values=np.round(pairs, 3).astype(np.float32),
                x_title="Type",
                y_title="Type",
                value_title="Told apart",
                x_labels=names,
                y_labels=names,
                limits=(0.0, 1.0),
                square=True,
                missing_title="same type",
            ),
        ),
        columns=2,
    )


def _tuning(result: CelltypesResult, shown: ShownEvidence) -> Figure:
    """Answers of types to everything that was shown."""
    own = {str(name): kind for kind, name in enumerate(result.stimulus)}
    # The types' own stimuli first, in the order of the types, then the others as they are named.
    names = [str(name) for name in shown.shown_stimulus]
    order = sorted(range(len(names)), key=lambda at: (own.get(names[at], len(own)), at))
    rows = order[:SHOWN_STIMULI]
    values = shown.tuning[rows]
    most = float(np.nanmax(np.abs(values)))
    return Figure(
        id="tuning",
        title="Answers of each type to what was shown",
        finding=(
            "The stimuli that tell types apart are "
            + ", ".join(f"{name} (type {kind + 1})" for name, kind in own.items())
            + "."
        ),
        caption=(
            f"Mean answer of the units of each type to each stimulus ({len(rows)} of "
            f"{len(names)}), every unit in standard deviations over stimuli; n = "
            + ", ".join(str(n) for n in result.size)
            + " units. The types' own stimuli come first. Types were found in the same showings, "
            "so the diagonal is higher than it would be in new ones. No band: what holds there is "
            "in the figures of halves. Good: a strong diagonal, and columns that differ below it "
            "too. "
            "Bad: columns alike but for their own row, which is noise that was picked."
        ),
        alt=f"A matrix of {len(rows)} stimuli by {result.n_types} types.",
        panels=(
            Heatmap(
                title="Mean answer",
                values=np.round(values, 3).astype(np.float32),
                x_title="Type",
                y_title="Stimulus",
                value_title="Answer (SD of the unit)",
                x_labels=type_names(result),
                y_labels=tuple(names[at] for at in rows),
                scale="diverging",
                limits=(-most, most),
            ),
        ),
    )


def _scan(result: CelltypesResult, shown: ShownEvidence) -> Figure:
    """What each number of types is worth, without a model."""
    x = shown.scan["n_types"].to_numpy(dtype=np.float64)

    def line(column: str, name: str, group: int) -> Line:
        return Line(name=name, y=np.round(shown.scan[column].to_numpy(), 4), group=group)

    return Figure(
        id="number-of-types",
        title="How many types the two halves of the showings agree on",
        finding=(
            f"{result.n_types} types: the fewest whose labels say as much about the other half of "
            "the showings as any number does."
        ),
        caption=(
            f"Left: mutual information of labels of {result.typed_unit.size} units from one half "
            "and from the other half by the same stimuli, less what chance gives, both ways "
            "averaged; and the objective, "
            "which rises with the number of types whatever they are. Right: agreement (adjusted "
            "Rand index) of these labels, and of two fits that share nothing. No band: showings "
            "were halved once. Good: a clear "
            "maximum on the left and agreement above 0.7 on the right. Bad: agreement that falls "
            "from two types on."
        ),
        alt="Two panels of curves over the number of types.",
        panels=(
            Lines(
                title="Information and objective",
                x=x,
                lines=(
                    line("retyping_information", "Information about the other half", 0),
                    line("objective", "Objective, all showings", 1),
                    line("objective_other_half", "Objective in the other half", 2),
                ),
                x_title="Number of types",
                y_title="Nats",
            ),
            Lines(
                title="Agreement of halves",
                x=x,
                lines=(
                    line("retyping_ari", "Typed again by the same stimuli", 0),
                    line("independent_ari", "Fitted independently", 1),
                ),
                x_title="Number of types",
                y_title="Adjusted Rand index",
            ),
        ),
        columns=2,
    )


def _number(result: CelltypesResult, model: ModelEvidence, config: CelltypesConfig) -> list[Figure]:
    """What each number of types is worth, and how splits and merges were decided."""
    panels: list[Panel] = []
    curve = result.outer.curve if result.outer is not None else pd.DataFrame()
    if len(curve) > 1:
        panels += _curves(curve)
    events = model.events
    if len(events):
        panels += [_objectives(events), _decisions(events, config)]
    if not panels:
        return []
    least = config.split.min_pair_fraction
    refused = events[(events["event"] == "split") & ~events["accepted"].astype(bool)]
    refused = refused[refused["clusters"] == result.n_types]
    finding = f"{result.n_types} types; no further split was tried."
    if len(refused):
        best = int(np.argmax(refused["pair_fraction"].to_numpy(float)))
        fraction, error, fewest = refused[["pair_fraction", "standard_error", "fewest"]].to_numpy(
            float
        )[best]
        finding = (
            f"{result.n_types} types: of {len(refused)} further splits none was kept; the best "
            f"told its parts apart by {fraction:.2f} ± {2 * error:.2f} (two standard errors), with "
            f"{counted(int(fewest), 'unit')} in the smaller."
        )
    words, good, bad = "", [], []
    if len(curve) > 1:
        words += (
            "Objective: mean over folds with its standard error over folds, of units that were "
            "left out and typed by their answers to the training stimulus; of the units that "
            "shaped the stimuli; and its bound. Agreement: adjusted Rand index between folds, the "
            "mean, with the least and the most of all pairs; folds share units. "
        )
        good.append("agreement that falls beyond the number found")
        bad.append("agreement that is low there")
    if len(events):
        words += (
            "Along the search: mean objective of held-out units with its standard error, for each "
            f"number of clusters in {model.best_restart}, and where a split or a merge was tried "
            "and refused (the highest); on the scale of splits "
            f"({model.selection_temperature:.2g} SD). Decisions: how far two parts, or a pair, "
            "are told apart, with two standard errors; clusters before, the units of the smaller "
            f"in brackets, refused where not 'kept'; the last {SHOWN_EVENTS} at most. A split "
            f"needs the lower end above the line ({least:g}), a rising objective, enough units, "
            "and in large clusters more than single populations show; a merge is kept unless the "
            "merged cluster would be split again. "
        )
        good.append("refused splits that end below the line or, above it, those of too few units")
        bad.append("splits into parts of many units that are refused close to it")
    return [
        Figure(
            id="number-of-types",
            title="How the number of types was found",
            finding=finding,
            caption=(
                f"Of {counted(result.typed_unit.size, 'typed unit')}. {words}"
                "The objective of units that shaped the stimuli, and often that of others, rises "
                "beyond the right number, so it does not choose. "
                f"Good: {', and '.join(good)}. Bad: {', or '.join(bad)}."
            ),
            alt="Curves over the number of types, and bars of what was tried.",
            panels=tuple(panels),
            columns=2,
        )
    ]


def _curves(curve: pd.DataFrame) -> list[Panel]:
    """Objective and agreement of folds against the number of types."""
    x = curve["n_types"].to_numpy(float)
    outer, error = (curve[name].to_numpy(float) for name in ("outer_objective", "outer_error"))
    return [
        Lines(
            title="Objective",
            x=x,
            lines=(
                Line(
                    name="units of outer folds",
                    y=np.round(outer, 4),
                    lower=np.round(outer - error, 4),
                    upper=np.round(outer + error, 4),
                ),
                Line(
                    name="units that shaped the stimuli",
                    y=np.round(curve["objective"].to_numpy(float), 4),
                    group=1,
                ),
                Line(name="bound (log of the number)", y=np.round(np.log(x), 4), group=2),
            ),
            x_title="Number of types",
            y_title="Mean objective (nats)",
        ),
        Lines(
            title="Agreement of folds",
            x=x,
            lines=(
                Line(
                    name="adjusted Rand index",
                    y=np.round(curve["agreement"].to_numpy(float), 4),
                    lower=np.round(curve["least_agreement"].to_numpy(float), 4),
                    upper=np.round(curve["most_agreement"].to_numpy(float), 4),
                ),
            ),
            x_title="Number of types",
            y_title="Adjusted Rand index",
        ),
    ]


def _objectives(events: pd.DataFrame) -> Panel:
    """Objective at each number of clusters that the search kept, or tried and refused."""
    found: dict[tuple[int, str], tuple[float, float]] = {}
    columns = ("objective_before", "error_before", "objective", "objective_error")
    values = events[list(columns)].to_numpy(float)
    for name, clusters, accepted, (before, its_error, after, error) in zip(
        events["event"], events["clusters"], events["accepted"], values, strict=True
    ):
        found[(int(clusters), "")] = (before, its_error)
        place = (int(clusters) + STEP_OF[name], "" if accepted else ", refused")
        if np.isfinite(after) and (accepted or after > found.get(place, (-np.inf, 0.0))[0]):
            found[place] = (after, error)
    steps = sorted(found)
    value = np.array([found[step][0] for step in steps])
    error = np.array([found[step][1] for step in steps])
    return Bars(
        title="Along the search",
        labels=tuple(f"{number}{word}" for number, word in steps),
        values=np.round(value, 4),
        lower=np.round(value - error, 4),
        upper=np.round(value + error, 4),
        x_title="Clusters",
        y_title="Objective, held-out units (nats)",
    )


def _decisions(events: pd.DataFrame, config: CelltypesConfig) -> Panel:
    """How far the parts of splits and the pairs of merges are told apart."""
    first = max(0, len(events) - SHOWN_EVENTS)
    last = events.iloc[first:]
    value = last["pair_fraction"].to_numpy(float)
    error = 2 * last["standard_error"].to_numpy(float)
    return Bars(
        title="Decisions",
        labels=tuple(
            f"{first + place + 1} {name} {clusters} ({fewest}){' kept' if accepted else ''}"
            for place, (name, clusters, fewest, accepted) in enumerate(
                zip(last["event"], last["clusters"], last["fewest"], last["accepted"], strict=True)
            )
        ),
        values=np.round(value, 3),
        lower=np.round(value - error, 3),
        upper=np.round(value + error, 3),
        x_title="What was tried, in order",
        y_title="Told apart (0 to 1)",
        reference=config.split.min_pair_fraction,
        reference_label="needed of a split",
    )


def _outer(result: CelltypesResult) -> list[Figure]:
    """What units say that had no part in the types."""
    outer = result.outer
    if outer is None:
        return []
    names = type_names(result)
    order = similar_order(result.response_confusion)
    shown = tuple(np.array(names)[order])
    typed = np.zeros((result.n_types, result.n_types + 1))
    there = outer.by_answers >= 0
    np.add.at(typed, (outer.by_answers[there], outer.type_of_unit[there]), 1)
    share = typed / np.maximum(typed.sum(axis=1, keepdims=True), 1)
    share = np.concatenate([share[order][:, order], share[order][:, -1:]], axis=1)
    objective = float(np.nanmean(outer.objective))
    return [
        Figure(
            id="outer",
            title="Units without part in the types",
            finding=(
                f"{100 * outer.accuracy:.0f} ± {100 * outer.accuracy_error:.0f} % of units of "
                "outer folds get the type by the stimuli that they have by their answers; mean "
                f"objective {objective:.2f} ± {outer.mean_objective_error:.2f}, beside "
                f"{float(np.nanmean(result.objective)):.2f} of units that shaped the stimuli."
            ),
            caption=(
                f"Each of {there.size} units in the one of {outer.fold.size} folds in which it was "
                "left out of all choices. Left: mean answer of the types (columns; units typed by "
                "their answers to the training stimulus) to the stimuli (rows), each column as a "
                "share of the answer to its own stimulus. Right: share of the units of each type "
                "by answers (rows sum to 1) that get each type by the stimuli; 'none': a type of "
                "the fold that is not among the types. ±: standard error over units. Good: as the "
                "figure of answers to stimuli above, which is of the units that chose. Bad: a "
                "weaker diagonal."
            ),
            alt="Two matrices over types.",
            panels=(
                Heatmap(
                    title="Answers to stimuli, outer folds",
                    values=np.round(
                        scaled_confusion(outer.confusion)[np.ix_(order, order)], 3
                    ).astype(np.float32),
                    x_title="Type by answers",
                    y_title="Stimulus of",
                    value_title="Share of the own answer",
                    x_labels=shown,
                    y_labels=shown,
                    scale="diverging",
                    limits=(-1.0, 1.0),
                    square=True,
                ),
                Heatmap(
                    title="Typed by the stimuli",
                    values=np.round(share, 3).astype(np.float32),
                    x_title="Type by stimuli",
                    y_title="Type by answers",
                    value_title="Share of units",
                    x_labels=(*shown, "none"),
                    y_labels=shown,
                    limits=(0.0, 1.0),
                ),
            ),
            columns=2,
        )
    ]


def _continuum(result: CelltypesResult) -> Figure:
    """Separation beside that of populations without types."""
    null = np.sort(result.null_separation)
    above = int((null < result.separation).sum())
    ended = int((null == 0).sum())
    one_type = f" {ended} of them ended as one type: no bar." if ended else ""
    return Figure(
        id="continuum",
        title="Types or a continuum",
        finding=(
            f"Units are separated by {result.separation:z.2f}; above {above} of {null.size} "
            "populations without types."
        ),
        caption=(
            "Margin (answer to the own stimulus less that to the best other) that nine of ten "
            "units exceed, over the mean answer to the own stimulus. A cut continuum has large "
            "margins too, but many units at the cut. Bars: what chance gives, in "
            f"{null.size} single Gaussian populations with the mean and covariance of the "
            f"{result.typed_unit.size} units, clustered the same way.{one_type} Dashed: the units. "
            "No band: each bar is one population. Good: dashed above all bars. Bad: among "
            "them, when clusters are cuts through a continuum."
        ),
        alt="Bars of surrogate populations with the data's value as a line.",
        panels=(
            Bars(
                title="Separation",
                labels=tuple(str(index + 1) for index in range(null.size)),
                values=np.round(null, 3),
                x_title="Population without types, sorted",
                y_title="Margin over answer",
                reference=round(result.separation, 3),
                reference_label="data",
            ),
        ),
    )


def _runs(result: CelltypesResult, model: ModelEvidence) -> list[Figure]:
    """Agreement of restarts and of clusterings through other models."""
    labels = np.concatenate([model.restart_labels, model.twin_labels])[:SHOWN_RUNS]
    names = tuple(np.concatenate([model.restart, model.twin])[:SHOWN_RUNS].tolist())
    if len(names) < 2:
        return []
    agree = np.ones((len(names), len(names)))
    for row in range(len(names)):
        for column in range(row):
            both = (labels[row] >= 0) & (labels[column] >= 0)
            score = adjusted_rand_index(labels[row][both], labels[column][both])
            agree[row, column] = agree[column, row] = score
    numbers = [np.unique(one[one >= 0]).size for one in labels]
    return [
        Figure(
            id="stability",
            title="Agreement of searches",
            finding=(
                f"Searches end in {min(numbers)} to {max(numbers)} types"
                if min(numbers) < max(numbers)
                else f"All searches end in {numbers[0]} types"
            )
            + (
                f"; through another model types agree with an adjusted Rand index of "
                f"{result.agreement:z.2f}."
                if np.isfinite(result.agreement)
                else "."
            ),
            caption=(
                f"Adjusted Rand index of {result.typed_unit.size} units between searches from "
                f"other starts (restart; shown: {model.best_restart}) and through independently "
                "fitted models (twin). No band: each cell is one pair. Good: all "
                "near 1. Bad: restarts that differ (the search is unstable), or twins that differ "
                "from restarts (types are the model's, not the units')."
            ),
            alt="A square matrix over searches.",
            panels=(
                Heatmap(
                    title="Adjusted Rand index",
                    values=np.round(agree, 3).astype(np.float32),
                    x_title="Search",
                    y_title="Search",
                    value_title="Adjusted Rand index",
                    x_labels=names,
                    y_labels=names,
                    limits=(0.0, 1.0),
                    square=True,
                ),
            ),
        )
    ]


def _history(model: ModelEvidence) -> Figure:
    """The objective and the number of clusters over the iterations of the search."""
    history = model.history
    x = np.arange(1, len(history) + 1, dtype=np.float64)
    events = model.events
    accepted = events[events["accepted"].astype(bool)] if len(events) else events
    n_split = int((accepted["event"] == "split").sum())
    n_merged = int((accepted["event"] == "merge").sum())
    return Figure(
        id="history",
        title="How the search went",
        finding=(
            f"{counted(len(history), 'iteration')}; {counted(n_split, 'split')} and "
            f"{counted(n_merged, 'merge')} were accepted of {len(events)} that were tried, "
            f"{counted(model.n_removed, 'small cluster')} removed."
        ),
        caption=(
            f"{len(history)} iterations of {model.best_restart}: mean objective of the stimuli "
            "when units were "
            "assigned anew, and how many clusters there were. The objective is bounded by the "
            "logarithm of their number; it falls when clusters are merged, and that is no loss. "
            "No band: this is one search. Good: both curves are level at the end. Bad: they "
            "still move there."
        ),
        alt="Two curves over iterations: objective and number of clusters.",
        panels=(
            Lines(
                title="Objective",
                x=x,
                lines=(
                    Line(name="objective", y=np.round(history["objective"].to_numpy(float), 4)),
                    Line(
                        name="bound (log of the number)",
                        y=np.round(np.log(history["clusters"].to_numpy(float)), 4),
                        group=1,
                    ),
                ),
                x_title="Iteration",
                y_title="Mean objective (nats)",
            ),
            Lines(
                title="Clusters",
                x=x,
                lines=(Line(name="clusters", y=history["clusters"].to_numpy(float)),),
                x_title="Iteration",
                y_title="Clusters",
            ),
        ),
        columns=2,
    )


def _typing_table(result: CelltypesResult) -> pd.DataFrame:
    """Accuracy by showings, however it came about; no rows where there is none."""
    evidence = result.model or result.shown
    return evidence.typing if evidence is not None else pd.DataFrame()


def _typing(result: CelltypesResult, table: pd.DataFrame) -> Figure:
    """How many showings typing needs."""
    x = table["repeats"].to_numpy(float)
    accuracy = table["accuracy"].to_numpy(float)
    enough = x[accuracy >= 0.9]
    said = (
        f"{_times(enough[0])} of each stimulus {for_number(int(enough[0]), '[suffices|suffice]')} "
        "to type 90 % of the units as here"
        if enough.size
        else f"{_times(x[-1])} of each stimulus {for_number(int(x[-1]), '[types|type]')} "
        f"{100 * accuracy[-1]:.0f} % of the units"
    )
    model = result.model
    if model is None:
        finding = f"In showings that had no part in the types {said}."
        caption = (
            f"Share of {result.typed_unit.size} units (mean over types) that get the type again "
            "that they have by the odd showings, from a few of the even ones drawn at random (mean "
            "of 20 draws), typed by "
            "which type's stimulus drives a unit most. No band: units are those of one clustering. "
            "Good: a curve that rises above 0.8. Bad: "
            "one that stays near chance, or still rises at its end: too few showings."
        )
    else:
        seconds = len(model.stimuli) * model.stimuli.shape[2] / model.frame_rate_hz
        finding = f"By simulation {said}; one showing of all takes {seconds:.0f} s."
        caption = (
            "Share of units (mean over types) that get their type again from Poisson answers "
            "simulated from the model, typed by the stimulus that drives a unit most on its own "
            "scale. No band: units are those of one clustering. Good: a curve that nears 1 within "
            "few showings. Bad: one that stays near chance. "
            f"{result.typed_unit.size} units; real ones are noisier than that, and their "
            "receptive field must lie where the stimulus is shown. These units shaped the stimuli "
            "or chose among them, so the curve is too good"
            + (
                "; that of outer folds is of units without part in the types, typed as they are "
                "without noise."
                if result.outer is not None
                else "."
            )
        )
    return Figure(
        id="typing",
        title="Typing new units from few showings",
        finding=finding,
        caption=caption,
        alt="A curve of accuracy over the number of showings.",
        panels=(
            Lines(
                title="Accuracy",
                x=x,
                lines=(
                    Line(
                        name="simulated units" if model is not None else "units",
                        y=np.round(accuracy, 3),
                    ),
                    Line(name="chance", y=np.round(table["chance"].to_numpy(float), 3), group=1),
                    *_typed_outer(result),
                ),
                x_title="Showings of each stimulus",
                y_title="Share typed as here",
            ),
        ),
    )


def _typed_outer(result: CelltypesResult) -> list[Line]:
    """Accuracy for units without part in the types, where it is known."""
    if result.outer is None or result.outer.typing.empty:
        return []
    accuracy = result.outer.typing["accuracy"].to_numpy(float)
    return [Line(name="simulated units of outer folds", y=np.round(accuracy, 3), group=2)]


def _times(n: float) -> str:
    return "1 showing" if n == 1 else f"{n:.0f} showings"


CLUSTERINGS = {
    "k-means": "K-means is given the number of types found here.",
    "spectral": "So is spectral clustering.",
    "mixture": "'Mixture': Gaussians, as many as the BIC takes.",
    "training answers": "'Training answers': of the model with all units in the middle.",
    "exciting stimuli": "'Exciting stimuli': answers to the most exciting stimuli of some units.",
}
"""What the names of clusterings mean."""


def _baselines(result: CelltypesResult) -> Figure:
    """Other clusterings of the same units."""
    table = result.baselines
    again = (
        "through an independently fitted model"
        if result.mode == "model"
        else "from the other half of the showings"
    )
    columns = [
        ("ari_types", "Agreement with these types", "with the types of this report"),
        (
            "ari_independent",
            "Agreement with itself, independent data",
            f"of each clustering with itself {again}",
        ),
        ("ari_labels", "Agreement with known types", "with the types that the recording names"),
    ]
    panels: list[Panel] = []
    told = []
    for column, title, words in columns:
        there = table[column].notna()
        if column == "ari_types":
            there &= table["baseline"] != OWN
        if there.any():
            told.append(words)
            panels.append(
                Bars(
                    title=title,
                    labels=tuple(str(name) for name in table["baseline"][there]),
                    values=np.round(table[column][there].to_numpy(float), 3),
                    x_title="Clustering",
                    y_title="Adjusted Rand index",
                )
            )
    others = table[table["baseline"] != OWN]
    best = others.iloc[int(np.nanargmax(others["ari_types"].to_numpy(float)))]
    return Figure(
        id="baselines",
        title="Other ways to cluster the same units",
        finding=(
            f"The types agree most with {best['baseline']} (adjusted Rand index "
            f"{best['ari_types']:z.2f})."
        ),
        caption=(
            f"Adjusted Rand index of {result.typed_unit.size} units: {'; '.join(told)}. "
            + "".join(
                f"{words} "
                for name, words in CLUSTERINGS.items()
                if others["baseline"].str.contains(name, regex=False).any()
            )
            + "No band: each is one clustering. Good: no other clustering agrees as well with "
            "itself or with known types. Bad: a simpler one does; it is then as good a partition, "
            "and lacks only the stimuli."
        ),
        alt=f"{len(panels)} bar charts over clusterings.",
        panels=tuple(panels),
    )


def _prediction(result: CelltypesResult, config: CelltypesConfig) -> Figure:
    """How well units are predicted."""
    values = result.units["validation_correlation"].to_numpy(float)
    known = values[np.isfinite(values)]
    counts, edges = np.histogram(np.clip(known, -0.2, 1.0), bins=HISTOGRAM_BINS, range=(-0.2, 1.0))
    share = result.typed_unit.size / max(len(result.units), 1)
    return Figure(
        id="prediction",
        title="How well the model predicts units",
        finding=(
            f"Median correlation {np.median(known) if known.size else 0:z.2f} in the validation "
            f"frames; {100 * share:.0f} % of {len(result.units)} units take part."
        ),
        caption=(
            f"Correlation of the single answers of {known.size} units, frame by frame, with the "
            "prediction, in frames that chose the model; those that judged it are in the table of "
            f"units. Least value asked for: {config.encoding.filter.min_correlation:g}, relative "
            "to what a unit's variability allows where frames were shown again. No band: each "
            "unit has one value. Good: most units well above it. Bad: a heap at 0, of units that "
            "the stimulus does not drive or the "
            "model does not explain. Low rates bound the correlation."
        ),
        alt="Histogram of correlations.",
        panels=(
            Bars(
                title="Validation correlation",
                labels=tuple(f"{edge:z.2f}" for edge in edges[:-1]),
                values=counts.astype(np.float64),
                x_title="Correlation (lower edge)",
                y_title="Units",
            ),
        ),
    )


def _mosaic(result: CelltypesResult, names: UnitNames) -> list[Figure]:
    """Where receptive fields of each type lie."""
    units = result.units
    typed = (result.type_of_unit >= 0) & np.isfinite(units["field_x"].to_numpy(float))
    if not typed.any():
        return []
    return [
        Figure(
            id="mosaic",
            title="Receptive fields of each type",
            finding=f"Fields of {int(typed.sum())} units of {result.n_types} types.",
            caption=(
                f"Middle of what each of {int(typed.sum())} units sees, in pixels of the stimulus. "
                "No band: each unit has one estimate. Good: fields of one type keep a distance, "
                "as those of ganglion cells do that tile "
                "the retina. Bad: a type that lives in one corner, which may be a place rather "
                "than a type."
            ),
            alt="Points in the plane, coloured by type.",
            panels=(
                Points(
                    title="Receptive fields",
                    x=np.round(units["field_x"].to_numpy(float)[typed], 2),
                    y=np.round(units["field_y"].to_numpy(float)[typed], 2),
                    x_title="x (pixel)",
                    y_title="y (pixel)",
                    labels=tuple(
                        names.called(str(recording), str(unit))
                        for recording, unit in zip(
                            units["recording"][typed], units["unit"][typed], strict=True
                        )
                    ),
                    group=result.type_of_unit[typed],
                    group_names=type_names(result),
                ),
            ),
        )
    ]


def _truth(result: CelltypesResult, truth: Truth) -> Figure:
    """Planted beside found."""
    planted = true_labels(result, truth)
    both = (planted >= 0) & (result.type_of_unit >= 0)
    table = np.zeros((truth.cell_type.size, result.n_types))
    np.add.at(table, (planted[both], result.type_of_unit[both]), 1)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    score = adjusted_rand_index(planted[both], result.type_of_unit[both])
    missing = int(((planted != NO_TYPE) & (result.type_of_unit < 0)).sum())
    return Figure(
        id="truth",
        title="Planted beside found",
        finding=(
            f"Adjusted Rand index {score:z.2f} between planted and found types; {missing} units "
            "have none."
        ),
        caption=(
            f"{int(both.sum())} simulated units. Share of the units of each planted type (rows sum "
            "to 1) that are in "
            "each found type. No band: labels are counted. Good: one strong entry a row and a "
            "column. Bad: two strong entries "
            "in a row (a type was split), or in a column (types were merged)."
        ),
        alt="A matrix of planted against found types.",
        panels=(
            Heatmap(
                title="Planted against found",
                values=np.round(share, 3).astype(np.float32),
                x_title="Found",
                y_title="Planted",
                value_title="Share of the planted type",
                x_labels=type_names(result),
                y_labels=tuple(str(name) for name in truth.cell_type),
                limits=(0.0, 1.0),
            ),
        ),
    )
