"""The frames that a model learns from, as clips; and what must not be among them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.views import StimulusResponses
from pipeline.numerics.repetition import covered, windows

LEAK_S = 1.0
"""A stretch of the test of this length that stands elsewhere is a leak."""
HELD_BYTES = 512 * 2**20
"""Movies up to this size are held in memory; larger ones are read clip by clip."""
SAMPLED_FRAMES = 2_000
"""Frames from which the range of pixels is told."""
LOW, HIGH = 0.5, 99.5
"""Percentiles of the pixels that are the range."""

Frames = NDArray[np.float32]
"""Shape (frame, channel, y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """One recording: frames, answers, and which frames are for what."""

    view: StimulusResponses
    stimulus: ArraySource
    train: NDArray[np.int64]
    """First frame and one past the last of each stretch, shape (stretch, 2)."""
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    n_leaks: int
    """Frames taken out of train and validation because the test has them too."""


def sessions(views: Sequence[StimulusResponses]) -> tuple[Session, ...]:
    """The recordings with their stretches, without what the test of any of them has.

    A view keeps its own test apart; what one recording is tested on may have been shown in
    another, and a model that serves both must not learn from it there.

    Parameters
    ----------
    views
        One a recording, with frames of the same size, channels and rate.

    Raises
    ------
    ValueError
        If frames differ in size, channels or rate between recordings.
    """
    first = views[0]
    for view in views[1:]:
        if view.stimulus.shape[1:] != first.stimulus.shape[1:]:
            raise ValueError(
                f"Frames of {view.recording} are {view.stimulus.shape[1:]} (channel, y, x) and "
                f"those of {first.recording} {first.stimulus.shape[1:]}; set "
                "prepare.responses.grid."
            )
        if not math.isclose(view.rate_hz, first.rate_hz, rel_tol=0.02):
            raise ValueError(
                f"Frames of {view.recording} come at {view.rate_hz:.4g} Hz and those of "
                f"{first.recording} at {first.rate_hz:.4g} Hz; set prepare.responses.rate_hz."
            )
        if view.presentations != first.presentations:
            raise ValueError(
                f"{view.recording} and {first.recording} do not both show single images."
            )
    width = 1 if first.presentations else max(2, round(LEAK_S * first.rate_hz))
    tested = np.concatenate([_test_keys(view, width) for view in views])
    return tuple(_session(view, tested, width) for view in views)


def _test_keys(view: StimulusResponses, width: int) -> NDArray[np.uint64]:
    """Keys of all windows of the test."""
    keys, defined = _keys(view, width)
    test = view.frames_of("test")
    runs = _stretch_of_frame(view)
    whole = np.zeros(test.size, dtype=bool)
    whole[width - 1 :] = runs[width - 1 :] == runs[: test.size - width + 1]
    return keys[test & whole & defined]


def _keys(view: StimulusResponses, width: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    if width == 1:
        return view.content.view(np.uint64), np.ones(view.content.size, dtype=bool)
    return windows(view.content, np.zeros(view.content.size, dtype=np.int64), width)


def _stretch_of_frame(view: StimulusResponses) -> NDArray[np.int64]:
    found = np.full(view.time.size, -1, dtype=np.int64)
    for index, (first, stop) in enumerate(view.stretches[["first", "stop"]].to_numpy()):
        found[first:stop] = index
    return found


def _session(view: StimulusResponses, tested: NDArray[np.uint64], width: int) -> Session:
    keys, defined = _keys(view, width)
    leaks = covered(defined & np.isin(keys, tested), width) & ~view.frames_of("test")
    stretch = _stretch_of_frame(view)
    roles = view.stretches["role"].to_numpy(dtype=str)
    found: dict[str, list[tuple[int, int]]] = {"train": [], "validation": [], "test": []}
    usable = (stretch >= 0) & ~leaks
    edges = np.flatnonzero(np.diff(stretch) | np.diff(usable.astype(np.int8))) + 1
    bounds = np.concatenate([[0], edges, [stretch.size]]).tolist()
    for first, stop in itertools.pairwise(bounds):
        if usable[first]:
            found[roles[stretch[first]]].append((first, stop))
    arrays = {role: np.array(each, dtype=np.int64).reshape(-1, 2) for role, each in found.items()}
    small = math.prod(view.stimulus.shape) * 4 <= HELD_BYTES
    return Session(
        view=view,
        stimulus=view.stimulus[:] if small else view.stimulus,
        n_leaks=int((leaks & (stretch >= 0)).sum()),
        **arrays,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StimulusScale:
    """Frames in the units in which models see them: standard deviations from the mean.

    All numbers come from frames to learn from, one a channel.
    """

    mean: NDArray[np.float64]
    """In the units of the view, shape (channel,)."""
    sd: NDArray[np.float64]
    low: NDArray[np.float64]
    """Range of pixels, in standard deviations, shape (channel,)."""
    high: NDArray[np.float64]
    rms: float
    """Root mean square of all pixels, in standard deviations."""

    def scaled(self, frames: Frames) -> Frames:
        """Frames of the view in units of models, shape (frame, channel, y, x)."""
        shape = (1, -1, 1, 1)
        scaled = (frames - self.mean.reshape(shape)) / self.sd.reshape(shape)
        return scaled.astype(np.float32)


def stimulus_scale(found: Sequence[Session]) -> StimulusScale:
    """Mean, spread and range of the pixels of all frames to learn from.

    Raises
    ------
    ValueError
        If there are none, or a channel of them never changes.
    """
    total, squares, count = 0.0, 0.0, 0
    for session in found:
        for first, stop in session.train.tolist():
            for start in range(first, stop, SAMPLED_FRAMES):
                frames = session.stimulus[start : min(start + SAMPLED_FRAMES, stop)]
                frames = frames.astype(np.float64)
                total = total + frames.sum(axis=(0, 2, 3))
                squares = squares + np.square(frames).sum(axis=(0, 2, 3))
                count += frames.size // frames.shape[1]
    if not count:
        raise ValueError("There are no frames to learn from.")
    mean = np.asarray(total / count)
    variance = np.asarray(squares / count - mean**2)
    if np.any(variance <= 1e-12 * np.maximum(1, mean**2)):
        raise ValueError("A channel of the stimulus never changes in the frames to learn from.")
    sd = np.sqrt(variance)
    pixels = (_sampled(found) - mean[:, None]) / sd[:, None]
    low, high = np.percentile(pixels, [LOW, HIGH], axis=1)
    return StimulusScale(
        mean=mean, sd=sd, low=low, high=high, rms=float(np.sqrt(np.square(pixels).mean()))
    )


def _sampled(found: Sequence[Session]) -> NDArray[np.float64]:
    """Pixels of frames spread over the stretches, shape (channel, pixel)."""
    stretches = [(session, first, stop) for session in found for first, stop in session.train]
    n_frames = sum(int(stop - first) for _, first, stop in stretches)
    step = max(1, n_frames // SAMPLED_FRAMES)
    pieces = [
        session.stimulus[int(at) : int(at) + 1]
        for session, first, stop in stretches
        for at in range(int(first), int(stop), step)
    ]
    frames = np.concatenate(pieces).astype(np.float64)
    return frames.swapaxes(0, 1).reshape(frames.shape[1], -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Some frames in a row and the answers to the last of them."""

    session: int
    first: int
    """Frame of the stimulus with which it begins."""
    stop: int
    """One past its last frame."""


def cut(
    stretches: NDArray[np.int64], *, session: int, memory: int, length: int
) -> tuple[Clip, ...]:
    """Clips of which each answers to at most ``length`` frames, and all to each frame once.

    The first ``memory - 1`` frames of every stretch are seen and not answered to: a model needs
    them, and no frame of another stretch may stand in.
    """
    found = []
    for first, stop in stretches.tolist():
        for start in range(first, stop - memory + 1, length):
            found.append(
                Clip(session=session, first=start, stop=min(start + memory - 1 + length, stop))
            )
    return tuple(found)
