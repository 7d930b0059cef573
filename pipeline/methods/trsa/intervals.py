"""How uncertain correlations between regions of one recording are, over units and conditions.

Units are resampled within their region, once for all splits, so that all copies of a unit are in
one half; conditions are resampled as weights of pairs. Both are the factors of the corrected
two-factor bootstrap; repeats are not resampled. Ranks are those among all pairs.

Source of the correction: Schuett, Kipnis, Diedrichsen & Kriegeskorte (2023), eLife 12:82566.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.halves import Splits, Units, quick_ranks, taken_for
from pipeline.methods.trsa.identification import corrected_variance, pair_weights, resamples
from pipeline.methods.trsa.model import Session

Floats = NDArray[np.float64]

FACTORS = ("both", "units", "conditions")
TAKEN = "taken_"
"""Before the factor: how often a region is taken for each, in place of their correlation."""
MOST_SPLITS = 20
"""Splits that are resampled; more change the mean over them little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Of one number."""

    se: float
    low: float
    high: float


def resampled(
    session: Session,
    n_conditions: int,
    splits: Splits,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> dict[str, Floats]:
    """Rank correlations of halves under resampling, means over splits, (draw, region, region).

    Row: region of half 1 and of half 2, averaged over both directions.

    Returns
    -------
    By :data:`FACTORS`, and with :data:`TAKEN` before how often halves of a region are taken for
    each; NaN for draws that leave a half of a region without units.
    """
    n_regions = len(splits.regions)
    draws = list(resamples(1, n_conditions, n_draws, rng))
    times = np.stack([_drawn_units(splits, rng) for _ in draws])
    weights = np.array([pair_weights(draw.condition) for draw in draws])
    once, every = np.ones((1, times.shape[1])), np.ones((1, weights.shape[1]))
    found = {
        kind + name: np.zeros((len(draws), n_regions, n_regions))
        for kind in ("", TAKEN)
        for name in FACTORS
    }
    n_splits = min(MOST_SPLITS, len(splits.fold_half))
    units = Units.of(session, n_conditions, splits)
    for number in loops.steps(n_splits, found):
        distances = units.halves(splits.fold_half[number])
        half = splits.unit_half[number]
        whole, drawn = (
            (
                _ranked(distances[0], splits.region, ~half, weight, n_regions),
                _ranked(distances[1], splits.region, half, weight, n_regions),
            )
            for weight in (once, times)
        )
        for name, pair, weight in (
            ("both", drawn, weights),
            ("units", drawn, every),
            ("conditions", whole, weights),
        ):
            one = _weighted_correlation(*pair, weight[:, units.usable])
            found[name] += (one + np.swapaxes(one, 1, 2)) / (2 * n_splits)
            found[TAKEN + name] += taken_for(one) / n_splits
    return found


def interval(
    estimate: float, draws: Mapping[str, Floats], *, n_units: int, n_conditions: int
) -> Interval:
    """Standard error and 95 % interval of a number, around its value in the whole recording.

    Parameters
    ----------
    draws
        The number under each of :data:`FACTORS`, shape (draw,).
    n_units
        Of the smallest half.
    """
    from scipy.stats import t as student

    variance = {name: np.asarray(np.nanvar(draw, ddof=1)) for name, draw in draws.items()}
    corrected = corrected_variance(
        variance["both"],
        variance["units"],
        variance["conditions"],
        n_subjects=n_units,
        n_conditions=n_conditions,
    )
    se = float(np.sqrt(corrected))
    width = se * float(student.ppf(0.975, min(n_units, n_conditions) - 1))
    return Interval(se=se, low=float(estimate - width), high=float(estimate + width))


def share_interval(
    estimate: float, draws: Mapping[str, Floats], *, n_units: int, n_conditions: int
) -> Interval:
    """As :func:`interval`, of a share, within 0 and 1; NaN where no draw differs from another.

    A share that all draws leave as it is, as one of 0 or 1, is not so sure that it has no range.
    """
    if all(np.nanmax(draw) - np.nanmin(draw) < 1e-12 for draw in draws.values()):
        return Interval(se=float("nan"), low=float("nan"), high=float("nan"))
    found = interval(estimate, draws, n_units=n_units, n_conditions=n_conditions)
    return Interval(se=found.se, low=max(found.low, 0.0), high=min(found.high, 1.0))


def smallest_half(splits: Splits) -> int:
    """Units of the smallest half of a region."""
    return int(np.bincount(splits.region).min()) // 2


def _drawn_units(splits: Splits, rng: np.random.Generator) -> Floats:
    """How often each unit was drawn, with replacement within its region, shape (unit,)."""
    times = np.zeros(splits.region.size)
    for place in range(len(splits.regions)):
        own = np.flatnonzero(splits.region == place)
        times[own] = np.bincount(rng.integers(own.size, size=own.size), minlength=own.size)
    return times


def _ranked(
    distances: Floats,
    region: NDArray[np.int64],
    used: NDArray[np.bool_],
    times: Floats,
    n_regions: int,
) -> Floats:
    """Ranks of each region's mean distances, shape (draw, region, pair)."""
    member = (region == np.arange(n_regions)[:, None]) & used
    weight = times[:, None, :] * member
    total = weight.sum(axis=2, keepdims=True)
    weight = weight / np.where(total > 0, total, np.nan)
    mean = (weight.reshape(-1, region.size) @ distances).reshape(len(times), n_regions, -1)
    missing = np.isnan(mean[:, :, :1])
    if missing.any():  # a half without units; its ranks are taken of anything and then dropped
        mean = np.where(missing, np.arange(mean.shape[2]), mean)
    return np.where(missing, np.nan, quick_ranks(mean))


def _weighted_correlation(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Correlation over pairs that count by weights, shape (draw, region, region).

    ``one`` and ``other`` of shape (draw or 1, region, pair), ``weights`` (draw or 1, pair).
    """
    share = (weights / weights.sum(axis=1, keepdims=True))[:, None, :]
    centred = [rows - (rows * share).sum(axis=2, keepdims=True) for rows in (one, other)]
    root = np.sqrt(share)
    scaled = [rows * root for rows in centred]
    lengths = [np.linalg.norm(rows, axis=2, keepdims=True) for rows in scaled]
    unit = [
        rows / np.where(length > 0, length, np.nan)
        for rows, length in zip(scaled, lengths, strict=True)
    ]
    return np.asarray(unit[0] @ np.swapaxes(unit[1], 1, 2))
