"""Simulated retina: ganglion cells of eight known types under a movie in two colours.

The movie has two channels, green and UV, of 16 x 16 pixels at 30 frames a second: 250 s that are
shown once and 30 s that are shown eight times. It changes its kind every 5 s: noise with the
spatial spectrum of natural scenes, every third time a checkerboard, every sixth time flicker of the
whole screen. Grey stands before, between and after, for as long as cells remember.

Cells and movie are those of :mod:`pipeline.methods.celltypes.simulate`, made the session of a lab.
What cells see is what is stored: the grey levels of the file, not the numbers they were made from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.recording import SpikeTrains
from pipeline.methods.celltypes.simulate import (
    FRAME_HZ,
    GREY_LEVEL,
    KIND_FRAMES,
    LEVELS_A_SD,
    N_LAGS,
    CelltypesTruth,
    cells,
    contrast,
    kind_of,
    movie,
    spikes_a_frame,
)
from pipeline.stages.demo.spiking import spike_trains

N_MOVIE_FRAMES = 7_500
N_REPEATED_FRAMES = 900
N_REPEATS = 8
N_GREY_FRAMES = 60
"""Before and after all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Retina:
    """A simulated session and what was planted in it."""

    spikes: SpikeTrains
    levels: NDArray[np.uint8]
    """Grey levels of the movie, shape (frame, channel, x, y)."""
    frame_time: NDArray[np.float64]
    """Onset of each frame, s."""
    trials: pd.DataFrame
    """One row for each 5 s of the repeated movie: ``condition``, the same where the same frames are
    shown, ``kind`` and ``repeat``."""
    blocks: pd.DataFrame
    """One row for each 5 s of either movie: ``kind`` and ``stimulus_id``."""
    epochs: pd.DataFrame
    truth: CelltypesTruth


def simulate(rng: np.random.Generator) -> Retina:
    """A session with eight types of cells; see the head of this module.

    Parameters
    ----------
    rng
        Random stream.
    """
    truth = cells(rng)
    once, repeated = movie(rng, N_MOVIE_FRAMES), movie(rng, N_REPEATED_FRAMES)
    levels, epochs = _sequence(once, repeated)
    blocks = _blocks(epochs)
    trials = _trials(blocks)
    counts = rng.poisson(spikes_a_frame(contrast(levels), truth))
    frame_time = np.arange(len(levels)) / FRAME_HZ
    return Retina(
        spikes=spike_trains(
            rng,
            counts,
            step_start_s=frame_time,
            step_s=1 / FRAME_HZ,
            observed=np.array([[0.0, len(levels) / FRAME_HZ]]),
        ),
        levels=levels,
        frame_time=frame_time,
        trials=trials,
        blocks=blocks,
        epochs=epochs,
        truth=truth,
    )


def _sequence(
    once: NDArray[np.float64], repeated: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """Grey levels of all that is shown, and its epochs."""

    def grey(n_frames: int) -> NDArray[np.float64]:
        return np.zeros((n_frames, *once.shape[1:]))

    parts = [("grey", grey(N_GREY_FRAMES)), ("movie", once)]
    for _ in range(N_REPEATS):
        parts += [("", grey(N_LAGS)), ("repeated movie", repeated)]
    parts += [("grey", grey(N_GREY_FRAMES))]
    shown = np.concatenate([frames for _, frames in parts])
    levels = np.clip(np.round(GREY_LEVEL + LEVELS_A_SD * shown), 0, 255).astype(np.uint8)
    stop = np.cumsum([len(frames) for _, frames in parts])
    start = stop - [len(frames) for _, frames in parts]
    table = pd.DataFrame(
        {
            "start_s": start / FRAME_HZ,
            "stop_s": stop / FRAME_HZ,
            "label": pd.Series([label for label, _ in parts], dtype="str"),
        }
    )
    return levels, table[table["label"] != ""].reset_index(drop=True)


def _blocks(epochs: pd.DataFrame) -> pd.DataFrame:
    """The movies cut where their kind changes; the same frames have the same ``stimulus_id``."""
    length = KIND_FRAMES / FRAME_HZ
    movies = epochs[epochs["label"] != "grey"]
    rows = [
        {
            "start_s": start + block * length,
            "stop_s": start + (block + 1) * length,
            "kind": kind_of(block),
            "stimulus_id": f"{'movie' if label == 'movie' else 'segment'} {block + 1}",
        }
        for start, stop, label in movies[["start_s", "stop_s", "label"]].itertuples(index=False)
        for block in range(round((stop - start) / length))
    ]
    return pd.DataFrame(rows).astype({"kind": "str", "stimulus_id": "str"})


def _trials(blocks: pd.DataFrame) -> pd.DataFrame:
    """The blocks that are shown again and again, named by their frames."""
    shown = blocks.groupby("stimulus_id")["stimulus_id"].transform("size") > 1
    again = blocks[shown].reset_index(drop=True).rename(columns={"stimulus_id": "condition"})
    again["repeat"] = again.groupby("condition").cumcount()
    return again[["start_s", "stop_s", "condition", "kind", "repeat"]]
