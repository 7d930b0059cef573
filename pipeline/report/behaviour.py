"""Behaviour over time, in the bins and on the time axis of the activity above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Line, Track
from pipeline.core.recording import BehaviourSeries, Recording

MOST_SERIES = 3
"""Series under the overview of one recording."""
SERIES_PER_PAGE = 18
"""Series under all overviews together, one a recording at least."""
MOST_CHANNELS = 3
"""Curves of one series."""
STEPS = 100
"""Values are rounded to so many steps of their range: finer than a pixel of a low panel, and few
enough that a value takes one byte of the page."""
LONGEST_LINE = 1.5
"""Median intervals between two samples up to which a line goes from one to the other."""
KINDS = (
    ("running", "speed", "velocity", "locomotion", "wheel"),
    ("pupil",),
    ("whisk", "motion", "lick"),
)
"""Words in names of series that most readers look for first, kind by kind."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinnedSeries:
    """One channel of a series in even bins; NaN where nothing is known."""

    mean: NDArray[np.float64]
    """Mean of the samples in each bin; between samples that are farther apart than bins, the line
    from one to the next."""
    least: NDArray[np.float64]
    greatest: NDArray[np.float64]
    several: bool
    """Whether a bin holds more than one sample, so that there is a range to show."""


def behaviour_panels(
    recording: Recording, edges: NDArray[np.float64], *, n_recordings: int
) -> tuple[Track, ...]:
    """One low panel a series, of those that :func:`chosen_series` takes.

    Parameters
    ----------
    edges
        Edges of the bins of the activity in s, shape (bin + 1,); ends of the axis of the panels.
    n_recordings
        How many recordings share the page: the more, the fewer series each.
    """
    most = max(1, min(MOST_SERIES, SERIES_PER_PAGE // n_recordings))
    panels = []
    for name, series in chosen_series(recording.behaviour, edges, most=most).items():
        n_channels = series.values.shape[1]
        lines = []
        for channel in range(min(n_channels, MOST_CHANNELS)):
            binned = bin_series(series.time, series.values[:, channel], edges)
            lines.append(
                Line(
                    name=name if n_channels == 1 else f"{name}[{channel}]",
                    y=binned.mean,
                    lower=binned.least if binned.several else None,
                    upper=binned.greatest if binned.several else None,
                    group=channel,
                )
            )
        panels.append(
            Track(
                title=name,
                x=(edges[:-1] + edges[1:]) / 2,
                lines=tuple(lines),
                x_title="Time (s)",
                y_title=series.value_unit or "no unit told",
                x_limits=(float(edges[0]), float(edges[-1])),
            )
        )
    return tuple(panels)


def chosen_series(
    behaviour: Mapping[str, BehaviourSeries], edges: NDArray[np.float64], *, most: int
) -> dict[str, BehaviourSeries]:
    """Series that change within the time shown: one of each of :data:`KINDS`, then as in the file.

    Of a kind the one with the shortest name is taken: ``velocity``, not ``angular_velocity``. What
    has more channels than are drawn comes last.
    """
    known = {name: series for name, series in behaviour.items() if _changes(series, edges)}
    first = [
        min(alike, key=len)
        for words in KINDS
        if (alike := [name for name in known if any(word in name.lower() for word in words)])
    ]
    many = {name for name, series in known.items() if series.values.shape[1] > MOST_CHANNELS}
    order = list(dict.fromkeys([*first, *sorted(known, key=lambda name: name in many)]))[:most]
    return {name: known[name] for name in order}


def bin_series(
    time: NDArray[np.float64], values: NDArray[np.float64], edges: NDArray[np.float64]
) -> BinnedSeries:
    """Mean, least and greatest sample of one channel in each bin.

    Parameters
    ----------
    time, values
        Samples, shape (sample,); those that are not finite are missing.
    edges
        Of the bins in s, evenly spaced, shape (bin + 1,).
    """
    longest = LONGEST_LINE * float(np.median(np.diff(np.sort(time)))) if time.size > 1 else 0.0
    order = np.argsort(time, kind="stable")
    order = order[np.isfinite(values[order]) & np.isfinite(time[order])]
    time, values = time[order], values[order]
    inside = (time >= edges[0]) & (time < edges[-1])
    at = np.searchsorted(edges, time[inside], side="right") - 1
    n_bins = edges.size - 1
    count = np.bincount(at, minlength=n_bins)
    total = np.bincount(at, weights=values[inside], minlength=n_bins)
    least, greatest = np.full(n_bins, np.inf), np.full(n_bins, -np.inf)
    np.minimum.at(least, at, values[inside])
    np.maximum.at(greatest, at, values[inside])
    empty = count == 0
    between = _between(time, values, (edges[:-1] + edges[1:]) / 2, longest=longest)
    mean = np.where(empty, between, total / np.maximum(count, 1))
    step = _step(values[inside])
    return BinnedSeries(
        mean=_rounded(mean, step),
        least=_rounded(np.where(empty, between, least), step),
        greatest=_rounded(np.where(empty, between, greatest), step),
        several=bool((count > 1).any()),
    )


def behaviour_words(recording: Recording, panels: tuple[Track, ...]) -> str:
    """What the panels show, for the caption; empty without any."""
    if not panels:
        return ""
    n_series = len(recording.behaviour)
    of = f" ({len(panels)} of {n_series} series)" if n_series > len(panels) else ""
    ranged = any(line.lower is not None for panel in panels for line in panel.lines)
    means = (
        "means in the same bins, shaded from the least to the greatest sample of each"
        if ranged
        else "every sample, joined by lines"
    )
    cut = [
        panel.title
        for panel in panels
        if recording.behaviour[panel.title].values.shape[1] > len(panel.lines)
    ]
    channels = f" Of {', '.join(cut)} the first {MOST_CHANNELS} channels are shown." if cut else ""
    return (
        f" Below, behaviour in the file's units{of}: {means}; lines end where samples are missing."
        f"{channels} What goes with behaviour may be caused by it, or by an artefact of movement."
    )


def _changes(series: BehaviourSeries, edges: NDArray[np.float64]) -> bool:
    inside = (series.time >= edges[0]) & (series.time < edges[-1])
    shown = series.values[inside]
    known = shown[np.isfinite(shown)]
    return bool(known.size > 1 and np.ptp(known) > 0)


def _between(
    time: NDArray[np.float64],
    values: NDArray[np.float64],
    places: NDArray[np.float64],
    *,
    longest: float,
) -> NDArray[np.float64]:
    """Values on lines between samples; NaN where the next ones are too far from each other."""
    if time.size < 2:
        return np.full(places.size, np.nan)
    after = np.clip(np.searchsorted(time, places), 1, time.size - 1)
    near = (time[after] - time[after - 1] <= longest) & (places >= time[0]) & (places <= time[-1])
    found: NDArray[np.float64] = np.where(near, np.interp(places, time, values), np.nan)
    return found


def _step(values: NDArray[np.float64]) -> float:
    extent = float(np.ptp(values)) if values.size else 0.0
    return extent / STEPS


def _rounded(values: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.round(values / step) * step if step > 0 else values
    return found
