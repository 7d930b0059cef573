"""States of bins: forward filtering, backward drawing, and the sticky transition matrix.

Rows of the transition matrix are Dirichlet with the common weights times ``alpha`` and ``kappa``
more on the diagonal; the weights are Dirichlet with ``gamma / n_states`` each (the weak limit of
the sticky hierarchical Dirichlet process). The first transition of each segment is uniform.
"""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dynamics import Dynamics
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

SMALLEST = 1e-12
"""A weight of a state is not let below this, so that logarithms stay finite."""


@compiled
def emissions(x: Array, dynamics: Dynamics, linked: Flags) -> Array:
    """Log density of each transition under each state, (bin, state); 0 where there is none."""
    n_systems, n, d = x.shape
    n_states = dynamics.b.shape[1]
    out = np.zeros((n, n_states))
    away = np.empty(d)
    for g in range(n_systems):
        for t in range(1, n):
            if not linked[t]:
                continue
            for s in range(n_states):
                for i in range(d):
                    rest = x[g, t, i] - dynamics.b[g, s, i]
                    for j in range(d):
                        rest -= dynamics.a[g, s, i, j] * x[g, t - 1, j]
                    away[i] = rest
                total = dynamics.half[g, s] - 0.5 * d * np.log(2 * np.pi)
                for i in range(d):
                    for j in range(d):
                        total -= 0.5 * away[i] * dynamics.w[g, s, i, j] * away[j]
                out[t, s] += total
    return out


@compiled
def draw_states(emission: Array, log_row: Array, linked: Flags, rng: np.random.Generator) -> Index:
    """States of all bins given the transition matrix; bins without transition take the next's."""
    n, n_states = emission.shape
    row = np.exp(log_row)
    ahead = np.zeros((n, n_states))
    state = np.zeros(n, np.int64)
    weight = np.empty(n_states)
    for t in range(n):
        if not linked[t]:
            continue
        top = emission[t].max()
        total = 0.0
        for s in range(n_states):
            value = 1.0
            if linked[t - 1]:
                value = 0.0
                for j in range(n_states):
                    value += ahead[t - 1, j] * row[j, s]
            ahead[t, s] = value * np.exp(emission[t, s] - top)
            total += ahead[t, s]
        for s in range(n_states):
            ahead[t, s] /= total
    for t in range(n - 1, -1, -1):
        if not linked[t]:
            continue
        for s in range(n_states):
            weight[s] = ahead[t, s]
            if t < n - 1 and linked[t + 1]:
                weight[s] *= row[s, state[t + 1]]
        level = rng.random() * weight.sum()
        s = 0
        while s < n_states - 1 and level >= weight[s]:
            level -= weight[s]
            s += 1
        state[t] = s
    show_first(state, linked)
    return state


@compiled
def show_first(state: Index, linked: Flags) -> None:
    """Gives bins into which no transition leads the state of the next bin."""
    for t in range(state.size - 1, -1, -1):
        if not linked[t]:
            if t < state.size - 1:
                state[t] = state[t + 1]
            elif t > 0:
                state[t] = state[t - 1]


@compiled
def transition_counts(state: Index, linked: Flags, n_states: int) -> tuple[Array, int]:
    """Steps between states (from, to), and the number of stretches that begin anywhere."""
    count = np.zeros((n_states, n_states))
    starts = 0
    for t in range(1, state.size):
        if linked[t]:
            if linked[t - 1]:
                count[state[t - 1], state[t]] += 1
            else:
                starts += 1
    return count, starts


@compiled
def row_evidence(count: Array, weight: Array, alpha: float, kappa: float) -> float:
    """Log probability of the steps between states with the rows integrated out."""
    n_states = weight.size
    total = 0.0
    for j in range(n_states):
        number = count[j].sum()
        if number == 0:
            continue
        total += lgamma(alpha + kappa) - lgamma(alpha + kappa + number)
        for k in range(n_states):
            if count[j, k] > 0:
                prior = alpha * weight[k]
                if j == k:
                    prior += kappa
                total += lgamma(prior + count[j, k]) - lgamma(prior)
    return float(total)


@compiled
def state_log_prior(
    state: Index, linked: Flags, weight: Array, alpha: float, kappa: float
) -> float:
    """Log probability of the states with the rows of the transition matrix integrated out."""
    count, starts = transition_counts(state, linked, weight.size)
    return float(row_evidence(count, weight, alpha, kappa) - starts * np.log(weight.size))


@compiled
def draw_tables(
    count: Array, weight: Array, alpha: float, kappa: float, rng: np.random.Generator
) -> Array:
    """Tables that serve each state by choice and not by stickiness, (state,)."""
    n_states = weight.size
    served = np.zeros(n_states)
    for j in range(n_states):
        for k in range(n_states):
            prior = alpha * weight[k]
            if j == k:
                prior += kappa
            tables = 0
            for customer in range(int(count[j, k])):
                if rng.random() * (prior + customer) < prior:
                    tables += 1
            if j == k:
                for _ in range(tables):
                    if rng.random() * (kappa + alpha * weight[k]) >= kappa:
                        served[k] += 1
            else:
                served[k] += tables
    return served


@compiled
def draw_weights(served: Array, gamma: float, rng: np.random.Generator) -> Array:
    """Common weights of the states given the tables."""
    n_states = served.size
    weight = np.empty(n_states)
    for s in range(n_states):
        weight[s] = max(rng.standard_gamma(gamma / n_states + served[s]), 1e-300)
    weight /= weight.sum()
    weight = np.maximum(weight, SMALLEST)
    weight /= weight.sum()
    return weight


@compiled
def draw_rows(
    count: Array, weight: Array, alpha: float, kappa: float, rng: np.random.Generator
) -> Array:
    """Logs of the rows of the transition matrix given the steps."""
    n_states = weight.size
    out = np.empty((n_states, n_states))
    for j in range(n_states):
        for k in range(n_states):
            prior = alpha * weight[k] + count[j, k]
            if j == k:
                prior += kappa
            out[j, k] = max(rng.standard_gamma(prior), 1e-300)
        out[j] = np.log(out[j] / out[j].sum())
    return out


@compiled
def concentration_density(
    name: int,
    log_value: float,
    count: Array,
    weight: Array,
    served: Array,
    now: Array,
    shape: float,
    rate: float,
) -> float:
    """Log density of the log of a concentration: 0 alpha, 1 gamma, 2 kappa; rows integrated out."""
    value = np.exp(log_value)
    total = shape * log_value - rate * value
    if name == 1:
        number = served.sum()
        total += lgamma(value) - lgamma(value + number)
        for s in range(weight.size):
            total += lgamma(value / weight.size + served[s]) - lgamma(value / weight.size)
    elif name == 0:
        total += row_evidence(count, weight, value, now[2])
    else:
        total += row_evidence(count, weight, now[0], value)
    return float(total)


@compiled
def draw_concentration(
    name: int,
    count: Array,
    weight: Array,
    served: Array,
    now: Array,
    shape: float,
    rate: float,
    rng: np.random.Generator,
) -> float:
    """A slice of the log of a concentration, the others held; its new value."""
    centre = np.log(now[name])
    level = concentration_density(name, centre, count, weight, served, now, shape, rate)
    level += np.log(rng.random())
    low = centre - rng.random()
    high = low + 1.0
    for _ in range(20):
        if concentration_density(name, low, count, weight, served, now, shape, rate) < level:
            break
        low -= 1.0
    for _ in range(20):
        if concentration_density(name, high, count, weight, served, now, shape, rate) < level:
            break
        high += 1.0
    while True:
        value = low + (high - low) * rng.random()
        if concentration_density(name, value, count, weight, served, now, shape, rate) >= level:
            return float(np.exp(value))
        if value < centre:
            low = value
        else:
            high = value
