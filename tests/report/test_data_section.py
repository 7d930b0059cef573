import dataclasses

import numpy as np
import pytest

from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Figure, Table
from pipeline.core.recording import SampledActivity
from pipeline.report.data_section import (
    data_section,
    missing_share,
    recording_rows,
    remarks_in_short,
)
from tests.support.small_recordings import calcium, intervals, recording, sampled, spikes

FAILURE = Outcome(
    status="failed",
    reason="truncated",
    failure={"code": "IN-F03", "found": "the file ends early", "fix": "copy it again"},
)


def table(section, name):
    (found,) = [part for part in section.body if isinstance(part, Table) and part.id == name]
    return found


def check(section, name):
    (found,) = [check for check in section.checks if check.name == name]
    return found


def test_sound_recordings_give_an_ok_section_with_one_overview_each():
    section = data_section([calcium(name="a"), spikes(name="b", subject="m2")], {})
    assert section.id == "data"
    assert section.status == "ok"
    figures = [part.id for part in section.body if isinstance(part, Figure)]
    assert figures == ["overview-a", "overview-b"]
    assert section.sentence == (
        "2 recordings (calcium and spikes) of 2 named animals, lasting 9.9 to 20 s; 6 of 6 units "
        "are used."
    )


def test_rows_count_units_trials_conditions_and_time():
    trials = intervals([(0, 1, "a"), (2, 3, "b"), (4, 5, "a")], "condition")
    calcium_row, spikes_row = recording_rows([calcium(unused=1, trials=trials), spikes()])
    assert calcium_row["units"] == 3
    assert calcium_row["units_used"] == 2
    assert calcium_row["trials"] == 3
    assert calcium_row["conditions"] == 2
    assert calcium_row["rate_hz"] == pytest.approx(10.0)
    assert calcium_row["mean_spike_rate_hz"] is None
    assert spikes_row["mean_spike_rate_hz"] == pytest.approx(5.0)
    assert spikes_row["duration_s"] == pytest.approx(20.0)


def test_units_not_used_are_listed_by_reason():
    section = data_section([calcium(n_units=10, unused=2)], {})
    unused = table(section, "units-not-used").columns
    assert unused["Reason"] == ("few valid samples",)
    assert unused["Units"] == (2,)
    assert unused["Which"] == ("u8, u9",)
    assert check(section, "Units used").status == "pass"


def test_leaving_out_many_units_is_a_warning_on_the_first_screen():
    section = data_section([calcium(n_units=10, unused=3)], {})
    assert check(section, "Units used").status == "warn"
    assert check(section, "Units used").value == "7 of 10 (70 %)"
    assert section.status == "warn"


def test_a_hundred_per_cent_means_all():
    section = data_section([calcium(n_units=300, unused=1)], {})
    assert check(section, "Units used").value == "299 of 300 (99 %)"
    assert check(data_section([calcium()], {}), "Units used").value.endswith("(100 %)")


def test_missing_samples_are_counted_in_used_units_only():
    valid = np.ones((10, 3), dtype=bool)
    valid[:, 2] = False
    valid[:2, 0] = False
    record = recording(sampled(np.ones((10, 3)), valid=valid), unused=1)
    assert missing_share([record]) == pytest.approx(2 / 20)
    assert check(data_section([record], {}), "Missing samples").status == "warn"
    assert missing_share([spikes()]) is None


def test_remarks_are_listed_with_warnings_first_and_counted():
    notes = {
        "r1": (
            Note(code="IN-C04", kind="info", place="/a", text="used as is"),
            Note(code="IN-C04", kind="repair", place="/b", text="two removed"),
            Note(code="IN-C04", kind="warn", place="/c", text="odd"),
        )
    }
    section = data_section([calcium()], notes)
    assert table(section, "notes").columns["Kind"] == ("warning", "repair", "remark")
    assert check(section, "Files as expected").value == "1 warning, 1 repair"
    assert section.status == "warn"


def test_the_check_tells_what_was_mended_and_what_is_alike_only_once():
    repairs = {
        name: (
            Note(
                code="IN-C04",
                kind="repair",
                place="/data",
                text=f"{count} samples are marked as missing.",
            ),
        )
        for name, count in (("r1", 3), ("r2", 14), ("r3", 5))
    }
    repairs["r3"] += (Note(code="IN-C04", kind="warn", place="/odd", text="The unit is unknown."),)
    assert remarks_in_short(repairs) == (
        "Warning in r3: The unit is unknown. "
        "Repaired in r1 (alike in 3 recordings): 3 samples are marked as missing."
    )
    many = {
        "r1": tuple(Note(code="IN-C04", kind="warn", place=f"/{i}", text="Odd.") for i in range(5))
    }
    assert remarks_in_short(many).count("Odd.") == 3
    assert remarks_in_short(many).endswith("And 2 remarks more.")


def test_columns_without_entries_are_left_out():
    columns = table(data_section([calcium()], {}), "recordings").columns
    assert "Trials" not in columns
    assert "Spike rate (Hz)" not in columns
    assert columns["Kind"] == ("calcium, dF/F",)


def test_a_recording_that_could_not_be_read_is_named_with_code_and_remedy():
    section = data_section([calcium()], {}, {"r2": FAILURE})
    assert check(section, "Recordings read").status == "fail"
    assert table(section, "not-read").columns["Recording"] == ("r2",)
    assert table(section, "not-read").columns["What to do"] == ("copy it again",)
    assert section.sentence.endswith("; 1 recording could not be read.")


def test_without_any_recording_the_section_has_failed_and_keeps_the_cause():
    section = data_section([], {}, {"r2": FAILURE})
    assert section.status == "failed"
    assert section.failure["code"] == "IN-F03"
    assert not [part for part in section.body if isinstance(part, Figure)]


def test_every_number_of_the_sentence_is_among_the_numbers():
    numbers = data_section([calcium(n_units=10, unused=1), spikes()], {}).numbers
    assert numbers["n_recordings"] == 2
    assert numbers["n_units"] == 13
    assert numbers["n_units_used"] == 12


def test_values_marked_as_missing_do_not_show_in_the_overview():
    record = calcium()
    assert isinstance(record.activity, SampledActivity)
    valid = record.activity.valid.copy()
    valid[40:60] = False
    wild = np.where(valid, record.activity.values, np.float32(1e9))
    hidden = dataclasses.replace(record.activity, values=wild, valid=valid)
    section = data_section([dataclasses.replace(record, activity=hidden)], {})
    (figure,) = [part for part in section.body if isinstance(part, Figure)]
    np.testing.assert_array_equal(np.isnan(figure.panels[0].values[0]), ~valid[:, 0])


def test_a_recording_left_out_is_told_with_its_reason():
    from pipeline.stages.report import left_out_note

    note = left_out_note("anaesthetised")
    assert (note.code, note.kind) == ("CF-K17", "info")
    assert "anaesthetised" in note.text
