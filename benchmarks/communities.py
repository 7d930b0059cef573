"""Communities of graphs with planted groups: agreement with the truth, and CPU seconds a graph.

Weighted graphs of 125 units in nine settings, drawn as Lancichinetti & Fortunato (2009) describe:
degrees and sizes of groups from power laws, a share of each unit's edges (mu_t) and of its strength
(mu_w) outside its group, strengths as a power (beta) of degrees. The embedded block model, Leiden
and, where Debian's python3-graph-tool is installed, graph-tool see the same graphs. Agreement is
normalised mutual information of the finest level, without a look at the truth.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/communities.py [--methods block_model leiden]

Four graphs a setting (36 in all), normalised mutual information and processor seconds a graph:

    setting        block_model      s
    beta 0.5             0.146   0.78
    beta 1               0.634   0.96
    beta 2               0.663   0.82
    mu_t 0.25            0.623   0.63
    mu_t 0.5             0.518   0.79
    mu_t 0.75            0.155   0.69
    k 10                 0.223   0.67
    mu_w 0.25            0.651   0.76
    mu_w 0.75            0.705   0.79
    mean                 0.480   0.77

graph-tool has 0.424 on the published comparison's own graphs of these settings, which are others.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from pipeline.core.rng import stream
from pipeline.methods.connectome.communities import find_communities
from pipeline.methods.connectome.config import ConnectomeConfig

N_UNITS = 125
MEAN_DEGREE = 25
LARGEST_DEGREE = 100
METHODS = ("block_model", "leiden", "graph_tool")
ROUNDS = 200
"""In which weights approach the strengths that units should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of the generator; the defaults are those of the published comparison."""

    beta: float = 2.0
    mu_t: float = 0.5
    mu_w: float = 0.5
    mean_degree: int = MEAN_DEGREE


SETTINGS = {
    "beta 0.5": Setting(beta=0.5),
    "beta 1": Setting(beta=1.0),
    "beta 2": Setting(),
    "mu_t 0.25": Setting(mu_t=0.25),
    "mu_t 0.5": Setting(mu_t=0.5),
    "mu_t 0.75": Setting(mu_t=0.75),
    "k 10": Setting(mean_degree=10),
    "mu_w 0.25": Setting(mu_w=0.25),
    "mu_w 0.75": Setting(mu_w=0.75),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=10)
    parser.add_argument("--methods", nargs="+", default=["block_model", "leiden"], choices=METHODS)
    args = parser.parse_args()
    methods = args.methods
    print(f"{'setting':12}" + "".join(f"{name:>14}{'s':>7}" for name in methods))
    means = []
    warm_up = planted_graph(Setting(), np.random.default_rng(0))[0]
    find_communities([warm_up], config_of("block_model"), rng=stream(0, "warm-up"))
    for name, setting in SETTINGS.items():
        scores = np.zeros((args.instances, len(methods), 2))
        for instance in range(args.instances):
            weights, truth = planted_graph(setting, stream(instance, "graph", name))
            for column, method in enumerate(methods):
                scores[instance, column] = scored(weights, truth, method)
        means.append(scores.mean(axis=0))
        print(row(name, means[-1]), flush=True)
    print(row("mean", np.mean(means, axis=0)))


def scored(weights: np.ndarray, truth: np.ndarray, method: str) -> tuple[float, float]:
    """Agreement of the finest level with the truth, and seconds."""
    start = cpu_seconds()
    found = find_communities([weights], config_of(method), rng=stream(0, "search", method))[0]
    seconds = cpu_seconds() - start
    return normalized_mutual_info_score(truth, found.levels[0]), seconds


def cpu_seconds() -> float:
    """Processor time of this process and of those it waited for, as graph-tool's."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def config_of(method: str) -> ConnectomeConfig:
    """Every unit takes part."""
    return ConnectomeConfig(communities=method, min_strength=0.0)


def row(name: str, scores: np.ndarray) -> str:
    """A line of the table."""
    return f"{name:12}" + "".join(
        f"{agreement:14.3f}{seconds:7.2f}" for agreement, seconds in scores
    )


def planted_graph(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weights (unit, unit) with at least two groups, and the groups."""
    while True:
        degree = power_law(rng, N_UNITS, exponent=2.0, mean=setting.mean_degree)
        inner = np.round((1 - setting.mu_t) * degree).astype(int)
        truth = groups_of(rng, inner)
        if truth is not None and truth.max() > 0:
            break
    same = truth[:, None] == truth[None, :]
    inside = wired(rng, inner, same & ~np.eye(N_UNITS, dtype=bool))
    outside = wired(rng, degree - inner, ~same)
    strength = (inside + outside).sum(axis=1) ** setting.beta
    weights = weighted(inside, (1 - setting.mu_w) * strength) + weighted(
        outside, setting.mu_w * strength
    )
    return weights, truth


def power_law(rng: np.random.Generator, n: int, *, exponent: float, mean: float) -> np.ndarray:
    """Whole numbers up to the largest degree, whose lower end gives the mean."""
    values = np.arange(1, LARGEST_DEGREE + 1, dtype=float)
    lowest = 1
    while True:
        share = np.where(values >= lowest, values**-exponent, 0)
        share /= share.sum()
        if share @ values >= mean:
            return rng.choice(values, n, p=share).astype(int)
        lowest += 1


def groups_of(rng: np.random.Generator, inner: np.ndarray) -> np.ndarray | None:
    """Groups with sizes from a power law of exponent 1, each unit in one that holds its edges."""
    smallest, largest = max(inner.min() + 1, 5), min(inner.max() + 1, inner.size)
    sizes: list[int] = []
    values = np.arange(smallest, max(largest, smallest) + 1)
    while sum(sizes) < inner.size:
        sizes.append(int(rng.choice(values, p=(1 / values) / (1 / values).sum())))
    sizes[-1] -= sum(sizes) - inner.size
    if sizes[-1] < smallest and len(sizes) > 1:
        sizes[-2] += sizes.pop()
    free = np.array(sizes)
    truth = np.full(inner.size, -1)
    for unit in np.argsort(-inner, kind="stable"):
        fitting = np.flatnonzero((free > 0) & (np.array(sizes) > inner[unit]))
        if not fitting.size:
            return None
        truth[unit] = rng.choice(fitting, p=free[fitting] / free[fitting].sum())
        free[truth[unit]] -= 1
    return truth


def wired(rng: np.random.Generator, degree: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Edges between allowed pairs, the neediest units first; degrees as far as they can be met."""
    edges = np.zeros(allowed.shape)
    left = degree.copy()
    while True:
        units = np.flatnonzero((left > 0) & (allowed & (left > 0) & (edges == 0)).any(axis=1))
        if not units.size:
            return edges
        unit = rng.choice(units, p=left[units] / left[units].sum())
        others = np.flatnonzero(allowed[unit] & (left > 0) & (edges[unit] == 0))
        other = rng.choice(others, p=left[others] / left[others].sum())
        edges[unit, other] = edges[other, unit] = 1
        left[unit] -= 1
        left[other] -= 1


def weighted(edges: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Weights whose sums approach the strengths: what a unit lacks is shared by its edges."""
    count = np.maximum(edges.sum(axis=1), 1)
    share = strength / count
    weights = edges * (share[:, None] + share[None, :]) / 2
    for _ in range(ROUNDS):
        lack = (strength - weights.sum(axis=1)) / count
        change = edges * (lack[:, None] + lack[None, :]) / 2
        weights = np.where(edges > 0, np.maximum(weights + change, weights / 2), 0)
    return weights


if __name__ == "__main__":
    main()
