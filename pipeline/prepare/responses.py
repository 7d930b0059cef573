"""Frames of a stimulus and the answers of a recording's units, on one grid of frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import BLOCK_BYTES, ArraySource, loaded
from pipeline.core.errors import NotApplicable
from pipeline.core.intervals import inside, union
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.rng import stream
from pipeline.core.views import StimulusResponses
from pipeline.numerics.repetition import Repetition
from pipeline.prepare.config import EnsembleConfig, ResponsesConfig
from pipeline.prepare.ensemble import NO_BASELINE, choose_traces
from pipeline.prepare.grid_traces import GridTraces
from pipeline.prepare.left_out import good_units, units_left_out
from pipeline.prepare.showings import shown_again
from pipeline.prepare.splits import Lengths, roles, stretches
from pipeline.prepare.stimulus import Film, contents, film, shown

FASTEST_HZ = 30.0
"""Rate of the view where the stimulus is faster and the settings tell none."""
MOST_PIXELS = 48
"""Along a side, where the settings tell no grid."""
LEAST_SHARED_S = 60.0
"""Stimulus and answers must overlap by this at least."""
LEAST_ONCE_S = 60.0
"""With less than this shown once, blocks are cut out of what is shown again."""
TRACE_BORDER_S = 2.0
"""What is left out at borders for an indicator that remembers."""


def stimulus_responses(
    recording: Recording, config: ResponsesConfig, provenance: Provenance
) -> StimulusResponses:
    """The good units of a recording and the frames they saw.

    Spikes are counted from one frame to the next; traces are averaged over a frame where they are
    sampled faster, and interpolated where slower, but not across more than one missing sample.

    Parameters
    ----------
    recording
        One recording with stimulus frames.
    config
        Rate, size and split of the frames.
    provenance
        What the stage knows about how the view comes about.

    Raises
    ------
    NotApplicable
        If there are no frames, or none that can be used together, no unit is usable, or stimulus
        and activity have less than a minute in common.
    DataError
        If a frame has entries that are no numbers (IN-T16).
    """
    good = good_units(recording)
    movies = shown(recording, config.stimulus)
    frames = film(
        movies,
        rate_hz=None if config.rate_hz == "auto" else float(config.rate_hz),
        fastest_hz=FASTEST_HZ,
        grid=_grid(movies[0].size) if config.grid == "auto" else (config.grid[0], config.grid[1]),
    )
    _check_overlap(recording, frames)
    found = _answers(recording, np.flatnonzero(good), frames, config)
    runs = np.where(found.valid.any(axis=1), frames.run, -1)
    content = contents(frames)
    again = shown_again(frames, content, runs, repeat_s=config.repeat_s)
    cut = _stretches(recording, frames, again, runs, config)
    units = recording.units.loc[good].loc[found.kept]
    n_unused = int(runs.size - (cut["stop"] - cut["first"]).sum())
    further = [NO_BASELINE] * int((~found.kept).sum())
    return StimulusResponses(
        recording=recording.id,
        time=frames.start,
        stimulus=_held(frames),
        stimulus_unit=movies[0].series[0].value_unit,
        channel=np.array(movies[0].channels),
        content=content,
        again=again.ending,
        stretches=cut,
        responses=found.values,
        valid=found.valid,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        label=_column(units, config.label_column),
        position=np.stack([_coordinate(units, axis) for axis in ("x_um", "y_um")], axis=1),
        left_out=_with_frames(units_left_out(recording.units, further=further), n_unused),
        rate_hz=frames.rate_hz,
        presentations=frames.presentations,
        signal=found.signal,
        value_unit=found.value_unit,
        baseline=found.baseline,
        provenance=provenance,
    )


def _grid(size: tuple[int, int]) -> tuple[int, int]:
    """The file's pixels, or whole squares of them, along y and x."""
    factor = math.ceil(max(size) / MOST_PIXELS)
    return max(1, size[0] // factor), max(1, size[1] // factor)


def _held(frames: Film) -> ArraySource:
    """The frames, in memory where they are few."""
    return loaded(frames)[0] if math.prod(frames.shape) * 4 <= BLOCK_BYTES else frames


def _check_overlap(recording: Recording, frames: Film) -> None:
    activity = recording.activity
    seen = (
        union(activity.observed)
        if isinstance(activity, SpikeTrains)
        else np.array([activity.span_s])
    )
    shared = inside(frames.start, seen) & inside(frames.stop, seen)
    shared_s = float((frames.stop - frames.start)[shared].sum())
    if shared_s < LEAST_SHARED_S:
        raise NotApplicable(
            f"The stimulus of recording {recording.id} was shown from {frames.start[0]:.6g} to "
            f"{frames.stop[-1]:.6g} s and its activity was recorded from {seen[0, 0]:.6g} to "
            f"{seen[-1, 1]:.6g} s: {shared_s:.3g} s in common, and at least {LEAST_SHARED_S:g} s "
            "are needed. Are both on one clock in the file?"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answers:
    """Answers of the chosen units in every frame."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    """Which of the good units these are."""
    signal: str
    value_unit: str
    baseline: str


def _answers(
    recording: Recording, good: NDArray[np.intp], frames: Film, config: ResponsesConfig
) -> _Answers:
    if frames.presentations:
        start = frames.start + config.image_window_s[0]
        stop = frames.start + config.image_window_s[1]
    else:
        start, stop = frames.start, frames.stop
    if isinstance(recording.activity, SpikeTrains):
        return _of_spikes(recording.activity, good, start, stop)
    return _of_traces(
        recording.id, recording.activity, good, start, stop, config, recording.delay_s
    )


def _of_spikes(
    trains: SpikeTrains,
    good: NDArray[np.intp],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
) -> _Answers:
    """Spikes from the start of each bin to before its stop, and whether the unit was seen then."""
    values = np.empty((start.size, good.size), dtype=np.float32)
    valid = np.empty(values.shape, dtype=bool)
    for column, unit in enumerate(good.tolist()):
        times = trains.of_unit(unit)
        values[:, column] = np.searchsorted(times, stop) - np.searchsorted(times, start)
        seen = union(trains.observed_of(unit))
        # Both ends in one stretch: the same number of stretches has begun before either.
        begun = [np.searchsorted(seen[:, 0], edge, side="right") for edge in (start, stop)]
        valid[:, column] = inside(start, seen) & inside(stop, seen) & (begun[0] == begun[1])
    values[~valid] = 0
    return _Answers(
        values=values,
        valid=valid,
        kept=np.ones(good.size, dtype=bool),
        signal="spikes",
        value_unit="spikes a frame",
        baseline="",
    )


def _of_traces(
    name: str,
    activity: SampledActivity,
    good: NDArray[np.intp],
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    config: ResponsesConfig,
    delay_s: NDArray[np.float64],
) -> _Answers:
    """Traces in the middle of each bin, smoothed over a bin where they are sampled faster."""
    rate_hz = float(1 / np.median(stop - start))
    traces = GridTraces(
        activity,
        good,
        time=(start + stop) / 2,
        rate_hz=rate_hz,
        config=EnsembleConfig(max_gap_s=min(60.0, 1 / activity.rate_hz), dff=config.dff),
        delay_s=delay_s,
    )
    chosen = choose_traces(name, traces, config=config.dff)
    values, valid = loaded(*traces.of(np.flatnonzero(chosen.kept), relative=chosen.relative))
    return _Answers(
        values=values,
        valid=valid,
        kept=chosen.kept,
        signal=chosen.signal,
        value_unit=chosen.value_unit,
        baseline=chosen.baseline,
    )


def _stretches(
    recording: Recording,
    frames: Film,
    again: Repetition,
    runs: NDArray[np.int64],
    config: ResponsesConfig,
) -> pd.DataFrame:
    """What each frame is for."""

    def n_frames(seconds: float) -> int:
        return round(seconds * frames.rate_hz)

    remembers = isinstance(recording.activity, SampledActivity) and not frames.presentations
    border_s = TRACE_BORDER_S if remembers else 0.0
    lengths = Lengths(
        block=max(1, n_frames(config.block_s)),
        border=n_frames(border_s if config.border_s == "auto" else float(config.border_s)),
        once=n_frames(LEAST_ONCE_S),
        validation=config.validation_share,
        test=config.test_share,
    )
    role = roles(again.ending, again.inside, runs, lengths, stream(0, "responses", recording.id))
    least = 1 if frames.presentations else max(2, n_frames(config.repeat_s))
    return stretches(role, runs, least=least)


def _column(units: pd.DataFrame, name: str) -> NDArray[np.str_]:
    if name not in units:
        return np.full(len(units), "")
    return units[name].fillna("").astype(str).to_numpy(dtype=str)


def _coordinate(units: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in units:
        return np.full(len(units), np.nan)
    return pd.to_numeric(units[name], errors="coerce").to_numpy(dtype=np.float64)


def _with_frames(table: pd.DataFrame, n_unused: int) -> pd.DataFrame:
    """The table with the frames that are for nothing."""
    if not n_unused:
        return table
    row = pd.DataFrame(
        {
            "what": pd.Series(["frame"], dtype="str"),
            "count": np.array([n_unused], dtype=np.int64),
            "reason": pd.Series(["not recorded, or beside a border"], dtype="str"),
        }
    )
    return pd.concat([table, row], ignore_index=True)
