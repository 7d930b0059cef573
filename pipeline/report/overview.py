"""A recording at a glance: activity of all used units, its timeline, and behaviour below it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.parts import REMARK, Figure, Heatmap, Span
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.unit_names import names_of_units
from pipeline.core.words import counted
from pipeline.prepare.binned import Binned, bin_activity
from pipeline.report.behaviour import behaviour_panels, behaviour_words

MOST_ROWS = 300
MOST_COLUMNS = 600
CELLS_PER_PAGE = 400_000
"""Cells of all overviews together; about one byte of the page each."""
MOST_LABELS = 24
"""Labels of spans, and rows of the timeline."""
MOST_SPANS = 60

CALCIUM_STEP = 0.005
SPIKE_STEP = 0.05
SPIKE_LIMITS = (-2.0, 4.0)


def overview(recording: Recording, *, n_recordings: int = 1) -> Figure:
    """The overview figure of one recording; the more on the page, the coarser each."""
    used = np.flatnonzero(recording.units["good"].to_numpy(dtype=bool))
    rows, columns = cells_allowed(len(used), n_recordings=n_recordings)
    binned = bin_activity(recording.activity, used, columns=columns)
    scaled = scale_units(binned.values, recording.activity)
    order = unit_order(scaled, recording.units["region"].astype(str).to_numpy()[used])
    every = max(1, -(-len(used) // rows))
    shown = order[::every]
    names = unit_labels(recording, n_recordings=n_recordings)
    calcium = isinstance(recording.activity, SampledActivity)
    heat = Heatmap(
        title="Activity",
        values=scaled[shown],
        x=binned.centres,
        x_title="Time (s)",
        y_title="Unit",
        value_title="Activity (share of own range)" if calcium else "Rate (z-score)",
        y_labels=tuple(names[unit] for unit in used[shown]),
        scale="sequential" if calcium else "diverging",
        limits=(0.0, 1.0) if calcium else SPIKE_LIMITS,
        spans=stretches(recording),
    )
    timeline = timeline_panel(recording, binned)
    behaviour = behaviour_panels(recording, binned.edges, n_recordings=n_recordings)
    below = ["a timeline of epochs and conditions"] if timeline else []
    below += [f"curves of {', '.join(panel.title for panel in behaviour)}"] if behaviour else []
    conditions = recording.trials["condition"].fillna("").astype(str)
    n_regions = recording.units["region"].iloc[used].astype(str).nunique()
    return Figure(
        id=f"overview-{recording.id}",
        title=f"Recording {recording.id}",
        finding=_finding(recording, used, scaled),
        caption=_caption(
            recording,
            binned,
            every=every,
            n_used=len(used),
            by_region=n_regions > 1,
            n_conditions=conditions.nunique(),
        )
        + behaviour_words(recording, behaviour),
        alt=f"Heat map of {len(shown)} units over {binned.centres.size} time bins"
        + (f", above {' and '.join(below)}." if below else "."),
        panels=(heat, *([timeline] if timeline else []), *behaviour),
    )


def cells_allowed(n_units: int, *, n_recordings: int) -> tuple[int, int]:
    """Rows and columns of an overview when so many recordings share the page."""
    cells = min(MOST_ROWS * MOST_COLUMNS, CELLS_PER_PAGE // max(n_recordings, 1))
    rows = max(1, min(n_units, MOST_ROWS, int(np.sqrt(cells / 2))))
    return rows, min(MOST_COLUMNS, cells // rows)


def scale_units(
    values: NDArray[np.float32], activity: SampledActivity | SpikeTrains
) -> NDArray[np.float32]:
    """Each unit on a scale of its own, rounded to steps too fine to see, which pack well.

    Samples: 0 is the unit's 5th and 1 its 99th percentile. Spikes: standard deviations from the
    unit's mean rate.
    """
    empty = np.all(np.isnan(values), axis=1)
    filled = np.where(empty[:, None], 0.0, values).astype(np.float64)
    if isinstance(activity, SampledActivity):
        low, high = np.nanpercentile(filled, [5, 99], axis=1) if len(filled) else np.zeros((2, 0))
        spread, centre, step, limits = high - low, low, CALCIUM_STEP, (0.0, 1.0)
    else:
        centre, spread = np.nanmean(filled, axis=1), np.nanstd(filled, axis=1)
        step, limits = SPIKE_STEP, SPIKE_LIMITS
    scaled = (filled - centre[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]
    rounded = np.round(np.clip(scaled, *limits) / step) * step
    return np.where(empty[:, None], np.nan, rounded).astype(np.float32)


def unit_order(scaled: NDArray[np.float32], regions: NDArray[np.object_]) -> NDArray[np.intp]:
    """Units by region, and within one by their part in the strongest common time course."""
    if len(scaled) < 2:
        return np.arange(len(scaled))
    known = np.where(np.isnan(scaled), 0.0, scaled).astype(np.float64)
    centred = known - known.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    loading = centred @ vectors[:, -1]
    # An eigenvector's sign is arbitrary; this one is the same everywhere.
    loading *= np.sign(loading[np.argmax(np.abs(loading))]) or 1.0
    return np.lexsort((-np.round(loading, 6), regions))


def unit_labels(recording: Recording, *, n_recordings: int) -> list[str]:
    """Names of all units of one of so many recordings, with the region as a remark where several.

    Names are those of :func:`~pipeline.core.unit_names.names_of_units`.
    """
    names = names_of_units(recording.id, recording.units, n_recordings=n_recordings)
    regions = [_text(region) for region in recording.units["region"]]
    several = len(set(regions)) > 1
    return [
        f"{name}{REMARK}{region}" if several and region else name
        for name, region in zip(names, regions, strict=True)
    ]


def stretches(recording: Recording) -> tuple[Span, ...]:
    """Epochs, or trials where there are few and no epochs, as spans of the time axis."""
    epochs, trials = recording.epochs, recording.trials
    if 0 < len(epochs) <= MOST_SPANS:
        return _spans(epochs, "label")
    if 0 < len(trials) <= MOST_SPANS:
        return _spans(trials, "condition")
    return ()


def dividing(spans: tuple[Span, ...], whole: tuple[float, float]) -> tuple[Span, ...]:
    """The spans, unless a single one covers all, which tells no time from another."""
    start, stop = whole
    slack = 0.02 * (stop - start)
    all_of_it = [
        span for span in spans if span.start - slack <= start and stop - slack <= span.stop
    ]
    return () if len(spans) == 1 and all_of_it else spans


def timeline_panel(recording: Recording, binned: Binned) -> Heatmap | None:
    """Which share of each time bin lies in each epoch and in trials of each condition.

    None where the strip above the activity tells it all.
    """
    if not len(recording.trials) and len(recording.epochs) <= MOST_SPANS:
        return None
    rows: dict[str, pd.DataFrame] = {}
    for table, column, word in (
        (recording.epochs, "label", "epoch"),
        (recording.trials, "condition", "condition"),
    ):
        names = table[column].fillna("").astype(str)
        common = names.value_counts().index[:MOST_LABELS]
        for name in sorted(
            common, key=lambda name: float(table.loc[names == name, "start_s"].min())
        ):
            rows[f"{word}: {name}" if name else word] = table[names == name]
    if not rows:
        return None
    cover = np.stack([covered(table, binned) for table in rows.values()])
    return Heatmap(
        title="Timeline: share of each bin",
        values=(np.round(cover * 50) / 50).astype(np.float32),
        x=binned.centres,
        x_title="Time (s)",
        y_title="",
        value_title="Share of bin",
        y_labels=tuple(rows),
        # Neutral where there is nothing; a full sequential scale would shout.
        scale="diverging",
        limits=(0.0, 1.0),
    )


def covered(intervals: pd.DataFrame, binned: Binned) -> NDArray[np.float64]:
    """Share of each bin that lies inside the intervals, at most 1."""
    starts = intervals["start_s"].to_numpy(dtype=float)
    stops = intervals["stop_s"].to_numpy(dtype=float)
    usable = np.isfinite(starts) & np.isfinite(stops)
    edges = binned.edges
    # Time spent inside before each edge; its increments are the time inside each bin.
    before = np.clip(edges[:, None] - starts[usable], 0, (stops - starts)[usable]).sum(axis=1)
    share: NDArray[np.float64] = np.clip(np.diff(before) / binned.width_s, 0, 1)
    return share


def _spans(table: pd.DataFrame, column: str) -> tuple[Span, ...]:
    names = table[column].fillna("").astype(str)
    spans = zip(table["start_s"].astype(float), table["stop_s"].astype(float), names, strict=True)
    return tuple(
        Span(start=start, stop=stop, label=name or "trial")
        for start, stop, name in spans
        if np.isfinite(start) and np.isfinite(stop)
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _finding(recording: Recording, used: NDArray[np.intp], scaled: NDArray[np.float32]) -> str:
    start, stop = recording.activity.span_s
    missing = float(np.isnan(scaled).mean()) if scaled.size else 1.0
    units = f"{len(used)} of {len(recording.units)} units are used over {stop - start:.4g} s"
    gaps = "no bin is missing" if missing == 0 else f"{100 * missing:.2g} % of cells are missing"
    return f"{units}; {gaps}."


def _caption(
    recording: Recording,
    binned: Binned,
    *,
    every: int,
    n_used: int,
    by_region: bool,
    n_conditions: int,
) -> str:
    if isinstance(recording.activity, SampledActivity):
        what = (
            f"Mean {signal_words(recording.activity.signal)} in bins of {binned.width_s:.3g} s; "
            "each unit runs from its 5th (0) to its 99th percentile (1), so that quiet and lively "
            "units look alike"
        )
    else:
        what = (
            f"Spike rate in bins of {binned.width_s:.3g} s; each unit in standard deviations from "
            f"its own mean, with colours ending at {SPIKE_LIMITS[0]:g} and {SPIKE_LIMITS[1]:g}"
        )
    calcium = isinstance(recording.activity, SampledActivity)
    stripes = "motion, lamp changes" if calcium else "artefacts, movement of the probe"
    order = "Units are sorted by region, then " if by_region else "Units are sorted "
    rows = (
        ""
        if n_conditions <= MOST_LABELS
        else (f" The timeline shows the {MOST_LABELS} most frequent of {n_conditions} conditions.")
    )
    sample = (
        f" Every {_ordinal(every)} of {n_used} units is shown."
        if every > 1
        else f" {counted(n_used, 'unit')}."
    )
    return (
        f"{what}. {order}by their part in the strongest common time course.{sample}{rows} No band: "
        "this is what was recorded. Good: "
        "units with courses of their own on an even ground. Bad: stripes over all units at once "
        f"({stripes}), gaps, and drift from one end to the other."
    )


def signal_words(signal: str) -> str:
    """A signal as people write it."""
    return {"dff": "dF/F"}.get(signal, signal)


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 != 1 else "th"
    return f"{number}{suffix}"
