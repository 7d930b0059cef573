"""One cluster on the way between a reference that the data give and its posterior.

The reference of a set of units is a Gaussian around a trajectory and loadings that fit them, found
from the counts alone: it depends on neither states nor dispersions nor on where a chain stands, and
its density is known with its constant. At ``power`` 0 a cluster's trajectory and loadings have
the density of the reference, at 1 that of the model with dynamics integrated out, and in between
the geometric mean of both, with dynamics integrated out of the product. Every move here leaves
the density at its power as it is, so that a walk from 0 to 1 or back makes importance weights of a
cluster's evidence (Neal 2001, Statistics and Computing 11).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.sampler.dispersion import (
    counts_above,
    own_means,
    slice_dispersion,
)
from pipeline.methods.biclustering.sampler.dynamics import (
    Dynamics,
    DynamicsPrior,
    draw_from_sums,
    draw_system,
    empty_dynamics,
    gather,
    path_log_density,
    state_evidence,
)
from pipeline.methods.biclustering.sampler.gaussian import (
    factor,
    log_density,
    quadratic,
    solve_transposed,
)
from pipeline.methods.biclustering.sampler.likelihood import Counts, unit_log_likelihood
from pipeline.methods.biclustering.sampler.loadings import (
    LoadingPrior,
    draw_loadings,
    laplace,
    laplace_of_unit,
    loading_weight,
)
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.trajectories import (
    MOST_STEPS,
    Members,
    smooth,
    window_prior,
)
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Flags = NDArray[np.bool_]

STEPS = np.array([0.03, 0.1, 0.3])
"""Sizes of shifts, shears, stretches and turns, one of them drawn for each proposal."""

TRUST = 0.2
"""Weight in a reference's dynamics of the transitions of the trajectory it was made from."""

LOOSE = 0.5
"""Precision of a reference's loadings, relative to that given its trajectory."""

LEAN = 2.5
"""How much closer to each other levels are at both ends; 1 is evenly spaced."""

ROUNDS = 3
"""Of moves along directions in which the counts' probability does not change, at each power."""


class Reference(NamedTuple):
    """Density of trajectory and loadings of a set of units at power 0."""

    unit: Index
    center: Array
    """(bin, latent)."""
    diagonal: Array
    below: Array
    linear: Array
    half: float
    """Precision of the trajectory, its product with the center, half its log determinant."""
    beta: Array
    beta_precision: Array
    """Independent normals of baseline and loadings, (member, latent)."""
    uu: Array
    vu: Array
    vv: Array
    number: Array
    """Sums over transitions that stand for what is known of dynamics, with a leading axis of 1."""


@compiled
def draw_reference(at: Reference, rng: np.random.Generator) -> tuple[Array, Array]:
    """Trajectory and loadings drawn from the reference."""
    root, link, _ = factor(at.diagonal, at.below)
    n, d = at.center.shape
    noise = np.empty((n, d))
    for t in range(n):
        for i in range(d):
            noise[t, i] = rng.standard_normal()
    x = at.center + solve_transposed(root, link, noise)
    beta = at.beta.copy()
    for m in range(beta.shape[0]):
        for i in range(beta.shape[1]):
            beta[m, i] += rng.standard_normal() / np.sqrt(at.beta_precision[m, i])
    return x, beta


@compiled
def mixed_sums(
    at: Reference, x: Array, state: Index, linked: Flags, n_states: int, power: float
) -> tuple[Array, Array, Array, Array]:
    """Sums over transitions of each state at a power: the reference's and the trajectory's."""
    uu, vu, vv, number = gather(x, state, linked, n_states)
    rest = 1 - power
    for s in range(n_states):
        uu[s] = rest * at.uu[0] + power * uu[s]
        vu[s] = rest * at.vu[0] + power * vu[s]
        vv[s] = rest * at.vv[0] + power * vv[s]
        number[s] = rest * at.number[0] + power * number[s]
    return uu, vu, vv, number


@compiled
def prior_density(
    at: Reference,
    x: Array,
    beta: Array,
    state: Index,
    linked: Flags,
    n_states: int,
    prior: DynamicsPrior,
    loading: LoadingPrior,
    power: float,
) -> float:
    """Log density at a power without the counts' probability."""
    n, d = x.shape
    rest = 1 - power
    uu, vu, vv, number = mixed_sums(at, x, state, linked, n_states, power)
    total = 0.0
    for s in range(n_states):
        total += state_evidence(uu[s], vu[s], vv[s], number[s], prior)
    total -= rest * n_states * state_evidence(at.uu[0], at.vu[0], at.vv[0], at.number[0], prior)
    for t in range(n):
        if not linked[t]:
            for i in range(d):
                total -= power * (0.5 * x[t, i] * x[t, i] + 0.5 * np.log(2 * np.pi))
    if rest > 0:
        away = x - at.center
        normal = at.half - 0.5 * quadratic(at.diagonal, at.below, away)
        total += rest * (normal - 0.5 * n * d * np.log(2 * np.pi))
    for m in range(at.unit.size):
        for i in range(d):
            mean, precision = loading.mean[at.unit[m], i], loading.precision[i]
            own, own_precision = at.beta[m, i], at.beta_precision[m, i]
            total += 0.5 * power * np.log(precision / (2 * np.pi))
            total -= 0.5 * power * precision * (beta[m, i] - mean) ** 2
            total += 0.5 * rest * np.log(own_precision / (2 * np.pi))
            total -= 0.5 * rest * own_precision * (beta[m, i] - own) ** 2
    return total


@compiled
def counts_density(data: Counts, units: Index, size: Array, x: Array, beta: Array) -> float:
    """Log probability of counts of some units without terms of counts and dispersion alone."""
    total = 0.0
    for m in range(units.size):
        total += unit_log_likelihood(
            data, units[m], size[units[m]], beta[m], x, 0, 0, x.shape[0] - 1
        )
    return total


@compiled
def draw_mixed_dynamics(
    at: Reference,
    x: Array,
    state: Index,
    linked: Flags,
    n_states: int,
    prior: DynamicsPrior,
    power: float,
    rng: np.random.Generator,
) -> Dynamics:
    """Dynamics at a power given the trajectory."""
    out = empty_dynamics(1, n_states, x.shape[1])
    uu, vu, vv, number = mixed_sums(at, x, state, linked, n_states, power)
    draw_from_sums(uu, vu, vv, number, prior, rng, False, out, 0)
    return out


@compiled
def move_path(
    data: Counts,
    at: Reference,
    size: Array,
    x: Array,
    beta: Array,
    state: Index,
    n_states: int,
    prior: DynamicsPrior,
    power: float,
    rng: np.random.Generator,
) -> None:
    """A new trajectory, in place, by way of dynamics that are drawn and forgotten."""
    n, d = x.shape
    rest = 1 - power
    dynamics = draw_mixed_dynamics(at, x, state, data.linked, n_states, prior, power, rng)
    window = np.array([0, n - 1])
    diagonal, below, linear = window_prior(x, dynamics, 0, state, data.linked, window)
    diagonal = power * diagonal + rest * at.diagonal
    below = power * below + rest * at.below
    linear = power * linear + rest * at.linear
    members = Members(at.unit, np.zeros(at.unit.size, np.int64), beta, size[at.unit])
    mode, root, link, half = smooth(data, members, diagonal, below, linear, x, 0, MOST_STEPS, power)
    noise = np.empty((n, d))
    for t in range(n):
        for i in range(d):
            noise[t, i] = rng.standard_normal()
    fresh = mode + solve_transposed(root, link, noise)
    ratio = 0.0
    for sign in (1.0, -1.0):
        there = fresh if sign > 0 else x
        value = path_log_density(there, dynamics, 0, state, data.linked, 0, n - 1)
        value += counts_density(data, at.unit, size, there, beta)
        value *= power
        value -= rest * 0.5 * quadratic(at.diagonal, at.below, there - at.center)
        ratio += sign * (value - log_density(root, link, half, there - mode))
    if np.log(rng.random()) < ratio:
        x[:] = fresh


@compiled
def move_loadings(
    data: Counts,
    at: Reference,
    size: Array,
    x: Array,
    beta: Array,
    loading: LoadingPrior,
    power: float,
    rng: np.random.Generator,
) -> None:
    """New baselines and loadings of all members, in place."""
    q = x.shape[1]
    mode, root = np.empty(q), np.empty((q, q))
    mean, precision = np.empty(q), np.empty(q)
    for m in range(at.unit.size):
        unit = at.unit[m]
        for i in range(q):
            own, model = (1 - power) * at.beta_precision[m, i], power * loading.precision[i]
            precision[i] = own + model
            mean[i] = (own * at.beta[m, i] + model * loading.mean[unit, i]) / precision[i]
        laplace_of_unit(data, unit, size[unit], x, mean, precision, power, mode, root)
        fresh = draw_loadings(mode, root, rng)
        ratio = loading_weight(data, unit, size[unit], x, fresh, mean, precision, power, mode, root)
        ratio -= loading_weight(
            data, unit, size[unit], x, beta[m], mean, precision, power, mode, root
        )
        if np.log(rng.random()) < ratio:
            beta[m] = fresh


@compiled
def move_basis(
    at: Reference,
    x: Array,
    beta: Array,
    state: Index,
    linked: Flags,
    n_states: int,
    prior: DynamicsPrior,
    loading: LoadingPrior,
    power: float,
    rng: np.random.Generator,
) -> None:
    """Moves that leave all log means as they are, in place: only priors and reference decide.

    Shifts, shears of the common log rate, stretches of a factor, turns of two factors, a factor's
    sign. A turn of any angle is tried too: at power 1 it changes no density.
    """
    n, q = x.shape
    number = at.unit.size
    now = prior_density(at, x, beta, state, linked, n_states, prior, loading, power)
    for kind in range(6):
        if (kind > 0 and q == 1) or (kind in (3, 4) and q == 2):
            continue
        there, with_it = x.copy(), beta.copy()
        step = STEPS[rng.integers(0, STEPS.size)]
        ratio = 0.0
        if kind == 0:
            for j in range(q):
                by = step * rng.standard_normal()
                for t in range(n):
                    there[t, j] -= by
                for m in range(number):
                    with_it[m, 0] += by * (beta[m, j] if j > 0 else 1.0)
        elif kind == 1:
            for j in range(1, q):
                by = step * rng.standard_normal()
                for t in range(n):
                    there[t, 0] += by * there[t, j]
                for m in range(number):
                    with_it[m, j] -= by
        elif kind == 2:
            j = int(rng.integers(1, q))
            by = step * rng.standard_normal()
            for t in range(n):
                there[t, j] *= np.exp(by)
            for m in range(number):
                with_it[m, j] *= np.exp(-by)
            ratio = by * (n - number)
        elif kind < 5:
            first = int(rng.integers(1, q))
            second = int(rng.integers(1, q - 1))
            if second >= first:
                second += 1
            by = step * rng.standard_normal()
            if kind == 4:
                by = 2 * np.pi * rng.random()
            cos, sin = np.cos(by), np.sin(by)
            for t in range(n):
                there[t, first] = cos * x[t, first] - sin * x[t, second]
                there[t, second] = sin * x[t, first] + cos * x[t, second]
            for m in range(number):
                with_it[m, first] = cos * beta[m, first] - sin * beta[m, second]
                with_it[m, second] = sin * beta[m, first] + cos * beta[m, second]
        else:
            j = int(rng.integers(1, q))
            there[:, j] *= -1.0
            with_it[:, j] *= -1.0
        then = prior_density(at, there, with_it, state, linked, n_states, prior, loading, power)
        if np.log(rng.random()) < then - now + ratio:
            now = then
            x[:] = there
            beta[:] = with_it


@compiled
def move_cluster(
    data: Counts,
    at: Reference,
    size: Array,
    x: Array,
    beta: Array,
    state: Index,
    n_states: int,
    prior: DynamicsPrior,
    loading: LoadingPrior,
    power: float,
    back: bool,
    rng: np.random.Generator,
) -> None:
    """All moves of a cluster at a power, in place; with ``back`` in the opposite order."""
    for index in range(3):
        kind = 2 - index if back else index
        if kind == 0:
            move_path(data, at, size, x, beta, state, n_states, prior, power, rng)
        elif kind == 1:
            move_loadings(data, at, size, x, beta, loading, power, rng)
        else:
            for _ in range(ROUNDS):
                move_basis(at, x, beta, state, data.linked, n_states, prior, loading, power, rng)


@compiled
def trajectory_reference(
    data: Counts,
    units: Index,
    size: Array,
    x: Array,
    beta: Array,
    dynamics: Dynamics,
) -> tuple[Array, Array, Array, Array, float]:
    """Center, precision and its parts of a trajectory given one state's dynamics and loadings."""
    n, d = x.shape
    state = np.zeros(n, np.int64)
    window = np.array([0, n - 1])
    diagonal, below, linear = window_prior(x, dynamics, 0, state, data.linked, window)
    members = Members(units, np.zeros(units.size, np.int64), beta, size[units])
    mode, root, link, half = smooth(data, members, diagonal, below, linear, x, 0, MOST_STEPS, 1.0)
    for t in range(n):
        for i in range(d):
            for j in range(d):
                total, side = 0.0, 0.0
                for k in range(d):
                    total += root[t, i, k] * root[t, j, k] + link[t, i, k] * link[t, j, k]
                    if t > 0:
                        side += link[t, i, k] * root[t - 1, j, k]
                diagonal[t, i, j] = total
                below[t, i, j] = side
    right = np.zeros((n, d))
    for t in range(n):
        for i in range(d):
            for j in range(d):
                right[t, i] += diagonal[t, i, j] * mode[t, j]
                if t > 0:
                    right[t, i] += below[t, i, j] * mode[t - 1, j]
                if t < n - 1:
                    right[t, i] += below[t + 1, j, i] * mode[t + 1, j]
    return mode, diagonal, below, right, half


@compiled
def shared_dispersions(
    data: Counts,
    units: Index,
    row: Index,
    x: Array,
    beta: Array,
    other_x: Array,
    other_beta: Array,
    power: float,
    size: Array,
    shape: float,
    rate: float,
    rng: np.random.Generator,
) -> None:
    """New dispersions of units that are at ``power`` in one cluster, by the rest in another.

    ``row`` are the places of the units in ``other_beta``; ``size`` changes in place.
    """
    n = x.shape[0]
    count, mean, powers = np.empty(2 * n), np.empty(2 * n), np.empty(2 * n)
    for m in range(units.size):
        unit = units[m]
        number = own_means(data, unit, beta[m], x, count, mean)
        above = counts_above(count[:number])
        own_means(data, unit, other_beta[row[m]], other_x, count[number:], mean[number:])
        powers[:number] = power
        powers[number : 2 * number] = 1 - power
        both = 2 * number
        size[unit] = slice_dispersion(
            np.log(size[unit]), count[:both], mean[:both], powers[:both], above, shape, rate, rng
        )


def ladder(number: int) -> Array:
    """Levels of a walk from 0 to 1, close to each other at both ends."""
    t = np.linspace(0, 1, number + 1)
    return np.asarray(t**LEAN / (t**LEAN + (1 - t) ** LEAN))


def reference_around(problem: Problem, units: Index, size: Array, x: Array) -> Reference:
    """The reference of some units around a trajectory (bin, latent) that fits them in one state."""
    data, rng = problem.data, np.random.default_rng(0)
    state = np.zeros(problem.n_bins, np.int64)
    dynamics = empty_dynamics(1, 1, x.shape[1])
    draw_system(x, state, data.linked, problem.dynamics, rng, True, dynamics, 0)
    found = laplace(data, size, x[None], problem.loading, units)
    beta = np.ascontiguousarray(found.mode[:, 0])
    root = found.root[:, 0]
    precision = LOOSE * np.einsum("mij,mij->mi", root, root)
    sums = gather(x, state, data.linked, 1)
    center, diagonal, below, linear, half = trajectory_reference(
        data, units, size, x, beta, dynamics
    )
    return Reference(
        units, center, diagonal, below, linear, half, beta, precision, *(TRUST * s for s in sums)
    )


@compiled
def walked_evidence(
    data: Counts,
    at: Reference,
    size: Array,
    prior: DynamicsPrior,
    loading: LoadingPrior,
    state: Index,
    n_states: int,
    levels: Array,
    rest: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Log evidence of some units' counts given all states, by walks to the posterior and back.

    The first number is too small on average and the second too large, the more so the shorter the
    walks (Grosse, Ghahramani & Adams 2015). ``state`` is that of each bin, below ``n_states``, and
    ``rest`` are moves at the posterior between both.
    """
    x, beta = draw_reference(at, rng)
    bounds = np.zeros(2)
    last = levels.size - 1
    for direction in range(2):
        back = direction == 1
        for index in range(last):
            before, after = levels[index], levels[index + 1]
            if back:
                before, after = levels[last - index], levels[last - index - 1]
            for sign, power in ((1.0, after), (-1.0, before)):
                value = prior_density(
                    at, x, beta, state, data.linked, n_states, prior, loading, power
                )
                if power > 0:
                    value += power * counts_density(data, at.unit, size, x, beta)
                bounds[direction] += sign * value
            for _ in range(rest if after == 1 else 1):
                if after > 0:
                    move_cluster(
                        data, at, size, x, beta, state, n_states, prior, loading, after, back, rng
                    )
    return bounds[0], -bounds[1]
