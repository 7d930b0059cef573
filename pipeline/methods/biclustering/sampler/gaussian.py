"""Gaussians whose precision is block tridiagonal: factors, solutions, draws and densities.

The precision ``J`` has diagonal blocks ``diagonal[t]`` and ``below[t]``, which couples ``t`` to
``t - 1`` (``below[0]`` is not read). It is factored as ``L L'`` with blocks ``root[t]`` and
``link[t]`` of the same places. A linear term ``h`` means the density ``exp(h'x - x'Jx / 2)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.compiled import compiled

Array = NDArray[np.float64]


@compiled
def cholesky(matrix: Array) -> float:
    """Replaces a matrix by its lower root, zeros above; half the log of its determinant."""
    size = matrix.shape[0]
    half = 0.0
    for j in range(size):
        rest = matrix[j, j]
        for k in range(j):
            rest -= matrix[j, k] * matrix[j, k]
        matrix[j, j] = np.sqrt(max(rest, 1e-300))
        half += np.log(matrix[j, j])
        for i in range(j + 1, size):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = rest / matrix[j, j]
        for i in range(j):
            matrix[i, j] = 0.0
    return half


@compiled
def forward(root: Array, vector: Array) -> None:
    """Replaces ``v`` by the solution of ``L x = v``."""
    for i in range(vector.size):
        rest = vector[i]
        for k in range(i):
            rest -= root[i, k] * vector[k]
        vector[i] = rest / root[i, i]


@compiled
def backward(root: Array, vector: Array) -> None:
    """Replaces ``v`` by the solution of ``L' x = v``."""
    for i in range(vector.size - 1, -1, -1):
        rest = vector[i]
        for k in range(i + 1, vector.size):
            rest -= root[k, i] * vector[k]
        vector[i] = rest / root[i, i]


@compiled
def factor(diagonal: Array, below: Array) -> tuple[Array, Array, float]:
    """``root``, ``link`` and half the log determinant of the precision."""
    n, d = diagonal.shape[0], diagonal.shape[1]
    root, link = diagonal.copy(), np.zeros_like(diagonal)
    half = 0.0
    for t in range(n):
        if t > 0:
            for i in range(d):
                for j in range(d):
                    rest = below[t, i, j]
                    for k in range(j):
                        rest -= link[t, i, k] * root[t - 1, j, k]
                    link[t, i, j] = rest / root[t - 1, j, j]
            for i in range(d):
                for j in range(i + 1):
                    rest = 0.0
                    for k in range(d):
                        rest += link[t, i, k] * link[t, j, k]
                    root[t, i, j] -= rest
        half += cholesky(root[t])
    return root, link, half


@compiled
def solve_root(root: Array, link: Array, h: Array) -> Array:
    """``y`` with ``L y = h``, shape (t, latent)."""
    n, d = h.shape
    out = h.copy()
    for t in range(n):
        for i in range(d):
            rest = out[t, i]
            if t > 0:
                for k in range(d):
                    rest -= link[t, i, k] * out[t - 1, k]
            for k in range(i):
                rest -= root[t, i, k] * out[t, k]
            out[t, i] = rest / root[t, i, i]
    return out


@compiled
def solve_transposed(root: Array, link: Array, y: Array) -> Array:
    """``x`` with ``L' x = y``, shape (t, latent)."""
    n, d = y.shape
    out = y.copy()
    for t in range(n - 1, -1, -1):
        for i in range(d - 1, -1, -1):
            rest = out[t, i]
            if t < n - 1:
                for k in range(d):
                    rest -= link[t + 1, k, i] * out[t + 1, k]
            for k in range(i + 1, d):
                rest -= root[t, k, i] * out[t, k]
            out[t, i] = rest / root[t, i, i]
    return out


@compiled
def log_density(root: Array, link: Array, half: float, away: Array) -> float:
    """Log density of a point ``away`` from the mean, shape (t, latent)."""
    n, d = away.shape
    total = 0.0
    for t in range(n):
        for j in range(d):
            value = 0.0
            for i in range(j, d):
                value += root[t, i, j] * away[t, i]
            if t < n - 1:
                for i in range(d):
                    value += link[t + 1, i, j] * away[t + 1, i]
            total += value * value
    return float(half - 0.5 * total - 0.5 * n * d * np.log(2 * np.pi))


@compiled
def quadratic(diagonal: Array, below: Array, x: Array) -> float:
    """``x'Jx``."""
    n, d = x.shape
    total = 0.0
    for t in range(n):
        for i in range(d):
            value = 0.0
            for j in range(d):
                value += diagonal[t, i, j] * x[t, j]
            if t > 0:
                for j in range(d):
                    value += 2 * below[t, i, j] * x[t - 1, j]
            total += value * x[t, i]
    return total
