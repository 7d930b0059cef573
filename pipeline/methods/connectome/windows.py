"""Stretches of time that recordings are cut into: epochs they share, or all of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.affinity import Speeds

DURATION_TOLERANCE = 0.1
"""Largest relative difference in duration of the epochs of one label."""

LONGEST_SHARE = 0.5
"""Share of a recording above which an epoch marks no moment that recordings could share."""

SIDE_BY_SIDE = ("by_epoch", "absolute")
"""Alignments in which frames are shared by all recordings."""

EPOCH_COLUMNS = ("start_s", "stop_s", "label", "recording")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """Consecutive frames of one recording, or of all recordings side by side."""

    speed: NDArray[np.float64] = axes("frame", "slot", "unit")
    sign: NDArray[np.int8] = axes("frame", "slot", "unit")
    observed: NDArray[np.bool_] = axes("frame", "slot", "unit")
    time_s: NDArray[np.float64] = axes("frame", unit="s")
    source_time_s: NDArray[np.float64] = axes("frame", "recording", unit="s")
    recording: int
    """Index of the recording; -1 for all."""
    interval_s: float

    def __post_init__(self) -> None:
        check_axes(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Windows around epochs that all recordings share, in one order for all."""

    label: NDArray[np.str_] = axes("window")
    start_s: NDArray[np.float64] = axes("window", "recording", unit="s")
    """Start of the epoch in each recording."""
    duration_s: NDArray[np.float64] = axes("window", unit="s")
    """Of the epoch, the shortest over recordings and repeats."""
    pre_s: float
    post_s: float
    ends_s: NDArray[np.float64] | None = axes("recording", unit="s", optional=True)
    """Where recordings end, if frames beyond are of none; epochs lie within them."""

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def offset_s(self) -> NDArray[np.float64]:
        """Where each window begins on the common axis."""
        lengths = self.pre_s + self.duration_s + self.post_s
        return np.concatenate([[0.0], np.cumsum(lengths)[:-1]])

    def on_common_axis(self) -> pd.DataFrame:
        """The epochs as seen on the common axis."""
        start = self.offset_s + self.pre_s
        return pd.DataFrame(
            {
                "start_s": start,
                "stop_s": start + self.duration_s,
                "label": pd.Series(self.label.tolist(), dtype="str"),
                "recording": pd.Series([""] * self.label.size, dtype="str"),
            }
        )


def epochs_agree(views: Sequence[TraceEnsemble]) -> tuple[bool, str]:
    """Whether all recordings have the same epochs as often and as long, and if not, why."""
    counts = [_counts(view.epochs) for view in views]
    if not counts[0]:
        return False, f"recording {views[0].recording} has no epochs"
    for view, count in zip(views, counts, strict=True):
        if count != counts[0]:
            return False, (
                f"recording {views[0].recording} has {_listed(counts[0])}, recording "
                f"{view.recording} has {_listed(count)}"
            )
    durations = pd.concat([view.epochs for view in views], ignore_index=True)
    length = durations["stop_s"] - durations["start_s"]
    for label, of_label in length.groupby(durations["label"].astype(str)):
        shortest, longest = float(of_label.min()), float(of_label.max())
        if longest > (1 + DURATION_TOLERANCE) * shortest:
            return False, (
                f"epochs '{label}' last between {shortest:.3g} and {longest:.3g} s, which differs "
                f"by more than {100 * DURATION_TOLERANCE:.0f} %"
            )
    return True, ""


def epochs_mark_moments(views: Sequence[TraceEnsemble]) -> bool:
    """Whether epochs are short against their recordings, so that they give a shared clock.

    An epoch that fills a recording (kept on food throughout) says what the recording is, not
    when something happened; laying recordings side by side by it would only align their starts.
    """
    for view in views:
        span_s = float(view.time[-1] - view.time[0])
        length = view.epochs["stop_s"] - view.epochs["start_s"]
        if not len(length) or float(length.max()) > LONGEST_SHARE * span_s:
            return False
    return True


def common_windows(views: Sequence[TraceEnsemble], *, pre_s: float, post_s: float) -> Windows:
    """Windows around the shared epochs, label by label, repeats in the order they occurred.

    What is kept before and after an epoch reaches at most half way to its neighbour in any
    recording, so that no frame is used twice.
    """
    labels = sorted(views[0].epochs["label"].astype(str).unique())
    starts, names, durations = [], [], []
    gap = np.inf
    for view in views:
        table = view.epochs.sort_values("start_s")
        between = table["start_s"].to_numpy()[1:] - table["stop_s"].to_numpy()[:-1]
        gap = min(gap, float(between.min(initial=np.inf)))
    for label in labels:
        of_label = [view.epochs[view.epochs["label"] == label] for view in views]
        begin = np.stack([np.sort(table["start_s"].to_numpy()) for table in of_label], axis=1)
        shortest = min(float((table["stop_s"] - table["start_s"]).min()) for table in of_label)
        starts.append(begin)
        names += [label] * len(begin)
        durations += [shortest] * len(begin)
    half = max(gap, 0.0) / 2
    return Windows(
        label=np.array(names, dtype=str),
        start_s=np.concatenate(starts),
        duration_s=np.array(durations),
        pre_s=min(pre_s, half),
        post_s=min(post_s, half),
    )


def whole_side_by_side(views: Sequence[TraceEnsemble]) -> Windows:
    """One window over everything: recordings from their starts, as long as the longest."""
    longest_s = max(float(view.time[-1] - view.time[0]) + 1 / view.rate_hz for view in views)
    return Windows(
        label=np.array([""]),
        start_s=np.array([[view.time[0] for view in views]]),
        duration_s=np.array([longest_s]),
        pre_s=0.0,
        post_s=0.0,
        ends_s=np.array([view.time[-1] + 0.5 / view.rate_hz for view in views]),
    )


def _until(time_s: NDArray[np.float64], ends_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times (frame, recording), NaN from the end of each recording on."""
    return np.where(time_s < ends_s, time_s, np.nan)


def cut_stretches(
    views: Sequence[TraceEnsemble],
    speeds: Sequence[Speeds],
    columns: NDArray[np.int64],
    *,
    windows: Windows,
) -> tuple[Stretch, ...]:
    """One stretch a window, recordings side by side, at the lowest rate of them all.

    ``columns`` has the column of each pooled unit in each recording, -1 where it has none.
    """
    interval_s = max(1 / view.rate_hz for view in views)
    stretches = []
    for index, offset in enumerate(windows.offset_s):
        length = windows.pre_s + windows.duration_s[index] + windows.post_s
        relative = np.arange(max(1, int(length / interval_s + 1e-6))) * interval_s
        source = windows.start_s[index][None, :] - windows.pre_s + relative[:, None]
        sampled = [
            _sampled(view, speed, columns[slot], at=source[:, slot])
            for slot, (view, speed) in enumerate(zip(views, speeds, strict=True))
        ]
        stretches.append(
            Stretch(
                speed=np.stack([one.speed for one in sampled], axis=1),
                sign=np.stack([one.sign for one in sampled], axis=1),
                observed=np.stack([one.observed for one in sampled], axis=1),
                time_s=offset + relative,
                source_time_s=source if windows.ends_s is None else _until(source, windows.ends_s),
                recording=-1,
                interval_s=interval_s,
            )
        )
    return tuple(stretches)


def whole_stretches(
    views: Sequence[TraceEnsemble], speeds: Sequence[Speeds], columns: NDArray[np.int64]
) -> tuple[Stretch, ...]:
    """One stretch a recording, all of it at its own rate."""
    stretches = []
    for index, (view, speed) in enumerate(zip(views, speeds, strict=True)):
        source = np.full((view.time.size, len(views)), np.nan)
        source[:, index] = view.time
        present = columns[index] >= 0
        stretches.append(
            Stretch(
                speed=np.where(present, speed.speed[:, columns[index]], 0.0)[:, None, :],
                sign=np.where(present, speed.sign[:, columns[index]], 0)[:, None, :],
                observed=(speed.observed[:, columns[index]] & present)[:, None, :],
                time_s=view.time,
                source_time_s=source,
                recording=index,
                interval_s=1 / view.rate_hz,
            )
        )
    return tuple(stretches)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sampled:
    """The pooled units of one recording at given times, (time, unit)."""

    speed: NDArray[np.float64]
    sign: NDArray[np.int8]
    observed: NDArray[np.bool_]


def _sampled(
    view: TraceEnsemble, speed: Speeds, columns: NDArray[np.int64], *, at: NDArray[np.float64]
) -> _Sampled:
    """Speeds of the pooled units at given times, from the frames on both sides."""
    present = columns >= 0
    position = (at - view.time[0]) * view.rate_hz
    last = view.time.size - 1
    inside = (position >= -1e-6) & (position <= last + 1e-6)
    position = np.clip(position, 0, last)
    before = np.minimum(position.astype(np.int64), last)
    after = np.minimum(before + 1, last)
    share = (position - before)[:, None]
    # A frame that carries no weight may be missing.
    seen = (speed.observed[before] | (share > 1 - 1e-6)) & (speed.observed[after] | (share < 1e-6))
    mixed = (1 - share) * speed.speed[before] + share * speed.speed[after]
    slope = (1 - share) * speed.derivative[before] + share * speed.derivative[after]
    observed = seen[:, columns] & present & inside[:, None]
    return _Sampled(
        speed=np.where(observed, mixed[:, columns], 0.0),
        sign=np.where(observed, np.sign(slope)[:, columns], 0).astype(np.int8),
        observed=observed,
    )


def _counts(epochs: pd.DataFrame) -> dict[str, int]:
    """How often each label occurs."""
    labels, counts = np.unique(epochs["label"].to_numpy(dtype=str), return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _listed(counts: dict[str, int]) -> str:
    """Labels with their counts."""
    return ", ".join(f"{count} x '{label}'" for label, count in sorted(counts.items())) or "none"
