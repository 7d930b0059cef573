"""Derivatives of gappy series against lines, parabolas and hand-made gaps."""

from __future__ import annotations

import numpy as np

from pipeline.core.rng import stream
from pipeline.numerics.derivative import bridge_short_gaps, gaussian_derivative, runs


def test_runs_are_found_with_their_ends():
    flags = np.array([True, True, False, True, False, False, True])
    assert runs(flags).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert runs(np.zeros(3, dtype=bool)).size == 0


def test_a_gap_of_the_allowed_length_is_bridged_and_a_longer_one_is_not():
    values = np.arange(12.0)[:, None]
    valid = np.ones((12, 1), dtype=bool)
    valid[2:4] = valid[6:9] = False
    filled, known = bridge_short_gaps(np.where(valid, values, 99.0), valid, 2)
    assert known[2:4].all()
    assert not known[6:9].any()
    np.testing.assert_allclose(filled[known[:, 0]], values[known[:, 0]])


def test_gaps_at_the_ends_stay_missing():
    valid = np.array([[False], [True], [True], [False]])
    _, known = bridge_short_gaps(np.ones((4, 1)), valid, 3)
    assert known[:, 0].tolist() == [False, True, True, False]


def test_the_derivative_of_a_line_is_its_slope_away_from_the_edges():
    rate_hz = 4.0
    values = (2.5 * np.arange(80) / rate_hz)[:, None]
    slope, known = gaussian_derivative(
        values, np.ones((80, 1), dtype=bool), sigma_frames=3.0, rate_hz=rate_hz
    )
    assert known.all()
    np.testing.assert_allclose(slope[12:-12], 2.5, rtol=1e-3)  # kernel is cut at four widths


def test_a_stretch_between_gaps_is_filtered_as_if_it_were_alone():
    values = stream(0, "stretches").standard_normal((60, 1))
    valid = np.ones((60, 1), dtype=bool)
    valid[25:30] = False
    whole, known = gaussian_derivative(values, valid, sigma_frames=2.0, rate_hz=1.0)
    alone, _ = gaussian_derivative(
        values[30:], np.ones((30, 1), dtype=bool), sigma_frames=2.0, rate_hz=1.0
    )
    np.testing.assert_array_equal(whole[30:], alone)
    assert not known[25:30].any()


def test_stretches_below_three_samples_have_no_derivative():
    valid = np.array([True, True, False, True, True, True, False])[:, None]
    _, known = gaussian_derivative(np.ones((7, 1)), valid, sigma_frames=1.0, rate_hz=1.0)
    assert known[:, 0].tolist() == [False, False, False, True, True, True, False]
