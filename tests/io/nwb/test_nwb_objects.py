import json
import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.io.nwb.objects import MAX_DEPTH, survey
from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    N_FRAMES,
    edited,
    imaging_file,
    read,
    refusal_of,
    texts,
    transients,
)


@pytest.fixture
def path(tmp_path):
    return imaging_file(tmp_path / "day1.nwb")


@pytest.fixture
def elsewhere(tmp_path, path):
    """Samples in a file of another folder."""
    (tmp_path / "elsewhere").mkdir()
    with h5py.File(tmp_path / "elsewhere" / "other.h5", "w") as file:
        file["data"] = 2 * transients()
        file["data"].attrs["unit"] = "dF/F"
        file["deeper"] = h5py.SoftLink("/data")
        file["away"] = h5py.ExternalLink("../day1.nwb", "/acquisition")
    return tmp_path / "elsewhere"


def link_samples(path, link):
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = link


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that HDF5 was asked to open."""
    names = []
    real = h5py.File.__init__

    def watched(self, name, *arguments, **options):
        if isinstance(name, Path):
            names.append(str(name))
        real(self, name, *arguments, **options)

    monkeypatch.setattr(h5py.File, "__init__", watched)
    return names


def test_a_link_out_of_the_folder_is_refused_and_never_opened(path, elsewhere, opened):
    link_samples(path, h5py.ExternalLink("elsewhere/../elsewhere/other.h5", "/data"))
    path = path.rename(path.parent / "inner.nwb")
    (path.parent / "data").mkdir()
    path = path.rename(path.parent / "data" / "day1.nwb")
    link_samples(path, h5py.ExternalLink(str(elsewhere / "other.h5"), "/data"))
    opened.clear()

    error = refusal_of(path)

    assert (error.code, error.place) == ("IN-F14", f"{DFF}/data")
    assert "other.h5" in error.found
    assert opened == [str(path)]


@pytest.mark.parametrize("name", ["data", "deeper"])
def test_a_link_into_the_folder_or_an_allowed_one_is_followed(path, elsewhere, name):
    link_samples(path, h5py.ExternalLink("elsewhere/other.h5", f"/{name}"))
    beside, _ = read(path)
    (path.parent / "data").mkdir()
    moved = path.rename(path.parent / "data" / "day1.nwb")
    link_samples(moved, h5py.ExternalLink("../elsewhere/other.h5", f"/{name}"))
    allowed, _ = read(moved, allow_external=(str(elsewhere),))

    for recording in (beside, allowed):
        np.testing.assert_allclose(recording.activity.values, 2 * transients(), rtol=1e-6)
    assert refusal_of(moved).code == "IN-F14"


def test_a_link_of_the_file_system_does_not_lead_out(path, elsewhere, tmp_path):
    (tmp_path / "data").mkdir()
    path = path.rename(tmp_path / "data" / "day1.nwb")
    (tmp_path / "data" / "near.h5").symlink_to(elsewhere / "other.h5")
    link_samples(path, h5py.ExternalLink("near.h5", "/data"))

    assert refusal_of(path).code == "IN-F14"


def test_a_link_to_a_missing_file_is_refused_with_its_name(path):
    link_samples(path, h5py.ExternalLink("gone.h5", "/data"))
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F15", f"{DFF}/data")
    assert "gone.h5" in error.found


def test_a_link_to_a_pipe_or_to_a_text_is_refused_without_waiting(path, tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    link_samples(path, h5py.ExternalLink("pipe.h5", "/data"))
    assert refusal_of(path).code == "IN-F07"
    (tmp_path / "text.h5").write_text("id,name\n")
    link_samples(path, h5py.ExternalLink("text.h5", "/data"))
    assert refusal_of(path).code == "IN-F05"


def test_files_that_link_to_each_other_are_a_circle(path, elsewhere):
    link_samples(path, h5py.ExternalLink("elsewhere/other.h5", "/away/data"))
    with edited(path) as file:
        file["/acquisition/data"] = h5py.ExternalLink("elsewhere/other.h5", "/away/data")
    assert refusal_of(path).code == "IN-F19"


def test_a_linked_group_is_met_with_all_that_is_in_it(path, tmp_path):
    other = imaging_file(tmp_path / "other.nwb")
    with edited(path) as file:
        del file["/processing/ophys"]
        file["/processing/ophys"] = h5py.ExternalLink(other.name, "/processing/ophys")
    recording, notes = read(path)
    assert recording.activity.n_units == N_CELLS
    assert "IN-F15" not in texts(notes, "warn")


def test_links_of_links_that_grow_without_end_are_decided_in_time(path):
    with edited(path) as file:
        trap = file.create_group("/scratch/trap")
        for level in range(60):
            trap[f"l{level}"] = h5py.SoftLink(f"/scratch/trap/l{level + 1}/l{level + 1}")
        trap["l60"] = h5py.SoftLink("/scratch/trap")
    started = time.monotonic()
    _, notes = read(path)
    assert time.monotonic() - started < 30
    assert "/scratch/trap/l0" in texts(notes, "warn")
    link_samples(path, h5py.SoftLink("/scratch/trap/l0"))
    assert refusal_of(path).code == "IN-F19"


def test_a_soft_link_that_leaves_the_file_on_its_way_is_refused(path):
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file["/scratch_link"] = h5py.ExternalLink("/other.h5", "/")
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


def virtual_samples(path, *sources):
    """Samples put together from stretches of datasets of other files."""
    step = N_FRAMES // len(sources)
    layout = h5py.VirtualLayout(shape=(N_FRAMES, N_CELLS), dtype="f8")
    for index, (name, dataset) in enumerate(sources):
        source = h5py.VirtualSource(name, dataset, shape=(N_FRAMES, N_CELLS))
        rows = slice(index * step, (index + 1) * step)
        layout[rows] = source[rows]
    with edited(path) as file:
        attributes = dict(file[f"{DFF}/data"].attrs)
        del file[f"{DFF}/data"]
        file.create_virtual_dataset(f"{DFF}/data", layout)
        file[f"{DFF}/data"].attrs.update(attributes)


def test_a_virtual_dataset_is_read_where_all_sources_are_beside_it(path, elsewhere):
    with edited(path) as file:
        file["/acquisition/part"] = np.ones((N_FRAMES, N_CELLS))
    virtual_samples(path, ("elsewhere/other.h5", "data"), (".", "/acquisition/part"))
    values = read(path)[0].activity.values
    np.testing.assert_allclose(values[:20], 2 * transients()[:20], rtol=1e-6)
    np.testing.assert_array_equal(values[20:], 1.0)


@pytest.mark.parametrize(
    "source", [("gone.h5", "data"), ("elsewhere/other.h5", "gone"), ("/etc/hostname", "data")]
)
def test_a_virtual_dataset_without_one_of_its_sources_is_refused(path, elsewhere, source):
    virtual_samples(path, ("elsewhere/other.h5", "data"), source)
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F17", f"{DFF}/data")
    assert source[0] in error.found


def test_a_virtual_dataset_over_raw_files_is_refused(path, elsewhere):
    with h5py.File(elsewhere / "other.h5", "r+") as file:
        file.create_dataset(
            "raw", shape=(N_FRAMES, N_CELLS), dtype="u1", external=[("/etc/hostname", 0, 160)]
        )
    virtual_samples(path, ("elsewhere/other.h5", "raw"))
    assert refusal_of(path).code == "IN-F17"


def test_a_virtual_dataset_of_file_names_in_a_row_is_refused(path):
    layout = h5py.VirtualLayout(shape=(N_FRAMES, N_CELLS), dtype="f8", maxshape=(None, N_CELLS))
    source = h5py.VirtualSource("part%b.h5", "data", shape=(1, N_CELLS))
    layout[: h5py.h5s.UNLIMITED] = source
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_virtual_dataset(f"{DFF}/data", layout)
    assert refusal_of(path).code == "IN-F17"


def test_tens_of_thousands_of_objects_are_walked_in_time(path):
    with edited(path) as file:
        many = file.create_group("/scratch/many")
        for index in range(20_000):
            many.create_group(str(index)).attrs["neurodata_type"] = "TimeSeries"
        deep = file["/scratch"]
        for _ in range(2_000):
            deep = deep.create_group("deeper")
    started = time.monotonic()
    assert read(path)[0].activity.n_units == N_CELLS
    assert time.monotonic() - started < 60


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
    assert "IN-F19" in texts(notes, "warn")
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
    assert {note.kind for note in notes} == {"info"}


def test_what_lies_deeper_than_any_schema_goes_is_not_looked_for(path):
    with edited(path) as file:
        deep = "/acquisition" + "/deeper" * MAX_DEPTH
        file.create_group(deep)
        file.move("/processing/ophys/DfOverF", f"{deep}/DfOverF")
    assert refusal_of(path).code == "IN-C01"


def test_types_of_the_schema_know_all_their_ancestors(path):
    with h5py.File(path) as file:
        series = survey(file).at(DFF)
    assert series.lineage[:3] == ("RoiResponseSeries", "TimeSeries", "NWBDataInterface")
    assert not series.is_a("ImageSeries")
