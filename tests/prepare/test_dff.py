"""dF/F against percentiles taken one sample at a time, and against planted transients."""

import time

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.prepare.config import BaselineConfig, EnsembleConfig
from pipeline.prepare.dff import relative_change, running_percentile
from pipeline.prepare.ensemble import trace_ensemble
from tests.support.small_recordings import recording, sampled


def oracle(trace, clock, *, percentile, window_s):
    """The definition, one window at a time."""
    half = window_s / 2
    return np.array(
        [np.nanpercentile(trace[np.abs(clock - now) <= half + 1e-9], percentile) for now in clock]
    )


@pytest.mark.parametrize("percentile", [0, 8, 25, 50])
def test_each_sample_has_the_percentile_of_the_samples_around_it(percentile):
    rng = stream(0, "percentile")
    clock = np.arange(120) / 4.0
    traces = rng.standard_normal((120, 3))
    found = running_percentile(traces, clock, percentile=percentile, window_s=6.0)
    for unit in range(3):
        expected = oracle(traces[:, unit], clock, percentile=percentile, window_s=6.0)
        np.testing.assert_allclose(found[:, unit], expected, rtol=1e-12)


def test_windows_are_seconds_so_that_gaps_and_missing_samples_are_not_reached_over():
    rng = stream(0, "gaps")
    clock = np.cumsum(rng.uniform(0.2, 0.4, 150))
    clock[70:] += 30.0
    traces = rng.standard_normal((150, 2))
    traces[rng.random((150, 2)) < 0.2] = np.nan
    traces[70:] += 100.0
    found = running_percentile(traces, clock, percentile=10, window_s=8.0)
    for unit in range(2):
        expected = oracle(traces[:, unit], clock, percentile=10, window_s=8.0)
        np.testing.assert_allclose(found[:, unit], expected, rtol=1e-12)
    assert found[:70].max() < 50 < found[70:].min()


def test_a_window_that_holds_next_to_nothing_has_no_baseline():
    clock = np.arange(200.0)
    trace = np.full((200, 1), np.nan)
    trace[100:102] = 5.0
    trace[150:] = 2.0
    found = running_percentile(trace, clock, percentile=8, window_s=40.0)[:, 0]
    assert np.isnan(found[:131]).all()
    assert np.isfinite(found[150:]).all()


def bleaching(n_units=4, *, rate_hz=10.0, duration_s=300.0):
    """Transients of known height on a baseline that bleaches, clock, and true dF/F."""
    rng = stream(0, "bleaching")
    clock = np.arange(int(duration_s * rate_hz)) / rate_hz
    change = np.zeros((clock.size, n_units))
    for unit in range(n_units):
        for onset in rng.uniform(0, duration_s, 15):
            since = clock - onset
            change[:, unit] += np.where(since >= 0, np.exp(-np.clip(since, 0, None) / 0.8), 0)
    baseline = 200.0 * np.exp(-clock / 900.0)[:, None] * (1 + np.arange(n_units))
    return clock, baseline * (1 + change), change


def test_planted_transients_come_back_from_under_bleaching():
    clock, fluorescence, change = bleaching()
    found = relative_change(
        fluorescence.astype(np.float32),
        np.ones(fluorescence.shape, bool),
        clock,
        BaselineConfig(window_s=40.0),
    )
    assert found.defined.all()
    assert found.valid.all()
    assert np.abs(found.values - change).max() < 0.06
    for unit in range(4):
        assert np.corrcoef(found.values[:, unit], change[:, unit])[0, 1] > 0.99


@pytest.mark.parametrize("factor", [1e-9, 3.0, 1e9])
def test_the_scale_of_the_camera_does_not_matter(factor):
    clock, fluorescence, _ = bleaching()
    there = np.ones(fluorescence.shape, bool)
    one = relative_change(fluorescence.astype(np.float32), there, clock, BaselineConfig())
    other = relative_change(
        (factor * fluorescence).astype(np.float32), there, clock, BaselineConfig()
    )
    np.testing.assert_allclose(other.values, one.values, atol=2e-6)
    np.testing.assert_array_equal(other.defined, one.defined)


def test_units_and_blocks_do_not_know_of_each_other(monkeypatch):
    clock, fluorescence, _ = bleaching(5)
    there = stream(0, "there").random(fluorescence.shape) > 0.1
    values = fluorescence.astype(np.float32)
    whole = relative_change(values, there, clock, BaselineConfig())
    monkeypatch.setattr("pipeline.prepare.dff.BLOCK_BYTES", 8 * clock.size * 2)
    order = [3, 0, 4, 1, 2]
    parts = relative_change(values[:, order], there[:, order], clock, BaselineConfig())
    np.testing.assert_array_equal(parts.values, whole.values[:, order])
    np.testing.assert_array_equal(parts.valid, whole.valid[:, order])


def test_what_stands_in_missing_samples_does_not_matter():
    clock, fluorescence, _ = bleaching()
    there = stream(0, "holes").random(fluorescence.shape) > 0.3
    one = relative_change(
        np.where(there, fluorescence, np.nan).astype(np.float32), there, clock, BaselineConfig()
    )
    other = relative_change(
        np.where(there, fluorescence, -1e30).astype(np.float32), there, clock, BaselineConfig()
    )
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.valid, there)
    assert one.defined.all()


def test_a_baseline_at_zero_or_below_divides_nothing():
    clock, fluorescence, _ = bleaching(3)
    fluorescence[:, 1] -= fluorescence[:, 1].mean()
    fluorescence[: clock.size // 4, 2] = 1e-6
    found = relative_change(
        fluorescence.astype(np.float32), np.ones(fluorescence.shape, bool), clock, BaselineConfig()
    )
    assert found.defined.tolist() == [True, False, False]
    assert np.isfinite(found.values).all()
    assert not found.valid[: clock.size // 8, 2].any()
    assert found.valid[clock.size // 2 :, 2].all()
    assert (found.values[~found.valid] == 0).all()


def fluorescent(values, *, signal="fluorescence", **fields):
    """A recording of fluorescence at 10 Hz."""
    import dataclasses

    activity = sampled(values, rate_hz=10.0)
    return recording(dataclasses.replace(activity, signal=signal, value_unit="lumens"), **fields)


def view_of(what, **settings):
    config = EnsembleConfig(dff=BaselineConfig(**settings))
    return trace_ensemble(what, config, what.provenance)


def test_the_view_of_fluorescence_is_df_over_f_and_says_so():
    _, fluorescence, change = bleaching()
    view = view_of(fluorescent(fluorescence), window_s=40.0)
    assert (view.signal, view.value_unit) == ("dff", "dF/F")
    assert np.abs(view.values - change).max() < 0.06
    assert view.baseline == (
        "dF/F computed here: change relative to the 8th percentile of the trace in 40 s"
    )


@pytest.mark.parametrize(
    ("signal", "compute"), [("dff", "auto"), ("events", "always"), ("fluorescence", "never")]
)
def test_other_signals_and_a_switched_off_baseline_leave_traces_as_they_are(signal, compute):
    _, fluorescence, _ = bleaching()
    view = view_of(fluorescent(fluorescence, signal=signal), compute=compute)
    np.testing.assert_allclose(view.values, fluorescence.astype(np.float32), rtol=1e-6)
    assert (view.signal, view.value_unit, view.baseline) == (signal, "lumens", "")


def test_a_ratio_to_the_mean_is_mended_where_asked():
    _, fluorescence, _ = bleaching()
    ratio = fluorescence / fluorescence.mean(axis=0)
    asked = view_of(fluorescent(ratio, signal="dff"), compute="always")
    raw = view_of(fluorescent(fluorescence))
    np.testing.assert_allclose(asked.values, raw.values, atol=1e-5)


def test_traces_that_seem_corrected_already_are_taken_as_they_are_and_it_is_said():
    _, _, change = bleaching()
    noisy = change + 0.1 * stream(0, "noise").standard_normal(change.shape)
    view = view_of(fluorescent(noisy))
    np.testing.assert_allclose(view.values, noisy.astype(np.float32), atol=1e-6)
    assert view.signal == "fluorescence"
    assert "only 0 of 4 units have a positive baseline" in view.baseline
    with pytest.raises(NotApplicable, match=r"prepare\.ensemble\.dff\.compute"):
        view_of(fluorescent(noisy), compute="always")


def test_single_units_without_a_baseline_are_left_out_and_counted():
    _, fluorescence, _ = bleaching()
    fluorescence[:, 2] -= fluorescence[:, 2].mean()
    view = view_of(fluorescent(fluorescence))
    assert view.unit.tolist() == ["u0", "u1", "u3"]
    assert view.left_out.to_dict("list") == {
        "what": ["unit"],
        "count": [1],
        "reason": ["baseline not positive"],
    }
    assert "1 of 4 units, whose baseline is not positive, are left out" in view.baseline


def test_single_samples_without_a_baseline_can_be_marked_as_missing_instead():
    _, fluorescence, _ = bleaching()
    fluorescence[:600, 2] = 1e-6
    view = view_of(fluorescent(fluorescence), nonpositive="missing")
    assert view.unit.tolist() == ["u0", "u1", "u2", "u3"]
    assert not view.valid[:300, 2].any()
    assert view.valid[900:, 2].all()


@pytest.mark.slow
def test_a_thousand_units_take_seconds():
    values = stream(0, "many").standard_normal((20000, 1000)).astype(np.float32) + 5
    began = time.monotonic()
    relative_change(values, np.ones(values.shape, bool), np.arange(20000) / 30, BaselineConfig())
    assert time.monotonic() - began < 60
