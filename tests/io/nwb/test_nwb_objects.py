import json

import h5py
import numpy as np
import pytest

from pipeline.io.nwb.objects import MAX_DEPTH
from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    N_FRAMES,
    edited,
    imaging_file,
    read,
    refusal_of,
    texts,
)


@pytest.fixture
def path(tmp_path):
    return imaging_file(tmp_path / "day1.nwb")


def test_a_link_to_another_file_is_refused_and_never_opened(path, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["data"] = np.zeros((N_FRAMES, N_CELLS))
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = h5py.ExternalLink("other.h5", "/data")
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F14", f"{DFF}/data")
    assert "other.h5" in error.found


def test_a_soft_link_that_leaves_the_file_on_its_way_is_refused(path):
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file["/scratch_link"] = h5py.ExternalLink("other.h5", "/")
        file[f"{DFF}/data"] = h5py.SoftLink("/scratch_link/data")
    assert refusal_of(path).code == "IN-F14"


def test_values_in_a_raw_file_are_refused(path, tmp_path):
    secret = tmp_path / "private.txt"
    secret.write_bytes(b"x" * 1000)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_dataset(
            f"{DFF}/data", shape=(N_FRAMES, N_CELLS), dtype="u1", external=[(str(secret), 0, 160)]
        )
    assert refusal_of(path).code == "IN-F16"


def test_a_virtual_dataset_is_refused(path):
    layout = h5py.VirtualLayout(shape=(N_FRAMES, N_CELLS), dtype="f8")
    layout[:] = h5py.VirtualSource("gone.h5", "data", shape=(N_FRAMES, N_CELLS))
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_virtual_dataset(f"{DFF}/data", layout)
    assert refusal_of(path).code == "IN-F17"


def test_a_soft_link_to_nothing_is_refused(path):
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = h5py.SoftLink("/acquisition/gone")
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F19", f"{DFF}/data")


def test_soft_links_in_a_circle_are_refused_where_needed_and_told_elsewhere(path):
    with edited(path) as file:
        file["/processing/ophys/a"] = h5py.SoftLink("/processing/ophys/b")
        file["/processing/ophys/b"] = h5py.SoftLink("/processing/ophys/a")
    _, notes = read(path)
    assert "/processing/ophys/a" in texts(notes, "warn")
    assert "IN-F15" in texts(notes, "warn")
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = h5py.SoftLink("/processing/ophys/a")
    assert refusal_of(path).code == "IN-F19"


def test_a_soft_link_inside_the_file_is_followed(path):
    with edited(path) as file:
        file.move(f"{DFF}/data", "/acquisition/samples")
        file[f"{DFF}/data"] = h5py.SoftLink("../../../../acquisition/samples")
        file["/acquisition/alias"] = h5py.SoftLink("/acquisition/samples")
    error = refusal_of(path)  # steps upwards are no part of HDF5 paths
    assert error.code == "IN-F19"
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = h5py.SoftLink("/acquisition/alias")
    assert read(path)[0].activity.n_units == N_CELLS


def test_a_group_that_contains_itself_is_walked_once(path):
    with edited(path) as file:
        file["/processing/ophys/again"] = file["/processing"]
    assert read(path)[0].activity.n_units == N_CELLS


def test_an_unknown_extension_beside_the_traces_is_told(path):
    with edited(path) as file:
        file.create_group("/processing/ophys/odd").attrs.update(
            namespace="ndx-nowhere", neurodata_type="OddThing"
        )
    _, notes = read(path)
    assert "ndx-nowhere" in texts(notes, "warn")
    assert "IN-F12" in texts(notes, "warn")


def test_traces_of_an_unknown_extension_are_refused_by_its_name(path):
    with edited(path) as file:
        file[DFF].attrs.update(namespace="ndx-nowhere", neurodata_type="OddSeries")
    for activity in ("auto", "calcium"):
        error = refusal_of(path, activity=activity)
        assert (error.code, error.place) == ("IN-F13", DFF)
        assert "ndx-nowhere" in error.found


def test_traces_of_an_extension_that_the_file_defines_are_read(path):
    definition = {
        "groups": [
            {"neurodata_type_def": "OddSeries", "neurodata_type_inc": "RoiResponseSeries"},
            {"neurodata_type_def": "OtherThing", "neurodata_type_inc": "NWBDataInterface"},
        ]
    }
    with edited(path) as file:
        file[DFF].attrs.update(namespace="ndx-odd", neurodata_type="OddSeries")
        file["/specifications/ndx-odd/0.1.0/odd"] = json.dumps(definition)
        file["/specifications/ndx-odd/0.1.0/broken"] = "no json"
    recording, notes = read(path, condition=("grating",))
    assert recording.about.source_series == DFF
    assert notes == ()


def test_what_lies_deeper_than_any_schema_goes_is_not_looked_for(path):
    with edited(path) as file:
        deep = "/acquisition" + "/deeper" * MAX_DEPTH
        file.create_group(deep)
        file.move("/processing/ophys/DfOverF", f"{deep}/DfOverF")
    assert refusal_of(path).code == "IN-C01"
