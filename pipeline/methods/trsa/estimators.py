"""Dissimilarities of conditions from responses of a population.

Estimators take patterns (mean responses) of shape (..., condition, unit), or, where they are
cross-validated, (..., fold, condition, unit), and return condensed vectors (..., pair). Squared
distances are divided by the number of units, so that populations of different size share a scale.

Sources: Walther et al. (2016), NeuroImage 137:188 (cross-validated distances); Schuett, Kipnis,
Diedrichsen & Kriegeskorte (2023), eLife 12:82566; Lin & Kriegeskorte (2024).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.core.words import counted, for_number
from pipeline.methods.trsa.noise import NoiseKind, noise_covariance, whitened

Floats = NDArray[np.float64]
Estimator = Literal[
    "euclidean2",
    "euclidean",
    "mahalanobis2",
    "crossnobis",
    "cosine",
    "correlation",
    "poisson_kl",
    "poisson_kl_cv",
]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
CROSS_VALIDATED: frozenset[Estimator] = frozenset({"crossnobis", "poisson_kl_cv"})
WHITENED: frozenset[Estimator] = frozenset({"mahalanobis2", "crossnobis"})
COUNTS_ONLY: frozenset[Estimator] = frozenset({"poisson_kl", "poisson_kl_cv"})

PRIOR_RATE = 1.0
PRIOR_WEIGHT = 0.1
"""Rate and weight, in observations, of the prior that keeps logarithms of rates finite."""


def dissimilarities(
    responses: NDArray[np.floating],
    condition: NDArray[np.integer],
    fold: NDArray[np.integer],
    n_conditions: int,
    estimator: Estimator,
    *,
    noise: NoiseKind | None = "shrink_diag",
    legacy: bool = False,
) -> Floats:
    """Dissimilarities of all pairs of conditions by one estimator.

    Parameters
    ----------
    responses
        Shape (..., trial, unit), without missing values.
    condition
        Code of each trial's condition within ``range(n_conditions)``, shape (trial,).
    fold
        Code of each trial's fold, shape (trial,): any integers. Only the cross-validated
        estimators read it.
    noise
        Kind of noise covariance for ``mahalanobis2`` and ``crossnobis``; ``None`` leaves units as
        they are.
    legacy
        Whether its degrees of freedom are those of rsatoolbox.

    Returns
    -------
    Shape (..., pair). NaN for pairs that no two folds share, under a cross-validated estimator.

    Raises
    ------
    ValueError
        If a condition has no trial, values are missing, the estimator needs folds, variance or
        rates that are not there, or a code is out of range.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"'{estimator}' is none of the estimators {', '.join(ESTIMATORS)}.")
    if condition.size and not 0 <= condition.min() <= condition.max() < n_conditions:
        raise ValueError(f"conditions have codes outside 0 to {n_conditions - 1}.")
    if not np.isfinite(responses).all():
        raise ValueError("responses have missing values.")
    if estimator in WHITENED and noise is not None:
        covariance = noise_covariance(responses, condition, noise, legacy=legacy).covariance
        responses = whitened(responses, covariance)
    if estimator in CROSS_VALIDATED:
        means, counts = fold_means(responses, condition, fold, n_conditions)
        if estimator == "crossnobis":
            return crossnobis(means, counts > 0)
        return poisson_kl_cv(means, counts > 0)
    patterns = condition_means(responses, condition, n_conditions)
    by_name: dict[str, Callable[[Floats], Floats]] = {
        "euclidean2": euclidean2,
        "euclidean": euclidean,
        "mahalanobis2": euclidean2,
        "cosine": cosine,
        "correlation": correlation,
        "poisson_kl": poisson_kl,
    }
    return by_name[estimator](patterns)


def condition_means(
    responses: NDArray[np.floating], condition: NDArray[np.integer], n_conditions: int
) -> Floats:
    """Mean response of each condition, every trial alike, shape (..., condition, unit).

    Raises
    ------
    ValueError
        If a condition has no trial.
    """
    counts = np.bincount(condition, minlength=n_conditions)
    if not counts.all():
        n_empty = int(np.count_nonzero(counts == 0))
        raise ValueError(
            f"{counted(n_empty, 'condition')} {for_number(n_empty, '[has|have]')} no trial."
        )
    member = np.arange(n_conditions)[:, None] == condition[None, :]
    return np.asarray((member / counts[:, None]) @ np.asarray(responses, dtype=np.float64))


def fold_means(
    responses: NDArray[np.floating],
    condition: NDArray[np.integer],
    fold: NDArray[np.integer],
    n_conditions: int,
) -> tuple[Floats, NDArray[np.int64]]:
    """Mean response of each condition in each fold, and from how many trials.

    Returns
    -------
    Means of shape (..., fold, condition, unit), 0 where a fold lacks a condition, and numbers of
    trials, shape (fold, condition).
    """
    label, code = np.unique(fold, return_inverse=True)
    cell = code * n_conditions + condition
    counts = np.bincount(cell, minlength=label.size * n_conditions)
    member = (np.arange(counts.size)[:, None] == cell[None, :]) / np.maximum(1, counts)[:, None]
    means = member @ np.asarray(responses, dtype=np.float64)
    shape = (label.size, n_conditions)
    return means.reshape(*responses.shape[:-2], *shape, responses.shape[-1]), counts.reshape(shape)


def euclidean2(patterns: NDArray[np.floating]) -> Floats:
    """Squared Euclidean distances over the number of units.

    From one product of centred patterns; pairs that are equal are exactly 0 apart.
    """
    centred = patterns - np.mean(patterns, axis=-2, keepdims=True, dtype=np.float64)
    gram = centred @ np.swapaxes(centred, -1, -2)
    distances = np.maximum(_from_products(gram), 0)
    first, second = np.triu_indices(patterns.shape[-2], 1)
    norms = np.diagonal(gram, axis1=-2, axis2=-1)
    # Where rounding of large norms would show, the difference itself is summed.
    close = distances < 1e-6 * (norms[..., first] + norms[..., second])
    if close.any():
        *leading, pair = np.nonzero(close)
        apart = centred[(*leading, first[pair])] - centred[(*leading, second[pair])]
        distances[close] = np.square(apart).sum(axis=-1)
    return np.asarray(distances / patterns.shape[-1])


def euclidean(patterns: NDArray[np.floating]) -> Floats:
    """Euclidean distances, not divided by the number of units."""
    return np.asarray(np.sqrt(euclidean2(patterns) * patterns.shape[-1]))


def mahalanobis2(patterns: NDArray[np.floating], covariance: NDArray[np.floating]) -> Floats:
    """Squared Mahalanobis distances over the number of units; ``covariance`` (..., unit, unit)."""
    return euclidean2(whitened(patterns, covariance))


def cosine(patterns: NDArray[np.floating]) -> Floats:
    """One less the cosine of patterns.

    Raises
    ------
    ValueError
        If a pattern is zero.
    """
    norms = np.linalg.norm(patterns, axis=-1)
    _refuse(norms == 0, "zero in all units, so that it has no direction")
    unit = patterns / norms[..., None]
    # Half the squared distance of unit vectors: no cancellation for nearly equal patterns.
    return np.asarray(euclidean2(unit) * (patterns.shape[-1] / 2))


def correlation(patterns: NDArray[np.floating]) -> Floats:
    """One less Pearson's correlation of patterns over units.

    Raises
    ------
    ValueError
        If a pattern is the same in all units, or there are fewer than three units.
    """
    if patterns.shape[-1] < 3:
        n_units = patterns.shape[-1]
        raise ValueError(
            f"{counted(n_units, 'unit')} {for_number(n_units, '[is|are]')} too few to correlate "
            "patterns."
        )
    spread = np.max(patterns, axis=-1) - np.min(patterns, axis=-1)
    _refuse(spread == 0, "the same in all units, so that it correlates with nothing")
    return cosine(patterns - np.mean(patterns, axis=-1, keepdims=True, dtype=np.float64))


def _refuse(wrong: NDArray[np.bool_], what: str) -> None:
    """Say which condition's pattern cannot be used."""
    if wrong.any():
        place = ", ".join(str(index) for index in np.unique(np.nonzero(wrong)[-1]))
        raise ValueError(f"the pattern of condition {place} is {what}.")


def crossnobis(means: NDArray[np.floating], present: NDArray[np.bool_]) -> Floats:
    """Cross-validated squared distances over the number of units; unbiased, so also negative.

    The mean over ordered pairs of different folds, of those in which both conditions occur. Pass
    whitened means for the Mahalanobis distance.

    Parameters
    ----------
    means
        Shape (..., fold, condition, unit).
    present
        Whether a fold holds a condition, shape (fold, condition).

    Returns
    -------
    Shape (..., pair); NaN for pairs of conditions that fewer than two folds share.

    Raises
    ------
    ValueError
        If there are fewer than two folds.
    """
    return _cross_validated(means, means, present)


def crossnobis_fold_noise(
    means: NDArray[np.floating],
    present: NDArray[np.bool_],
    covariances: NDArray[np.floating],
) -> Floats:
    """Cross-validated distances where each fold has a noise covariance of its own.

    A pair of folds is whitened by the mean of its two covariances.

    Parameters
    ----------
    means, present
        As for :func:`crossnobis`, means not whitened.
    covariances
        Shape (fold, unit, unit).
    """
    _need_folds(present)
    n_folds, n_conditions = present.shape
    first, second = np.triu_indices(n_conditions, 1)
    total = np.zeros((*means.shape[:-3], first.size))
    for one in range(n_folds):
        for other in range(one + 1, n_folds):
            pair = np.array([one, other])
            noise = covariances[pair].mean(axis=0)
            both = present[pair].all(axis=0)
            usable = both[first] & both[second]
            products = _fold_product(*np.moveaxis(whitened(means[..., pair, :, :], noise), -3, 0))
            total += np.where(usable, _from_products(products), 0)
    shared = _folds_shared(present)
    number = shared * (shared - 1) / 2
    return np.asarray(total / np.where(number > 0, number, np.nan) / means.shape[-1])


def poisson_kl(
    patterns: NDArray[np.floating],
    *,
    prior_rate: float = PRIOR_RATE,
    prior_weight: float = PRIOR_WEIGHT,
) -> Floats:
    """Symmetrised Kullback-Leibler divergences of Poisson rates over the number of units.

    Parameters
    ----------
    patterns
        Mean counts or rates, none negative, shape (..., condition, unit).
    prior_rate, prior_weight
        Rates are mixed with a prior rate that counts as so many observations.

    Raises
    ------
    ValueError
        If a rate is negative.
    """
    rates = _rates(patterns, prior_rate, prior_weight)
    gram = rates @ np.swapaxes(np.log(rates), -1, -2)
    # Each unit's term is not negative; rounding of equal rates must not make it so.
    return np.asarray(np.maximum(_from_products(gram), 0) / patterns.shape[-1])


def poisson_kl_cv(
    means: NDArray[np.floating],
    present: NDArray[np.bool_],
    *,
    prior_rate: float = PRIOR_RATE,
    prior_weight: float = PRIOR_WEIGHT,
) -> Floats:
    """Cross-validated :func:`poisson_kl`: rates of one fold, their logarithms of another.

    Parameters
    ----------
    means, present
        As for :func:`crossnobis`; counts or rates, none negative.
    """
    rates = _rates(means, prior_rate, prior_weight)
    return _cross_validated(rates, np.log(rates), present)


def _rates(patterns: NDArray[np.floating], rate: float, weight: float) -> Floats:
    if not (np.asarray(patterns) >= 0).all():
        raise ValueError("responses are negative; Poisson distances need counts or rates.")
    return (np.asarray(patterns, dtype=np.float64) + rate * weight) / (1 + weight)


def _from_products(gram: Floats) -> Floats:
    """Distances K_ii + K_jj - K_ij - K_ji of all pairs, shape (..., pair)."""
    own = np.diagonal(gram, axis1=-2, axis2=-1)
    square = own[..., :, None] + own[..., None, :] - gram - np.swapaxes(gram, -1, -2)
    first, second = np.triu_indices(gram.shape[-1], 1)
    return np.asarray(square[..., first, second])


def _fold_product(first: Floats, second: Floats) -> Floats:
    return np.asarray(first @ np.swapaxes(second, -1, -2))


def _need_folds(present: NDArray[np.bool_]) -> None:
    if present.shape[0] < 2:
        raise ValueError("cross-validated distances need two folds.")


def _folds_shared(present: NDArray[np.bool_]) -> Floats:
    """Number of folds that hold both conditions of a pair, shape (pair,)."""
    first, second = np.triu_indices(present.shape[1], 1)
    held = present.astype(np.float64)
    return np.asarray((held.T @ held)[first, second])


def _cross_validated(
    left: NDArray[np.floating], right: NDArray[np.floating], present: NDArray[np.bool_]
) -> Floats:
    """Mean over ordered pairs of folds of (l_i - l_j)·(r_i - r_j), over the number of units.

    One side's difference is of one fold, the other side's of another. With all conditions in all
    folds the sum over pairs of folds is a product of sums less the products within folds.
    """
    _need_folds(present)
    n_folds, n_units = present.shape[0], left.shape[-1]
    left, right = (np.asarray(side, dtype=np.float64) for side in (left, right))
    if present.all():
        whole = _fold_product(left.sum(axis=-3), right.sum(axis=-3))
        within = _fold_product(_side_by_side(left), _side_by_side(right))
        return np.asarray(_from_products(whole - within) / (n_folds * (n_folds - 1) * n_units))
    held = present.astype(np.float64)
    left, right = left * held[..., None], right * held[..., None]
    first, second = np.triu_indices(present.shape[1], 1)
    total = np.zeros((*left.shape[:-3], first.size))
    for fold in range(n_folds):
        others = [other for other in range(n_folds) if other != fold]
        for other in others:
            both = held[fold] * held[other]
            gram = _fold_product(left[..., fold, :, :], right[..., other, :, :])
            total += both[first] * both[second] * _from_products(gram)
    shared = _folds_shared(present)
    number = shared * (shared - 1)
    return np.asarray(total / np.where(number > 0, number, np.nan) / n_units)


def _side_by_side(means: Floats) -> Floats:
    """Folds' units one after another, shape (..., condition, fold * unit)."""
    moved = np.moveaxis(means, -3, -2)
    return np.ascontiguousarray(moved).reshape(*moved.shape[:-2], -1)
