"""pynwb's second opinion: agreement and difference are told, refusals and omissions too."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from pipeline.core.recording import in_memory
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from pipeline.io.nwb.second_opinion import second_opinion
from tests.io.nwb.test_nwb_planes import LOWER, UPPER, samples, volume
from tests.support.nwb_factory import (
    DFF,
    PROVENANCE,
    ROIS,
    edited,
    imaging_file,
    probe_file,
    transients,
)


def opinion(path, *, change=None, walked=None, series=""):
    """The remark on a file, after a change of what was read or walked over."""
    with open_recording(
        path, recording="day1", options=ReadOptions(series=series), provenance=PROVENANCE
    ) as reading:
        recording = in_memory(reading.recording)
        recording = recording if change is None else change(recording)
        contents = reading.contents if walked is None else walked(reading.contents)
        (note,) = second_opinion(contents, recording, sources=reading.sources)
        assert note.code == "IN-F33"
        assert reading.contents.file["/"]  # pynwb has not closed it
        return note


@pytest.mark.parametrize("make", [imaging_file, probe_file])
def test_agreement_is_a_note(tmp_path, make):
    note = opinion(make(tmp_path / "a.nwb"))
    assert (note.kind, note.text.partition(":")[0]) == ("info", "pynwb sees the same structure")


@pytest.mark.parametrize(
    "fields", [{"timestamps": np.arange(40) / 5 + 0.01}, {"conversion": 0.5, "offset": 0.25}]
)
def test_timestamps_and_scales_are_taken_alike(tmp_path, fields):
    assert opinion(imaging_file(tmp_path / "a.nwb", **fields)).kind == "info"


def test_samples_that_were_turned_are_the_same_samples(tmp_path):
    path = imaging_file(tmp_path / "a.nwb")
    with edited(path) as file:
        attributes = dict(file[f"{DFF}/data"].attrs)
        del file[f"{DFF}/data"]
        file[f"{DFF}/data"] = transients().T
        file[f"{DFF}/data"].attrs.update(attributes)
    assert opinion(path).kind == "info"


def test_planes_side_by_side_are_the_same_series(tmp_path):
    path = volume(tmp_path / "a.nwb", planes=({}, {"data": samples(1, n_frames=49)}))
    assert opinion(path, series=f"{LOWER}+{UPPER}").kind == "info"


def activity_with(**fields):
    return lambda recording: dataclasses.replace(
        recording, activity=dataclasses.replace(recording.activity, **fields)
    )


def other_units(recording):
    ids = recording.units["unit_id"].to_numpy()[::-1].astype("str")
    return dataclasses.replace(recording, units=recording.units.assign(unit_id=ids))


def later_trials(recording):
    tables = dict(recording.intervals)
    tables["trials"] = tables["trials"].assign(start_s=tables["trials"]["start_s"] + 0.1)
    return dataclasses.replace(recording, intervals=tables)


def moved_spike(recording):
    times = recording.activity.times.copy()
    times[0] += 0.001
    return activity_with(times=times)(recording)


@pytest.mark.parametrize(
    ("make", "change", "told"),
    [
        (imaging_file, other_units, "other ids of units"),
        (imaging_file, activity_with(time=np.arange(40) / 5.01), "other times of samples"),
        (
            imaging_file,
            activity_with(values=transients().astype(np.float32)[:, ::-1]),
            "other samples of RoiResponseSeries",
        ),
        (imaging_file, later_trials, "other times of /intervals/trials"),
        (probe_file, moved_spike, "other spike times"),
        (probe_file, other_units, "other ids of units"),
    ],
)
def test_what_was_read_otherwise_is_a_warning(tmp_path, make, change, told):
    note = opinion(make(tmp_path / "a.nwb"), change=change)
    assert (note.kind, note.text) == ("warn", f"pynwb sees the structure otherwise: {told}.")


def without(path):
    return lambda contents: dataclasses.replace(
        contents, objects=tuple(item for item in contents.objects if item.path != path)
    )


def as_type(path, name):
    return lambda contents: dataclasses.replace(
        contents,
        objects=tuple(
            dataclasses.replace(item, type=name) if item.path == path else item
            for item in contents.objects
        ),
    )


def borrowed(path, other):
    """The walk with what lies in another group at a path."""
    return lambda contents: dataclasses.replace(
        contents,
        objects=tuple(
            dataclasses.replace(item, group=contents.file[other]) if item.path == path else item
            for item in contents.objects
        ),
    )


@pytest.mark.parametrize(
    ("walked", "told"),
    [
        (without(DFF), f"{DFF}: nothing here, RoiResponseSeries there"),
        (as_type(DFF, "ImageSeries"), f"{DFF}: ImageSeries here, RoiResponseSeries there"),
        (borrowed(DFF, ROIS), f"the rate of {DFF}: None here, 5.0 there"),
        (borrowed(ROIS, "/intervals/trials"), "columns of "),
    ],
)
def test_what_the_walk_met_otherwise_is_a_warning(tmp_path, walked, told):
    note = opinion(imaging_file(tmp_path / "a.nwb"), walked=walked)
    assert note.kind == "warn"
    assert told in note.text


def test_a_file_that_pynwb_refuses_is_read_with_a_warning(tmp_path):
    path = imaging_file(tmp_path / "a.nwb")
    with edited(path) as file:
        del file["session_description"]
    note = opinion(path)
    assert note.kind == "warn"
    assert note.text.startswith("pynwb cannot read this file (ConstructError: ")


def with_unknown_type(file, folder):
    group = file["processing/ophys"].create_group("odd")
    group.attrs.update(neurodata_type="Odd", namespace="ndx-nowhere", object_id="1")


def with_a_loop(file, folder):
    file["processing/ophys/round"] = h5py.SoftLink("/processing/ophys/round")


def with_a_link(file, folder):
    imaging_file(folder / "b.nwb")
    file["processing/ophys/further"] = h5py.ExternalLink("b.nwb", "/processing/ophys/DfOverF")


def with_a_large_chunk(file, folder):
    chunk = (2**26,)  # 512 MiB, none of which is stored
    file.create_dataset("scratch/x", shape=chunk, maxshape=(None,), dtype="f8", chunks=chunk)


def with_many_branches(file, folder):
    file.create_group("scratch" + "/x" * 70)


def with_a_circle(file, folder):
    file["processing/ophys/again"] = file["processing"]


def with_a_second_name(file, folder):
    file["processing/again"] = file["processing/ophys/DfOverF"]


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (with_unknown_type, "does not define the type Odd"),
        (with_a_loop, "/processing/ophys/round leads where nothing is read"),
        (with_a_link, "links lead to other files"),
        (with_a_large_chunk, "512 MiB are decoded for a single entry"),
        (with_many_branches, "nested too deep"),
        (with_a_circle, "hard links lead in a circle at /processing/ophys/again"),
    ],
)
def test_pynwb_is_not_shown_what_could_lead_it_astray(tmp_path, add, reason, monkeypatch):
    def never(*_, **__):
        raise AssertionError("pynwb was asked")

    path = imaging_file(tmp_path / "a.nwb", series={"DfOverF": ["RoiResponseSeries"]})
    with edited(path) as file:
        add(file, tmp_path)
    monkeypatch.setattr("pynwb.NWBHDF5IO.__init__", never)
    note = opinion(path, series=DFF)
    assert note.kind == "info"
    assert reason in note.text


def test_a_second_name_is_no_circle(tmp_path):
    path = imaging_file(tmp_path / "a.nwb")
    with edited(path) as file:
        with_a_second_name(file, tmp_path)
    assert "circle" not in opinion(path, series=DFF).text


def test_pynwb_is_not_shown_ten_thousands_of_objects(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.io.nwb.second_opinion.MOST_OBJECTS", 3)
    note = opinion(imaging_file(tmp_path / "a.nwb"))
    assert (note.kind, "it holds" in note.text) == ("info", True)


def test_pynwb_keeps_nothing_in_the_users_home(tmp_path):
    code = (
        "import os; from pipeline.io.nwb.second_opinion import load_pynwb; load_pynwb();"
        "import platformdirs, pynwb;"
        "assert isinstance(platformdirs.PlatformDirs, type);"
        "assert 'PYNWB_NO_CACHE_DIR' not in os.environ"
    )
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        check=True,
    )
    assert list(home.iterdir()) == []
