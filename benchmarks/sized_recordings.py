"""Simulated recordings of many sizes, to measure what jobs take."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.image import ImageSeries
from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, RoiResponseSeries

TRACES = ((30, 600), (150, 1500), (300, 1500), (450, 3000))
"""Units and frames at 5 Hz."""
SPIKES = ((20, 300, 8), (120, 600, 40), (300, 1200, 80))
"""Units, seconds and conditions."""
MOVIES = ((20, 4000, 12), (60, 12_000, 24), (120, 15_000, 32))
"""Units, frames at 30 Hz, and pixels along each side."""
RATE_HZ, FRAME_RATE_HZ = 5.0, 30.0
TRIAL_S = 2.0


def write_sized(folder: Path) -> list[dict[str, str]]:
    """The recordings, and the lines of their sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (units, frames) in enumerate(TRACES):
        rows.append(_row(folder, f"traces-{number}", "calcium", trials=True))
        _traces(folder / rows[-1]["nwb"], units, frames, np.random.default_rng(number))
    for number, (units, seconds, conditions) in enumerate(SPIKES):
        rows.append(_row(folder, f"spikes-{number}", "spikes", trials=True))
        _spikes(folder / rows[-1]["nwb"], units, seconds, conditions, np.random.default_rng(number))
    for number, (units, frames, side) in enumerate(MOVIES):
        rows.append(_row(folder, f"movie-{number}", "spikes", trials=False))
        _movie(folder / rows[-1]["nwb"], units, frames, side, np.random.default_rng(number))
    return rows


def _row(folder: Path, name: str, activity: str, *, trials: bool) -> dict[str, str]:
    return {
        "experiment": name,
        "recording": name,
        "nwb": f"{name}.nwb",
        "activity": activity,
        "intervals": "trials" if trials else "",
        "condition": "stimulus" if trials else "",
        "region": "brain_area" if activity == "spikes" and trials else "",
    }


def _session(name: str) -> NWBFile:
    return NWBFile(
        session_description="Simulated to measure what jobs take.",
        identifier=name,
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _add_trials(nwb: NWBFile, seconds: float, conditions: int) -> NDArray[np.int64]:
    """Trials one after another; the condition of each."""
    nwb.add_trial_column(name="stimulus", description="What was shown.")
    shown = np.arange(int(seconds / TRIAL_S)) % conditions
    np.random.default_rng(0).shuffle(shown)
    for trial, stimulus in enumerate(shown):
        start = trial * TRIAL_S
        nwb.add_trial(start_time=start, stop_time=start + 1.0, stimulus=f"s{stimulus:03d}")
    return shown


def _traces(path: Path, units: int, frames: int, rng: np.random.Generator) -> None:
    nwb = _session(path.stem)
    _add_trials(nwb, frames / RATE_HZ, 12)
    events = rng.random((frames, units)) < 0.03
    groups = rng.integers(0, 4, units)
    shared = rng.random((frames, 4)) < 0.02
    kernel = np.exp(-np.arange(20) / 5)
    pulses = (events | shared[:, groups]).astype(float)
    values = np.apply_along_axis(lambda one: np.convolve(one, kernel)[:frames], 0, pulses)
    values += 0.05 * rng.standard_normal(values.shape)
    plane = nwb.create_imaging_plane(
        name="Plane",
        description="Simulated.",
        device=nwb.create_device(name="Scope"),
        optical_channel=OpticalChannel(name="green", description="Green.", emission_lambda=510.0),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="V1",
    )
    segmentation = ImageSegmentation()
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="Cells.", imaging_plane=plane
    )
    for unit in range(units):
        table.add_roi(pixel_mask=[(unit % 500, unit // 500, 1.0)])
    module = nwb.create_processing_module("ophys", "Imaging.")
    module.add(segmentation)
    series = RoiResponseSeries(
        name="RoiResponseSeries",
        data=values.astype(np.float32),
        unit="dF/F",
        rate=RATE_HZ,
        rois=table.create_roi_table_region(region=list(range(units)), description="All."),
    )
    module.add(DfOverF(roi_response_series=series))
    _write(path, nwb)


def _spikes(
    path: Path, units: int, seconds: float, conditions: int, rng: np.random.Generator
) -> None:
    nwb = _session(path.stem)
    shown = _add_trials(nwb, seconds, conditions)
    nwb.add_unit_column(name="brain_area", description="Area.")
    tuning = rng.gamma(1.0, 5.0, (units, conditions))
    for unit in range(units):
        rates = np.repeat(tuning[unit, shown], 2)
        rates[1::2] = 2.0  # between trials
        counts = rng.poisson(rates * TRIAL_S / 2)
        starts = np.repeat(np.arange(rates.size) * TRIAL_S / 2, counts)
        times = np.sort(starts + rng.random(starts.size) * TRIAL_S / 2)
        nwb.add_unit(spike_times=times, brain_area=("VISp", "CA1")[unit % 2])
    _write(path, nwb)


def _movie(path: Path, units: int, frames: int, side: int, rng: np.random.Generator) -> None:
    nwb = _session(path.stem)
    movie = rng.choice(np.array([-1, 1], dtype=np.int8), (frames, side, side))
    nwb.add_stimulus(ImageSeries(name="checkerboard", data=movie, unit="n.a.", rate=FRAME_RATE_HZ))
    for _ in range(units):
        field = np.zeros((side, side))
        x, y = rng.integers(2, side - 2, 2)
        field[x - 1 : x + 2, y - 1 : y + 2] = rng.choice([-1, 1])
        drive = np.tensordot(movie, field, 2)
        drive = np.concatenate([np.zeros(3), drive])[:frames]
        rates = 10 * np.log1p(np.exp(drive / 2))
        counts = rng.poisson(rates / FRAME_RATE_HZ)
        starts = np.repeat(np.arange(frames) / FRAME_RATE_HZ, counts)
        nwb.add_unit(spike_times=np.sort(starts + rng.random(starts.size) / FRAME_RATE_HZ))
    _write(path, nwb)


def _write(path: Path, nwb: NWBFile) -> None:
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
