"""Which units and frames of several recordings go together, and how they share time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.errors import NotApplicable
from pipeline.core.views import OTHER_CLASS, TraceEnsemble
from pipeline.methods.connectome.affinity import Speeds, shifted, speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.windows import (
    EPOCH_COLUMNS,
    SIDE_BY_SIDE,
    Stretch,
    common_windows,
    cut_stretches,
    epochs_agree,
    epochs_mark_moments,
    whole_side_by_side,
    whole_stretches,
)

SHARED = -1
"""Recording of a frame that belongs to all of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """Speeds of all recordings under common names, cut into frames.

    Frames are those before coarse-graining; ``frame_bin`` tells to which bin of the table each
    belongs.
    """

    recording: NDArray[np.str_] = axes("recording")
    unit: NDArray[np.str_] = axes("unit")
    presence: NDArray[np.bool_] = axes("recording", "unit")
    """Whether the unit was found and measurable in the recording."""
    speed: NDArray[np.float32] = axes("frame", "slot", "unit")
    """One slot a recording where they lie side by side, one for all under ``concatenate``; 0
    where the unit is not observed in the frame's bin."""
    sign: NDArray[np.int8] = axes("frame", "slot", "unit")
    """Direction of change, also at rest; 0 where not observed."""
    observed: NDArray[np.bool_] = axes("bin", "slot", "unit")
    """A unit is observed in a bin if it is in all of the bin's frames."""
    frame_bin: NDArray[np.int64] = axes("frame")
    frame_interval_s: NDArray[np.float64] = axes("frame", unit="s")
    """Between frames of the recording that each is of."""
    bin_time_s: NDArray[np.float64] = axes("bin", unit="s")
    bin_recording: NDArray[np.int64] = axes("bin")
    bin_linked: NDArray[np.bool_] = axes("step")
    """Whether a bin follows the one before it in time, for all but the first."""
    source_time_s: NDArray[np.float64] = axes("bin", "recording", unit="s")
    pairs: NDArray[np.int64] = axes("pair", "end")
    """Units of each pair that is observed together anywhere."""
    epochs: pd.DataFrame = table("epoch", EPOCH_COLUMNS)
    selection: pd.DataFrame = table("selection", ("what", "count"))
    mode: str
    coarse_grain: int
    bin_s: float

    def __post_init__(self) -> None:
        check_axes(self)

    @property
    def side_by_side(self) -> bool:
        """Whether frames are shared by all recordings, each with a slot of its own."""
        return self.mode in SIDE_BY_SIDE


def measured_speeds(views: Sequence[TraceEnsemble], config: ConnectomeConfig) -> tuple[Speeds, ...]:
    """Speeds of the units of each recording, in the views' order.

    Raises
    ------
    NotApplicable
        If a recording is too short for the derivative filter.
    """
    for view in views:
        needed = 9 * config.sigma_s * view.rate_hz
        if view.time.size < needed:
            raise NotApplicable(
                f"Recording {view.recording} has {view.time.size} frames at {view.rate_hz:.3g} "
                f"Hz; a derivative smoothed over {config.sigma_s:g} s needs at least "
                f"{int(np.ceil(needed))}. Lower methods.connectome.sigma_s."
            )
        infinite = np.isinf(view.values) & view.valid
        if infinite.any():
            frame, unit = np.argwhere(infinite)[0]
            raise NotApplicable(
                f"Recording {view.recording} holds {int(infinite.sum())} infinite samples, the "
                f"first of unit {view.unit[unit]} at {view.time[frame]:.3f} s. Write NaN in the "
                "file where a sample is missing."
            )
    return tuple(
        speeds(
            view.values,
            view.valid & np.isfinite(view.values),
            rate_hz=view.rate_hz,
            config=config,
        )
        for view in views
    )


def align(
    views: Sequence[TraceEnsemble],
    config: ConnectomeConfig,
    *,
    shift_with: np.random.Generator | None = None,
) -> Alignment:
    """Speeds of the recordings under common unit names and on a common axis of frames.

    Parameters
    ----------
    views
        One view a recording.
    config
        Selection of units and alignment.
    shift_with
        When given, every unit's speed is moved in time by itself in every recording before
        anything is cut, which makes a surrogate.

    Raises
    ------
    NotApplicable
        If the data cannot serve, with what was found and what is needed.
    """
    if not views:
        raise NotApplicable("No recording of the experiment has a usable view.")
    refuse_repeated_names(views)
    measured = measured_speeds(views, config)
    names, columns, selection = _select_units(views, measured, config)
    used = [index for index in range(len(views)) if (columns[index] >= 0).any()]
    views = [views[index] for index in used]
    columns = columns[used]
    moved = [measured[index] for index in used]
    if shift_with is not None:
        moved = [shifted(speed, shift_with) for speed in moved]
    mode = _mode(views, config)
    if mode == "by_epoch":
        windows = common_windows(views, pre_s=config.pre_s, post_s=config.post_s)
        stretches = cut_stretches(views, moved, columns, windows=windows)
        epochs = windows.on_common_axis()
    elif mode == "absolute":
        stretches = cut_stretches(views, moved, columns, windows=whole_side_by_side(views))
        epochs = _own_epochs(views, from_start=True)
    else:
        stretches = whole_stretches(views, moved, columns)
        epochs = _own_epochs(views, from_start=False)
    return _frames(
        stretches,
        names=names,
        presence=columns >= 0,
        recordings=[view.recording for view in views],
        epochs=epochs,
        selection=selection,
        mode=mode,
        config=config,
    )


def _own_epochs(views: Sequence[TraceEnsemble], *, from_start: bool) -> pd.DataFrame:
    """Epochs of every recording, in its own time or from its start."""
    tables = []
    for view in views:
        of_view = view.epochs[["start_s", "stop_s", "label"]].assign(recording=view.recording)
        if from_start:
            of_view[["start_s", "stop_s"]] -= view.time[0]
        tables.append(of_view)
    return pd.concat(tables, ignore_index=True)


def refuse_repeated_names(views: Sequence[TraceEnsemble]) -> None:
    """A name that stands twice in a recording matches nothing.

    Raises
    ------
    NotApplicable
        If there is one.
    """
    for view in views:
        names, counts = np.unique(view.identity[view.identity != ""], return_counts=True)
        if (counts > 1).any():
            repeated = ", ".join(names[counts > 1][:5])
            raise NotApplicable(
                f"Recording {view.recording} has the unit names {repeated} more than once; names "
                "must be unique in a recording. Column 'identity' of the sheet chooses names."
            )


def _select_units(
    views: Sequence[TraceEnsemble], measured: Sequence[Speeds], config: ConnectomeConfig
) -> tuple[NDArray[np.str_], NDArray[np.int64], pd.DataFrame]:
    """Pooled names, the column of each in each recording (-1 = none), and counts by fate."""
    fates = {
        "units in the views": sum(view.unit.size for view in views),
        "left out: observed in too few frames": 0,
        "left out: activity not above noise": 0,
        "left out: name unknown or uncertain": 0,
        "left out: named in too few recordings": 0,
    }
    found: dict[str, dict[int, int]] = {}
    single = len(views) == 1
    for index, (view, speed) in enumerate(zip(views, measured, strict=True)):
        enough = speed.observed.mean(axis=0) >= config.min_observed
        enough &= speed.observed.any(axis=0)
        clear = speed.measurable(config.min_snr)
        fates["left out: observed in too few frames"] += int((~enough).sum())
        fates["left out: activity not above noise"] += int((enough & ~clear).sum())
        for column in np.flatnonzero(enough & clear):
            name = str(view.identity[column])
            if not name and not single:
                fates["left out: name unknown or uncertain"] += 1
                continue
            found.setdefault(name or f"{view.recording}:{view.unit[column]}", {})[index] = int(
                column
            )
    if config.min_animals == "auto":
        needed = 2 if len(views) >= 3 else 1
    else:
        needed = min(config.min_animals, len(views))
    rare = [name for name, places in found.items() if len(places) < needed]
    fates["left out: named in too few recordings"] = sum(len(found[name]) for name in rare)
    names = sorted(set(found) - set(rare))
    columns = np.full((len(views), len(names)), -1, dtype=np.int64)
    for position, name in enumerate(names):
        for index, place in found[name].items():
            columns[index, position] = place
    unchosen = sum(
        int(view.left_out["count"][view.left_out["reason"] == OTHER_CLASS].sum()) for view in views
    )
    if unchosen:
        fates[OTHER_CLASS] = unchosen
    fates["used units of recordings"] = int((columns >= 0).sum())
    fates["pooled units"] = len(names)
    selection = pd.DataFrame(
        {"what": pd.Series(list(fates), dtype="str"), "count": np.array(list(fates.values()))}
    )
    if len(names) < 3:
        lost = "; ".join(f"{what}: {count}" for what, count in fates.items() if count)
        raise NotApplicable(
            f"{len(names)} units are left, at least 3 are needed ({lost}). With several "
            f"recordings only units whose name occurs in at least {needed} of {len(views)} count: "
            "see methods.connectome.min_animals, and column 'identity' of the sheet."
        )
    return np.array(names, dtype=str), columns, selection


def _mode(views: Sequence[TraceEnsemble], config: ConnectomeConfig) -> str:
    """How these recordings share time."""
    agree, why_not = epochs_agree(views)
    if config.alignment == "by_epoch" and not agree:
        raise NotApplicable(
            f"Recordings cannot be aligned by epoch: {why_not}. Set methods.connectome.alignment "
            "to 'auto' or 'concatenate'."
        )
    if config.alignment == "auto":
        shared = agree and len(views) > 1 and epochs_mark_moments(views)
        return "by_epoch" if shared else "concatenate"
    return config.alignment


def _frames(
    stretches: Sequence[Stretch],
    *,
    names: NDArray[np.str_],
    presence: NDArray[np.bool_],
    recordings: Sequence[str],
    epochs: pd.DataFrame,
    selection: pd.DataFrame,
    mode: str,
    config: ConnectomeConfig,
) -> Alignment:
    """Stretches joined, with the bins that frames are averaged in."""
    step = _frames_a_bin(stretches, n_units=len(names), config=config)
    bins, count = [], 0
    for stretch in stretches:
        bins.append(count + np.arange(len(stretch.time_s)) // step)
        count = int(bins[-1][-1]) + 1
    frame_bin = np.concatenate(bins)
    of_frame = np.concatenate([stretch.observed for stretch in stretches])
    first_frames = np.searchsorted(frame_bin, np.arange(count))
    observed = np.logical_and.reduceat(of_frame, first_frames, axis=0)
    has_pair = (observed.sum(axis=2) >= 2).any(axis=1)
    kept = has_pair[frame_bin]
    pairs = _pairs_seen_together(observed)
    if not len(pairs):
        raise NotApplicable(
            f"No two of the {len(names)} units are observed together for {step} frames in a row "
            "(methods.connectome.coarse_grain)."
        )
    known = observed[frame_bin]
    speed = np.where(known, np.concatenate([stretch.speed for stretch in stretches]), 0)[kept]
    sign = np.where(known, np.concatenate([stretch.sign for stretch in stretches]), 0)[kept]
    time = np.concatenate([stretch.time_s for stretch in stretches])[kept]
    source = np.concatenate([stretch.source_time_s for stretch in stretches])[kept]
    owner = np.concatenate(
        [np.full(len(stretch.time_s), stretch.recording) for stretch in stretches]
    )[kept]
    number = np.concatenate(
        [np.full(len(stretch.time_s), index) for index, stretch in enumerate(stretches)]
    )[kept]
    interval_s = np.array([stretch.interval_s for stretch in stretches])[number]
    old, frame_bin, first = _renumbered(frame_bin[kept])
    sizes = np.bincount(frame_bin)
    return Alignment(
        recording=np.array(recordings, dtype=str),
        unit=names,
        presence=presence,
        speed=speed.astype(np.float32),
        sign=sign.astype(np.int8),
        observed=observed[has_pair],
        frame_bin=frame_bin,
        frame_interval_s=interval_s,
        bin_linked=(np.diff(old) == 1) & (np.diff(number[first]) == 0),
        bin_time_s=np.bincount(frame_bin, time) / sizes,
        bin_recording=owner[first].astype(np.int64),
        source_time_s=np.add.reduceat(source, first, axis=0) / sizes[:, None],
        pairs=pairs,
        epochs=epochs,
        selection=selection,
        mode=mode,
        coarse_grain=step,
        bin_s=step * float(np.median([stretch.interval_s for stretch in stretches])),
    )


def _renumbered(
    frame_bin: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Old bins, new consecutive bins, and the first frame of each."""
    old, first, new = np.unique(frame_bin, return_index=True, return_inverse=True)
    return old, new.astype(np.int64), first


def _pairs_seen_together(observed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs of units that are observed at the same time anywhere, in upper-triangle order."""
    n_units = observed.shape[2]
    flat = observed.reshape(-1, n_units).astype(np.float32)
    together = flat.T @ flat > 0
    return np.argwhere(np.triu(together, k=1)).astype(np.int64)


def _frames_a_bin(stretches: Sequence[Stretch], *, n_units: int, config: ConnectomeConfig) -> int:
    """Frames to average, within what the filter and, where a table is made, memory allow."""
    rate_hz = 1 / float(np.median([stretch.interval_s for stretch in stretches]))
    fitting = max(1, int(config.sigma_s * rate_hz / 2))
    step = fitting if config.coarse_grain == "auto" else config.coarse_grain
    if config.engine != "tensorly":
        return step
    n_entries = sum(stretch.speed.shape[0] * stretch.speed.shape[1] for stretch in stretches)
    n_pairs = n_units * (n_units - 1) // 2
    megabytes = n_entries * n_pairs * 4 / 1e6
    needed = int(np.ceil(megabytes / config.max_tensor_mb))
    if config.coarse_grain == "auto":
        step = max(step, min(needed, max(1, int(4 * config.sigma_s * rate_hz))))
    if needed > step:
        raise NotApplicable(
            f"The table of affinities would take {megabytes / step:.0f} MB with {n_pairs} pairs "
            f"and {n_entries // step} frames of {step / rate_hz:.2g} s; the limit is "
            f"{config.max_tensor_mb} MB. Raise methods.connectome.max_tensor_mb (a fit needs four "
            "times as much memory) or methods.connectome.coarse_grain, select fewer units, or "
            "take methods.connectome.engine: compiled, which makes no table."
        )
    return step


def recording_rows(alignment: Alignment, index: int) -> tuple[slice | NDArray[np.int64], int]:
    """Where one recording stands in the table: its bins and its slot."""
    if alignment.side_by_side:
        return slice(None), index
    return np.flatnonzero(alignment.bin_recording == index), 0
