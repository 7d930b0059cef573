import numpy as np
import pytest

from tests.support.nwb_factory import (
    add_units,
    edited,
    new_session,
    read,
    replace_values,
    save,
    texts,
)

FRAMES = np.arange(5 * 3 * 2, dtype="i1").reshape(5, 3, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def session(path, *, stimuli=(), behaviour=(), module="behavior"):
    from pynwb.behavior import BehavioralTimeSeries

    nwb = new_session()
    add_units(nwb)
    for one in stimuli:
        nwb.add_stimulus(one)
    if behaviour:
        container = BehavioralTimeSeries()
        nwb.create_processing_module(module, "Beside the units.").add(container)
        for one in behaviour:
            container.add_timeseries(one)
    return save(nwb, path)


def movie(**fields):
    from pynwb.image import ImageSeries

    told = {"name": "noise", "data": FRAMES, "unit": "contrast", "rate": 30.0, "format": "raw"}
    return ImageSeries(**{**told, **fields})


def series(**fields):
    from pynwb import TimeSeries

    told = {"name": "speed", "data": np.arange(6.0), "unit": "cm/s", "rate": 2.0}
    return TimeSeries(**{**told, **fields})


def test_a_movie_in_the_file_is_read_with_its_conversion(path):
    recording, _ = read(session(path, stimuli=[movie(conversion=0.04, offset=1.0)]))
    noise = recording.stimuli["noise"]
    np.testing.assert_array_equal(noise.values, (FRAMES * 0.04 + 1.0).astype(np.float32))
    np.testing.assert_allclose(noise.time, np.arange(5) / 30.0)
    assert noise.value_unit == "contrast"


def test_an_external_movie_is_told_and_not_read(path):
    external = movie(
        data=None,
        external_file=["movie.avi"],
        format="external",
        starting_frame=[0],
        rate=None,
        timestamps=[0.0],
    )
    recording, notes = read(session(path, stimuli=[external]))
    assert dict(recording.stimuli) == {}
    assert "external files" in texts(notes, "info")
    assert "IN-T11" in texts(notes, "info")


def test_a_colour_movie_and_a_plain_series_are_told_and_not_read(path):
    colour = movie(data=np.zeros((5, 3, 2, 3)))
    recording, notes = read(session(path, stimuli=[colour, series(name="voltage")]))
    assert dict(recording.stimuli) == {}
    assert "(5, 3, 2, 3)" in texts(notes, "info")


def test_a_fault_in_a_movie_does_not_stop_the_recording(path):
    session(path, stimuli=[movie()])
    with edited(path) as file:
        file["/stimulus/presentation/noise/starting_time"].attrs["rate"] = 0.0
    recording, notes = read(path)
    assert dict(recording.stimuli) == {}
    assert "rate is 0 Hz" in texts(notes, "info")


@pytest.mark.parametrize("module", ["behavior", "Behaviour"])
def test_behaviour_is_read_as_time_by_channel(path, module):
    posture = series(name="posture", data=np.arange(12.0).reshape(6, 2), conversion=2.0)
    recording, _ = read(session(path, behaviour=[series(), posture], module=module))
    assert sorted(recording.behaviour) == ["posture", "speed"]
    speed = recording.behaviour["speed"]
    np.testing.assert_array_equal(speed.values, np.arange(6.0)[:, None])
    np.testing.assert_array_equal(speed.time, np.arange(6) / 2.0)
    assert speed.value_unit == "cm/s"
    np.testing.assert_array_equal(
        recording.behaviour["posture"].values, 2 * np.arange(12.0).reshape(6, 2)
    )


def test_series_of_other_modules_are_no_behaviour(path):
    recording, _ = read(session(path, behaviour=[series()], module="ecephys"))
    assert dict(recording.behaviour) == {}


def test_a_fault_in_behaviour_does_not_stop_the_recording(path):
    session(path, behaviour=[series()])
    with edited(path) as file:
        where = "/processing/behavior/BehavioralTimeSeries/speed/data"
        replace_values(file, where, np.zeros((6, 1, 1)))
    recording, notes = read(path)
    assert dict(recording.behaviour) == {}
    assert "(6, 1, 1)" in texts(notes, "warn")
    assert "IN-T12" in texts(notes, "warn")


def test_two_series_of_one_name_are_both_kept(path):
    from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

    nwb = new_session()
    add_units(nwb)
    module = nwb.create_processing_module("behavior", "Behaviour.")
    first, second = BehavioralTimeSeries(), Position()
    module.add(first)
    module.add(second)
    first.add_timeseries(series(name="place"))
    second.add_spatial_series(
        SpatialSeries(
            name="place", data=np.ones((6, 2)), unit="m", rate=2.0, reference_frame="corner"
        )
    )
    behaviour = read(save(nwb, path))[0].behaviour
    assert sorted(behaviour) == ["Position.place", "place"]
    assert behaviour["Position.place"].values.shape == (6, 2)
