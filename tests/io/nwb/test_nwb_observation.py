import numpy as np
import pytest

from pipeline.core.recording import Recording
from pipeline.io.nwb.observation import guessed_interval
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import read_record, write_record
from tests.support.nwb_factory import (
    edited,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
    theta_and_flashes,
)
from tests.support.records import assert_same


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def units_seen(path, observed):
    """The three cells of the probe session, each observed in its own stretches."""
    nwb = new_session()
    for times, stretches in zip(theta_and_flashes(), observed, strict=True):
        nwb.add_unit(spike_times=times, obs_intervals=np.array(stretches, dtype=float))
    return save(nwb, path)


def test_each_unit_keeps_its_own_stretches(path):
    seen = ([(0, 8)], [(4, 8), (0, 2)], [(0, 4)])
    activity = read(units_seen(path, seen))[0].activity
    np.testing.assert_array_equal(activity.observed, [[0, 8]])
    np.testing.assert_array_equal(activity.observed_of(0), [[0, 8]])
    np.testing.assert_array_equal(activity.observed_of(1), [[0, 2], [4, 8]])
    np.testing.assert_array_equal(activity.observed_of(2), [[0, 4]])
    np.testing.assert_array_equal(activity.observed_s, [8, 6, 4])


def test_rates_count_only_what_was_observed(path):
    seen = ([(0, 8)], [(0, 4)], [(0, 2), (4, 6)])
    recording, notes = read(units_seen(path, seen))
    # Theta: 8 spikes a second; flashes at 1 s, 3 s and 5 s with 3 spikes each.
    np.testing.assert_allclose(recording.activity.rates_hz, [8, 32 / 4, 6 / 4])
    assert "34 of 136 spikes lie outside the observed intervals" in texts(notes, "warn")
    assert "the first at 3.05 s" in texts(notes, "warn")


def test_stretches_of_units_survive_being_stored_and_written(path, tmp_path):
    recording, _ = read(units_seen(path, ([(0, 8)], [(4, 8), (0, 2)], [(0, 4)])))
    write_record(tmp_path / "recording.h5", recording)
    assert_same(read_record(tmp_path / "recording.h5", Recording), recording)
    write_recording(tmp_path / "again.nwb", recording)
    assert_same(read(tmp_path / "again.nwb")[0].activity, recording.activity)


def test_units_seen_alike_share_one_list(path):
    activity = read(units_seen(path, [[(0, 3), (5, 8)]] * 3))[0].activity
    assert activity.unit_observed is None
    np.testing.assert_array_equal(activity.observed_of(2), [[0, 3], [5, 8]])


def test_overlapping_stretches_of_a_unit_are_joined_and_told(path):
    recording, notes = read(units_seen(path, ([(0, 5), (4, 8)], [(0, 8)], [(0, 8)])))
    np.testing.assert_array_equal(recording.activity.observed_of(0), [[0, 8]])
    assert recording.activity.unit_observed is None
    assert "IN-S14" in texts(notes, "repair")
    assert "1 of 4 observed intervals overlaps and was joined" in texts(notes, "repair")


def test_a_unit_without_stretches_takes_those_of_the_others_and_says_so(path):
    units_seen(path, ([(0, 8)], [(0, 4)], [(2, 6)]))
    with edited(path) as file:
        replace_values(file, "/units/obs_intervals_index", np.array([1, 1, 2], dtype="u1"))
    recording, notes = read(path)
    np.testing.assert_array_equal(recording.activity.observed_of(1), [[0, 8]])
    assert "1 of 3 units has no observed interval" in texts(notes, "info")


@pytest.mark.parametrize(
    ("stretches", "of_last"),
    [([[0, 8], [0, 4], [0, 6]], [[0, 6]]), ([[0, 3], [5, 8]], [[0, 3], [5, 8]])],
)
def test_stretches_without_an_index_are_one_a_unit_or_everybodys(path, stretches, of_last):
    probe_file(path)
    with edited(path) as file:
        del file["/units/obs_intervals_index"]
        replace_values(file, "/units/obs_intervals", np.array(stretches, dtype=float))
    np.testing.assert_array_equal(read(path)[0].activity.observed_of(2), of_last)


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("obs_intervals_index", np.array([1, 2], dtype="u1"), "IN-S11"),
        ("obs_intervals_index", np.array([1, 2, 9], dtype="u1"), "IN-S11"),
        ("obs_intervals", np.zeros((3, 3)), "IN-S14"),
        ("obs_intervals", np.array([[0, 8], [0, np.nan], [0, 8]]), "IN-S14"),
        ("obs_intervals", np.zeros((3, 2)), "IN-S14"),
    ],
)
def test_broken_stretches_are_refused(path, name, values, code):
    probe_file(path)
    with edited(path) as file:
        replace_values(file, f"/units/{name}", values)
    error = refusal_of(path)
    assert error.code == code
    assert error.place == f"/units/{name}"


def test_stretches_in_another_unit_of_time_are_told(path):
    _, notes = read(probe_file(path, observed=((0.0, 8000.0),)), condition=("grating",))
    assert "IN-S14" in texts(notes, "warn")
    assert "end at 8000 s, and the last spike or trial is at 7.9375 s" in texts(notes, "warn")
    _, notes = read(probe_file(path, observed=((0.0, 80.0),)), condition=("grating",))
    assert texts(notes, "warn") == ""


def guess(*units, known=()):
    times = np.concatenate([np.asarray(unit, dtype=float) for unit in units])
    starts = np.concatenate([[0], np.cumsum([len(unit) for unit in units])])
    return guessed_interval(times, starts, known=np.array(known, dtype=float).reshape(-1, 2))[0]


def test_the_guess_reaches_from_the_first_to_the_last_spike_or_trial():
    np.testing.assert_array_equal(guess([3, 4], [1, 9]), [1, 9])
    np.testing.assert_array_equal(guess([3, 4], [1, 9], known=[[0, 2], [5, 12]]), [0, 12])
    np.testing.assert_array_equal(guess([5]), [5, 5])


def test_stray_spikes_far_away_do_not_stretch_the_guess():
    steady = np.linspace(1, 60, 500)
    strays = [36000.0, 36001.0]
    np.testing.assert_array_equal(guess(steady, [*steady + 0.01, *strays]), [1, 60.01])
    np.testing.assert_array_equal(guess([-7000.0, *steady], steady), [1, 60])
    np.testing.assert_array_equal(guess([-7000.0, *steady], [*steady, *strays]), [1, 60])
    np.testing.assert_array_equal(guess([*steady, *strays], known=[[35990, 36010]]), [1, 36010])


def test_a_pause_with_much_activity_on_both_sides_is_part_of_the_session():
    early, late = np.linspace(0, 60, 100), np.linspace(600, 660, 100)
    np.testing.assert_array_equal(guess(early, late), [0, 660])


def test_strays_are_told_although_the_file_tells_no_stretches(path):
    spikes = list(theta_and_flashes())
    spikes[0] = np.append(spikes[0], 7200.0)
    recording, notes = read(probe_file(path, spikes, observed=None))
    assert recording.activity.span_s[1] < 9
    assert "IN-S07" in texts(notes, "warn")
    assert "1 of 137 spikes lies outside" in texts(notes, "warn")
