"""Frames of a result on one drawn axis, and the epochs on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.parts import Span
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.windows import SIDE_BY_SIDE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Where frames, stretches and epochs stand on the horizontal axis."""

    position_s: NDArray[np.float64] = axes("frame", unit="s")
    spans: tuple[Span, ...]
    breaks: tuple[float, ...]
    title: str

    def __post_init__(self) -> None:
        check_axes(self)


def timeline(result: ConnectomeResult) -> Timeline:
    """The axis that figures draw time on: recordings one after another, or shared epochs."""
    if result.alignment in SIDE_BY_SIDE:
        spans = [
            Span(start=float(start), stop=float(stop), label=str(label))
            for start, stop, label in zip(
                result.epochs["start_s"],
                result.epochs["stop_s"],
                result.epochs["label"],
                strict=True,
            )
        ]
        return Timeline(
            position_s=result.frame_time_s,
            spans=tuple(spans),
            breaks=_window_breaks(result),
            title="Time in shared epochs (s)"
            if result.alignment == "by_epoch"
            else "Time from the start (s)",
        )
    position = np.array(result.frame_time_s)
    spans, breaks, begin = [], [], 0.0
    for index, name in enumerate(result.recording):
        rows = result.frame_recording == index
        if not rows.any():
            continue
        offset = begin - position[rows].min()
        position[rows] += offset
        of_recording = result.epochs[result.epochs["recording"] == name]
        end = position[rows].max()
        for start, stop, label in zip(
            of_recording["start_s"], of_recording["stop_s"], of_recording["label"], strict=True
        ):
            low, high = max(start + offset, begin), min(stop + offset, end)
            if high > low:
                spans.append(Span(start=float(low), stop=float(high), label=str(label)))
        begin = end + result.bin_s
        breaks.append(float(end + result.bin_s / 2))
    several = result.recording.size > 1
    return Timeline(
        position_s=position,
        spans=tuple(spans),
        breaks=tuple(breaks[:-1]),
        title="Time, recordings in a row (s)" if several else "Time (s)",
    )


def frames_of_label(result: ConnectomeResult, label: str) -> NDArray[np.bool_]:
    """Frames inside the epochs of a label, shape (frame,)."""
    inside = np.zeros(result.frame_time_s.size, dtype=bool)
    of_label = result.epochs[result.epochs["label"] == label]
    if result.alignment == "absolute":  # each has epochs of its own in frames that all share
        of_label = of_label.assign(recording="")
    names = [*result.recording, ""]  # index -1, frames that all share, has the empty name
    owner = np.array(names)[result.frame_recording]
    for start, stop, recording in zip(
        of_label["start_s"], of_label["stop_s"], of_label["recording"], strict=True
    ):
        time = result.frame_time_s
        inside |= (owner == recording) & (time >= start) & (time < stop)
    return inside


def _window_breaks(result: ConnectomeResult) -> tuple[float, ...]:
    """Where windows meet on the common axis: the recordings' own times jump there."""
    steps = np.diff(result.source_time_s, axis=0)
    jump = (np.abs(steps - result.bin_s) > 0.5 * result.bin_s).any(axis=1)
    time = result.frame_time_s
    return tuple(float(value) for value in (time[:-1][jump] + time[1:][jump]) / 2)
