import time

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.io.nwb.inspect import SHEET_COLUMNS, describe, inspect_file
from pipeline.io.nwb.rois import Plane
from tests.support.nwb_factory import (
    DFF,
    ROIS,
    add_units,
    edited,
    imaging_file,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def entries(contents):
    """The sheet line of the description by column, once header and line are seen to fit."""
    header, line = describe(contents, experiment="mice", recording="day1").split("\n")[-2:]
    assert tuple(header.split("\t")) == SHEET_COLUMNS
    return dict(zip(SHEET_COLUMNS, line.split("\t"), strict=True))


def test_traces_trials_and_columns_are_offered(path):
    contents = inspect_file(imaging_file(path))
    assert [(one.path, one.shape, one.rate_hz, one.kind) for one in contents.traces] == [
        (DFF, (40, 4), 5.0, "dff")
    ]
    assert contents.cells.path == ROIS
    neuron = contents.cells.columns[0]
    assert (neuron.name, neuron.n_distinct, neuron.examples) == (
        "neuron",
        3,
        ("AVAL", "AVAR", "RIML"),
    )
    assert [(table.name, table.n_rows) for table in contents.intervals] == [("trials", 4)]
    assert contents.about.subject == "mouse7"


def test_the_sheet_line_reads_the_file(path):
    line = entries(inspect_file(imaging_file(path)))
    assert line == {
        "experiment": "mice",
        "recording": "day1",
        "nwb": str(path),
        "subject": "mouse7",
        "activity": "calcium",
        "series": "",
        "intervals": "trials",
        "condition": "grating",
        "region": "",
        "identity": "neuron",
        "accepted": "",
    }
    recording, _ = read(
        path,
        activity=line["activity"],
        intervals=line["intervals"],
        condition=(line["condition"],),
        identity=line["identity"],
    )
    assert recording.trials["condition"].nunique() == 2


def test_a_file_of_units_is_offered_as_spikes(path):
    contents = inspect_file(probe_file(path))
    line = entries(contents)
    assert (line["activity"], line["region"], line["identity"]) == ("spikes", "brain_area", "")
    text = describe(contents, experiment="mice", recording="day1")
    assert "/units  3 units" in text
    assert "brain_area: 2 values, for example CA1, VISp" in text


def test_several_equal_series_are_listed_and_one_is_proposed(path):
    contents = inspect_file(imaging_file(path, series={"Fluorescence": ["red", "green"]}))
    assert entries(contents)["series"] == "/processing/ophys/Fluorescence/green"
    assert "Several series could be" in describe(contents, experiment="mice", recording="day1")


def test_a_column_of_accepted_units_is_told_and_left_to_the_user(path):
    contents = inspect_file(imaging_file(path, columns={"Accepted": [True, False, True, True]}))
    assert entries(contents)["accepted"] == ""
    text = describe(contents, experiment="mice", recording="day1")
    assert "Column 'Accepted' tells which units are accepted" in text


def test_neuropil_is_listed_and_never_proposed(path):
    imaging_file(path, series={"Fluorescence": ["F", "Fneu"]}, unit="a.u.")
    contents = inspect_file(path)
    assert [(one.path, one.kind) for one in contents.traces] == [
        ("/processing/ophys/Fluorescence/F", "fluorescence"),
        ("/processing/ophys/Fluorescence/Fneu", "background"),
    ]
    assert entries(contents)["series"] == ""


def test_conditions_are_proposed_by_name_and_never_counters(path):
    rows = [
        (float(i), i + 0.5, {"repeat": i // 4, "level": i % 2, "stim_angle": 90 * (i % 2)})
        for i in range(8)
    ]
    assert entries(inspect_file(probe_file(path, trials=rows)))["condition"] == "stim_angle"
    assert (
        entries(inspect_file(probe_file(path, trials=[(0.0, 1.0, {"repeat": 1})])))["condition"]
        == ""
    )


def test_what_was_shown_is_proposed_before_whether_and_when_anything_was(path):
    rows = [
        (
            float(i),
            i + 0.5,
            {
                "stim_present": i % 2 == 0,
                "photo_stim_period": ("none", "delay")[i // 4],
                "type": ("go", "nogo")[i % 2],
            },
        )
        for i in range(8)
    ]
    assert entries(inspect_file(probe_file(path, trials=rows)))["condition"] == "type"
    alone = [(start, stop, {"stim_present": told["stim_present"]}) for start, stop, told in rows]
    assert entries(inspect_file(probe_file(path, trials=alone)))["condition"] == "stim_present"


def test_a_table_of_its_own_is_proposed_before_epochs(path):
    from pynwb.epoch import TimeIntervals

    nwb = new_session()
    add_units(nwb)
    nwb.add_epoch(start_time=0.0, stop_time=8.0, tags=["dark", "still"])
    licks = TimeIntervals(name="licks", description="Licks.")
    for start in range(5):
        licks.add_row(start_time=float(start), stop_time=start + 0.1)
    nwb.add_time_intervals(licks)
    contents = inspect_file(save(nwb, path))
    assert entries(contents)["intervals"] == "licks"
    assert "dark+still" in describe(contents, experiment="mice", recording="day1")


def test_a_file_without_activity_says_so(path):
    contents = inspect_file(save(new_session(), path))
    words = describe(contents, experiment="mice", recording="day1")
    assert "no activity" in words
    assert "a run would refuse this file (IN-C01)" in words
    assert "\t" not in words  # there is no line that could be pasted


def no_units(file):
    for name in list(file["units"]):
        replace_values(file, f"units/{name}", file[f"units/{name}"][:0])


def no_spike_times(file):
    del file["units/spike_times"], file["units/spike_times_index"]


@pytest.mark.parametrize(
    ("make", "damage", "code"),
    [
        (probe_file, no_units, "IN-S01"),
        (probe_file, no_spike_times, "IN-S01"),
        (
            imaging_file,
            lambda file: replace_values(file, f"{DFF}/rois", np.array([0, 1, 2, 99])),
            "IN-C20",
        ),
        (
            imaging_file,
            lambda file: replace_values(file, "/intervals/trials/start_time", np.full(4, 99.0)),
            "IN-T03",
        ),
    ],
)
def test_what_a_run_would_refuse_is_told_above_the_line(path, make, damage, code):
    make(path)
    with edited(path) as file:
        damage(file)
    contents = inspect_file(path)
    words = describe(contents, experiment="mice", recording="day1")
    refused = refusal_of(path)
    assert f"As it is, a run would refuse this file ({code}):\n  {refused.place}: " in words
    assert f"{refused.found}.\n  Fix: {refused.fix}; see docs/errors.md#{code.lower()}" in words


def test_a_file_that_a_run_takes_is_not_said_to_be_refused(path):
    for make in (imaging_file, probe_file):
        assert inspect_file(make(path)).refusal is None
        path.unlink()


def test_columns_that_could_tell_trials_of_one_condition_apart_are_named(path):
    rows = [(2.0 * i, 2.0 * i + 1, {"go": i % 2 == 0, "level": 0.1 * i}) for i in range(4)]
    contents = inspect_file(imaging_file(path, trials=rows))
    assert entries(contents)["condition"] == ""
    words = describe(contents, experiment="mice", recording="day1")
    assert "All intervals of 'trials' would be of one condition." in words
    assert "one or several of: go, level" in words


def test_blanks_inside_a_name_stay_in_the_line(path):
    imaging_file(path, series={"Fluorescence": ["two  blanks", "other"]}, unit="a.u.")
    with edited(path) as file:
        del file["/processing/ophys/Fluorescence/other/rois"]
        file.move("/processing/ophys/Fluorescence/other", "/processing/ophys/Fluorescence/zother")
    line = entries(inspect_file(path))
    assert line["series"] == "/processing/ophys/Fluorescence/two  blanks"
    assert read(path, series=line["series"])[0].activity.n_units == 4


def test_a_file_with_both_kinds_says_which_comes_first(path):
    from pynwb import NWBHDF5IO

    imaging_file(path)
    with NWBHDF5IO(str(path), "a") as io:
        nwb = io.read()
        add_units(nwb)
        io.write(nwb)
    contents = inspect_file(path)
    assert contents.units == ("/units",)
    assert "traces come first" in describe(contents, experiment="mice", recording="day1")


def test_tabs_and_line_breaks_in_names_do_not_break_the_line(path):
    imaging_file(path)
    with edited(path) as file:
        del file["/general/subject/subject_id"]
        file["/general/subject/subject_id"] = "a\tb\nc"
    assert entries(inspect_file(path))["subject"] == "a b c"


def test_faults_that_only_reading_would_meet_do_not_stop_the_look(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        replace_values(file, "/intervals/trials/start_time", np.zeros(3))
        replace_values(file, f"{ROIS}/neuron", np.array([b"\xe4"] * 4))
    contents = inspect_file(path)
    assert contents.traces[0].shape == ()
    assert contents.cells is None
    assert contents.intervals == ()


def test_what_is_no_nwb_file_is_refused(path):
    path.write_text("time,cell\n")
    with pytest.raises(DataError, match="IN-F05"):
        inspect_file(path)


def test_a_large_series_is_not_read(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_dataset(f"{DFF}/data", shape=(2**28, 4), dtype="f8", chunks=(2**16, 4))
    began = time.monotonic()
    assert inspect_file(path).traces[0].shape == (2**28, 4)
    assert time.monotonic() - began < 3


def test_regions_by_electrodes_and_marks_of_intervals_are_offered(path):
    from pynwb.behavior import BehavioralEpochs
    from pynwb.misc import IntervalSeries

    nwb = new_session()
    group = nwb.create_electrode_group("shank", "Shank.", "CA1", nwb.create_device(name="probe"))
    nwb.add_electrode(location="brain_region: CA3; hemisphere: left", group=group)
    for _ in range(2):
        nwb.add_unit(spike_times=[1.0, 2.0], electrodes=[0])
    bouts = IntervalSeries(name="bouts", data=[1, -1, 1, -1], timestamps=[0.0, 1.0, 2.0, 3.0])
    module = nwb.create_processing_module("behavior", "Behaviour.")
    module.add(BehavioralEpochs(interval_series=[bouts]))
    contents = inspect_file(save(nwb, path))
    assert dict(contents.regions) == {"CA3": 2}
    assert [(table.name, table.n_rows) for table in contents.intervals] == [("bouts", 2)]
    assert "regions by their electrodes: CA3 2" in describe(
        contents, experiment="mice", recording="day1"
    )
    assert contents.suggestion["intervals"] == ""


def test_a_file_of_a_series_a_trial_is_told_in_few_lines_and_its_plane_is_read_once(
    path, monkeypatch
):
    from pipeline.io.nwb import traces

    imaging_file(path, series={"Fluorescence": [f"trial{number:03d}" for number in range(60)]})
    read = []
    monkeypatch.setattr(traces, "plane_of", lambda table: read.append(table) or Plane(name="one"))
    contents = inspect_file(path)
    # Offered, and once more where it is tried what a run would refuse.
    assert len(read) <= 2
    assert len(contents.traces) == 60
    told = describe(contents, experiment="e", recording="r")
    assert told.count("/processing/ophys/Fluorescence/trial") <= 40 + 20 + 2
    assert "... and 20 more" in told
    refusal = refusal_of(path)
    assert refusal.found.count(" (40 x 4") == 20
    assert "and 40 more" in refusal.found
