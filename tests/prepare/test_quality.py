import dataclasses

import numpy as np
import pandas as pd

from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, Recording, SampledActivity, SpikeTrains
from pipeline.prepare.quality import grade_units


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


def test_each_fault_of_a_trace_has_its_reason():
    values = np.tile(np.arange(10.0)[:, None], (1, 5))
    values[:, 1] = 0.25
    valid = np.ones(values.shape, bool)
    valid[:, 2] = False
    valid[:6, 3] = False
    valid[:5, 4] = False
    units = grade_units(recording_of(traces(values, valid))).units
    assert list(units["reason"]) == [
        "",
        "constant trace",
        "no valid samples",
        "60% of the samples are missing",
        "",
    ]
    assert list(units["good"]) == [True, False, False, False, True]


def test_a_trace_is_constant_when_its_valid_samples_are():
    values = np.full((6, 1), 2.0)
    values[0] = 9.0
    valid = np.ones((6, 1), bool)
    valid[0] = False
    assert list(grade_units(recording_of(traces(values, valid))).units["reason"]) == [
        "constant trace"
    ]


def test_a_unit_without_spikes_is_not_used():
    spikes = SpikeTrains(
        times=np.array([1.0, 2.0, 0.5]),
        starts=np.array([0, 2, 2, 3]),
        observed=np.array([[0.0, 3.0]]),
    )
    units = grade_units(recording_of(spikes)).units
    assert list(units["good"]) == [True, False, True]
    assert list(units["reason"]) == ["", "no spikes", ""]


def test_a_unit_that_was_marked_before_keeps_its_reason():
    values = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    before = recording_of(traces(values), good=[False, False], reason=["artefact", "drift"])
    units = grade_units(before).units
    assert list(units["good"]) == [False, False]
    assert list(units["reason"]) == ["artefact", "drift"]


def test_grading_drops_no_unit_and_changes_no_number():
    values = np.zeros((5, 3))
    before = recording_of(traces(values))
    rows = before.units.copy()
    after = grade_units(before)
    assert after.activity is before.activity
    assert len(after.units) == 3
    pd.testing.assert_frame_equal(before.units, rows)
    unchanged = [field.name for field in dataclasses.fields(after) if field.name != "units"]
    assert all(getattr(after, name) is getattr(before, name) for name in unchanged)


def test_accepted_columns_of_the_file_do_not_decide():
    values = np.arange(8.0).reshape(4, 2)
    units = grade_units(recording_of(traces(values), accepted=[False, True])).units
    assert units["good"].all()
