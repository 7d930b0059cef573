import itertools

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.prepare.quality import sample as module
from pipeline.prepare.quality.sample import (
    Sample,
    noise_sd,
    plateau_at_top,
    rises,
    sorted_quantiles,
    tenths_baselines,
)
from tests.support.small_recordings import sampled


def sample_of(activity, *, cuts=()):
    """The sample of a recording that is given in blocks."""
    found = Sample.empty(activity.time.size, activity.n_units)
    for start, stop in itertools.pairwise([0, *cuts, activity.time.size]):
        own = slice(start, stop)
        found.take(activity.values[own], activity.valid[own], first_frame=start)
    return found


@pytest.fixture
def activity():
    values = stream(1, "sample").normal(size=(500, 7)).astype(np.float32)
    valid = stream(2, "sample").random(values.shape) > 0.1
    valid[:, 3] = False
    return sampled(values, valid=valid)


@pytest.mark.parametrize("cuts", [(), (1, 2, 300)])
def test_a_small_recording_is_taken_whole(activity, cuts):
    found = sample_of(activity, cuts=cuts)
    np.testing.assert_array_equal(found.frame, np.arange(500))
    expected = np.where(activity.valid, activity.values, np.nan).T
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize("cuts", [(), (1, 2, 3, 8, 9, 300), range(10, 500, 10)])
def test_a_large_one_is_taken_in_stretches_over_all_of_it(activity, cuts, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_BYTES", 0)
    monkeypatch.setattr(module, "STRETCH", 5)
    monkeypatch.setattr(module, "LEAST_STRETCHES", 20)
    found = sample_of(activity, cuts=cuts)
    assert found.frame.size == 100
    assert (found.frame[0], found.frame[-1]) == (0, 499)
    assert np.sum(np.diff(found.frame) != 1) == 19
    expected = np.where(activity.valid, activity.values, np.nan)[found.frame].T
    np.testing.assert_array_equal(found.values, expected)
    tenths = found.frame * 10 // 500
    assert set(tenths.tolist()) == set(range(10))


@pytest.mark.parametrize("chunk", [1, 2**21])
def test_quantiles_are_those_of_numpy(activity, chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    found = sample_of(activity)
    ordered = np.sort(found.values, axis=1)
    shares = (0.05, 0.5, 0.99)
    for row in (0, 1, 2, 4, 5, 6):
        expected = np.nanquantile(found.values[row].astype(float), shares)
        np.testing.assert_allclose(sorted_quantiles(ordered, shares)[:, row], expected, rtol=1e-6)
    assert np.isnan(sorted_quantiles(ordered, shares)[:, 3]).all()
    tenths = tenths_baselines(found)
    expected = np.nanquantile(found.values[0, 450:].astype(float), 0.2)
    assert tenths[0, 9] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(tenths[3]).all()


def test_noise_is_that_of_white_noise_and_not_of_transients_or_drift():
    rng = stream(3, "noise")
    frames = np.arange(20_000)
    noise = 0.3 * rng.normal(size=(20_000, 3))
    noise[:, 1] += 5 * np.exp(-(frames % 1000) / 100)
    noise[:, 2] += 40 * frames / frames.size
    np.testing.assert_allclose(noise_sd(sample_of(sampled(noise))), 0.3, rtol=0.03)


def test_steps_across_the_cut_between_stretches_are_no_noise(monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_BYTES", 0)
    monkeypatch.setattr(module, "STRETCH", 2)
    ramp = np.arange(1000, dtype=float)[:, None]
    found = noise_sd(sample_of(sampled(ramp)))
    assert found[0] * module.GAUSSIAN_STEP == pytest.approx(1.0)


def test_rises_are_counted_from_rest_and_within_a_stretch(monkeypatch):
    values = np.array([2, 2, 0, 2, 1, np.nan, 2, 0, 1, 2, 0, 2], dtype=np.float32)[:, None]
    activity = sampled(np.nan_to_num(values), valid=~np.isnan(values))
    levels = {"low": np.array([0.5]), "high": np.array([1.5])}
    count, frames = rises(sample_of(activity), **levels)
    assert (count[0], frames[0]) == (3, 11)
    monkeypatch.setattr(module, "SAMPLE_BYTES", 0)
    monkeypatch.setattr(module, "STRETCH", 3)
    monkeypatch.setattr(module, "LEAST_STRETCHES", 2)
    found = sample_of(activity)
    assert found.frame.tolist() == [0, 1, 2, 9, 10, 11]
    count, frames = rises(found, **levels)
    assert (count[0], frames[0]) == (1, 6)


def test_a_plateau_stands_out_from_the_coarseness_of_numbers():
    flat = np.array([0, 1, 1.5, 2, 3, 3, 3, 3, np.nan, np.nan], dtype=np.float32)
    coarse = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3], dtype=np.float32)
    constant = np.full(10, 2, dtype=np.float32)
    empty = np.full(10, np.nan, dtype=np.float32)
    assert plateau_at_top(np.stack([flat, coarse, constant, empty])).tolist() == [1, 0, 0, 0]
