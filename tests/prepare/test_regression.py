# ruff: noqa: PD011 (no pandas objects here)
"""Global mean and behaviour taken out of traces."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, BehaviourSeries, Recording, SampledActivity, SpikeTrains
from pipeline.core.rng import stream
from pipeline.prepare import grid_traces
from pipeline.prepare.config import EnsembleConfig
from pipeline.prepare.ensemble import trace_ensemble
from pipeline.prepare.regression import Regressors, with_global_mean, without

PROVENANCE = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")
TIME = np.arange(400) / 4.0


def regressors(*courses) -> Regressors:
    names = np.array([f"r{index}" for index in range(len(courses))], dtype=np.str_)
    return Regressors(name=names, course=np.stack(courses, axis=1))


def recording_of(activity, behaviour=()) -> Recording:
    nothing = {"start_s": pd.Series([], dtype=float), "stop_s": pd.Series([], dtype=float)}
    n_units = activity.n_units
    return Recording(
        id="r1",
        activity=activity,
        units=pd.DataFrame(
            {
                "unit_id": [f"u{index}" for index in range(n_units)],
                "region": "",
                "identity": "",
                "identity_certain": False,
                "good": True,
                "reason": "",
            }
        ),
        trials=pd.DataFrame({**nothing, "condition": pd.Series([], dtype="str")}),
        epochs=pd.DataFrame({**nothing, "label": pd.Series([], dtype="str")}),
        intervals={},
        stimuli={},
        behaviour=dict(behaviour),
        about=About(),
        provenance=PROVENANCE,
    )


def sampled(values, valid=None) -> SampledActivity:
    values = np.asarray(values, dtype=np.float32)
    return SampledActivity(
        values=values,
        valid=np.ones(values.shape, dtype=bool) if valid is None else valid,
        time=TIME[: len(values)],
        value_unit="dF/F",
        signal="dff",
    )


def series(values, time=TIME) -> BehaviourSeries:
    values = np.asarray(values, dtype=float)
    return BehaviourSeries(values=values.reshape(len(time), -1), time=time, value_unit="m/s")


def view_of(recording: Recording, **settings):
    return trace_ensemble(recording, EnsembleConfig(**settings), PROVENANCE)


def test_multiples_are_taken_out_exactly_and_the_rest_and_the_level_stay():
    slow, fast = np.sin(TIME * 0.5 * np.pi), np.sin(TIME * 2 * np.pi)  # orthogonal over 100 s
    traces = np.stack([5 + 3 * slow + fast, 2 - 4 * slow, np.full(TIME.size, 7.0)], axis=1)
    found = without(traces, np.ones(traces.shape, dtype=bool), regressors(slow))
    np.testing.assert_allclose(
        found.values, np.stack([5 + fast, np.full(TIME.size, 2.0), traces[:, 2]], axis=1), atol=1e-6
    )
    np.testing.assert_allclose(found.explained, [0.9, 1.0, np.nan])
    assert found.valid.all()


def test_two_regressors_that_are_alike_are_taken_out_once():
    slow = np.sin(TIME)
    rng = stream(0, "alike")
    traces = rng.standard_normal((TIME.size, 2))
    valid = np.ones(traces.shape, dtype=bool)
    once = without(traces, valid, regressors(slow))
    again = without(traces, valid, regressors(slow, 3 * slow + 1, np.ones(TIME.size)))
    np.testing.assert_allclose(once.values, again.values, atol=1e-5)


def test_frames_without_a_regressor_are_missing_and_what_stands_there_does_not_matter():
    rng = stream(0, "missing")
    traces = rng.standard_normal((TIME.size, 3))
    valid = rng.random(traces.shape) < 0.8
    course = np.where(TIME < 20, np.nan, rng.standard_normal(TIME.size))
    found = without(traces, valid, regressors(course))
    other = without(np.where(valid, traces, np.nan), valid, regressors(course))
    np.testing.assert_array_equal(found.values, other.values)
    np.testing.assert_array_equal(found.valid, valid & (TIME >= 20)[:, None])
    fit = np.polyfit(course[found.valid[:, 0]], traces[found.valid[:, 0], 0], 1)[0]
    left = found.values[found.valid[:, 0], 0] - traces[found.valid[:, 0], 0]
    assert np.polyfit(course[found.valid[:, 0]], left, 1)[0] == pytest.approx(-fit, abs=1e-5)
    # A unit of which almost nothing is left has nothing.
    few = np.zeros(valid.shape, dtype=bool)
    few[100:102] = True
    assert not without(traces, few, regressors(course)).valid.any()


def test_the_global_mean_counts_every_trace_alike():
    one, other = np.sin(TIME * np.pi), np.cos(TIME * np.pi)
    traces = np.stack([100 * one + 50, 0.1 * other, np.full(TIME.size, 9.0)], axis=1)
    bands = [(part, np.ones(part.shape, dtype=bool)) for part in (traces[:, :1], traces[:, 1:])]
    found = with_global_mean(regressors(TIME), iter(bands))
    assert found.name.tolist() == ["global_mean", "r0"]
    np.testing.assert_allclose(found.course[:, 0], (one + other) / np.sqrt(2), atol=1e-6)
    np.testing.assert_array_equal(found.course[:, 1], TIME)


def test_independent_units_turn_against_each_other_when_their_mean_is_taken_out():
    rng = stream(0, "turned")
    values = rng.standard_normal((400, 5))
    found = view_of(recording_of(sampled(values)), regress_out=["global_mean"]).values
    correlation = np.corrcoef(found.T)[np.triu_indices(5, 1)]
    assert correlation.mean() == pytest.approx(-1 / 4, abs=0.02)


def test_a_common_drive_goes_and_a_planted_pair_stays():
    rng = stream(0, "drive")
    drive, shared = np.cumsum(rng.standard_normal((2, 400)), axis=1) / 5
    values = drive[:, None] + 0.3 * rng.standard_normal((400, 20))
    values[:, :2] += shared[:, None]
    view = view_of(recording_of(sampled(values)), regress_out=["global_mean"])
    before, after = np.corrcoef(values.T), np.corrcoef(view.values.T)
    others = np.triu_indices(18, 1)
    assert np.median(before[2:, 2:][others]) > 0.8
    assert abs(np.median(after[2:, 2:][others])) < 0.2
    assert after[0, 1] > 0.8
    assert "the mean of all units (9" in view.regressed


def test_behaviour_is_taken_out_by_its_name():
    rng = stream(0, "behaviour")
    speed = np.repeat(rng.standard_normal(100), 4)
    fine = np.repeat(speed, 5)
    values = np.stack([2 * speed + 1, rng.standard_normal(400)], axis=1)
    behaviour = {
        "speed": series(fine, np.arange(2000) / 20.0 - 0.1),
        "posture": series(rng.standard_normal((400, 2))),
    }
    recording = recording_of(sampled(values), behaviour)
    view = view_of(recording, regress_out=["speed"])
    np.testing.assert_allclose(view.values[view.valid[:, 0], 0], 1 + 2 * speed.mean(), atol=1e-5)
    assert view.regressed.startswith("speed (")
    both = view_of(recording, regress_out=["speed", "posture[1]", "global_mean"])
    assert both.regressed.startswith("the mean of all units and speed and posture[1] (")
    with pytest.raises(NotApplicable, match=r"names posture, which .* has speed, posture\[0\]"):
        view_of(recording, regress_out=["posture"])


def test_nothing_is_taken_out_unless_asked_for():
    values = stream(0, "off").standard_normal((400, 3)).astype(np.float32)
    view = view_of(recording_of(sampled(values)))
    np.testing.assert_array_equal(view.values, values)
    assert view.regressed is None


def test_the_size_and_level_of_one_trace_change_no_other():
    values = stream(0, "scale").standard_normal((400, 4))
    scaled = values * [1, 1, 50, 1] + [0, 0, 7, 0]
    one, other = (
        view_of(recording_of(sampled(each)), regress_out=["global_mean"]).values
        for each in (values, scaled)
    )
    np.testing.assert_allclose(other[:, [0, 1, 3]], one[:, [0, 1, 3]], atol=1e-5)
    np.testing.assert_allclose(other[:, 2], 50 * one[:, 2] + 7, atol=1e-3)


def test_views_that_are_made_piece_by_piece_are_the_same(monkeypatch):
    rng = stream(0, "pieces")
    values, valid = rng.standard_normal((400, 7)), rng.random((400, 7)) < 0.95
    recording = recording_of(sampled(values, valid), {"speed": series(rng.standard_normal(400))})
    wanted = {"regress_out": ["global_mean", "speed"], "max_gap_s": 0.0}
    whole = view_of(recording, **wanted)
    monkeypatch.setattr(grid_traces, "BLOCK_BYTES", 4 * 400 * 2)
    monkeypatch.setattr(grid_traces, "KEPT_BYTES", 1)
    pieces = view_of(recording, **wanted)
    assert not isinstance(pieces.values, np.ndarray)
    np.testing.assert_allclose(pieces.values[:], whole.values, atol=1e-6)
    np.testing.assert_array_equal(pieces.valid[:], whole.valid)
    assert pieces.regressed == whole.regressed


def test_rates_of_spikes_lose_what_is_taken_out():
    rng = stream(0, "rates")
    times = [np.sort(rng.uniform(0, 40, 200)) for _ in range(3)]
    trains = SpikeTrains(
        times=np.concatenate(times),
        starts=np.array([0, 200, 400, 600]),
        observed=np.array([[0.0, 40.0]]),
    )
    view = view_of(recording_of(trains), regress_out=["global_mean"], rate_sigma_s=0.5)
    plain = view_of(recording_of(trains), rate_sigma_s=0.5)
    spread = (plain.values - plain.values.mean(axis=0)) / plain.values.std(axis=0)
    correlation = np.corrcoef(spread.mean(axis=1), view.values.T)[0, 1:]
    np.testing.assert_allclose(correlation, 0, atol=1e-5)
