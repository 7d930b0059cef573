"""Linear dynamics of each state: what trajectories say about them, draws, and evidence.

``[A, b]`` given ``Q`` is matrix normal around ``[I, 0]`` with row covariance ``Q`` and column
precision ``precision * I``; ``Q`` is inverse Wishart with scale ``scale * I``. A *system* is a set
of latents that drive each other: one cluster (``block``) or all of them (``full``). Arrays are
(system, state, ...).
"""

from __future__ import annotations

from math import lgamma
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.biclustering.model import Priors
from pipeline.methods.biclustering.sampler.gaussian import backward, cholesky, forward
from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]


class DynamicsPrior(NamedTuple):
    """Hyperparameters of the dynamics."""

    precision: float
    scale: float
    extra: float
    """Degrees of freedom above the number of latents."""


class Dynamics(NamedTuple):
    """Dynamics of all systems and states, and the products that smoothing needs."""

    a: Array
    b: Array
    w: Array
    """Precision of the innovations, the inverse of ``Q``."""
    half: Array
    """Half the log determinant of ``w``."""
    wa: Array
    awa: Array
    wb: Array
    awb: Array


def prior_of(priors: Priors) -> DynamicsPrior:
    """The hyperparameters as the compiled moves read them."""
    return DynamicsPrior(
        precision=priors.dynamics_precision,
        scale=priors.noise_scale,
        extra=priors.noise_extra_degrees,
    )


@compiled
def gather(
    x: Array, state: NDArray[np.int64], linked: NDArray[np.bool_], n_states: int
) -> tuple[Array, Array, Array, Array]:
    """Sums of ``u u'``, ``v u'``, ``v v'`` and 1 over the transitions of each state.

    ``u`` is the trajectory before, with a 1 behind it, and ``v`` the one after.
    """
    n, d = x.shape
    uu = np.zeros((n_states, d + 1, d + 1))
    vu = np.zeros((n_states, d, d + 1))
    vv = np.zeros((n_states, d, d))
    number = np.zeros(n_states)
    u = np.ones(d + 1)
    for t in range(1, n):
        if not linked[t]:
            continue
        s = state[t]
        number[s] += 1
        for i in range(d):
            u[i] = x[t - 1, i]
        for i in range(d + 1):
            for j in range(d + 1):
                uu[s, i, j] += u[i] * u[j]
        for i in range(d):
            for j in range(d + 1):
                vu[s, i, j] += x[t, i] * u[j]
            for j in range(d):
                vv[s, i, j] += x[t, i] * x[t, j]
    return uu, vu, vv, number


@compiled
def update(uu: Array, vu: Array, vv: Array, prior: DynamicsPrior) -> tuple[Array, Array, Array]:
    """Root of the posterior column precision, posterior mean of ``[A, b]``, and scale of ``Q``."""
    d = vv.shape[0]
    root = uu.copy()
    mean = vu.copy()
    scale = vv.copy()
    for i in range(d + 1):
        root[i, i] += prior.precision
    for i in range(d):
        mean[i, i] += prior.precision
        scale[i, i] += prior.precision + prior.scale
    cholesky(root)
    for i in range(d):
        forward(root, mean[i])
    for i in range(d):
        for j in range(d):
            for k in range(d + 1):
                scale[i, j] -= mean[i, k] * mean[j, k]
    for i in range(d):
        backward(root, mean[i])
        for j in range(i):
            middle = 0.5 * (scale[i, j] + scale[j, i])
            scale[i, j] = middle
            scale[j, i] = middle
    return root, mean, scale


@compiled
def state_evidence(uu: Array, vu: Array, vv: Array, number: float, prior: DynamicsPrior) -> float:
    """Log density of the transitions of one state with its dynamics integrated out."""
    d = vv.shape[0]
    if number == 0:
        return 0.0
    root, _, scale = update(uu, vu, vv, prior)
    before = d + prior.extra
    after = before + number
    half = 0.0
    for i in range(d + 1):
        half += np.log(root[i, i])
    total = -0.5 * number * d * np.log(np.pi)
    total += d * (0.5 * (d + 1) * np.log(prior.precision) - half)
    total += 0.5 * before * d * np.log(prior.scale) - after * cholesky(scale)
    for i in range(d):
        total += lgamma(0.5 * (after - i)) - lgamma(0.5 * (before - i))
    return float(total)


@compiled
def path_evidence(
    x: Array,
    state: NDArray[np.int64],
    linked: NDArray[np.bool_],
    n_states: int,
    prior: DynamicsPrior,
) -> float:
    """Log density of a system's trajectory given states, dynamics integrated out."""
    uu, vu, vv, number = gather(x, state, linked, n_states)
    total = 0.0
    for s in range(n_states):
        total += state_evidence(uu[s], vu[s], vv[s], number[s], prior)
    for t in range(x.shape[0]):
        if not linked[t]:
            for i in range(x.shape[1]):
                total -= 0.5 * x[t, i] * x[t, i] + 0.5 * np.log(2 * np.pi)
    return total


@compiled
def empty_dynamics(n_systems: int, n_states: int, d: int) -> Dynamics:
    """Room for dynamics."""
    matrix = (n_systems, n_states, d, d)
    vector = (n_systems, n_states, d)
    return Dynamics(
        np.zeros(matrix),
        np.zeros(vector),
        np.zeros(matrix),
        np.zeros((n_systems, n_states)),
        np.zeros(matrix),
        np.zeros(matrix),
        np.zeros(vector),
        np.zeros(vector),
    )


@compiled
def complete(out: Dynamics, g: int, s: int) -> None:
    """Fills in what follows from ``a``, ``b`` and ``w`` of one system and state."""
    a, b, w = out.a[g, s], out.b[g, s], out.w[g, s]
    d = b.size
    out.half[g, s] = cholesky(w.copy())
    for i in range(d):
        out.wb[g, s, i] = 0.0
        for j in range(d):
            out.wb[g, s, i] += w[i, j] * b[j]
            out.wa[g, s, i, j] = 0.0
            for k in range(d):
                out.wa[g, s, i, j] += w[i, k] * a[k, j]
    for i in range(d):
        out.awb[g, s, i] = 0.0
        for j in range(d):
            out.awb[g, s, i] += a[j, i] * out.wb[g, s, j]
            out.awa[g, s, i, j] = 0.0
            for k in range(d):
                out.awa[g, s, i, j] += a[k, i] * out.wa[g, s, k, j]


@compiled
def draw_system(
    x: Array,
    state: NDArray[np.int64],
    linked: NDArray[np.bool_],
    prior: DynamicsPrior,
    rng: np.random.Generator,
    mean_only: bool,
    out: Dynamics,
    g: int,
) -> None:
    """Draws a system's dynamics in all states given its trajectory, or takes their mean."""
    uu, vu, vv, number = gather(x, state, linked, out.b.shape[1])
    draw_from_sums(uu, vu, vv, number, prior, rng, mean_only, out, g)


@compiled
def draw_from_sums(
    uu: Array,
    vu: Array,
    vv: Array,
    number: Array,
    prior: DynamicsPrior,
    rng: np.random.Generator,
    mean_only: bool,
    out: Dynamics,
    g: int,
) -> None:
    """Draws a system's dynamics given the sums that :func:`gather` makes, or takes their mean."""
    n_states, d = out.b.shape[1], out.b.shape[2]
    for s in range(n_states):
        root, mean, scale = update(uu[s], vu[s], vv[s], prior)
        degrees = d + prior.extra + number[s]
        cholesky(scale)
        bartlett = np.zeros((d, d))
        for i in range(d):
            if mean_only:
                # The precision at the posterior mean of Q, or as near as there is one.
                bartlett[i, i] = np.sqrt(max(degrees - d - 1, 1.0))
            else:
                bartlett[i, i] = np.sqrt(2 * rng.standard_gamma(0.5 * (degrees - i)))
                for j in range(i):
                    bartlett[i, j] = rng.standard_normal()
        # w = R R' with R = scale^-T bartlett; its inverse is C C' with C = scale bartlett^-T.
        for j in range(d):
            column = bartlett[:, j].copy()
            backward(scale, column)
            for i in range(d):
                out.wa[g, s, i, j] = column[i]
        for i in range(d):
            for j in range(d):
                total = 0.0
                for k in range(d):
                    total += out.wa[g, s, i, k] * out.wa[g, s, j, k]
                out.w[g, s, i, j] = total
        if not mean_only:
            noise = np.empty((d, d + 1))
            for i in range(d):
                for j in range(d + 1):
                    noise[i, j] = rng.standard_normal()
            for j in range(d + 1):
                column = noise[:, j].copy()
                backward(bartlett, column)
                for i in range(d):
                    total = 0.0
                    for k in range(i + 1):
                        total += scale[i, k] * column[k]
                    noise[i, j] = total
            for i in range(d):
                # Rows times the inverse of the column precision's root: e R^-1 = (R^-T e')'.
                backward(root, noise[i])
                for j in range(d + 1):
                    mean[i, j] += noise[i, j]
        for i in range(d):
            out.b[g, s, i] = mean[i, d]
            for j in range(d):
                out.a[g, s, i, j] = mean[i, j]
        complete(out, g, s)


@compiled
def draw_dynamics(
    x: Array,
    state: NDArray[np.int64],
    linked: NDArray[np.bool_],
    n_states: int,
    prior: DynamicsPrior,
    rng: np.random.Generator,
) -> Dynamics:
    """Draws all systems' dynamics given trajectories (system, bin, latent) and states."""
    out = empty_dynamics(x.shape[0], n_states, x.shape[2])
    for g in range(x.shape[0]):
        draw_system(x[g], state, linked, prior, rng, False, out, g)
    return out


@compiled
def draw_path(
    dynamics: Dynamics,
    g: int,
    state: NDArray[np.int64],
    linked: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Array:
    """A trajectory (bin, latent) drawn from a system's dynamics."""
    n, d = state.size, dynamics.b.shape[2]
    roots = dynamics.w[g].copy()
    for s in range(roots.shape[0]):
        cholesky(roots[s])
    x = np.empty((n, d))
    noise = np.empty(d)
    for t in range(n):
        for i in range(d):
            noise[i] = rng.standard_normal()
        if not linked[t]:
            x[t] = noise
            continue
        s = state[t]
        backward(roots[s], noise)
        for i in range(d):
            total = dynamics.b[g, s, i] + noise[i]
            for j in range(d):
                total += dynamics.a[g, s, i, j] * x[t - 1, j]
            x[t, i] = total
    return x


@compiled
def path_log_density(
    x: Array,
    dynamics: Dynamics,
    g: int,
    state: NDArray[np.int64],
    linked: NDArray[np.bool_],
    low: int,
    high: int,
) -> float:
    """Log density of all steps of a trajectory that touch bins ``low`` to ``high``."""
    n, d = x.shape
    total = 0.0
    away = np.empty(d)
    for t in range(low, min(high + 1, n - 1) + 1):
        if not linked[t]:
            if t <= high:
                for i in range(d):
                    total -= 0.5 * x[t, i] * x[t, i]
                total -= 0.5 * d * np.log(2 * np.pi)
            continue
        s = state[t]
        for i in range(d):
            rest = x[t, i] - dynamics.b[g, s, i]
            for j in range(d):
                rest -= dynamics.a[g, s, i, j] * x[t - 1, j]
            away[i] = rest
        total += dynamics.half[g, s] - 0.5 * d * np.log(2 * np.pi)
        for i in range(d):
            for j in range(d):
                total -= 0.5 * away[i] * dynamics.w[g, s, i, j] * away[j]
    return total
