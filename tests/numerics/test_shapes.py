"""Dimensionality and likeness of clouds against definitions and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group

from pipeline.core.rng import stream
from pipeline.numerics.shapes import (
    cross_validated_participation_ratio,
    gaussian_kernel,
    kernel_alignment,
    linear_alignment,
    n_principal,
    participation_ratio,
    procrustes_angle,
    shape_angle,
    two_neighbour_dimension,
)


def test_the_participation_ratio_counts_equal_axes():
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    assert participation_ratio(corners) == pytest.approx(3)
    assert participation_ratio(corners[:, :1]) == pytest.approx(1)
    assert np.isnan(participation_ratio(np.ones((4, 3))))


def test_noise_adds_no_dimensions_between_repeats():
    rng = stream(0, "repeats")
    signal = rng.normal(size=(200, 3)) @ ortho_group.rvs(60, random_state=1)[:3] * 2
    first, second = (signal + rng.normal(size=signal.shape) for _ in range(2))
    assert participation_ratio(first) > 5
    assert cross_validated_participation_ratio(first, second) == pytest.approx(3, rel=0.15)
    assert np.isnan(cross_validated_participation_ratio(first, -first))


def test_principal_axes_are_counted_up_to_a_share():
    points = np.concatenate([np.diag([3.0, 2, 1]), -np.diag([3.0, 2, 1])])  # shares 9, 4, 1 of 14
    assert [n_principal(points, share) for share in (0.6, 0.8, 0.95, 1)] == [1, 2, 3, 3]


def test_two_neighbours_tell_a_sheet_from_a_line():
    rng = stream(1, "sheets")
    for dimension in (1, 2, 4):
        points = rng.random((800, dimension)) @ ortho_group.rvs(10, random_state=2)[:dimension]
        found = two_neighbour_dimension(squareform(pdist(points)))
        assert found == pytest.approx(dimension, rel=0.15)
    assert np.isnan(two_neighbour_dimension(np.zeros((5, 5))))


def test_shapes_are_the_same_after_turn_shift_and_scale():
    rng = stream(2, "shapes")
    first = rng.normal(size=(15, 6))
    turned = 3 * first @ ortho_group.rvs(6, random_state=3) + 2
    assert linear_alignment(first, turned) == pytest.approx(1)
    assert linear_alignment(first, turned, unbiased=True) == pytest.approx(1)
    assert procrustes_angle(first, turned) == pytest.approx(0, abs=1e-6)
    for whitening in (0, 0.5, 1):
        assert shape_angle(first, turned, whitening=whitening) == pytest.approx(0, abs=1e-6)
    stretched = first @ rng.normal(size=(6, 6))
    assert procrustes_angle(first, stretched) > 0.1
    assert shape_angle(first, stretched, whitening=1) == pytest.approx(0, abs=1e-6)


def test_the_procrustes_angle_is_a_metric_and_the_same_on_principal_axes():
    rng = stream(3, "shapes")
    clouds = [rng.normal(size=(8, n)) for n in (3, 20, 40)]
    a, b, c = (procrustes_angle(clouds[i], clouds[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert a + b >= c
    assert a == pytest.approx(procrustes_angle(clouds[1], clouds[0]))
    one, other = (cloud - cloud.mean(axis=0) for cloud in clouds[1:])
    nuclear = np.linalg.svd(one.T @ other, compute_uv=False).sum()
    expected = np.arccos(nuclear / np.linalg.norm(one) / np.linalg.norm(other))
    assert b == pytest.approx(expected, abs=1e-9)


def test_the_unbiased_alignment_of_unrelated_clouds_is_zero_and_the_plain_one_is_not():
    rng = stream(4, "unrelated")
    plain, unbiased = [], []
    for _ in range(200):
        first, second = rng.normal(size=(10, 40)), rng.normal(size=(10, 40))
        plain.append(linear_alignment(first, second))
        unbiased.append(linear_alignment(first, second, unbiased=True))
    assert np.mean(plain) > 0.5
    assert abs(np.mean(unbiased)) < 4 * np.std(unbiased) / np.sqrt(200)


def test_gaussian_kernels_are_aligned_with_themselves():
    points = stream(5, "kernels").normal(size=(12, 4))
    kernel = gaussian_kernel(points)
    assert kernel_alignment(kernel, gaussian_kernel(5 * points)) == pytest.approx(1)
    assert np.diagonal(kernel) == pytest.approx(np.ones(12))


def test_what_has_no_shape_gives_no_number_or_is_refused():
    flat, points = np.ones((5, 3)), stream(6, "points").normal(size=(5, 3))
    assert np.isnan(linear_alignment(flat, points))
    assert np.isnan(procrustes_angle(flat, points))
    with pytest.raises(ValueError, match="4 are needed"):
        linear_alignment(points[:3], points[:3], unbiased=True)
    with pytest.raises(ValueError, match="no width"):
        gaussian_kernel(flat)
    with pytest.raises(ValueError, match="within"):
        shape_angle(points, points, whitening=2)
