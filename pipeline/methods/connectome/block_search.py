"""Compiled search for partitions of a weighted graph that a block model describes shortly.

Merges of groups and moves of single units, first with noise and then without, from many groups
down to one. What is minimised (or sampled at ``noise`` 1) is the description length with the
flat prior of edge counts and, where degrees are corrected, the uniform prior of degrees; the
terms are those of :mod:`pipeline.methods.connectome.block_lengths`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled

NO_WEIGHTS, LOGNORMAL, EXPONENTIAL = 0, 1, 2

LOG_2 = math.log(2.0)
HALF_LOG_PI = math.log(math.pi) / 2
NOISE = (3.0, 1.0, 0.3)
"""Temperatures of the sweeps after each merge, before those without noise."""
QUIET_SWEEPS = 6
"""Most sweeps without noise after each merge; they end earlier when no unit moves."""


class Graph(NamedTuple):
    """A weighted graph and the prior of its weights, as compiled code takes it."""

    start: NDArray[np.int64]
    """Where each unit's neighbours begin, shape (unit + 1,)."""
    neighbour: NDArray[np.int64]
    y: NDArray[np.float64]
    """Statistic of each edge at each of its ends, like ``neighbour``."""
    yy: NDArray[np.float64]
    model: int
    mean: float
    variance: float
    corrected: bool
    """Whether degrees are corrected for."""
    log_factorial: NDArray[np.float64]
    """Logarithm of k! at k, up to what any count can be."""
    half_gamma: NDArray[np.float64]
    """Log gamma of (1 + m) / 2 at m."""


class State(NamedTuple):
    """A partition and its counts; changed in place."""

    label: NDArray[np.int64]
    size: NDArray[np.int64]
    ends: NDArray[np.int64]
    """Edge ends of each group."""
    edges: NDArray[np.int64]
    """Edges between two groups, inner ones once; shape (group, group)."""
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    cell: NDArray[np.float64]
    """Nats of each pair of groups: counts and weights."""


@compiled
def _cell(graph: Graph, m: int, x: float, xx: float, inner: bool) -> float:
    """Nats of one pair of groups."""
    if m == 0:
        return 0.0
    nats = -float(graph.log_factorial[m])
    if inner:
        nats -= m * LOG_2
    if graph.model == LOGNORMAL:
        average = x / m
        spread = xx - m * average * average
        if spread < 0.0:
            spread = 0.0
        spread += graph.variance + m / (1.0 + m) * (average - graph.mean) ** 2
        nats += m * HALF_LOG_PI - graph.half_gamma[m] + graph.half_gamma[0]
        nats += 0.5 * (math.log(1.0 + m) + (1.0 + m) * math.log(spread))
        nats -= 0.5 * math.log(graph.variance)
    elif graph.model == EXPONENTIAL:
        nats += (m + 1) * math.log(x + graph.mean) - graph.log_factorial[m] - math.log(graph.mean)
    return nats


@compiled
def _group(graph: Graph, size: int, ends: int) -> float:
    """Nats of one group: arrangement of its units, and their edge ends."""
    if size == 0:
        return 0.0
    table = graph.log_factorial
    if graph.corrected:
        # log ends! + log C(size + ends - 1, ends)
        return float(table[size + ends - 1] - table[size - 1] - table[size])
    return ends * math.log(size) - float(table[size])


@compiled
def _groups_prior(graph: Graph, n_groups: int) -> float:
    """Nats that depend on the number of groups alone: the partition's and the edge counts'."""
    n_units = graph.start.size - 1
    n_edges = graph.neighbour.size // 2
    table = graph.log_factorial
    nats = table[n_units - 1] - table[n_groups - 1] - table[n_units - n_groups]
    cells = n_groups * (n_groups + 1) // 2
    return float(nats + table[cells + n_edges - 1] - table[n_edges] - table[cells - 1])


@compiled
def state_of(graph: Graph, label: NDArray[np.int64], n_groups: int) -> State:
    """The state of a partition with labels below ``n_groups``."""
    size = np.zeros(n_groups, np.int64)
    ends = np.zeros(n_groups, np.int64)
    count = np.zeros((n_groups, n_groups), np.int64)
    sums = np.zeros((n_groups, n_groups))
    squares = np.zeros((n_groups, n_groups))
    for unit in range(label.size):
        own = label[unit]
        size[own] += 1
        ends[own] += graph.start[unit + 1] - graph.start[unit]
        for edge in range(graph.start[unit], graph.start[unit + 1]):
            other = label[graph.neighbour[edge]]
            count[own, other] += 1
            sums[own, other] += graph.y[edge]
            squares[own, other] += graph.yy[edge]
    cell = np.zeros((n_groups, n_groups))
    for group in range(n_groups):
        count[group, group] //= 2
        sums[group, group] /= 2
        squares[group, group] /= 2
    for first in range(n_groups):
        for second in range(n_groups):
            cell[first, second] = _cell(
                graph,
                count[first, second],
                sums[first, second],
                squares[first, second],
                first == second,
            )
    return State(label.copy(), size, ends, count, sums, squares, cell)


@compiled
def length_of(graph: Graph, state: State) -> float:
    """What the search minimises: all terms that depend on the partition."""
    total, n_groups = 0.0, 0
    for group in range(state.size.size):
        total += _group(graph, state.size[group], state.ends[group])
        n_groups += state.size[group] > 0
        for other in range(group + 1):
            total += state.cell[group, other]
    return total + _groups_prior(graph, n_groups)


@compiled
def _move(
    graph: Graph,
    state: State,
    unit: int,
    target: int,
    k: NDArray[np.int64],
    x: NDArray[np.float64],
    xx: NDArray[np.float64],
) -> None:
    """Put a unit into another group; ``k``, ``x``, ``xx`` are its edges to each group."""
    own = state.label[unit]
    degree = graph.start[unit + 1] - graph.start[unit]
    state.label[unit] = target
    state.size[own] -= 1
    state.size[target] += 1
    state.ends[own] -= degree
    state.ends[target] += degree
    for group in range(state.size.size):
        if k[group] == 0:
            continue
        for changed, sign in ((own, -1), (target, 1)):
            state.edges[changed, group] += sign * k[group]
            state.sums[changed, group] += sign * x[group]
            state.squares[changed, group] += sign * xx[group]
            if changed != group:
                state.edges[group, changed] = state.edges[changed, group]
                state.sums[group, changed] = state.sums[changed, group]
                state.squares[group, changed] = state.squares[changed, group]
    for changed in (own, target):
        for group in range(state.size.size):
            if k[group] or group in (own, target):
                cost = _cell(
                    graph,
                    state.edges[changed, group],
                    state.sums[changed, group],
                    state.squares[changed, group],
                    changed == group,
                )
                state.cell[changed, group] = state.cell[group, changed] = cost


@compiled
def _sweep(
    graph: Graph,
    state: State,
    noise: float,
    new_groups: bool,
    order: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> int:
    """Offer every unit every group, and one new one; how many moved.

    With ``noise`` the group is drawn with probability proportional to exp(-nats / noise), else it
    is the one with the fewest nats. A unit alone in its group stays unless ``new_groups``.
    """
    n_slots = state.size.size
    n_groups = 0
    for group in range(n_slots):
        n_groups += state.size[group] > 0
    k = np.zeros(n_slots, np.int64)
    x = np.zeros(n_slots)
    xx = np.zeros(n_slots)
    leave = np.zeros(n_slots)
    change = np.zeros(n_slots)
    moved = 0
    for position in range(order.size):
        unit = order[position]
        own = state.label[unit]
        alone = state.size[own] == 1
        if alone and not new_groups:
            continue
        k[:] = 0
        x[:] = 0.0
        xx[:] = 0.0
        degree = graph.start[unit + 1] - graph.start[unit]
        for edge in range(graph.start[unit], graph.start[unit + 1]):
            group = state.label[graph.neighbour[edge]]
            k[group] += 1
            x[group] += graph.y[edge]
            xx[group] += graph.yy[edge]
        # What the unit's own group loses does not depend on where the unit goes, but for the
        # one pair of groups that it joins.
        total_leave = 0.0
        for group in range(n_slots):
            if k[group] == 0:
                leave[group] = 0.0
                continue
            leave[group] = (
                _cell(
                    graph,
                    state.edges[own, group] - k[group],
                    state.sums[own, group] - x[group],
                    state.squares[own, group] - xx[group],
                    own == group,
                )
                - state.cell[own, group]
            )
            total_leave += leave[group]
        ends, size = state.ends[own], state.size[own]
        group_leave = _group(graph, size - 1, ends - degree) - _group(graph, size, ends)
        prior = _groups_prior(graph, n_groups)
        offered_new = False
        for target in range(n_slots):
            change[target] = np.inf
            if target == own:
                change[target] = 0.0
                continue
            if state.size[target] == 0:
                if offered_new or alone or not new_groups:
                    continue
                offered_new = True
            nats = total_leave - leave[target] + group_leave
            for group in range(n_slots):
                if k[group] == 0 or group in (own, target):
                    continue
                nats += (
                    _cell(
                        graph,
                        state.edges[target, group] + k[group],
                        state.sums[target, group] + x[group],
                        state.squares[target, group] + xx[group],
                        False,
                    )
                    - state.cell[target, group]
                )
            if k[target]:
                nats += (
                    _cell(
                        graph,
                        state.edges[target, target] + k[target],
                        state.sums[target, target] + x[target],
                        state.squares[target, target] + xx[target],
                        True,
                    )
                    - state.cell[target, target]
                )
            if k[target] or k[own]:
                nats += (
                    _cell(
                        graph,
                        state.edges[own, target] - k[target] + k[own],
                        state.sums[own, target] - x[target] + x[own],
                        state.squares[own, target] - xx[target] + xx[own],
                        False,
                    )
                    - state.cell[own, target]
                )
            nats += _group(graph, state.size[target] + 1, state.ends[target] + degree)
            nats -= _group(graph, state.size[target], state.ends[target])
            after = n_groups - alone + (state.size[target] == 0)
            if after != n_groups:
                nats += _groups_prior(graph, after) - prior
            change[target] = nats
        chosen = _drawn(change, noise, uniform[position]) if noise > 0 else int(np.argmin(change))
        if noise == 0 and change[chosen] > -1e-9:
            chosen = own
        if chosen != own:
            n_groups += (state.size[chosen] == 0) - alone
            _move(graph, state, unit, chosen, k, x, xx)
            moved += 1
    return moved


@compiled
def _drawn(change: NDArray[np.float64], noise: float, uniform: float) -> int:
    """An index with probability proportional to exp(-change / noise)."""
    least = change.min()
    total = 0.0
    for value in change:
        total += math.exp(-(value - least) / noise)
    left = uniform * total
    last = 0
    for index in range(change.size):
        weight = math.exp(-(change[index] - least) / noise)
        if weight > 0:
            last = index
            left -= weight
            if left < 0:
                break
    return last


@compiled
def _merge_best(graph: Graph, state: State) -> None:
    """Join the two groups whose union costs the fewest nats."""
    n_slots = state.size.size
    best, first_best, second_best = np.inf, -1, -1
    for first in range(n_slots):
        for second in range(first):
            if state.size[first] == 0 or state.size[second] == 0:
                continue
            size = state.size[first] + state.size[second]
            ends = state.ends[first] + state.ends[second]
            nats = _group(graph, size, ends)
            nats -= _group(graph, state.size[first], state.ends[first])
            nats -= _group(graph, state.size[second], state.ends[second])
            nats += _cell(
                graph,
                state.edges[first, first]
                + state.edges[second, second]
                + state.edges[first, second],
                state.sums[first, first] + state.sums[second, second] + state.sums[first, second],
                state.squares[first, first]
                + state.squares[second, second]
                + state.squares[first, second],
                True,
            )
            nats -= state.cell[first, first] + state.cell[second, second]
            nats -= state.cell[first, second]
            for group in range(n_slots):
                if group in (first, second) or state.size[group] == 0:
                    continue
                nats += _cell(
                    graph,
                    state.edges[first, group] + state.edges[second, group],
                    state.sums[first, group] + state.sums[second, group],
                    state.squares[first, group] + state.squares[second, group],
                    False,
                )
                nats -= state.cell[first, group] + state.cell[second, group]
            if nats < best:
                best, first_best, second_best = nats, first, second
    for unit in range(state.label.size):
        if state.label[unit] == second_best:
            state.label[unit] = first_best


@compiled
def compact(label: NDArray[np.int64]) -> int:
    """Number groups from 0 in the order of their first units, in place; how many there are."""
    new = np.full(label.max() + 1, -1, np.int64)
    n_groups = 0
    for unit in range(label.size):
        if new[label[unit]] < 0:
            new[label[unit]] = n_groups
            n_groups += 1
        label[unit] = new[label[unit]]
    return n_groups


@compiled
def _settle(graph: Graph, state: State, noise: tuple[float, ...], rng: np.random.Generator) -> None:
    """Sweeps with falling noise, then without until no unit moves."""
    n_units = state.label.size
    for temperature in noise:
        _sweep(graph, state, temperature, False, rng.permutation(n_units), rng.random(n_units))
    for _ in range(QUIET_SWEEPS):
        if not _sweep(graph, state, 0.0, False, rng.permutation(n_units), rng.random(n_units)):
            break


@compiled
def search(
    graph: Graph, label: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The shortest partition met for each number of groups, from a start down to one group.

    Returns
    -------
    Partitions, shape (groups, unit), row ``b - 1`` with ``b`` groups; and their lengths, infinite
    where no partition of so many groups was met.
    """
    label = label.copy()
    n_groups = compact(label)
    found = np.zeros((n_groups, label.size), np.int64)
    lengths = np.full(n_groups, np.inf)
    while True:
        state = state_of(graph, label, n_groups)
        _settle(graph, state, NOISE, rng)
        label[:] = state.label
        n_groups = compact(label)
        state = state_of(graph, label, n_groups)
        length = length_of(graph, state)
        if length < lengths[n_groups - 1]:
            lengths[n_groups - 1] = length
            found[n_groups - 1] = label
        if n_groups == 1:
            return found, lengths
        for _ in range(max(1, n_groups // 8)):
            _merge_best(graph, state)
            label[:] = state.label
            n_groups = compact(label)
            state = state_of(graph, label, n_groups)


@compiled
def refine(graph: Graph, label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A partition after moves that shorten it, into new groups as well."""
    label = label.copy()
    n_units = label.size
    for _ in range(QUIET_SWEEPS):
        n_groups = compact(label)
        state = state_of(graph, label, min(n_groups + 1, n_units))
        moved = _sweep(graph, state, 0.0, True, rng.permutation(n_units), rng.random(n_units))
        label[:] = state.label
        if not moved:
            break
    compact(label)
    return label


@compiled
def sample(
    graph: Graph,
    label: NDArray[np.int64],
    n_burn_in: int,
    n_samples: int,
    thinning: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Partitions drawn in proportion to exp(-length), shape (sample, unit), from a start."""
    label = label.copy()
    n_units = label.size
    drawn = np.zeros((n_samples, n_units), np.int64)
    for index in range(-n_burn_in, n_samples * thinning):
        n_groups = compact(label)
        state = state_of(graph, label, min(n_groups + 1, n_units))
        _sweep(graph, state, 1.0, True, rng.permutation(n_units), rng.random(n_units))
        label[:] = state.label
        if index >= 0 and index % thinning == 0:
            drawn[index // thinning] = label
            compact(drawn[index // thinning])
    return drawn
