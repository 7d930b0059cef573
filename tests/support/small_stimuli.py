"""Small recordings with a stimulus, and views of planted filters, for the encoding models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, Recording, SampledActivity, SpikeTrains, StimulusMovie
from pipeline.core.views import StimulusResponses

PROVENANCE = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")
RATE_HZ = 30.0


def movie_of(values, *, start_s: float = 0.0, rate_hz: float = RATE_HZ) -> StimulusMovie:
    """A movie of shape (frame, x, y) that runs at a steady rate."""
    frames = np.asarray(values, dtype=np.float32)
    return StimulusMovie(
        values=frames, time=start_s + np.arange(len(frames)) / rate_hz, value_unit="level"
    )


def spikes_of(trains: Sequence[np.ndarray], *, stop_s: float, observed=None) -> SpikeTrains:
    """Spike trains observed from 0 on, or in stretches of each unit's own."""
    times = [np.sort(np.asarray(train, dtype=float)) for train in trains]
    own = None if observed is None else np.concatenate(observed).astype(float)
    return SpikeTrains(
        times=np.concatenate([np.empty(0), *times]),
        starts=np.concatenate([[0], np.cumsum([train.size for train in times])]).astype(np.int64),
        observed=np.array([[0.0, stop_s]]),
        unit_observed=own,
        unit_observed_starts=None
        if observed is None
        else np.concatenate([[0], np.cumsum([len(each) for each in observed])]).astype(np.int64),
    )


def recording_of(
    activity: SampledActivity | SpikeTrains,
    stimuli: Mapping[str, StimulusMovie],
    *,
    name: str = "r1",
    units: Mapping[str, object] | None = None,
) -> Recording:
    """A recording without trials."""
    n_units = activity.n_units
    table = pd.DataFrame(
        {
            "unit_id": [f"u{index}" for index in range(n_units)],
            "region": "",
            "identity": "",
            "identity_certain": False,
            "good": True,
            "reason": "",
            **(units or {}),
        }
    )
    intervals = {"start_s": pd.Series(dtype=float), "stop_s": pd.Series(dtype=float)}
    return Recording(
        id=name,
        activity=activity,
        units=table,
        trials=pd.DataFrame({**intervals, "condition": pd.Series(dtype="str")}),
        epochs=pd.DataFrame({**intervals, "label": pd.Series(dtype="str")}),
        intervals={},
        stimuli=stimuli,
        behaviour={},
        about=About(),
        provenance=PROVENANCE,
    )


def view_of(
    stimulus: np.ndarray,
    responses: np.ndarray,
    stretches: Sequence[tuple[int, int, str]],
    *,
    name: str = "r1",
    again: np.ndarray | None = None,
    content: np.ndarray | None = None,
    signal: str = "spikes",
    presentations: bool = False,
) -> StimulusResponses:
    """A view of a stimulus (frame, channel, y, x) and answers (frame, unit)."""
    n_frames, n_units = responses.shape
    return StimulusResponses(
        recording=name,
        time=np.arange(n_frames) / RATE_HZ,
        stimulus=np.asarray(stimulus, dtype=np.float32),
        stimulus_unit="level",
        channel=np.array([f"c{index}" for index in range(stimulus.shape[1])]),
        content=np.arange(n_frames, dtype=np.int64) * 7919 if content is None else content,
        again=np.full(n_frames, -1, dtype=np.int64) if again is None else again,
        stretches=pd.DataFrame(stretches, columns=["first", "stop", "role"]).astype(
            {"role": "str"}
        ),
        responses=np.asarray(responses, dtype=np.float32),
        valid=np.ones(responses.shape, dtype=bool),
        unit=np.array([f"u{index}" for index in range(n_units)]),
        label=np.full(n_units, ""),
        position=np.full((n_units, 2), np.nan),
        left_out=pd.DataFrame({"what": [], "count": [], "reason": []}),
        rate_hz=RATE_HZ,
        presentations=presentations,
        signal=signal,
        value_unit="spikes a frame",
        provenance=PROVENANCE,
    )


def planted_filters(
    rng: np.random.Generator, n_units: int, *, grid: tuple[int, int], memory: int, channels: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gaussian spots with their places, and humps in time: (unit, channel, y, x), (unit, lag)."""
    place = np.stack([rng.uniform(2, size - 3, n_units) for size in grid], axis=1)
    y, x = np.mgrid[: grid[0], : grid[1]]
    square = (y - place[:, :1, None]) ** 2 + (x - place[:, 1:, None]) ** 2
    spot = np.exp(-square / (2 * 1.2**2))[:, None] * rng.choice(
        [-1.0, 1.0], (n_units, channels, 1, 1)
    )
    lag = np.arange(memory)
    peak = rng.uniform(2, memory / 2, n_units)
    hump = np.exp(-((lag - peak[:, None]) ** 2) / 4)
    spot /= np.sqrt(np.square(spot).sum(axis=(1, 2, 3), keepdims=True))
    return spot, hump / np.linalg.norm(hump, axis=1, keepdims=True), place


def drive_of(stimulus: np.ndarray, space: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Filtered stimulus, shape (frame, unit); what came before the first frame is nothing."""
    seen = np.einsum("tcyx,ncyx->tn", stimulus, space)
    drive = np.zeros_like(seen)
    for lag in range(time.shape[1]):
        drive[lag:] += seen[: len(seen) - lag] * time[:, lag]
    return drive


def planted_view(
    rng: np.random.Generator,
    n_units: int = 6,
    *,
    n_frames: int = 6000,
    grid: tuple[int, int] = (9, 8),
    memory: int = 8,
    channels: int = 1,
) -> tuple[StimulusResponses, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """White noise seen by linear-nonlinear units, and their filters and places."""
    stimulus = rng.standard_normal((n_frames, channels, *grid))
    planted = planted_filters(rng, n_units, grid=grid, memory=memory, channels=channels)
    rate = 0.35 * np.logaddexp(0, 1.8 * drive_of(stimulus, *planted[:2]))
    third = n_frames // 10
    stretches = [(0, 8 * third, "train"), (8 * third, 9 * third, "validation")]
    stretches.append((9 * third, n_frames, "test"))
    return view_of(stimulus, rng.poisson(rate), stretches), planted
