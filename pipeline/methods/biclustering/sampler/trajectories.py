"""Draws of trajectories: a Gaussian around the mode, corrected by its exact ratio.

Given all else the log density of a system's trajectory is concave. Newton steps find its mode in
a window of bins, with the trajectory outside held; a draw from the Gaussian with the curvature at
the mode is taken or left by Metropolis and Hastings. The mode does not depend on where the steps
begin (they end when nothing changes by more than ``SETTLED``), so that the way back has the same
proposal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import Dynamics, path_log_density
from pipeline.methods.biclustering.sampler.gaussian import (
    factor,
    log_density,
    quadratic,
    solve_root,
    solve_transposed,
)
from pipeline.methods.biclustering.sampler.likelihood import (
    Counts,
    kernel,
    slopes,
    unit_log_likelihood,
)
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SETTLED = 1e-6
"""Largest change of a latent in the last Newton step."""

MOST_STEPS = 60


class Members(NamedTuple):
    """The units of one system, and what links each to its trajectory."""

    unit: Index
    place: Index
    """First column of the unit's cluster among the system's latents."""
    beta: Array
    """(member, latent): baseline, then loadings."""
    size: Array
    """(member,)."""


class Crew(NamedTuple):
    """The units of all systems, one system after another."""

    unit: Index
    place: Index
    beta: Array
    size: Array
    first: Index
    """Where each system's units begin, and the number of units at the end, (system + 1,)."""


@compiled
def members_of(crew: Crew, g: int) -> Members:
    """The units of one system."""
    low, high = crew.first[g], crew.first[g + 1]
    return Members(
        crew.unit[low:high], crew.place[low:high], crew.beta[low:high], crew.size[low:high]
    )


@compiled
def window_prior(
    x: Array, dynamics: Dynamics, g: int, state: Index, linked: NDArray[np.bool_], window: Index
) -> tuple[Array, Array, Array]:
    """Precision and linear term of the prior of a window given the trajectory outside."""
    low, high = window[0], window[1]
    n, d = x.shape
    length = high - low + 1
    diagonal = np.zeros((length, d, d))
    below = np.zeros((length, d, d))
    linear = np.zeros((length, d))
    for t in range(low, min(high + 1, n - 1) + 1):
        at = t - low
        if not linked[t]:
            if t <= high:
                for i in range(d):
                    diagonal[at, i, i] += 1.0
            continue
        s = state[t]
        if t <= high:
            for i in range(d):
                linear[at, i] += dynamics.wb[g, s, i]
                for j in range(d):
                    diagonal[at, i, j] += dynamics.w[g, s, i, j]
        if t > low:
            for i in range(d):
                linear[at - 1, i] -= dynamics.awb[g, s, i]
                for j in range(d):
                    diagonal[at - 1, i, j] += dynamics.awa[g, s, i, j]
        for i in range(d):
            for j in range(d):
                cross = dynamics.wa[g, s, i, j]
                if t == low:
                    linear[at, i] += cross * x[t - 1, j]
                elif t > high:
                    linear[at - 1, j] += cross * x[t, i]
                else:
                    below[at, i, j] = -cross
    return diagonal, below, linear


@compiled
def smooth(
    data: Counts,
    members: Members,
    diagonal: Array,
    below: Array,
    linear: Array,
    start: Array,
    low: int,
    most: int,
    power: float,
) -> tuple[Array, Array, Array, float]:
    """Mode of a window, and factor of the precision there: ``mode``, ``root``, ``link``, ``half``.

    ``start`` is where the steps begin, (bin of the window, latent), and ``most`` their number. The
    counts' probability is raised to ``power``; it is 1 but on the way between partitions.
    """
    n, d = start.shape
    q = members.beta.shape[1]
    g = np.ones(q)
    mode = start.copy()
    before = start.copy()
    step = np.zeros((n, d))
    best = -np.inf
    scale = 1.0
    root, link, half = diagonal, below, 0.0
    for _ in range(most):
        precision = diagonal.copy()
        right = linear.copy()
        value = -0.5 * quadratic(diagonal, below, mode)
        for t in range(n):
            for i in range(d):
                value += linear[t, i] * mode[t, i]
        for m in range(members.unit.size):
            unit, place, size = members.unit[m], members.place[m], members.size[m]
            log_size = np.log(size)
            for j in range(1, q):
                g[j] = members.beta[m, j]
            for t in range(n):
                count = data.counts[unit, low + t]
                if count < 0:
                    continue
                known = data.exposure[unit, low + t] + members.beta[m, 0]
                shared = 0.0
                for j in range(q):
                    shared += g[j] * mode[t, place + j]
                eta = known + shared
                value += power * kernel(count, eta, size, log_size, data.poisson)
                slope, curve = slopes(count, eta, size, data.poisson)
                slope *= power
                curve *= power
                pull = slope + curve * shared
                for i in range(q):
                    right[t, place + i] += pull * g[i]
                    for j in range(i + 1):
                        precision[t, place + i, place + j] += curve * g[i] * g[j]
        for t in range(n):
            for i in range(d):
                for j in range(i):
                    precision[t, j, i] = precision[t, i, j]
        if not value >= best - 1e-7 * (1 + abs(best)) and scale > 1e-4:
            scale *= 0.5
            for t in range(n):
                for i in range(d):
                    mode[t, i] = before[t, i] + scale * step[t, i]
            continue
        best = value
        root, link, half = factor(precision, below)
        ahead = solve_transposed(root, link, solve_root(root, link, right))
        change = 0.0
        for t in range(n):
            for i in range(d):
                before[t, i] = mode[t, i]
                step[t, i] = ahead[t, i] - mode[t, i]
                mode[t, i] = ahead[t, i]
                change = max(change, abs(step[t, i]))
        scale = 1.0
        if change < SETTLED:
            break
    return mode, root, link, half


@compiled
def window_density(
    data: Counts,
    members: Members,
    x: Array,
    dynamics: Dynamics,
    g: int,
    state: Index,
    window: Index,
) -> float:
    """Log density of counts and trajectory, of all terms that touch a window."""
    total = path_log_density(x, dynamics, g, state, data.linked, window[0], window[1])
    for m in range(members.unit.size):
        total += unit_log_likelihood(
            data,
            members.unit[m],
            members.size[m],
            members.beta[m],
            x,
            members.place[m],
            window[0],
            window[1],
        )
    return total


@compiled
def weigh_window(
    data: Counts,
    members: Members,
    x: Array,
    dynamics: Dynamics,
    g: int,
    state: Index,
    window: Index,
    rng: np.random.Generator,
    draw: bool,
) -> float:
    """Log of target over proposal of a window as it is, or, with ``draw``, as newly drawn into x.

    This is the log importance weight of the window, from which ratios of moves are made.
    """
    low, high = window[0], window[1]
    length, d = high - low + 1, x.shape[1]
    diagonal, below, linear = window_prior(x, dynamics, g, state, data.linked, window)
    start = x[low : high + 1].copy()
    mode, root, link, half = smooth(
        data, members, diagonal, below, linear, start, low, MOST_STEPS, 1.0
    )
    away = np.empty((length, d))
    if draw:
        noise = np.empty((length, d))
        for t in range(length):
            for i in range(d):
                noise[t, i] = rng.standard_normal()
        away = solve_transposed(root, link, noise)
        for t in range(length):
            for i in range(d):
                x[low + t, i] = mode[t, i] + away[t, i]
    else:
        for t in range(length):
            for i in range(d):
                away[t, i] = x[low + t, i] - mode[t, i]
    target = window_density(data, members, x, dynamics, g, state, window)
    return target - log_density(root, link, half, away)


@compiled
def redraw(
    data: Counts,
    members: Members,
    x: Array,
    dynamics: Dynamics,
    g: int,
    state: Index,
    length: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Redraws a system's trajectory in pieces of about ``length`` bins; accepted and proposed."""
    n = x.shape[0]
    accepted, proposed = 0, 0
    low = 0
    if length < n:
        low = -int(rng.integers(0, length))
    while low < n:
        window = np.array([max(low, 0), min(low + length, n) - 1])
        low += length
        fresh = x.copy()
        ahead = weigh_window(data, members, fresh, dynamics, g, state, window, rng, True)
        back = weigh_window(data, members, x, dynamics, g, state, window, rng, False)
        proposed += 1
        if np.log(rng.random()) < ahead - back:
            accepted += 1
            x[:] = fresh
    return accepted, proposed
