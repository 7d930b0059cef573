"""Tiny NWB files for tests, written with pynwb, each telling a small physical story.

The imaging session: four cells of area V1 seen for 8 s at 5 Hz. Each fires once and its indicator
decays; the second cell twice as bright as the first, and so on. Two gratings are shown in turn.

The probe session: three cells, two of CA1 that fire with a theta rhythm in and out of phase and
one of VISp that fires a burst for every flash.

The retina: twelve cells under a checkerboard of 6 x 6 checks for two minutes; half of them fire for
light and half for dark in a check of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.notes import Note
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording

N_FRAMES, N_CELLS, RATE_HZ = 40, 4, 5.0
NAMES = ("AVAL", "AVAR", "RIML", "")
DFF = "/processing/ophys/DfOverF/RoiResponseSeries"
ROIS = "/processing/ophys/ImageSegmentation/PlaneSegmentation"
PROVENANCE = Provenance(
    stage="ingest", experiment="mice", package_version="0", code_digest="0", recording="day1"
)


def transients() -> np.ndarray:
    """dF/F of the imaging session, shape (time, unit): one decaying transient a cell."""
    time = np.arange(N_FRAMES) / RATE_HZ
    onset = 1.0 + np.arange(N_CELLS)
    since = time[:, None] - onset
    height = 0.5 * (1 + np.arange(N_CELLS))
    return np.where(since >= 0, height * np.exp(-np.clip(since, 0, None) / 0.8), 0.0)


def theta_and_flashes() -> tuple[np.ndarray, ...]:
    """Spike times of the probe session in seconds, one array a unit."""
    theta = np.arange(0.0625, 8.0, 0.125)
    flashes = np.concatenate([start + np.array([0.05, 0.06, 0.07]) for start in (1.0, 3.0, 5.0)])
    return theta, theta[:-1] + 0.0625, flashes


def new_session(**fields: Any) -> Any:
    """An empty file of a mouse that is well described."""
    from pynwb import NWBFile
    from pynwb.file import Subject

    subject = Subject(
        subject_id="mouse7", species="Mus musculus", age="P90D", sex="F", strain="C57BL/6J"
    )
    told = {
        "session_description": "A mouse looks at gratings.",
        "identifier": "session-7",
        "session_start_time": datetime(2024, 5, 6, 12, tzinfo=UTC),
        "session_id": "s7",
        "institution": "Institute of Tests",
        "lab": "Small Lab",
        **fields,
    }
    return NWBFile(subject=subject, **told)


def add_rois(nwb: Any, *, columns: Mapping[str, Sequence[Any]], n_rois: int = N_CELLS) -> Any:
    """A table of ROIs with one pixel each, in column 10 and row 0, 1, 2, ..."""
    from pynwb.ophys import ImageSegmentation, OpticalChannel

    plane = nwb.create_imaging_plane(
        name="Plane",
        description="Layer 2/3.",
        device=nwb.create_device(name="Scope"),
        optical_channel=OpticalChannel(name="green", description="Green.", emission_lambda=510.0),
        excitation_lambda=920.0,
        imaging_rate=RATE_HZ,
        indicator="GCaMP6f",
        location="V1",
    )
    segmentation = ImageSegmentation()
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="Cells.", imaging_plane=plane
    )
    for row in range(n_rois):
        table.add_roi(pixel_mask=[(10, row, 1.0)])
    for name, entries in columns.items():
        table.add_column(name=name, description=f"Column {name}.", data=list(entries))
    nwb.create_processing_module("ophys", "Imaging.").add(segmentation)
    return table


def add_trials(nwb: Any, rows: Sequence[tuple[float, float, Mapping[str, Any]]]) -> None:
    """Trials with start, stop and further columns."""
    for name in rows[0][2]:
        nwb.add_trial_column(name=name, description=f"Column {name}.")
    for start, stop, entries in rows:
        nwb.add_trial(start_time=start, stop_time=stop, **entries)


GRATINGS = tuple((2.0 * i, 2.0 * i + 1.0, {"grating": ("left", "right")[i % 2]}) for i in range(4))
"""Trials of both sessions: two gratings in turn, 1 s each."""


def imaging_file(path: Path, *arguments: Any, **fields: Any) -> Path:
    """The imaging session, with the arguments of :func:`build_imaging_file`."""
    return _made(build_imaging_file, path, *arguments, **fields)


def build_imaging_file(
    path: Path,
    samples: np.ndarray | None = None,
    *,
    series: Mapping[str, Sequence[str]] | None = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
    timestamps: np.ndarray | None = None,
    conversion: float = 1.0,
    offset: float = 0.0,
    unit: str = "dF/F",
    compressed: bool = False,
    trials: Sequence[tuple[float, float, Mapping[str, Any]]] = GRATINGS,
) -> Path:
    """The imaging session.

    ``series`` maps containers (``DfOverF``, ``Fluorescence``, or ``acquisition`` for none) to the
    names of the series in them.
    """
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb.ophys import DfOverF, Fluorescence, RoiResponseSeries

    samples = transients() if samples is None else samples
    nwb = new_session()
    table = add_rois(nwb, columns={"neuron": NAMES} if columns is None else columns)
    clock = {"rate": RATE_HZ} if timestamps is None else {"timestamps": timestamps}
    series = {"DfOverF": ["RoiResponseSeries"]} if series is None else series
    for container, names in series.items():
        add = nwb.add_acquisition
        if container != "acquisition":
            box = {"DfOverF": DfOverF, "Fluorescence": Fluorescence}[container]()
            nwb.processing["ophys"].add(box)
            add = box.add_roi_response_series
        for name in names:
            add(
                RoiResponseSeries(
                    name=name,
                    data=H5DataIO(samples, compression="gzip") if compressed else samples,
                    rois=table.create_roi_table_region(
                        region=list(range(N_CELLS)), description="All cells."
                    ),
                    unit=unit,
                    conversion=conversion,
                    offset=offset,
                    **clock,
                )
            )
    if trials:
        add_trials(nwb, trials)
    return save(nwb, path)


def probe_file(path: Path, *arguments: Any, **fields: Any) -> Path:
    """The probe session, with the arguments of :func:`build_probe_file`."""
    return _made(build_probe_file, path, *arguments, **fields)


def build_probe_file(
    path: Path,
    spikes: Sequence[np.ndarray] | None = None,
    *,
    columns: Mapping[str, Sequence[Any]] | None = None,
    observed: Sequence[tuple[float, float]] | None = ((0.0, 8.0),),
    trials: Sequence[tuple[float, float, Mapping[str, Any]]] = GRATINGS,
) -> Path:
    """The probe session."""
    nwb = new_session()
    add_units(nwb, spikes=spikes, columns=columns, observed=observed)
    if trials:
        add_trials(nwb, trials)
    return save(nwb, path)


def retina_file(path: Path) -> Path:
    """The retina."""
    from pynwb.image import ImageSeries

    rng = np.random.default_rng(0)
    n_frames, side, frame_hz = 3600, 6, 30.0
    movie = rng.choice(np.array([-1, 1], dtype=np.int8), (n_frames, side, side))
    nwb = new_session()
    nwb.add_stimulus(ImageSeries(name="checkerboard", data=movie, unit="n.a.", rate=frame_hz))
    for cell in range(12):
        seen = movie[:, 1 + cell % 4, 1 + cell // 4] * (-1) ** cell
        counts = rng.poisson(np.roll(np.where(seen > 0, 0.8, 0.05), 2))
        starts = np.repeat(np.arange(n_frames), counts)
        nwb.add_unit(spike_times=np.sort(starts + rng.random(starts.size)) / frame_hz)
    return save(nwb, path)


def _made(build: Callable[..., Path], path: Path, *arguments: Any, **fields: Any) -> Path:
    """The file, from a copy where it is the session as it stands: building takes a while."""
    if arguments or fields:
        return build(path, *arguments, **fields)
    path.write_bytes(_unchanged(build))
    return path


@cache
def _unchanged(build: Callable[..., Path]) -> bytes:
    with TemporaryDirectory() as folder:
        return build(Path(folder) / "session.nwb").read_bytes()


def add_units(
    nwb: Any,
    *,
    spikes: Sequence[np.ndarray] | None = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
    observed: Sequence[tuple[float, float]] | None = ((0.0, 8.0),),
) -> None:
    """The units of the probe session."""
    spikes = theta_and_flashes() if spikes is None else spikes
    columns = {"brain_area": ("CA1", "CA1", "VISp")} if columns is None else columns
    for name in columns:
        nwb.add_unit_column(name=name, description=f"Column {name}.")
    for row, times in enumerate(spikes):
        further = {} if observed is None else {"obs_intervals": np.array(observed)}
        nwb.add_unit(
            spike_times=times, **further, **{name: column[row] for name, column in columns.items()}
        )


def save(nwb: Any, path: Path) -> Path:
    """Write the file and give its path back."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """The file open for damage."""
    with h5py.File(path, "r+") as file:
        yield file


def replace_values(file: h5py.File, where: str, values: Any) -> None:
    """Put other values under a name; attributes stay."""
    attributes = dict(file[where].attrs)
    del file[where]
    made = file.create_dataset(where, data=values)
    for name, value in attributes.items():
        made.attrs[name] = value


def read(path: Path, **options: Any) -> tuple[Recording, tuple[Note, ...]]:
    """The recording with options of the sheet, and the notes."""
    return read_recording(
        path, recording="day1", options=ReadOptions(**options), provenance=PROVENANCE
    )


def refusal_of(path: Path, **options: Any) -> PipelineError:
    """The error that reading ends in, once all its six parts are there."""
    try:
        read(path, **options)
    except PipelineError as error:
        whole = error.at(experiment="mice", file=path.name, place=path.name)
        empty = [name for name, part in whole.parts().items() if part in ("", "-")]
        if empty:
            raise AssertionError(f"parts missing: {empty}") from error
        return error
    raise AssertionError("the file was read")


def texts(notes: Sequence[Note], kind: str) -> str:
    """All notes of a kind as one text."""
    return "\n".join(
        f"{note.code} {note.place}: {note.text}" for note in notes if note.kind == kind
    )
