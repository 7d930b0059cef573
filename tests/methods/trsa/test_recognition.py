"""Sensitivity and specificity against counts by hand and the published intervals."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.methods.trsa.recognition import exact_interval, sensitivity_specificity


def test_a_matrix_of_counts_by_hand():
    # Taken for: V1, V2, CA1. Of 4 V1 3 are recognised, of 5 V2 2, of 2 CA1 1.
    taken = np.array([[3, 1, 0], [2, 2, 1], [0, 1, 1]])
    counts = taken.sum(axis=1)
    sensitivity, specificity = sensitivity_specificity(taken / counts[:, None], counts)
    np.testing.assert_allclose(sensitivity, [3 / 4, 2 / 5, 1 / 2])
    # Of 7 that are not V1 2 were taken for it, of 6 not V2 2, of 9 not CA1 1.
    np.testing.assert_allclose(specificity, [5 / 7, 4 / 6, 8 / 9])


def test_many_matrices_at_once_are_each_by_itself():
    shares = np.array([[[1, 0], [0.5, 0.5]], [[0.2, 0.8], [0, 1]]])
    counts = np.array([4, 4])
    together = sensitivity_specificity(shares, counts)
    for place, one in enumerate(shares):
        for all_of, alone in zip(together, sensitivity_specificity(one, counts), strict=True):
            np.testing.assert_array_equal(all_of[place], alone)


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [
        # With no hit, (1 - p)^n = 0.025 at the upper end.
        (0.0, 5, 0.0, 1 - 0.025 ** (1 / 5)),
        (1.0, 5, 0.025 ** (1 / 5), 1.0),
        # At the ends of an interval of 1 of 2: P(>= 1) = 0.025 and P(<= 1) = 0.025.
        (0.5, 2, 1 - np.sqrt(0.975), np.sqrt(0.975)),
        (0.5, 3, np.nan, np.nan),
        (np.nan, 3, np.nan, np.nan),
    ],
)
def test_intervals_are_exact_and_of_whole_decisions_only(share, n, low, high):
    np.testing.assert_allclose(exact_interval(share, n), (low, high), atol=1e-6)
