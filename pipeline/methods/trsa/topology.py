"""Holes of a set of states: persistent homology, and what can be said of its bars.

A shuffle test alone rejects that units are independent and counts no loops. Three things are
therefore judged together: which bars are longer than those of shuffled responses, where the
largest gap between lengths is, and a test that needs no shuffles.

Sources: Tralie, Saul & Bar-On (2018), JOSS 3:925 (ripser); Bobrowski & Skraba (2023), Sci. Rep.
13:2981 (universal law of persistence ratios); Gardner et al. (2022), Nature 602:123 (shuffles).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.numerics.dissimilarity import average_ranks, condensed_form, squared_form

Floats = NDArray[np.float64]
Verdict = Literal["ring", "torus", "not determined"]

PRIME = 47
"""Coefficients are whole numbers modulo this prime, so that small torsion makes no bars."""

MIN_STATES = 200
"""With fewer states, every cell of a lattice is a loop, and no shape can be named."""

BETTI_LEVELS = np.linspace(0, 1, 41) ** 3
"""Quantiles of a cloud's distances at which holes are counted; most lie among the nearest pairs,
since hundreds of states hang together when one pair in fifty is joined."""

_SHAPES: dict[Verdict, tuple[int, int]] = {"ring": (1, 0), "torus": (2, 1)}
"""Numbers of loops and of voids."""


def bars(
    distances: NDArray[np.floating], *, max_dimension: int = 1, prime: int = PRIME
) -> tuple[Floats, ...]:
    """Births and deaths of parts, loops and voids of a growing neighbourhood graph.

    Parameters
    ----------
    distances
        Symmetric with a zero diagonal, not negative, shape (state, state).
    max_dimension
        0: parts, 1: loops too, 2: voids too; time grows steeply (2: some seconds for 200 states).

    Returns
    -------
    One array (bar, 2) for each dimension, longest bars first. The part that never dies is left
    out; with all distances finite there is no other such bar.

    Raises
    ------
    ValueError
        If distances are not symmetric, or a value is negative or not finite.
    """
    from ripser import ripser

    condensed = condensed_form(distances)
    if not (np.isfinite(condensed) & (condensed >= 0)).all():
        raise ValueError("distances are negative, infinite or missing; there is no filtration.")
    made = ripser(squared_form(condensed), distance_matrix=True, maxdim=max_dimension, coeff=prime)
    found = []
    for diagram in made["dgms"]:
        finite = np.asarray(diagram, dtype=np.float64)
        finite = finite[np.isfinite(finite[:, 1])]
        found.append(finite[np.argsort(-lifetimes(finite), kind="stable")])
    return tuple(found)


def lifetimes(diagram: NDArray[np.floating]) -> Floats:
    """How long each bar lives, shape (bar,)."""
    return np.asarray(diagram[:, 1] - diagram[:, 0], dtype=np.float64)


def median_scaled(distances: NDArray[np.floating]) -> Floats:
    """Distances over their median, so that those of shuffled responses have the same scale."""
    condensed = condensed_form(distances)
    middle = float(np.median(condensed))
    if not middle > 0:
        raise ValueError("the median distance is not above 0; there is no scale to divide by.")
    return squared_form(condensed / middle)


def rank_scaled(distances: NDArray[np.floating]) -> Floats:
    """Ranks of distances within (0, 1]: the scale is the share of edges that are there."""
    condensed = condensed_form(distances)
    return squared_form(average_ranks(condensed) / condensed.size)


def shuffled_conditions(responses: NDArray[np.floating], rng: np.random.Generator) -> Floats:
    """Each unit's values over conditions in an order of its own; tuning stays, its union goes.

    ``responses`` have shape (condition, unit) or (condition, unit, repeat); repeats keep together.
    """
    n_conditions, n_units = responses.shape[:2]
    places = np.broadcast_to(np.arange(n_conditions)[:, None], (n_conditions, n_units))
    return _taken(responses, rng.permuted(places, axis=0))


def rolled_units(responses: NDArray[np.floating], rng: np.random.Generator) -> Floats:
    """Each unit's activity moved round in time by an amount of its own.

    ``responses`` have shape (time, unit) or (time, unit, repeat); repeats keep together.
    """
    n_times, n_units = responses.shape[:2]
    start = rng.integers(n_times, size=n_units)
    return _taken(responses, (np.arange(n_times)[:, None] + start) % n_times)


def _taken(responses: NDArray[np.floating], index: NDArray[np.int64]) -> Floats:
    """Values at places (row, unit) along the first axis, the same for all repeats."""
    values = np.asarray(responses, dtype=np.float64)
    return np.take_along_axis(values, index.reshape(*index.shape, *[1] * (values.ndim - 2)), axis=0)


def bars_of_shuffles(
    responses: NDArray[np.floating],
    shuffle: Callable[[NDArray[np.floating], np.random.Generator], Floats],
    distances_of: Callable[[Floats], Floats],
    n_shuffles: int,
    rng: np.random.Generator,
    *,
    max_dimension: int = 1,
    count: int = 1,
    loops: Loops = ALONE,
) -> tuple[Floats, Floats]:
    """Bars of each dimension in each shuffle.

    Parameters
    ----------
    distances_of
        Everything that is done to the responses themselves, scaling included.
    count
        Bars that are kept.
    loops
        Of the part; a step is a shuffle.

    Returns
    -------
    Lengths of the longest bars, longest first, 0 where there are fewer, shape (shuffle, dimension,
    bar); and Betti curves (:func:`betti_levels`), shape (shuffle, dimension, level).
    """
    longest = np.zeros((n_shuffles, max_dimension + 1, count))
    alive = np.zeros((n_shuffles, max_dimension + 1, BETTI_LEVELS.size))
    for step in loops.steps(n_shuffles, {"longest": longest, "alive": alive}, rng):
        distances = distances_of(shuffle(responses, rng))
        found = bars(distances, max_dimension=max_dimension)
        alive[step] = betti_levels(found, distances)
        for lengths, diagram in zip(longest[step], found, strict=True):
            kept = lifetimes(diagram)[:count]
            lengths[: kept.size] = kept
    return longest, alive


def shuffle_p(diagram: NDArray[np.floating], longest: NDArray[np.floating]) -> Floats:
    """P of each bar: share of shuffles whose longest bar is as long, the data among them."""
    beyond = longest[None, :] >= lifetimes(diagram)[:, None] - 1e-12
    return np.asarray((1 + beyond.sum(axis=1)) / (1 + longest.size))


def universal_p(diagram: NDArray[np.floating]) -> Floats:
    """P of each bar under the law that ratios death/birth of noise follow, times their number.

    No shuffles are needed; conservative with few bars. Loops and voids only (births above 0).

    Raises
    ------
    ValueError
        If a bar is born at 0.
    """
    if not len(diagram):
        return np.zeros(0)
    if not (diagram[:, 0] > 0).all():
        raise ValueError("a bar is born at 0; ratios are of loops and voids.")
    with np.errstate(divide="ignore"):
        doubled = np.log(np.log(diagram[:, 1] / diagram[:, 0]))
    known = np.isfinite(doubled)
    if known.sum() < 2:
        return np.ones(len(diagram))
    moved = doubled - doubled[known].mean() - np.euler_gamma
    return np.asarray(np.minimum(1, np.exp(-np.exp(moved)) * len(diagram)))


def count_by_gap(diagram: NDArray[np.floating], n_passing: int) -> int:
    """Number of bars before the largest ratio of one length to the next, among passing bars.

    0 where none passes. A last bar is measured against the longest that does not pass.
    """
    lengths = np.sort(lifetimes(diagram))[::-1]
    if n_passing == 0:
        return 0
    after = np.append(lengths[1:], 0.0)[:n_passing]
    # Behind the last of all bars there is nothing: that is no gap, unless it is the only one.
    ratio = np.divide(lengths[:n_passing], after, out=np.full(n_passing, np.inf), where=after > 0)
    return int(ratio.argmax()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Holes:
    """Bars of one dimension and how they are judged.

    Attributes
    ----------
    diagram
        Births and deaths, longest first, shape (bar, 2).
    shuffle_p, universal_p
        Shape (bar,).
    n_passing
        Bars longer than those of shuffles, at the level asked for.
    n_by_gap
        Bars before the largest gap among those that pass.
    """

    diagram: Floats
    shuffle_p: Floats
    universal_p: Floats
    n_passing: int
    n_by_gap: int


def judged(
    diagram: NDArray[np.floating],
    longest: NDArray[np.floating],
    *,
    alpha: float = 0.05,
    as_distances: NDArray[np.floating] | None = None,
) -> Holes:
    """Judge the bars of one dimension beside the longest of shuffles, shape (shuffle,).

    Parameters
    ----------
    as_distances
        Births and deaths in units of a distance where those of ``diagram`` are ranks: the law of
        ratios is one of distances. Where one is not above 0, as always for parts, there is no
        ``universal_p`` (NaN).
    """
    p = shuffle_p(diagram, longest)
    n_passing = int((p <= alpha).sum())
    measured = diagram if as_distances is None else as_distances
    defined = len(measured) and (measured[:, 0] > 0).all()
    return Holes(
        diagram=np.asarray(diagram, dtype=np.float64),
        shuffle_p=p,
        universal_p=universal_p(measured) if defined else np.full(len(diagram), np.nan),
        n_passing=n_passing,
        n_by_gap=count_by_gap(diagram, n_passing),
    )


def verdict(loops: Holes, voids: Holes | None, n_states: int) -> Verdict:
    """Name a shape only where numbers of bars that pass and gaps agree in loops and voids.

    Fewer than ``MIN_STATES`` states, or voids that were not looked for, name nothing.
    """
    if voids is None or n_states < MIN_STATES:
        return "not determined"
    for name, (n_loops, n_voids) in _SHAPES.items():
        agree = all(
            holes.n_passing == holes.n_by_gap == count
            for holes, count in ((loops, n_loops), (voids, n_voids))
        )
        if agree:
            return name
    return "not determined"


def betti_curve(diagram: NDArray[np.floating], scales: NDArray[np.floating]) -> NDArray[np.int64]:
    """Number of bars alive at each scale, shape (scale,)."""
    alive = (diagram[:, :1] <= scales) & (scales < diagram[:, 1:])
    return np.asarray(alive.sum(axis=0), dtype=np.int64)


def betti_levels(
    diagrams: Sequence[NDArray[np.floating]], distances: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Bars alive at quantiles of the distances (``BETTI_LEVELS``), shape (dimension, level).

    Quantiles are those of the same distances, so that curves of other scales can be held beside
    each other. The part that never dies is not among the bars.
    """
    # Bars are in single precision: a bar born at a quantile is there, one that dies at it is not.
    scales = np.quantile(condensed_form(distances), BETTI_LEVELS) * (1 + 1e-6)
    return np.stack([betti_curve(diagram, scales) for diagram in diagrams])


def persistence_entropy(diagram: NDArray[np.floating]) -> float:
    """Entropy, in nats, of lifetimes as shares of their sum; 0 without bars."""
    lengths = lifetimes(diagram)
    share = lengths[lengths > 0] / max(float(lengths.sum()), np.finfo(np.float64).tiny)
    return float((share * np.log(1 / share)).sum())


def bottleneck(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Bottleneck distance of two diagrams: the farthest a bar must move, at best."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    cost = _moves(first, second)
    if not cost.size:
        return 0.0
    steps = np.unique(cost)
    low, high = 0, steps.size - 1
    while low < high:
        middle = (low + high) // 2
        allowed = csr_matrix(cost <= steps[middle])
        if (maximum_bipartite_matching(allowed, perm_type="column") >= 0).all():
            high = middle
        else:
            low = middle + 1
    return float(steps[low])


def wasserstein(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Wasserstein distance of two diagrams: the sum of moves (largest coordinate), at best."""
    from scipy.optimize import linear_sum_assignment

    cost = _moves(first, second)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].sum())


def _moves(first: NDArray[np.floating], second: NDArray[np.floating]) -> Floats:
    """Cost of each bar for each other, or for the diagonal, on which moves cost nothing."""
    n_first, n_second = len(first), len(second)
    cost = np.zeros((n_first + n_second, n_first + n_second))
    cost[:n_first, :n_second] = np.abs(first[:, None] - second[None, :]).max(axis=-1, initial=0)
    cost[:n_first, n_second:] = lifetimes(first)[:, None] / 2
    cost[n_first:, :n_second] = lifetimes(second)[None, :] / 2
    return cost


def farthest_points(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Places of points of which each is as far as can be from those before it.

    The first is the one farthest from the mean. ``points`` have shape (state, dimension).
    """
    cloud = np.asarray(points, dtype=np.float64)
    if not 1 <= count <= len(cloud):
        raise ValueError(f"{count} of {len(cloud)} points cannot be chosen.")
    chosen = [int(np.square(cloud - cloud.mean(axis=0)).sum(axis=1).argmax())]
    apart = np.full(len(cloud), np.inf)
    while len(chosen) < count:
        apart = np.minimum(apart, np.square(cloud - cloud[chosen[-1]]).sum(axis=1))
        chosen.append(int(apart.argmax()))
    return np.array(chosen)


def diagram_distances(
    diagrams: Sequence[NDArray[np.floating]],
    distance: Callable[[NDArray[np.floating], NDArray[np.floating]], float] = bottleneck,
) -> Floats:
    """Distances of all pairs of diagrams, condensed."""
    return np.array([distance(one, other) for one, other in combinations(diagrams, 2)])
