"""Two stretches of a recording that are analysed each by itself."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import rows_of
from pipeline.core.errors import NotApplicable
from pipeline.core.halves import GAP_TIMES
from pipeline.core.recording import Recording
from pipeline.core.views import (
    ResponsePatterns,
    SpikeCounts,
    StimulusResponses,
    TraceEnsemble,
    View,
)
from pipeline.numerics.courses import LEAST_INDEPENDENT, noise_free_correlation_frames
from pipeline.prepare.binned import bin_activity

NAMES = ("first", "second")
UNITS_ALIKE = 0.75
"""Share of units that stay alike for no longer than what counts: drift need not be in all."""
MOST_UNITS = 200
BINS = 5000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Where the halves of a recording are."""

    span_s: NDArray[np.float64]
    """Start and stop of each, shape (half, bound); infinite where only the recording is a bound."""
    gap_s: float
    """Seconds between them."""
    alike_s: float
    """For how long the activity stays alike."""


def halves_of(recording: Recording, *, gap_s: float) -> Spans:
    """Both halves of a recording, the same for all views.

    The border is where half of the trials have begun; without trials where half of the frames of
    stimuli were shown; else in the middle of the activity. So each half has what methods of
    responses need, and all methods mean the same halves. What drifts slowly is the same at the end
    of one half and at the start of the other, in every unit by itself, so that groups of units
    would agree over halves by chance: the gap is as long as the activity needs to forget.

    Parameters
    ----------
    recording
        Its times and its activity are looked at.
    gap_s
        Seconds around the border that belong to neither half, at least.

    Raises
    ------
    NotApplicable
        If the recording is too short for how long its activity stays alike.
    """
    alike_s = alike_for_s(recording)
    needed_s = GAP_TIMES * alike_s
    border = _border_s(recording)
    lasts_s = float(np.ptp(recording.activity.span_s))
    # What stays alike for long is underrated in short recordings, so that many times are asked for.
    if needed_s > gap_s and lasts_s < LEAST_INDEPENDENT * alike_s:
        raise NotApplicable(
            f"the activity of {recording.id} stays alike for {alike_s:.3g} s (autocorrelation) of "
            f"{lasts_s:.3g} s, so that halves would have slow drift in common; it must last "
            f"{LEAST_INDEPENDENT} times that"
        )
    gap_s = max(gap_s, needed_s)
    return Spans(
        span_s=np.array([[-np.inf, border - gap_s / 2], [border + gap_s / 2, np.inf]]),
        gap_s=gap_s,
        alike_s=alike_s,
    )


def alike_for_s(recording: Recording) -> float:
    """Seconds for which the activity of three units in four stays alike, at most.

    The autocorrelation time, without noise of single bins, of means or rates in thousands of bins;
    0 where it is no longer than a bin, and without units that vary. Of many units every n-th is
    taken.
    """
    units = np.flatnonzero(recording.units["good"].to_numpy(dtype=bool))
    units = units[:: max(1, -(-units.size // MOST_UNITS))]
    if not units.size:
        return 0.0
    binned = bin_activity(recording.activity, units, columns=BINS)
    known = np.isfinite(binned.values)
    values = np.where(known, binned.values, 0.0).astype(np.float64)
    mean = values.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    courses = np.where(known, values - mean[:, None], 0.0).T  # a missing bin is an ordinary one
    courses = courses[:, courses.std(axis=0) > 0]
    if not courses.size:
        return 0.0
    frames = float(np.quantile(noise_free_correlation_frames(courses), UNITS_ALIKE))
    return frames * binned.width_s if frames > 1 else 0.0


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
