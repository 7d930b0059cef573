"""What the figures of a connectome show; how they are drawn is decided elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Heatmap, Line, Lines, Panel
from pipeline.core.unit_names import NO_NAMES, UnitNames
from pipeline.core.views import TraceEnsemble
from pipeline.core.words import counted, for_number
from pipeline.methods.connectome.anatomy_parts import anatomy_figure
from pipeline.methods.connectome.baselines import verdict
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.dendrogram import dendrogram_figure
from pipeline.methods.connectome.dominance import dominance_figure
from pipeline.methods.connectome.example import example_figure
from pipeline.methods.connectome.lead_lag_parts import lead_lag_figure
from pipeline.methods.connectome.networks import (
    Called,
    network_figure,
    order_by_community,
    unit_names,
)
from pipeline.methods.connectome.rank_figure import rank_figure
from pipeline.methods.connectome.readback import LEVEL as EPOCH_LEVEL
from pipeline.methods.connectome.readback import followed
from pipeline.methods.connectome.recovery import onset_recovery, recovery
from pipeline.methods.connectome.result import Baselines, ConnectomeResult, EpochTest
from pipeline.methods.connectome.sides import with_sides_merged
from pipeline.methods.connectome.simulate import ConnectomeTruth
from pipeline.methods.connectome.surrogates import (
    FOR_A_CLAIM,
    Comparison,
    compare,
    supported_components,
)
from pipeline.methods.connectome.timeline import timeline
from pipeline.methods.connectome.traces import traces_figure

SHOWN_COMPONENTS = 8
SHOWN_POINTS = 1000
SHOWN_UNITS = 50
SHOWN_BARS = 51  # quantiles, 2 % apart
"""Bounds on what a page carries."""


def figures(
    result: ConnectomeResult,
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    truth: ConnectomeTruth | None = None,
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
    called = unit_names(result, names)
    views = with_sides_merged(views, config)
    example = example_figure(result, views, config, called)
    found = [] if example is None else [example]
    found += [_components(result, called), dominance_figure(result)]
    if result.rank_choice is not None:
        found.append(rank_figure(result.rank_choice, n_recordings=result.recording.size))
    if result.epoch_test is not None:
        found.append(_epochs(result, result.epoch_test))
    if result.surrogate.size:
        found.append(_surrogates(result))
    if result.baselines is not None:
        found.append(_baselines(result, result.baselines, config))
    if result.anatomy is not None:
        found.append(anatomy_figure(result.anatomy))
    found.append(network_figure(result, called))
    dendrogram = dendrogram_figure(result, called)
    if dendrogram is not None:
        found.append(dendrogram)
    traces = traces_figure(result, views, called)
    if traces is not None:
        found.append(traces)
    leads = lead_lag_figure(result, called)
    if leads is not None:
        found.append(leads)
    found.append(_restarts(result, config))
    if truth is not None:
        found.append(_truth(result, truth))
        onsets = _onsets(result, truth, config)
        found += [] if onsets is None else [onsets]
    return tuple(found)


def _components(result: ConnectomeResult, called: Called) -> Figure:
    """When, where and between whom, one row a component."""
    n_shown = min(result.rank, SHOWN_COMPONENTS)
    axis = timeline(result)
    supported = supported_components(result)
    several = result.recording.size > 1
    panels: list[Panel] = []
    for component in range(n_shown):
        name = f"Component {component + 1}"
        x, y = thinned(axis.position_s, result.component_time[:, component], SHOWN_POINTS)
        panels.append(
            Lines(
                title=f"{name}: when",
                x=x,
                lines=(Line(name=name, y=y, group=component),),
                x_title=axis.title,
                y_title="Strength (share of max.)",
                spans=axis.spans,
                breaks=axis.breaks,
            )
        )
        if several:
            panels.append(
                Bars(
                    title=f"{name}: recordings",
                    labels=tuple(str(recording) for recording in result.recording),
                    values=np.round(result.component_recording[component], 3),
                    x_title="Recording",
                    y_title="Share of component",
                )
            )
        panels.append(_matrix(result, component, called, title=f"{name}: pairs of units"))
    n_supported = int(supported.sum())
    tested = result.surrogate.size > 0
    shared = ""
    if several:
        shared = ", shared by all" if result.side_by_side else ", recording by recording"
    first_look = "" if result.surrogate.size >= FOR_A_CLAIM else " (a first look)"
    finding = (
        f"{counted(result.rank, 'component')} {for_number(result.rank, '[explains|explain]')} "
        f"{100 * result.explained:.0f} % of the affinities of "
        f"{result.unit.size} units"
        + (
            f"; {n_supported} of them {for_number(n_supported, '[matters|matter]')} more than the "
            "largest component of at least 95 % of "
            f"{counted(result.surrogate.size, 'surrogate')}{first_look}."
            if tested
            else "."
        )
    )
    return Figure(
        id="components",
        title=(
            "Components: when, in which recordings, between which units"
            if several
            else "Components: when, between which units"
        ),
        finding=finding,
        caption=(
            f"One row a component, by decreasing weight; {n_shown} of {result.rank} are shown. "
            f"Left: strength over time{shared}, {result.frame_time_s.size} frames of "
            f"{result.bin_s:.2g} s, drawn as means over neighbouring frames; shaded: epochs. "
            + (
                f"Middle: how the component's size is shared by the {result.recording.size} "
                "recordings. "
                if several
                else ""
            )
            + "Right: strength of each pair (share of the largest), at most "
            f"{min(SHOWN_UNITS, result.unit.size)} of {result.unit.size} units, those with a tenth "
            "of the strongest one's strength or in a community, sorted by community; grey: the "
            "diagonal (no meaning) and pairs never recorded together. "
            "Good: strength rises in one kind of epoch, "
            + ("in most recordings, " if several else "")
            + "between few units. Bad: a component that lives "
            + ("in one recording or " if several else "")
            + "at one moment, or a matrix of stripes (single busy units). There is no uncertainty "
            "band: stability is shown below."
        ),
        alt=(
            f"{n_shown} rows of panels: a curve over time"
            + (f", bars for {result.recording.size} recordings" if several else "")
            + ", and a matrix of pair strengths."
        ),
        panels=tuple(panels),
        columns=3 if several else 2,
    )


def _matrix(result: ConnectomeResult, component: int, called: Called, *, title: str) -> Heatmap:
    """Pair strengths of the strongest units, sorted by community."""
    matrix = result.pair_matrix(component)
    order = order_by_community(result, component, limit=SHOWN_UNITS)
    largest = np.nanmax(matrix) if np.isfinite(matrix).any() else 0.0
    shown = matrix[np.ix_(order, order)] / (largest or 1.0)
    names = tuple(called[order])
    return Heatmap(
        title=title,
        values=np.round(shown, 2).astype(np.float32),
        x_title="Unit",
        y_title="Unit",
        value_title="Pair strength (share of max.)",
        x_labels=names,
        y_labels=names,
        limits=(0.0, 1.0),
        square=True,
        missing_title="diagonal, or never together",
    )


def _epochs(result: ConnectomeResult, test: EpochTest) -> Figure:
    """How much larger components are inside epochs."""
    known = np.isfinite(test.contrast)
    mean = np.where(known, test.contrast, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    mean = np.where(known.any(axis=2), mean, np.nan)
    names = tuple(
        f"{component + 1}{' *' if followed(result, component) else ''}"
        for component in range(result.rank)
    )
    n_follow = sum(bool(followed(result, component)) for component in range(result.rank))
    how = (
        "signs of whole recordings were flipped, so that it is a test over recordings"
        if test.over_recordings
        else "epochs were shifted in each recording, so that nothing is said about other animals"
    )
    limit = max(float(np.nanmax(np.abs(mean), initial=0.0)), 1.0)
    return Figure(
        id="epochs",
        title="Which epochs components follow",
        finding=(
            f"{n_follow} of {counted(result.rank, 'component')} "
            + for_number(n_follow, "[follows|follow]")
            + f" the epochs of a label (p <= {EPOCH_LEVEL} for all together)."
        ),
        caption=(
            "How much larger a component is inside the epochs of a label than outside, its linear "
            "trend removed, in standard deviations of the same difference when epochs are shifted "
            f"in time; mean over {counted(result.recording.size, 'recording')}. *: "
            f"p <= {EPOCH_LEVEL} against the largest of all components and labels; {how}. "
            "Grey: could not be tested. Good: one strong entry in a row. Bad: rows that are alike, "
            "or a label that occurs once, which cannot be told from drift."
        ),
        alt=f"A matrix of {result.rank} components by {test.label.size} labels.",
        panels=(
            Heatmap(
                title="Inside less outside",
                values=np.round(mean, 2).astype(np.float32),
                x_title="Label of epochs",
                y_title="Component",
                value_title="Difference (SD of shifts)",
                x_labels=tuple(str(label) for label in test.label),
                y_labels=names,
                scale="diverging",
                limits=(-limit, limit),
            ),
        ),
    )


def _surrogates(result: ConnectomeResult) -> Figure:
    """The data beside data whose units were shifted."""
    comparisons = [one for one in compare(result).values() if one.surrogates.size]
    reproducibility = compare(result)["reproducibility"]
    return Figure(
        id="surrogates",
        title="The data beside surrogates",
        finding=(
            f"{reproducibility.title} is {reproducibility.observed:z.2f}: "
            f"{reproducibility.said()}; the components' explained share: "
            f"{compare(result)['explained'].said()}."
        ),
        caption=(
            f"{_what_bars_are(result.surrogate.size)}: every unit's activity was shifted in time "
            "by itself in every recording and everything was fitted again from one random start, "
            "communities included. Dashed: the median over "
            f"{counted(result.restart.size, 'restart')} of the data. Good: the dashed line lies "
            "above all bars. Bad: it lies among them; then the statistic follows from the activity "
            "of single units. Shifted data have communities too: their number has no good side, "
            "and only the strength inside them counts."
        ),
        alt=f"{len(comparisons)} bar charts of surrogate values with the data's value as a line.",
        panels=tuple(_surrogate_bars(one) for one in comparisons),
        columns=3,
    )


def _what_bars_are(n_surrogates: int) -> str:
    """Bars of all surrogates, or of as many quantiles as can be told apart."""
    if n_surrogates <= SHOWN_BARS:
        return f"Each bar is one of {counted(n_surrogates, 'surrogate')}, sorted"
    return f"Bars are {SHOWN_BARS} quantiles of {n_surrogates} surrogates"


def _surrogate_bars(comparison: Comparison) -> Bars:
    """Sorted surrogate values under the data's value."""
    values = np.sort(comparison.surrogates)
    labels, x_title = [str(index + 1) for index in range(values.size)], "Surrogate, sorted"
    if values.size > SHOWN_BARS:
        share = np.linspace(0, 1, SHOWN_BARS)
        values = np.quantile(values, share)
        labels, x_title = [f"{100 * one:.0f}" for one in share], "Surrogates below (%)"
    return Bars(
        title=comparison.title,
        labels=tuple(labels),
        values=np.round(values, 4),
        x_title=x_title,
        y_title=comparison.title,
        reference=round(comparison.observed, 4),
        reference_label="data",
    )


def _as_many_patterns(shown: NDArray[np.str_], config: ConnectomeConfig) -> str:
    """Analyses with as many patterns as there are components."""
    windows = f"correlation in windows ({config.window_s:g} s, overlapping by half)"
    told = {"matrix factors": "matrix factors", "correlation in windows": windows}
    others = [words for name, words in told.items() if name in shown]
    return " and ".join(", ".join(["Components", *others]).rsplit(", ", 1))


def _baselines(result: ConnectomeResult, seen: Baselines, config: ConnectomeConfig) -> Figure:
    """What simpler analyses explain where they were not learned."""
    several = result.recording.size > 1
    across = "recordings" if several else "halves"
    shown = np.isfinite(seen.explained).all(axis=1)
    share = 100 * seen.explained[shown]
    found = verdict(seen)
    finding = (
        "No simpler analysis could be judged."
        if found is None
        else (
            f"Components explain {100 * found.components:.1f} % of the affinities of {across} "
            f"they were not learned in, {found.best} {100 * found.other:.1f} %: "
            + (
                "the components are ahead."
                if found.ahead
                else "a simpler analysis does as well here."
            )
        )
    )
    untried = [str(name) for name in seen.baseline[~shown]]
    return Figure(
        id="baselines",
        title="Components beside simpler analyses",
        finding=finding,
        caption=(
            f"Share of affinities explained in {across} that the patterns were not learned in "
            f"(two folds of {seen.piece.size} {across}; bars: mean, whiskers: smallest and "
            f"largest of the {across}). {_as_many_patterns(seen.baseline[shown], config)} have "
            f"{counted(result.rank, 'pattern')} each, the others one. What is explained are "
            "affinities of speeds, which favours analyses made from them over correlations. Good: "
            "components well above all others. Bad: another analysis as high, which makes them "
            "superfluous." + (f" Not made: {', '.join(untried)} (too large)." if untried else "")
        ),
        alt=f"Bars of the explained share of {int(shown.sum())} analyses.",
        panels=(
            Bars(
                title="Explained where not learned",
                labels=tuple(str(name) for name in seen.baseline[shown]),
                values=share.mean(axis=1).round(2),
                lower=share.min(axis=1, initial=100).round(2),
                upper=share.max(axis=1, initial=0).round(2),
                x_title="Analysis",
                y_title="Explained share (%)",
            ),
        ),
    )


def _restarts(result: ConnectomeResult, config: ConnectomeConfig) -> Figure:
    """Errors of the random starts and their similarity to the best."""
    order = np.argsort(result.restart_error, kind="stable")
    labels = tuple(str(name).removeprefix("restart-") for name in result.restart[order])
    others = result.restart_similarity[result.restart != result.best_restart]
    similarity = (
        f"the others resemble the best with a median score of {np.median(others):z.2f}"
        if others.size
        else "there is nothing to compare it with"
    )
    return Figure(
        id="restarts",
        title="Stability of the optimiser",
        finding=(
            f"The relative error of {result.restart.size} random starts lies between "
            f"{result.restart_error.min():.4f} and {result.restart_error.max():.4f}; {similarity}."
        ),
        caption=(
            f"{result.restart.size} random starts of {counted(result.rank, 'component')}, by "
            "increasing "
            "error; the first is the result. Left: norm of the residual over the norm of the "
            "data, over observed entries. Right: factor match score with the best (components "
            "matched one to one; product of the cosines of all factors and of the agreement of "
            "weights; 1 is the same). No band: each bar is one start. Good: equal errors and "
            "scores above 0.9 (dashed). Bad: equal errors with low scores, when different "
            "components describe the data equally well. This is stability of the optimiser, not "
            "reproducibility in the brain."
        ),
        alt="Two bar charts over random starts: relative error, and similarity to the best.",
        panels=(
            Bars(
                title="Relative error",
                labels=labels,
                values=np.round(result.restart_error[order], 6),
                x_title="Restart",
                y_title="Relative error",
            ),
            Bars(
                title="Restart similarity",
                labels=labels,
                values=np.round(result.restart_similarity[order], 4),
                x_title="Restart",
                y_title="Similarity to the best restart",
                reference=0.9,
                reference_label="same components",
            ),
        ),
        columns=2,
    )


def _truth(result: ConnectomeResult, truth: ConnectomeTruth) -> Figure:
    """Planted beside found."""
    seen = recovery(result, truth)
    components = tuple(f"Component {index + 1}" for index in range(result.rank))
    groups = tuple(str(group) for group in seen.group)
    scores = ", ".join(
        f"{label} {ari:z.2f}"
        for label, ari in zip(seen.label, seen.label_ari, strict=True)
        if np.isfinite(ari)
    )
    return Figure(
        id="truth",
        title="Planted beside found",
        finding=(
            f"{int((seen.group_f1 >= 0.7).sum())} of {len(groups)} planted groups are found with "
            f"an F1 of at least 0.7 (mean {seen.group_f1.mean():z.2f})"
            + (f"; adjusted Rand index of the communities by label: {scores}." if scores else ".")
        ),
        caption=(
            f"{counted(result.recording.size, 'simulated recording')} of {result.unit.size} units "
            f"with {len(groups)} planted groups under {truth.label.size} labels. Left: F1 between "
            "the best community of each component and each planted "
            "group (1: same units). Right: how each component's mean strength is shared by the "
            "epochs of the labels. No band: this is one fit. Good: one strong entry a column on "
            "the left, and a component's "
            "strong entries on the left belong to its label on the right. Bad: a column without "
            "a strong entry is a group that was missed; two in one row are groups merged."
        ),
        alt="Two matrices: components against planted groups, and components against labels.",
        panels=(
            Heatmap(
                title="Components against planted groups",
                values=np.round(seen.match, 3).astype(np.float32),
                x_title="Planted group",
                y_title="Component",
                value_title="F1",
                x_labels=groups,
                y_labels=components,
                limits=(0.0, 1.0),
            ),
            Heatmap(
                title="Components against labels",
                values=np.round(seen.label_contrast, 3).astype(np.float32),
                x_title="Label of epochs",
                y_title="Component",
                value_title="Share of mean strength",
                x_labels=tuple(str(label) for label in seen.label),
                y_labels=components,
                limits=(0.0, 1.0),
            ),
        ),
        columns=2,
    )


def _onsets(
    result: ConnectomeResult, truth: ConnectomeTruth, config: ConnectomeConfig
) -> Figure | None:
    """When components become active beside when groups do; nothing where no group was found."""
    seen = onset_recovery(result, truth, sigma_s=config.sigma_s)
    if not seen.planted_s.size:
        return None
    met = np.isfinite(seen.error_s)
    groups = np.unique(seen.group)
    # An odd number of bins, a frame wide, of which the middle one is around 0.
    wide = int(np.ceil(seen.reach_s / result.bin_s))
    middle_s = np.arange(-wide, wide + 1, dtype=np.float64) * result.bin_s
    edges_s = np.append(middle_s, (wide + 1) * result.bin_s) - 0.5 * result.bin_s
    counts = np.stack(
        [np.histogram(seen.error_s[met & (seen.group == one)], edges_s)[0] for one in groups]
    )
    planted = [int((seen.group == one).sum()) for one in groups]
    median = f" (median {np.median(seen.error_s[met]):+z.2f} s)" if met.any() else ""
    return Figure(
        id="onsets",
        title="Onsets beside planted ones",
        finding=(
            f"{int(met.sum())} of {counted(met.size, 'planted onset')} of found groups have an "
            f"active stretch of their component within {seen.reach_s:.2g} s{median}; "
            f"{counted(seen.n_further, 'stretch', 'stretches')} "
            f"{for_number(seen.n_further, '[belongs|belong]')} to none."
        ),
        caption=(
            f"How many of {counted(met.size, 'planted onset')} of a group have a stretch that "
            "starts so much later (right "
            "of the dotted line) or earlier: start of the first active stretch (half of the "
            "component's largest strength) less the planted moment, in frames of "
            f"{result.bin_s:.2g} s. The derivative is smoothed over {config.sigma_s:g} s to both "
            "sides, so a stretch starts up to about twice that before its group changes. No band: "
            "every onset is counted. Good: all of a group in one or two columns at or just left of "
            "the line. Bad: spread over the whole width, by stretches that are of something else."
        ),
        alt="Numbers of planted onsets by group and by how much later active stretches start.",
        panels=(
            Heatmap(
                title="Start of active stretches",
                values=counts.astype(np.float32),
                x=middle_s,
                x_title="Start less planted onset (s)",
                y_title="Planted group",
                y_labels=tuple(
                    f"{truth.group[one]} ({of})" for one, of in zip(groups, planted, strict=True)
                ),
                value_title="Onsets",
                limits=(0.0, float(max(1, counts.max()))),
                breaks=(0.0,),
            ),
        ),
    )


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A curve of at most ``most`` points as means over neighbours, scaled to a maximum of 1."""
    step = -(-x.size // most)
    starts = np.arange(0, x.size, step)
    sizes = np.diff(np.append(starts, x.size))
    middle: NDArray[np.float64] = np.add.reduceat(x, starts) / sizes
    height: NDArray[np.float64] = np.add.reduceat(y, starts) / sizes
    return middle.round(2), (height / (height.max(initial=0.0) or 1.0)).round(3)
