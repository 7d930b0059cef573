"""Files as earlier versions of the format wrote them are read like today's."""

from __future__ import annotations

import lzma
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.nwb_factory import (
    DFF,
    NAMES,
    ROIS,
    edited,
    imaging_file,
    probe_file,
    read,
    texts,
    theta_and_flashes,
    transients,
)

SCHEMAS = Path(__file__).resolve().parents[2] / "data" / "schemas"
"""What earlier versions of pynwb wrote (``tests/support/older_schemas.py``)."""
WRITTEN = ("2.6.0", "2.7.0", "2.8.0", "2.9.0")
VERSIONS = ("2.0b", "2.0.0", "NWB-2.0.1", *(f"2.{minor}.0" for minor in range(1, 10)))


def made_older(path, version):
    """What a later version added is taken out; text is stored as the first versions stored it."""
    with edited(path) as file:
        file.attrs["nwb_version"] = version
        for name in ("specifications",):
            if name in file:
                del file[name]
        file.attrs.pop(".specloc", None)
        file.visititems(without_later_attributes)
        for name in ("session_description", "identifier"):
            text = file[name][()]
            del file[name]
            file[name] = np.bytes_(text)


def without_later_attributes(_, item):
    for name in ("object_id", "offset", "conversion", "resolution", "comments"):
        item.attrs.pop(name, None)
    if "colnames" in item.attrs:
        names = [str(name) for name in item.attrs["colnames"]]
        item.attrs["colnames"] = np.array(names, dtype="S")
    if isinstance(item, h5py.Group):
        item.attrs["help"] = "Of use to nobody"


@pytest.mark.parametrize("version", VERSIONS)
def test_traces_of_every_version_are_read(tmp_path, version):
    path = imaging_file(tmp_path / "old.nwb")
    made_older(path, version)

    recording, notes = read(path, identity="neuron")

    np.testing.assert_allclose(recording.activity.values, transients(), rtol=1e-6)
    assert recording.units["identity"].tolist() == list(NAMES)
    assert len(recording.trials) == 4
    assert recording.about.nwb_version == version
    assert "IN-F11" not in texts(notes, "warn")


@pytest.mark.parametrize("version", VERSIONS)
def test_spikes_of_every_version_are_read(tmp_path, version):
    path = probe_file(tmp_path / "old.nwb")
    made_older(path, version)

    recording, _ = read(path)

    for unit, expected in enumerate(theta_and_flashes()):
        np.testing.assert_array_equal(recording.activity.of_unit(unit), expected)
    assert recording.units["region"].tolist() == ["CA1", "CA1", "VISp"]


def unpacked(folder, schema, session):
    path = folder / "written.nwb"
    path.write_bytes(lzma.decompress((SCHEMAS / f"{schema}-{session}.nwb.xz").read_bytes()))
    return path


@pytest.mark.parametrize("schema", WRITTEN)
def test_traces_that_an_earlier_pynwb_wrote_are_read(tmp_path, schema):
    recording, notes = read(unpacked(tmp_path, schema, "imaging"), identity="neuron")

    assert recording.about.nwb_version == schema
    np.testing.assert_allclose(recording.activity.values, transients(), rtol=1e-6)
    assert recording.units["identity"].tolist() == list(NAMES)
    assert recording.trials["start_s"].tolist() == [0.0, 2.0, 4.0, 6.0]
    assert texts(notes, "warn") == ""


@pytest.mark.parametrize("schema", WRITTEN)
def test_spikes_that_an_earlier_pynwb_wrote_are_read(tmp_path, schema):
    recording, notes = read(unpacked(tmp_path, schema, "probe"))

    assert recording.about.nwb_version == schema
    for unit, expected in enumerate(theta_and_flashes()):
        np.testing.assert_array_equal(recording.activity.of_unit(unit), expected)
    assert recording.units["region"].tolist() == ["CA1", "CA1", "VISp"]
    assert texts(notes, "warn") == ""


def test_a_table_without_ids_has_its_rows_numbered(tmp_path):
    path = imaging_file(tmp_path / "old.nwb")
    with edited(path) as file:
        del file[f"{ROIS}/id"]

    assert read(path)[0].units["unit_id"].tolist() == ["0", "1", "2", "3"]


def test_samples_by_a_link_between_series_are_read(tmp_path):
    # Early converters stored samples once and linked them from a second series.
    path = imaging_file(tmp_path / "old.nwb")
    with edited(path) as file:
        file.move(f"{DFF}/data", "/acquisition/shared")
        file[f"{DFF}/data"] = file["/acquisition/shared"]

    np.testing.assert_allclose(read(path)[0].activity.values, transients(), rtol=1e-6)
