"""Speeds and affinities against the recorded reference and against worked numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.connectome.affinity import shifted, speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.pair_affinity import pair_affinity

GOLDEN = Path(__file__).resolve().parents[2] / "data" / "golden" / "tensor_connectome"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "traces_small.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def golden_speeds(golden):
    config = ConnectomeConfig(
        sigma_s=float(golden["param_sigma_s"]),
        max_gap_s=float(golden["param_max_gap_s"]),
        quantile=float(golden["param_q"]),
        theta=float(golden["param_theta"]),
    )
    return [
        speeds_of(trace.T, rate_hz=float(golden["fs"]), config=config) for trace in golden["traces"]
    ]


def speeds_of(values, *, valid=None, rate_hz=4.0, config=None):
    known = np.ones(values.shape, dtype=bool) if valid is None else valid
    return speeds(values, known, rate_hz=rate_hz, config=config or ConnectomeConfig(theta=0.1))


def test_derivative_speed_and_scale_agree_with_the_reference(golden, golden_speeds):
    for animal, found in enumerate(golden_speeds):
        # The recorded arrays are rounded to float32, 1e-7 of values up to about 1.
        np.testing.assert_allclose(found.derivative.T, golden["derivative"][animal], atol=2e-7)
        np.testing.assert_allclose(found.speed.T, golden["speed"][animal], atol=2e-7)
        np.testing.assert_allclose(found.scale, golden["scale"][animal], rtol=1e-6)


def test_signs_agree_with_the_reference_where_the_derivative_is_not_zero(golden, golden_speeds):
    for animal, found in enumerate(golden_speeds):
        clear = np.abs(found.derivative.T) >= 1e-6
        np.testing.assert_array_equal(found.sign.T[clear], golden["sign"][animal][clear])


@pytest.mark.parametrize(
    "name", ["geometric", "geometric_same_sign", "minimum", "ratio", "interval"]
)
def test_affinities_agree_with_the_reference(golden, golden_speeds, name):
    pairs = np.stack(np.triu_indices(golden["traces"].shape[1], 1), axis=1)
    shortest = max(1, int(0.5 * float(golden["fs"]) + 0.5))
    table = np.stack(
        [
            pair_affinity(name, found.speed, found.sign, pairs, shortest=shortest)
            for found in golden_speeds
        ],
        axis=1,
    )
    frame, animal, pair = golden["probe_index"].T
    np.testing.assert_allclose(
        table[frame, animal, pair], golden[f"affinity_probe_{name}"], atol=1e-5
    )
    total = table.sum(dtype=np.float64)
    assert total == pytest.approx(float(golden[f"affinity_nansum_{name}"]), rel=1e-5)


def test_identical_traces_have_their_speed_as_affinity():
    trace = np.cumsum(stream(0, "twins").standard_normal(200))[:, None]
    found = speeds_of(np.hstack([trace, trace]))
    affinity = pair_affinity("geometric", found.speed, found.sign, np.array([[0, 1]]), shortest=1)
    np.testing.assert_allclose(affinity[:, 0], found.speed[:, 0], atol=1e-6)


@pytest.mark.parametrize(("gain", "offset"), [(1e-3, 0.0), (250.0, -4.0), (1.0, 1e3)])
def test_unit_and_offset_of_a_trace_do_not_matter(gain, offset):
    values = np.cumsum(stream(0, "scale").standard_normal((300, 4)), axis=0)
    changed = values.copy()
    changed[:, 1] = gain * changed[:, 1] + offset
    np.testing.assert_allclose(speeds_of(changed).speed, speeds_of(values).speed, atol=1e-6)


def test_time_reversed_traces_have_reversed_speeds():
    values = np.cumsum(stream(0, "reverse").standard_normal((300, 3)), axis=0)
    np.testing.assert_allclose(
        speeds_of(values[::-1]).speed, speeds_of(values).speed[::-1], atol=1e-9
    )


def test_a_flat_unit_rests_and_divides_nothing():
    values = np.cumsum(stream(0, "flat").standard_normal((100, 3)), axis=0)
    values[:, 1] = 2.0
    found = speeds_of(values, config=ConnectomeConfig())
    assert (found.speed[:, 1] == 0).all()
    assert np.isfinite(found.speed).all()
    everything_flat = speeds_of(np.ones((100, 3)), config=ConnectomeConfig())
    assert (everything_flat.speed == 0).all()


def test_noise_speed_of_white_noise_is_its_standard_deviation():
    found = speeds_of(stream(0, "noise").standard_normal((20000, 2)), config=ConnectomeConfig())
    np.testing.assert_allclose(found.noise, found.derivative.std(axis=0), rtol=0.05)
    assert not found.measurable(3.0).any()  # 99 % quantile of a half-normal is 2.58


def test_stored_values_of_missing_samples_do_not_matter():
    values = np.cumsum(stream(0, "missing").standard_normal((300, 3)), axis=0)
    valid = stream(0, "mask").random(values.shape) > 0.1
    one = speeds_of(np.where(valid, values, 1e9), valid=valid)
    other = speeds_of(np.where(valid, values, np.nan), valid=valid)
    np.testing.assert_array_equal(one.speed, other.speed)
    np.testing.assert_array_equal(one.observed, other.observed)


def test_shifted_speeds_keep_each_units_values_and_mask():
    values = np.cumsum(stream(0, "shift").standard_normal((200, 4)), axis=0)
    found = speeds_of(values)
    moved = shifted(found, stream(0, "shifts"))
    np.testing.assert_array_equal(np.sort(moved.speed, axis=0), np.sort(found.speed, axis=0))
    assert (moved.speed != found.speed).any(axis=0).all()
