"""Agreement of clusterings against small cases counted by hand and scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.partitions import (
    adjusted_rand_index,
    coassignment,
    contingency,
    mean_agreement,
    normalised_mutual_information,
    variation_of_information,
)


def test_renamed_labels_agree_fully():
    first = np.array([0, 0, 1, 1, 2])
    assert adjusted_rand_index(first, np.array([7, 7, -1, -1, 3])) == 1.0


def test_the_index_equals_scikit_learns():
    from sklearn.metrics import adjusted_rand_score

    rng = stream(0, "ari")
    for _ in range(20):
        first, second = rng.integers(4, size=(2, 30))
        expected = adjusted_rand_score(first, second)
        assert adjusted_rand_index(first, second) == pytest.approx(expected, abs=1e-12)


def test_one_block_against_one_block_agrees():
    assert adjusted_rand_index(np.zeros(5, int), np.ones(5, int)) == 1.0


def test_different_numbers_of_items_are_refused():
    with pytest.raises(ValueError, match=r"^3 labels against 2"):
        adjusted_rand_index(np.zeros(3, int), np.zeros(2, int))


def test_coassignment_counts_how_often_items_fall_together():
    together = coassignment(np.array([[0, 0, 1], [0, 1, 1]]))
    np.testing.assert_allclose(together, [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])


def test_mean_agreement_is_over_all_pairs_of_partitions():
    partitions = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]])
    one = adjusted_rand_index(partitions[0], partitions[2])
    assert mean_agreement(partitions) == pytest.approx((1 + 2 * one) / 3)
    assert mean_agreement(partitions[:1]) == 1.0


def entropy_of(*labels):
    """Entropy in bits of the joint labels, counted with a dictionary."""
    counts = Counter(zip(*labels, strict=True))
    shares = np.array(list(counts.values())) / len(labels[0])
    return float(-(shares * np.log2(shares)).sum())


def test_variation_of_information_is_the_sum_of_conditional_entropies():
    rng = stream(0, "vi")
    for _ in range(20):
        first, second = rng.integers(0, 4, 30), rng.integers(-1, 3, 30)
        expected = 2 * entropy_of(first, second) - entropy_of(first) - entropy_of(second)
        assert variation_of_information(first, second) == pytest.approx(expected, abs=1e-12)
        assert variation_of_information(second, first) == pytest.approx(expected, abs=1e-12)
        shared = entropy_of(first) + entropy_of(second) - entropy_of(first, second)
        mean = (entropy_of(first) + entropy_of(second)) / 2
        found = normalised_mutual_information(first, second)
        assert found == pytest.approx(shared / mean, abs=1e-12)


def test_equal_partitions_are_at_no_distance_and_opposite_ones_at_the_most():
    labels = np.array([3, 3, 0, 1, 0, 1])
    assert variation_of_information(labels, labels + 7) == 0
    assert normalised_mutual_information(labels, labels) == 1
    apart, together = np.arange(8), np.zeros(8, dtype=int)
    assert variation_of_information(apart, together) == pytest.approx(3)
    assert np.isnan(normalised_mutual_information(together, together))


def test_contingency_counts_pairs_of_labels():
    first, second = np.array([5, 5, -1, 2]), np.array([0, 1, 1, 1])
    np.testing.assert_array_equal(contingency(first, second), [[0, 1], [0, 1], [1, 1]])
