"""Components and the static graph against known connections, beside rewired connections.

Pairs that are strong in a component may be connected more often than others only because units with
many connections are also active much. Connections are therefore rewired, each unit keeping their
number (Maslov & Sneppen 2002): two connections exchange an end, their weights going with them, if
neither new pair is connected already, the same unit twice, or never observed together. Exchanges
are drawn evenly, so that the chain visits all graphs that it can reach equally often.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.alignment import Alignment
from pipeline.methods.connectome.hals import Problem
from pipeline.methods.connectome.problem import over_channels, rows_of_pairs
from pipeline.methods.connectome.references import Reference
from pipeline.methods.connectome.result import Anatomy

N_REWIRED = 999

EXCHANGES = 20
"""Exchanges that are tried for each connection from one rewired graph to the next."""

LEAST_UNITS = 5
LEAST_EDGES = 5
"""Of a kind of connections, from which it is compared."""

LEAST_MOVED = 0.3
"""Share of connections that rewiring must move; in nearly complete graphs it cannot."""

STABLE_DIGITS = 12
"""Decimals of a comparison that do not depend on the order of sums."""


def against_references(
    strength: NDArray[np.float64],
    pairs: NDArray[np.int64],
    found: Sequence[Reference],
    *,
    rng: np.random.Generator,
    n_rewired: int = N_REWIRED,
) -> Anatomy | None:
    """Scores of graphs against each kind of connections; nothing where no kind can be compared.

    Parameters
    ----------
    strength
        Strengths of pairs in each graph, (pair, graph).
    pairs
        Units of each pair that was observed, (pair, 2).
    found
        Kinds of connections.
    rng
        Draws exchanges.

    Returns
    -------
    Area under the ROC curve (how well strengths tell connected pairs from others), Spearman's
    correlation with weights, both beside rewired graphs; p by the largest of all graphs and kinds,
    each measured in standard deviations of its rewired values.
    """
    kinds, auroc, correlation, n_edges, n_units, moved = [], [], [], [], [], []
    for one in found:
        inside = np.isin(pairs, one.unit).all(axis=1)
        known = pairs[inside]
        weight = one.weight[known[:, 0], known[:, 1]]
        if one.unit.size < LEAST_UNITS or (weight > 0).sum() < LEAST_EDGES or (weight > 0).all():
            continue
        graphs, share = rewired(known, weight, n_rewired, rng=rng)
        every = np.concatenate([weight[None], graphs])
        kinds.append(one.kind)
        auroc.append(_auroc(strength[inside], every > 0))
        correlation.append(_rank_correlation(strength[inside], every))
        n_edges.append(int((weight > 0).sum()))
        n_units.append(np.unique(known).size)
        moved.append(share)
    if not kinds:
        return None
    testable = np.array(moved) >= LEAST_MOVED
    area, rank = np.stack(auroc, axis=2), np.stack(correlation, axis=2)
    return Anatomy(
        kind=np.array(kinds, dtype=np.str_),
        n_edges=np.array(n_edges, dtype=np.int64),
        n_units=np.array(n_units, dtype=np.int64),
        auroc=area[0],
        auroc_rewired=area[1:].mean(axis=0),
        auroc_range=np.quantile(area[1:], [0.025, 0.975], axis=0),
        auroc_p=largest_p(area, testable),
        correlation=rank[0],
        correlation_rewired=rank[1:].mean(axis=0),
        correlation_p=largest_p(rank, testable),
        n_rewired=n_rewired,
    )


def static_strength(problem: Problem, alignment: Alignment) -> NDArray[np.float64]:
    """Mean affinity of each observed pair over the time in which it was observed, (pair,)."""
    n_rows, n_slots, n_pairs = problem.shape
    total = problem.products.over_cells(np.ones((n_rows * n_slots, 1)))
    sums = problem.observed.cell_sums(np.ones((n_rows, 1)), np.ones((n_slots, 1)))
    count = np.zeros(n_pairs)
    for rows, kind, grams in problem.observed.pair_grams(sums):
        count[rows] = grams[kind, 0, 0]
    channels = problem.observed.channels
    mean = total[:, 0] / np.where(count > 0, count, 1)
    rows = rows_of_pairs(alignment, channels=channels)
    return over_channels(mean[rows][:, None], channels=channels)[:, 0]


def rewired(
    pairs: NDArray[np.int64],
    weight: NDArray[np.float64],
    count: int,
    *,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], float]:
    """Weights of pairs in graphs in which every unit has as many connections.

    Parameters
    ----------
    pairs
        Pairs that may be connected, (pair, 2).
    weight
        Weight of each; 0 where there is no connection.
    count
        Graphs to make.

    Returns
    -------
    Shape (graph, pair); and the mean share of connections that stand elsewhere than at first.
    """
    from pipeline.methods.connectome.kernels import exchange_ends

    n_units = int(pairs.max()) + 1
    place = np.full((n_units, n_units), -1, dtype=np.int64)
    place[pairs[:, 0], pairs[:, 1]] = place[pairs[:, 1], pairs[:, 0]] = np.arange(len(pairs))
    at = np.flatnonzero(weight > 0)
    ends, sizes = pairs[at].copy(), weight[at]
    taken = weight > 0
    graphs = np.zeros((count, len(pairs)))
    for graph in graphs:
        drawn = rng.integers(0, at.size, size=(EXCHANGES * at.size, 2))
        turned = rng.integers(0, 2, size=len(drawn)).astype(np.bool_)
        exchange_ends(ends, place, taken, drawn, turned)
        graph[place[ends[:, 0], ends[:, 1]]] = sizes
    return graphs, float((graphs[:, at] == 0).sum() / max(graphs[:, at].size, 1))


def largest_p(values: NDArray[np.float64], testable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """P of the first of many draws, (draw, graph, kind), by the largest of graphs and kinds.

    One-sided: larger than by chance. All draws, the first as well, are centred and scaled by all
    of them, so that each is as likely as any other to be the largest by chance.
    """
    centred = values - values.mean(axis=0)
    spread = values.std(axis=0)
    usable = (spread > 0) & testable
    scaled = np.round(centred / np.where(usable, spread, np.nan), STABLE_DIGITS)
    if not usable.any():
        return np.full(values.shape[1:], np.nan)
    largest = np.nanmax(scaled[:, usable], axis=1)
    n_as_large = (largest[:, None, None] >= scaled[0]).sum(axis=0)
    return np.where(usable, n_as_large / len(values), np.nan)


def _auroc(strength: NDArray[np.float64], connected: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC curve of strengths for each set of connections, (set, graph)."""
    from scipy.stats import rankdata

    ranks = rankdata(strength, axis=0)
    n_in = connected.sum(axis=1, keepdims=True)
    n_out = connected.shape[1] - n_in
    total = connected.astype(np.float64) @ ranks
    return np.asarray((total - n_in * (n_in + 1) / 2) / (n_in * n_out))


def _rank_correlation(
    strength: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of strengths with each set of weights, (set, graph)."""
    from scipy.stats import rankdata

    ranks, of_weight = rankdata(strength, axis=0), rankdata(weight, axis=1)
    ranks -= ranks.mean(axis=0)
    of_weight -= of_weight.mean(axis=1, keepdims=True)
    size = np.linalg.norm(ranks, axis=0) * np.linalg.norm(of_weight, axis=1, keepdims=True)
    return np.asarray(of_weight @ ranks / np.where(size > 0, size, np.nan))
