import h5py
import numpy as np
import pytest
from hdmf.common import VectorData
from pynwb import NWBHDF5IO

from pipeline.io.nwb.inspect import inspect_file
from tests.support.nwb_factory import (
    add_trials,
    add_units,
    edited,
    imaging_file,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def session(path, *, epochs=(), epoch_columns=(), custom=None, trials=()):
    """The probe session with epochs, trials and a table of its own."""
    from pynwb.epoch import TimeIntervals

    nwb = new_session()
    add_units(nwb)
    if trials:
        add_trials(nwb, trials)
    for name in epoch_columns:
        nwb.add_epoch_column(name=name, description=name)
    for start, stop, entries in epochs:
        nwb.add_epoch(start_time=start, stop_time=stop, **entries)
    for name, rows in (custom or {}).items():
        table = TimeIntervals(name=name, description=name)
        for start, stop in rows:
            table.add_row(start_time=start, stop_time=stop)
        nwb.add_time_intervals(table)
    return save(nwb, path)


def test_trials_carry_the_condition_the_sheet_names(path):
    trials = read(probe_file(path), condition=("grating",))[0].trials
    assert list(trials.columns) == ["start_s", "stop_s", "condition", "grating"]
    assert list(trials["start_s"]) == [0.0, 2.0, 4.0, 6.0]
    assert list(trials["stop_s"]) == [1.0, 3.0, 5.0, 7.0]
    assert list(trials["condition"]) == ["left", "right", "left", "right"]


def test_several_columns_make_one_condition(path):
    rows = [
        (0.0, 1.0, {"angle": 90.0, "contrast": 0.25, "block": 3}),
        (1.0, 2.0, {"angle": 0.0, "contrast": 1.0, "block": 4}),
    ]
    trials = read(probe_file(path, trials=rows), condition=("angle", "contrast", "block"))[0].trials
    assert list(trials["condition"]) == ["90+0.25+3", "0+1+4"]


def test_a_column_may_have_the_sign_that_joins_in_its_name(path):
    rows = [(2.0 * i, 2.0 * i + 1, {"side+go": "ab"[i % 2]}) for i in range(4)]
    recording, _ = read(imaging_file(path, trials=rows), condition=("side", "go"))
    assert list(recording.trials["condition"]) == ["a", "b", "a", "b"]


def test_without_a_condition_named_trials_are_called_after_their_table(path):
    assert set(read(probe_file(path))[0].trials["condition"]) == {"trials"}


def test_a_column_called_condition_needs_no_naming(path):
    rows = [(0.0, 1.0, {"condition": "go"}), (1.0, 2.0, {"condition": "stop"})]
    trials = read(probe_file(path, trials=rows))[0].trials
    assert list(trials.columns) == ["start_s", "stop_s", "condition"]
    assert list(trials["condition"]) == ["go", "stop"]


def test_a_column_called_condition_survives_another_condition(path):
    rows = [
        (0.0, 1.0, {"condition": "go", "tone": 1}),
        (1.0, 2.0, {"condition": "stop", "tone": 2}),
    ]
    trials = read(probe_file(path, trials=rows), condition=("tone",))[0].trials
    assert list(trials["condition"]) == ["1", "2"]
    assert list(trials["condition_in_file"]) == ["go", "stop"]


def test_another_table_can_be_the_trials(path):
    recording, _ = read(
        session(path, custom={"reversals": [(1.0, 1.5), (4.0, 4.25)]}), intervals="reversals"
    )
    assert list(recording.trials["condition"]) == ["reversals", "reversals"]
    assert list(recording.trials["start_s"]) == [1.0, 4.0]


def test_every_table_of_intervals_is_kept_by_name(path):
    session(
        path,
        custom={"reversals": [(1.0, 1.5)], "licks": [(2.0, 2.1), (3.0, 3.1)]},
        trials=[(0.0, 1.0, {"tone": 5})],
    )
    recording, _ = read(path)
    assert {name: len(table) for name, table in recording.intervals.items()} == {
        "licks": 2,
        "reversals": 1,
        "trials": 1,
    }
    assert recording.intervals["trials"]["tone"].tolist() == [5]


def test_without_tables_there_are_no_trials_and_no_epochs(path):
    recording, _ = read(session(path))
    assert len(recording.trials) == 0
    assert len(recording.epochs) == 0
    assert dict(recording.intervals) == {}


def test_epochs_are_labelled_by_their_label(path):
    epochs = [(0.0, 4.0, {"label": "dark"}), (4.0, 8.0, {"label": "light"})]
    recording, _ = read(session(path, epochs=epochs, epoch_columns=["label"]))
    assert list(recording.epochs["label"]) == ["dark", "light"]


def test_epochs_are_labelled_by_their_tags_joined(path):
    epochs = [(0.0, 4.0, {"tags": ["dark", "still"]}), (4.0, 8.0, {"tags": ["light"]})]
    recording, _ = read(session(path, epochs=epochs))
    assert list(recording.epochs["label"]) == ["dark+still", "light"]
    trials = read(path, intervals="epochs")[0].trials
    assert list(trials["condition"]) == ["dark+still", "light"]


def test_epochs_are_labelled_by_their_first_text_column_else(path):
    epochs = [
        (0.0, 4.0, {"number": 1, "state": "sleep"}),
        (4.0, 8.0, {"number": 2, "state": "run"}),
    ]
    recording, _ = read(session(path, epochs=epochs, epoch_columns=["number", "state"]))
    assert list(recording.epochs["label"]) == ["sleep", "run"]


def test_a_table_that_is_not_there_is_refused_with_those_that_are(path):
    error = refusal_of(probe_file(path), intervals="licks")
    assert (error.code, error.place) == ("IN-T02", "/intervals")
    assert "trials" in error.found
    assert "'intervals'" in error.fix


def test_a_condition_that_is_not_there_is_refused_with_the_columns_that_are(path):
    error = refusal_of(probe_file(path), condition=("tone",))
    assert (error.code, error.place) == ("IN-T02", "/intervals/trials")
    assert "grating" in error.found


def test_a_condition_without_trials_is_refused(path):
    error = refusal_of(session(path, custom={"licks": [(1.0, 2.0)]}), condition=("tone",))
    assert error.code == "IN-T02"
    assert "licks" in error.found


def test_trials_without_a_time_are_left_out_and_told(path):
    rows = [(0.0, 1.0, {"tone": 1}), (np.nan, 2.0, {"tone": 2}), (2.0, 3.0, {"tone": 3})]
    recording, notes = read(probe_file(path, trials=rows))
    assert recording.trials["tone"].tolist() == [1, 3]
    assert "1 of 3 intervals has no time and was left out" in texts(notes, "repair")
    assert "IN-T13" in texts(notes, "repair")


def test_trials_that_stop_before_they_start_are_refused_with_their_rows(path):
    rows = [(0.0, 1.0, {"tone": 1}), (3.0, 2.0, {"tone": 2}), (5.0, 4.0, {"tone": 3})]
    error = refusal_of(probe_file(path, trials=rows))
    assert (error.code, error.place) == ("IN-T03", "/intervals/trials/stop_time")
    assert "2 of 3" in error.found
    assert "rows 1, 2" in error.found


def test_a_fault_in_a_table_nobody_asked_for_is_only_told(path):
    recording, notes = read(session(path, custom={"licks": [(2.0, 1.0)]}))
    assert len(recording.intervals["licks"]) == 1
    assert "1 of 1 intervals stops before it starts (row 0)" in texts(notes, "warn")
    assert "IN-T03" in texts(notes, "warn")


def test_a_table_without_times_is_left_out_and_told(path):
    session(path, custom={"licks": [(1.0, 2.0)]})
    with edited(path) as file:
        del file["/intervals/licks/stop_time"]
    recording, notes = read(path)
    assert "licks" not in recording.intervals
    assert "stop_time" in texts(notes, "warn")
    assert refusal_of(path, intervals="licks").code == "IN-T02"


def test_times_written_as_text_are_understood(path):
    rows = [(0.0, 1.0, {"tone": 1}), (2.0, 3.0, {"tone": 2})]
    probe_file(path, trials=rows)
    with edited(path) as file:
        replace_values(file, "/intervals/trials/stop_time", np.array([b"1.5", b"N/A"]))
    recording, _ = read(path)
    assert recording.trials["stop_s"].tolist() == [1.5]


def test_a_condition_is_found_by_its_name_and_told(path):
    rows = [(float(i), i + 0.5, {"tone": i, "stimulus": "ab"[i % 2]}) for i in range(4)]
    recording, notes = read(probe_file(path, trials=rows))
    assert list(recording.trials["condition"]) == ["a", "b", "a", "b"]
    assert "IN-T15" in texts(notes, "info")
    assert "'stimulus'" in texts(notes, "info")
    recording, notes = read(path, condition=("tone",))
    assert list(recording.trials["condition"]) == ["0", "1", "2", "3"]
    assert "IN-T15" not in texts(notes, "info")


def test_trials_of_which_no_column_says_what_was_shown_are_told(path):
    rows = [(float(i), i + 0.5, {"tone": i % 3, "reward": "water"}) for i in range(6)]
    told = texts(read(probe_file(path, trials=rows))[1], "info")
    assert "IN-T02" in told
    assert "tone (0, 1, 2); reward (water)" in told
    probe_file(path, trials=[(0.0, 1.0, {}), (1.0, 2.0, {})])
    warned = texts(read(path)[1], "warn")
    assert "IN-T02" in warned
    assert "none but the times" in warned
    assert texts(read(path, intervals="trials")[1], "warn") == ""


def test_odd_labels_of_conditions_are_kept_and_told(path):
    words = ["left", "Left ", "", "nan", "right", "left"]
    rows = [(float(i), i + 0.5, {"stimulus": word}) for i, word in enumerate(words)]
    recording, notes = read(probe_file(path, trials=rows))
    assert list(recording.trials["condition"]) == ["left", "Left", "", "nan", "right", "left"]
    warned = texts(notes, "warn")
    assert "IN-T08" in warned
    assert "/intervals/trials/stimulus" in warned
    assert "2 of 6 are blank" in warned
    assert "'Left ' and 'left'" in warned


def test_numbers_that_differ_by_rounding_are_one_condition(path):
    levels = [0.1, 0.1000000001, float(np.float32(0.1)), 0.2]
    rows = [(float(i), i + 0.5, {"contrast": level}) for i, level in enumerate(levels)]
    trials = read(probe_file(path, trials=rows), condition=("contrast",))[0].trials
    assert list(trials["condition"]) == ["0.1", "0.1", "0.1", "0.2"]
    assert trials["contrast"].tolist() == levels


def test_tables_in_modules_are_found_by_name_or_path(path):
    from pynwb.epoch import TimeIntervals

    nwb = new_session()
    add_units(nwb)
    module = nwb.create_processing_module("behavior", "Behaviour.")
    for name, start in (("trials", 1.0), ("bouts", 2.0)):
        table = TimeIntervals(name=name, description="Intervals.")
        table.add_row(start_time=start, stop_time=start + 1)
        module.add(table)
    add_trials(nwb, [(0.0, 1.0, {"condition": "a"})])
    save(nwb, path)
    recording, _ = read(path)
    assert sorted(recording.intervals) == ["behavior.trials", "bouts", "trials"]
    assert list(recording.trials["start_s"]) == [0.0]
    assert list(read(path, intervals="bouts")[0].trials["start_s"]) == [2.0]
    assert list(read(path, intervals="behavior.trials")[0].trials["start_s"]) == [1.0]
    by_path = read(path, intervals="/processing/behavior/trials")[0]
    assert list(by_path.trials["start_s"]) == [1.0]


def marks(path, data, timestamps, **fields):
    from pynwb.behavior import BehavioralEpochs
    from pynwb.misc import IntervalSeries

    nwb = new_session()
    add_units(nwb)
    series = IntervalSeries(name="licks", data=data, timestamps=timestamps, **fields)
    module = nwb.create_processing_module("behavior", "Behaviour.")
    module.add(BehavioralEpochs(interval_series=[series]))
    return save(nwb, path)


def test_marks_of_beginnings_and_ends_become_intervals(path):
    recording, notes = read(marks(path, [1, -1, 1, -1], [1.0, 1.5, 1.5, 3.0]))
    assert recording.intervals["licks"].to_numpy().tolist() == [[1.0, 1.5], [1.5, 3.0]]
    assert "licks" not in recording.behaviour
    assert texts(notes, "warn") == texts(notes, "repair") == ""
    assert list(read(path, intervals="licks")[0].trials["stop_s"]) == [1.5, 3.0]


def test_marks_of_several_kinds_are_told_apart(path):
    table = read(marks(path, [1, 2, -2, -1], [1.0, 2.0, 3.0, 4.0]))[0].intervals["licks"]
    assert table["kind"].tolist() == [1, 2]
    assert table[["start_s", "stop_s"]].to_numpy().tolist() == [[1.0, 4.0], [2.0, 3.0]]


def test_marks_without_a_partner_are_left_out_and_told(path):
    recording, notes = read(marks(path, [-1, 1, 1, -1, 1], [0.5, 1.0, 2.0, 3.0, 4.0]))
    assert recording.intervals["licks"].to_numpy().tolist() == [[2.0, 3.0]]
    assert "3 beginnings or ends have no partner" in texts(notes, "repair")
    with edited(path) as file:
        replace_values(file, "/processing/behavior/BehavioralEpochs/licks/timestamps", np.zeros(2))
    recording, notes = read(path)
    assert "licks" not in recording.intervals
    assert "IN-T13" in texts(notes, "warn")
    assert refusal_of(path, intervals="licks").code == "IN-T13"


def test_a_recording_without_trials_says_what_there_is_instead(path):
    _, notes = read(session(path, custom={"licks": [(1.0, 2.0)]}))
    assert "IN-T01" in texts(notes, "info")
    assert "licks (1 row; columns: none but the times)" in texts(notes, "info")
    warned = texts(read(session(path))[1], "warn")
    assert "IN-T01" in warned
    assert "Tables of intervals: none. Stimuli: none." in warned


def test_trials_without_rows_are_no_trials(path):
    probe_file(path)
    with edited(path) as file:
        for name in file["/intervals/trials"]:
            values = file[f"/intervals/trials/{name}"]
            replace_values(file, f"/intervals/trials/{name}", values[:0])
    recording, notes = read(path)
    assert len(recording.trials) == 0
    assert "the table has no rows" in texts(notes, "warn")


def test_a_start_of_the_session_that_is_no_date_is_unknown_and_told(path):
    assert read(probe_file(path))[0].about.session_start.startswith("2024-05-06")
    with edited(path) as file:
        del file["/session_start_time"]
        file["/session_start_time"] = "last Tuesday"
    recording, notes = read(path)
    assert recording.about.session_start == ""
    assert "IN-T10" in texts(notes, "warn")
    assert "'last Tuesday'" in texts(notes, "warn")


def test_tags_without_rows_are_no_tags(tmp_path):
    with edited(probe_file(tmp_path / "day1.nwb")) as file:
        trials = file["/intervals/trials"]
        trials.create_dataset("tags", data="all", dtype=h5py.string_dtype())
        trials.attrs["colnames"] = [*trials.attrs["colnames"], "tags"]
    recording, _ = read(tmp_path / "day1.nwb", condition=("grating",))
    assert list(recording.trials["tags"]) == [""] * 4


@pytest.fixture
def with_events(path):
    """Trials beside tones that last, one of them of unknown length, and licks that do not."""
    from pynwb.event import DurationVectorData, EventsTable, TimestampVectorData

    with NWBHDF5IO(str(session(path, trials=[(0.0, 8.0, {"tone": 1})])), "a") as io:
        nwb = io.read()
        times = {"tones": [5.0, 1.0, 3.0], "licks": [2.0, 2.5]}
        for name, moments in times.items():
            columns = [TimestampVectorData(name="timestamp", description="When.", data=moments)]
            if name == "tones":
                lasts = [0.5, 0.25, np.nan]
                pitch = VectorData(name="pitch", description="Hz.", data=[440.0, 880.0, 440.0])
                columns += [
                    DurationVectorData(name="duration", description="How long.", data=lasts),
                    pitch,
                ]
            nwb.add_events_table(EventsTable(name=name, description=name, columns=columns))
        io.write(nwb)
    return path


def test_tables_of_events_are_intervals_of_their_duration_or_of_none(with_events):
    recording, _ = read(with_events)
    assert set(recording.intervals) == {"trials", "tones", "licks"}
    tones = recording.intervals["tones"]
    assert list(tones) == ["start_s", "stop_s", "pitch"]
    assert tones.to_numpy().tolist() == [[5, 5.5, 440], [1, 1.25, 880], [3, 3, 440]]
    licks = recording.intervals["licks"]
    assert licks["start_s"].tolist() == licks["stop_s"].tolist() == [2.0, 2.5]
    assert len(recording.trials) == 1


def test_events_can_be_the_trials(with_events):
    recording, _ = read(with_events, intervals="/events/tones", condition=("pitch",))
    assert list(recording.trials["condition"]) == ["440", "880", "440"]
    offered = {table.name: table.n_rows for table in inspect_file(with_events).intervals}
    assert offered == {"trials": 1, "tones": 3, "licks": 2}
