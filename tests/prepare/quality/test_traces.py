"""Each fault planted in a simulated trace is found, and clean traces are left alone."""

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.prepare.quality import gathering, sample
from pipeline.prepare.quality.gathering import Gathering
from pipeline.prepare.quality.traces import measure_traces
from tests.support.small_recordings import sampled

RATE_HZ = 10.0
N_FRAMES = 6000


def cells(n_units, *, name, baseline=0.0, n_frames=N_FRAMES):
    """Traces with calcium transients of 1 s about a baseline, and noise of 0.1."""
    rng = stream(11, name)
    events = rng.random((n_frames, n_units)) < 0.005
    kernel = np.exp(-np.arange(50) / (1.0 * RATE_HZ))
    signal = np.stack([np.convolve(each, kernel)[:n_frames] for each in events.T], axis=1)
    return baseline + signal + 0.1 * rng.normal(size=signal.shape)


def measured(values, *, signal="dff", valid=None):
    activity = sampled(values, valid=valid, rate_hz=RATE_HZ)
    return measure_traces(dataclasses.replace(activity, signal=signal))


@pytest.mark.parametrize(
    ("signal", "baseline"), [("dff", 0.0), ("dff", 1.0), ("fluorescence", 8.0)]
)
def test_clean_traces_raise_no_alarm(signal, baseline):
    found = measured(cells(1000, name="clean", baseline=baseline), signal=signal)
    alarms = {name: int(units.sum()) for name, units in found.findings.items() if units.any()}
    assert alarms == {}
    assert found.identical == ()


def test_slowly_wandering_traces_are_seldom_called_drifting():
    """Random walks held about 0, with a time constant of a tenth of the recording."""
    rng = stream(12, "wandering")
    memory = np.exp(-1 / 600)
    slow = np.zeros((N_FRAMES, 1000))
    for frame in range(1, N_FRAMES):
        slow[frame] = memory * slow[frame - 1] + np.sqrt(1 - memory**2) * rng.normal(size=1000)
    found = measured(slow + 0.2 * rng.normal(size=slow.shape))
    assert found.findings["drifted"].mean() < 0.01
    assert not any(found.findings[name].any() for name in ("cut off", "bleached", "quiet"))


def test_numbers_are_those_of_the_trace():
    rng = stream(13, "numbers")
    values = cells(4, name="numbers")
    values[:, 3] = 0.1 * rng.normal(size=N_FRAMES)
    valid = np.ones(values.shape, bool)
    valid[:600, 0] = False
    numbers = measured(values, valid=valid).numbers
    np.testing.assert_allclose(numbers["missing"], [0.1, 0, 0, 0])
    np.testing.assert_allclose(numbers["noise"], 0.1, rtol=0.08)
    np.testing.assert_allclose(
        numbers["noise_per_sqrt_hz"][3],
        100 * np.median(np.abs(np.diff(values[:, 3].astype(np.float32)))) / np.sqrt(RATE_HZ),
        rtol=1e-5,
    )
    assert numbers["snr"][3] == pytest.approx(2.33, abs=0.15)
    assert np.all(numbers["snr"][:3] > 4)
    assert np.all(numbers["skew"][:3] > 1)
    assert abs(numbers["skew"][3]) < 0.1
    assert numbers["event_rate_hz"][3] < 0.002
    # 0.05 events a second were planted, some of them while another one lasts.
    assert np.all((numbers["event_rate_hz"][:3] > 0.03) & (numbers["event_rate_hz"][:3] < 0.06))


def test_scale_and_offset_of_a_trace_change_no_grade():
    values = cells(5, name="scale")
    one, other = measured(values), measured(0.25 * values - 4.0)
    for name in ("snr", "skew", "event_rate_hz", "drift"):
        np.testing.assert_allclose(one.numbers[name], other.numbers[name], rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(0.25 * one.numbers["noise"], other.numbers["noise"], rtol=1e-3)


def test_bleaching_of_all_is_told_from_the_change_of_one():
    values = cells(40, name="bleaching", baseline=8.0)
    fading = np.exp(-np.arange(N_FRAMES) / 8000)[:, None]
    found = measured(values * fading, signal="fluorescence")
    assert found.findings["bleached"].all()
    np.testing.assert_allclose(
        found.numbers["baseline_loss"], 1 - np.exp(-0.9 * N_FRAMES / 8000), atol=0.02
    )
    values[:, 3] *= fading[:, 0]
    found = measured(values, signal="fluorescence")
    assert not found.findings["bleached"].any()
    assert np.flatnonzero(found.findings["drifted"]).tolist() == [3]


def test_bleaching_has_no_meaning_about_zero():
    found = measured(cells(5, name="zero"))
    assert np.isnan(found.numbers["baseline_loss"]).all()
    assert "dF/F about 0" in found.not_assessed["baseline_loss"]
    found = measured(cells(5, name="zero"), signal="fluorescence")
    assert "well above 0" in found.not_assessed["baseline_loss"]
    assert "noise_per_sqrt_hz" in found.not_assessed


def test_saturation_is_found_and_coarse_numbers_are_not_taken_for_it():
    values = cells(6, name="saturation", baseline=8.0)
    values[:, 2] = np.minimum(values[:, 2], np.quantile(values[:, 2], 0.97))
    values[:, 4] = np.round(values[:, 4])
    found = measured(values, signal="fluorescence")
    assert np.flatnonzero(found.findings["cut off"]).tolist() == [2]
    assert found.numbers["at_maximum"][2] == pytest.approx(0.03, abs=0.002)


def test_a_cell_that_is_only_noise_is_found():
    values = cells(200, name="quiet")
    values[:, ::2] = 0.1 * stream(14, "quiet").normal(size=(N_FRAMES, 100))
    found = measured(values)
    assert found.findings["quiet"][::2].mean() > 0.9
    assert not found.findings["quiet"][1::2].any()


def test_duplicates_are_found_in_pairs():
    values = cells(6, name="duplicates")
    values[:, 5] = values[:, 0]
    assert measured(values).identical == ((0, 5),)


def test_constant_and_empty_traces_have_no_numbers():
    values = cells(4, name="constant")
    values[:, 1] = 0.1
    valid = np.ones(values.shape, bool)
    valid[:, 2] = False
    found = measured(values, valid=valid)
    assert np.flatnonzero(found.findings["constant"]).tolist() == [1]
    assert np.flatnonzero(found.findings["empty"]).tolist() == [2]
    for name, numbers in found.numbers.items():
        if name != "missing":
            assert np.isnan(numbers[[1, 2]]).all(), name
    assert found.numbers["missing"][2] == 1.0


def test_inferred_events_have_rates_and_no_noise():
    rng = stream(15, "events")
    values = np.where(rng.random((N_FRAMES, 3)) < 0.01, rng.gamma(2.0, size=(N_FRAMES, 3)), 0.0)
    found = measured(values, signal="events")
    onsets = np.sum((values[1:] > 0) & (values[:-1] == 0), axis=0)
    np.testing.assert_allclose(found.numbers["event_rate_hz"], onsets * RATE_HZ / N_FRAMES)
    assert {"noise", "snr", "drift", "baseline_loss", "at_maximum"} <= set(found.not_assessed)
    assert not any(units.any() for units in found.findings.values())


def test_grades_do_not_hang_on_the_size_of_blocks(monkeypatch):
    values = cells(7, name="blocks", baseline=1.0)
    values[:, 6] = values[:, 2]
    valid = stream(16, "blocks").random(values.shape) > 0.05
    valid[:, 6] = valid[:, 2]
    whole = measured(values, valid=valid)
    monkeypatch.setattr(gathering, "BLOCK_BYTES", 4 * 7 * 13)
    parts = measured(values, valid=valid)
    for name, numbers in whole.numbers.items():
        np.testing.assert_allclose(parts.numbers[name], numbers, rtol=1e-9, err_msg=name)
    assert parts.identical == whole.identical == ((2, 6),)


def test_stretches_of_a_long_recording_tell_what_all_of_it_tells(monkeypatch):
    values = cells(30, name="long", baseline=8.0, n_frames=20_000)
    values[:, :5] *= np.exp(-np.arange(20_000) / 30_000)[:, None]
    whole = measured(values, signal="fluorescence")
    monkeypatch.setattr(sample, "SAMPLE_BYTES", 0)
    some = measured(values, signal="fluorescence")
    for name in ("missing", "skew", "at_maximum"):
        np.testing.assert_array_equal(some.numbers[name], whole.numbers[name])
    for name, tolerance in (("noise", 0.1), ("snr", 0.35), ("event_rate_hz", 0.9)):
        np.testing.assert_allclose(some.numbers[name], whole.numbers[name], rtol=tolerance)
    np.testing.assert_allclose(
        some.numbers["baseline_loss"], whole.numbers["baseline_loss"], atol=0.03
    )
    for name, units in whole.findings.items():
        np.testing.assert_array_equal(some.findings[name], units, err_msg=name)


def test_what_is_overheard_while_samples_are_copied_is_what_reading_them_tells():
    values = cells(7, name="overheard", baseline=1.0)
    valid = stream(17, "overheard").random(values.shape) > 0.05
    activity = sampled(values, valid=valid, rate_hz=RATE_HZ)
    overhearing = Gathering(activity)
    source = overhearing.overheard()
    for start in range(0, N_FRAMES, 700):
        assert not overhearing.is_whole
        key = (slice(start, start + 700), slice(None))
        for name in ("valid", "values"):
            np.testing.assert_array_equal(getattr(source, name)[key], getattr(activity, name)[key])
    assert overhearing.is_whole
    told, read = measure_traces(activity, overhearing), measure_traces(activity)
    for name, numbers in read.numbers.items():
        np.testing.assert_allclose(told.numbers[name], numbers, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    "read",
    [
        lambda one: (one.values[:700], one.values[700:], one.valid[:]),
        lambda one: (one.values[:, :3], one.valid[:, :3], one.values[:, 3:], one.valid[:, 3:]),
        lambda one: (one.values[700:], one.valid[700:], one.values[:700], one.valid[:700]),
        lambda one: (one.values[:700], one.valid[:700]),
    ],
)
def test_reading_in_another_order_or_in_part_is_not_taken_for_the_whole(read):
    overhearing = Gathering(sampled(cells(4, name="part"), rate_hz=RATE_HZ))
    read(overhearing.overheard())
    assert not overhearing.is_whole


def test_what_is_read_in_another_order_is_not_kept():
    overhearing = Gathering(sampled(cells(4, name="part"), rate_hz=RATE_HZ))
    source = overhearing.overheard()
    for columns in (slice(0, 3), slice(3, None)):  # as a file is read that is stored cell by cell
        _ = source.values[:, columns], source.valid[:, columns]
    assert overhearing.sample.values.size == 0  # whoever reads all again needs the memory
