"""Populations two by two: likeness of shape, dependence, and units that answer alike.

Both populations of a pair are taken from halves of the repeats that share no trial, both ways
round, so that noise they share in a trial makes none alike. Conditions of one are shuffled for p.
Standard errors are jackknifes over conditions and over groups of the units of both: copies of a
condition, as a bootstrap makes them, are at distance 0 from each other and would count as likeness.
What a unit does in single conditions is noise of both; :func:`joined_variance` counts it once.

Sources: as in :mod:`pipeline.numerics.shapes`, and of the modules that are called; Efron & Stein
(1981), Ann. Stat. 9:586 (what a jackknife counts several times).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.config import COMPARISON_PARTS, TrsaConfig
from pipeline.methods.trsa.dependence import Dependence, dependence
from pipeline.methods.trsa.homology import repeats_of, whitened_repeats
from pipeline.methods.trsa.matching import held_out_correlation, match_units, shared_correlation
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

UNBIASED = "CKA, unbiased"
LEAST_UNBIASED = 4
"""Conditions it needs; a jackknife needs one more."""
KERNELS: dict[str, Callable[[Floats], Floats]] = {
    UNBIASED: lambda points: alignment_kernel(linear_kernel(points), unbiased=True),
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
ALL = slice(None)
MOST_GROUPS = 10
"""Groups of units, and of conditions, that are left out together."""
LEAST_REPEATS = 2
FEWER_ORDERS = 49
"""Shuffles by which dependence is measured where something is left out: its p has all of them."""


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
    loops: Loops = ALONE,
    share: slice = ALL,
) -> Compared | None:
    """All statistics of all pairs, or of some; None where there is no pair.

    Parameters
    ----------
    no_null
        Why shuffles of conditions are no fair null; then there is no p.
    loops
        Of the part; a step is a pair.
    share
        Which of the pairs; the numbers of a pair do not depend on it.
    """
    pairs = pairs_of(sample)[share]
    if why_none(sample, config):
        return None
    members = sorted({member for pair in pairs for member in pair})
    halves = {place: _halves(sample, place, config) for place in members}
    orders = condition_orders(sample.n_conditions, order, config.n_comparisons, rng)
    values = np.full((len(pairs), len(NAMES), len(STATISTICS)), np.nan)
    matched = np.full((len(pairs), 2), np.nan)
    for place in loops.steps(len(pairs), {"values": values, "matched": matched}):
        one, other = (halves[member] for member in pairs[place])
        if one is not None and other is not None:
            values[place], matched[place] = pair_statistics(one, other, orders)
        progress(place + 1, len(pairs), "pairs of populations")
    if why_no_p(order, no_null):
        values[:, :, STATISTICS.index("p")] = np.nan
    return Compared(numbers=values, matched=matched)


def table_of(sample: Sample, parts: Sequence[PartResult], config: TrsaConfig) -> pd.DataFrame:
    """One row a pair of populations and measure; p adjusted over pairs, measure by measure."""
    made = [
        (part.compared, part.matched)
        for part in parts
        if part.compared is not None and part.matched is not None
    ]
    rows: list[tuple[object, ...]] = []
    names = [
        (sample.sessions[index].recording, sample.sessions[index].regions[region])
        for index, region in sample.populations()
    ]
    for place, (a, b) in enumerate(pairs_of(sample) if made else []):
        # Pairs go round over the parts, of which later ones may have none.
        turn, number = divmod(place, COMPARISON_PARTS)
        compared, matched = made[number]
        for row, name in enumerate(NAMES):
            numbers = compared[turn, row]
            shares = matched[turn] if name in MATCHING[:1] else (np.nan, np.nan)
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
        found[row] = drawn[0], standard_error(name, one, other), drawn[1:].mean(), p
    row = len(KERNELS) + len(ANGLES)
    try:
        tested = _tested(one, other, orders)
    except ValueError:
        pass  # all conditions are equally far; the rows stay empty
    else:
        found[row, [0, 3]] = tested.correlation, tested.correlation_p
        found[row + 1, [0, 3]] = tested.statistic, tested.p
        found[[row, row + 1], 1] = left_out_errors(_dependence(orders), one, other)
    match = match_units(one, other, orders)
    errors = left_out_errors(_matched, one, other)
    found[row + 2] = match.correlation, errors[0], match.chance, match.p
    found[row + 3] = match.soft_correlation, errors[1], match.soft_chance, match.soft_p
    return found, np.array([match.reproducible, match.mutual])


Statistic = Callable[[Halves, Halves, NDArray[np.int64]], tuple[float, float]]
"""Two numbers of two populations, of these of all conditions."""


def left_out_errors(statistic: Statistic, one: Halves, other: Halves) -> tuple[float, float]:
    """Standard errors over conditions and the units of both, by groups that are left out.

    What conditions and units do together counts for each of them, as a table of both left out
    would take too long: the errors are rather too large. NaN where a statistic is not defined
    without some group.
    """
    everything = np.arange(len(one[0]))
    blocks = _groups(everything.size)
    left = [
        (*_without(one, other, blocks != block), np.flatnonzero(blocks != block))
        for block in range(blocks.max() + 1)
    ]
    factors = [left]
    for side, halves in enumerate((one, other)):
        groups = _groups(halves[0].shape[1])
        kept = [groups != group for group in range(groups.max() + 1)]
        fewer = [(halves[0][:, some], halves[1][:, some]) for some in kept if some.any()]
        factors.append(
            [(*((part, other) if side == 0 else (one, part)), everything) for part in fewer]
        )
    variance = np.zeros(2)
    for factor in factors:
        try:
            values = np.array([statistic(*arguments) for arguments in factor])
        except ValueError:
            return float("nan"), float("nan")
        variance += [_spread(list(column)) ** 2 for column in values.T]
    first, second = np.sqrt(variance).tolist()
    return first, second


def _matched(one: Halves, other: Halves, _: NDArray[np.int64]) -> tuple[float, float]:
    return held_out_correlation(one, other), shared_correlation(one, other)


def _dependence(orders: NDArray[np.int64]) -> Statistic:
    """Distance correlation and adaptive dependence, under these orders of what is left."""

    def statistic(one: Halves, other: Halves, kept: NDArray[np.int64]) -> tuple[float, float]:
        few = orders[:FEWER_ORDERS]
        some = few[np.isin(few, kept)].reshape(len(few), kept.size)
        tested = _tested(one, other, np.searchsorted(kept, some))
        return tested.correlation, tested.statistic

    return statistic


def _tested(one: Halves, other: Halves, orders: NDArray[np.int64]) -> Dependence:
    return dependence(
        np.stack([_distances(half) for half in one]),
        np.stack([_distances(half) for half in other[::-1]]),
        orders,
    )


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


def standard_error(name: str, one: Halves, other: Halves) -> float:
    """Standard error of a likeness over conditions and the units of both.

    NaN with too few conditions to leave one out, or where nothing varies in what is left. See
    :func:`joined_variance`.
    """
    if name == UNBIASED and len(one[0]) <= LEAST_UNBIASED:
        return float("nan")
    factors, common = jackknifes(name, one, other)
    return float(np.sqrt(joined_variance(sum(factors), common)))


def jackknifes(name: str, one: Halves, other: Halves) -> tuple[list[float], float]:
    """Variances with each condition and each group of units left out in turn, and what is common.

    Returns
    -------
    Of conditions, of the units of one and of the other; and the variance of what conditions and
    units do together, which both count.
    """
    n = len(one[0])
    groups = [_groups(halves[0].shape[1]) for halves in (one, other)]
    whole, *of_units = _without_units(name, one, other, groups)
    blocks = _groups(n)
    left = [
        _without_units(name, _of(one, blocks != block), _of(other, blocks != block), groups)
        for block in range(blocks.max() + 1)
    ]
    alone = np.array([found[0][0] for found in left])
    single = alone
    if n > alone.size:  # conditions by themselves, which groups of them stand for less well
        kept = ~np.eye(n, dtype=bool)
        single = np.array([_likeness(name, _of(one, row), _of(other, row)) for row in kept])
    common = sum(
        _interaction(whole[0], alone, units, np.stack([found[side + 1] for found in left]))
        for side, units in enumerate(of_units)
    )
    return [_spread(list(values)) ** 2 for values in (single, *of_units)], common


def joined_variance(summed: float, common: float) -> float:
    """Variance from the sum of the jackknifes of each factor, and what factors have in common.

    Split into effects of single conditions and units, of pairs of them, and so on (Hoeffding), the
    variance is the sum of their variances V_k; the jackknifes sum to k V_k (Efron & Stein), as each
    of the k members of an effect counts it once. Second differences, of which the common part is
    made, give k (k - 1) / 2 V_k. For means of single entries (k up to 2) the difference is right:
    it is the two-factor correction of Schuett et al. (2023, eLife 12:82566), whose a v_s and b v_c
    are the jackknifes and whose excess of the joint bootstrap is the common part. Likeness is of
    pairs of conditions, k up to 4, where the difference may fall to 0; then the sum's square over
    the sum of k^2 V_k is taken, which is right where one order rules, and else too small
    (Cauchy-Schwarz). Pairs of conditions and pairs of units are not among the common part, which
    makes up for that: standard errors are 0.95 to 1.32 times the spread of new experiments
    (``benchmarks/trsa_likeness.py``). Bounds by each factor alone, which serve for scores, would
    leave 1.13 to 1.83, as each counts its own pairs twice, and the sum 1.43 to 2.34.
    """
    if not summed > 0:
        return summed
    return max(summed - common, summed**2 / (summed + 2 * common))


def _interaction(whole: float, first: Floats, second: Floats, both: Floats) -> float:
    """Variance of what two factors do together, from values with parts of one and both left out.

    Parameters
    ----------
    first, second
        Without each part of a factor, shape (part,).
    both
        Without a part of each, shape (part of first, part of second).

    Returns
    -------
    For a mean over a table the variance of its residuals from rows and columns, over their number.
    """
    change = both - first[:, None] - second[None, :] + whole
    change = change - change.mean(axis=0) - change.mean(axis=1)[:, None] + change.mean()
    rows, columns = change.shape
    return float((rows - 1) * (columns - 1) / (rows * columns) * np.square(change).sum())


def _without_units(
    name: str, one: Halves, other: Halves, groups: Sequence[NDArray[np.int64]]
) -> tuple[Floats, Floats, Floats]:
    """Likeness with all units, without each group of one's, and of the other's, shape (part,)."""
    prepare = KERNELS[name] if name in KERNELS else ANGLES[name]

    def prepared(halves: Halves, group: NDArray[np.int64]) -> list[tuple[Floats, Floats]]:
        kept = [group >= 0, *(group != part for part in range(group.max() + 1))]
        return [(prepare(halves[0][:, some]), prepare(halves[1][:, some])) for some in kept]

    first, second = prepared(one, groups[0]), prepared(other, groups[1])
    return (
        np.array([_alike(name, first[0], second[0])]),
        np.array([_alike(name, fewer, second[0]) for fewer in first[1:]]),
        np.array([_alike(name, first[0], fewer) for fewer in second[1:]]),
    )


def _alike(name: str, one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> float:
    """Likeness of kernels or clouds of both halves, mean over both ways."""
    ways = ((one[0], other[1]), (one[1], other[0]))
    if name in KERNELS:
        return float(sum((first * second).sum() for first, second in ways) / 2)
    return float(sum(nuclear_angle(first, second) for first, second in ways) / 2)


def _likeness(name: str, one: Halves, other: Halves) -> float:
    return float(likeness_draws(name, one, other, np.arange(len(one[0]))[None])[0])


def _groups(count: int) -> NDArray[np.int64]:
    """The group of each of so many conditions or units, groups of about equal size."""
    return np.arange(count) % min(MOST_GROUPS, count)


def _of(halves: Halves, conditions: NDArray[np.bool_]) -> Halves:
    return halves[0][conditions], halves[1][conditions]


def _spread(left: list[float]) -> float:
    """Standard error from values with one thing left out in turn."""
    count = len(left)
    return float(np.sqrt((count - 1) * np.var(left)))


def _without(one: Halves, other: Halves, kept: NDArray[np.bool_]) -> tuple[Halves, Halves]:
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
