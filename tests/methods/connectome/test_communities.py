"""Communities of graphs whose groups are known, by every method that can be named."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.rng import stream
from pipeline.methods.connectome import graph_tool
from pipeline.methods.connectome.communities import (
    concentration,
    find_communities,
    graph,
    modularity,
    second_opinion,
)
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.numerics.partitions import adjusted_rand_index
from tests.support.needed import need_graph_tool

GROUPS = np.repeat([0, 1, 2, 3], [8, 6, 5, 11])
"""Three groups that are tied inside, and background."""


def tied_groups(rng):
    """Log-normal strengths, large inside three groups and small elsewhere."""
    same = (GROUPS[:, None] == GROUPS[None, :]) & (GROUPS[:, None] < 3)
    weights = np.where(same, 1.0, 0.15) * np.exp(0.3 * rng.standard_normal(same.shape))
    weights = np.triu(weights, 1)
    return weights + weights.T


def by(method, weights, **settings):
    config = ConnectomeConfig(communities=method, n_partitions=30, **settings)
    return find_communities([weights], config, rng=stream(0, "communities"))[0]


@pytest.mark.parametrize("method", ["block_model", "graph_tool"])
def test_tied_groups_are_communities_and_the_rest_is_background(method):
    if method == "graph_tool":
        need_graph_tool()
    found = by(method, tied_groups(stream(0, "tied")))
    assert found.label.tolist() == np.where(GROUPS < 3, GROUPS, -1).tolist()
    assert adjusted_rand_index(found.levels[0], GROUPS) == 1.0
    assert found.structured
    assert found.saved_nats > 50
    assert found.agreement > 0.9
    assert found.membership.min() > 0.8
    assert found.variant.startswith("lognormal weights")


def test_units_without_an_edge_are_in_no_group():
    weights = np.zeros((33, 33))
    weights[:30, :30] = tied_groups(stream(0, "tied"))
    found = by("block_model", weights)
    assert found.levels[0][30:].tolist() == [-1] * 3
    assert found.label[30:].tolist() == [-1] * 3
    assert found.membership[30:].tolist() == [0.0] * 3


def test_a_graph_without_groups_is_one_community_and_no_finding():
    rng = stream(1, "noise")
    weights = np.triu(np.exp(0.3 * rng.standard_normal((20, 20))), 1)
    found = by("block_model", weights + weights.T)
    assert not found.structured
    assert set(found.label) == {0}
    assert found.concentration == 0.0
    assert found.saved_nats == 0.0


def test_a_doubtful_unit_is_in_no_community():
    # One unit tied to two groups alike is drawn into either.
    weights = np.full((13, 13), 0.1)
    weights[:6, :6] = weights[6:12, 6:12] = weights[12, :12] = weights[:12, 12] = 1.0
    np.fill_diagonal(weights, 0)
    rng = stream(2, "doubt")
    noise = np.triu(np.exp(0.3 * rng.standard_normal(weights.shape)), 1)
    found = by("block_model", weights * (noise + noise.T))
    firm = found.membership >= 0.5
    np.testing.assert_array_equal(found.label[~firm], -1)
    assert set(found.label[:6]) == {found.label[0]}
    assert set(found.label[6:12]) == {found.label[6]} != {found.label[0]}


@pytest.mark.parametrize("method", ["block_model", "leiden"])
def test_two_units_are_no_community(method):
    weights = np.zeros((6, 6))
    weights[0, 1] = weights[1, 0] = 1.0
    found = by(method, weights)
    assert set(found.label) == {-1}
    assert found.count == 0
    assert not found.structured


def test_the_second_opinion_is_the_other_notion():
    weights = tied_groups(stream(0, "tied"))
    config = ConnectomeConfig(n_partitions=30)
    leiden = second_opinion([weights], config, rng=stream(0, "other"))[0]
    assert np.isnan(leiden.saved_nats)
    assert adjusted_rand_index(leiden.label[GROUPS < 3], GROUPS[GROUPS < 3]) == 1.0
    first = config.model_copy(update={"communities": "leiden"})
    assert np.isfinite(second_opinion([weights], first, rng=stream(0, "other"))[0].saved_nats)


def test_a_missing_graph_tool_is_said_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(graph_tool, "PYTHON", tmp_path / "python3")
    with pytest.raises(EnvironmentFault, match="python3-graph-tool") as missing:
        by("graph_tool", tied_groups(stream(0, "tied")))
    assert missing.value.code == "RN-R17"
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(EnvironmentFault, match="no such module"):
        by("graph_tool", tied_groups(stream(0, "tied")))


def test_both_programs_find_descriptions_of_about_the_same_length():
    need_graph_tool()
    weights = tied_groups(stream(3, "tied"))
    ours, theirs = by("block_model", weights), by("graph_tool", weights)
    assert adjusted_rand_index(ours.levels[0], theirs.levels[0]) > 0.9
    # Priors of the weights differ by a few nats for each pair of groups.
    assert ours.saved_nats == pytest.approx(theirs.saved_nats, rel=0.3)


def test_modularity_of_two_triangles_and_a_bridge_is_as_counted_by_hand():
    # Two triangles and one bridge: Q = 2 (6/14 - (7/14)^2) counted by hand.
    label = np.array([0, 0, 0, 1, 1, 1])
    weights = (label[:, None] == label) * (1.0 - np.eye(6))
    weights[2, 3] = weights[3, 2] = 1
    assert modularity(weights, label) == pytest.approx(2 * (6 / 14 - 0.25))


def test_concentration_is_one_less_its_pairs_for_a_lone_clique():
    weights = np.zeros((10, 10))
    weights[:4, :4] = 1 - np.eye(4)
    label = np.array([0] * 4 + [-1] * 6)
    assert concentration(weights, label) == pytest.approx(1 - 12 / 90)
    assert concentration(1 - np.eye(10), np.zeros(10, int)) == pytest.approx(0)


def test_a_pair_factor_becomes_a_symmetric_graph_without_its_faintest_edges():
    weights = graph(np.array([2.0, 1.0, 0.001]), np.array([[0, 1], [0, 2], [1, 2]]), 3)
    np.testing.assert_allclose(weights, [[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]])
