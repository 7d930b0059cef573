"""Description lengths of weighted block models, in nats, term by term.

A block model that needs fewer nats to tell the graph describes it better. These are the formulas
as they stand in the literature, from counts between groups; the search of
:mod:`pipeline.methods.connectome.block_search` uses compiled ones, which tests hold against these.

Sources: Peixoto (2017), Phys. Rev. E 95, 012317 (microcanonical likelihoods, degree priors and
nested priors); Peixoto (2018), Phys. Rev. E 97, 012306 (edge weights). Notation: ``n`` units of
each group, ``m`` edges between two groups (``m[r, r]`` edges inside one), ``e`` edge ends of each
group, E edges, B groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, spence

Weights = Literal["lognormal", "exponential", "none"]
Degrees = Literal["plain", "corrected"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightPrior:
    """Prior of the weights between two groups, from all weights of the graph.

    ``lognormal``: logarithms are normal with a normal-inverse-chi-square prior whose mean and
    variance are those of all log weights, one observation strong. ``exponential``: gamma prior of
    the rate with shape 1 and the mean weight as scale. ``none``: weights say nothing, as when all
    are equal.
    """

    model: Weights
    mean: float
    variance: float
    """Of the log weights; the mean weight and 0 for ``exponential``."""
    jacobian: float
    """Sum of log weights, by which densities of logarithms become densities of weights."""

    @classmethod
    def of(cls, model: Weights, weights: NDArray[np.float64]) -> WeightPrior:
        """The prior that the weights of a graph imply, shape (edge,), all positive."""
        if model == "none" or weights.size == 0 or np.ptp(weights) == 0:
            return cls(model="none", mean=0.0, variance=0.0, jacobian=0.0)
        if model == "exponential":
            return cls(model=model, mean=float(weights.mean()), variance=0.0, jacobian=0.0)
        logs = np.log(weights)
        return cls(
            model=model,
            mean=float(logs.mean()),
            variance=float(logs.var()),
            jacobian=float(logs.sum()),
        )

    def statistics(
        self, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is summed over the edges of two groups: y and y squared, shape (edge,) each."""
        y = np.log(weights) if self.model == "lognormal" else weights
        return y, y**2


def log_choose(n: NDArray[np.float64] | float, k: NDArray[np.float64] | float) -> float:
    """Sum of the logarithms of the numbers of ways to choose ``k`` of ``n``."""
    return float(np.sum(gammaln(np.add(n, 1)) - gammaln(np.add(k, 1)) - gammaln(n - k + 1)))


def partition_length(sizes: NDArray[np.integer]) -> float:
    """Nats for the partition: number of groups, their sizes, who is in which."""
    n_units, n_groups = int(sizes.sum()), sizes.size
    arrangements = gammaln(n_units + 1) - gammaln(sizes + 1.0).sum()
    return float(np.log(n_units) + log_choose(n_units - 1, n_groups - 1) + arrangements)


def edge_count_length(n_groups: int, n_edges: int) -> float:
    """Nats for the numbers of edges between groups if every table is as likely (flat prior)."""
    return log_choose(n_groups * (n_groups + 1) / 2 + n_edges - 1, n_edges)


def edge_length(sizes: NDArray[np.integer], counts: NDArray[np.integer], degrees: Degrees) -> float:
    """Nats for the edges given group sizes and edge counts, without terms of single units.

    The ``corrected`` model also needs :func:`degree_length`.

    Parameters
    ----------
    counts
        Shape (group, group), symmetric; edges inside a group on the diagonal.
    """
    inner = np.diag(counts).astype(np.float64)
    ends = counts.sum(axis=1) + inner
    upper = counts[np.triu_indices(sizes.size, 1)]
    pairs = -gammaln(upper + 1.0).sum() - (inner * np.log(2) + gammaln(inner + 1)).sum()
    if degrees == "plain":
        return float(pairs + (ends * np.log(sizes)).sum())
    return float(pairs + gammaln(ends + 1.0).sum())


def degree_length(
    label: NDArray[np.integer],
    degree: NDArray[np.integer],
    prior: Literal["uniform", "distributed"],
) -> float:
    """Nats for the units' degrees, and what they spare when edges are told, given the partition.

    ``uniform`` takes every way to share a group's edge ends as equally likely; ``distributed``
    tells the histogram of degrees first, and is shorter where degrees repeat.
    """
    total = -float(gammaln(degree + 1.0).sum())
    for group in range(int(label.max()) + 1):
        own = degree[label == group]
        size, ends = own.size, int(own.sum())
        if prior == "uniform":
            total += log_choose(size + ends - 1, ends)
        else:
            repeats = np.unique(own, return_counts=True)[1]
            total += float(gammaln(size + 1.0) - gammaln(repeats + 1.0).sum())
            total += log_restricted_partitions(ends, size)
    return total


def log_restricted_partitions(total: int, parts: int) -> float:
    """Logarithm of the number of ways to write ``total`` as a sum of at most ``parts`` numbers.

    Szekeres' asymptotic formula, as in Peixoto (2017), and its limit for few parts; within half a
    nat of the exact number from five parts on.
    """
    parts = min(parts, total)
    if total <= 0 or parts <= 1:
        return 0.0
    if parts < total**0.25:
        return max(0.0, log_choose(total - 1, parts - 1) - float(gammaln(parts + 1)))
    u = parts / np.sqrt(total)
    v = u
    for _ in range(100):
        # The dilogarithm of 1 - exp(-v) is spence(exp(-v)).
        step = u * np.sqrt(spence(np.exp(-v)))
        if abs(step - v) < 1e-9:
            break
        v = float(step)
    tail = np.log1p(-np.exp(-v) * (1 + u**2 / 2))
    scale = np.log(v) - tail / 2 - 1.5 * np.log(2) - np.log(u) - np.log(np.pi)
    exponent = 2 * v / u - u * np.log1p(-np.exp(-v))
    return float(scale - np.log(total) + np.sqrt(total) * exponent)


def weight_length(
    prior: WeightPrior,
    counts: NDArray[np.integer],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> float:
    """Nats for the weights given the partition, parameters integrated out.

    Parameters
    ----------
    counts, sums, squares
        Number of edges and sums of ``y`` and ``y`` squared (:meth:`WeightPrior.statistics`) of
        each pair of groups, shape (group, group), symmetric.
    """
    if prior.model == "none":
        return 0.0
    upper = np.triu_indices(len(counts))
    held = counts[upper] > 0
    m, x, xx = (table[upper][held].astype(np.float64) for table in (counts, sums, squares))
    if prior.model == "exponential":
        nats = -np.log(prior.mean) - gammaln(m + 1) + (m + 1) * np.log(x + prior.mean)
        return float(nats.sum())
    mean = x / m
    spread = prior.variance + np.maximum(xx - m * mean**2, 0)
    spread += m / (1 + m) * (mean - prior.mean) ** 2
    nats = (
        m / 2 * np.log(np.pi)
        - gammaln((1 + m) / 2)
        + gammaln(0.5)
        + np.log(1 + m) / 2
        + (1 + m) / 2 * np.log(spread)
        - np.log(prior.variance) / 2
    )
    return float(nats.sum() + prior.jacobian)


def hierarchy_length(counts: NDArray[np.integer], levels: Sequence[NDArray[np.integer]]) -> float:
    """Nats for the numbers of edges between the finest groups, told through groups of groups.

    Parameters
    ----------
    counts
        Between the finest groups, as in :func:`edge_length`.
    levels
        Partition of the finest groups, of their groups, and so on, ending in one group; empty
        for a single finest group, which needs none.
    """
    total = 0.0
    for label in levels:
        sizes = np.bincount(label)
        total += partition_length(sizes)
        coarse = condensed(counts, label)
        total += _multigraph_length(sizes, coarse)
        counts = coarse
    return total


def condensed(counts: NDArray[np.integer], label: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers of edges between groups of groups; the diagonal counts every inner edge once."""
    n_groups = int(label.max()) + 1
    member = np.zeros((label.size, n_groups), dtype=np.int64)
    member[np.arange(label.size), label] = 1
    both = counts + np.diag(np.diag(counts))  # inner edges twice, like their ends
    table: NDArray[np.int64] = member.T @ both @ member
    table[np.diag_indices(n_groups)] //= 2
    return table


def _multigraph_length(sizes: NDArray[np.integer], counts: NDArray[np.integer]) -> float:
    """Nats for a graph of groups with repeated edges, given the edges between their groups."""
    upper = np.triu_indices(sizes.size, 1)
    between = np.outer(sizes, sizes)[upper].astype(np.float64)
    m = counts[upper].astype(np.float64)
    inner = np.diag(counts).astype(np.float64)
    within = sizes * (sizes + 1) / 2
    return log_choose(between + m - 1, m) + log_choose(within + inner - 1, inner)
