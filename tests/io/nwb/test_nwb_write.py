import dataclasses
from datetime import UTC, datetime

import h5py
import numpy as np
import pandas as pd
import pytest
from pynwb import NWBHDF5IO

from pipeline.core.arrays import loaded
from pipeline.core.errors import EnvironmentFault
from pipeline.core.recording import BehaviourSeries, SpikeTrains, StimulusMovie
from pipeline.io.nwb.write import write_recording
from tests.support.nwb_factory import imaging_file, probe_file, read, transients


@pytest.fixture
def imaging(tmp_path):
    """The imaging session with everything a recording can have."""
    path = imaging_file(tmp_path / "source.nwb", columns={"neuron": ["AVAL", "AVAR?", "RIML", ""]})
    recording, _ = read(path, identity="neuron", condition=("grating",))
    valid = recording.activity.valid.copy()
    valid[3:5, 1] = False
    epochs = pd.DataFrame({"start_s": [0.0, 4.0], "stop_s": [4.0, 8.0], "label": ["dark", "light"]})
    frames = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    return dataclasses.replace(
        recording,
        activity=dataclasses.replace(recording.activity, valid=valid),
        units=recording.units.assign(depth=[1, 2, 3, 4], x_um=[0.5, 1.5, 2.5, np.nan]),
        epochs=epochs.astype({"label": "str"}),
        intervals={"licks": pd.DataFrame({"start_s": [1.0], "stop_s": [1.5], "side": [2]})},
        stimuli={"noise": StimulusMovie(values=frames, time=np.arange(4.0), value_unit="contrast")},
        behaviour={
            "speed": BehaviourSeries(
                values=np.arange(4.0)[:, None], time=np.array([0.0, 1, 2, 4]), value_unit="cm/s"
            ),
            "posture": BehaviourSeries(
                values=np.arange(8.0).reshape(4, 2), time=np.arange(4.0), value_unit="rad"
            ),
        },
    )


def assert_same(back, recording):
    """Activity, tables, series and facts are equal; the columns may stand in another order."""
    for field in dataclasses.fields(recording.activity):
        mine, theirs = (getattr(one.activity, field.name) for one in (recording, back))
        if field.name == "values":
            mine, theirs = mine[recording.activity.valid], theirs[recording.activity.valid]
        np.testing.assert_array_equal(theirs, mine)
    for name in ("units", "trials", "epochs"):
        pd.testing.assert_frame_equal(
            getattr(back, name), getattr(recording, name), check_like=True
        )
    for name, movie in recording.stimuli.items():
        np.testing.assert_array_equal(back.stimuli[name].values, movie.values)
        np.testing.assert_array_equal(back.stimuli[name].time, movie.time)
        assert back.stimuli[name].value_unit == movie.value_unit
    for name, series in recording.behaviour.items():
        np.testing.assert_array_equal(back.behaviour[name].values, series.values)
        np.testing.assert_array_equal(back.behaviour[name].time, series.time)
    for name in set(recording.intervals) - {"trials", "epochs"}:
        table = recording.intervals[name]
        pd.testing.assert_frame_equal(back.intervals[name], table, check_like=True)
    same = dataclasses.replace(back.about, source_series=recording.about.source_series)
    assert dataclasses.asdict(same) == dataclasses.asdict(recording.about)


def test_a_calcium_recording_comes_back_equal(imaging, tmp_path):
    write_recording(tmp_path / "day1.nwb", imaging)
    back, notes = read(tmp_path / "day1.nwb", identity="identity")
    assert_same(back, imaging)
    assert [note.kind for note in notes] == ["repair"]  # the samples marked as missing


def test_a_spike_recording_comes_back_equal(tmp_path):
    path = probe_file(tmp_path / "source.nwb", observed=((0.0, 4.0), (4.0, 8.0)))
    recording, _ = read(path, condition=("grating",))
    recording = dataclasses.replace(recording, units=recording.units.drop(columns="brain_area"))
    write_recording(tmp_path / "day1.nwb", recording)
    assert_same(read(tmp_path / "day1.nwb")[0], recording)


def test_times_off_a_regular_grid_are_stored_one_by_one(imaging, tmp_path):
    time = np.cumsum(np.linspace(0.15, 0.25, imaging.activity.time.size))
    irregular = dataclasses.replace(
        imaging, activity=dataclasses.replace(imaging.activity, time=time)
    )
    write_recording(tmp_path / "day1.nwb", irregular)
    np.testing.assert_array_equal(read(tmp_path / "day1.nwb")[0].activity.time, time)


@pytest.mark.parametrize("signal", ["fluorescence", "events"])
def test_the_kind_of_signal_is_kept(imaging, tmp_path, signal):
    other = dataclasses.replace(
        imaging, activity=dataclasses.replace(imaging.activity, signal=signal, value_unit="a.u.")
    )
    write_recording(tmp_path / "day1.nwb", other)
    series = "Events" if signal == "events" else ""
    back, _ = read(tmp_path / "day1.nwb", series=series)
    assert (back.activity.signal, back.activity.value_unit) == (signal, "a.u.")


def test_ids_that_are_no_numbers_become_a_column(imaging, tmp_path):
    named = dataclasses.replace(
        imaging, units=imaging.units.assign(unit_id=["a", "b", "c", "d"]).astype({"unit_id": "str"})
    )
    write_recording(tmp_path / "day1.nwb", named)
    units = read(tmp_path / "day1.nwb")[0].units
    assert list(units["unit_id"]) == ["0", "1", "2", "3"]
    assert list(units["unit_id_in_file"]) == ["a", "b", "c", "d"]


def test_description_and_start_given_decide_over_the_recordings_own(imaging, tmp_path):
    start = datetime(2031, 1, 2, 3, 4, tzinfo=UTC)
    write_recording(tmp_path / "day1.nwb", imaging, description="A tale.", session_start=start)
    about = read(tmp_path / "day1.nwb")[0].about
    assert about.description == "A tale."
    assert about.session_start == "2031-01-02T03:04:00+00:00"


@pytest.mark.parametrize("start", ["", "yesterday", "2024-05-06T12:00:00"])
def test_a_start_that_is_not_known_is_stated_as_such(imaging, tmp_path, start):
    about = dataclasses.replace(imaging.about, session_start=start, nwb_identifier="")
    write_recording(tmp_path / "day1.nwb", dataclasses.replace(imaging, about=about))
    told = read(tmp_path / "day1.nwb")[0].about
    expected = "2024-05-06T12" if start.startswith("2024") else "1970-01-01"
    assert told.session_start.startswith(expected)
    assert told.nwb_identifier


def test_a_failed_write_leaves_the_old_file_and_nothing_else(imaging, tmp_path, monkeypatch):
    path = tmp_path / "out" / "day1.nwb"
    path.parent.mkdir()
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.io.nwb.write._flush", full)
    with pytest.raises(EnvironmentFault, match=r"RN-R26.*No space left"):
        write_recording(path, imaging)
    assert [entry.name for entry in path.parent.iterdir()] == ["day1.nwb"]
    assert path.read_bytes() == b"old"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["calcium", "spikes"])
def test_the_inspector_of_the_community_finds_nothing_serious(imaging, tmp_path, kind):
    from nwbinspector import Importance, inspect_nwbfile

    recording = dataclasses.replace(imaging, units=imaging.units.assign(region="VISp"))
    if kind == "spikes":
        recording, _ = read(probe_file(tmp_path / "probe.nwb"), condition=("grating",))
    write_recording(tmp_path / "day1.nwb", recording)
    serious = (Importance.CRITICAL, Importance.BEST_PRACTICE_VIOLATION, Importance.ERROR)
    found = [
        f"{message.importance.name} {message.location}: {message.message}"
        for message in inspect_nwbfile(nwbfile_path=tmp_path / "day1.nwb")
        if message.importance in serious or "VALIDATION" in message.importance.name
    ]
    assert found == []


def test_written_spike_trains_keep_silent_units(tmp_path):
    recording, _ = read(probe_file(tmp_path / "source.nwb"))
    trains = SpikeTrains(
        times=np.array([1.0, 2.0]), starts=np.array([0, 2, 2, 2]), observed=np.array([[0.0, 8.0]])
    )
    write_recording(tmp_path / "day1.nwb", dataclasses.replace(recording, activity=trains))
    assert list(read(tmp_path / "day1.nwb")[0].activity.n_spikes) == [2, 0, 0]


def test_missing_samples_are_stored_as_nan_whatever_stood_there(imaging, tmp_path):
    assert np.isfinite(imaging.activity.values).all()
    write_recording(tmp_path / "day1.nwb", imaging)
    activity = read(tmp_path / "day1.nwb")[0].activity
    values = np.array(activity.values)
    assert np.isnan(values[3:5, 1]).all()
    np.testing.assert_array_equal(values[5:], transients()[5:].astype(np.float32))


def test_the_resolution_of_spike_times_can_be_told(tmp_path):
    recording, _ = read(probe_file(tmp_path / "source.nwb"))
    write_recording(tmp_path / "day1.nwb", recording, resolution_s=1 / 30000)
    with h5py.File(tmp_path / "day1.nwb") as file:
        assert file["/units/spike_times"].attrs["resolution"] == 1 / 30000


def test_regions_may_stand_in_a_column_that_is_found_without_being_named(tmp_path):
    recording, _ = read(probe_file(tmp_path / "source.nwb"))
    recording = dataclasses.replace(recording, units=recording.units.drop(columns="brain_area"))
    write_recording(tmp_path / "day1.nwb", recording, region_column="brain_area")
    units = read(tmp_path / "day1.nwb")[0].units
    assert units["region"].tolist() == units["brain_area"].tolist() == ["CA1", "CA1", "VISp"]


def test_units_point_at_their_electrodes(tmp_path):
    recording, _ = read(probe_file(tmp_path / "source.nwb"))
    units = recording.units.drop(columns="brain_area").assign(region="", electrode=[2, 0, 2])
    electrodes = pd.DataFrame(
        {
            "location": ["CA1", "DG", "VISp"],
            "group": ["deep", "deep", "shallow"],
            "rel_y": [0.0, 20.0, 40.0],
            "gain": [1, 2, 3],
        }
    )
    recording = dataclasses.replace(recording, units=units)
    write_recording(tmp_path / "day1.nwb", recording, electrodes=electrodes)
    back = read(tmp_path / "day1.nwb")[0].units
    assert back["region"].tolist() == ["VISp", "CA1", "VISp"]
    assert back["electrode"].tolist() == [2, 0, 2]
    with NWBHDF5IO(tmp_path / "day1.nwb", "r") as io:
        table = io.read().electrodes.to_dataframe()
    assert table["location"].tolist() == ["CA1", "DG", "VISp"]
    assert table["group_name"].tolist() == ["deep", "deep", "shallow"]
    assert table["rel_y"].tolist() == [0.0, 20.0, 40.0]
    assert table["gain"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("frames", "stored"),
    [
        ([[[0.0, 255.0]], [[7.0, 128.0]]], np.uint8),
        ([[[0.0, 256.0]], [[7.0, 128.0]]], np.float32),
        ([[[-1.0, 5.0]], [[7.0, 128.0]]], np.float32),
        ([[[0.5, 5.0]], [[7.0, 128.0]]], np.float32),
        ([[[np.nan, 5.0]], [[7.0, 128.0]]], np.float32),
    ],
)
def test_frames_of_whole_grey_levels_take_a_byte_a_pixel(imaging, tmp_path, frames, stored):
    frames = np.array(frames, dtype=np.float32)
    movie = StimulusMovie(values=frames, time=np.arange(2.0), value_unit="grey level")
    write_recording(tmp_path / "day1.nwb", dataclasses.replace(imaging, stimuli={"film": movie}))
    with h5py.File(tmp_path / "day1.nwb") as file:
        assert file["/stimulus/presentation/film/data"].dtype == stored
    back = read(tmp_path / "day1.nwb")[0].stimuli["film"]
    np.testing.assert_array_equal(loaded(back.values)[0], frames)


def test_spike_times_are_compressed(tmp_path):
    recording, _ = read(probe_file(tmp_path / "source.nwb"))
    write_recording(tmp_path / "day1.nwb", recording)
    with h5py.File(tmp_path / "day1.nwb") as file:
        assert file["/units/spike_times"].compression == "gzip"
