"""Geo-topological transforms: ramps between two levels that keep who is a neighbour of whom.

Dissimilarities below a lower level become 0, those above an upper level 1, and those between rise
in a straight line. Levels (0, 1) keep the geometry; equal levels leave a graph, pure topology.

Sources: Lin & Kriegeskorte (2024), "The topology and geometry of neural representations", PNAS.
Unlike the published code, equal levels give 0 and 1 everywhere, and no entry is 0/0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.dissimilarity import Floats, average_ranks

Scale = Literal["rank", "quantile", "fraction"]
SCALES: tuple[Scale, ...] = get_args(Scale)

Family = Literal["local", "global", "geometry", "topology", "intermediate"]
FAMILIES: Mapping[Family, str] = MappingProxyType(
    {
        "local": "both levels low: only the closest pairs are told apart",
        "global": "both levels high: only the farthest pairs are told apart",
        "geometry": "levels far apart: nearly all distances are kept",
        "topology": "levels close to the middle: near or far",
        "intermediate": "between geometry and topology",
    }
)
_FAMILY_TOLERANCE = 1e-3


def scaled_ranks(dissimilarities: NDArray[np.floating]) -> Floats:
    """Average ranks moved to [0, 1]; NaN where all dissimilarities are equal.

    Works along the last axis; missing pairs (NaN) stay missing.
    """
    ranks = average_ranks(dissimilarities)
    missing = np.isnan(ranks)
    low = np.min(ranks, axis=-1, keepdims=True, initial=np.inf, where=~missing)
    span = np.max(ranks, axis=-1, keepdims=True, initial=-np.inf, where=~missing) - low
    return np.asarray((ranks - low) / np.where(span > 0, span, np.nan))


def is_degenerate(
    dissimilarities: NDArray[np.floating], scale: Scale = "rank"
) -> NDArray[np.bool_]:
    """Whether a transform is undefined: all equal or missing, or no largest value above 0.

    Shape (...) for dissimilarities of shape (..., pair).
    """
    missing = np.isnan(dissimilarities)
    high = np.max(dissimilarities, axis=-1, initial=-np.inf, where=~missing)
    low = np.min(dissimilarities, axis=-1, initial=np.inf, where=~missing)
    return np.asarray(~(high > low) | ((high <= 0) & (scale == "fraction")))


def geo_topological(
    dissimilarities: NDArray[np.floating],
    levels: NDArray[np.floating],
    *,
    scale: Scale = "rank",
) -> Floats:
    """Transform dissimilarities by each of some pairs of levels.

    Parameters
    ----------
    dissimilarities
        Shape (..., pair); each vector has thresholds of its own. Missing pairs stay missing.
    levels
        Lower and upper level within [0, 1], shape (level, 2).
    scale
        ``rank``: ranks, and thresholds at their quantiles (the published form); ``quantile``: the
        values themselves with thresholds at their quantiles; ``fraction``: thresholds at fractions
        of the largest value.

    Returns
    -------
    Shape (..., level, pair), within [0, 1]. All NaN for degenerate vectors (``is_degenerate``).

    Raises
    ------
    ValueError
        If a level is outside [0, 1] or a lower level above its upper one.
    """
    values, thresholds = thresholded(dissimilarities, levels, scale=scale)
    return ramp(values[..., None, :], thresholds[..., 0, None], thresholds[..., 1, None])


def ramp(values: Floats, lower: Floats, upper: Floats) -> Floats:
    """0 below one threshold, 1 above another, straight between; a step where they are equal.

    All of shapes that broadcast; missing values stay missing.
    """
    span = upper - lower
    equal = span <= 0
    result: Floats = values - lower
    result /= np.where(equal, 1, span)
    np.clip(result, 0, 1, out=result)
    if equal.any():
        above = np.where(np.isnan(values), np.nan, 1) * (values > upper)
        result = np.where(equal, above, result)
    return result


def thresholded(
    dissimilarities: NDArray[np.floating],
    levels: NDArray[np.floating],
    *,
    scale: Scale = "rank",
) -> tuple[Floats, Floats]:
    """Scaled dissimilarities, shape (..., pair), and their thresholds, shape (..., level, 2).

    Parameters and errors as for :func:`geo_topological`.
    """
    levels = checked_levels(levels)
    if scale not in SCALES:
        raise ValueError(f"'{scale}' is none of the scales {', '.join(SCALES)}.")
    values = np.array(dissimilarities, dtype=np.float64)
    values[is_degenerate(values, scale)] = np.nan
    if scale == "rank":
        values = scaled_ranks(values)
    if scale == "fraction":
        largest = np.max(values, axis=-1, initial=-np.inf, where=~np.isnan(values))
        return values, np.where(np.isinf(largest), np.nan, largest)[..., None, None] * levels
    return values, quantiles(values, levels.ravel()).reshape(*values.shape[:-1], -1, 2)


def quantiles(values: Floats, levels: NDArray[np.floating]) -> Floats:
    """Quantiles along the last axis by straight lines between values; missing ones do not count.

    Shape (..., level); NaN where no value is there.
    """
    ordered = np.sort(values, axis=-1)
    last = (~np.isnan(values)).sum(axis=-1, keepdims=True) - 1
    place = np.maximum(last, 0) * levels
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(last, 0))
    low, high = (np.take_along_axis(ordered, index, axis=-1) for index in (below, above))
    return np.asarray(low + (high - low) * (place - below))


def checked_levels(levels: NDArray[np.floating]) -> Floats:
    """Pairs of levels, shape (level, 2), if they can be used.

    Raises
    ------
    ValueError
        As for :func:`geo_topological`.
    """
    checked: Floats = np.asarray(levels, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != 2:
        raise ValueError(f"levels have shape {checked.shape}; (level, 2) is needed.")
    if not ((checked >= 0) & (checked <= 1)).all():
        raise ValueError("a level is outside [0, 1].")
    if (checked[:, 0] > checked[:, 1]).any():
        raise ValueError("a lower level is above its upper level.")
    return checked


def sigmoid(
    dissimilarities: NDArray[np.floating], *, slope: float = 10.0, middle: float = 0.5
) -> Floats:
    """A smooth step over scaled ranks in place of the ramp, shape as given."""
    from scipy.special import expit

    return np.asarray(expit(slope * (scaled_ranks(dissimilarities) - middle)))


def level_grid(step: float = 0.05) -> Floats:
    """All pairs of levels on a grid, lower at most upper, shape (level, 2).

    Without (1, 1), where every pair is within reach: 230 pairs for a step of 0.05.
    """
    count = round(1 / step)
    return np.array(
        [
            (lower / count, upper / count)
            for lower in range(count)
            for upper in range(lower, count + 1)
        ]
    )


def family_of(lower: float, upper: float) -> Family:
    """The family that the published comparison puts a pair of levels into."""
    middle, width, near = (lower + upper) / 2, upper - lower, _FAMILY_TOLERANCE
    if middle <= 0.2 + near:
        return "local"
    if middle >= 0.8 - near:
        return "global"
    if width >= 0.8 - near:
        return "geometry"
    if lower >= 0.4 - near and upper <= 0.6 + near:
        return "topology"
    return "intermediate"


def family_levels(family: Family, count: int, rng: np.random.Generator) -> Floats:
    """Random pairs of levels of one family, shape (count, 2), rounded to two decimals.

    Drawn evenly from the unit square and put in order, corners left out, as published.
    """
    found: list[tuple[float, float]] = []
    while len(found) < count:
        lower, upper = np.sort(np.round(rng.random(2), 2))
        if 0.01 < lower + upper < 1.99 and family_of(lower, upper) == family:
            found.append((float(lower), float(upper)))
    return np.array(found).reshape(-1, 2)
