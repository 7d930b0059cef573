"""Weighted graphs as matrices of edge lengths: shortest paths and what describes a graph.

Where there is no edge the length is infinite; a length of 0 is an edge. Functions take any leading
axes before (..., item, item).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled

Floats = NDArray[np.float64]


def shortest_paths(lengths: NDArray[np.floating]) -> Floats:
    """Lengths of the shortest paths between all items (Floyd & Warshall), infinite where none is.

    Parameters
    ----------
    lengths
        Symmetric, not negative, shape (..., item, item).
    """
    paths = np.array(lengths, dtype=np.float64, order="C")
    n_items = paths.shape[-1]
    paths[..., np.arange(n_items), np.arange(n_items)] = 0
    flat = paths.reshape(-1, n_items, n_items)
    _floyd_warshall(flat)
    return flat.reshape(paths.shape)


@compiled
def _floyd_warshall(paths: Floats) -> None:
    """Let paths go through one item after another."""
    count = paths.shape[1]
    for graph in range(paths.shape[0]):
        length = paths[graph]
        for via in range(count):
            onward = length[via]
            for start in range(count):
                so_far = length[start, via]
                if so_far == np.inf:
                    continue
                row = length[start]
                for stop in range(count):
                    longer = so_far + onward[stop]
                    row[stop] = longer if longer < row[stop] else row[stop]


def component_labels(paths: NDArray[np.floating]) -> NDArray[np.int64]:
    """Connected component of each item, from 0 in order of first items, shape (..., item).

    ``paths`` are lengths of shortest paths, shape (..., item, item).
    """
    first = np.isfinite(paths).argmax(axis=-1)
    is_first = first == np.arange(first.shape[-1])
    order = np.cumsum(is_first, axis=-1) - 1
    return np.asarray(np.take_along_axis(order, first, axis=-1), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class GraphSummary:
    """What describes undirected graphs without self-edges, each of shape (...).

    Attributes
    ----------
    n_components
        Number of connected components (the zeroth Betti number).
    mean_degree
        Mean number of neighbours.
    clustering
        Mean share of an item's pairs of neighbours that are neighbours; items with fewer than two
        neighbours count 0 (Watts & Strogatz 1998).
    path_length
        Mean number of edges on shortest paths between items that are connected; NaN without edges.
    modularity
        Newman's modularity of the best split found by Louvain's method; NaN without edges.
    """

    n_components: NDArray[np.int64]
    mean_degree: Floats
    clustering: Floats
    path_length: Floats
    modularity: Floats


def summarise(adjacent: NDArray[np.bool_]) -> GraphSummary:
    """Describe graphs of adjacency (..., item, item).

    Raises
    ------
    ValueError
        If an adjacency is not symmetric or an item is its own neighbour.
    """
    adjacent = np.asarray(adjacent, dtype=bool)
    if (adjacent != np.swapaxes(adjacent, -1, -2)).any():
        raise ValueError("the adjacency is not symmetric.")
    if np.diagonal(adjacent, axis1=-2, axis2=-1).any():
        raise ValueError("an item is its own neighbour.")
    edges = adjacent.astype(np.float64)
    degree = edges.sum(axis=-1)
    triangles = np.einsum("...ij,...ji->...i", edges @ edges, edges)
    chances = degree * (degree - 1)
    share = np.divide(triangles, chances, out=np.zeros_like(degree), where=chances > 0)
    hops = shortest_paths(np.where(adjacent, 1.0, np.inf))
    joined = np.isfinite(hops) & (hops > 0)
    n_joined = joined.sum(axis=(-2, -1))
    total = hops.sum(axis=(-2, -1), where=joined)
    return GraphSummary(
        n_components=component_labels(hops).max(axis=-1, initial=-1) + 1,
        mean_degree=degree.mean(axis=-1),
        clustering=share.mean(axis=-1),
        path_length=np.where(n_joined > 0, total / np.maximum(1, n_joined), np.nan),
        modularity=_modularity(edges),
    )


def _modularity(edges: Floats) -> Floats:
    """Largest modularity that Louvain's method finds, graph by graph."""
    from scipy.sparse import csr_matrix
    from sknetwork.clustering import Louvain, get_modularity

    found = np.full(edges.shape[:-2], np.nan)
    for where in np.ndindex(found.shape):
        graph = csr_matrix(edges[where])
        if graph.nnz:
            labels = Louvain(random_state=0).fit_predict(graph)
            found[where] = get_modularity(graph, labels)
    return found
