"""Communities of components: groups of units that a component's pair factor ties together.

The groups are those of a nested weighted block model (the publication's notion), searched here or
by graph-tool; Leiden's are the second opinion. Whatever finds groups, a community is one whose
units are tied more than units of the graph are on average: a block model also groups what is left.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops, arrays_of, record_of
from pipeline.methods.connectome.block_model import BlockModel, fit_block_model
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.leiden import leiden_consensus
from pipeline.methods.connectome.sparse import sparsified

T = TypeVar("T", bound=np.generic)

MIN_WEIGHT = 1e-3
"""Edges below this share of the strongest are absent."""

MIN_SIZE = 3
"""Fewer units than this are no community."""

MIN_MEMBERSHIP = 0.5
"""Units that are in their group less often than this are in no community."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Communities:
    """Groups of one graph, how firm they are, and which of them are communities."""

    levels: tuple[NDArray[np.int64], ...]
    """Groups of units, shape (unit,) each, finest first, by decreasing size; -1 without an edge."""
    label: NDArray[np.int64]
    """Shape (unit,); communities of the finest level from 0 by decreasing size, -1 for none."""
    membership: NDArray[np.float64]
    """Shape (unit,); how often a unit is in its group when groups are drawn again, 0 to 1."""
    agreement: float
    """Mean adjusted Rand index of partitions drawn again."""
    structured: bool
    """Whether groups describe the graph better than one group of all units."""
    saved_nats: float
    """Nats that groups save in describing the graph; NaN where that is not asked."""
    variant: str
    """Which model of weights and degrees described the graph best; empty where none was asked."""
    modularity: float
    concentration: float
    """Share of the graph's weight inside communities less their share of all pairs; 0 where the
    graph is not structured."""

    @property
    def count(self) -> int:
        """Number of communities."""
        return int(self.label.max(initial=-1)) + 1


def graph(
    strength: NDArray[np.floating], pairs: NDArray[np.integer], n_units: int
) -> NDArray[np.float64]:
    """Symmetric weights (unit, unit) of a pair factor, largest 1, zero diagonal.

    Parameters
    ----------
    strength
        Shape (pair,), not negative.
    pairs
        Shape (pair, 2).
    """
    weights = np.zeros((n_units, n_units))
    largest = strength.max(initial=0.0)
    if largest > 0:
        kept = np.where(strength >= MIN_WEIGHT * largest, strength / largest, 0.0)
        weights[pairs[:, 0], pairs[:, 1]] = kept
        weights += weights.T
    return weights


def named(config: ConnectomeConfig) -> tuple[str, str]:
    """What finds communities and what gives the second opinion, in words."""
    words = {
        "block_model": "the nested weighted block model",
        "graph_tool": "graph-tool's nested weighted block model",
        "leiden": "modularity (Leiden)",
    }
    return words[config.communities], words[_other(config)]


def find_communities(
    graphs: Sequence[NDArray[np.float64]],
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> list[Communities]:
    """Communities of each graph by the method that the settings name.

    Where the settings make graphs sparse, groups are sought in those, and what they hold is counted
    in the graphs as given.

    Parameters
    ----------
    graphs
        Symmetric weights, not negative, zero diagonal, shape (unit, unit) each.
    loops
        Of a joining; a piece is a graph, of graph-tool's all graphs.

    Raises
    ------
    EnvironmentFault
        If graph-tool is asked for and not there.
    """
    both = [(weights, sparsified(weights, config)) for weights in graphs]
    if config.communities == "graph_tool":
        return _by_graph_tool(both, config, rng)
    way = _by_modularity if config.communities == "leiden" else _by_block_model

    def made(weights: NDArray[np.float64], sparse: NDArray[np.float64]) -> Communities:
        found = loops.piece(lambda _: arrays_of(way(weights, sparse, config, rng)), rng)
        one = record_of(Communities, found)
        return dataclasses.replace(one, levels=tuple(one.levels))

    return [made(weights, sparse) for weights, sparse in both]


def second_opinion(
    graphs: Sequence[NDArray[np.float64]],
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> list[Communities]:
    """Communities by the other notion: Leiden's, or the block model's where Leiden is the first."""
    other = config.model_copy(update={"communities": _other(config)})
    return find_communities(graphs, other, rng=rng, loops=loops)


def _other(config: ConnectomeConfig) -> Literal["block_model", "leiden"]:
    """The notion of community that the settings do not name."""
    return "block_model" if config.communities == "leiden" else "leiden"


def modularity(weights: NDArray[np.float64], label: NDArray[np.integer]) -> float:
    """Share of weight inside communities beyond what unit strengths alone would give.

    Units in no community count as communities of one. Newman's weighted modularity.
    """
    total = weights.sum()
    if total == 0:
        return 0.0
    strength = weights.sum(axis=1)
    own = np.where(label >= 0, label, label.max(initial=-1) + 1 + np.arange(label.size))
    same = own[:, None] == own[None, :]
    expected = np.outer(strength, strength) / total
    return float(((weights - expected) * same).sum() / total)


def concentration(weights: NDArray[np.float64], label: NDArray[np.integer]) -> float:
    """Share of all weight that lies inside communities, less their share of all pairs.

    Near 1 for a few tight communities that hold all weight, 0 when weight is spread evenly or
    one community holds every unit. Unlike modularity it does not vanish for a single community.
    """
    total = weights.sum()
    if total == 0:
        return 0.0
    inside = (label[:, None] == label[None, :]) & (label[:, None] >= 0)
    np.fill_diagonal(inside, False)
    n_pairs = label.size * (label.size - 1)
    return float((weights * inside).sum() / total - inside.sum() / n_pairs)


def _by_graph_tool(
    graphs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    config: ConnectomeConfig,
    rng: np.random.Generator,
) -> list[Communities]:
    """Block models of graphs and of their sparse forms by graph-tool, which is started once."""
    from pipeline.methods.connectome.graph_tool import fit_by_graph_tool

    tied = [np.flatnonzero(sparse.any(axis=1)) for _, sparse in graphs]
    inner = [
        sparse[np.ix_(units, units)]
        for (_, sparse), units in zip(graphs, tied, strict=True)
        if units.size >= MIN_SIZE
    ]
    models = iter(fit_by_graph_tool(inner, n_samples=config.n_partitions, rng=rng))
    return [
        _of_blocks(weights, units, next(models)) if units.size >= MIN_SIZE else _none(weights)
        for (weights, _), units in zip(graphs, tied, strict=True)
    ]


def _by_block_model(
    weights: NDArray[np.float64],
    sparse: NDArray[np.float64],
    config: ConnectomeConfig,
    rng: np.random.Generator,
) -> Communities:
    """Groups of the block model in a sparse graph, among the units that have edges there."""
    units = np.flatnonzero(sparse.any(axis=1))
    if units.size < MIN_SIZE:
        return _none(weights)
    inner = sparse[np.ix_(units, units)]
    return _of_blocks(
        weights, units, fit_block_model(inner, rng=rng, n_samples=config.n_partitions)
    )


def _of_blocks(
    weights: NDArray[np.float64], units: NDArray[np.int64], model: BlockModel
) -> Communities:
    """A block model of the units that have edges, as communities of all units."""
    levels = tuple(_among(weights, units, level, -1) for level in model.levels)
    membership = _among(weights, units, model.probability, 0.0)
    label = _tied_together(weights, np.where(membership >= MIN_MEMBERSHIP, levels[0], -1))
    return Communities(
        levels=levels,
        label=label,
        membership=membership,
        agreement=model.agreement,
        structured=model.has_structure,
        saved_nats=max(0.0, model.one_group_length - model.length),
        variant=f"{model.weights} weights, {model.degrees} degrees",
        modularity=modularity(weights, label),
        concentration=concentration(weights, label) if model.has_structure else 0.0,
    )


def _by_modularity(
    weights: NDArray[np.float64],
    sparse: NDArray[np.float64],
    config: ConnectomeConfig,
    rng: np.random.Generator,
) -> Communities:
    """Leiden's consensus in a sparse graph, among the units that are strong enough there."""
    strength = sparse.sum(axis=1)
    weak = strength < config.min_strength * strength.max(initial=0.0)
    units = np.flatnonzero((strength > 0) & ~weak)
    if units.size < MIN_SIZE:
        return _none(weights)
    inner = sparse[np.ix_(units, units)]
    found = leiden_consensus(
        inner, resolution=config.resolution, n_partitions=config.n_partitions, rng=rng
    )
    level = _among(weights, units, found.label, -1)
    label = _tied_together(weights, level)
    return Communities(
        levels=(level,),
        label=label,
        membership=_among(weights, units, found.membership, 0.0),
        agreement=found.agreement,
        structured=bool((label >= 0).any()),
        saved_nats=np.nan,
        variant="",
        modularity=modularity(weights[np.ix_(units, units)], label[units]),
        concentration=concentration(weights, label),
    )


def _none(weights: NDArray[np.float64]) -> Communities:
    """A graph of too few units to speak of groups."""
    nothing = np.full(len(weights), -1, dtype=np.int64)
    return Communities(
        levels=(nothing,),
        label=nothing,
        membership=np.zeros(len(weights)),
        agreement=1.0,
        structured=False,
        saved_nats=0.0,
        variant="",
        modularity=0.0,
        concentration=0.0,
    )


def _among(
    weights: NDArray[np.float64], units: NDArray[np.int64], values: NDArray[T], other: float
) -> NDArray[T]:
    """Values of some units in a row of all, with another value elsewhere."""
    row = np.full(len(weights), other, dtype=values.dtype)
    row[units] = values
    return row


def _tied_together(weights: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Communities among groups: large enough, and tied inside at least as the graph on average."""
    tied = np.count_nonzero(weights.any(axis=1))
    average = weights.sum() / max(tied * (tied - 1), 1)
    members = [np.flatnonzero(group == one) for one in range(int(group.max(initial=-1)) + 1)]
    kept = []
    for units in members:
        if units.size < MIN_SIZE:
            continue
        inside = weights[np.ix_(units, units)].sum() / (units.size * (units.size - 1))
        if inside >= average * (1 - 1e-9):
            kept.append(units)
    label = np.full(group.size, -1, dtype=np.int64)
    for number, units in enumerate(sorted(kept, key=lambda units: -units.size)):
        label[units] = number
    return label
