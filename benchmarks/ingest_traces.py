"""How fast a large file of traces is ingested, beside plain h5py doing the same.

Writes an imaging file of the size asked for (chunked, gzip), ingests it, and copies its samples
with h5py: with the codec and chunks of the record, with those of the file, and not
compressed, as h5py writes by default.

    .venv/bin/python benchmarks/ingest_traces.py [--gb 2] [--units 5000] [--folder /tmp]
        [--signal fluorescence] [--file traces.nwb]

Measured at 2 GB (dF/F, 5000 units, 1.68 GB on disk), on two cores under a load of 3:

    ingest                           24.8 s (25.7 s of processors), peak 0.53 GiB
    plain h5py, codec of the record  15.8 s (12.5 s): 0.64 of its speed (0.48 by processors)
    plain h5py, codec of the file    49.6 s (45.8 s): 2.00 of its speed (1.78)
    plain h5py, not compressed       12.3 s (9.4 s): 0.50 of its speed (0.37)
    inspect                          0.8 s

The same under a load of 12, where two threads get more of the cores than one, so that only the
time of processors tells: ingest 23.9 s, and 0.64, 1.99 and 0.38 of the speed of h5py by
processors.

What ingest does beyond copying: SHA-256 of the source, measures of every unit, and reading the new
file again with a digest and a checksum of all of it. Fluorescence costs the same as dF/F; its
running baseline is made with the view.

Unpacking all of 0.5 GB, packing it for the record, and unpacking that again keep processors busy
for 0.8, 0.7 and 0.65 s, before anything is written, hashed or measured; h5py reads and writes it,
not compressed, in 2.0 to 2.4 s. So 0.8 of that speed asks for two free cores, and for less than 5
s of processors a 0.5 GB. Today it takes 6; units, not samples, cost 1.5 s more, most of it to
grade 5000.

Before chunks were unpacked and packed by threads of our own, 0.5 GB took 9.6 to 10.2 s of
processors and 33 to 36 s under a load of 11, since then 8.7 and 24 s beside them.

Tried and not kept: shuffling bytes by compiled code, ten times as fast as NumPy does, which saves
0.4 s a 0.5 GB and costs 0.4 s once to load; blocks of 24 MiB in place of 64.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
from separate import PLAIN, as_in, cost_of_copy, cost_of_ingest, cost_of_inspect, report

CONTAINERS = {"dff": "DfOverF", "fluorescence": "Fluorescence"}
PIECE = 2000


def main() -> None:
    """Write, ingest, copy, inspect; print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--units", type=int, default=5000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--signal", choices=CONTAINERS, default="dff")
    parser.add_argument("--file", type=Path, help="kept, and used again where it exists")
    chosen = parser.parse_args()
    n_samples = int(chosen.gb * 1e9 / 4 / chosen.units)
    samples = place_of(chosen.signal)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        nwb = chosen.file or folder / "traces.nwb"
        if not nwb.exists():
            write_traces(nwb, n_samples=n_samples, n_units=chosen.units, signal=chosen.signal)
        size = nwb.stat().st_size / 1e9
        print(f"{n_samples} x {chosen.units} samples, {size:.2f} GB on disk")
        ingest = cost_of_ingest(nwb, folder)
        record = folder / "recording.h5"
        ways = {
            "codec of the record": as_in(record, "activity/values"),
            "codec of the file": as_in(nwb, samples),
            "not compressed": PLAIN,
        }
        copies = {way: cost_of_copy(nwb, samples, folder, made=made) for way, made in ways.items()}
        report(ingest, copies, cost_of_inspect(nwb))


def place_of(signal: str) -> str:
    """Where the samples lie in the file."""
    return f"/processing/ophys/{CONTAINERS[signal]}/RoiResponseSeries/data"


def write_traces(path: Path, *, n_samples: int, n_units: int, signal: str = "dff") -> None:
    """An imaging file of slow waves and noise; samples are written with h5py, for speed."""
    write_session(path, n_units=n_units, signal=signal)
    place = place_of(signal)
    rng = np.random.default_rng(1)
    slow = np.cumsum(rng.normal(size=(PIECE, n_units)) * 0.02, axis=0)
    piece = (slow + rng.normal(size=slow.shape) * 0.1).astype(np.float32)
    with h5py.File(path, "r+") as file:
        attributes = dict(file[place].attrs)
        del file[place]
        data = file.create_dataset(
            place,
            shape=(n_samples, n_units),
            dtype="f4",
            chunks=(min(n_samples, 1000), min(n_units, 250)),
            compression="gzip",
            shuffle=True,
        )
        for start in range(0, n_samples, PIECE):
            stop = min(start + PIECE, n_samples)
            data[start:stop] = piece[: stop - start] * np.float32(1 + start / n_samples)
        for name, entry in attributes.items():
            data.attrs[name] = entry


def write_session(path: Path, *, n_units: int, signal: str) -> None:
    """The same with two samples, by pynwb."""
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, NWBFile, ophys
    from pynwb.ophys import ImageSegmentation, OpticalChannel, RoiResponseSeries

    nwb = NWBFile("Simulated waves.", "waves", datetime(2024, 1, 1, tzinfo=UTC))
    plane = nwb.create_imaging_plane(
        name="Plane",
        description="None.",
        device=nwb.create_device(name="Scope"),
        optical_channel=OpticalChannel(name="c", description="c", emission_lambda=510.0),
        excitation_lambda=920.0,
        imaging_rate=30.0,
        indicator="GCaMP",
        location="V1",
    )
    module = nwb.create_processing_module("ophys", "Imaging.")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="Cells.", imaging_plane=plane
    )
    for unit in range(n_units):
        table.add_roi(pixel_mask=[(unit % 500, unit // 500, 1.0)])
    container = getattr(ophys, CONTAINERS[signal])()
    module.add(container)
    container.add_roi_response_series(
        RoiResponseSeries(
            name="RoiResponseSeries",
            data=np.zeros((2, n_units), dtype=np.float32),
            unit="n.a.",
            rate=30.0,
            rois=table.create_roi_table_region(
                region=list(range(n_units)), description="All cells."
            ),
        )
    )
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)


if __name__ == "__main__":
    main()
