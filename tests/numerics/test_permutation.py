"""P values against counts by hand, and their adjustment against worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.permutation import CORRECTIONS, adjusted, largest_p_values, p_values


def test_draws_as_large_count_and_so_does_the_observation():
    null = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    np.testing.assert_allclose(p_values(np.array([1.0, 6.0]), null), [3 / 4, 1 / 4])


def test_equal_up_to_rounding_is_equal():
    assert p_values(np.float64(0.3), np.array([0.1 + 0.2 - 1e-16, 0.0])) == pytest.approx(2 / 3)


def test_missing_draws_count_against_and_missing_observations_are_not_tested():
    p = p_values(np.array([1.0, np.nan]), np.array([[np.nan, 0.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(p, [2 / 3, np.nan])


def test_the_largest_of_each_draw_is_the_null_of_all():
    null = np.array([[0.0, 3.0], [2.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(largest_p_values(np.array([1.0, 2.5]), null), [3 / 4, 2 / 4])
    # A missing test takes its draws with it.
    found = largest_p_values(np.array([1.0, np.nan]), null)
    np.testing.assert_array_equal(found, [2 / 4, np.nan])


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("none", [0.01, 0.04, 0.03, 0.5]),
        ("bonferroni", [0.04, 0.16, 0.12, 1.0]),
        ("holm", [0.04, 0.09, 0.09, 0.5]),
        ("bh", [0.04, 4 / 75, 4 / 75, 0.5]),
    ],
)
def test_p_values_are_adjusted_for_their_number(correction, expected):
    np.testing.assert_allclose(adjusted(np.array([0.01, 0.04, 0.03, 0.5]), correction), expected)


def test_bh_is_that_of_scipy_and_missing_tests_do_not_count():
    from scipy.stats import false_discovery_control

    p = stream(0, "bh").random(30)
    np.testing.assert_allclose(adjusted(p), false_discovery_control(p))
    with_gap = np.append(p, np.nan).reshape(31, 1)
    np.testing.assert_allclose(adjusted(with_gap)[:30, 0], adjusted(p))


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_nothing_to_adjust_stays_nothing(correction):
    assert adjusted(np.array([]), correction).size == 0
    assert np.isnan(adjusted(np.array([np.nan]), correction)).all()


def test_an_unknown_correction_is_refused():
    with pytest.raises(ValueError, match="'fdr' is none of bh"):
        adjusted(np.array([0.1]), "fdr")
