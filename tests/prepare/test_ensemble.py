# ruff: noqa: PD011 (no pandas objects here)
"""The view of sampled traces against recordings made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import About, Recording, SampledActivity, SpikeTrains
from pipeline.core.rng import stream
from pipeline.prepare.config import EnsembleConfig, PrepareConfig
from pipeline.prepare.ensemble import trace_ensemble

PROVENANCE = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")


def intervals(name: str, rows: list[tuple[float, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "start_s": pd.Series([row[0] for row in rows], dtype=float),
            "stop_s": pd.Series([row[1] for row in rows], dtype=float),
            name: pd.Series([row[2] for row in rows], dtype="str"),
        }
    )


def unit_table(n_units: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_id": [f"u{index}" for index in range(n_units)],
            "region": "",
            "identity": [f"N{index}" for index in range(n_units)],
            "identity_certain": True,
            "good": True,
            "reason": "",
        }
    )


def recording_of(
    time, values, *, valid=None, units=None, activity=None, trials=(), epochs=()
) -> Recording:
    if activity is None:
        values = np.asarray(values, dtype=np.float32)
        activity = SampledActivity(
            values=values,
            valid=np.ones(values.shape, dtype=bool) if valid is None else valid,
            time=np.asarray(time, dtype=float),
            value_unit="dF/F",
            signal="dff",
        )
    return Recording(
        id="r1",
        activity=activity,
        units=unit_table(activity.n_units) if units is None else units,
        trials=intervals("condition", list(trials)),
        epochs=intervals("label", list(epochs)),
        intervals={},
        stimuli={},
        behaviour={},
        about=About(),
        provenance=PROVENANCE,
    )


def view_of(recording: Recording, **settings):
    return trace_ensemble(recording, EnsembleConfig(**settings), PROVENANCE)


def test_a_regular_recording_is_taken_as_it_is():
    values = stream(0, "regular").standard_normal((50, 3)).astype(np.float32)
    time = 7.25 + np.arange(50) / 2.2
    view = view_of(recording_of(time, values))
    np.testing.assert_allclose(view.values, values, atol=1e-6)
    np.testing.assert_allclose(view.time, time)
    assert view.valid.all()
    assert view.rate_hz == pytest.approx(2.2)


def test_jittered_samples_of_a_line_come_out_on_the_line_without_gaps():
    rng = stream(0, "jitter")
    time = np.cumsum(rng.uniform(0.55, 0.66, size=200))
    view = view_of(recording_of(time, 3 * time[:, None]))
    assert view.valid.all()
    np.testing.assert_allclose(np.diff(view.time), 1 / view.rate_hz, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(view.values)[:, 0], 3 * view.time, rtol=1e-5)


def test_only_gaps_up_to_the_limit_are_bridged():
    time = np.arange(40.0) / 2
    valid = np.ones((40, 1), dtype=bool)
    valid[5:7] = valid[20:30] = False
    values = np.where(valid, time[:, None], 1e6)
    view = view_of(recording_of(time, values, valid=valid), max_gap_s=1.0)
    assert view.valid[5:7].all()
    np.testing.assert_allclose(np.asarray(view.values)[5:7, 0], time[5:7])
    assert not view.valid[20:30].any()
    assert view.valid[19]
    assert view.valid[30]


def test_what_stands_in_missing_samples_does_not_matter():
    time = np.arange(60.0) / 3
    values = stream(0, "stored").standard_normal((60, 2))
    valid = stream(0, "missing").random((60, 2)) > 0.2
    one = view_of(recording_of(time, np.where(valid, values, -1e30), valid=valid))
    other = view_of(recording_of(time, np.where(valid, values, np.nan), valid=valid))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.valid, other.valid)


def test_lowering_the_rate_does_not_fold_fast_noise_into_slow_signals():
    time = np.arange(3000) / 30.0
    fast = np.sin(2 * np.pi * 5.9 * time)  # would alias to 0.1 Hz when read at 3 Hz
    view = view_of(recording_of(time, np.column_stack([fast, np.sin(0.6 * time)])), rate_hz=3.0)
    assert np.abs(np.asarray(view.values)[5:-5, 0]).max() < 0.1
    assert np.abs(np.asarray(view.values)[5:-5, 1]).max() > 0.9
    assert view.rate_hz == 3.0


def test_units_that_are_not_good_are_counted_and_left_out():
    units = unit_table(4)
    units.loc[1, ["good", "reason"]] = [False, "no valid samples"]
    units.loc[3, ["good", "reason"]] = [False, "no valid samples"]
    view = view_of(recording_of(np.arange(10.0), np.ones((10, 4)), units=units))
    assert view.unit.tolist() == ["u0", "u2"]
    assert view.left_out.to_dict("list") == {
        "what": ["unit"],
        "count": [2],
        "reason": ["no valid samples"],
    }


def test_uncertain_names_match_nothing():
    units = unit_table(3)
    units.loc[1, "identity_certain"] = False
    view = view_of(recording_of(np.arange(10.0), np.ones((10, 3)), units=units))
    assert view.identity.tolist() == ["N0", "", "N2"]


def test_trials_come_before_epochs_and_are_sorted():
    epochs = [(0.0, 9.0, "light")]
    trials = [(5.0, 6.0, "b"), (1.0, 2.0, "a")]
    both = recording_of(np.arange(10.0), np.ones((10, 1)), trials=trials, epochs=epochs)
    assert view_of(both).epochs["label"].tolist() == ["a", "b"]
    alone = recording_of(np.arange(10.0), np.ones((10, 1)), epochs=epochs)
    assert view_of(alone).epochs["label"].tolist() == ["light"]


def test_spikes_are_not_applicable_and_say_why():
    spikes = SpikeTrains(
        times=np.array([0.5, 1.0]), starts=np.array([0, 2]), observed=np.array([[0.0, 2.0]])
    )
    with pytest.raises(NotApplicable, match=r"needs sampled traces; recording r1 holds spike"):
        view_of(recording_of(None, None, activity=spikes))


def test_without_a_usable_unit_the_reasons_are_counted():
    units = unit_table(2)
    units["good"] = False
    units["reason"] = ["flat", "flat"]
    with pytest.raises(NotApplicable, match=r"None of the 2 units .* 2 flat"):
        view_of(recording_of(np.arange(10.0), np.ones((10, 2)), units=units))


def test_a_rate_too_low_for_the_recording_is_refused():
    with pytest.raises(NotApplicable, match=r"lasts 9 s, which is less than two frames at 0\.05"):
        view_of(recording_of(np.arange(10.0), np.ones((10, 2))), rate_hz=0.05)


def test_rates_at_or_below_zero_are_refused_by_the_settings():
    with pytest.raises(ValueError, match="greater than 0"):
        PrepareConfig.model_validate({"ensemble": {"rate_hz": 0.0}})


def trains_of(*trains, observed=((0.0, 20.0),), own=None) -> SpikeTrains:
    return SpikeTrains(
        times=np.concatenate([np.asarray(one, dtype=float) for one in trains]),
        starts=np.cumsum([0, *(len(one) for one in trains)]),
        observed=np.array(observed, dtype=float),
        unit_observed=None if own is None else np.concatenate(own),
        unit_observed_starts=None if own is None else np.cumsum([0, *(len(one) for one in own)]),
    )


def test_a_single_spike_becomes_a_gaussian_of_area_one():
    spikes = trains_of([10.3], [])
    view = view_of(recording_of(None, None, activity=spikes), rate_sigma_s=0.5)
    assert (view.rate_hz, view.signal, view.value_unit) == (4.0, "rate", "spikes/s")
    expected = np.exp(-(((view.time - 10.3) / 0.5) ** 2) / 2) / (0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(view.values[:, 0], expected, atol=1e-5)
    assert view.values.sum(axis=0) / view.rate_hz == pytest.approx([1.0, 0.0], abs=1e-4)
    assert view.valid.all()


def test_regular_spikes_have_their_rate_up_to_the_edges_of_what_was_observed():
    regular = np.arange(0.05, 30, 0.1)
    seen = (regular < 8) | (regular > 15)
    spikes = trains_of(regular[seen], observed=((0.0, 8.0), (15.0, 30.0)))
    view = view_of(recording_of(None, None, activity=spikes), rate_sigma_s=0.5)
    inside = (view.time <= 8) | (view.time >= 15)
    np.testing.assert_array_equal(view.valid[:, 0], inside)
    np.testing.assert_allclose(view.values[inside, 0], 10.0, rtol=1e-3)
    assert (view.values[~inside] == 0).all()


def test_units_have_their_own_times_of_observation():
    own = [np.array([[0.0, 5.0]]), np.array([[0.0, 20.0]])]
    spikes = trains_of([1.0, 2.0], [3.0, 18.0], own=own)
    view = view_of(recording_of(None, None, activity=spikes), rate_sigma_s=0.5, rate_hz=10.0)
    assert view.rate_hz == 10.0
    np.testing.assert_array_equal(view.valid[:, 0], view.time <= 5 + 1e-9)
    assert view.valid[:, 1].all()


def with_classes(*classes: str) -> pd.DataFrame:
    return unit_table(len(classes)).assign(neuron_class=list(classes), kind="x")


def test_units_are_chosen_by_their_class():
    values = stream(0, "classes").standard_normal((50, 4)).astype(np.float32)
    units = with_classes("sensory", "motor", "inter", "sensory")
    units.loc[3, ["good", "reason"]] = [False, "too noisy"]
    recording = recording_of(np.arange(50) / 2.0, values, units=units)
    view = view_of(recording, classes=["inter", "sensory"])
    assert view.unit.tolist() == ["u0", "u2"]
    np.testing.assert_array_equal(view.values, values[:, [0, 2]])
    counts = dict(zip(view.left_out["reason"], view.left_out["count"], strict=True))
    assert counts == {"class not chosen": 1, "too noisy": 1}
    assert view_of(recording).unit.tolist() == ["u0", "u1", "u2"]
    assert view_of(recording, classes=["x"], class_column="kind").unit.size == 3


def test_units_of_spikes_are_chosen_by_their_class():
    trains = trains_of(np.arange(0.1, 20, 0.5), np.arange(0.2, 20, 0.7))
    recording = recording_of(None, None, activity=trains, units=with_classes("FS", "RS"))
    view = view_of(recording, classes=["RS"], rate_sigma_s=0.25)
    assert view.unit.tolist() == ["u1"]
    assert view.left_out["reason"].tolist() == ["class not chosen"]


def test_classes_that_are_not_there_are_told_with_those_that_are():
    values = np.ones((50, 2), dtype=np.float32)
    time = np.arange(50) / 2.0
    with pytest.raises(NotApplicable, match="no such column; it has unit_id, region"):
        view_of(recording_of(time, values), classes=["inter"])
    units = with_classes("motor", "sensory")
    with pytest.raises(NotApplicable, match="there are 1 of 'motor', 1 of 'sensory'"):
        view_of(recording_of(time, values, units=units), classes=["inter"])
