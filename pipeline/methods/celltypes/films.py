"""The stimuli as films for the report."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Film, Films
from pipeline.methods.celltypes.constraints import Display
from pipeline.methods.celltypes.result import CelltypesResult, ModelEvidence

SLOWED = 4
"""Films play at a fraction of their speed: flicker at 30 Hz is nothing to look at."""
MOST_TYPES = 12
MOST_PIXELS = 110_000
"""Of all films together, so that pages stay light: bytes before they are packed."""
GREYS = 64
"""Steps of grey; more cannot be told apart, and cost space."""


def stimulus_films(result: CelltypesResult, model: ModelEvidence) -> Films | None:
    """Every type's stimulus, channel by channel; nothing for single images.

    Parameters
    ----------
    result
        The joined fit.
    model
        Its stimuli.
    """
    n_frames = model.stimuli.shape[2]
    if n_frames < 2 or result.n_types == 0:
        return None
    drawn = np.sort(np.argsort(-result.size, kind="stable")[:MOST_TYPES])
    shown = np.clip(Display.of_range(model.low, model.high).shown(model.stimuli[drawn]), 0, 1)
    coarse, factor = _within(shown, MOST_PIXELS)
    steps = np.round(coarse * (GREYS - 1)) * (255 / (GREYS - 1))
    channels = [str(name) for name in model.channel]
    films = tuple(
        Film(
            title=f"Type {kind + 1}" + (f": {channel}" if len(channels) > 1 else ""),
            frames=np.asarray(frames, dtype=np.uint8),
        )
        for kind, stimulus in zip(drawn, steps, strict=True)
        for channel, frames in zip(channels, stimulus, strict=True)
    )
    strength = np.abs(shown - shown.mean(axis=(2, 3, 4), keepdims=True)).mean(axis=(0, 1, 3, 4))
    joined = f" Squares of {factor} by {factor} pixels are joined." if factor > 1 else ""
    return Films(
        id="films",
        title="The stimuli as they are shown",
        finding=(
            f"{n_frames / model.frame_rate_hz:.1f} s each, {n_frames} frames at "
            f"{model.frame_rate_hz:g} Hz; here at a quarter of their speed."
        ),
        caption=(
            f"The stimuli of {drawn.size} of {result.n_types} types (those with most units) within "
            "the range of the training stimulus: black is the darkest pixel that it had, white the "
            f"brightest, by channel, in {GREYS} steps of grey.{joined} All units look at the "
            f"middle; the answer counts in the last {model.window_frames} frames. Good: patches "
            "that brighten or darken in the middle and nothing around them. Bad: flicker all over, "
            "which the model has not learned to tell from nothing. No band: each is the one best "
            "that was found; how surely its type is there stands in the table of types. While "
            "nothing plays, the frame of the strongest contrast stands."
        ),
        alt="The stimulus of a type as a film in grey:",
        films=films,
        frame_s=SLOWED / model.frame_rate_hz,
        still=int(strength.argmax()),
        columns=len(channels) * max(1, min(4 // len(channels), drawn.size)),
        greys=GREYS,
    )


def _within(shown: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], int]:
    """Stimuli whose neighbouring pixels are joined until they are few enough, and how many.

    Shape (stimulus, channel, frame, y, x).
    """
    factor = 1
    while shown.size / factor**2 > most and factor < min(shown.shape[3:]):
        factor += 1
    height, width = (size // factor for size in shown.shape[3:])
    cut = shown[..., : height * factor, : width * factor]
    blocks = cut.reshape(*shown.shape[:3], height, factor, width, factor)
    return np.asarray(blocks.mean(axis=(4, 6))), factor
