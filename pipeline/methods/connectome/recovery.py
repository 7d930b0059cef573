"""What was found beside what was planted, for simulated recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.methods.connectome.readback import present_in
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.simulate import ConnectomeTruth
from pipeline.methods.connectome.timeline import frames_of_label
from pipeline.numerics.partitions import adjusted_rand_index

FOUND = 0.7
"""F1 or adjusted Rand index from which a planted structure counts as found."""


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
