import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.io.nwb.trial_checks import odd_trials, placed_trials
from tests.support.nwb_factory import GRATINGS, imaging_file, probe_file, read, refusal_of, texts
from tests.support.small_recordings import intervals


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def rows(*times, labels="ab"):
    return [(a, b, labels[i % len(labels)]) for i, (a, b) in enumerate(times)]


def placed(table, recorded=((0.0, 10.0),), *, told=True):
    trials = intervals(table, "condition")
    return placed_trials(trials, np.array(recorded, dtype=float), told=told, place="/trials")


def odd(table):
    return texts(odd_trials(intervals(table, "condition"), place="/trials"), "warn")


@pytest.mark.parametrize(("factor", "words"), [(1e3, "milliseconds"), (1e6, "microseconds")])
@pytest.mark.parametrize("told", [True, False])
def test_trials_in_another_unit_are_refused_with_the_factor(factor, words, told):
    table = rows(*[(factor * i, factor * (i + 0.5)) for i in range(1, 9)])
    with pytest.raises(DataError) as caught:
        placed(table, told=told)
    assert caught.value.code == "IN-T04"
    assert words in caught.value.found
    assert f"divide start_time and stop_time by {factor:g}" in caught.value.fix


def test_trials_on_another_clock_are_refused_where_the_recording_is_known():
    table = rows((1e9, 1e9 + 1), (1e9 + 2, 1e9 + 3), (1, 2))
    with pytest.raises(DataError, match="2 of 3 trials lie outside"):
        placed(table)
    trials, notes = placed(table, told=False)
    assert len(trials) == 3
    assert "IN-T05" in texts(notes, "warn")


def test_trials_after_a_short_recording_are_not_taken_for_milliseconds():
    table = rows(*[(3.0 * i, 3.0 * i + 2) for i in range(20)])
    trials, notes = placed(table, ((0.0, 8.0),), told=False)
    assert (len(trials), notes[0].kind) == (20, "warn")


def test_trials_outside_are_left_out_and_counted_by_condition():
    table = rows((0, 1), (2, 3), (4, 5), (10, 11), (12, 13))
    trials, notes = placed(table)
    assert list(trials["start_s"]) == [0, 2, 4]
    assert "IN-T05" in texts(notes, "repair")
    assert "2 of 5 trials" in texts(notes, "repair")
    assert "'a' 1, 'b' 1" in texts(notes, "repair")


def test_trials_where_nothing_fires_are_kept_and_told_when_nobody_knows():
    trials, notes = placed(rows((0, 1), (2, 3), (12, 13)), told=False)
    assert len(trials) == 3
    assert "1 of 3 trials lies where no unit fires" in texts(notes, "warn")


def test_trials_that_are_cut_are_kept_and_told():
    recorded = ((0.0, 4.0), (4.0, 8.0), (9.0, 12.0))
    trials, notes = placed(rows((-1, 1), (3, 5), (7, 10), (9, 12.0005), (11, 13)), recorded)
    assert len(trials) == 5
    assert "3 of 5 trials lie partly outside" in texts(notes, "warn")
    assert "rows 0, 2, 4" in texts(notes, "warn")


def test_events_without_length_lie_inside_up_to_the_borders():
    trials, notes = placed(rows((0, 0), (10, 10), (5, 5), (10.5, 10.5)))
    assert list(trials["start_s"]) == [0, 10, 5]
    assert "1 of 4" in texts(notes, "repair")


def test_sound_trials_raise_no_remark():
    table = rows((0, 1), (1, 2), (2, 3.0005), (3, 4))
    trials, notes = placed(table)
    assert (len(trials), notes) == (4, ())
    assert odd_trials(intervals(table, "condition"), place="/trials") == ()
    assert odd_trials(intervals([], "condition"), place="/trials") == ()


def test_overlap_is_told_with_rows_whatever_their_order():
    warned = odd(rows((4, 5), (0, 3), (2, 3), (5, 6)))
    assert "IN-T06" in warned
    assert "1 of 4 trials begins before another one stops (row 2)" in warned
    assert "by up to 1 s" in warned


def test_unequal_repeats_are_told_with_a_table():
    few = rows(*[(i, i + 0.5) for i in range(10)], labels="abbbbbbbbb")
    assert "IN-T07" in odd(few)
    assert "1 to 9 trials per condition" in odd(few)
    assert "'a' 1, 'b' 9" in odd(few)
    assert "fewer than 2" in odd(few)
    almost = rows(*[(i, i + 0.5) for i in range(9)])
    notes = odd_trials(intervals(almost, "condition"), place="/trials")
    assert [note.kind for note in notes if note.code == "IN-T07"] == ["info"]


def test_unequal_durations_are_told_with_the_common_window():
    table = rows((0, 1), (2, 3), (4, 4.5), (6, 7))
    assert "IN-T09" in odd(table)
    assert "ends with the shortest, 0.5 s" in odd(table)
    assert odd(rows((0, 1), (2, 3.01), (4, 5), (6, 7))) == ""
    events = intervals(rows((0, 1), (2, 2.1), labels="a"), "condition")
    assert [note.kind for note in odd_trials(events, place="/trials")] == ["info"]


def test_the_time_of_traces_and_of_observation_decides(path):
    late = [(a + 100, b + 100, entries) for a, b, entries in GRATINGS[2:]]
    for make in (imaging_file, probe_file):
        recording, notes = read(make(path, trials=[*GRATINGS, *late]), condition=("grating",))
        assert len(recording.trials) == 4
        assert len(recording.intervals["trials"]) == 6
        assert "'left' 1, 'right' 1" in texts(notes, "repair")
        thousand = [(1000 * a + 9000, 1000 * b + 9000, entries) for a, b, entries in GRATINGS]
        error = refusal_of(make(path, trials=thousand))
        assert (error.code, error.place) == ("IN-T04", "/intervals/trials")
