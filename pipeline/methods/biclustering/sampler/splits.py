"""Splits and merges of clusters by walks between them, with exact acceptance.

A split proposes two clusters for one. On the way both partitions are there at once: the old
cluster's density is raised to a power that falls from 1 to 0, those of the new clusters to one
that rises, and what a power lacks is made up by each cluster's reference (``bridge.py``). At each
of many powers trajectories, loadings, their basis, dispersions and states move. The product of the
steps' density ratios is an importance weight of the ratio of evidences, and by it the walk is
accepted or not: annealed importance sampling within a reversible jump (Neal 2001; Karagiannis &
Andrieu 2013, Journal of Computational and Graphical Statistics 22). A merge is the same walk
backwards. References and the shares in which units are allotted depend on the counts and the set
of units alone, so that the way back has the same ones, in whatever basis trajectories are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pipeline.methods.biclustering.sampler.bridge import (
    Reference,
    counts_density,
    draw_mixed_dynamics,
    draw_reference,
    ladder,
    move_cluster,
    prior_density,
    reference_around,
    shared_dispersions,
)
from pipeline.methods.biclustering.sampler.dynamics import draw_dynamics
from pipeline.methods.biclustering.sampler.loadings import laplace
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.search import (
    START_SIZE,
    fit_cluster,
    grouped,
    principal,
    smoothed,
)
from pipeline.methods.biclustering.sampler.states import draw_states, emissions

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FIT_ROUNDS = 4
"""Alternations of trajectory, loadings and dynamics for a reference."""

SURE = 3.0
"""Largest log odds of the cluster that a unit is allotted to in a split."""

MOST_KNOWN = 50
"""Sets of units of which references and shares are kept."""


@dataclass(slots=True, kw_only=True, eq=False)
class Side:
    """A cluster on a walk."""

    at: Reference
    x: Array
    beta: Array
    new: bool
    """Whether it is one of the two clusters; otherwise it is all of them together."""

    def power(self, level: float) -> float:
        """Of its density at a level between one cluster (0) and two (1)."""
        return level if self.new else 1 - level


def split_or_merge(
    problem: Problem, now: Position, number: int, rng: np.random.Generator
) -> tuple[str, bool]:
    """One proposal with a walk of ``number`` steps; its kind, and whether it was accepted.

    Two units are drawn: the cluster of both is split, or their two clusters are merged.
    Dynamics are integrated out and must be drawn anew afterwards.
    """
    sizes = np.bincount(now.cluster)
    pair = now.cluster[rng.choice(problem.n_units, 2, replace=False)]
    if pair[0] == pair[1]:
        k = int(pair[0])
        units = np.flatnonzero(now.cluster == k)
        first, density = allot(problem, units, rng)
        parts = [units[first], units[~first]]
        ratio = partition_ratio(problem, sizes, parts) - density
        ratio += np.log(2 * parts[0].size * parts[1].size) - np.log(units.size * (units.size - 1))
        sides, size, state, weight = walk(problem, now, units, parts, [k], number, rng)
        if not np.log(rng.random()) < ratio + weight:
            return "split", False
        x = np.concatenate([now.by_cluster(problem), sides[2].x[None]])
        x[k] = sides[1].x
        now.x = x
        now.cluster[parts[1]] = x.shape[0] - 1
        for side in sides[1:]:
            now.beta[side.at.unit] = side.beta
        now.size, now.state = size, state
        return "split", True
    pair = np.sort(pair)
    parts = [np.flatnonzero(now.cluster == k) for k in pair]
    units = np.sort(np.concatenate(parts))
    after = np.append(np.delete(sizes, pair), units.size)
    ratio = -partition_ratio(problem, after, parts)
    ratio += allotment(problem, units, np.isin(units, parts[0]))
    ratio += np.log(units.size * (units.size - 1)) - np.log(2 * parts[0].size * parts[1].size)
    sides, size, state, weight = walk(problem, now, units, parts, list(pair), number, rng)
    if not np.log(rng.random()) < ratio + weight:
        return "merge", False
    now.x[pair[0]] = sides[0].x
    now.cluster[parts[1]] = pair[0]
    now.beta[units] = sides[0].beta
    now.size, now.state = size, state
    now.drop_empty(problem)
    return "merge", True


def may_split(problem: Problem) -> bool:
    """Whether there can be several clusters, independent of each other given the states."""
    return not (problem.full or problem.priors.one_cluster or problem.n_units == 1)


def partition_ratio(problem: Problem, sizes: NDArray[np.integer], parts: list[Index]) -> float:
    """Log prior of the partition with the parts apart over that of ``sizes``, parts together."""
    weight, k = problem.priors.cluster_weight, sizes.size
    apart = sum(gammaln(part.size + weight) for part in parts) - gammaln(weight)
    together = gammaln(sum(part.size for part in parts) + weight)
    return float(problem.log_v[k + 1] - problem.log_v[k] + apart - together)


def walk(
    problem: Problem,
    now: Position,
    units: Index,
    parts: list[Index],
    old: list[int],
    number: int,
    rng: np.random.Generator,
) -> tuple[list[Side], Array, Index, float]:
    """From one cluster to two, or from two (when ``old`` are two) to one.

    Returns the sides (all units, then the two parts), dispersions, states, and the log weight.
    """
    data, back = problem.data, len(old) == 2
    x = now.by_cluster(problem)
    sides = []
    for index, own in enumerate((units, *parts)):
        at = reference(problem, own)
        if (index > 0) == back:
            k = old[index - 1] if back else old[0]
            sides.append(Side(at=at, x=x[k].copy(), beta=now.beta[own], new=index > 0))
        else:
            path, beta = draw_reference(at, rng)
            sides.append(Side(at=at, x=path, beta=beta, new=index > 0))
    rest = np.ascontiguousarray(np.delete(x, old, axis=0))
    size, state = now.size.copy(), now.state.copy()
    levels = ladder(number)
    if back:
        levels = levels[::-1]
    weight = 0.0
    for before, after in pairwise(levels):
        for side in sides:
            weight += density(problem, side, size, state, after)
            weight -= density(problem, side, size, state, before)
        if after in (0.0, 1.0):
            break
        if back:
            state = draw_shared_states(problem, now, sides, rest, state, after, rng)
            move_shared_dispersions(problem, sides, size, after, rng)
        for side in sides:
            move_cluster(
                data,
                side.at,
                size,
                side.x,
                side.beta,
                state,
                now.weight.size,
                problem.dynamics,
                problem.loading,
                side.power(after),
                back,
                rng,
            )
        if not back:
            move_shared_dispersions(problem, sides, size, after, rng)
            state = draw_shared_states(problem, now, sides, rest, state, after, rng)
    return sides, size, state, float(weight)


def density(problem: Problem, side: Side, size: Array, state: Index, level: float) -> float:
    """Log density of a cluster at a level."""
    power = side.power(level)
    total = prior_density(
        side.at,
        side.x,
        side.beta,
        state,
        problem.data.linked,
        problem.priors.n_states,
        problem.dynamics,
        problem.loading,
        power,
    )
    if power > 0:
        total += power * counts_density(problem.data, side.at.unit, size, side.x, side.beta)
    return total


def move_shared_dispersions(
    problem: Problem, sides: list[Side], size: Array, level: float, rng: np.random.Generator
) -> None:
    """New dispersions of the units of a walk, in place."""
    if problem.data.poisson:
        return
    together = sides[0]
    for side in sides[1:]:
        shared_dispersions(
            problem.data,
            side.at.unit,
            np.searchsorted(together.at.unit, side.at.unit),
            side.x,
            side.beta,
            together.x,
            together.beta,
            level,
            size,
            problem.priors.dispersion_shape,
            problem.priors.dispersion_rate,
            rng,
        )


def draw_shared_states(
    problem: Problem,
    now: Position,
    sides: list[Side],
    rest: Array,
    state: Index,
    level: float,
    rng: np.random.Generator,
) -> Index:
    """New states of a walk, by way of dynamics that are drawn and forgotten."""
    n_states = now.weight.size
    if n_states == 1:
        return state
    linked = problem.data.linked
    dynamics = draw_dynamics(rest, state, linked, n_states, problem.dynamics, rng)
    log_density = emissions(rest, dynamics, linked)
    for side in sides:
        power = side.power(level)
        dynamics = draw_mixed_dynamics(
            side.at, side.x, state, linked, n_states, problem.dynamics, power, rng
        )
        log_density += power * emissions(side.x[None], dynamics, linked)
    return draw_states(log_density, now.log_row, linked, rng)


def reference(problem: Problem, units: Index) -> Reference:
    """The reference of a set of units, from the counts alone."""
    key = b"reference" + units.tobytes()
    if key not in problem.known:
        keep(problem, key, make_reference(problem, units))
    known: Reference = problem.known[key]
    return known


def keep(problem: Problem, key: bytes, value: object) -> None:
    """Keep what was found for a set of units; the oldest of many is forgotten."""
    if len(problem.known) >= MOST_KNOWN:
        del problem.known[next(iter(problem.known))]
    problem.known[key] = value


def series_of(problem: Problem, units: Index) -> Array:
    """Smooth log rates of some units."""
    data = problem.data
    return smoothed(data._replace(counts=data.counts[units], exposure=data.exposure[units]))


def first_sizes(problem: Problem) -> Array:
    """Dispersions that references are made with."""
    return np.full(problem.n_units, 1.0 if problem.data.poisson else START_SIZE)


def make_reference(problem: Problem, units: Index) -> Reference:
    """A trajectory and loadings that fit a set of units, as if in one state."""
    data, q, rng = problem.data, problem.priors.n_latents, np.random.default_rng(0)
    x = principal(series_of(problem, units), q)
    beta = np.zeros((units.size, q))
    size = first_sizes(problem)
    fit_cluster(data, units, size, problem.loading, problem.dynamics, x, beta, FIT_ROUNDS, rng)
    return reference_around(problem, units, size, x)


def shares(problem: Problem, units: Index) -> Array:
    """Probability of each unit to be allotted to the first of two clusters, from counts alone."""
    key = b"shares" + units.tobytes()
    if key not in problem.known:
        keep(problem, key, make_shares(problem, units))
    known: Array = problem.known[key]
    return known


def make_shares(problem: Problem, units: Index) -> Array:
    """Shares from two groups by k-means and how well each group's trajectory predicts a unit."""
    series = series_of(problem, units)
    label = grouped(series, 2, np.random.default_rng(0))
    odds = np.zeros(units.size)
    for _ in range(3):
        groups = [units[label == g] for g in (0, 1)]
        if min(map(len, groups)) == 0:
            break
        x = np.stack([reference(problem, group).center for group in groups])
        found = laplace(problem.data, first_sizes(problem), x, problem.loading, units)
        odds = found.evidence[:, 0] - found.evidence[:, 1]
        odds[np.isnan(odds)] = 0.0  # counts so large that neither evidence is finite
        label = (odds < 0).astype(np.int64)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -SURE, SURE))))


def allot(
    problem: Problem, units: Index, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], float]:
    """Which units go to the first cluster, neither of them empty; the log probability."""
    share = shares(problem, units)
    while True:
        first = rng.random(units.size) < share
        if 0 < first.sum() < units.size:
            return first, allotment(problem, units, first)


def allotment(problem: Problem, units: Index, first: NDArray[np.bool_]) -> float:
    """Log probability that units are allotted so, whichever of both clusters is the first."""
    share = shares(problem, units)
    log_share, log_rest = np.log(share), np.log1p(-share)
    one = np.where(first, log_share, log_rest).sum()
    other = np.where(first, log_rest, log_share).sum()
    empty = np.exp(log_share.sum()) + np.exp(log_rest.sum())
    return float(np.logaddexp(one, other) - np.log1p(-empty))
