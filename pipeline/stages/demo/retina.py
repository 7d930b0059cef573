"""Simulated retina: ganglion cells of eight known types under a movie in two colours.

The movie has two channels, green and UV, of 16 x 16 pixels at 30 frames a second: 250 s that are
shown once and 30 s that are shown eight times. It changes its kind every 5 s: noise with the
spatial spectrum of natural scenes, every third time a checkerboard, every sixth time flicker of the
whole screen. Grey stands before, between and after, for as long as cells remember.

Every cell has a filter in space (a Gaussian centre less a wide surround), one in time, and one
weight a channel. The filtered movie v goes through the nonlinearity of the cell's type, and counts
a frame are Poisson::

    v(t) = sum over channels c, pixels p, lags l of  w_c s_p k_l contrast(t - l, c, p) / sqrt(2)
    rate = 0.35 softplus(1.4 v - 0.6)       spikes a frame, most types
           0.35 softplus(1.4 |v| - 0.8)     on-off
           0.35 * 1.6 exp(-0.7 |v|)         suppressed by contrast

What cells see is what is stored: the grey levels of the file, not the numbers they were made from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.recording import SpikeTrains
from pipeline.stages.demo.spiking import spike_trains

FRAME_HZ = 30.0
N_PIXELS = 16
"""Along x and along y."""
PIXEL_UM = 50.0
CHANNELS = ("green", "uv")
CHANNEL_CORRELATION = 0.6
GREY_LEVEL = 128
LEVELS_A_SD = 32
"""Contrast is (level - grey) / this; its standard deviation in the noise is 1."""

KIND_FRAMES = 150
"""Frames until the kind of movie changes."""
CORNER_CYCLES = 0.06
"""Where the temporal spectrum of the noise begins to fall, cycles a frame."""
N_MOVIE_FRAMES = 7_500
N_REPEATED_FRAMES = 900
N_REPEATS = 8
N_GREY_FRAMES = 60
"""Before and after all."""

N_LAGS = 15
EDGE_PIXELS = (4, 5)
"""No centre is closer to the lower and to the upper border of the screen."""
SURROUND_WIDTH, SURROUND_WEIGHT = 2.5, 0.6
WIDTH_JITTER, WEIGHT_JITTER, TIME_JITTER = 0.08, 0.1, 0.05
SPIKES_A_FRAME = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class CellType:
    """What the cells of one type have in common."""

    name: str
    n_cells: int
    weights: tuple[float, float]
    """Of green and UV."""
    transient: bool
    width: float
    """Of the centre (sigma), in pixels."""
    answer: str = "half"
    """``half`` (softplus), ``both`` (on-off) or ``suppressed``."""


CELL_TYPES = (
    CellType(name="ON transient small", n_cells=30, weights=(1, 1), transient=True, width=1.2),
    CellType(name="ON sustained small", n_cells=26, weights=(1, 1), transient=False, width=1.2),
    CellType(name="OFF transient large", n_cells=22, weights=(-1, -1), transient=True, width=2.4),
    CellType(name="OFF sustained small", n_cells=28, weights=(-1, -1), transient=False, width=1.2),
    CellType(name="ON sustained large", n_cells=24, weights=(1, 1), transient=False, width=2.6),
    CellType(
        name="ON-OFF transient",
        n_cells=20,
        weights=(1, 1),
        transient=True,
        width=1.6,
        answer="both",
    ),
    CellType(name="colour-opponent", n_cells=26, weights=(-1, 1), transient=False, width=1.8),
    CellType(
        name="suppressed by contrast",
        n_cells=24,
        weights=(1, 1),
        transient=True,
        width=2.0,
        answer="suppressed",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CelltypesTruth:
    """Types and filters that were planted."""

    unit: NDArray[np.str_] = axes("unit")
    cell_type: NDArray[np.str_] = axes("cell_type")
    type_of_unit: NDArray[np.int64] = axes("unit")
    channel: NDArray[np.str_] = axes("channel")
    centre: NDArray[np.float64] = axes("unit", "coordinate", unit="pixel")
    """Of the receptive field, x and y, from the centre of the first pixel."""
    channel_weight: NDArray[np.float64] = axes("unit", "channel")
    spatial_filter: NDArray[np.float64] = axes("unit", "x", "y")
    temporal_filter: NDArray[np.float64] = axes("unit", "lag")
    """Lag 0, one frame back, and so on."""
    answer: NDArray[np.str_] = axes("cell_type")
    """Nonlinearity: ``half``, ``both`` or ``suppressed``."""

    def __post_init__(self) -> None:
        check_axes(self)


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
    truth = _cells(rng)
    once, repeated = _movie(rng, N_MOVIE_FRAMES), _movie(rng, N_REPEATED_FRAMES)
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


def contrast(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What cells see of grey levels, in standard deviations of the noise."""
    return (levels.astype(np.float64) - GREY_LEVEL) / LEVELS_A_SD


def spikes_a_frame(movie: NDArray[np.float64], truth: CelltypesTruth) -> NDArray[np.float64]:
    """Expected spikes of each cell in each frame, shape (frame, unit).

    Parameters
    ----------
    movie
        Contrast, shape (frame, channel, x, y); grey is taken to come before it.
    truth
        The cells.
    """
    n_frames, n_channels = movie.shape[:2]
    filters = truth.spatial_filter.reshape(len(truth.unit), -1)
    seen = np.zeros((n_frames, len(truth.unit)))
    for channel in range(n_channels):
        pixels = movie[:, channel].reshape(n_frames, -1)
        seen += truth.channel_weight[:, channel] * (pixels @ filters.T)
    drive = np.zeros_like(seen)
    for lag, weight in enumerate(truth.temporal_filter.T):
        drive[lag:] += weight * seen[: max(n_frames - lag, 0)]
    drive /= np.sqrt(2)
    answer = truth.answer[truth.type_of_unit]
    half = np.logaddexp(0, 1.4 * drive - 0.6)
    both = np.logaddexp(0, 1.4 * np.abs(drive) - 0.8)
    suppressed = 1.6 * np.exp(-0.7 * np.abs(drive))
    rate: NDArray[np.float64] = np.select(
        [answer == "half", answer == "both", answer == "suppressed"], [half, both, suppressed]
    )
    return SPIKES_A_FRAME * rate


def kind_of(block: int) -> str:
    """Kind of movie in a stretch of 5 s, by its number."""
    if block % 3 == 2:
        return "checkerboard"
    return "flicker" if block % 6 == 3 else "natural"


def _movie(rng: np.random.Generator, n_frames: int) -> NDArray[np.float64]:
    """Contrast of a movie, shape (frame, channel, x, y)."""
    shape = (n_frames, len(CHANNELS), N_PIXELS, N_PIXELS)
    movie = _natural_noise(rng, shape)
    # Both halves of a pair of frames and all of a 2 x 2 block show the same square.
    squares = rng.choice([-1.0, 1.0], (-(-n_frames // 2), len(CHANNELS), *(N_PIXELS // 2,) * 2))
    squares = squares.repeat(2, axis=0)[:n_frames].repeat(2, axis=2).repeat(2, axis=3)
    # A moving average over six frames.
    steps = rng.standard_normal((n_frames + 5, len(CHANNELS)))
    flicker = sum(steps[lag : lag + n_frames] for lag in range(6)) / np.sqrt(6)
    kinds = np.array([kind_of(frame // KIND_FRAMES) for frame in range(n_frames)])
    movie[kinds == "checkerboard"] = squares[kinds == "checkerboard"]
    fields = kinds == "flicker"
    movie[fields] = 0.4 * movie[fields] + flicker[fields][..., None, None]
    return movie


def _natural_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Noise that falls with spatial and, beyond a corner, with temporal frequency; SD 1."""
    noise = rng.standard_normal(shape)
    frequency = np.fft.fftfreq(shape[-1])
    radius = np.hypot(frequency[:, None], frequency)
    noise = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(radius, 1 / shape[-1])).real
    slow = 1 / np.sqrt(1 + (np.fft.rfftfreq(shape[0]) / CORNER_CYCLES) ** 2)
    noise = np.fft.irfft(np.fft.rfft(noise, axis=0) * slow[:, None, None, None], n=shape[0], axis=0)
    noise /= noise.std()
    independent = np.sqrt(1 - CHANNEL_CORRELATION**2)
    noise[:, 1] = CHANNEL_CORRELATION * noise[:, 0] + independent * noise[:, 1]
    return noise


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


def _cells(rng: np.random.Generator) -> CelltypesTruth:
    """Cells of all types, anywhere on the screen but its borders, in no order."""
    n_cells = sum(kind.n_cells for kind in CELL_TYPES)
    of_type = np.repeat(np.arange(len(CELL_TYPES)), [kind.n_cells for kind in CELL_TYPES])
    type_of_unit = rng.permutation(of_type)
    centre = rng.uniform(EDGE_PIXELS[0], N_PIXELS - EDGE_PIXELS[1], (n_cells, 2))
    width = np.array([kind.width for kind in CELL_TYPES])[type_of_unit]
    width = width * np.exp(WIDTH_JITTER * rng.standard_normal(n_cells))
    spatial = _gaussians(centre, width) - SURROUND_WEIGHT * _gaussians(
        centre, SURROUND_WIDTH * width
    )
    kernel = np.stack([_temporal_filter(transient=kind.transient) for kind in CELL_TYPES])
    temporal = kernel[type_of_unit] * (1 + TIME_JITTER * rng.standard_normal((n_cells, N_LAGS)))
    weight = np.array([kind.weights for kind in CELL_TYPES], dtype=np.float64)[type_of_unit]
    return CelltypesTruth(
        unit=np.array([str(index) for index in range(n_cells)]),
        cell_type=np.array([kind.name for kind in CELL_TYPES]),
        type_of_unit=type_of_unit.astype(np.int64),
        channel=np.array(CHANNELS),
        centre=centre,
        channel_weight=weight * np.exp(WEIGHT_JITTER * rng.standard_normal(weight.shape)),
        spatial_filter=spatial / np.linalg.norm(spatial, axis=(1, 2), keepdims=True),
        temporal_filter=temporal / np.linalg.norm(temporal, axis=1, keepdims=True),
        answer=np.array([kind.answer for kind in CELL_TYPES]),
    )


def _gaussians(centre: NDArray[np.float64], width: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round Gaussians of sum 1 on the screen, shape (unit, x, y)."""
    pixel = np.arange(N_PIXELS)
    x, y = ((pixel - centre[:, axis, None]) ** 2 for axis in (0, 1))
    bump = np.exp(-(x[:, :, None] + y[:, None, :]) / (2 * width[:, None, None] ** 2))
    unit_sum: NDArray[np.float64] = bump / bump.sum(axis=(1, 2), keepdims=True)
    return unit_sum


def _temporal_filter(*, transient: bool) -> NDArray[np.float64]:
    """One hump, or a hump and its undershoot; shape (lag,)."""
    time = np.arange(N_LAGS) / FRAME_HZ

    def hump(peak_s: float) -> NDArray[np.float64]:
        shape = (time / peak_s) ** 3 * np.exp(-3 * (time / peak_s - 1))
        unit_sum: NDArray[np.float64] = shape / shape.sum()
        return unit_sum

    return hump(0.07) - 0.95 * hump(0.14) if transient else hump(0.12)
