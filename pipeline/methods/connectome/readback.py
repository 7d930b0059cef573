"""From components back to units and moments: when active, who takes part, whom to look at next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.result import ConnectomeResult

ON = 0.5
OFF = 0.25
"""A component is active from when its strength reaches ON of its largest until it is below OFF."""

SHORTEST_S = 1.0
LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A unit of a community, or one that is predicted to belong to a circuit."""

    component: int
    community: int
    unit: int
    probability: float
    """Of being in the group."""
    strength: float
    """Summed pair strengths, as a share of the strongest unit's."""
    within: float
    """Strength inside the community in standard deviations from its members' mean; NaN where
    members do not differ."""
    participation: float
    """0 if all its strength lies in one group, near 1 if spread evenly over many."""
    second: bool
    """Whether the second opinion puts it into a community as well."""
    n_recordings: int
    """Recordings in which the unit was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A unit that shares a community with seeds."""

    member: Member
    seeds: tuple[int, ...]
    score: float
    """Chance of sharing the group, times strength to the seeds as a share of the strongest pair,
    times selectivity for epochs where there is one."""
    to_seeds: float
    selectivity: float
    """Largest mean contrast over labels that the component follows; 1 where none was tested."""


def active(result: ConnectomeResult, component: int) -> list[tuple[int, int]]:
    """First frame and frame after the last of each active stretch, frames that follow each other.

    A stretch that never falls below the lower bound is one; those of less than a second are none.
    """
    return active_stretches(result.component_time[:, component], linked(result), bin_s=result.bin_s)


def active_stretches(
    course: NDArray[np.float64], follows: NDArray[np.bool_], *, bin_s: float
) -> list[tuple[int, int]]:
    """The same of any course, (frame,), given which frames the next one follows, (frame - 1,)."""
    largest = course.max(initial=0.0)
    if largest == 0:
        return []
    relative = course / largest
    found: list[tuple[int, int]] = []
    begin = -1
    for frame, value in enumerate(relative):
        if begin >= 0 and (value < OFF or not follows[frame - 1]):
            found.append((begin, frame))
            begin = -1
        if begin < 0 and value >= ON:
            begin = frame
    if begin >= 0:
        found.append((begin, relative.size))
    shortest = SHORTEST_S / bin_s
    return [(first, stop) for first, stop in found if stop - first >= shortest - 1e-9]


def linked(result: ConnectomeResult) -> NDArray[np.bool_]:
    """Whether each frame is followed in time by the next, shape (frame - 1,)."""
    steps = np.diff(result.source_time_s, axis=0)
    near = np.abs(steps - result.bin_s) <= result.bin_s / 2
    return np.asarray((near | np.isnan(steps)).all(axis=1) & near.any(axis=1), dtype=bool)


def seen_in(result: ConnectomeResult) -> NDArray[np.int64]:
    """Number of recordings that have each component, (component,)."""
    return np.asarray(present_in(result).sum(axis=1))


def present_in(result: ConnectomeResult) -> NDArray[np.bool_]:
    """Which recordings have a component, (component, recording).

    They hold at least a quarter of its largest share, and components explain something of them.
    """
    share = result.component_recording
    explained = result.recording_explained > 0
    return np.asarray((share >= 0.25 * share.max(axis=1, keepdims=True)) & explained)


def members(result: ConnectomeResult) -> list[Member]:
    """Units of all communities, by component, community and falling strength."""
    found = []
    for component in range(result.rank):
        weights = np.nan_to_num(result.pair_matrix(component))
        label = result.community[component]
        inside = (weights * (label[:, None] == label)).sum(axis=1)
        strength = weights.sum(axis=1)
        order = np.lexsort((-strength, label))
        for unit in order[label[order] >= 0]:
            own = inside[label == label[unit]]
            found.append(
                Member(
                    component=component,
                    community=int(label[unit]),
                    unit=int(unit),
                    probability=float(result.membership[component, unit]),
                    strength=float(strength[unit] / strength.max()),
                    within=float((inside[unit] - own.mean()) / own.std())
                    if own.std() > 1e-9 * own.mean()
                    else np.nan,
                    participation=participation(weights[unit], result.group[component, 0]),
                    second=bool(result.second_opinion[component, unit] >= 0),
                    n_recordings=int(result.presence[:, unit].sum()),
                )
            )
    return found


def participation(weights: NDArray[np.float64], group: NDArray[np.integer]) -> float:
    """Participation coefficient of one unit (Guimera & Amaral 2005): 1 - sum of squared shares.

    Parameters
    ----------
    weights
        Strengths to all units, (unit,).
    group
        Group of each unit, (unit,); -1 for none.
    """
    total = weights.sum()
    if total == 0:
        return 0.0
    share = np.bincount(group[group >= 0], weights[group >= 0]) / total
    return float(1 - (share**2).sum())


def predictions(result: ConnectomeResult, seeds: tuple[str, ...]) -> list[Prediction]:
    """Units that share communities with the seeds, the best first, once each.

    Parameters
    ----------
    seeds
        Names of units that are known to belong to a circuit; unknown names are ignored.
    """
    own = np.unique([result.place[name] for name in seeds if name in result.place]).astype(int)
    best: dict[int, Prediction] = {}
    every = members(result)
    selectivity = _selectivity(result)
    for component in np.flatnonzero(result.structured).tolist():
        label = result.community[component]
        weights = np.nan_to_num(result.pair_matrix(component))
        for member in (one for one in every if one.component == component):
            shared = own[label[own] == member.community]
            if not shared.size or member.unit in own:
                continue
            to_seeds = float(weights[member.unit, shared].mean() / weights.max())
            together = member.probability * float(result.membership[component, shared].mean())
            found = Prediction(
                member=member,
                seeds=tuple(int(unit) for unit in shared),
                score=together * to_seeds * selectivity[component],
                to_seeds=to_seeds,
                selectivity=float(selectivity[component]),
            )
            if member.unit not in best or found.score > best[member.unit].score:
                best[member.unit] = found
    return sorted(best.values(), key=lambda one: -one.score)


def followed(result: ConnectomeResult, component: int) -> list[str]:
    """Labels whose epochs a component follows."""
    if result.epoch_test is None:
        return []
    small = result.epoch_test.p_value[component] <= LEVEL
    return [str(label) for label in result.epoch_test.label[small]]


def _selectivity(result: ConnectomeResult) -> NDArray[np.float64]:
    """Largest mean contrast of each component over labels, not below 0; 1 without a test."""
    if result.epoch_test is None:
        return np.ones(result.rank)
    contrast = result.epoch_test.contrast
    known = np.isfinite(contrast)
    if not known.any():
        return np.ones(result.rank)
    mean = np.where(known, contrast, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    return np.asarray(np.maximum(mean.max(axis=1), 0.0))
