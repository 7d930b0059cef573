"""Simulated worms: named neurons, stimuli in changing order, and planted communities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.provenance import Provenance
from pipeline.core.views import TraceEnsemble

RATE_HZ = 3.0
EPOCH_S = 16.0
PERIOD_S = 34.0
"""From one stimulus to the next."""

LEAD_S = 10.0
"""Before the first stimulus."""

DECAY_S = 0.7
"""Of the indicator."""

NOISE = 0.04
"""Standard deviation of the noise of a trace, in dF/F; one event is about 1."""

INVERTED_SHARE = 0.25
ABSENT_SHARE = 0.15
"""Share of names that an animal lacks."""

SPONTANEOUS_HZ = 0.01
EVENTS_AN_EPOCH = 1
JITTER_S = 0.15
"""Spread of a group's events over its members and animals."""

UNNAMED = 4
"""Units of each animal whose name is not known."""

LABELS = ("butanone", "pentanedione", "salt")
GROUP_SIZE = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Numbers of one size of simulation."""

    n_animals: int
    n_names: int
    groups_a_label: tuple[int, ...]
    n_repeats: int


SIZES = {
    "demo": Plan(n_animals=6, n_names=40, groups_a_label=(3, 2, 3), n_repeats=3),
    "tiny": Plan(n_animals=3, n_names=18, groups_a_label=(2, 1), n_repeats=2),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConnectomeTruth:
    """What was planted."""

    recording: NDArray[np.str_] = axes("recording")
    unit: NDArray[np.str_] = axes("unit")
    """All names, whether or not an animal has them."""
    label: NDArray[np.str_] = axes("label")
    group: NDArray[np.str_] = axes("group")
    group_label: NDArray[np.int64] = axes("group")
    """Index of the label in whose epochs the group is active."""
    member: NDArray[np.bool_] = axes("group", "unit")
    sign: NDArray[np.int64] = axes("group", "unit")
    """1 or -1 (inverted) for members, else 0."""
    participation: NDArray[np.bool_] = axes("recording", "label")
    """Whether an animal's groups answer a label's epochs."""
    windows: pd.DataFrame = table("window", ("recording", "label", "start_s", "stop_s"))
    onsets: pd.DataFrame = table("onset", ("recording", "group", "start_s"))
    """When groups change together, in recordings that answer their label."""

    def __post_init__(self) -> None:
        check_axes(self)


Truth = ConnectomeTruth
"""The record of what was planted, by the name all methods use."""


def simulate(
    rng: np.random.Generator, *, size: Literal["demo", "tiny"] = "demo"
) -> tuple[tuple[TraceEnsemble, ...], ConnectomeTruth]:
    """Views of simulated worms, and what was planted in them.

    Every stimulus label has groups of five neurons of its own choosing that change together in
    its epochs, a quarter of the members in the opposite direction. Animals see the labels in
    different orders, lack different neurons, and one label finds no answer in one animal.

    Parameters
    ----------
    rng
        Random stream.
    size
        ``demo`` (6 animals, 40 names, five minutes) or ``tiny`` (3 animals, 18 names, for tests).
    """
    plan = SIZES[size]
    names = np.array([f"N{index:02d}" for index in range(plan.n_names)])
    labels = np.array(LABELS[: len(plan.groups_a_label)])
    recordings = np.array([f"worm-{index + 1}" for index in range(plan.n_animals)])
    group_label = np.repeat(np.arange(labels.size), plan.groups_a_label)
    member = _members(rng, plan)
    sign = np.where(member, np.where(rng.random(member.shape) < INVERTED_SHARE, -1, 1), 0)
    participation = np.ones((plan.n_animals, labels.size), dtype=bool)
    participation[plan.n_animals - 1, 0] = False
    gain = rng.uniform(0.7, 1.3, size=plan.n_names)
    events = np.concatenate(
        [_event_times(rng, count, plan.n_repeats) for count in plan.groups_a_label]
    )
    views, windows, onsets = [], [], []
    groups = np.array(_group_names(labels, plan.groups_a_label))
    for animal, recording in enumerate(recordings):
        epochs = _epochs(rng, labels, n_repeats=plan.n_repeats)
        windows.append(epochs.assign(recording=recording))
        answers = np.flatnonzero(participation[animal, group_label])
        onsets += [
            (str(recording), str(groups[group]), onset)
            for group in answers
            for onset in _onsets(epochs, str(labels[group_label[group]]), events[group])
        ]
        drive = _group_drive(
            rng,
            epochs,
            labels=labels[participation[animal]],
            events={str(labels[label]): events[group_label == label] for label in set(group_label)},
            member={str(labels[label]): sign[group_label == label] for label in set(group_label)},
        )
        views.append(_view(rng, str(recording), names, epochs=epochs, drive=drive * gain))
    truth = ConnectomeTruth(
        recording=recordings,
        unit=names,
        label=labels,
        group=groups,
        group_label=group_label.astype(np.int64),
        member=member,
        sign=sign.astype(np.int64),
        participation=participation,
        windows=pd.concat(windows, ignore_index=True),
        onsets=pd.DataFrame(onsets, columns=["recording", "group", "start_s"]).astype(
            {"recording": "str", "group": "str", "start_s": "float64"}
        ),
    )
    return tuple(views), truth


def _group_names(labels: NDArray[np.str_], groups_a_label: tuple[int, ...]) -> list[str]:
    """``LABEL 1``, ``LABEL 2``, ..."""
    return [
        f"{label} {index + 1}"
        for label, count in zip(labels, groups_a_label, strict=True)
        for index in range(count)
    ]


def _members(rng: np.random.Generator, plan: Plan) -> NDArray[np.bool_]:
    """Groups of one label share no unit; groups of different labels may."""
    rows = []
    for count in plan.groups_a_label:
        order = rng.permutation(plan.n_names)
        for index in range(count):
            row = np.zeros(plan.n_names, dtype=bool)
            row[order[index * GROUP_SIZE : (index + 1) * GROUP_SIZE]] = True
            rows.append(row)
    return np.array(rows)


def _event_times(rng: np.random.Generator, n_groups: int, n_repeats: int) -> NDArray[np.float64]:
    """Seconds from the start of an epoch (group, repeat, event); groups of a label take turns."""
    n_turns = n_groups * EVENTS_AN_EPOCH
    turns = np.stack([rng.permutation(n_turns) for _ in range(n_repeats)])
    times: NDArray[np.float64] = (turns + 0.25) * (EPOCH_S - 1) / n_turns
    return times.reshape(n_repeats, n_groups, EVENTS_AN_EPOCH).swapaxes(0, 1)


def _onsets(epochs: pd.DataFrame, label: str, events: NDArray[np.float64]) -> list[float]:
    """When a group changes, in an animal's time, from its events (repeat, event) of epochs."""
    begins = np.sort(epochs["start_s"].to_numpy()[epochs["label"] == label])
    return [float(at) for at in (begins[:, None] + events).ravel()]


def _epochs(rng: np.random.Generator, labels: NDArray[np.str_], *, n_repeats: int) -> pd.DataFrame:
    """Every label as often as the others, in an order of this animal's own."""
    order = rng.permutation(np.repeat(labels, n_repeats))
    start = LEAD_S + PERIOD_S * np.arange(order.size)
    return pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + EPOCH_S,
            "label": pd.Series(order.tolist(), dtype="str"),
        }
    )


def _group_drive(
    rng: np.random.Generator,
    epochs: pd.DataFrame,
    *,
    labels: NDArray[np.str_],
    events: dict[str, NDArray[np.float64]],
    member: dict[str, NDArray[np.integer]],
) -> NDArray[np.float64]:
    """Signed impulses (time, unit) of the groups in the epochs an animal answers."""
    n_frames = _n_frames(epochs)
    drive = np.zeros((n_frames, next(iter(member.values())).shape[1]))
    repeat = dict.fromkeys(events, 0)
    for start, label in zip(epochs["start_s"], epochs["label"], strict=True):
        which = repeat[label]
        repeat[label] += 1
        if label not in labels:
            continue
        for times, signs in zip(events[label][:, which], member[label], strict=True):
            for unit in np.flatnonzero(signs):
                at = start + times + JITTER_S * rng.standard_normal(times.size)
                np.add.at(drive[:, unit], (at * RATE_HZ).astype(int), signs[unit])
    return drive


def _n_frames(epochs: pd.DataFrame) -> int:
    """Frames until the period of the last stimulus is over."""
    return int((LEAD_S + PERIOD_S * len(epochs)) * RATE_HZ)


def _view(
    rng: np.random.Generator,
    recording: str,
    names: NDArray[np.str_],
    *,
    epochs: pd.DataFrame,
    drive: NDArray[np.float64],
) -> TraceEnsemble:
    """One animal's traces: indicator dynamics, spontaneous events, noise, missing samples."""
    present = np.sort(rng.choice(names.size, round((1 - ABSENT_SHARE) * names.size), replace=False))
    n_frames, n_units = len(drive), present.size + UNNAMED
    impulses = np.concatenate([drive[:, present], np.zeros((n_frames, UNNAMED))], axis=1)
    impulses = impulses + rng.poisson(SPONTANEOUS_HZ / RATE_HZ, size=impulses.shape)
    kernel = np.exp(-np.arange(0, 6 * DECAY_S, 1 / RATE_HZ) / DECAY_S)
    calcium = np.stack(
        [np.convolve(impulses[:, unit], kernel)[:n_frames] for unit in range(n_units)], axis=1
    )
    values = calcium + NOISE * rng.standard_normal(calcium.shape)
    valid = np.ones(values.shape, dtype=bool)
    # One stretch of motion that hides everything, and a unit that is lost for a while.
    blur = int(rng.integers(n_frames - 4))
    valid[blur : blur + 2] = False
    lost = int(rng.integers(n_frames // 2))
    valid[lost : lost + int(15 * RATE_HZ), int(rng.integers(n_units))] = False
    return TraceEnsemble(
        recording=recording,
        time=np.arange(n_frames) / RATE_HZ,
        values=np.where(valid, values, 0).astype(np.float32),
        valid=valid,
        unit=np.array([f"roi{index:03d}" for index in range(n_units)]),
        identity=np.concatenate([names[present], np.full(UNNAMED, "")]),
        epochs=epochs,
        left_out=pd.DataFrame(
            {
                "what": pd.Series([], dtype="str"),
                "count": pd.Series([], dtype="int64"),
                "reason": pd.Series([], dtype="str"),
            }
        ),
        rate_hz=RATE_HZ,
        signal="dff",
        value_unit="dF/F",
        provenance=Provenance(
            stage="simulate", experiment="simulated", package_version="", code_digest=""
        ),
    )
