"""Numbers that tell well isolated units from others, where spike times allow it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.intervals import places_inside
from pipeline.core.recording import SpikeTrains
from pipeline.prepare.quality.measured import Measured

REFRACTORY_S = 0.0015
"""Two spikes of a neuron are hardly ever closer (Hill et al. 2011)."""
CONTAMINATED = 0.1
"""Contamination that a unit must exceed beyond doubt to be remarked on."""
DOUBT = 1e-3
"""Probability of as many violations at :data:`CONTAMINATED` below which there is no doubt..."""
LEAST_VIOLATIONS = 5
"""...and as many are asked for, because neither are spikes independent nor clocks perfect."""
TELLING = 10.0
"""Violations of a train of foreign spikes alone from which contamination can be estimated."""
NEIGHBOURS = 8
"""Spikes after each that are looked at one by one; denser trains are searched."""
PRESENCE_BINS = 100
MOST_DUPLICATES = 1e-3
CHANGED = 0.8
"""Change of rate, up or down, from which a unit was probably lost or found: nine-fold."""
LEAST_TO_CHANGE = 50
"""Spikes in both thirds without which a change of rate is chance."""

FINE_S, COARSE_S = 1e-5, 1e-3
"""Two distances of intervals: for real times, agreement grows in proportion to the distance."""
ATOMIC = 0.25
"""Share of agreements within the coarse distance that are within the fine one: 0.01 for smooth
densities of intervals, 0.05 for times in tenths of a millisecond, 0.33 for whole ones."""
LEAST_AGREEMENTS = 20
MOST_INTERVALS = 5000
"""Intervals of a unit that are compared."""
FREQUENT, MOST_IN_BIN = 8, 12
"""Intervals, and multiples of them, that are tried as the width of bins."""
EVEN = 0.95
"""Share of spikes at evenly spaced places that makes a width the one of the bins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What spike times are worth."""

    real: bool
    reason: str = ""
    """Why intervals between spikes mean nothing."""


def measure_spikes(activity: SpikeTrains) -> Measured:
    """Quality of each unit's spike train."""
    n_units = activity.n_units
    times = examine_times(activity)
    observed_s = activity.observed_s
    count = activity.n_spikes.astype(float)
    nothing = np.full(n_units, np.nan)
    seen, same, short, present, change = (nothing.copy() for _ in range(5))
    for unit in range(n_units):  # one train at a time: all of them may be most of the memory
        train, observed = activity.of_unit(unit), activity.observed_of(unit)
        own, clock = observed_time(train, observed)
        seen[unit] = own.size
        same[unit] = np.count_nonzero(train[1:] == train[:-1])
        change[unit] = rate_change(clock, observed_s[unit])
        if times.real:
            short[unit] = violations(own)
            present[unit] = presence(clock, observed_s[unit])
    contaminated = times.real & beyond_doubt(short, seen, observed_s)
    numbers = {
        "n_spikes": count,
        "rate_hz": seen / np.where(observed_s > 0, observed_s, np.nan),
        "violations": short / np.where(seen > 1, seen - 1, np.nan),
        "contamination": contamination(short, seen, observed_s),
        "presence": present,
        "rate_change": change,
        "duplicate_spikes": same / np.where(count > 0, count, np.nan),
    }
    return Measured(
        numbers=numbers,
        findings={
            "silent": count == 0,
            "contaminated": contaminated,
            "changed": np.abs(numbers["rate_change"]) >= CHANGED,
            "repeated": numbers["duplicate_spikes"] > MOST_DUPLICATES,
        },
        identical=identical_trains(activity),
        not_assessed={}
        if times.real
        else dict.fromkeys(("violations", "contamination", "presence"), times.reason),
    )


def observed_time(
    train: NDArray[np.float64], observed: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spikes inside the observed stretches, and the same on a clock that runs only there; s."""
    lengths = np.diff(observed, axis=1)[:, 0]
    before = np.cumsum(lengths) - lengths
    places = places_inside(train, observed)
    own = [train[first:stop] for first, stop in places.tolist()]
    seen = own[0] if len(own) == 1 else np.concatenate([train[:0], *own])
    counts = np.diff(places)[:, 0]
    clock = seen + np.repeat(before, counts) if before.any() else seen
    return seen, clock - np.repeat(observed[:, 0], counts)


def violations(train: NDArray[np.float64]) -> int:
    """Pairs of spikes closer than the refractory period, spikes at one time not counted.

    Times are in ascending order.
    """
    again = train[1:] == train[:-1]
    distinct = train[np.append(True, ~again)[: train.size]] if again.any() else train
    reach = distinct + REFRACTORY_S
    found = 0
    for apart in range(1, NEIGHBOURS + 1):
        close = int(np.count_nonzero(distinct[apart:] < reach[:-apart]))
        found += close
        if not close:
            return found
    following = np.searchsorted(distinct, reach, side="left")
    return int(np.sum(following - np.arange(distinct.size) - 1))


def expected_violations(
    share: float, n_spikes: NDArray[np.float64], observed_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Violations when a share of the spikes is of other neurons that fire at random.

    Pairs with at least one foreign spike are ``1 - (1 - share)^2`` of all ``N^2 / 2`` pairs, and
    each is closer than ``t`` with probability ``2 t / T``. None where nothing was observed.
    """
    foreign = 1.0 - (1.0 - share) ** 2
    close = np.where(observed_s > 0, REFRACTORY_S / np.where(observed_s > 0, observed_s, 1.0), 0.0)
    return np.square(n_spikes) * foreign * close


def contamination(
    short: NDArray[np.float64], n_spikes: NDArray[np.float64], observed_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of foreign spikes that explains the violations; 1 where none does.

    The inverse of :func:`expected_violations`: Hill et al. (2011) with many contaminating
    neurons, as in Llobet et al. (2022), without their correction for the unit's own refractory
    time. NaN where spikes are too few to tell.
    """
    most = expected_violations(1.0, n_spikes, observed_s)
    telling = (most >= TELLING) | (short >= LEAST_VIOLATIONS)
    own = np.maximum(0.0, 1.0 - short / np.where(telling & (most > 0), most, np.nan))
    found: NDArray[np.float64] = 1.0 - np.sqrt(own)
    return found


def beyond_doubt(
    short: NDArray[np.float64], n_spikes: NDArray[np.float64], observed_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Units with more violations than :data:`CONTAMINATED` would bring about by chance."""
    from scipy.special import pdtrc  # as scipy.stats.poisson.sf, without that module's long start

    expected = expected_violations(CONTAMINATED, n_spikes, observed_s)
    chance = np.where(short > 0, pdtrc(np.maximum(short - 1, 0), expected), 1.0)
    return (chance < DOUBT) & (short >= LEAST_VIOLATIONS)


def presence(clock: NDArray[np.float64], observed_s: float) -> float:
    """Share of :data:`PRESENCE_BINS` equal parts of the observed time with a spike."""
    if observed_s <= 0:
        return float("nan")
    places = np.minimum((clock / observed_s * PRESENCE_BINS).astype(np.int32), PRESENCE_BINS - 1)
    n_filled = min(1, places.size) + np.count_nonzero(places[1:] != places[:-1])  # they ascend
    return float(n_filled / PRESENCE_BINS)


def rate_change(clock: NDArray[np.float64], observed_s: float) -> float:
    """Last minus first third over their sum; NaN where both hold too few spikes to tell."""
    first = int(np.searchsorted(clock, observed_s / 3, side="left"))
    last = clock.size - int(np.searchsorted(clock, 2 * observed_s / 3, side="left"))
    return (last - first) / (last + first) if last + first >= LEAST_TO_CHANGE else float("nan")


def identical_trains(activity: SpikeTrains) -> tuple[tuple[int, ...], ...]:
    """Groups of units with the very same spike times, told by a digest of 128 bits."""
    alike: dict[tuple[int, float, float], list[int]] = {}
    for unit in np.flatnonzero(activity.n_spikes > 1).tolist():
        train = activity.of_unit(unit)
        alike.setdefault((train.size, float(train[0]), float(train[-1])), []).append(unit)
    groups: dict[bytes, list[int]] = {}
    for unit in sorted(unit for group in alike.values() if len(group) > 1 for unit in group):
        digest = hashlib.blake2b(activity.of_unit(unit).tobytes(), digest_size=16)
        groups.setdefault(digest.digest(), []).append(unit)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def examine_times(activity: SpikeTrains) -> Times:
    """Whether spike times were measured, or lie on a coarse grid or at made-up places in bins.

    Intervals of one unit are compared in pairs. How often two agree within a distance grows with
    the distance if intervals have a smooth density, as those of neurons have; it does not if they
    take few values: times rounded to milliseconds or frames, and counts that were turned into
    times evenly spread inside bins. Where bins hold many spikes, neighbouring intervals agree.
    """
    fine = coarse = equal = neighbours = 0
    for unit in range(activity.n_units):
        intervals = np.diff(activity.of_unit(unit)[: MOST_INTERVALS + 1])
        intervals = intervals[intervals > 0]
        ordered = np.sort(intervals)
        place = np.arange(1, ordered.size + 1)
        fine += int(np.sum(np.searchsorted(ordered, ordered + FINE_S, "right") - place))
        coarse += int(np.sum(np.searchsorted(ordered, ordered + COARSE_S, "right") - place))
        equal += int(np.count_nonzero(np.abs(np.diff(intervals)) <= FINE_S))
        neighbours += max(intervals.size - 1, 0)
    on_few_values = coarse >= LEAST_AGREEMENTS and fine > ATOMIC * coarse
    in_rows = equal >= LEAST_AGREEMENTS and equal > ATOMIC * neighbours
    if not (on_few_values or in_rows):
        return Times(real=True)
    width = bin_width(activity)
    where = "on a coarse grid" if width is None else f"evenly spread inside bins of {width:.4g} s"
    return Times(
        real=False,
        reason=f"spike times lie {where} and say nothing finer",
    )


def bin_width(activity: SpikeTrains) -> float | None:
    """Width of the bins in which spikes are evenly spread, in seconds; None where there are none.

    Candidates are small multiples of the most frequent intervals.
    """
    trains = [activity.of_unit(unit)[:MOST_INTERVALS] for unit in range(activity.n_units)]
    intervals = np.concatenate([np.diff(train) for train in trains])
    rounded = np.round(intervals / FINE_S).astype(np.int64)
    values, counts = np.unique(rounded[rounded > 0], return_counts=True)
    common = values[np.argsort(-counts, kind="stable")[:FREQUENT]]
    exact = [float(intervals[rounded == value].mean()) for value in common]
    origins = {0.0, activity.span_s[0]}
    for width in sorted(value * times for value in exact for times in range(1, MOST_IN_BIN + 1)):
        for origin in origins:
            even = np.concatenate(
                [evenly_spread(train - origin, width) for train in trains], axis=1
            )
            if even.mean(axis=1).max() >= EVEN:
                return width
    return None


def evenly_spread(train: NDArray[np.float64], width: float) -> NDArray[np.bool_]:
    """Whether each spike lies where it would if the spikes of its bin were evenly spread.

    Returns
    -------
    Shape (rule, spike): ``k`` spikes may lie at the middles of ``k`` equal parts of the bin, at
    the starts of these, or between ``k + 1`` parts.
    """
    scaled = train / width + 1e-6
    bins = np.floor(scaled)
    _, first, place, count = np.unique(
        bins, return_index=True, return_inverse=True, return_counts=True
    )
    own, order = count[place], np.arange(train.size) - first[place]
    phase = scaled - bins
    rules = ((order + 0.5) / own, order / own, (order + 1) / (own + 1))
    return np.stack([np.abs(phase - rule) < 0.02 / own for rule in rules])
