"""Recordings as objects of pynapple, and records in xarray, keep times, names and masks."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pandas as pd
import pynapple as nap
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.recording import BehaviourSeries
from pipeline.io import export
from pipeline.io.documents import write_document
from pipeline.io.records import read_digest, read_record, write_record
from pipeline.methods.connectome.result import ConnectomeResult
from tests.support import records, small_recordings
from tests.support.random_recordings import recordings
from tests.support.small_results import write_small_results


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_small_results(folder)
    return folder / "worms" / "connectome" / "fit.h5"


def with_units(recording, **columns):
    return dataclasses.replace(recording, units=recording.units.assign(**columns))


def table(*rows, **columns):
    starts, stops = zip(*rows, strict=True)
    return pd.DataFrame({"start_s": starts, "stop_s": stops, **columns})


def test_traces_keep_times_values_and_units():
    recording = with_units(small_recordings.calcium(unused=1), depth=[10.0, 20.0, 30.0])
    traces = export.activity(recording)
    assert isinstance(traces, nap.TsdFrame)
    np.testing.assert_array_equal(traces.times(), np.round(recording.activity.time, 9))
    np.testing.assert_array_equal(traces.values, recording.activity.values)
    assert traces.columns.tolist() == [0, 1, 2]
    assert list(traces.unit_id) == ["u0", "u1", "u2"]
    assert list(traces.depth) == [10.0, 20.0, 30.0]
    assert traces[:, np.asarray(traces.good)].columns.tolist() == [0, 1]


def test_missing_samples_of_traces_are_nan_whatever_stood_there():
    valid = np.ones((4, 2), dtype=bool)
    valid[1, 0] = False
    activity = small_recordings.sampled(np.full((4, 2), 7.0), valid=valid)
    traces = export.activity(small_recordings.recording(activity))
    np.testing.assert_array_equal(np.isnan(traces.values), ~valid)


def test_spike_trains_keep_times_units_and_what_was_observed():
    activity = small_recordings.trains([[0.5, 1.5, 4.5], []], observed=[(0.0, 2.0), (4.0, 5.0)])
    recording = with_units(
        small_recordings.recording(activity), region=pd.Series(["CA1", "V1"], dtype="str")
    )
    trains = export.activity(recording)
    assert isinstance(trains, nap.TsGroup)
    assert trains[0].times().tolist() == [0.5, 1.5, 4.5]
    assert trains[1].times().tolist() == []
    assert np.asarray(trains.time_support).tolist() == [[0.0, 2.0], [4.0, 5.0]]
    assert trains[trains.region == "CA1"].index.tolist() == [0]
    assert trains.rate[0] == pytest.approx(1.0)


def test_spikes_at_a_border_of_two_observed_intervals_are_kept_and_those_outside_are_not():
    times = [0.5, 1.0 - 4e-7, 1.0, 3.0]
    activity = small_recordings.trains([times], observed=[(0.0, 1.0), (1.0, 2.0)])
    trains = export.activity(small_recordings.recording(activity))
    np.testing.assert_allclose(trains[0].times(), times[:3], rtol=0, atol=1e-9)
    assert np.asarray(trains.time_support).tolist() == [[0.0, 2.0]]


def test_one_spike_is_a_train_and_a_stretch_without_length_no_support():
    activity = small_recordings.trains([[0.5]], observed=[(0.0, 1.0), (3.0, 3.0)])
    trains = export.activity(small_recordings.recording(activity))
    assert np.asarray(trains.time_support).tolist() == [[0.0, 1.0]]


def test_columns_that_pynapple_does_not_allow_get_another_name():
    odd = {"rate": [1, 2, 3], "rate_": [4, 5, 6], "my column": [7, 8, 9], "2p": [1, 1, 2], "t": "x"}
    for make in (small_recordings.calcium, small_recordings.spikes):
        made = export.activity(with_units(make(), **odd))
        assert list(made.get_info("rate__")) == [1, 2, 3]
        assert list(made.get_info("rate_")) == [4, 5, 6]
        assert list(made.my_column) == [7, 8, 9]
        assert list(made.get_info("_2p")) == [1, 1, 2]
        assert list(made.get_info("t_")) == ["x"] * 3


def test_intervals_keep_times_and_columns_in_order_of_time():
    trials = table((3.0, 4.0), (0.0, 1.0), (1.5, 2.0), condition=["c", "a", "b"], n=[3, 1, 2])
    found = export.intervals(trials)
    assert np.asarray(found).tolist() == [[0.0, 1.0], [1.5, 2.0], [3.0, 4.0]]
    assert list(found.condition) == ["a", "b", "c"]
    assert list(found.n) == [1, 2, 3]
    assert list(found.row) == [1, 2, 0]


def test_touching_intervals_lose_one_nanosecond_and_nothing_else():
    found = export.intervals(table((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), condition=list("aba")))
    np.testing.assert_array_equal(found.start, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(found.end, [1.0 - 1e-9, 2.0 - 1e-9, 3.0], rtol=0, atol=1e-12)
    assert list(found.condition) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (((0.0, 2.0), (1.0, 3.0)), r"without length \(rows \[\]\).*stops \(rows \[1\]\)"),
        (((1.0, 1.0), (2.0, 3.0)), r"without length \(rows \[0\]\).*stops \(rows \[\]\)"),
        (((2.0, 9.0), (0.0, 3.0)), r"stops \(rows \[0\]\)"),
    ],
)
def test_intervals_that_pynapple_would_join_or_drop_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        export.intervals(table(*rows))


def test_no_intervals_are_no_intervals():
    assert len(export.intervals(small_recordings.calcium().trials)) == 0


def test_behaviour_is_a_frame_with_a_column_a_channel():
    values = np.arange(6.0).reshape(3, 2)
    made = export.series(
        BehaviourSeries(values=values, time=np.array([0.0, 0.1, 0.3]), value_unit="cm/s")
    )
    np.testing.assert_array_equal(made.values, values)
    np.testing.assert_array_equal(made.times(), [0.0, 0.1, 0.3])


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(recordings())
def test_activity_of_any_recording_can_be_exported(recording):
    made = export.activity(recording)
    assert len(made.metadata_columns) >= len(recording.units.columns)
    if recording.kind == "calcium":
        assert made.shape == recording.activity.valid.shape
        assert np.isnan(made.values).sum() == (~recording.activity.valid).sum()
        np.testing.assert_allclose(made.times(), recording.activity.time, rtol=0, atol=1e-9)
    else:
        assert list(made.keys()) == list(range(recording.activity.n_units))


@pytest.mark.parametrize("make", [records.calcium, records.spikes])
def test_a_stored_recording_opens_as_the_record_in_memory_would(tmp_path, make):
    write_record(tmp_path / "recording.h5", make())
    with export.open_dataset(tmp_path / "recording.h5") as opened:
        assert_same_tree(opened, export.dataset(make()))


def test_a_result_opens_though_facts_about_it_are_called_like_its_axes(fit):
    with export.open_dataset(fit) as opened:
        assert_same_tree(opened, export.dataset(read_record(fit, ConnectomeResult)))
        assert opened["component_time"].dims == ("frame", "component")
        assert opened["frame_time_s"].attrs["units"] == "s"
        assert opened.attrs["digest"] == read_digest(fit)
        own = opened["provenance"].to_dataset(inherit=False)
        assert own["recording"].item() == ""


def assert_same_tree(opened, made):
    assert set(opened.groups) == set(made.groups)
    for place in made.groups:
        found, expected = (one[place].to_dataset(inherit=False) for one in (opened, made))
        if place == "/":
            found.attrs = {"record": found.attrs["record"]}
        xr.testing.assert_identical(found, expected)


def test_arrays_of_a_stored_record_are_read_when_they_are_used(fit):
    with export.open_dataset(fit) as opened:
        variable = opened["component_pair"].variable
        assert not variable._in_memory
        assert opened["component_pair"].isel(pair=0).shape == (2,)


def test_other_files_are_refused(tmp_path):
    write_document(tmp_path / "about.json", small_recordings.calcium().about)
    with pytest.raises(EnvironmentFault, match="RN-R10"):
        export.open_dataset(tmp_path / "about.json")
    with pytest.raises(EnvironmentFault, match="RN-R27"):
        export.open_dataset(tmp_path / "nowhere.h5")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.h5", engine="h5netcdf")
    with pytest.raises(DataError, match="RN-R11"):
        export.open_dataset(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("pynapple", lambda: export.activity(small_recordings.calcium())),
        ("pynapple", lambda: export.intervals(small_recordings.calcium().trials)),
        ("xarray", lambda: export.dataset(small_recordings.calcium())),
    ],
)
def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch, package, use):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EnvironmentFault, match=rf"RN-R17.*{package}.*neuroptych\[notebooks\]"):
        use()
