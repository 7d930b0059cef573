"""Faults of the kinds that the generated set has, in other files, places and amounts."""

from __future__ import annotations

import dataclasses
import json

import h5py
import numpy as np
import pytest

from tests.support.bad_inputs import Case, faults_of, run_case
from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    N_FRAMES,
    RATE_HZ,
    imaging_file,
    probe_file,
    theta_and_flashes,
    transients,
)

pytestmark = pytest.mark.slow

VARIANTS = {}


def variant(expected, modality, *mention, also_ok=()):
    """Declare a variant: the function writes the file."""

    def keep(make):
        name = make.__name__.strip("_")
        VARIANTS[name] = (
            make,
            Case(
                id=name,
                level="content",
                file=f"content/{name}.nwb",
                modality=modality,
                what=name,
                where="",
                expected=expected,
                also_ok=also_ok,
                baseline=None,
                atol=None,
                mention=mention,
                max_seconds=60.0,
                max_rss_mb=1024,
                needs=(),
            ),
        )
        return make

    return keep


@variant("reject", "calcium", "truncated", "incomplete")
def _truncated_by_one_byte(path):
    imaging_file(path)
    path.write_bytes(path.read_bytes()[:-1])


@variant("reject", "calcium", "zeros", "not an hdf5")
def _only_zeros(path):
    path.write_bytes(bytes(5000))


@variant("reject", "calcium", "external", "outside")
def _link_to_an_absolute_path(path):
    imaging_file(path)
    secret = path.parents[1] / "outside" / "other.h5"
    secret.parent.mkdir()
    with h5py.File(secret, "w") as file:
        file["data"] = transients()
    with h5py.File(path, "r+") as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = h5py.ExternalLink(str(secret), "/data")


@variant("reject", "calcium", "external", "raw")
def _raw_bytes_by_an_absolute_path(path):
    imaging_file(path)
    other = path.parents[1] / "outside" / "notes.txt"
    other.parent.mkdir()
    other.write_bytes(b"private " * 4000)
    with h5py.File(path, "r+") as file:
        del file[f"{DFF}/data"]
        shape = (N_FRAMES, N_CELLS)
        file.create_dataset(
            f"{DFF}/data",
            shape=shape,
            dtype="f4",
            external=[(str(other), 0, 4 * N_FRAMES * N_CELLS)],
        )


@variant("reject", "calcium", "large", "size", "limit")
def _a_size_that_is_only_declared(path):
    imaging_file(path)
    with h5py.File(path, "r+") as file:
        del file[f"{DFF}/data"]
        shape = (10**10, N_CELLS)
        file.create_dataset(f"{DFF}/data", shape=shape, dtype="i2", chunks=(10**5, N_CELLS))


@variant("reject", "calcium", "increas", "timestamps")
def _one_time_twice_at_the_end(path):
    times = np.arange(N_FRAMES) / RATE_HZ
    times[-1] = times[-2]
    imaging_file(path, timestamps=times)


@variant("reject", "calcium", "finite", "nan")
def _the_last_time_is_infinite(path):
    times = np.arange(N_FRAMES) / RATE_HZ
    times[-1] = np.inf
    imaging_file(path, timestamps=times)


@variant("reject", "calcium", "conversion")
def _a_negative_conversion(path):
    imaging_file(path, conversion=-1.0)


@variant("repair", "calcium", "nan", "finite", also_ok=("warn",))
def _the_last_cell_is_never_finite(path):
    samples = transients()
    samples[:, -1] = -np.inf
    imaging_file(path, samples)


@variant("warn", "calcium", "identical", "equal", "duplicate")
def _the_first_and_last_cell_alike(path):
    samples = transients()
    samples[:, -1] = samples[:, 0]
    imaging_file(path, samples)


@variant("repair", "spikes", "order", "sort")
def _two_spikes_exchanged(path):
    spikes = [times.copy() for times in theta_and_flashes()]
    spikes[1][[3, 4]] = spikes[1][[4, 3]]
    probe_file(path, spikes)


@variant("reject", "spikes", "finite", "nan")
def _an_infinite_spike(path):
    spikes = [times.copy() for times in theta_and_flashes()]
    spikes[2][-1] = np.inf
    probe_file(path, spikes)


@variant("warn", "spikes", "silent", "no spike")
def _the_last_unit_is_silent(path):
    probe_file(path, [*theta_and_flashes()[:2], np.empty(0)])


@variant("reject", "spikes", "stop", "start")
def _the_last_trial_ends_before_it_starts(path):
    probe_file(path, trials=((0.0, 1.0, {"grating": "left"}), (5.0, 3.0, {"grating": "right"})))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_ends_as_its_kind_does(name, tmp_path):
    make, case = VARIANTS[name]
    root, folder = tmp_path / "set", tmp_path / "run"
    (root / "content").mkdir(parents=True)
    folder.mkdir()
    make(root / case.file)
    manifest = {"format": 1, "cases": [dataclasses.asdict(case)]}
    (root / "manifest.json").write_text(json.dumps(manifest))
    ending = run_case(case, root=root, folder=folder)
    assert faults_of(case, ending, control=None) == []
