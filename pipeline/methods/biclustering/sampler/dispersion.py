"""Slices of the log dispersion of each unit, given its log means."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.likelihood import Counts
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LOWEST, HIGHEST = np.log(1e-3), np.log(1e5)
"""Bounds of the log dispersion."""

LONGEST_TABLE = 1000
"""Values of counts in the table of them; what is above goes through gamma functions."""

STEPS = 8
"""Most steps of width 1 that a slice is widened by, on both sides together."""


@compiled
def dispersion_density(
    log_size: float,
    count: Array,
    mean: Array,
    power: Array,
    above: Array,
    shape: float,
    rate: float,
) -> float:
    """Log density of a unit's log dispersion.

    ``above[v]`` is the number of bins with counts above ``v``, so that the ratio of gamma functions
    is a sum over values and not over bins; above :data:`LONGEST_TABLE` it is taken bin by bin.
    Probabilities of counts given means are raised to ``power``; a bin may occur with several means
    whose powers sum to 1.
    """
    size = np.exp(log_size)
    value = shape * log_size - rate * size
    for v in range(above.size):
        if above[v] == 0:
            break
        value += above[v] * np.log(size + v)
    for t in range(count.size):
        # (count + size) log(size + mean) - size log(size), without the loss of digits at the end.
        fall = count[t] * np.log(size + mean[t]) + size * np.log1p(mean[t] / size)
        value -= power[t] * fall
        if count[t] > LONGEST_TABLE:
            rest = lgamma(count[t] + size) - lgamma(LONGEST_TABLE + size)
            value += power[t] * rest
    return float(value)


@compiled
def dispersion_moves(
    data: Counts,
    x: Array,
    cluster: Index,
    beta: Array,
    size: Array,
    shape: float,
    rate: float,
    rng: np.random.Generator,
) -> None:
    """New dispersions of all units, in place; ``x`` is (cluster, bin, latent)."""
    n_units, n = data.counts.shape
    count, mean, power = np.empty(n), np.empty(n), np.ones(n)
    for i in range(n_units):
        number = own_means(data, i, beta[i], x[cluster[i]], count, mean)
        above = counts_above(count[:number])
        size[i] = slice_dispersion(
            np.log(size[i]), count[:number], mean[:number], power[:number], above, shape, rate, rng
        )


@compiled
def own_means(data: Counts, unit: int, beta: Array, x: Array, count: Array, mean: Array) -> int:
    """Fills in a unit's observed counts and their means on a trajectory; their number."""
    number = 0
    for t in range(x.shape[0]):
        if data.counts[unit, t] < 0:
            continue
        eta = data.exposure[unit, t] + beta[0] + x[t, 0]
        for j in range(1, beta.size):
            eta += beta[j] * x[t, j]
        count[number] = data.counts[unit, t]
        mean[number] = np.exp(min(eta, 700.0))
        number += 1
    return number


@compiled
def counts_above(count: Array) -> Array:
    """Number of counts above 0, 1, ... up to the largest, or to :data:`LONGEST_TABLE`."""
    most = 0
    for t in range(count.size):
        most = max(most, min(int(count[t]), LONGEST_TABLE))
    above = np.zeros(most + 1)
    for t in range(count.size):
        above[min(int(count[t]), LONGEST_TABLE)] += 1
    behind = 0.0
    for v in range(most, -1, -1):
        equal = above[v]
        above[v] = behind
        behind += equal
    return above


@compiled
def slice_dispersion(
    now: float,
    count: Array,
    mean: Array,
    power: Array,
    above: Array,
    shape: float,
    rate: float,
    rng: np.random.Generator,
) -> float:
    """A new dispersion of one unit."""
    level = dispersion_density(now, count, mean, power, above, shape, rate)
    level += np.log(rng.random())
    low = now - rng.random()
    high = low + 1.0
    left = int(STEPS * rng.random())
    right = STEPS - 1 - left
    while left > 0 and dispersion_density(low, count, mean, power, above, shape, rate) > level:
        low -= 1.0
        left -= 1
    while right > 0 and dispersion_density(high, count, mean, power, above, shape, rate) > level:
        high += 1.0
        right -= 1
    low, high = max(low, LOWEST), min(high, HIGHEST)
    while True:
        value = low + (high - low) * rng.random()
        if dispersion_density(value, count, mean, power, above, shape, rate) >= level:
            return float(np.exp(value))
        if value < now:
            low = value
        else:
            high = value
