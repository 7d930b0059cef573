"""Two stretches of a recording that are analysed each by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import rows_of
from pipeline.core.recording import Recording
from pipeline.core.views import (
    ResponsePatterns,
    SpikeCounts,
    StimulusResponses,
    TraceEnsemble,
    View,
)

NAMES = ("first", "second")


def halves_of(recording: Recording, *, gap_s: float) -> NDArray[np.float64]:
    """Spans of both halves of a recording, the same for all views, shape (half, bound), seconds.

    The border is where half of the trials have begun; without trials where half of the frames of
    stimuli were shown; else in the middle of the activity. So each half has what methods of
    responses need, and all methods mean the same halves.

    Parameters
    ----------
    recording
        The recording; only its times are looked at.
    gap_s
        Seconds around the border that belong to neither half.
    """
    border = _border_s(recording)
    return np.array([[-np.inf, border - gap_s / 2], [border + gap_s / 2, np.inf]])


def _border_s(recording: Recording) -> float:
    if len(recording.trials):
        return float(np.median(recording.trials["start_s"].to_numpy(dtype=np.float64)))
    shown = [stimulus.time for stimulus in recording.stimuli.values() if stimulus.time.size]
    if shown:
        return float(np.median(np.concatenate(shown)))
    return float(np.mean(recording.activity.span_s))


def within(view: View, span_s: NDArray[np.float64]) -> View:
    """What of a view lies in a span of time; units stay as they are.

    Parameters
    ----------
    view
        Any view. A bin, frame or trial is taken if all of it lies in the span.
    span_s
        Start and stop.
    """
    start, stop = map(float, span_s)
    if isinstance(view, ResponsePatterns):
        inside = view.start_s + min(0.0, float(view.window_s[0])) >= start
        inside &= view.start_s + float(view.window_s[1]) <= stop
        return dataclasses.replace(
            view,
            condition_of_trial=view.condition_of_trial[inside],
            fold=view.fold[inside],
            start_s=view.start_s[inside],
            responses=view.responses[inside],
            valid=view.valid[inside],
            courses=None if view.courses is None else view.courses[inside],
        )
    if isinstance(view, SpikeCounts):
        bins = _rows(view.time_s, view.bin_s, start, stop)
        return dataclasses.replace(
            view,
            time_s=view.time_s[bins],
            counts=view.counts[bins],
            observed=view.observed[bins],
            exposure_s=view.exposure_s[bins],
            segment=view.segment[bins],
            behaviour=None if view.behaviour is None else view.behaviour[bins],
            epochs=_inside(view.epochs, start, stop),
            trials=_inside(view.trials, start, stop),
        )
    frames = _rows(view.time, 1 / view.rate_hz, start, stop)
    if isinstance(view, TraceEnsemble):
        return dataclasses.replace(
            view,
            time=view.time[frames],
            values=view.values[frames],  # noqa: PD011 - no table
            valid=view.valid[frames],
            epochs=_inside(view.epochs, start, stop),
        )
    return _frames(view, frames)


def _rows(time: NDArray[np.float64], width: float, start: float, stop: float) -> slice:
    """Bins that begin at ``time`` and lie in a span."""
    slack = 1e-6 * width
    first = int(np.searchsorted(time, start - slack))
    last = int(np.searchsorted(time + width, stop + slack, side="right"))
    return slice(first, max(first, last))


def _inside(table: pd.DataFrame, start: float, stop: float) -> pd.DataFrame:
    """Intervals all of which lie in a span."""
    whole = (table["start_s"] >= start) & (table["stop_s"] <= stop)
    return table[whole].reset_index(drop=True)


def _frames(view: StimulusResponses, frames: slice) -> StimulusResponses:
    stretches = view.stretches.assign(
        first=view.stretches["first"].clip(frames.start, frames.stop) - frames.start,
        stop=view.stretches["stop"].clip(frames.start, frames.stop) - frames.start,
    )
    return dataclasses.replace(
        view,
        time=view.time[frames],
        stimulus=rows_of(view.stimulus, frames),
        content=view.content[frames],
        again=view.again[frames],
        stretches=stretches[stretches["first"] < stretches["stop"]].reset_index(drop=True),
        responses=view.responses[frames],
        valid=view.valid[frames],
    )
