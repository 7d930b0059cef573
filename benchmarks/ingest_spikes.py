"""How fast a large file of spikes is ingested, beside plain h5py doing the same.

Writes a file of units with as many spikes as asked for (chunked, gzip), ingests it, and copies its
spike times with h5py: with the codec and chunks of the record, with those of the file, and not
compressed, as h5py writes by default.

    .venv/bin/python benchmarks/ingest_spikes.py [--spikes 1e8] [--units 1000] [--folder /tmp]
        [--file units.nwb]

Measured at 10^8 spikes of 1000 units (0.51 GB on disk), on two cores under a load of 3:

    ingest                           7.0 s (6.7 s of processors), peak 0.97 GiB
    plain h5py, codec of the record  4.7 s (2.8 s): 0.67 of its speed (0.42 by processors)
    plain h5py, codec of the file    14.4 s (12.0 s): 2.08 of its speed (1.80)
    plain h5py, not compressed       4.3 s (3.5 s): 0.62 of its speed (0.52)
    inspect                          0.9 s

The same under a load of 12: ingest 7.5 s of processors, and 0.43, 1.69 and 0.51 of the speed of
h5py by the time of processors. Before threads of our own unpacked and packed chunks, it took 10.0
s of processors and 30 s under a load of 11, since then 9.1 and 17 s beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import h5py
import numpy as np
from separate import PLAIN, as_in, cost_of_copy, cost_of_ingest, cost_of_inspect, report

RATE_HZ = 10.0


def main() -> None:
    """Write, ingest, copy, inspect; print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spikes", type=float, default=1e8)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--file", type=Path, help="kept, and used again where it exists")
    chosen = parser.parse_args()
    per_unit = int(chosen.spikes / chosen.units)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        nwb = chosen.file or folder / "spikes.nwb"
        if not nwb.exists():
            write_spikes(nwb, n_units=chosen.units, per_unit=per_unit)
        size = nwb.stat().st_size / 1e9
        print(f"{chosen.units} units, {per_unit} spikes each, {size:.2f} GB on disk")
        ingest = cost_of_ingest(nwb, folder)
        record, times = folder / "recording.h5", "units/spike_times"
        ways = {
            "codec of the record": as_in(record, "activity/times"),
            "codec of the file": as_in(nwb, times),
            "not compressed": PLAIN,
        }
        copies = {way: cost_of_copy(nwb, times, folder, made=made) for way, made in ways.items()}
        report(ingest, copies, cost_of_inspect(nwb))


def write_spikes(path: Path, *, n_units: int, per_unit: int) -> None:
    """A file of regular units with jitter; spike times are written with h5py, for speed."""
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, NWBFile

    nwb = NWBFile("Simulated spikes.", "spikes", datetime(2024, 1, 1, tzinfo=UTC))
    for _ in range(n_units):
        nwb.add_unit(spike_times=[0.0], obs_intervals=[[0.0, (per_unit + 1) / RATE_HZ]])
    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    rng = np.random.default_rng(1)
    with h5py.File(path, "r+") as file:
        units = file["units"]
        attributes = dict(units["spike_times"].attrs)
        del units["spike_times"]
        n_spikes = n_units * per_unit
        data = units.create_dataset(
            "spike_times",
            shape=(n_spikes,),
            dtype="f8",
            chunks=(min(n_spikes, 2**17),),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        for name, entry in attributes.items():
            data.attrs[name] = entry
        jitter = rng.uniform(0.0, 0.9, per_unit)
        for unit in range(n_units):
            own = (np.arange(per_unit) + np.roll(jitter, 97 * unit)) / RATE_HZ
            own = np.round(own * 30_000) / 30_000  # at the clock of a probe
            data[unit * per_unit : (unit + 1) * per_unit] = own
        index = np.arange(1, n_units + 1) * per_unit
        attributes = dict(units["spike_times_index"].attrs)
        del units["spike_times_index"]
        made = units.create_dataset("spike_times_index", data=index)
        for name, entry in attributes.items():
            made.attrs[name] = entry
        made.attrs["target"] = data.ref


if __name__ == "__main__":
    main()
