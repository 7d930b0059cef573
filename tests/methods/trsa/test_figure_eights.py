"""Four figure eights: twins of geometry under distances, of topology under paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from benchmarks.trsa_figure_eights import (
    LEVELS,
    MEASURED,
    SHAPES,
    TURN_DEG,
    WAIST,
    distances,
    figure_eight,
    likeness,
    nearest_twin,
    statistics,
    table,
)
from pipeline.core.rng import stream
from pipeline.methods.trsa.geodesics import two_step
from pipeline.methods.trsa.transforms import geo_topological
from pipeline.numerics.dissimilarity import squared_form

DISSIMILARITIES, TRANSFORMED, PATHS = range(3)


def test_shapes_are_what_their_names_say():
    flat, turned = figure_eight(0, 0), figure_eight(TURN_DEG, 0)
    assert np.ptp(flat[:, 2]) == 0 < np.ptp(turned[:, 2])
    np.testing.assert_allclose(pdist(flat[:25]), pdist(turned[:25]))
    np.testing.assert_allclose(pdist(flat[25:]), pdist(turned[25:]))
    np.testing.assert_allclose(  # on the lemniscate of Gerono, whose strands cross
        flat[:, 1] ** 2, flat[:, 0] ** 2 * (1 - flat[:, 0] ** 2), atol=1e-12
    )
    middle = np.abs(figure_eight(0, WAIST)[[0, 24, 25, 49], 1])
    assert middle.min() > 0.95 * WAIST


def test_distances_tell_twins_of_geometry_and_transform_and_paths_those_of_topology():
    alike = likeness(statistics())
    assert nearest_twin(alike, "geometry").tolist() == [1, 0, 0]
    assert nearest_twin(alike, "topology").tolist() == [0, 1, 1]


def test_paths_are_those_of_one_ring_or_of_two():
    far = two_step(
        np.stack([distances(figure_eight(*shape)) for shape in SHAPES.values()]), LEVELS
    ).values[:, 0]
    # Across the waist one strand is near the other only where they meet.
    across = squared_form(far)[:, 0, 24]
    longest = far.max(axis=1)
    assert (across[[0, 2]] < 0.2 * longest[[0, 2]]).all()
    assert (across[[1, 3]] > 0.8 * longest[[1, 3]]).all()


def test_twins_are_found_under_little_noise():
    drawn = [likeness(statistics(0.01, seed)) for seed in range(20)]
    assert np.mean([nearest_twin(one, "geometry")[DISSIMILARITIES] for one in drawn]) == 1
    assert np.mean([nearest_twin(one, "topology")[TRANSFORMED] for one in drawn]) > 0.8
    assert np.mean([nearest_twin(one, "topology")[PATHS] for one in drawn]) > 0.95


def test_order_of_conditions_and_size_do_not_matter():
    points = figure_eight(TURN_DEG, WAIST)
    order = stream(0, "order").permutation(len(points))
    apart, moved = distances(points), 3 * distances(points[order])
    for made in (
        lambda rows: geo_topological(rows, LEVELS)[0],
        lambda rows: two_step(rows, LEVELS).values[0],
    ):
        expected = squared_form(made(apart))[np.ix_(order, order)]
        np.testing.assert_allclose(squared_form(made(moved)), expected, atol=1e-9)


@pytest.mark.slow
def test_the_document_has_the_numbers_that_come_out():
    document = Path(__file__).resolve().parents[3] / "docs/trsa_shapes.md"
    written = document.read_text(encoding="utf-8").partition(MEASURED)[2]
    assert written.split("\n")[2:7] == table(1)[:5]
