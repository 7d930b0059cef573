"""Noise covariance of units from how trials differ from their condition's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NoiseKind = Literal["diag", "shrink_diag", "shrink_eye", "full"]
NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """An estimated noise covariance.

    Attributes
    ----------
    covariance
        Shape (..., unit, unit).
    shrinkage
        Weight of the target within [0, 1], shape (...): 0 is the sample covariance.
    degrees
        Degrees of freedom of the residuals.
    """

    covariance: Floats
    shrinkage: Floats
    degrees: int


def residuals(responses: NDArray[np.floating], group: NDArray[np.integer]) -> tuple[Floats, int]:
    """Responses less the mean of their group, and the degrees of freedom that are left.

    Parameters
    ----------
    responses
        Shape (..., trial, unit), without missing values.
    group
        Condition of each trial, or condition and run as one code, shape (trial,).
    """
    label, code = np.unique(group, return_inverse=True)
    member = (code[None, :] == np.arange(label.size)[:, None]).astype(np.float64)
    means = (member / member.sum(axis=1, keepdims=True)) @ np.asarray(responses, dtype=np.float64)
    return responses - means[..., code, :], int(group.size - label.size)


def noise_covariance(
    responses: NDArray[np.floating],
    group: NDArray[np.integer],
    kind: NoiseKind = "shrink_diag",
    *,
    legacy: bool = False,
) -> Noise:
    """Covariance of units over trials of the same condition.

    Parameters
    ----------
    responses
        Shape (..., trial, unit), without missing values.
    group
        Condition of each trial, or condition and run as one code, shape (trial,).
    kind
        ``diag``: variances only; ``shrink_diag``: covariances shrunk to 0 (Schaefer & Strimmer
        2005); ``shrink_eye``: shrunk to one variance for all units (Ledoit & Wolf 2004); ``full``:
        as it is, which needs more degrees of freedom than units.
    legacy
        Degrees of freedom as in rsatoolbox, for comparison with its numbers; ``diag`` and
        ``shrink_diag`` of trials that are as many in every group only.

    Raises
    ------
    ValueError
        If no condition has two trials, a unit does not vary, values are missing, or ``full`` has
        too few degrees of freedom.
    """
    errors, degrees = residuals(responses, group)
    n_trials, n_units = errors.shape[-2:]
    if degrees < 1:
        raise ValueError("no condition has two trials, so that there is no noise to estimate.")
    if not np.isfinite(errors).all():
        raise ValueError("responses have missing values; noise needs complete trials.")
    divisor = float(degrees)
    if legacy:
        if kind not in ("diag", "shrink_diag"):
            raise ValueError(f"'{kind}' has no legacy form.")
        n_groups = n_trials - degrees
        divisor = (n_groups - 1) * n_trials / n_groups
    sample = np.swapaxes(errors, -1, -2) @ errors / divisor
    variance = np.diagonal(sample, axis1=-2, axis2=-1)
    scale = np.abs(np.asarray(responses, dtype=np.float64)).max(axis=-2)
    if not (variance > np.square(1e-12 * scale)).all():
        raise ValueError("a unit has the same response in all trials of each condition.")
    eye = np.eye(n_units)
    if kind == "full":
        if degrees <= n_units:
            raise ValueError(
                f"{degrees} degrees of freedom cannot give the full covariance of {n_units} units."
            )
        return Noise(sample, np.zeros(sample.shape[:-2]), degrees)
    if kind == "diag":
        return Noise(variance[..., None] * eye, np.ones(sample.shape[:-2]), degrees)
    if kind == "shrink_eye":
        share = _towards_one_variance(errors, sample, degrees)
        target = np.mean(variance, axis=-1)[..., None, None] * eye
        mixed = (1 - share[..., None, None]) * sample + share[..., None, None] * target
        return Noise(mixed, share, degrees)
    share = _towards_no_covariance(errors, variance, divisor, legacy=legacy)
    return Noise(sample * np.where(eye > 0, 1, (1 - share)[..., None, None]), share, degrees)


def _towards_no_covariance(
    errors: Floats, variance: Floats, divisor: float, *, legacy: bool
) -> Floats:
    """Best shrinkage of correlations to 0: their estimated variance over their squares.

    Schaefer & Strimmer (2005), with residual degrees of freedom in place of trials less one.
    """
    n_trials, n_units = errors.shape[-2:]
    scaled = errors / np.sqrt(variance)[..., None, :]
    squares = np.square(scaled)
    product = np.swapaxes(scaled, -1, -2) @ scaled
    fourth = np.swapaxes(squares, -1, -2) @ squares
    if legacy:
        correlation, moment = product / (n_trials - 1), fourth / (n_trials - 1)
        spread = n_trials * (moment - np.square(correlation)) / divisor**2
    else:
        correlation = product / divisor
        spread = n_trials / divisor**3 * (fourth - np.square(product) / n_trials)
    apart = ~np.eye(n_units, dtype=bool)
    squared = np.square(correlation).sum(axis=(-2, -1), where=apart)
    uncertain = spread.sum(axis=(-2, -1), where=apart)
    return np.asarray(np.clip(uncertain / np.where(squared > 0, squared, np.inf), 0, 1))


def _towards_one_variance(errors: Floats, sample: Floats, degrees: int) -> Floats:
    """Best shrinkage of the covariance to the mean variance times identity.

    Ledoit & Wolf (2004), with residual degrees of freedom in place of trials.
    """
    n_trials, n_units = errors.shape[-2:]
    mean = np.trace(sample, axis1=-2, axis2=-1) / n_units
    distance = np.square(sample - mean[..., None, None] * np.eye(n_units)).sum(axis=(-2, -1))
    # Sum over trials of |e e' - S n/T|^2, where the mean of e e' over trials is S n/T.
    powers = np.square(np.square(errors).sum(axis=-1)).sum(axis=-1)
    mean_product = sample * (degrees / n_trials)
    spread = powers - n_trials * np.square(mean_product).sum(axis=(-2, -1))
    uncertain = n_trials * spread / degrees**3
    return np.asarray(np.clip(uncertain / np.where(distance > 0, distance, np.inf), 0, 1))


def whitened(patterns: NDArray[np.floating], covariance: NDArray[np.floating]) -> Floats:
    """Patterns in units of noise: inner products are those under the inverse covariance.

    Parameters
    ----------
    patterns
        Shape (..., unit); leading axes that ``covariance`` has must be the same, and may be
        followed by others.
    covariance
        Shape (..., unit, unit).

    Raises
    ------
    ValueError
        If a covariance is not positive definite.
    """
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "the noise covariance is not positive definite; use fewer units or 'shrink_diag'."
        ) from error
    leading = covariance.shape[:-2]
    flat = np.asarray(patterns, dtype=np.float64).reshape(*leading, -1, patterns.shape[-1])
    solved = np.linalg.solve(factor, np.swapaxes(flat, -1, -2))
    return np.ascontiguousarray(np.swapaxes(solved, -1, -2)).reshape(patterns.shape)
