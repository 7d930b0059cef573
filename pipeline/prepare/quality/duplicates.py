"""Pairs of units that are one neuron taken twice, told from neurons that do the same.

Two neurons may follow each other closely: left and right partners of a worm correlate by 0.99. What
they do not share is the noise of their measurement. Two outlines of one cell hold the same pixels
and so the same noise; a unit that was sorted twice has its spikes at the same instants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.recording import SpikeTrains
from pipeline.prepare.quality.sample import Sample

SCREENED = 512
"""Steps of the noise, evenly spread, by which all pairs are looked through."""
SCREEN_SLACK = 0.2
"""By how much the likeness of so few may fall short: more than four standard errors."""
COMPARED_WITH = 256
"""Other units from which a unit's share of common noise is taken."""
LEAST_STEPS = 100
"""Steps of the noise both units must have."""
NOISY = -0.1
"""Correlation of neighbouring signs of the noise above which a trace is smooth: white noise has
-0.46, and traces that were smoothed or denoised have none left to compare."""
BLOCK = 1024
"""Units whose pairs with all others are looked through together."""
CHECKED_A_UNIT = 8
"""Candidates checked, times the number of units; the most alike come first."""

COINCIDENT_S = 5e-4
"""Spikes of two sortings of one unit are hardly further apart."""
CELLS = 4096
"""Pieces of the recording by which spikes are sampled alike in all units, a power of two."""
SAMPLED_SPIKES = 256
"""About how many spikes of a unit are looked at to find candidates."""
MOST_NEIGHBOURS = 64
"""Spikes after each one that are looked at, which bounds what an artefact in all units costs."""
LEAST_SPIKES = 20
"""Spikes without which agreement is chance."""
MOST_COMPARED = 20_000
"""Spikes of a train that a candidate is checked by."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Two units and how alike they are, at most 1."""

    one: int
    other: int
    likeness: float


def alike_traces(sample: Sample, *, least: float) -> tuple[Alike, ...]:
    """Pairs of traces that share signal and noise.

    The noise is the sign of the second difference of neighbouring samples: activity is smooth and
    hardly moves it, single large events count little. Its correlation follows from the agreement
    of signs by ``sin(pi a / 2)`` (the arcsine law of Gaussian variables), and what a unit shares
    with the field of view, such as flicker of the lamp, is taken out like a common factor. Traces
    that are smooth themselves are not compared.

    All pairs are looked through by :data:`SCREENED` steps, and those that may be alike are checked
    by all steps and samples kept, so that the work grows with the units squared but not with the
    length of the recording.

    Parameters
    ----------
    sample
        Stretches of the recording.
    least
        Likeness of pairs that are told: the smaller of the correlations of samples and of noise.
    """
    steps = _second_differences(sample.frame)
    spread = np.unique(np.linspace(0, steps.size - 1, min(SCREENED, steps.size)).astype(int))
    chosen = steps[spread]
    signs = np.zeros((len(sample.values), chosen.size), dtype=np.float32)
    noisy = np.zeros(len(sample.values), dtype=bool)
    following = np.isin(chosen + 1, steps)
    for units, values in sample.units():
        signs[units] = _signs(values, chosen)
        product = signs[units][:, following] * _signs(values, chosen[following] + 1)
        noisy[units] = _is_noisy(product)
    compared = np.flatnonzero(noisy)
    if compared.size < 2:
        return ()
    scaled = signs[compared]
    scaled /= np.sqrt(np.count_nonzero(scaled, axis=1, keepdims=True)).astype(np.float32)
    common = _common(scaled)
    candidates = sorted(_screened(scaled, common, least=least - SCREEN_SLACK), reverse=True)
    pairs = []
    for _, one, other in candidates[: CHECKED_A_UNIT * compared.size]:
        a, b = int(compared[one]), int(compared[other])
        shared = float(np.sqrt(common[one] * common[other]))
        likeness = _likeness(sample.values[a], sample.values[b], steps, shared=shared)
        if likeness >= least:
            pairs.append(Alike(a, b, likeness))
    return tuple(sorted(pairs, key=lambda pair: (pair.one, pair.other)))


def _second_differences(frame: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places of columns that have a neighbouring frame on either side."""
    follows = np.diff(frame) == 1
    return np.flatnonzero(follows[1:] & follows[:-1]) + 1


def _signs(values: NDArray[np.float32], steps: NDArray[np.intp]) -> NDArray[np.float32]:
    """Signs of second differences of rows; 0 where there is none or a sample is missing."""
    bend = values[:, steps - 1] - 2 * values[:, steps] + values[:, steps + 1]
    signs: NDArray[np.float32] = np.nan_to_num(np.sign(bend)).astype(np.float32)
    return signs


def _is_noisy(product: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether neighbouring signs, of which this is the product, differ as those of noise do."""
    n_pairs = np.count_nonzero(product, axis=1)
    correlation = product.sum(axis=1) / np.maximum(n_pairs, 1)
    found: NDArray[np.bool_] = (n_pairs >= LEAST_STEPS) & (correlation < NOISY)
    return found


def _from_agreement(agreement: NDArray[np.generic]) -> NDArray[np.float64]:
    """Correlation of Gaussian variables whose signs agree as much."""
    found: NDArray[np.float64] = np.sin(np.pi / 2 * np.clip(agreement, -1.0, 1.0))
    return found


def _common(scaled: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each unit's noise shares with the lower quarter of other units, at least 0.

    A quarter, because a unit may be there more than twice; none where two units are all.
    """
    n_units = len(scaled)
    if n_units < 3:
        return np.zeros(n_units)
    others = np.unique(np.linspace(0, n_units - 1, min(COMPARED_WITH, n_units)).astype(int))
    correlation = _from_agreement(scaled @ scaled[others].T)
    correlation[others, np.arange(others.size)] = np.nan
    quarter = np.nanquantile(correlation, 0.25, axis=1, method="lower")
    return np.clip(quarter, 0.0, 0.99)


def _screened(
    scaled: NDArray[np.float32], common: NDArray[np.float64], *, least: float
) -> Iterator[tuple[float, int, int]]:
    """Likeness of noise and places of pairs that may be alike."""
    root = np.sqrt(common)
    for start in range(0, len(scaled), BLOCK):
        rows = slice(start, start + BLOCK)
        shared = root[rows, None] * root[None, start:]
        own = _from_agreement(scaled[rows] @ scaled[start:].T)
        own = (own - shared) / (1 - shared)
        for one, other in np.argwhere(np.triu(own >= least, k=1)).tolist():
            yield float(own[one, other]), start + one, start + other


def _likeness(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    steps: NDArray[np.intp],
    *,
    shared: float,
) -> float:
    """The smaller of the correlations of samples and of noise, by all that both units have."""
    both = np.isfinite(one) & np.isfinite(other)
    if np.count_nonzero(both) < LEAST_STEPS:
        return 0.0
    a, b = one[both].astype(np.float64), other[both].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    signs = _signs(np.stack([one, other]), steps)
    signs = signs[:, (signs != 0).all(axis=0)]
    if not size > 0 or signs.shape[1] < LEAST_STEPS:
        return 0.0
    noise = float(_from_agreement(np.mean(signs[0] * signs[1])))
    return min(float(a @ b / size), (noise - shared) / (1 - shared))


def alike_trains(activity: SpikeTrains, *, least: float) -> tuple[Alike, ...]:
    """Pairs of spike trains of which most spikes coincide.

    Likeness is the share of spikes that agree, ``m / (n1 + n2 - m)`` with m spikes that have one of
    the other train within :data:`COINCIDENT_S` (as comparisons of spike sorters define it: Buccino
    et al. 2020, eLife 9:e61834). Neurons that fire together share far fewer.

    Candidates come from about :data:`SAMPLED_SPIKES` spikes a unit, in pieces of the recording
    that are the same for units of similar rates; only they are compared spike by spike.
    """
    counts = np.where(activity.n_spikes >= LEAST_SPIKES, activity.n_spikes, 0)
    # Every unit of level l is looked at in the same 2^-l of the recording.
    level = np.zeros(counts.size, dtype=int)
    level[counts > 0] = np.ceil(np.log2(np.maximum(counts[counts > 0] / SAMPLED_SPIKES, 1)))
    level = np.minimum(level, int(np.log2(CELLS)))
    found: dict[tuple[int, int], float] = {}
    for depth in np.unique(level[counts > 0]).tolist():
        members = np.flatnonzero((counts > 0) & ((level == depth) | (level == depth - 1)))
        for one, other, share in _coincident(activity, members, depth, least=least - SCREEN_SLACK):
            found[one, other] = max(share, found.get((one, other), 0.0))
    ordered = sorted(found, key=lambda pair: (-found[pair], pair))
    pairs = []
    for one, other in ordered[: CHECKED_A_UNIT * counts.size]:
        likeness = agreement(activity.of_unit(one), activity.of_unit(other))
        if likeness >= least:
            pairs.append(Alike(one, other, likeness))
    return tuple(sorted(pairs, key=lambda pair: (pair.one, pair.other)))


def _coincident(
    activity: SpikeTrains, members: NDArray[np.intp], depth: int, *, least: float
) -> Iterator[tuple[int, int, float]]:
    """Pairs among some units, and the share of spikes in some pieces that coincide."""
    edges = _cell_edges(activity.span_s, depth)
    trains = [_inside(activity.of_unit(int(unit)), edges) for unit in members]
    sizes = np.array([train.size for train in trains])
    times, owner = np.concatenate(trains), np.repeat(np.arange(members.size), sizes)
    order = np.argsort(times, kind="stable")
    times, owner = times[order], owner[order]
    keys, close = [], np.arange(times.size)
    for apart in range(1, MOST_NEIGHBOURS + 1):
        close = close[close + apart < times.size]
        close = close[times[close + apart] - times[close] <= COINCIDENT_S]
        first, second = owner[close], owner[close + apart]
        low, high = np.minimum(first, second), np.maximum(first, second)
        keys.append((low * members.size + high)[low != high])
    pairs, coinciding = np.unique(np.concatenate(keys), return_counts=True)
    one, other = np.divmod(pairs, members.size)
    share = coinciding / np.maximum(sizes[one] + sizes[other] - coinciding, 1)
    for at in np.flatnonzero(share >= least).tolist():
        yield int(members[one[at]]), int(members[other[at]]), float(share[at])


def _cell_edges(span_s: tuple[float, float], depth: int) -> NDArray[np.float64]:
    """Starts and stops of 2^-depth of the pieces of the recording, evenly spread; shape (cell, 2).

    Those of a depth are among those of each smaller one.
    """
    if depth == 0:
        return np.array([[-np.inf, np.inf]])
    edges = np.linspace(*span_s, CELLS + 1)
    first = np.arange(0, CELLS, 2**depth)
    return np.stack([edges[first], edges[first + 1]], axis=1)


def _inside(train: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spikes within the pieces."""
    first, stop = np.searchsorted(train, edges.T)
    sizes = stop - first
    before = np.cumsum(sizes) - sizes
    places = np.repeat(first - before, sizes) + np.arange(sizes.sum())
    return np.asarray(train[places], dtype=np.float64)


def agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of spikes of two trains that agree, 1 for the same train.

    Of long trains the part until the one or the other has had :data:`MOST_COMPARED` spikes.
    """
    if max(one.size, other.size) > MOST_COMPARED:
        until = min(train[min(train.size, MOST_COMPARED) - 1] for train in (one, other))
        one, other = one[one <= until], other[other <= until]
    matched = min(_with_partner(one, other), _with_partner(other, one))
    return matched / max(one.size + other.size - matched, 1)


def _with_partner(train: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """Spikes that have one of the other train near."""
    first = np.searchsorted(other, train - COINCIDENT_S, side="left")
    stop = np.searchsorted(other, train + COINCIDENT_S, side="right")
    return int(np.count_nonzero(stop > first))


def best_of_duplicates(pairs: Sequence[Alike], worth: NDArray[np.float64]) -> dict[int, int]:
    """Units that another one stands for, each with that one: the one of more worth stays.

    Parameters
    ----------
    pairs
        Units that are alike.
    worth
        By what the better of two is told, shape (unit,); the earlier one where they are equal.
    """
    partners: dict[int, set[int]] = {}
    for pair in pairs:
        partners.setdefault(pair.one, set()).add(pair.other)
        partners.setdefault(pair.other, set()).add(pair.one)
    known = np.nan_to_num(worth, nan=-np.inf)
    kept: set[int] = set()
    replaced: dict[int, int] = {}
    for unit in sorted(partners, key=lambda unit: (-known[unit], unit)):
        standing = partners[unit] & kept
        if standing:
            replaced[unit] = min(standing, key=lambda other: (-known[other], other))
        else:
            kept.add(unit)
    return replaced
