"""Factors of a CP (canonical polyadic) model: normal form, reconstruction, similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Factors = Sequence[NDArray[np.floating]]
"""One matrix a mode, each (entry, component)."""


def normalise(
    factors: Factors,
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Weights and unit-norm columns, largest weight first.

    Columns that are all zero keep weight 0 and stay zero.
    """
    norms = [np.linalg.norm(factor.astype(np.float64), axis=0) for factor in factors]
    weight = np.prod(norms, axis=0)
    order = np.argsort(-weight, kind="stable")
    unit = tuple(
        factor.astype(np.float64)[:, order] / np.where(norm > 0, norm, 1.0)[order]
        for factor, norm in zip(factors, norms, strict=True)
    )
    return weight[order], unit


def balanced(factors: Factors) -> list[NDArray[np.floating]]:
    """The same model with each component's weight spread evenly over its modes."""
    norms = np.array([np.linalg.norm(factor, axis=0) for factor in factors])
    target = np.prod(norms, axis=0) ** (1 / len(factors))
    scales = np.where(norms > 0, target / np.where(norms > 0, norms, 1), 0)
    return [
        (factor * scale).astype(factor.dtype) for factor, scale in zip(factors, scales, strict=True)
    ]


def khatri_rao(factors: Factors) -> NDArray[np.floating]:
    """Column-wise Kronecker product; the last factor's entries run fastest."""
    result = np.asarray(factors[0])
    for factor in factors[1:]:
        result = (result[:, None, :] * factor[None, :, :]).reshape(-1, factor.shape[1])
    return result


def match_score(
    first_weight: NDArray[np.floating],
    first: Factors,
    second_weight: NDArray[np.floating],
    second: Factors,
    *,
    use_weights: bool = True,
) -> float:
    """Similarity of two CP models of one rank: 1 when they are the same.

    Components are matched one to one so that the mean score is largest (Hungarian method); the
    score of a pair is the product of its cosines over modes, times how well the weights agree
    (one minus their relative difference) unless ``use_weights`` is false.

    Parameters
    ----------
    first_weight, second_weight
        Shape (component,).
    first, second
        Unit-norm factors, one a mode.

    Returns
    -------
    Within [0, 1] for non-negative factors.

    Notes
    -----
    Williams et al. (2018), with the weight term; the assignment maximises the score itself.
    """
    from scipy.optimize import linear_sum_assignment

    scores = np.ones((first_weight.size, second_weight.size))
    for one, other in zip(first, second, strict=True):
        scores *= one.T @ other
    if use_weights:
        gap = np.abs(first_weight[:, None] - second_weight[None, :])
        largest = np.maximum(first_weight[:, None], second_weight[None, :])
        scores *= 1 - gap / np.where(largest > 0, largest, 1)
    rows, columns = linear_sum_assignment(-scores)
    return float(scores[rows, columns].mean())


def matches(first: Factors, second: Factors) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which component of the second model each one of the first is, and how much.

    Components are matched one to one so that the sum of the products of their cosines over modes is
    largest.

    Parameters
    ----------
    first, second
        Unit-norm factors, one a mode, with as many components.

    Returns
    -------
    Component of the second model and product of cosines, both (component,).
    """
    from scipy.optimize import linear_sum_assignment

    scores = np.ones((first[0].shape[1], second[0].shape[1]))
    for one, other in zip(first, second, strict=True):
        scores *= one.T @ other
    rows, columns = linear_sum_assignment(-scores)
    return columns.astype(np.int64), np.asarray(scores[rows, columns], dtype=np.float64)
