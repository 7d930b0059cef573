"""Points in few dimensions that are as far apart as they should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def classical_scaling(distances: Floats, n_dimensions: int = 2) -> tuple[Floats, Floats]:
    """Classical multidimensional scaling.

    Parameters
    ----------
    distances
        Symmetric, not negative, shape (item, item).

    Returns
    -------
    Coordinates, shape (item, n_dimensions), and the share of the sum of positive eigenvalues that
    each dimension has. Signs are such that the entry of largest size in a dimension is positive.
    """
    n = len(distances)
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-centring @ np.square(distances) @ centring / 2)
    top = np.argsort(-values, kind="stable")[:n_dimensions]
    positive = np.maximum(values, 0)
    coordinates = np.zeros((n, n_dimensions))
    coordinates[:, : top.size] = vectors[:, top] * np.sqrt(positive[top])
    largest = np.abs(coordinates).argmax(axis=0)
    signs = np.sign(coordinates[largest, np.arange(n_dimensions)])
    share = np.zeros(n_dimensions)
    share[: top.size] = positive[top] / max(float(positive.sum()), np.finfo(float).tiny)
    return coordinates * np.where(signs == 0, 1, signs), share


def aligned(points: Floats, target: Floats) -> Floats:
    """Points moved, turned and mirrored, but not scaled, as near to a target as can be.

    Parameters
    ----------
    points, target
        Shape (item, dimension).
    """
    centre = points.mean(axis=0)
    left, _, right = np.linalg.svd((points - centre).T @ (target - target.mean(axis=0)))
    return np.asarray((points - centre) @ left @ right + target.mean(axis=0))
