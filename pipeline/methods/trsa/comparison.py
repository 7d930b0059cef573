"""Populations two by two: likeness of shape, dependence, and units that answer alike.

Both populations of a pair are taken from halves of the repeats that share no trial, both ways
round, so that noise they share in a trial makes none alike. Conditions of one are shuffled for p.
Standard errors are jackknifes over conditions and over groups of the units of both: copies of a
condition, as a bootstrap makes them, are at distance 0 from each other and would count as likeness.
They count what a unit does in a single condition for both, and are rather too wide.

Sources: as in :mod:`pipeline.numerics.shapes`, and of the modules that are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.dependence import dependence
from pipeline.methods.trsa.homology import repeats_of, whitened_repeats
from pipeline.methods.trsa.matching import held_out_correlation, match_units
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.relations import Order, condition_orders
from pipeline.methods.trsa.result import COMPARISON_COLUMNS, PartResult
from pipeline.numerics.permutation import adjusted
from pipeline.numerics.shapes import (
    alignment_kernel,
    gaussian_kernel,
    linear_kernel,
    nuclear_angle,
    unit_cloud,
)

Floats = NDArray[np.float64]
Halves = tuple[Floats, Floats]
"""Patterns (condition, unit) of two halves of the repeats."""

KERNELS: dict[str, Callable[[Floats], Floats]] = {
    "CKA, unbiased": lambda points: alignment_kernel(linear_kernel(points), unbiased=True),
    "CKA": lambda points: alignment_kernel(linear_kernel(points)),
    "CKA, Gaussian": lambda points: alignment_kernel(gaussian_kernel(points)),
}
"""Matrices of length 1 whose inner product is the likeness."""
ANGLES: dict[str, Callable[[Floats], Floats]] = {
    "Procrustes angle": lambda points: unit_cloud(points, whitening=0.0),
    "shape angle, half whitened": lambda points: unit_cloud(points, whitening=0.5),
}
"""Clouds of length 1 whose angle after the best turn is small where populations are alike."""
DEPENDENCE = ("distance correlation", "adaptive dependence")
MATCHING = ("units one to one", "units shared out")
NAMES = (*KERNELS, *ANGLES, *DEPENDENCE, *MATCHING)
STATISTICS = ("value", "se", "chance", "p")

MOST_PAIRS = 300
UNIT_GROUPS = 10
LEAST_REPEATS = 2
SHARED_OUT_UP_TO = 1000
"""Pairs of units up to which units of unequal numbers are shared out, which is slow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Statistics of all pairs of populations."""

    numbers: Floats
    """Shape (pair, measure, statistic)."""
    matched: Floats
    """Shares of units with the same partner in both halves, and of mutual ones, (pair, 2)."""


def pairs_of(sample: Sample) -> list[tuple[int, int]]:
    """Pairs of populations that are compared; none where there are too many."""
    pairs = list(combinations(range(len(sample.populations())), 2))
    return pairs if len(pairs) <= MOST_PAIRS else []


def why_none(sample: Sample, config: TrsaConfig) -> str:
    """Why populations are not compared two by two; empty where they are."""
    n_populations = len(sample.populations())
    if not config.n_comparisons:
        return "methods.trsa.n_comparisons is 0"
    if n_populations < 2:
        return "there is one population"
    if not pairs_of(sample):
        return f"{n_populations} populations have more than {MOST_PAIRS} pairs"
    return ""


def why_no_p(order: Order, no_null: str) -> str:
    """Why likeness has no p: as of relations, or because the mean of a lag stays in patterns."""
    if no_null or order != "linear":
        return no_null
    return "conditions lie on a line, so that smooth patterns are alike by nature"


def compared(
    sample: Sample,
    config: TrsaConfig,
    order: Order,
    no_null: str,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Compared | None:
    """All statistics of all pairs; None where there is no pair.

    Parameters
    ----------
    no_null
        Why shuffles of conditions are no fair null; then there is no p.
    """
    pairs = pairs_of(sample)
    if why_none(sample, config):
        return None
    halves = [_halves(sample, place, config) for place in range(len(sample.populations()))]
    orders = condition_orders(sample.n_conditions, order, config.n_comparisons, rng)
    values = np.full((len(pairs), len(NAMES), len(STATISTICS)), np.nan)
    matched = np.full((len(pairs), 2), np.nan)
    for place, (a, b) in enumerate(pairs):
        one, other = halves[a], halves[b]
        if one is not None and other is not None:
            values[place], matched[place] = pair_statistics(one, other, orders)
        progress(place + 1, len(pairs), "pairs of populations")
    if why_no_p(order, no_null):
        values[:, :, STATISTICS.index("p")] = np.nan
    return Compared(numbers=values, matched=matched)


def table_of(sample: Sample, parts: Sequence[PartResult], config: TrsaConfig) -> pd.DataFrame:
    """One row a pair of populations and measure; p adjusted over pairs, measure by measure."""
    made = [part for part in parts if part.compared is not None]
    rows: list[tuple[object, ...]] = []
    names = [
        (sample.sessions[index].recording, sample.sessions[index].regions[region])
        for index, region in sample.populations()
    ]
    for part in made:
        if part.compared is None or part.matched is None:
            continue
        for place, (a, b) in enumerate(pairs_of(sample)):
            for row, name in enumerate(NAMES):
                numbers = part.compared[place, row]
                shares = part.matched[place] if name in MATCHING[:1] else (np.nan, np.nan)
                if np.isfinite(numbers[0]):
                    rows.append((*names[a], *names[b], name, *numbers, np.nan, *shares))
    table = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    words = COMPARISON_COLUMNS[:5]
    table = table.astype({name: "str" if name in words else "float64" for name in table.columns})
    for name in NAMES:
        mine = (table["measure"] == name).to_numpy()
        table.loc[mine, "p_adjusted"] = adjusted(table.loc[mine, "p"].to_numpy(), config.correction)
    return table


def pair_statistics(one: Halves, other: Halves, orders: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Statistics of one pair, (measure, statistic), and shares of units that are matched well."""
    found = np.full((len(NAMES), len(STATISTICS)), np.nan)
    whole = np.concatenate([np.arange(len(one[0]))[None], orders])
    for row, name in enumerate((*KERNELS, *ANGLES)):
        drawn = likeness_draws(name, one, other, whole)
        sign = -1 if name in ANGLES else 1
        p = float(np.mean(sign * drawn >= sign * drawn[0] - 1e-12))
        found[row] = drawn[0], _jackknife(name, one, other), drawn[1:].mean(), p
    row = len(KERNELS) + len(ANGLES)
    try:
        tested = dependence(
            np.stack([_distances(half) for half in one]),
            np.stack([_distances(half) for half in other[::-1]]),
            orders,
        )
    except ValueError:
        pass  # all conditions are equally far; the rows stay empty
    else:
        found[row, [0, 3]] = tested.correlation, tested.correlation_p
        found[row + 1, [0, 3]] = tested.statistic, tested.p
    n_units = one[0].shape[1], other[0].shape[1]
    soft = n_units[0] == n_units[1] or n_units[0] * n_units[1] <= SHARED_OUT_UP_TO
    match = match_units(one, other, orders, soft=soft)
    spread = _spread([held_out_correlation(*_without(one, other, at)) for at in range(len(one[0]))])
    found[row + 2] = match.correlation, spread, match.chance, match.p
    found[row + 3, [0, 2, 3]] = match.soft_correlation, match.soft_chance, match.soft_p
    return found, np.array([match.reproducible, match.mutual])


def likeness_draws(name: str, one: Halves, other: Halves, orders: NDArray[np.int64]) -> Floats:
    """One measure for each order of the other's conditions, mean over both ways, shape (draw,)."""
    made = np.zeros(len(orders))
    for first, second in ((one[0], other[1]), (one[1], other[0])):
        if name in KERNELS:
            kernel, moved = KERNELS[name](first), KERNELS[name](second)
            shuffled = moved[orders[:, :, None], orders[:, None, :]]
            made += np.einsum("ij,dij->d", kernel, shuffled) / 2
        else:
            cloud, turned = ANGLES[name](first), ANGLES[name](second)
            made += nuclear_angle(cloud, turned[orders]) / 2
    return made


def _jackknife(name: str, one: Halves, other: Halves) -> float:
    """Standard error over conditions and units: variances of each left out in turn, summed."""
    identity = np.arange(len(one[0]))[None]

    def seen(a: Halves, b: Halves) -> float:
        order = identity[:, : len(a[0])]
        return float(likeness_draws(name, a, b, order)[0])

    variance = _spread([seen(*_without(one, other, at)) for at in range(identity.size)]) ** 2
    for which, halves in enumerate((one, other)):
        n_units = halves[0].shape[1]
        n_groups = min(UNIT_GROUPS, n_units)
        left = []
        for group in range(n_groups):
            kept = np.arange(n_units) % n_groups != group
            fewer = halves[0][:, kept], halves[1][:, kept]
            left.append(seen(fewer, other) if which == 0 else seen(one, fewer))
        variance += _spread(left) ** 2
    return float(np.sqrt(variance))


def _spread(left: list[float]) -> float:
    """Standard error from values with one thing left out in turn."""
    count = len(left)
    return float(np.sqrt((count - 1) * np.var(left)))


def _without(one: Halves, other: Halves, condition: int) -> tuple[Halves, Halves]:
    kept = np.arange(len(one[0])) != condition
    return _varying(one[0][kept], one[1][kept]), _varying(other[0][kept], other[1][kept])


def _varying(first: Floats, second: Floats) -> Halves:
    """Both halves without units that answer to all conditions alike in one."""
    varying = (np.ptp(first, axis=0) > 0) & (np.ptp(second, axis=0) > 0)
    return first[:, varying], second[:, varying]


def _distances(patterns: Floats) -> Floats:
    """Euclidean distances of all pairs of conditions, condensed."""
    from scipy.spatial.distance import pdist

    return np.asarray(pdist(patterns))


def _halves(sample: Sample, place: int, config: TrsaConfig) -> Halves | None:
    """Patterns of even and odd repeats in units of noise; None with fewer than two repeats."""
    index, region = sample.populations()[place]
    session = sample.sessions[index]
    try:
        values = whitened_repeats(
            repeats_of(session, region, sample.n_conditions), session, region, config
        )
    except ValueError:
        return None  # one trial a condition has no noise to measure by, and no halves
    if values.shape[2] < LEAST_REPEATS:
        return None
    halves = _varying(values[:, :, ::2].mean(axis=2), values[:, :, 1::2].mean(axis=2))
    return halves if halves[0].shape[1] > 1 else None
