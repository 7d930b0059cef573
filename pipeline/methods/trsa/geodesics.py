"""Geodesic statistics: shortest paths over a graph of near conditions.

Which pairs are joined depends on the variant; the length of an edge is its scaled rank, or the
geo-topological transform. Unlike the published code, an edge of length 0 stays an edge, graphs of
nearest neighbours do not depend on the order of conditions, and pairs that no path joins get a
stated finite value. ``legacy=True`` gives the published numbers, for comparison with them.

Source: Lin & Kriegeskorte (2024), PNAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.trsa.transforms import (
    Scale,
    checked_levels,
    geo_topological,
    quantiles,
    scaled_ranks,
    thresholded,
)
from pipeline.numerics.dissimilarity import (
    Floats,
    average_ranks,
    n_items,
    squared_form,
)
from pipeline.numerics.graphs import component_labels, shortest_paths

Neighbours = Literal["union", "mutual"]
Disconnected = Literal["max", "rank_top", "nan", "infinite"]
DISCONNECTED: tuple[Disconnected, ...] = get_args(Disconnected)

_ROUNDING = 1e-12
"""Path lengths closer than this are the same, edges being at most 1 long."""


@dataclass(frozen=True, slots=True, eq=False)
class Geodesics:
    """Path lengths between conditions.

    Attributes
    ----------
    values
        Condensed path lengths, shape (..., setting, pair); NaN for dissimilarities without ranks.
    n_components
        Number of connected parts of each graph, shape (..., setting).
    """

    values: Floats
    n_components: NDArray[np.int64]


def two_step(
    dissimilarities: NDArray[np.floating],
    levels: NDArray[np.floating],
    *,
    scale: Scale = "rank",
    ranked: bool = False,
    disconnected: Disconnected = "max",
    legacy: bool = False,
) -> Geodesics:
    """Paths over pairs whose geo-topological transform is below 1, which is an edge's length.

    With equal thresholds all edges would have length 0; each then counts 1 (steps).

    Parameters
    ----------
    dissimilarities
        Shape (..., pair), complete.
    levels
        Shape (setting, 2), as for :func:`~pipeline.methods.trsa.transforms.geo_topological`.
    ranked
        Give average ranks of the path lengths.
    disconnected
        Value of pairs that no path joins: ``max``: the longest path plus the longest edge;
        ``rank_top``: they share the top rank (``ranked`` only); ``nan``; ``infinite``.
    legacy
        Pairs of transform 0 have no edge, as published.
    """
    transformed = geo_topological(dissimilarities, checked_levels(levels), scale=scale)
    edge = transformed < 1
    if legacy:
        edge &= transformed > 0
        return _paths(transformed, edge, ranked, disconnected, exact_ties=True)
    thresholds = thresholded(dissimilarities, levels, scale=scale)[1]
    topology = thresholds[..., 0] >= thresholds[..., 1]
    lengths = np.where(topology[..., None] & edge, 1.0, transformed)
    return _paths(lengths, edge, ranked, disconnected)


def shortest_share(
    dissimilarities: NDArray[np.floating],
    shares: NDArray[np.floating],
    *,
    ranked: bool = False,
    disconnected: Disconnected = "max",
    legacy: bool = False,
) -> Geodesics:
    """Paths over the given shares of all pairs, the closest; an edge's length is its scaled rank.

    Parameters
    ----------
    shares
        Shape (setting,), within [0, 1]. The others as for :func:`two_step`.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("a share of pairs is outside [0, 1].")
    ranks = scaled_ranks(dissimilarities)
    edge = ranks[..., None, :] <= quantiles(ranks, shares)[..., None]
    lengths = np.broadcast_to(ranks[..., None, :], edge.shape)
    if legacy:
        edge &= lengths > 0
    return _paths(lengths, edge, ranked, disconnected, exact_ties=legacy)


def nearest(
    dissimilarities: NDArray[np.floating],
    counts: NDArray[np.integer],
    *,
    neighbours: Neighbours = "union",
    ranked: bool = False,
    disconnected: Disconnected = "max",
    legacy: bool = False,
) -> Geodesics:
    """Paths over each condition's nearest neighbours; an edge's length is its scaled rank.

    Conditions as near as the last neighbour are neighbours too.

    Parameters
    ----------
    counts
        Numbers of neighbours, shape (setting,); ``neighbour_counts`` makes them of shares.
    neighbours
        ``union``: joined where one is a neighbour of the other; ``mutual``: where both are.
    legacy
        The published graph: pairs of rank 0 have no edge, and a pair is joined where the condition
        with the higher number is among the neighbours of the other, ties going to lower numbers.
    """
    counts = np.asarray(counts)
    if (counts < 0).any():
        raise ValueError("a number of neighbours is negative.")
    ranks = scaled_ranks(dissimilarities)
    square = squared_form(ranks)
    size = square.shape[-1]
    itself = np.eye(size, dtype=bool)
    distance = np.where(itself | ((square <= 0) & legacy), np.inf, square)
    if legacy:
        place = np.argsort(np.argsort(distance, axis=-1, kind="stable"), axis=-1)
        near = place[..., None, :, :] < counts[:, None, None]
        near &= np.isfinite(distance)[..., None, :, :]
        joined = np.triu(near, 1)
    else:
        ordered = np.sort(distance, axis=-1)
        kept = np.minimum(counts, size - 1)
        farthest = np.moveaxis(ordered[..., np.maximum(kept, 1) - 1], -1, -2)
        farthest = np.where(kept[:, None] > 0, farthest, -1)
        near = distance[..., None, :, :] <= farthest[..., None]
        near &= ~itself
        turned = np.swapaxes(near, -1, -2)
        joined = near & turned if neighbours == "mutual" else near | turned
    first, second = np.triu_indices(size, 1)
    edge = joined[..., first, second]
    lengths = np.broadcast_to(ranks[..., None, :], edge.shape)
    return _paths(lengths, edge, ranked, disconnected, exact_ties=legacy)


def neighbour_counts(shares: NDArray[np.floating], n_conditions: int) -> NDArray[np.int64]:
    """Numbers of neighbours that are shares of the conditions, rounded down."""
    return np.asarray(np.floor(np.asarray(shares) * n_conditions), dtype=np.int64)


def _paths(
    lengths: Floats,
    edge: NDArray[np.bool_],
    ranked: bool,
    disconnected: Disconnected,
    *,
    exact_ties: bool = False,
) -> Geodesics:
    """Path lengths over the edges, shape (..., setting, pair).

    Sums of the same edges in another order differ by rounding; before ranks are given such lengths
    are made equal, unless ``exact_ties``.
    """
    if disconnected not in DISCONNECTED:
        raise ValueError(f"'{disconnected}' is none of {', '.join(DISCONNECTED)}.")
    if disconnected == "rank_top" and not ranked:
        raise ValueError("'rank_top' needs ranked path lengths.")
    undefined = np.isnan(lengths).all(axis=-1, keepdims=True)
    if (np.isnan(lengths) & ~undefined).any():
        raise ValueError("dissimilarities are missing; paths need all of them.")
    size = n_items(lengths.shape[-1])
    graph = squared_form(np.where(edge, lengths, np.inf))
    first, second = np.triu_indices(size, 1)
    paths = shortest_paths(graph)
    values = paths[..., first, second]
    if disconnected == "max":
        joined = np.isfinite(values)
        longest = np.max(values, axis=-1, keepdims=True, initial=0, where=joined)
        widest = np.max(lengths, axis=-1, keepdims=True, initial=0, where=edge)
        values = np.where(joined, values, longest + widest)
    if disconnected == "nan":
        values = np.where(np.isinf(values), np.nan, values)
    if ranked:
        values = average_ranks(values if exact_ties else _merged(values))
    parts = component_labels(paths).max(axis=-1) + 1
    return Geodesics(values=np.where(undefined, np.nan, values), n_components=parts)


def _merged(values: Floats) -> Floats:
    """Values of which those that differ by rounding only are equal, along the last axis."""
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    starts = np.ones(values.shape, dtype=bool)
    # Infinite values follow one another with a difference that is not a number: no new group.
    with np.errstate(invalid="ignore"):
        starts[..., 1:] = np.diff(ordered, axis=-1) > _ROUNDING
    place = np.maximum.accumulate(np.where(starts, np.arange(values.shape[-1]), 0), axis=-1)
    merged = np.empty_like(values)
    np.put_along_axis(merged, order, np.take_along_axis(ordered, place, axis=-1), axis=-1)
    return np.where(np.isnan(values), np.nan, merged)
