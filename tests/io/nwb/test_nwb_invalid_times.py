import numpy as np
import pytest

from pipeline.io.nwb.write import write_recording
from tests.support.nwb_factory import (
    DFF,
    RATE_HZ,
    edited,
    imaging_file,
    probe_file,
    read,
    refusal_of,
    texts,
    theta_and_flashes,
    transients,
)
from tests.support.records import assert_same


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def exclude(path, rows, *, series=None):
    """Add invalid times; ``series`` says for each row which series it is about."""
    from pynwb import NWBHDF5IO, TimeSeries

    with NWBHDF5IO(str(path), "a") as io:
        nwb = io.read()
        pupil = TimeSeries(name="pupil", data=np.zeros(9), unit="mm", rate=1.0)
        nwb.add_acquisition(pupil)
        for index, (start, stop) in enumerate(rows):
            more = {}
            if series is not None:
                traces = (
                    nwb.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
                    if ("ophys" in nwb.processing)
                    else None
                )
                more["timeseries"] = [
                    {"pupil": pupil, "traces": traces}[one] for one in series[index]
                ]
            nwb.add_invalid_time_interval(start_time=start, stop_time=stop, **more)
        io.write(nwb)
    return path


def test_samples_in_invalid_times_are_missing_and_keep_their_numbers(path):
    recording, notes = read(exclude(imaging_file(path), [(1.0, 2.0), (1.5, 2.5)]))
    activity = recording.activity
    time = np.arange(len(transients())) / RATE_HZ
    lost = (time >= 1.0) & (time <= 2.5)
    np.testing.assert_array_equal(activity.valid, np.repeat(~lost[:, None], 4, axis=1))
    np.testing.assert_array_equal(activity.values, transients().astype(np.float32))
    assert len(recording.intervals["invalid_times"]) == 2
    told = texts(notes, "info")
    assert "IN-T14" in told
    assert "1 stretch, 1.5 s in all, is marked as invalid, 20.0 % of the recording" in told


def test_units_are_not_observed_in_invalid_times(path):
    recording, notes = read(exclude(probe_file(path), [(2.0, 4.0), (7.5, 20.0)]))
    activity = recording.activity
    np.testing.assert_array_equal(activity.observed, [[0.0, 2.0], [4.0, 7.5]])
    np.testing.assert_array_equal(activity.times, np.concatenate(theta_and_flashes()))
    np.testing.assert_allclose(activity.rates_hz[2], 6 / 5.5)
    assert "IN-S07" not in texts(notes, "warn")


def test_each_unit_loses_its_own_share(path):
    probe_file(path)
    with edited(path) as file:
        file["/units/obs_intervals"][1] = (0.0, 3.0)
    activity = read(exclude(path, [(2.0, 4.0)]))[0].activity
    np.testing.assert_array_equal(activity.observed_of(0), [[0.0, 2.0], [4.0, 8.0]])
    np.testing.assert_array_equal(activity.observed_of(1), [[0.0, 2.0]])


def test_rows_about_another_series_do_not_count(path):
    rows = [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]
    exclude(imaging_file(path), rows, series=[["pupil"], ["pupil", "traces"], ["traces"]])
    recording, _ = read(path)
    lost = ~recording.activity.valid[:, 0]
    time = recording.activity.time
    np.testing.assert_array_equal(
        lost, ((time >= 3.0) & (time <= 4.0)) | ((time >= 5.0) & (time <= 6.0))
    )


def test_units_take_rows_about_raw_voltage_only(path):
    exclude(probe_file(path), [(1.0, 2.0)], series=[["pupil"]])
    np.testing.assert_array_equal(read(path)[0].activity.observed, [[0.0, 8.0]])


@pytest.mark.parametrize("make", [imaging_file, probe_file])
def test_a_recording_that_is_all_invalid_is_refused(path, make):
    error = refusal_of(exclude(make(path), [(-1.0, 100.0)]))
    assert (error.code, error.place) == ("IN-T14", "/intervals/invalid_times")


def test_rows_without_time_exclude_nothing(path):
    recording, notes = read(exclude(imaging_file(path), [(3.0, 3.0), (np.nan, 2.0)]))
    assert recording.activity.valid.all()
    assert "IN-T14" not in texts(notes, "info")


@pytest.mark.parametrize("make", [imaging_file, probe_file])
def test_excluded_stretches_survive_being_written(path, tmp_path, make):
    recording, _ = read(exclude(make(path), [(1.0, 2.0)]), condition=("grating",))
    write_recording(tmp_path / "again.nwb", recording)
    again, _ = read(tmp_path / "again.nwb", region="region")
    if make is probe_file:
        assert_same(again.activity, recording.activity)
    np.testing.assert_array_equal(again.intervals["invalid_times"]["start_s"], [1.0])


def test_series_references_are_not_needed_to_be_sound(path):
    exclude(imaging_file(path), [(1.0, 2.0)], series=[["traces"]])
    with edited(path) as file:
        file["/intervals/invalid_times/timeseries_index"][0] = 0
    recording, _ = read(path)
    assert not recording.activity.valid.all()
    assert recording.about.source_series == DFF
