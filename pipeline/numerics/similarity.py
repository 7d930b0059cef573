"""How alike vectors of dissimilarities are, many against many, by the measures of the field.

Every measure but Kendall's is an inner product of features: the values themselves, their ranks, or
the whitened second moments they stand for. Features are made once for each vector, and all pairs
follow from one matrix product. What a measure cannot say of two vectors is NaN with a status.

Sources: Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife 12:82566 (rho-a, tau-a, whitened
measures); Diedrichsen, Berlot, Mur, Schuett, Shahbazi & Kriegeskorte (2020), arXiv 2007.02789;
Kendall (1945), Biometrika 33:239 (tau-b); Bhatia, Jain & Lim (2019), Expo. Math. 37:165 (Bures).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.dissimilarity import Floats, average_ranks, n_items, squared_form

Measure = Literal[
    "cosine",
    "corr",
    "spearman",
    "rho_a",
    "tau_a",
    "tau_b",
    "whitened_cosine",
    "whitened_corr",
    "euclid",
    "bures",
]
MEASURES: tuple[Measure, ...] = get_args(Measure)


class Status(IntEnum):
    """Whether a measure is defined for two vectors."""

    OK = 0
    CONSTANT = 1
    """A vector without what the measure compares: all zero, all equal, or of no variance."""
    MISSING = 2
    """Fewer than three pairs are there in both vectors; for Bures similarity, not all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Similarity of each of some vectors with each of others.

    Attributes
    ----------
    values
        Shape (..., first, second); NaN exactly where ``status`` is not ``Status.OK``.
    status
        Codes of :class:`Status`, int8, same shape.
    n_pairs
        Number of pairs compared, same shape; smaller than the vectors' length where pairs are
        missing in either.
    """

    values: Floats
    status: NDArray[np.int8]
    n_pairs: NDArray[np.int64]


def compare(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    measure: Measure,
    *,
    noise: NDArray[np.floating] | None = None,
) -> Comparison:
    """Compare each of some vectors with each of others.

    Pairs that are missing (NaN) in either vector are left out of that comparison; the whitened
    measures then use the covariance of the pairs that remain.

    Parameters
    ----------
    first, second
        Condensed dissimilarities, shape (..., vector, pair), with the same leading axes.
    measure
        ``euclid`` is a distance, all others grow with similarity and are at most 1.
    noise
        Covariance of the items' estimates over repeats for the whitened measures, shape
        (item, item), or its diagonal, shape (item,); independent and equal where ``None``. The
        whitened measures are meant for squared distances.

    Raises
    ------
    ValueError
        If numbers of pairs or leading axes differ, a value is infinite, ``measure`` is unknown, or
        ``noise`` does not fit the items or is not positive definite.
    """
    ones: Floats = np.asarray(first, dtype=np.float64)
    others: Floats = np.asarray(second, dtype=np.float64)
    if measure not in MEASURES:
        raise ValueError(f"'{measure}' is none of the measures {', '.join(MEASURES)}.")
    if ones.shape[-1] != others.shape[-1] or ones.shape[:-2] != others.shape[:-2]:
        raise ValueError(f"vectors of shapes {ones.shape} and {others.shape} cannot be compared.")
    if np.isinf(ones).any() or np.isinf(others).any():
        raise ValueError("infinite dissimilarities cannot be compared; replace or mask them first.")
    if noise is not None and not measure.startswith("whitened"):
        raise ValueError(f"'{measure}' uses no noise covariance; the whitened measures do.")
    shape = (*ones.shape[:-1], others.shape[-2])
    values = np.full(shape, np.nan)
    status = np.full(shape, Status.MISSING, dtype=np.int8)
    n_pairs = np.zeros(shape, dtype=np.int64)
    for where in np.ndindex(shape[:-2]):
        one, other = ones[where], others[where]
        for rows, columns, present in _alike(np.isnan(one), np.isnan(other)):
            cell = (*where, *np.ix_(rows, columns))
            n_pairs[cell] = present.sum()
            enough = present.all() if measure == "bures" else True
            if enough and present.sum() >= 3:
                values[cell], defined = _complete(
                    one[rows], other[columns], measure, present, noise
                )
                status[cell] = np.where(defined, Status.OK, Status.CONSTANT)
    values[status != Status.OK] = np.nan
    return Comparison(values=values, status=status, n_pairs=n_pairs)


def pooled(vectors: NDArray[np.floating], measure: Measure) -> Floats:
    """The vector most like all of some vectors: their mean after what the measure ignores.

    Parameters
    ----------
    vectors
        Complete condensed dissimilarities, shape (..., vector, pair).
    measure
        Cosine measures: vectors divided by their root mean square; correlations: z-scored, and the
        mean moved to a smallest value of 0; rank measures: ranks (best for Spearman's and rho-a,
        an approximation for Kendall's); ``euclid``: the plain mean.

    Returns
    -------
    Shape (..., pair); NaN where a vector is constant and the measure needs that it is not.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    if measure in ("spearman", "rho_a", "tau_a", "tau_b"):
        return np.asarray(average_ranks(vectors).mean(axis=-2))
    if measure in ("corr", "whitened_corr"):
        centred = vectors - vectors.mean(axis=-1, keepdims=True)
        mean = (centred / _nonzero(centred.std(axis=-1, keepdims=True))).mean(axis=-2)
        return np.asarray(mean - mean.min(axis=-1, keepdims=True))
    if measure == "euclid":
        return np.asarray(vectors.mean(axis=-2))
    size = np.sqrt(np.mean(np.square(vectors), axis=-1, keepdims=True))
    return np.asarray((vectors / _nonzero(size)).mean(axis=-2))


def _nonzero(scale: Floats) -> Floats:
    """Scales to divide by; NaN for 0, so that what has no scale is missing afterwards."""
    return np.where(scale > 0, scale, np.nan)


def _alike(
    first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
    """Vectors with the same pairs missing: rows, columns, pairs that are there in both."""
    if not (first.any() or second.any()):
        everything = np.ones(first.shape[-1], dtype=bool)
        return [(np.arange(len(first)), np.arange(len(second)), everything)]
    groups = []
    first_masks, first_of = np.unique(first, axis=0, return_inverse=True)
    second_masks, second_of = np.unique(second, axis=0, return_inverse=True)
    for one, first_missing in enumerate(first_masks):
        for other, second_missing in enumerate(second_masks):
            rows, columns = np.flatnonzero(first_of == one), np.flatnonzero(second_of == other)
            groups.append((rows, columns, ~(first_missing | second_missing)))
    return groups


def _complete(
    first: Floats,
    second: Floats,
    measure: Measure,
    present: NDArray[np.bool_],
    noise: NDArray[np.floating] | None,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of one group of vectors and where they are defined, both (first, second)."""
    if measure == "euclid":
        from scipy.spatial.distance import cdist

        distances = cdist(first[:, present], second[:, present])
        return distances, np.ones(distances.shape, dtype=bool)
    if measure == "bures":
        return _bures(first, second)
    if measure in ("tau_a", "tau_b"):
        return _kendall(first[:, present], second[:, present], corrected=measure == "tau_b")
    one = _features(first, measure, present, noise)
    other = _features(second, measure, present, noise)
    varied = [
        _varies(vectors[:, present], zero_is_all=measure.endswith("cosine"))
        for vectors in (first, second)
    ]
    defined = varied[0][:, None] & varied[1][None, :]
    products = one @ other.T
    if measure == "rho_a":
        count = int(present.sum())
        return products * 12 / (count**3 - count), defined
    norms = [np.linalg.norm(features, axis=-1) for features in (one, other)]
    scale = norms[0][:, None] * norms[1][None, :]
    return products / np.where(defined, scale, np.nan), defined & (scale > 0)


def _varies(vectors: Floats, *, zero_is_all: bool) -> NDArray[np.bool_]:
    """Whether each vector has something to compare: not all zero, or not all equal."""
    if zero_is_all:
        return np.asarray(vectors.any(axis=-1))
    return np.asarray(vectors.max(axis=-1) > vectors.min(axis=-1))


def _features(
    vectors: Floats,
    measure: Measure,
    present: NDArray[np.bool_],
    noise: NDArray[np.floating] | None,
) -> Floats:
    """Vectors whose inner products the measure compares, shape (vector, feature)."""
    kept = vectors[:, present]
    if measure in ("spearman", "rho_a"):
        kept = average_ranks(kept)
    if measure not in ("cosine", "whitened_cosine"):
        kept = kept - kept.mean(axis=-1, keepdims=True)
    if not measure.startswith("whitened"):
        return kept
    complete = np.zeros(vectors.shape)
    complete[:, present] = kept
    whitened = whitened_moments(complete, noise=noise)
    if not present.all():
        # A missing dissimilarity may have any value: what it could explain does not count.
        missing = np.flatnonzero(~present)
        alone = np.zeros((missing.size, present.size))
        alone[np.arange(missing.size), missing] = 1
        free = np.linalg.qr(whitened_moments(alone, noise=noise).T)[0]
        whitened = whitened - (whitened @ free) @ free.T
    return whitened


def whitened_moments(
    vectors: NDArray[np.floating], *, noise: NDArray[np.floating] | None = None
) -> Floats:
    """Second moments behind squared distances, whitened by the noise of the items.

    The inner product of two of them is that of the vectors under the inverse of the covariance
    which squared distances have when items are estimated with this noise and do not differ, up to
    one factor; no matrix of pairs by pairs is made.

    Parameters
    ----------
    vectors
        Complete condensed squared distances, shape (..., pair).
    noise
        As in :func:`compare`.

    Returns
    -------
    Shape (..., item * item).
    """
    count = n_items(vectors.shape[-1])
    square = squared_form(vectors)
    weights = np.full(count, 1 / count)
    factor: Floats | None = None
    if noise is not None:
        factor, weights = _noise_factor(np.asarray(noise, dtype=np.float64), count)
    # Centred so that the mean weighted by the noise is the origin.
    means = square @ weights
    centred = square - means[..., :, None] - means[..., None, :]
    moments = (centred + (means @ weights)[..., None, None]) / -2
    if factor is not None:
        moments = factor.T @ moments @ factor
    return np.asarray(moments.reshape(*vectors.shape[:-1], count * count))


def _noise_factor(noise: Floats, count: int) -> tuple[Floats, Floats]:
    """A factor L of the inverse covariance L Lᵀ, and the weights of the best mean of items."""
    if noise.shape not in ((count,), (count, count)):
        raise ValueError(f"noise of shape {noise.shape} does not fit {count} items.")
    covariance = np.diag(noise) if noise.ndim == 1 else noise
    try:
        factor = np.linalg.inv(np.linalg.cholesky(covariance)).T
    except np.linalg.LinAlgError as error:
        raise ValueError("the noise covariance of the items is not positive definite.") from error
    weights = (factor @ factor.T).sum(axis=1)
    return factor, weights / weights.sum()


def _kendall(first: Floats, second: Floats, *, corrected: bool) -> tuple[Floats, NDArray[np.bool_]]:
    """Kendall's tau-a, or tau-b where ``corrected`` for ties."""
    from pipeline.numerics.ranks import concordance, dense_codes, tied_pairs

    one, other = dense_codes(first), dense_codes(second)
    ones = np.ones((1, first.shape[1]))
    agreements = concordance(one, other, ones)[0]
    every = first.shape[1] * (first.shape[1] - 1) / 2
    untied = [every - tied_pairs(codes, ones)[0] for codes in (one, other)]
    scale = np.sqrt(np.outer(*untied)) if corrected else np.full(agreements.shape, every)
    defined = (untied[0][:, None] > 0) & (untied[1][None, :] > 0)
    return agreements / np.where(defined, scale, np.nan), defined


def _bures(first: Floats, second: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Bures similarity of centred second moments, and where it is defined."""
    count = n_items(first.shape[-1])
    one, other = (whitened_moments(side).reshape(-1, count, count) for side in (first, second))
    return moment_similarity(one, other)


def moment_similarity(first: Floats, second: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Bures similarity of second moments A and B: tr (√A B √A)^½ / √(tr A tr B).

    The cosine of the angle of clouds of points after the best turn (Procrustes), whatever their
    size. Negative variances, as distances that are cross-validated have, count as 0, so that all
    lies between 0 and 1.

    Parameters
    ----------
    first, second
        Shapes (first, item, item) and (second, item, item), symmetric.

    Returns
    -------
    Values, and whether both have any variance, each of shape (first, second).
    """
    roots, sizes = [], []
    for moments in (first, second):
        value, axes = np.linalg.eigh(moments)
        rounding = 1e-10 * np.abs(value).sum(axis=-1, keepdims=True)
        value = np.where(value > rounding, value, 0)
        roots.append(axes * np.sqrt(value)[:, None, :])
        sizes.append(value.sum(axis=-1))
    values = np.empty((len(first), len(second)))
    for row, root in enumerate(roots[0]):
        crossed = np.swapaxes(roots[1], -1, -2) @ root
        values[row] = np.linalg.svd(crossed, compute_uv=False).sum(axis=-1)
    defined = (sizes[0][:, None] > 0) & (sizes[1][None, :] > 0)
    scale = np.sqrt(np.where(defined, np.outer(*sizes), np.nan))
    return values / scale, defined
