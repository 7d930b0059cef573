"""What was found beside what was planted, for simulated recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.planted import Planted
from pipeline.core.words import counted
from pipeline.methods.connectome.readback import active, present_in
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.simulate import ConnectomeTruth
from pipeline.methods.connectome.timeline import frames_of_label
from pipeline.numerics.partitions import adjusted_rand_index

FOUND = 0.7
"""F1 or adjusted Rand index from which a planted structure counts as found."""

ONSET_REACH = 4.0
"""Widths of the derivative filter within which an active stretch belongs to a planted onset."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnsetRecovery:
    """Starts of active stretches of components that found a group, beside planted onsets.

    A component is active from half of its largest strength on. The derivative that it is made of
    is smoothed evenly to both sides, so that it rises before the moment of the change; and a trace
    that decays after it has risen changes twice, so that one onset may have two stretches, of which
    the first counts.
    """

    recording: NDArray[np.int64] = axes("onset")
    """Index among those of the result."""
    component: NDArray[np.int64] = axes("onset")
    """The component that fits the group best."""
    group: NDArray[np.int64] = axes("onset")
    planted_s: NDArray[np.float64] = axes("onset", unit="s")
    """In the recording's time, of onsets whose frame was fitted."""
    error_s: NDArray[np.float64] = axes("onset", unit="s")
    """Start of the stretch less planted onset; NaN where there is no stretch."""
    reach_s: float
    n_further: int
    """Starts of stretches, in recordings of which onsets are planted, that belong to none."""

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recovery:
    """Agreement of a result with the truth."""

    group: NDArray[np.str_] = axes("group")
    match: NDArray[np.float64] = axes("component", "group")
    """F1 of each component's best community against each planted group, 0 to 1."""
    group_f1: NDArray[np.float64] = axes("group")
    """Best match of each group."""
    label: NDArray[np.str_] = axes("label")
    label_ari: NDArray[np.float64] = axes("label")
    """Adjusted Rand index of the epochs' communities over the units in planted groups; NaN for
    a label with one group only, which nothing could be confused with."""
    component_label: NDArray[np.int64] = axes("component")
    """Label in whose epochs the component is largest, relative to the others."""
    label_contrast: NDArray[np.float64] = axes("component", "label")
    """Share of the component's mean size over labels that falls to each; rows sum to 1."""
    recordings_right: float
    """Share of recordings that are rightly said to have a component, or to lack it, over the
    components that found a planted group; NaN without any."""

    def __post_init__(self) -> None:
        check_axes(self)


def recovery(result: ConnectomeResult, truth: ConnectomeTruth) -> Recovery:
    """Planted groups, labels and what answers to them in the result.

    Only units that the result holds are counted on either side.
    """
    columns = {name: index for index, name in enumerate(truth.unit)}
    known = np.array([name in columns for name in result.unit])
    member = np.zeros((truth.group.size, result.unit.size), dtype=bool)
    member[:, known] = truth.member[:, [columns[name] for name in result.unit[known]]]
    match = np.zeros((result.rank, truth.group.size))
    for component in range(result.rank):
        labels = result.community[component]
        for group in range(truth.group.size):
            scores = [
                _f1(labels == community, member[group])
                for community in range(int(labels.max(initial=-1)) + 1)
            ]
            match[component, group] = max(scores, default=0.0)
    contrast = _label_contrast(result, truth)
    return Recovery(
        group=truth.group,
        match=match,
        group_f1=match.max(axis=0),
        label=truth.label,
        label_ari=np.array(
            [
                _label_agreement(result, truth, member=member, label=index)
                for index in range(truth.label.size)
            ]
        ),
        component_label=contrast.argmax(axis=1).astype(np.int64),
        label_contrast=contrast,
        recordings_right=_recordings_right(result, truth, match),
    )


def onset_recovery(
    result: ConnectomeResult, truth: ConnectomeTruth, *, sigma_s: float
) -> OnsetRecovery:
    """Planted onsets of groups that were found, and the active stretches that belong to them.

    A stretch belongs to the nearest onset of the group, if it starts within :data:`ONSET_REACH`
    widths of the derivative filter from it.

    Parameters
    ----------
    sigma_s
        Width of the filter in seconds.
    """
    match = recovery(result, truth).match
    reach_s = ONSET_REACH * sigma_s
    rows: list[tuple[int, int, int, float, float]] = []
    n_further = 0
    for component in np.flatnonzero(match.max(axis=1) >= FOUND).tolist():
        group = int(match[component].argmax())
        if int(match[:, group].argmax()) != component:
            continue
        first = [begin for begin, _ in active(result, component)]
        for index, name in enumerate(map(str, result.recording)):
            of_group = truth.onsets["group"] == str(truth.group[group])
            onsets = truth.onsets[of_group & (truth.onsets["recording"] == name)]
            planted = _fitted(onsets["start_s"].to_numpy(), result, index)
            if not planted.size:
                continue
            starts = result.source_time_s[first, index]
            starts = starts[np.isfinite(starts)]
            error, n_others = _matched(planted, starts, reach_s=reach_s)
            n_further += n_others
            rows += [
                (index, component, group, float(at), float(by))
                for at, by in zip(planted, error, strict=True)
            ]
    where = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    seconds = np.array([row[3:] for row in rows], dtype=np.float64).reshape(-1, 2)
    return OnsetRecovery(
        recording=where[:, 0],
        component=where[:, 1],
        group=where[:, 2],
        planted_s=seconds[:, 0],
        error_s=seconds[:, 1],
        reach_s=reach_s,
        n_further=n_further,
    )


def _fitted(
    onset_s: NDArray[np.float64], result: ConnectomeResult, index: int
) -> NDArray[np.float64]:
    """The onsets that lie in a frame of the result."""
    source = result.source_time_s[:, index]
    source = source[np.isfinite(source)]
    if not source.size:
        return np.empty(0)
    distance = np.abs(onset_s[:, None] - source[None, :]).min(axis=1)
    return np.asarray(onset_s[distance <= 0.5 * result.bin_s + 1e-9])


def _matched(
    planted: NDArray[np.float64], found: NDArray[np.float64], *, reach_s: float
) -> tuple[NDArray[np.float64], int]:
    """First found less planted time of each planted one (NaN: none), and how many belong to none.

    Parameters
    ----------
    planted, found
        Seconds, at least one planted.
    """
    nearest = np.abs(found[:, None] - planted[None, :]).argmin(axis=1)
    error = found - planted[nearest]
    near = np.abs(error) <= reach_s
    first = np.full(planted.size, np.inf)
    np.minimum.at(first, nearest[near], error[near])
    return np.where(np.isfinite(first), first, np.nan), int((~near).sum())


def label_communities(result: ConnectomeResult, label: str) -> NDArray[np.int64]:
    """Communities in the epochs of a label, (unit,), -1 for units in none.

    A unit is in its community of the component that gives it most strength there, so that groups
    which different components hold are different ones.
    """
    inside = frames_of_label(result, label)
    if not inside.any():
        return np.full(result.unit.size, -1)
    size = result.weight * result.component_time[inside].mean(axis=0)
    strength = np.zeros((result.unit.size, result.rank))
    for end in result.pair_units.T:
        np.add.at(strength, end, result.component_pair * size)
    largest = strength.argmax(axis=1)
    community = result.community[largest, np.arange(result.unit.size)]
    number = largest * (int(result.community.max(initial=0)) + 1) + community
    return np.where((community >= 0) & (strength.max(axis=1) > 0), number, -1)


def _recordings_right(
    result: ConnectomeResult, truth: ConnectomeTruth, match: NDArray[np.float64]
) -> float:
    """Recordings in which components are said to be, against those whose groups answer.

    NaN where no group was found, or the truth tells of none of the recordings.
    """
    found = np.flatnonzero(match.max(axis=1) >= FOUND)
    told = {str(name): place for place, name in enumerate(truth.recording)}
    known = [str(name) in told for name in result.recording]
    if not found.size or not any(known):
        return np.nan
    place = [told[str(name)] for name in result.recording[known]]
    label = truth.group_label[match[found].argmax(axis=1)]
    planted = truth.participation[place][:, label].T
    return float((present_in(result)[found][:, known] == planted).mean())


def _label_contrast(result: ConnectomeResult, truth: ConnectomeTruth) -> NDArray[np.float64]:
    """Mean size of each component in each label's epochs, as shares."""
    size = np.zeros((result.rank, truth.label.size))
    for index, label in enumerate(truth.label):
        inside = frames_of_label(result, str(label))
        if inside.any():
            size[:, index] = result.component_time[inside].mean(axis=0)
    total = size.sum(axis=1, keepdims=True)
    return np.where(total > 0, size / np.where(total > 0, total, 1), 1 / truth.label.size)


def _label_agreement(
    result: ConnectomeResult,
    truth: ConnectomeTruth,
    *,
    member: NDArray[np.bool_],
    label: int,
) -> float:
    """Adjusted Rand index of one label's communities over the units of its groups."""
    groups = member[truth.group_label == label]
    grouped = groups.any(axis=0)
    if len(groups) < 2 or not grouped.any():
        return np.nan
    found = label_communities(result, str(truth.label[label]))
    return adjusted_rand_index(groups.argmax(axis=0)[grouped], found[grouped])


def _f1(found: NDArray[np.bool_], planted: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of a set of units."""
    total = int(found.sum() + planted.sum())
    return 2 * int((found & planted).sum()) / total if total else 0.0


def planted(truth: ConnectomeTruth) -> Planted:
    """What was planted, for readers and for other methods.

    A neuron may be in several groups, so none of them is its own.
    """
    groups, labels = truth.group.size, truth.label.size
    return Planted(
        words=f"{counted(groups, 'group')} of neurons that change together, each in the epochs of "
        f"one of {counted(labels, 'label')}",
        moments=f"{counted(groups, 'group')} of neurons, each active in the epochs of one label "
        f"({groups} of {groups * labels} pairs of group and label)",
    )


def recovered(result: ConnectomeResult, truth: ConnectomeTruth) -> str:
    """How much of it was found."""
    seen = recovery(result, truth)
    n_found = int((seen.group_f1 >= FOUND).sum())
    scores = seen.label_ari[np.isfinite(seen.label_ari)]
    apart = f"; groups of a label are told apart with ARI {scores.mean():z.2f}"
    return f"{n_found} of them (mean F1 {seen.group_f1.mean():z.2f}){apart if scores.size else ''}"
