"""Clouds of points whose rows belong together: dimensionality and likeness of shape.

Clouds may have different numbers of columns (dimensions); rows are the same items in the same
order. Sources: Kornblith et al. (2019), ICML (centred kernel alignment); Murphy, Zylberberg &
Fyshe (2024) (its unbiased form, after Song et al. 2012); Williams et al. (2021), NeurIPS (shape
metrics); Facco et al. (2017), Sci. Rep. 7:12140 (two nearest neighbours).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _centred(points: NDArray[np.floating]) -> Floats:
    return np.asarray(points - np.mean(points, axis=0, dtype=np.float64))


def participation_ratio(points: NDArray[np.floating]) -> float:
    """Effective number of dimensions: squared sum of variances over the sum of their squares.

    NaN where nothing varies.
    """
    values = np.linalg.svd(_centred(points), compute_uv=False) ** 2
    total = float(np.square(values).sum())
    return float(values.sum()) ** 2 / total if total > 0 else float("nan")


def cross_validated_participation_ratio(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> float:
    """Participation ratio of what two repeats of the same items share, shape (item, dimension).

    Variances of the principal axes of one repeat are measured between repeats (both ways), so that
    noise adds none. NaN where the shared variance is not above 0.
    """
    totals = []
    for one, other in ((first, second), (second, first)):
        one, other = _centred(one), _centred(other)
        axes = np.linalg.svd(one, full_matrices=False)[2]
        totals.append(((one @ axes.T) * (other @ axes.T)).sum(axis=0))
    values = np.mean(totals, axis=0)
    if values.sum() <= 0:
        return float("nan")
    return float(values.sum() ** 2 / np.square(values).sum())


def n_principal(points: NDArray[np.floating], share: float) -> int:
    """Number of principal axes that hold at least a share of the variance."""
    values = np.linalg.svd(_centred(points), compute_uv=False) ** 2
    held = np.cumsum(values) / max(float(values.sum()), np.finfo(np.float64).tiny)
    return int(np.searchsorted(held, share - 1e-12)) + 1


def two_neighbour_dimension(distances: NDArray[np.floating]) -> float:
    """Intrinsic dimension from each item's two nearest others: its maximum-likelihood estimate.

    ``distances`` are square; items that have a copy are left out. NaN where fewer than three stay.
    """
    apart = np.array(distances, dtype=np.float64)
    np.fill_diagonal(apart, np.inf)
    nearest = np.sort(apart, axis=1)[:, :2]
    ratio = nearest[:, 1][nearest[:, 0] > 0] / nearest[:, 0][nearest[:, 0] > 0]
    total = float(np.log(ratio).sum())
    return (ratio.size - 1) / total if ratio.size >= 3 and total > 0 else float("nan")


def linear_alignment(
    first: NDArray[np.floating], second: NDArray[np.floating], *, unbiased: bool = False
) -> float:
    """Centred kernel alignment with linear kernels, 1 for clouds that differ by turn and scale.

    ``unbiased`` leaves out what items share with themselves, so that independent clouds have 0 on
    average however many dimensions they have; it needs four items. NaN where nothing varies.
    """
    return kernel_alignment(linear_kernel(first), linear_kernel(second), unbiased=unbiased)


def linear_kernel(points: NDArray[np.floating]) -> Floats:
    """Inner products of centred points, shape (item, item)."""
    centred = _centred(points)
    return np.asarray(centred @ centred.T)


def gaussian_kernel(points: NDArray[np.floating], width: float = 1.0) -> Floats:
    """Gaussian kernel whose width is a multiple of the median distance, shape (item, item)."""
    from scipy.spatial.distance import pdist, squareform

    distances = pdist(points)
    scale = width * float(np.median(distances))
    if not scale > 0:
        raise ValueError("the median distance is 0, so that the kernel has no width.")
    return np.asarray(np.exp(-np.square(squareform(distances) / scale) / 2))


def kernel_alignment(
    first: NDArray[np.floating], second: NDArray[np.floating], *, unbiased: bool = False
) -> float:
    """Centred kernel alignment of two kernels, shape (item, item); see ``linear_alignment``."""
    kernels = [alignment_kernel(kernel, unbiased=unbiased) for kernel in (first, second)]
    return float((kernels[0] * kernels[1]).sum())


def alignment_kernel(kernel: NDArray[np.floating], *, unbiased: bool = False) -> Floats:
    """A kernel centred and of length 1, so that inner products of two are their alignment.

    Shape (item, item); NaN where nothing varies. ``unbiased`` as for :func:`linear_alignment`.

    Raises
    ------
    ValueError
        If ``unbiased`` has fewer than four items.
    """
    values = np.array(kernel, dtype=np.float64)
    count = len(values)
    if unbiased:
        if count < 4:
            raise ValueError(f"{count} items are too few for the unbiased alignment; 4 are needed.")
        values = _u_centred(values)
    else:
        centring = np.eye(count) - 1 / count
        values = centring @ values @ centring
    length = float(np.linalg.norm(values))
    return values / length if length > 0 else np.full_like(values, np.nan)


def _u_centred(kernel: Floats) -> Floats:
    """A kernel without its diagonal whose rows sum to 0 (Szekely & Rizzo 2014)."""
    count = len(kernel)
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(axis=1) / (count - 2)
    centred = kernel - rows[:, None] - rows[None, :] + kernel.sum() / ((count - 1) * (count - 2))
    np.fill_diagonal(centred, 0)
    return np.asarray(centred)


def procrustes_angle(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Angle between shapes in radians after the best turn: 0 for the same up to turn and scale.

    A metric. NaN where a cloud does not vary.
    """
    return shape_angle(first, second, whitening=0.0)


def shape_angle(
    first: NDArray[np.floating], second: NDArray[np.floating], *, whitening: float
) -> float:
    """Procrustes angle after clouds were whitened in part: 0 not at all, 1 whole (as CCA).

    Raises
    ------
    ValueError
        If ``whitening`` is outside [0, 1].
    """
    one, other = (unit_cloud(points, whitening=whitening) for points in (first, second))
    return float(nuclear_angle(one, other))


def unit_cloud(points: NDArray[np.floating], *, whitening: float = 0.0) -> Floats:
    """A cloud along its principal axes, centred, whitened in part and of length 1.

    Only the rows' space counts, so that there are no more axes than rows, shape (item, axis). NaN
    where nothing varies.

    Raises
    ------
    ValueError
        If ``whitening`` is outside [0, 1].
    """
    if not 0 <= whitening <= 1:
        raise ValueError(f"whitening is {whitening}; it lies within [0, 1].")
    left, values, _ = np.linalg.svd(_centred(points), full_matrices=False)
    most = float(values.max(initial=0))
    if most == 0:
        return np.full((len(points), 1), np.nan)
    kept = values > most * 1e-10
    cloud = left[:, kept] * ((1 - whitening) * values[kept] / most + whitening)
    return np.asarray(cloud / np.linalg.norm(cloud))


def nuclear_angle(one: Floats, other: Floats) -> Floats:
    """Angle between clouds of :func:`unit_cloud` after the best turn, shape (...).

    ``other`` may have leading axes, shape (..., item, axis).
    """
    product = np.swapaxes(other, -1, -2) @ one
    if np.isnan(product).any():
        return np.full(product.shape[:-2], np.nan)
    nuclear = np.linalg.svd(product, compute_uv=False).sum(axis=-1)
    return np.asarray(np.arccos(np.clip(nuclear, -1, 1)))
