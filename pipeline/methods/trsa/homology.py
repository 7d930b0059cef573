"""Persistent homology of every population: its clouds, their shuffles, and how bars are judged.

Two clouds a population: its conditions, apart as the first estimator tells, and its states, which
are single trials or bins of trials. Shuffles treat each unit by itself, so that what they lack is
what units have in common: where conditions are exchangeable each unit's values are permuted over
them, along an order they are moved round; states are always moved round in time, so that how fast
each unit changes is kept.

Sources: as in :mod:`pipeline.methods.trsa.topology`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.progress import Progress, silent
from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.config import Choice, EstimatorName, HomologyConfig, TrsaConfig
from pipeline.methods.trsa.estimators import WHITENED, dissimilarities, fold_means
from pipeline.methods.trsa.model import Sample, Session
from pipeline.methods.trsa.neighbourhoods import dense_distances
from pipeline.methods.trsa.noise import noise_covariance, whitened
from pipeline.methods.trsa.relations import Order
from pipeline.methods.trsa.topology import (
    BETTI_LEVELS,
    MIN_STATES,
    bars_of_shuffles,
    farthest_points,
    median_scaled,
    rank_scaled,
    rolled_units,
    shuffled_conditions,
)
from pipeline.numerics.dissimilarity import squared_form

Floats = NDArray[np.float64]
Source = Literal["conditions", "states"]

N_DIMENSIONS = 3
"""Parts, loops and voids."""
N_LONGEST = 6
"""Longest bars of each shuffle that are kept, for the profile of gaps."""
MOST_STATES = {"far": 3000, "dense": 15_000}
"""States from which some are chosen; of more every second, third, ... is taken."""
LEAST_STATES = 10
VOIDS_UP_TO = 60
"""Points up to which voids are looked for without being asked: 10 ms a shuffle."""

_SECONDS = {1: (2.0e-2, 2.9), 2: (0.8, 3.6)}
"""Seconds of one thread for 200 points by dimension, and the power with which they grow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cloud:
    """Points whose holes are looked for.

    Attributes
    ----------
    population
        Place among the populations.
    responses
        Shape (point, unit) or (condition, unit, repeat); what is shuffled.
    measured
        From responses to distances in their own unit, condensed.
    scaled
        From those to the square matrix that grows into a graph.
    n_points
        Points of that matrix.
    n_available
        Conditions, trials or bins they were taken from.
    max_dimension
        Up to which holes are looked for.
    """

    population: int
    source: Source
    responses: Floats
    measured: Callable[[Floats], Floats]
    scaled: Callable[[Floats], Floats]
    shuffle: Callable[[NDArray[np.floating], np.random.Generator], Floats]
    n_points: int
    n_available: int
    max_dimension: int

    def distances(self, responses: Floats) -> Floats:
        """What the bars are of, shape (point, point)."""
        return self.scaled(self.measured(responses))


def clouds_of(sample: Sample, config: TrsaConfig, order: Order) -> tuple[Cloud, ...]:
    """All clouds of all populations that have one; none where no shuffles are asked for."""
    asked = config.homology
    if not asked.n_shuffles:
        return ()
    found = []
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        found += _of_conditions(place, session, region, sample.n_conditions, config, order)
        found += _of_states(place, session, region, asked)
    return tuple(found)


def condition_clouds(sample: Sample, config: TrsaConfig, order: Order) -> tuple[Cloud, ...]:
    """Clouds of conditions of all populations whose dissimilarities are defined."""
    found: list[Cloud] = []
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        found += _of_conditions(place, session, region, sample.n_conditions, config, order)
    return tuple(found)


def shuffled(
    clouds: Sequence[Cloud],
    n_draws: int,
    rng: np.random.Generator,
    progress: Progress = silent,
    loops: Loops = ALONE,
) -> tuple[Floats, Floats] | None:
    """Bars of shuffles; None without clouds.

    Returns
    -------
    Lengths of the longest bars, shape (draw, cloud, dimension, bar), and Betti curves, shape (draw,
    cloud, dimension, level); NaN for dimensions that are not looked at.
    """
    if not clouds:
        return None
    lengths = np.full((n_draws, len(clouds), N_DIMENSIONS, N_LONGEST), np.nan)
    alive = np.full((n_draws, len(clouds), N_DIMENSIONS, BETTI_LEVELS.size), np.nan)
    for place, cloud in enumerate(clouds):
        looked = slice(cloud.max_dimension + 1)
        lengths[:, place, looked], alive[:, place, looked] = bars_of_shuffles(
            cloud.responses,
            cloud.shuffle,
            cloud.distances,
            n_draws,
            rng,
            max_dimension=cloud.max_dimension,
            count=N_LONGEST,
            loops=loops,
        )
        progress(place + 1, len(clouds), "clouds")
    return lengths, alive


def seconds(n_points: int, max_dimension: int) -> float:
    """About how long the bars of one cloud take, on one thread."""
    if max_dimension == 0:
        return 0.0
    base, power = _SECONDS[max_dimension]
    return float(base * (n_points / 200) ** power)


def repeats_of(session: Session, region: int, n_conditions: int) -> Floats:
    """Mean responses of each repeat, shape (condition, unit, repeat).

    Repeats are folds where every fold has all conditions; else the first trials of all conditions
    are one repeat, the second ones another, and what is left over is spread over all.
    """
    responses = session.responses[:, session.units_of(region)]
    means, counts = fold_means(responses, session.condition, session.fold, n_conditions)
    if not counts.all():
        number = np.zeros(session.condition.size, dtype=np.int64)
        for condition in range(n_conditions):
            trials = np.flatnonzero(session.condition == condition)
            number[trials] = np.arange(trials.size)
        fewest = int(np.bincount(session.condition, minlength=n_conditions).min())
        means, _ = fold_means(responses, session.condition, number % fewest, n_conditions)
    return np.ascontiguousarray(np.moveaxis(means, 0, 2))


def whitened_repeats(values: Floats, session: Session, region: int, config: TrsaConfig) -> Floats:
    """Mean responses of :func:`repeats_of` in units of noise; as they are where none is asked for.

    Raises
    ------
    ValueError
        If no condition has two trials.
    """
    if config.noise == "none":
        return values
    responses = session.responses[:, session.units_of(region)]
    noise = noise_covariance(responses, session.condition, config.noise)
    return np.moveaxis(whitened(np.moveaxis(values, 1, 2), noise.covariance), 2, 1)


def condition_distances(values: Floats, estimator: EstimatorName) -> Floats:
    """Dissimilarities, condensed, of whitened repeats (condition, unit, repeat)."""
    n_conditions, n_units, n_repeats = values.shape
    trials = np.moveaxis(values, 2, 0).reshape(-1, n_units)
    condition = np.tile(np.arange(n_conditions), n_repeats)
    repeat = np.repeat(np.arange(n_repeats), n_conditions)
    return dissimilarities(trials, condition, repeat, n_conditions, estimator, noise=None)


def state_distances(values: Floats, n_axes: int, n_points: int, choice: Choice) -> Floats:
    """Distances, condensed, of states that are chosen in the space of the first axes.

    ``values`` are z-scored, shape (state, unit).
    """
    from scipy.spatial.distance import pdist

    _, axes = np.linalg.eigh(values.T @ values)
    points = values @ axes[:, ::-1][:, :n_axes]
    if choice == "dense":
        return dense_distances(points, n_points)
    return np.asarray(pdist(points[farthest_points(points, n_points)]))


def by_rank(condensed: Floats) -> Floats:
    """Square matrix of ranks within (0, 1]."""
    return rank_scaled(squared_form(condensed))


def by_median(condensed: Floats) -> Floats:
    """Square matrix over the median; cross-validated distances below 0 count as 0."""
    return median_scaled(squared_form(np.maximum(condensed, 0)))


def _of_conditions(
    place: int,
    session: Session,
    region: int,
    n_conditions: int,
    config: TrsaConfig,
    order: Order,
) -> list[Cloud]:
    estimator = config.estimators[0]
    measured = partial(condition_distances, estimator=estimator)
    scaled = by_rank if config.homology.scale == "rank" else by_median
    try:
        values = repeats_of(session, region, n_conditions)
        if estimator in WHITENED:  # before the shuffles, so that these have the noise of the data
            values = whitened_repeats(values, session, region, config)
        if not np.isfinite(scaled(measured(values))).all():
            return []
    except ValueError:
        return []  # not defined for these responses; the table of populations says so
    voids = {"always": True, "never": False, "auto": n_conditions <= VOIDS_UP_TO}
    return [
        Cloud(
            population=place,
            source="conditions",
            responses=values,
            measured=measured,
            scaled=scaled,
            shuffle=shuffled_conditions if order == "none" else rolled_units,
            n_points=n_conditions,
            n_available=n_conditions,
            max_dimension=2 if voids[config.homology.voids] else 1,
        )
    ]


def _of_states(place: int, session: Session, region: int, asked: HomologyConfig) -> list[Cloud]:
    if asked.states == "none":
        return []
    units = session.units_of(region)
    values = session.responses[:, units]
    few = asked.states == "auto" and len(values) < MIN_STATES
    if session.courses is not None and (few or asked.states == "bins"):
        values = np.moveaxis(session.courses[:, units], 2, 1).reshape(-1, units.size)
    n_available = len(values)
    values = values[:: -(-n_available // MOST_STATES[asked.choice])]
    values = values[:, np.ptp(values, axis=0) > 0]
    if len(values) < LEAST_STATES or values.shape[1] < 2:
        return []
    n_points = min(len(values), asked.max_states)
    return [
        Cloud(
            population=place,
            source="states",
            responses=(values - values.mean(axis=0)) / values.std(axis=0),
            measured=partial(
                state_distances, n_axes=asked.axes, n_points=n_points, choice=asked.choice
            ),
            scaled=by_median,
            shuffle=rolled_units,
            n_points=n_points,
            n_available=n_available,
            max_dimension=2
            if asked.voids == "always" or (asked.voids == "auto" and n_points <= VOIDS_UP_TO)
            else 1,
        )
    ]
