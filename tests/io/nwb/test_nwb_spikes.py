import numpy as np
import pytest

from pipeline.io.nwb.inspect import describe, inspect_file
from tests.support.nwb_factory import (
    edited,
    imaging_file,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
    theta_and_flashes,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def test_spike_times_are_read_unit_by_unit(path):
    recording, notes = read(probe_file(path), condition=("grating",))
    spikes = theta_and_flashes()
    assert recording.kind == "spikes"
    for unit, times in enumerate(spikes):
        np.testing.assert_array_equal(recording.activity.of_unit(unit), times)
    assert list(recording.units["region"]) == ["CA1", "CA1", "VISp"]
    assert recording.about.source_series == "/units"
    assert notes == ()


def test_unsorted_times_are_sorted_and_told(path):
    spikes = list(theta_and_flashes())
    spikes[1] = spikes[1][::-1]
    recording, notes = read(probe_file(path, spikes))
    np.testing.assert_array_equal(recording.activity.of_unit(1), spikes[1][::-1])
    assert "1 of 3 units" in texts(notes, "repair")
    assert "IN-S06" in texts(notes, "repair")


def test_a_silent_unit_stays(path):
    spikes = (*theta_and_flashes()[:2], np.empty(0))
    assert list(read(probe_file(path, spikes))[0].activity.n_spikes) == [64, 63, 0]


def test_units_without_any_spike_are_refused(path):
    error = refusal_of(probe_file(path, [np.empty(0)] * 3))
    assert (error.code, error.place) == ("IN-S04", "/units/spike_times")


def test_times_that_are_no_numbers_are_refused_with_their_count(path):
    spikes = list(theta_and_flashes())
    spikes[1] = np.append(spikes[1], [np.nan, np.nan])
    error = refusal_of(probe_file(path, spikes))
    assert error.code == "IN-S09"
    assert "2 of 138" in error.found
    assert "row 1" in error.found


def test_times_that_are_text_are_refused(path):
    probe_file(path)
    with edited(path) as file:
        replace_values(file, "/units/spike_times", np.array([b"noon"] * 136))
    assert refusal_of(path).code == "IN-S09"


def test_a_file_without_units_is_refused(path):
    error = refusal_of(imaging_file(path), activity="spikes")
    assert error.code == "IN-S01"


def sorters(path):
    """Two tables of units in a module: the probe session, and only its last cell."""
    from pynwb.misc import Units

    nwb = new_session()
    module = nwb.create_processing_module("ecephys", "Sorted twice.")
    for name, trains in (("first", theta_and_flashes()), ("second", theta_and_flashes()[2:])):
        table = Units(name=name, description="Units of a sorter.")
        for times in trains:
            table.add_unit(spike_times=times)
        module.add(table)
    return save(nwb, path)


def test_the_sheet_chooses_among_several_tables_of_units(path):
    error = refusal_of(sorters(path))
    assert error.code == "IN-S01"
    assert "/processing/ecephys/first, /processing/ecephys/second" in error.found
    assert "column 'series'" in error.fix
    contents = inspect_file(path)
    assert contents.refusal is None
    assert contents.suggestion["series"] == "/processing/ecephys/first"
    assert "Several tables could be the units" in describe(contents, experiment="e", recording="r")
    for name in ("second", "/processing/ecephys/second"):
        recording, _ = read(path, activity="spikes", series=name)
        assert recording.activity.n_units == 1
    assert "no table of units 'third'" in refusal_of(path, activity="spikes", series="third").found


def test_a_table_without_rows_is_refused(path):
    probe_file(path)
    with edited(path) as file:
        for name in file["/units"]:
            replace_values(file, f"/units/{name}", file[f"/units/{name}"][:0])
    assert refusal_of(path).code == "IN-S01"


def test_units_without_spike_times_are_refused(path):
    probe_file(path)
    with edited(path) as file:
        del file["/units/spike_times"]
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-S01", "/units/spike_times")


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ([64, 60, 136], "goes down from 64 to 60 at row 1"),
        ([64, 127, 500], "points past the end: 500 at row 2"),
        ([64, 136], "an index of 2 rows for 3 units"),
    ],
)
def test_a_broken_index_is_refused_with_its_row(path, index, words):
    probe_file(path)
    with edited(path) as file:
        replace_values(file, "/units/spike_times_index", np.array(index, dtype="u8"))
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-S11", "/units/spike_times_index")
    assert words in error.found


def test_spike_times_without_an_index_are_refused(path):
    probe_file(path)
    with edited(path) as file:
        del file["/units/spike_times_index"]
    assert refusal_of(path).code == "IN-S11"


def test_observed_intervals_of_the_units_are_joined(path):
    recording, _ = read(probe_file(path, observed=((0.0, 4.0), (3.0, 6.0), (6.0, 9.0))))
    np.testing.assert_array_equal(recording.activity.observed, [[0.0, 6.0], [6.0, 9.0]])


def test_without_observed_intervals_spikes_and_trials_set_the_span(path):
    recording, notes = read(probe_file(path, observed=None))
    assert recording.activity.span_s == (0.0, theta_and_flashes()[0][-1])
    assert "0 s to 7.9375 s" in texts(notes, "info")
    assert "IN-S16" in texts(notes, "info")


def test_observed_intervals_that_stop_before_they_start_are_refused(path):
    probe_file(path)
    with edited(path) as file:
        file["/units/obs_intervals"][1] = (5.0, 1.0)
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-S14", "/units/obs_intervals")
    assert "row 1" in error.found


def test_negative_times_and_times_outside_are_kept_and_told(path):
    spikes = list(theta_and_flashes())
    spikes[0] = np.concatenate([[-3.5, -1.0], spikes[0], [20.0]])
    recording, notes = read(probe_file(path, spikes))
    np.testing.assert_array_equal(recording.activity.of_unit(0), spikes[0])
    warned = texts(notes, "warn")
    assert "IN-S05" in warned
    assert "IN-S07" in warned
    assert "2 of 139 spike times are negative; the least is -3.5 s" in warned
    assert "3 of 139 spikes lie outside" in warned
