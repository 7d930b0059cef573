"""Scaling and alignment of points against known positions."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.embedding import aligned, classical_scaling


def apart(points):
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_points_in_a_plane_come_back():
    points = stream(0, "plane").standard_normal((12, 2))
    found, share = classical_scaling(apart(points))
    np.testing.assert_allclose(apart(found), apart(points), atol=1e-9)
    assert share.sum() == pytest.approx(1)
    assert share[0] >= share[1]


def test_signs_are_those_of_the_largest_entry():
    found, _ = classical_scaling(apart(stream(1, "signs").standard_normal((9, 3))))
    largest = np.abs(found).argmax(axis=0)
    assert (found[largest, [0, 1]] > 0).all()


def test_fewer_items_than_dimensions_leave_zeros():
    found, share = classical_scaling(np.array([[0.0, 2.0], [2.0, 0.0]]), 3)
    np.testing.assert_allclose(np.abs(found[:, 0]), [1, 1])
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-12)
    np.testing.assert_allclose(share, [1, 0, 0], atol=1e-12)
    assert classical_scaling(np.zeros((1, 1)), 2)[0].shape == (1, 2)


def test_alignment_undoes_motion_and_mirror_but_not_scale():
    points = stream(0, "align").standard_normal((10, 2))
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) @ np.diag([1, -1])
    moved = points @ turn + [3, -1]
    np.testing.assert_allclose(aligned(moved, points), points, atol=1e-9)
    centre = points.mean(axis=0)
    np.testing.assert_allclose(
        aligned(2 * moved, points), centre + 2 * (points - centre), atol=1e-9
    )
