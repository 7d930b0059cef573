import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError
from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, Recording, SampledActivity, SpikeTrains
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units


def unit_rows(n_units, **columns):
    return pd.DataFrame(
        {
            "unit_id": [str(unit) for unit in range(n_units)],
            "region": [""] * n_units,
            "identity": [""] * n_units,
            "identity_certain": [False] * n_units,
            "good": [True] * n_units,
            "reason": [""] * n_units,
            **columns,
        }
    )


def recording_of(activity, **columns):
    empty = pd.DataFrame({"start_s": [], "stop_s": []})
    return Recording(
        id="day1",
        activity=activity,
        units=unit_rows(activity.n_units, **columns),
        trials=empty.assign(condition=pd.Series([], dtype="str")),
        epochs=empty.assign(label=pd.Series([], dtype="str")),
        intervals={},
        stimuli={},
        behaviour={},
        about=About(),
        provenance=Provenance(
            stage="ingest", experiment="mice", package_version="0", code_digest="0"
        ),
    )


def traces(values, valid=None):
    values = np.asarray(values, dtype=np.float32)
    return SampledActivity(
        values=values,
        valid=np.ones(values.shape, bool) if valid is None else valid,
        time=np.arange(len(values)) / 10.0,
        value_unit="dF/F",
        signal="dff",
    )


def graded(activity, *, config=None, **columns):
    return grade_units(recording_of(activity, **columns), config or QualityConfig())


def by_code(notes):
    return {note.code: note for note in notes}


def test_each_fault_of_a_trace_has_its_reason():
    values = np.tile(np.arange(10.0)[:, None], (1, 5)) * np.arange(1, 6)
    values[:, 1] = 0.25
    valid = np.ones(values.shape, bool)
    valid[:, 2] = False
    valid[:6, 3] = False
    valid[:5, 4] = False
    recording, _, notes = graded(traces(values, valid))
    assert list(recording.units["reason"]) == [
        "",
        "constant trace",
        "no valid samples",
        "60 % of the samples are missing",
        "",
    ]
    assert list(recording.units["good"]) == [True, False, False, False, True]
    assert {code: note.kind for code, note in by_code(notes).items()} == {
        "IN-C03": "repair",
        "IN-C06": "repair",
    }
    assert "2 of 5 units miss more than 50 %" in by_code(notes)["IN-C03"].text
    assert "(1)" in by_code(notes)["IN-C06"].text


def test_a_trace_is_constant_when_its_valid_samples_are():
    values = np.full((6, 2), 2.0)
    values[0] = 9.0
    valid = np.ones((6, 2), bool)
    valid[0, 0] = False
    recording, _, _ = graded(traces(values, valid))
    assert list(recording.units["reason"]) == ["constant trace", ""]


def test_a_recording_in_which_no_trace_varies_is_refused():
    valid = np.ones((6, 3), bool)
    valid[:, 2] = False
    with pytest.raises(DataError) as caught:
        graded(traces(np.tile([1.0, 2.0, 3.0], (6, 1)), valid))
    assert caught.value.code == "IN-C07"
    assert "2 of 3 are constant, the other 1 have no valid sample" in caught.value.found


def test_identical_traces_are_warned_about_in_pairs_and_left_as_they_are():
    values = np.random.default_rng(1).normal(size=(50, 4))
    values[:, 3] = values[:, 1]
    recording, grades, notes = graded(traces(values))
    assert recording.units["good"].all()
    note = by_code(notes)["IN-C08"]
    assert note.kind == "warn"
    assert "identical" in note.text
    assert "(1 = 3)" in note.text
    assert grades.units["remarks"] == ("", "identical to 3", "", "identical to 1")


def test_a_unit_without_spikes_is_not_used():
    spikes = SpikeTrains(
        times=np.array([1.0, 2.0, 0.5]),
        starts=np.array([0, 2, 2, 3]),
        observed=np.array([[0.0, 3.0]]),
    )
    recording, grades, _ = graded(spikes)
    assert list(recording.units["good"]) == [True, False, True]
    assert list(recording.units["reason"]) == ["", "no spikes", ""]
    assert grades.units["n_spikes"] == (2.0, 0.0, 1.0)


def test_made_up_times_are_told_and_numbers_that_need_real_ones_left_out():
    counts = np.random.default_rng(2).poisson(3.0, 200)
    times = np.concatenate([b + (np.arange(k) + 0.5) / k for b, k in enumerate(counts) if k])
    spikes = SpikeTrains(
        times=times, starts=np.array([0, times.size]), observed=np.array([[0.0, 200.0]])
    )
    _, grades, notes = graded(spikes)
    assert "evenly spread inside bins of 1 s" in by_code(notes)["IN-S20"].text
    assert grades.units["violations"] == (None,)
    assert set(grades.not_assessed) == {"violations", "contamination", "presence"}


def test_a_unit_that_was_marked_before_keeps_its_reason_and_is_not_remarked_on():
    values = np.array([[0.0, 1.0, 5.0], [1.0, 1.0, 5.0], [2.0, 1.0, 6.0]])
    recording, _, notes = graded(
        traces(values), good=[False, False, True], reason=["artefact", "drift", ""]
    )
    assert list(recording.units["good"]) == [False, False, True]
    assert list(recording.units["reason"]) == ["artefact", "drift", ""]
    assert notes == ()


def test_grading_drops_no_unit_and_changes_no_number():
    values = np.zeros((5, 3))
    values[:, 0] = np.arange(5)
    before = recording_of(traces(values))
    rows = before.units.copy()
    after, grades, _ = grade_units(before, QualityConfig())
    assert after.activity is before.activity
    assert len(after.units) == 3
    pd.testing.assert_frame_equal(before.units, rows)
    unchanged = [field.name for field in dataclasses.fields(after) if field.name != "units"]
    assert all(getattr(after, name) is getattr(before, name) for name in unchanged)
    assert {len(column) for column in grades.units.values()} == {3}
    assert grades.units["good"] == tuple(after.units["good"])


def test_accepted_columns_of_the_file_do_not_decide():
    values = np.arange(8.0).reshape(4, 2)
    recording, _, _ = graded(traces(values), accepted=[False, True])
    assert recording.units["good"].all()


def test_settings_decide_which_traces_are_used():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(2000, 3))
    values[::100, 0] += 40
    values[1::100, 0] += 20
    valid = np.ones(values.shape, bool)
    valid[:400, 2] = False
    activity = traces(values, valid)
    assert graded(activity)[0].units["good"].all()
    config = QualityConfig(max_missing=0.1, min_snr=4.0)
    recording, _, notes = graded(activity, config=config)
    assert list(recording.units["reason"]) == [
        "",
        "SNR below 4",
        "20 % of the samples are missing",
    ]
    assert "more than 10 %" in by_code(notes)["IN-C03"].text


def test_settings_decide_which_spikes_are_used():
    rng = np.random.default_rng(4)
    units = [np.sort(rng.uniform(0, 300, n)) for n in (6000, 4, 6000)]
    units[2] = np.cumsum(rng.exponential(0.04, 4000) + 0.004)
    units[2] = units[2][units[2] < 100]
    spikes = SpikeTrains(
        times=np.concatenate(units),
        starts=np.cumsum([0, *map(len, units)]),
        observed=np.array([[0.0, 300.0]]),
    )
    recording, grades, notes = graded(spikes)
    assert recording.units["good"].all()
    assert by_code(notes)["IN-S18"].kind == "warn"
    assert by_code(notes)["IN-S19"].kind == "info"
    assert grades.units["remarks"] == ("spikes of other neurons", "", "rate changes nine-fold")
    config = QualityConfig(min_spikes=10, max_contamination=0.1, min_presence=0.5)
    recording, _, _ = graded(spikes, config=config)
    assert list(recording.units["reason"]) == [
        "contamination above 0.1",
        "fewer than 10 spikes",
        "presence below 0.5",
    ]


def test_doubtful_traces_are_remarked_on_and_used():
    rng = np.random.default_rng(5)
    values = 10 + rng.normal(size=(3000, 6)) * 0.2
    values[::50] += 3
    values[:, 0] = np.minimum(values[:, 0], 10.3)
    fading = dataclasses.replace(
        traces(values * np.linspace(1, 0.5, 3000)[:, None]), signal="fluorescence"
    )
    _, grades, notes = graded(fading)
    assert by_code(notes)["IN-C40"].kind == "warn"
    assert all("bleaching" in remark for remark in grades.units["remarks"])
    recording, grades, notes = graded(traces(values))
    assert recording.units["good"].all()
    assert by_code(notes)["IN-C19"].kind == "warn"
    assert grades.units["remarks"][0].startswith("cut off at the top")
    values[:, 1] = rng.normal(size=3000)
    values[:, 2] += np.linspace(0, 20, 3000)
    _, grades, notes = graded(traces(values))
    assert {by_code(notes)[code].kind for code in ("IN-C41", "IN-C42")} == {"info"}
    assert grades.units["remarks"][1:3] == ("no activity above the noise", "slow drift")
