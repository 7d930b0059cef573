"""What was on the screen in each condition, coarse enough to compare."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.recording import Recording, StimulusImages, StimulusMovie

N_FRAMES = 8
"""Frames of each condition, evenly spread over its first trial."""

N_PIXELS = 16
"""Along each side of the screen, at most."""


def pixels_of_conditions(
    recording: Recording, trials: pd.DataFrame, labels: list[str]
) -> NDArray[np.float32] | None:
    """Frames shown in the first trial of each condition, all stimuli one after another.

    Parameters
    ----------
    recording
        Its stimuli.
    trials
        With ``start_s``, ``stop_s`` and ``condition``.
    labels
        Conditions in order.

    Returns
    -------
    Shape (condition, pixel); None without stimuli that show something in every condition.
    """
    first = trials.groupby("condition").first().loc[labels]
    start = first["start_s"].to_numpy(dtype=np.float64)
    length = first["stop_s"].to_numpy(dtype=np.float64) - start
    # In the middle of equal stretches, so that no frame of a neighbouring trial is taken.
    times = start[:, None] + length[:, None] * (np.arange(N_FRAMES) + 0.5) / N_FRAMES
    parts = []
    for name in sorted(recording.stimuli):
        stimulus = recording.stimuli[name]
        frame = np.searchsorted(stimulus.time, times.ravel(), side="right") - 1
        if stimulus.time.size == 0 or np.any(frame < 0) or not _lasts(stimulus, times):
            continue
        if isinstance(stimulus, StimulusImages):
            frame = stimulus.shown[frame]
        kept, back = np.unique(frame, return_inverse=True)
        coarse = np.stack([_coarse(stimulus, int(index)) for index in kept])
        parts.append(coarse[back].reshape(len(labels), -1))
    if not parts:
        return None
    pixels: NDArray[np.float32] = np.concatenate(parts, axis=1).astype(np.float32)
    return pixels if np.isfinite(pixels).all() else None


def _lasts(stimulus: StimulusMovie | StimulusImages, times: NDArray[np.float64]) -> bool:
    """Whether the last frame still stood at the last of the times."""
    typical = float(np.median(np.diff(stimulus.time))) if stimulus.time.size > 1 else 0.0
    return bool(times.max() <= stimulus.time[-1] + max(typical, 1e-6))


def _coarse(stimulus: StimulusMovie | StimulusImages, index: int) -> NDArray[np.float64]:
    """One frame as means over blocks of pixels, flat."""
    source = stimulus.values  # noqa: PD011  not of pandas
    frame: NDArray[np.float64] = source[index : index + 1][0].astype(np.float64)
    for axis in (0, 1):
        edges = np.linspace(0, frame.shape[axis], min(N_PIXELS, frame.shape[axis]) + 1).astype(int)
        sums = np.add.reduceat(frame, edges[:-1], axis=axis)
        shape = [1] * frame.ndim
        shape[axis] = -1
        frame = sums / np.diff(edges).reshape(shape)
    return frame.ravel()
