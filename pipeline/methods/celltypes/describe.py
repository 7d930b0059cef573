"""What a stimulus looks like in few numbers: its part in space, its part in time, its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.celltypes.ascent import Stimuli
from pipeline.methods.celltypes.objective import Floats

MOST_HZ = 10.0
"""Above it lies no frequency of interest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Separated:
    """The closest product of one image and one course for every channel of a stimulus."""

    space: Floats
    """Shape (channel, y, x); the largest absolute value is 1, at the centre it is positive."""
    time: Floats
    """Shape (channel, frame), in the units of the stimulus."""
    share: Floats
    """Of each channel's sum of squares, shape (channel,)."""


def separated(stimulus: NDArray[np.floating]) -> Separated:
    """First singular vectors of each channel, shape of the stimulus (channel, frame, y, x)."""
    n_channels, n_frames, height, width = stimulus.shape
    space = np.zeros((n_channels, height, width))
    time = np.zeros((n_channels, n_frames))
    share = np.zeros(n_channels)
    for channel, movie in enumerate(np.asarray(stimulus, dtype=np.float64)):
        left, size, right = np.linalg.svd(movie.reshape(n_frames, -1), full_matrices=False)
        total = float((size**2).sum())
        if total == 0:
            continue
        image = right[0].reshape(height, width)
        peak = float(np.abs(image).max())
        sign = np.sign(_middle(image)) or 1.0
        space[channel] = sign * image / peak
        time[channel] = sign * left[:, 0] * size[0] * peak
        share[channel] = size[0] ** 2 / total
    return Separated(space=space, time=time, share=share)


def _middle(image: Floats) -> float:
    """Mean of an image near its middle, where units look."""
    y, x = (np.arange(size) - (size - 1) / 2 for size in image.shape)
    near = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * max(1.0, min(image.shape) / 10) ** 2))
    return float((image * near).sum() / near.sum())


def descriptors(stimuli: Stimuli, rate_hz: float) -> pd.DataFrame:
    """One row a stimulus.

    ``polarity``
        Sign of the strongest channel's last excursion in the middle, as a share of its largest:
        1 ends bright, -1 ends dark.
    ``centre_px``
        Radius of the disc with the area in which the image is above half its peak.
    ``surround``
        Summed negative over summed positive part of the image.
    ``peak_hz``
        Frequency with most power in time, up to 10 Hz.
    ``biphasic``
        Smaller over larger of the excursions to either side: 0 one-sided, 1 balanced.
    ``colour_angle``
        Angle between the courses of the first two channels in degrees: 0 alike, 180 opponent;
        NaN with one channel.
    """
    rows = []
    for stimulus in stimuli:
        parts = separated(stimulus)
        size = np.linalg.norm(parts.time, axis=1)
        main = int(size.argmax())
        course, image = parts.time[main], parts.space[main]
        up, down = max(course.max(initial=0.0), 0.0), max(-course.min(initial=0.0), 0.0)
        positive = float(np.clip(image, 0, None).sum())
        rows.append(
            {
                "polarity": _last_excursion(course),
                "centre_px": float(np.sqrt((image > 0.5).sum() / np.pi)),
                "surround": float(np.clip(-image, 0, None).sum() / max(positive, 1e-12)),
                "peak_hz": _peak_hz(course, rate_hz),
                "biphasic": min(up, down) / max(up, down, 1e-12),
                "colour_angle": _angle(parts) if len(stimulus) > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _last_excursion(course: Floats) -> float:
    """Value of the last local extreme that is at least half as large as the largest, over it."""
    largest = float(np.abs(course).max(initial=0.0))
    if largest == 0:
        return 0.0
    large = np.flatnonzero(np.abs(course) >= 0.5 * largest)
    last = large[-1]
    # Back to where this excursion began, and its extreme.
    begin = last
    while begin > 0 and np.sign(course[begin - 1]) == np.sign(course[last]):
        begin -= 1
    piece = course[begin : last + 1]
    return float(piece[np.abs(piece).argmax()] / largest)


def _peak_hz(course: Floats, rate_hz: float) -> float:
    if course.size < 2:
        return float("nan")
    frequency = np.fft.rfftfreq(4 * course.size, 1 / rate_hz)
    power = np.abs(np.fft.rfft(course - course.mean(), n=4 * course.size)) ** 2
    return float(frequency[np.where(frequency <= MOST_HZ, power, -1).argmax()])


def _angle(parts: Separated) -> float:
    """Between the first two channels, each an image times a course."""
    first, second = (parts.space[c].ravel()[:, None] * parts.time[c][None] for c in (0, 1))
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    if size == 0:
        return float("nan")
    return float(np.degrees(np.arccos(np.clip((first * second).sum() / size, -1, 1))))
