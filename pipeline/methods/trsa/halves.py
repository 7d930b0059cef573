"""Regions of one recording, told from halves of their units and of the repeats.

Every split halves the repeats, the same way for all regions, and the units of each region. Half 1
is (units A, repeats 1), half 2 is (units B, repeats 2): no unit and no trial in common, so that
neither the units' own tuning nor noise that they share in a trial makes halves alike. The null
hypothesis is that the units of the regions are exchangeable given these trials: labels of regions
are permuted over units, within strata, and all splits are used again.

Dissimilarities are cross-validated squared distances of responses in units of each unit's own
noise. They are means over units, so that every relabelling is a product of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import ALONE, Loops
from pipeline.core.words import counted
from pipeline.methods.trsa.estimators import fold_means
from pipeline.methods.trsa.kernels import nearest_share
from pipeline.methods.trsa.model import Session
from pipeline.methods.trsa.noise import residuals
from pipeline.methods.trsa.transforms import Scale, scaled_ranks, thresholded

Floats = NDArray[np.float64]

LEAST_UNITS = 12
"""A region needs as many units, six in each half."""
SAFE_UNITS = 40
"""With fewer a half has less than 20 units, which is remarked on."""
LEAST_FOLDS = 4
"""Two repeats in each half, so that distances can be cross-validated."""
LEAST_PAIRS = 6
DRAWS_AT_ONCE = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """Halves of repeats and units of one session, drawn once and used for every relabelling."""

    regions: tuple[int, ...]
    """Regions that are large enough."""
    units: NDArray[np.intp]
    """Their units, as columns of the session."""
    region: NDArray[np.int64]
    """Place in ``regions`` of each of these units."""
    fold_half: NDArray[np.bool_]
    """Shape (split, fold): which folds are in half 2."""
    unit_half: NDArray[np.bool_]
    """Shape (split, unit): which units are in half 2."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """What is computed for each relabelling of units, means over splits."""

    accuracy: Floats
    """Share of regions found by their other half at each pair of levels, shape (draw, level)."""
    raw_accuracy: Floats
    """The same for dissimilarities scaled to unit norm, shape (draw,)."""
    correlation: Floats
    """Rank correlation of region q in half 1 with region r in half 2, shape (draw, q, r)."""
    taken: Floats
    """As :func:`taken_for`, shape (draw, q, r)."""

    @property
    def separation(self) -> Floats:
        """Mean correlation within regions less that between them, shape (draw,)."""
        return separation_of(self.correlation)

    @property
    def pair_separation(self) -> Floats:
        """Separation of each pair of regions by itself, shape (draw, pair of regions)."""
        first, second = np.triu_indices(self.correlation.shape[1], 1)
        own = np.diagonal(self.correlation, axis1=1, axis2=2)
        between = self.correlation[:, first, second] + self.correlation[:, second, first]
        return np.asarray((own[:, first] + own[:, second] - between) / 2)


def separation_of(correlation: Floats) -> Floats:
    """Mean correlation within regions less that between them, shape (draw,).

    Parameters
    ----------
    correlation
        Of region q in half 1 with region r in half 2, shape (draw, q, r).
    """
    n = correlation.shape[1]
    within = np.trace(correlation, axis1=1, axis2=2) / n
    between = correlation.sum(axis=(1, 2)) - n * within
    return np.asarray(within - between / max(1, n * (n - 1)))


def taken_for(correlation: Floats) -> Floats:
    """How often halves of region q are taken for region r, the one they correlate best with.

    Mean over both directions; ties are shared out. NaN for a region without a half, which is no
    candidate either.

    Parameters
    ----------
    correlation
        Of region q in half 1 with region r in half 2, shape (..., q, r).
    """
    shares = []
    for one in (correlation, np.swapaxes(correlation, -1, -2)):
        missing = np.isnan(one)
        known = np.where(missing, -np.inf, one)
        best = known >= known.max(axis=-1, keepdims=True) - 1e-12
        share = best / best.sum(axis=-1, keepdims=True)
        shares.append(np.where(missing.all(axis=-1, keepdims=True), np.nan, share))
    return np.asarray(sum(shares) / 2)


def why_not(session: Session) -> str:
    """Why a session cannot be split; empty where it can."""
    if session.n_folds < LEAST_FOLDS:
        there = counted(session.n_folds, "repeat")
        return f"{there}; halves that are cross-validated need {LEAST_FOLDS} or more"
    sizes = [session.units_of(region).size for region in range(len(session.regions))]
    if max(sizes) < LEAST_UNITS:
        return f"no region has {LEAST_UNITS} units"
    return ""


def draw_splits(session: Session, n_splits: int, rng: np.random.Generator) -> Splits:
    """Random halves of repeats, and of the units of each region that is large enough."""
    large = tuple(
        region
        for region in range(len(session.regions))
        if session.units_of(region).size >= LEAST_UNITS
    )
    units = np.concatenate([session.units_of(region) for region in large])
    region = np.concatenate(
        [np.full(session.units_of(r).size, place) for place, r in enumerate(large)]
    )
    fold_half = np.stack([_half(rng, session.n_folds) for _ in range(n_splits)])
    unit_half = np.stack(
        [
            np.concatenate(
                [_half(rng, int((region == place).sum())) for place in range(len(large))]
            )
            for _ in range(n_splits)
        ]
    )
    return Splits(
        regions=large, units=units, region=region, fold_half=fold_half, unit_half=unit_half
    )


def relabellings(
    session: Session, splits: Splits, n_draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Random orders of the units, shape (draw, unit).

    Each unit stays in its stratum, unless some region has its strata for itself: nothing could be
    exchanged then.
    """
    strata = session.stratum[splits.units]
    if confounded(session, splits):
        strata = np.full(strata.shape, "")
    orders = np.tile(np.arange(splits.units.size), (n_draws, 1))
    for name in np.unique(strata):
        place = np.flatnonzero(strata == name)
        for order in orders:
            order[place] = rng.permutation(place)
    return orders


def confounded(session: Session, splits: Splits) -> bool:
    """Whether a region shares no stratum (plane, probe) with another one."""
    strata = session.stratum[splits.units]
    own = [set(strata[splits.region == place]) for place in range(len(splits.regions))]
    return any(
        not any(one & other for at, other in enumerate(own) if at != place)
        for place, one in enumerate(own)
    )


def identity(splits: Splits) -> NDArray[np.intp]:
    """The order of units as they are, shape (1, unit)."""
    return np.arange(splits.units.size)[None, :]


def statistics(
    session: Session,
    n_conditions: int,
    splits: Splits,
    orders: NDArray[np.intp],
    levels: Floats,
    *,
    scale: Scale = "rank",
    responses: Floats | None = None,
    progress: Progress = silent,
    loops: Loops = ALONE,
) -> Statistics:
    """Identification and separation for each order of the units.

    Parameters
    ----------
    session
        Responses and trials.
    n_conditions
        Number of conditions.
    splits
        Halves.
    orders
        Which unit takes whose place, shape (draw, unit).
    levels
        Pairs of levels of the transform, shape (level, 2).
    scale
        What levels are measured in.
    responses
        Others than the session's own, shape (trial, unit), still in units of its noise.
    loops
        Of the part; a step is a split.

    Raises
    ------
    ValueError
        If too few pairs of conditions can be cross-validated in all halves.
    """
    n_draws, n_regions = len(orders), len(splits.regions)
    accuracy = np.zeros((n_draws, len(levels)))
    raw_accuracy = np.zeros(n_draws)
    correlation = np.zeros((n_draws, n_regions, n_regions))
    taken = np.zeros(correlation.shape)
    n_splits = len(splits.fold_half)
    units = Units.of(session, n_conditions, splits, responses)
    made = {
        "accuracy": accuracy,
        "raw": raw_accuracy,
        "correlation": correlation,
        "taken": taken,
    }
    for number in loops.steps(n_splits, made):
        first, second = units.halves(splits.fold_half[number])
        for start in range(0, n_draws, DRAWS_AT_ONCE):
            some = slice(start, start + DRAWS_AT_ONCE)
            half = splits.unit_half[number]
            one = _populations(first, splits.region, ~half, orders[some], n_regions)
            other = _populations(second, splits.region, half, orders[some], n_regions)
            raw_accuracy[some] += _raw_share(one, other)
            first_scaled, first_levels = _scaled(one, levels, scale)
            second_scaled, second_levels = _scaled(other, levels, scale)
            nearest_share(
                _narrow(first_scaled),
                _narrow(second_scaled),
                _narrow(first_levels),
                _narrow(second_levels),
                accuracy[some],
            )
            if scale == "rank":
                one, other = first_scaled, second_scaled
            else:
                one, other = scaled_ranks(one), scaled_ranks(other)
            alike = _unit(one) @ np.swapaxes(_unit(other), 1, 2)
            correlation[some] += alike
            taken[some] += taken_for(alike)
        progress(number + 1, n_splits, "splits")
    return Statistics(
        accuracy=accuracy / n_splits,
        raw_accuracy=raw_accuracy / n_splits,
        correlation=correlation / n_splits,
        taken=taken / n_splits,
    )


def half_dissimilarities(
    session: Session,
    n_conditions: int,
    splits: Splits,
    *,
    all_units: bool = False,
    responses: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Dissimilarities of every region in both halves, each of shape (split, region, pair).

    Pairs that cannot be cross-validated in some half are missing (NaN).

    Parameters
    ----------
    all_units
        Whether both halves have all units and differ in their repeats only.
    responses
        As for :func:`statistics`.
    """
    units = Units.of(session, n_conditions, splits, responses)
    n_splits, n_regions = len(splits.fold_half), len(splits.regions)
    halves = np.full((2, n_splits, n_regions, units.usable.size), np.nan)
    order = identity(splits)
    every = np.ones(splits.units.size, dtype=bool)
    for number in range(n_splits):
        distances = units.halves(splits.fold_half[number])
        half = splits.unit_half[number]
        for side, used in enumerate((every, every) if all_units else (~half, half)):
            found = _populations(distances[side], splits.region, used, order, n_regions)
            halves[side, number][:, units.usable] = found[0]
    return halves[0], halves[1]


def _half(rng: np.random.Generator, n: int) -> NDArray[np.bool_]:
    """A random half of n things; of an odd number the larger part is in either."""
    size = n // 2 + (int(rng.integers(2)) if n % 2 else 0)
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.permutation(n)[:size]] = True
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """Mean responses of single units, in units of their own noise."""

    means: Floats
    """Shape (fold, condition, unit)."""
    present: NDArray[np.bool_]
    """Shape (fold, condition)."""
    usable: NDArray[np.bool_]
    """Which pairs of conditions occur together in two folds of every half, shape (pair,)."""

    @classmethod
    def of(
        cls, session: Session, n_conditions: int, splits: Splits, other: Floats | None = None
    ) -> Units:
        """From single responses: the session's own, or others in units of its noise.

        Raises
        ------
        ValueError
            If too few pairs of conditions can be cross-validated in all halves.
        """
        errors, degrees = residuals(session.responses[:, splits.units], session.condition)
        spread = np.sqrt(np.square(errors).sum(axis=0) / degrees)
        responses = (session.responses if other is None else other)[:, splits.units]
        means, counts = fold_means(
            responses / spread, session.condition, session.fold, n_conditions
        )
        present = counts > 0
        usable = np.ones(n_conditions * (n_conditions - 1) // 2, dtype=bool)
        for half in splits.fold_half:
            usable &= (_shared_folds(present[half]) >= 2) & (_shared_folds(present[~half]) >= 2)
        if usable.sum() < LEAST_PAIRS:
            raise ValueError(
                f"only {int(usable.sum())} pairs of conditions occur together in two repeats of "
                f"every half of recording {session.recording}; use more repeats"
            )
        return cls(means=means, present=present, usable=usable)

    def halves(self, second: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Each unit's own distances in the repeats of both halves, each of shape (unit, pair).

        Parameters
        ----------
        second
            Which folds are in the second half, shape (fold,).
        """
        one, other = (
            _unit_distances(self.means[folds], self.present[folds])[:, self.usable]
            for folds in (~second, second)
        )
        return one, other


def _shared_folds(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """In how many folds both conditions of each pair occur, shape (pair,)."""
    first, second = np.triu_indices(present.shape[1], 1)
    shared: NDArray[np.int64] = (present[:, first] & present[:, second]).sum(axis=0)
    return shared


def _unit_distances(means: Floats, present: NDArray[np.bool_]) -> Floats:
    """Cross-validated squared differences of each unit, shape (unit, pair).

    The sum over pairs of different folds is the square of the sum less the sum of squares.
    """
    first, second = np.triu_indices(present.shape[1], 1)
    total = np.zeros((means.shape[2], first.size))
    squares = np.zeros_like(total)
    for fold, there in zip(means, present, strict=True):
        step = np.where(there[first] & there[second], (fold[first] - fold[second]).T, 0.0)
        total += step
        squares += step * step
    number = _shared_folds(present)
    return np.asarray((total * total - squares) / np.maximum(1, number * (number - 1)))


def _populations(
    distances: Floats,
    region: NDArray[np.int64],
    used: NDArray[np.bool_],
    orders: NDArray[np.intp],
    n_regions: int,
) -> Floats:
    """Mean distances of each region's units, after relabelling, shape (draw, region, pair)."""
    n_draws, n_units = orders.shape
    weight = np.zeros((n_draws, n_regions, n_units))
    for place in range(n_regions):
        slots = np.flatnonzero(used & (region == place))
        weight[np.arange(n_draws)[:, None], place, orders[:, slots]] = 1 / slots.size
    return np.asarray(weight.reshape(-1, n_units) @ distances).reshape(n_draws, n_regions, -1)


def _unit(rows: Floats) -> Floats:
    """Rows less their mean and of length 1; NaN for rows that do not vary."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.where(length > 0, length, np.nan))


def _raw_share(one: Floats, other: Floats) -> Floats:
    """Share of regions whose other half is nearest, after scaling to unit norm, shape (draw,)."""

    def scaled(rows: Floats) -> Floats:
        length = np.linalg.norm(rows, axis=-1, keepdims=True)
        return np.asarray(rows / np.where(length > 0, length, 1.0))

    likeness = scaled(one) @ np.swapaxes(scaled(other), 1, 2)
    own = np.diagonal(likeness, axis1=1, axis2=2)
    hits = np.zeros(len(one))
    for axis in (1, 2):
        best = likeness.max(axis=axis)
        found = own >= best - 1e-12
        ties = (likeness >= np.expand_dims(best, axis) - 1e-12).sum(axis=axis)
        hits += (found / ties).mean(axis=1) / 2
    return hits


def _scaled(rows: Floats, levels: Floats, scale: Scale) -> tuple[Floats, Floats]:
    """As :func:`thresholded`; ranks without ties, which are the rule here, by one sort."""
    if scale != "rank":
        return thresholded(rows, levels, scale=scale)
    order = np.argsort(rows, axis=-1)
    ordered = np.take_along_axis(rows, order, axis=-1)
    if np.any(ordered[..., 1:] == ordered[..., :-1]):
        return thresholded(rows, levels, scale=scale)
    ranks = np.empty(rows.shape)
    n_pairs = rows.shape[-1]
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(n_pairs), rows.shape), axis=-1)
    # Ranks are evenly spaced, so that their quantiles are the levels themselves.
    return ranks / (n_pairs - 1), np.broadcast_to(levels, (*rows.shape[:-1], *levels.shape))


def quick_ranks(rows: Floats) -> Floats:
    """Ranks from 0 to 1; as :func:`scaled_ranks`, by one sort where there are no ties."""
    return _scaled(rows, np.empty((0, 2)), "rank")[0]


def _narrow(values: Floats) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)
