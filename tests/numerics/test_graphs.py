"""Shortest paths and descriptions of graphs against NetworkX and graphs known by heart."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.graphs import component_labels, shortest_paths, summarise


def random_lengths(rng, count=12, share=0.3):
    upper = np.triu(
        np.where(rng.random((count, count)) < share, rng.random((count, count)), np.inf), 1
    )
    upper[np.tril_indices(count)] = np.inf
    return np.minimum(upper, upper.T)


def test_paths_equal_networkxs_zero_lengths_included():
    rng = stream(0, "paths")
    lengths = np.stack([random_lengths(rng) for _ in range(5)])
    lengths[np.isfinite(lengths) & (lengths < 0.3)] = 0
    found = shortest_paths(lengths)
    for graph, paths in zip(lengths, found, strict=True):
        edges = [(i, j, graph[i, j]) for i, j in np.argwhere(np.isfinite(graph)) if i < j]
        known = nx.Graph()
        known.add_nodes_from(range(12))
        known.add_weighted_edges_from(edges)
        expected = np.full((12, 12), np.inf)
        for start, reached in nx.all_pairs_dijkstra_path_length(known):
            expected[start, list(reached)] = list(reached.values())
        np.testing.assert_allclose(paths, expected, atol=1e-15)


def test_paths_leave_their_input_alone():
    lengths = random_lengths(stream(1, "paths"))
    before = lengths.copy()
    shortest_paths(lengths)
    np.testing.assert_array_equal(lengths, before)


def adjacency(graph):
    return nx.to_numpy_array(graph).astype(bool)


def test_components_are_numbered_by_their_first_items():
    lengths = np.full((2, 5, 5), np.inf)
    lengths[0, [1, 4], [4, 1]] = 2
    found = component_labels(shortest_paths(lengths))
    np.testing.assert_array_equal(found, [[0, 1, 2, 3, 1], [0, 1, 2, 3, 4]])


@pytest.mark.parametrize(
    "graph", [nx.cycle_graph(8), nx.karate_club_graph(), nx.gnp_random_graph(20, 0.15, seed=3)]
)
def test_descriptions_equal_networkxs(graph):
    found = summarise(nx.to_numpy_array(graph, weight=None).astype(bool))
    assert found.n_components == nx.number_connected_components(graph)
    assert found.mean_degree == pytest.approx(2 * graph.number_of_edges() / len(graph))
    assert found.clustering == pytest.approx(nx.average_clustering(graph))
    lengths = [
        length
        for start, reached in nx.all_pairs_shortest_path_length(graph)
        for stop, length in reached.items()
        if start != stop
    ]
    assert found.path_length == pytest.approx(np.mean(lengths))


def test_two_cliques_have_the_modularity_of_their_split():
    graph = nx.disjoint_union(nx.complete_graph(5), nx.complete_graph(5))
    assert summarise(adjacency(graph)).modularity == pytest.approx(0.5)


def test_a_graph_without_edges_has_no_path_and_no_modularity():
    found = summarise(np.zeros((2, 4, 4), dtype=bool))
    np.testing.assert_array_equal(found.n_components, [4, 4])
    np.testing.assert_array_equal(found.clustering, [0, 0])
    assert np.isnan(found.path_length).all()
    assert np.isnan(found.modularity).all()


def test_graphs_that_are_not_undirected_are_refused():
    with pytest.raises(ValueError, match="not symmetric"):
        summarise(np.triu(np.ones((3, 3), dtype=bool), 1))
    with pytest.raises(ValueError, match="own neighbour"):
        summarise(np.eye(3, dtype=bool))
