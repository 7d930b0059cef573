"""Simulated ganglion cells of eight known types under a movie in two colours.

The movie has two channels, green and UV, at 30 frames a second. It changes its kind every 5 s:
noise with the spatial spectrum of natural scenes, every third time a checkerboard, every sixth time
flicker of the whole screen.

Every cell has a filter in space (a Gaussian centre less a wide surround), one in time, and one
weight a channel. The filtered movie v goes through the nonlinearity of the cell's type, and counts
a frame are Poisson::

    v(t) = sum over channels c, pixels p, lags l of  w_c s_p k_l contrast(t - l, c, p) / sqrt(2)
    rate = 0.35 softplus(1.4 v - 0.6)       spikes a frame, most types
           0.35 softplus(1.4 |v| - 0.8)     on-off
           0.35 * 1.6 exp(-0.7 |v|)         suppressed by contrast
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.provenance import Provenance
from pipeline.core.views import StimulusResponses

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


Truth = CelltypesTruth
"""What was planted, by the name all methods use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Numbers of one size of simulation."""

    kinds: tuple[CellType, ...]
    n_frames: int
    """Of the movie that is shown once."""
    n_repeated: int
    n_repeats: int
    n_pixels: int = N_PIXELS


SIZES = {
    "demo": Plan(kinds=CELL_TYPES, n_frames=7_500, n_repeated=900, n_repeats=8),
    "tiny": Plan(
        kinds=tuple(dataclasses.replace(CELL_TYPES[kind], n_cells=8) for kind in (0, 1, 3)),
        n_frames=2_400,
        n_repeated=300,
        n_repeats=4,
        n_pixels=10,
    ),
}


def simulate(
    rng: np.random.Generator, *, size: str = "demo"
) -> tuple[StimulusResponses, CelltypesTruth]:
    """A view of cells of known types, and what was planted.

    The movie that is shown once is for learning, but every tenth block of 5 s, by which models are
    chosen; the movie that comes again is the test. Grey stands before it each time, for as long as
    cells remember.

    Parameters
    ----------
    rng
        Random stream.
    size
        ``demo`` (eight types, 200 cells) or ``tiny`` (three types, 24 cells).
    """
    plan = SIZES[size]
    truth = cells(rng, plan.kinds, n_pixels=plan.n_pixels)
    once = movie(rng, plan.n_frames, n_pixels=plan.n_pixels)
    repeated = movie(rng, plan.n_repeated, n_pixels=plan.n_pixels)
    grey = np.zeros((N_LAGS, *once.shape[1:]))
    shown = np.concatenate([once, *[grey, repeated] * plan.n_repeats])
    counts = rng.poisson(spikes_a_frame(shown, truth))
    period = N_LAGS + plan.n_repeated
    again = np.full(len(shown), -1, dtype=np.int64)
    again[plan.n_frames :].reshape(plan.n_repeats, period)[:, N_LAGS:] = np.arange(plan.n_repeated)
    content = np.arange(len(shown), dtype=np.int64)
    content[again >= 0] = len(shown) + again[again >= 0]
    n = truth.unit.size
    # Pixels of the truth are (x, y), those of views (y, x).
    view = StimulusResponses(
        recording="simulated",
        time=np.arange(len(shown)) / FRAME_HZ,
        stimulus=shown.swapaxes(2, 3).astype(np.float32),
        stimulus_unit="contrast",
        channel=truth.channel,
        content=content,
        again=again,
        stretches=_stretches(plan, period),
        responses=counts.astype(np.float32),
        valid=np.ones(counts.shape, dtype=bool),
        unit=truth.unit,
        label=np.full(n, ""),
        position=PIXEL_UM * truth.centre,
        left_out=pd.DataFrame(
            {
                "what": pd.Series([], dtype="str"),
                "count": pd.Series([], dtype="int64"),
                "reason": pd.Series([], dtype="str"),
            }
        ),
        rate_hz=FRAME_HZ,
        presentations=False,
        signal="spikes",
        value_unit="spikes a frame",
        provenance=Provenance(
            stage="simulate", experiment="simulated", package_version="", code_digest=""
        ),
    )
    return view, truth


def _stretches(plan: Plan, period: int) -> pd.DataFrame:
    """Which frames are for what."""
    blocks = np.arange(0, plan.n_frames, KIND_FRAMES)
    rows = [
        (
            int(first),
            min(int(first) + KIND_FRAMES, plan.n_frames),
            "validation" if number % 10 == 9 else "train",
        )
        for number, first in enumerate(blocks)
    ]
    starts = plan.n_frames + period * np.arange(plan.n_repeats)
    rows += [(int(start), int(start + period), "test") for start in starts]
    table = pd.DataFrame(rows, columns=["first", "stop", "role"])
    return table.astype({"first": "int64", "stop": "int64", "role": "str"})


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


def movie(
    rng: np.random.Generator, n_frames: int, *, n_pixels: int = N_PIXELS
) -> NDArray[np.float64]:
    """Contrast of a movie, shape (frame, channel, x, y)."""
    shape = (n_frames, len(CHANNELS), n_pixels, n_pixels)
    shown = _natural_noise(rng, shape)
    # Both halves of a pair of frames and all of a 2 x 2 block show the same square.
    squares = rng.choice([-1.0, 1.0], (-(-n_frames // 2), len(CHANNELS), *(n_pixels // 2,) * 2))
    squares = squares.repeat(2, axis=0)[:n_frames].repeat(2, axis=2).repeat(2, axis=3)
    # A moving average over six frames.
    steps = rng.standard_normal((n_frames + 5, len(CHANNELS)))
    flicker = sum(steps[lag : lag + n_frames] for lag in range(6)) / np.sqrt(6)
    kinds = np.array([kind_of(frame // KIND_FRAMES) for frame in range(n_frames)])
    shown[kinds == "checkerboard"] = squares[kinds == "checkerboard"]
    fields = kinds == "flicker"
    shown[fields] = 0.4 * shown[fields] + flicker[fields][..., None, None]
    return shown


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


def cells(
    rng: np.random.Generator, kinds: Sequence[CellType] = CELL_TYPES, *, n_pixels: int = N_PIXELS
) -> CelltypesTruth:
    """Cells of all types, anywhere on the screen but its borders, in no order."""
    n_cells = sum(kind.n_cells for kind in kinds)
    of_type = np.repeat(np.arange(len(kinds)), [kind.n_cells for kind in kinds])
    type_of_unit = rng.permutation(of_type)
    centre = rng.uniform(EDGE_PIXELS[0], n_pixels - EDGE_PIXELS[1], (n_cells, 2))
    width = np.array([kind.width for kind in kinds])[type_of_unit]
    width = width * np.exp(WIDTH_JITTER * rng.standard_normal(n_cells))
    spatial = _gaussians(centre, width, n_pixels) - SURROUND_WEIGHT * _gaussians(
        centre, SURROUND_WIDTH * width, n_pixels
    )
    kernel = np.stack([_temporal_filter(transient=kind.transient) for kind in kinds])
    temporal = kernel[type_of_unit] * (1 + TIME_JITTER * rng.standard_normal((n_cells, N_LAGS)))
    weight = np.array([kind.weights for kind in kinds], dtype=np.float64)[type_of_unit]
    return CelltypesTruth(
        unit=np.array([str(index) for index in range(n_cells)]),
        cell_type=np.array([kind.name for kind in kinds]),
        type_of_unit=type_of_unit.astype(np.int64),
        channel=np.array(CHANNELS),
        centre=centre,
        channel_weight=weight * np.exp(WEIGHT_JITTER * rng.standard_normal(weight.shape)),
        spatial_filter=spatial / np.linalg.norm(spatial, axis=(1, 2), keepdims=True),
        temporal_filter=temporal / np.linalg.norm(temporal, axis=1, keepdims=True),
        answer=np.array([kind.answer for kind in kinds]),
    )


def _gaussians(
    centre: NDArray[np.float64], width: NDArray[np.float64], n_pixels: int
) -> NDArray[np.float64]:
    """Round Gaussians of sum 1 on the screen, shape (unit, x, y)."""
    pixel = np.arange(n_pixels)
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
