"""Nested weighted stochastic block model of one graph: groups, groups of groups, and how firm.

The model of the publication (Dyballa et al. 2024, whose code calls graph-tool), searched here
without anything that pip cannot install. Variants of weights and degrees compete by description
length; the edge counts between groups are told through a hierarchy of groups of groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pipeline.methods.connectome.block_lengths import (
    Degrees,
    WeightPrior,
    Weights,
    condensed,
    degree_length,
    edge_count_length,
    edge_length,
    hierarchy_length,
    partition_length,
    weight_length,
)
from pipeline.numerics.partitions import adjusted_rand_index

if TYPE_CHECKING:
    from pipeline.methods.connectome.block_search import Graph

NO_STRUCTURE_NATS = 2.0
"""A partition must be this much shorter than one group to count."""
MOST_GROUPS = 30
"""Groups of the random partitions from which a search starts."""
CANDIDATES = 3
"""Partitions of a variant that are short with the flat prior and get a hierarchy."""
BURN_IN = 10
THINNING = 2
"""Sweeps before the first sampled partition, and from one to the next."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockModel:
    """The shortest description that was found."""

    levels: tuple[NDArray[np.int64], ...]
    """Groups of units, shape (unit,) each, finest first, numbered by decreasing size; a level of
    one group is left out unless it is the only one."""
    length: float
    """Description length in nats."""
    one_group_length: float
    weights: Weights
    degrees: Degrees
    probability: NDArray[np.float64]
    """Shape (unit,); share of sampled partitions in which the unit is in its group."""
    agreement: float
    """Mean adjusted Rand index of sampled partitions with the finest level."""

    @property
    def has_structure(self) -> bool:
        """Whether groups shorten the description by more than :data:`NO_STRUCTURE_NATS`."""
        return self.one_group_length - self.length > NO_STRUCTURE_NATS


def fit_block_model(
    weights: NDArray[np.float64],
    *,
    rng: np.random.Generator,
    n_starts: int = 1,
    n_samples: int = 100,
) -> BlockModel:
    """Minimise the description length of a weighted graph over partitions and variants.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit); 0 is no edge. At least one
        edge, and no unit without any.
    n_starts
        Random starts of each variant.
    n_samples
        Partitions drawn around the best one, for probabilities of membership.

    Raises
    ------
    ValueError
        If the graph has no edge or a unit without one.
    """
    from pipeline.methods.connectome.block_search import refine, sample, search

    edges = _Edges.of(weights)
    single = np.zeros(len(weights), dtype=np.int64)
    alone = np.inf
    met: dict[tuple[Weights, Degrees, bytes], tuple[float, WeightPrior, NDArray[np.int64]]] = {}
    for model, n_tries in _weight_models(edges.weight, n_starts).items():
        prior = WeightPrior.of(model, edges.weight)
        for degrees in get_args(Degrees):
            graph = edges.graph(prior, degrees)
            alone = min(alone, description_length(edges, prior, degrees, [single]))
            for _ in range(n_tries):
                start = rng.integers(0, min(MOST_GROUPS, len(weights)), len(weights))
                partitions, lengths = search(graph, start, rng)
                for index in np.argsort(lengths)[:CANDIDATES]:
                    if np.isfinite(lengths[index]):
                        label = refine(graph, partitions[index], rng)
                        nats = description_length(edges, prior, degrees, [label])
                        met[model, degrees, label.tobytes()] = nats, prior, label
    length, levels, variant = alone, [single], next(iter(met))[:2]
    shortest = sorted(met.items(), key=lambda one: one[1][0])[:CANDIDATES]
    for (model, degrees, _), (_, prior, label) in shortest:
        tried = [label, *_hierarchy(edges.counts(label), rng)]
        nats = description_length(edges, prior, degrees, tried)
        if nats < length:
            length, levels, variant = nats, tried, (model, degrees)
    model, degrees = variant
    finest = by_size(levels[0])
    graph = edges.graph(WeightPrior.of(model, edges.weight), degrees)
    drawn = sample(graph, finest, BURN_IN, n_samples, THINNING, rng)
    return BlockModel(
        levels=_of_units(finest, levels),
        length=length,
        one_group_length=alone,
        weights=model,
        degrees=degrees,
        probability=membership(finest, drawn),
        agreement=float(np.mean([adjusted_rand_index(finest, one) for one in drawn])),
    )


def description_length(
    edges: _Edges, prior: WeightPrior, degrees: Degrees, levels: list[NDArray[np.int64]]
) -> float:
    """Nats of a graph under a variant and a hierarchy of partitions.

    Parameters
    ----------
    levels
        Groups of units, then groups of those groups and so on. One group in all needs no further
        level; a hierarchy that costs more than the flat prior of edge counts is not used.
    """
    label = levels[0]
    sizes = np.bincount(label)
    counts = edges.counts(label)
    sums, squares = edges.statistics(label, prior)
    flat = edge_count_length(sizes.size, edges.weight.size)
    told = [flat]
    if sizes.size == 1 or len(levels) > 1:
        told.append(hierarchy_length(counts, levels[1:]))
    total = partition_length(sizes) + edge_length(sizes, counts, degrees)
    if degrees == "corrected":
        degree = edges.degree
        total += min(
            degree_length(label, degree, "uniform"), degree_length(label, degree, "distributed")
        )
    return total + min(told) + weight_length(prior, counts, sums, squares)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Edges:
    """The edges of a graph, each once."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    weight: NDArray[np.float64]
    n_units: int

    @classmethod
    def of(cls, weights: NDArray[np.float64]) -> _Edges:
        first, second = np.nonzero(np.triu(weights, 1))
        if not first.size or np.unique([first, second]).size < len(weights):
            raise ValueError("A block model needs a graph in which every unit has an edge.")
        return cls(
            first=first.astype(np.int64),
            second=second.astype(np.int64),
            weight=weights[first, second].astype(np.float64),
            n_units=len(weights),
        )

    @property
    def degree(self) -> NDArray[np.int64]:
        """Edges of each unit."""
        ends = np.concatenate([self.first, self.second])
        return np.bincount(ends, minlength=self.n_units).astype(np.int64)

    def _table(self, label: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of values over the edges between groups, inner edges once."""
        n_groups = int(label.max()) + 1
        cell = label[self.first] * n_groups + label[self.second]
        table = np.bincount(cell, values, minlength=n_groups**2).reshape(n_groups, n_groups)
        both: NDArray[np.float64] = (table + table.T - np.diag(np.diag(table))).astype(np.float64)
        return both

    def counts(self, label: NDArray[np.int64]) -> NDArray[np.int64]:
        """Edges between groups, shape (group, group); inner ones once on the diagonal."""
        return self._table(label, np.ones(self.weight.size)).astype(np.int64)

    def statistics(
        self, label: NDArray[np.int64], prior: WeightPrior
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums over the edges between groups of what the prior counts."""
        y, yy = prior.statistics(self.weight)
        return self._table(label, y), self._table(label, yy)

    def graph(self, prior: WeightPrior, degrees: Degrees) -> Graph:
        """The graph as compiled code takes it."""
        from pipeline.methods.connectome import block_search

        models = {
            "none": block_search.NO_WEIGHTS,
            "lognormal": block_search.LOGNORMAL,
            "exponential": block_search.EXPONENTIAL,
        }
        y, yy = prior.statistics(self.weight)
        ends = np.concatenate([self.first, self.second])
        order = np.argsort(ends, kind="stable")
        n_edges = self.weight.size
        most_groups = min(self.n_units, MOST_GROUPS + self.n_units // 2)
        largest = max(2 * n_edges + self.n_units, n_edges + most_groups * (most_groups + 1) // 2)
        return block_search.Graph(
            start=np.concatenate([[0], np.cumsum(self.degree)]).astype(np.int64),
            neighbour=np.concatenate([self.second, self.first])[order],
            y=np.concatenate([y, y])[order],
            yy=np.concatenate([yy, yy])[order],
            model=models[prior.model],
            mean=prior.mean,
            variance=prior.variance,
            corrected=degrees == "corrected",
            log_factorial=gammaln(np.arange(largest + 1) + 1.0),
            half_gamma=gammaln((1 + np.arange(n_edges + 1)) / 2),
        )


def _weight_models(weights: NDArray[np.float64], n_starts: int) -> dict[Weights, int]:
    """The models of weights that compete, and how many starts each gets.

    The exponential model was longer on every graph tried, so it is only looked at once.
    """
    if np.ptp(weights) == 0:
        return {"none": n_starts}
    return {"lognormal": n_starts, "exponential": 1}


def _hierarchy(counts: NDArray[np.int64], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Partitions of groups, of their groups, and so on, up to one group."""
    levels: list[NDArray[np.int64]] = []
    n_edges = int(np.triu(counts).sum())
    while len(counts) > 1:
        label = _grouped(counts, n_edges, rng)
        levels.append(label)
        counts = condensed(counts, label)
    return levels


def _grouped(
    counts: NDArray[np.int64], n_edges: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A partition of groups that tells their edge counts shortly; at least one merge."""

    def cost(label: NDArray[np.int64]) -> float:
        n_groups = int(label.max()) + 1
        flat = edge_count_length(n_groups, n_edges) if n_groups > 1 else 0.0
        return hierarchy_length(counts, [label]) + flat

    n_items = len(counts)
    label = np.arange(n_items)
    best, best_cost = np.zeros(n_items, dtype=np.int64), cost(np.zeros(n_items, dtype=np.int64))
    while label.max() > 1:
        n_groups = int(label.max()) + 1
        merges = [
            np.unique(np.where(label == second, first, label), return_inverse=True)[1]
            for second in range(n_groups)
            for first in range(second)
        ]
        costs = [cost(merged) for merged in merges]
        label = merges[int(np.argmin(costs))]
        label = _moved(label, cost, rng)
        if cost(label) < best_cost:
            best, best_cost = label, cost(label)
    return best


def _moved(
    label: NDArray[np.int64],
    cost: Callable[[NDArray[np.int64]], float],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """A partition after moves of single items that lower its cost."""
    current = cost(label)
    for item in rng.permutation(label.size):
        for group in range(int(label.max()) + 1):
            tried = label.copy()
            tried[item] = group
            if group == label[item] or np.unique(tried).size <= label.max():
                continue
            if cost(tried) < current - 1e-9:
                label, current = tried, cost(tried)
    return label


def by_size(label: NDArray[np.integer]) -> NDArray[np.int64]:
    """Labels from 0 by decreasing size of groups."""
    _, label, sizes = np.unique(label, return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    return np.asarray(rank[label])


def _of_units(
    finest: NDArray[np.int64], levels: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], ...]:
    """All levels as groups of units, without those of one group above the finest."""
    found = [finest]
    label = levels[0]
    for groups in levels[1:]:
        label = groups[label]
        if label.max() > 0:
            found.append(by_size(label))
    return tuple(found)


def membership(label: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of partitions that put each unit into its group, groups matched by overlap.

    Parameters
    ----------
    label
        Groups from 0, shape (unit,).
    drawn
        Other partitions, shape (partition, unit).
    """
    from scipy.optimize import linear_sum_assignment

    hits = np.zeros(label.size)
    for one in drawn:
        overlap = np.zeros((int(label.max()) + 1, int(one.max()) + 1))
        np.add.at(overlap, (label, one), 1)
        rows, columns = linear_sum_assignment(-overlap)
        name = np.full(overlap.shape[1], -1)
        name[columns] = rows
        hits += name[one] == label
    share: NDArray[np.float64] = hits / len(drawn)
    return share
