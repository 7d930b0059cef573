"""Stimuli as files for display software: HDF5 with named axes, NWB, and pictures."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.exported import ResultFrames
from pipeline.io.atomic import replacing
from pipeline.io.nwb.results import image_series
from pipeline.io.nwb.write import appearing_whole

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
    grey = _grey(shown)
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


def write_pictures(folder: Path, shown: NDArray[np.floating], *, channels: tuple[str, ...]) -> None:
    """Every frame of one stimulus as a PNG of its own pixels, a file a channel.

    Parameters
    ----------
    folder
        Made if absent. Files are called ``CHANNEL-0000.png``, numbered by frame.
    shown
        Shape (channel, frame, y, x), from 0 to 1; stored in 256 steps of grey.
    channels
        Names of the channels.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for name, frames in zip(channels, _grey(shown), strict=True):
        for index, frame in enumerate(frames):
            with replacing(folder / f"{_file_word(name)}-{index:04d}.png") as temporary:
                Image.fromarray(frame).save(temporary, format="PNG")


def write_stimulus_nwb(path: Path, stimuli: Sequence[ResultFrames], *, source: str) -> None:
    """Stimuli as templates of an NWB file: one series of images a stimulus and channel.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    stimuli
        Frames with their names and units.
    source
        Where the stimuli come from, for the description.
    """
    from pynwb import NWBHDF5IO, NWBFile

    # The same stimuli are the same file: nothing in it comes from the clock.
    shapes = [(one.name, one.values.shape) for one in stimuli]
    nwb = NWBFile(
        session_description=f"Stimuli that tell functional cell types apart, of {source}; to be "
        "shown, not a recording.",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{source} {shapes}")),
        session_start_time=datetime(1970, 1, 1, tzinfo=UTC),
        keywords=["stimulus", "cell types"],
    )
    for one in stimuli:
        nwb.add_stimulus_template(image_series(one))
    with appearing_whole(path) as temporary, NWBHDF5IO(str(temporary), "w") as io:
        io.write(nwb)


def _grey(shown: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values from 0 to 1 in 256 steps."""
    return np.asarray(np.round(255 * np.clip(shown, 0, 1)), dtype=np.uint8)


def _file_word(name: str) -> str:
    """A name as part of a file's or a series' name."""
    return "".join(letter if letter.isalnum() else "_" for letter in name) or "_"
