"""Stimuli that tell types apart, as frames for a display."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.exported import Exported, ResultFrames
from pipeline.methods.celltypes.constraints import Display
from pipeline.methods.celltypes.result import CelltypesResult, ModelEvidence


def exported(result: CelltypesResult, recording: str, units: pd.DataFrame) -> Exported:
    """The stimuli of all types; none where stimuli were chosen among those that were shown.

    Parameters
    ----------
    result
        The joined fit.
    recording
        Its id; nothing is exported of one that did not take part.
    units
        Not needed. For the contract of this room.
    """
    if result.model is None or recording not in result.recording:
        return Exported()
    return Exported(frames=stimulus_frames(result.model))


def shown_stimuli(model: ModelEvidence) -> NDArray[np.float64]:
    """Stimuli from 0 (darkest) to 1 (brightest), shape (cell_type, channel, frame, y, x)."""
    return np.clip(Display.of_range(model.low, model.high).shown(model.stimuli), 0, 1)


def stimulus_frames(model: ModelEvidence) -> tuple[ResultFrames, ...]:
    """One for each type and channel."""
    return tuple(
        ResultFrames(
            name=f"type_{index + 1}_{channel}",
            description=f"Stimulus of type {index + 1}, channel {channel}: from 0 (darkest) to 1 "
            "(brightest) of what the display can show; axes frame, x, y. Times are from the start "
            "of the stimulus.",
            values=frames.astype(np.float32),
            unit="share of the display's range",
            rate_hz=model.frame_rate_hz,
        )
        for index, stimulus in enumerate(shown_stimuli(model))
        for channel, frames in zip(map(str, model.channel), stimulus, strict=True)
    )
