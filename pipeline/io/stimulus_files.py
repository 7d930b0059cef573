"""Stimuli as files for display software: HDF5 with named axes, and moving pictures for people."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.io.atomic import replacing

PICTURE_PIXELS = 160
"""Least side of a frame in a moving picture."""
AXES = ("stimulus", "frame", "channel", "y", "x")


def write_display_file(
    path: Path,
    shown: NDArray[np.floating],
    *,
    names: tuple[str, ...],
    channels: tuple[str, ...],
    rate_hz: float,
    grey: NDArray[np.floating],
) -> None:
    """Frames from 0 (darkest) to 1 (brightest) with what a display needs to know.

    Parameters
    ----------
    shown
        Shape (stimulus, channel, frame, y, x).
    names, channels
        Of stimuli and channels.
    rate_hz
        Frames a second.
    grey
        What to show between stimuli, shape (channel,).
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        frames = file.create_dataset(
            "frames", data=shown.swapaxes(1, 2).astype(np.float32), compression="gzip"
        )
        for axis, name in enumerate(AXES):
            frames.dims[axis].label = name
        frames.attrs["rate_hz"] = rate_hz
        frames.attrs["range"] = "0 (darkest) to 1 (brightest)"
        file["stimulus"] = np.array(names, dtype=h5py.string_dtype())
        file["channel"] = np.array(channels, dtype=h5py.string_dtype())
        file["grey"] = np.asarray(grey, dtype=np.float32)


def write_moving_picture(path: Path, shown: NDArray[np.floating], *, rate_hz: float) -> None:
    """One stimulus as a GIF that plays for ever, its channels beside each other.

    ``shown`` has shape (channel, frame, y, x), from 0 to 1.
    """
    from PIL import Image

    scale = max(1, -(-PICTURE_PIXELS // min(shown.shape[2:])))
    grey = np.round(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    frames = [
        Image.fromarray(
            np.hstack([channel[index].repeat(scale, 0).repeat(scale, 1) for channel in grey])
        )
        for index in range(grey.shape[1])
    ]
    # Viewers do not keep to less than 20 ms a frame.
    duration_ms = max(20, round(1000 / rate_hz))
    with replacing(path) as temporary:
        frames[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=duration_ms,
            loop=0,
        )
