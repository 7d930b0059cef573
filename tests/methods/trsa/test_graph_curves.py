"""Graphs of conditions over thresholds: by hand, exact p, fair under the null, and planted ones."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.figures import figures
from pipeline.methods.trsa.graph_curves import (
    LEVELS,
    STATISTICS,
    curves,
    drawn,
    largest_excess,
    observed,
)
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.result import PartResult
from pipeline.methods.trsa.section import section
from pipeline.methods.trsa.simulate import simulate
from pipeline.numerics.dissimilarity import squared_form
from tests.methods.trsa.test_homology import trials_of, view_of
from tests.support.trsa_fits import CONFIG, PROVENANCE, fitted


def two_pairs():
    """Conditions 0 and 1 are close, so are 2 and 3, and the pairs are far apart."""
    return np.array([1.0, 10, 11, 12, 13, 2])


def graphs_of(patterns, n_draws, rng):
    template = simulate(stream(1, "holes"))[0][0]
    sample = sample_of((view_of(*trials_of(patterns, 4, rng), template),), TrsaConfig())
    made = drawn(sample, TrsaConfig(), "none", n_draws, rng)
    part = PartResult(
        name="g", graph_shuffles=made[0], graph_resamples=made[1], provenance=PROVENANCE
    )
    return observed(sample, TrsaConfig(), "none", [part])


def test_two_far_pairs_by_hand():
    found = dict(zip(STATISTICS, curves(two_pairs()), strict=True))
    at = int(np.argmin(np.abs(LEVELS - 0.3)))  # the closest two of six pairs are joined
    assert found["parts"][at] == 2
    assert found["clustering"][at] == 0
    assert found["path length"][at] == 1
    assert found["modularity"][at] == pytest.approx(0.5)
    assert (np.diff(found["parts"]) <= 0).all()
    assert found["parts"][-1] == 1


def test_curves_depend_on_ranks_and_not_on_the_order_of_conditions():
    values = stream(0, "curves").random(45)
    order = stream(1, "order").permutation(10)
    moved = squared_form(values)[np.ix_(order, order)][np.triu_indices(10, 1)]
    found = curves(np.stack([values, values**3, moved]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0, :3], found[2, :3])


def test_the_largest_excess_is_a_place_in_the_whole_set():
    """Every member of the set is treated alike: their p are their places."""
    rng = stream(2, "set")
    members = rng.normal(size=(20, 5))
    p = [largest_excess(members[at], np.delete(members, at, axis=0))[2] for at in range(20)]
    np.testing.assert_allclose(np.sort(p), np.arange(1, 21) / 20)
    excess, level, p_high = largest_excess(np.array([0.0, 9, 0, 0, 0]), members)
    assert excess > 2
    assert level == 1
    assert p_high == pytest.approx(1 / 21)
    assert np.isnan(largest_excess(np.ones(3), np.ones((4, 3)))[0])


def test_levels_that_are_not_defined_do_not_count():
    members = stream(3, "gaps").normal(size=(9, 4))
    members[3, 2] = np.nan
    whole = largest_excess(np.array([0.1, 0.2, 50, 0.3]), members)
    kept = [0, 1, 3]
    assert whole[2] == largest_excess(np.array([0.1, 0.2, 0.3]), members[:, kept])[2]


@pytest.mark.slow
def test_curves_of_independent_units_differ_as_rarely_as_they_may():
    n_sets = 40
    p = []
    for seed in range(n_sets):
        rng = stream(seed, "graphs")
        p.append(graphs_of(rng.normal(size=(10, 12)), 19, rng).tests["p"].to_numpy())
    small = np.mean(np.array(p) <= 0.1, axis=0)
    assert (small <= 0.1 + 2.5 * np.sqrt(0.1 * 0.9 / n_sets)).all()


@pytest.fixture(scope="module")
def one():
    views, _ = simulate(stream(4, "graphs"))
    config = CONFIG.model_copy(update={"n_graphs": 39})
    return views, fitted(views, config), config


def test_planted_rings_and_clusters_make_other_graphs_than_shuffled_units():
    rng = stream(5, "planted")
    angle = np.arange(24) * 2 * np.pi / 24
    ring = 3 * np.exp(2 * (np.cos(angle[:, None] - rng.uniform(0, 2 * np.pi, 40)) - 1))
    clusters = np.repeat(2 * rng.normal(size=(4, 40)), 6, axis=0)
    for patterns, highest in ((ring, "path length"), (clusters, "modularity")):
        found = graphs_of(patterns, 39, rng)
        row = found.tests.set_index("statistic").loc[highest]
        assert row["p"] == pytest.approx(1 / 40)
        assert row["excess"] > 0
        inside = (found.lower <= found.curves + 1e-9) & (found.curves <= found.upper + 1e-9)
        assert inside[np.isfinite(found.lower)].mean() > 0.6


def test_the_report_shows_graphs(one):
    views, result, config = one
    figure = figures(result, tuple(views), config)
    made = section(result, assess(result, tuple(views), config), figure, config)
    shown = {part.id for part in made.body if isinstance(part, Figure | Table)}
    assert shown >= {"graphs", "graph-tests"}
