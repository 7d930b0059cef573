"""Which units and frames of several recordings go together, and the table of affinities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes, table
from pipeline.core.errors import NotApplicable
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.affinity import Speeds, geometric_affinity, shifted, speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.windows import (
    EPOCH_COLUMNS,
    Stretch,
    common_windows,
    cut_stretches,
    epochs_agree,
    epochs_mark_moments,
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
    """One slot a recording under ``by_epoch``, one for all under ``concatenate``."""
    observed: NDArray[np.bool_] = axes("frame", "slot", "unit")
    frame_bin: NDArray[np.int64] = axes("frame")
    bin_time_s: NDArray[np.float64] = axes("bin", unit="s")
    bin_recording: NDArray[np.int64] = axes("bin")
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AffinityTable:
    """Affinities of pairs over time, zero where not observed."""

    values: NDArray[np.float32] = axes("bin", "slot", "pair")
    observed: NDArray[np.bool_] = axes("bin", "slot", "pair")
    recording_scale: NDArray[np.float64] = axes("recording")
    """What each recording's affinities were multiplied with."""

    def __post_init__(self) -> None:
        check_axes(self)


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
                f"{int(np.ceil(needed))}."
            )
        infinite = np.isinf(view.values) & view.valid
        if infinite.any():
            frame, unit = np.argwhere(infinite)[0]
            raise NotApplicable(
                f"Recording {view.recording} holds {int(infinite.sum())} infinite samples, the "
                f"first of unit {view.unit[unit]} at {view.time[frame]:.3f} s."
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
    _refuse_repeated_names(views)
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
    else:
        stretches = whole_stretches(views, moved, columns)
        epochs = pd.concat(
            [
                view.epochs[["start_s", "stop_s", "label"]].assign(recording=view.recording)
                for view in views
            ],
            ignore_index=True,
        )
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


def affinity_table(alignment: Alignment, config: ConnectomeConfig) -> AffinityTable:
    """Affinities of all pairs, averaged over the frames of each bin.

    Raises
    ------
    NotApplicable
        If no two units are ever active together, or there are fewer entries than components.
    """
    n_bins, n_slots = alignment.bin_time_s.size, alignment.speed.shape[1]
    n_pairs = len(alignment.pairs)
    if config.rank > min(n_bins, n_pairs):
        raise NotApplicable(
            f"{config.rank} components were asked for, but there are only {n_bins} frames and "
            f"{n_pairs} pairs; set methods.connectome.rank to at most {min(n_bins, n_pairs)}."
        )
    values = np.zeros((n_bins, n_slots, n_pairs), dtype=np.float32)
    observed = np.zeros(values.shape, dtype=bool)
    starts = np.searchsorted(alignment.frame_bin, np.arange(n_bins + 1))
    step = max(1, 4_000_000 // n_pairs // alignment.coarse_grain)
    for slot in range(n_slots):
        for first in range(0, n_bins, step):
            bins = slice(first, min(first + step, n_bins))
            frames = slice(starts[bins.start], starts[bins.stop])
            seen = alignment.observed[frames, slot]
            both = seen[:, alignment.pairs[:, 0]] & seen[:, alignment.pairs[:, 1]]
            affinity = geometric_affinity(
                np.where(seen, alignment.speed[frames, slot], np.float32(0)), alignment.pairs
            )
            edges = starts[bins] - starts[bins.start]
            count = np.add.reduceat(both, edges, axis=0, dtype=np.float32)
            total = np.add.reduceat(affinity, edges, axis=0)
            values[bins, slot] = total / np.maximum(count, 1)
            observed[bins, slot] = count > 0
    if not values.any():
        raise NotApplicable(
            f"No two of the {alignment.unit.size} units are active at the same time; there is no "
            "affinity to factorise."
        )
    scale = _recording_scale(values, alignment, normed=config.animal_norm)
    return AffinityTable(values=values, observed=observed, recording_scale=scale)


def _refuse_repeated_names(views: Sequence[TraceEnsemble]) -> None:
    """A name that stands twice in a recording matches nothing."""
    for view in views:
        names, counts = np.unique(view.identity[view.identity != ""], return_counts=True)
        if (counts > 1).any():
            repeated = ", ".join(names[counts > 1][:5])
            raise NotApplicable(
                f"Recording {view.recording} has the unit names {repeated} more than once; names "
                "must be unique in a recording."
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
    fates["used units of recordings"] = int((columns >= 0).sum())
    fates["pooled units"] = len(names)
    selection = pd.DataFrame(
        {"what": pd.Series(list(fates), dtype="str"), "count": np.array(list(fates.values()))}
    )
    if len(names) < 3:
        lost = "; ".join(f"{what}: {count}" for what, count in fates.items() if count)
        raise NotApplicable(
            f"{len(names)} units are left, at least 3 are needed ({lost}). With several "
            f"recordings only units whose name occurs in at least {needed} of {len(views)} count."
        )
    return np.array(names, dtype=str), columns, selection


def _mode(views: Sequence[TraceEnsemble], config: ConnectomeConfig) -> str:
    """How these recordings share time."""
    agree, why_not = epochs_agree(views)
    if config.alignment == "by_epoch" and not agree:
        raise NotApplicable(f"Recordings cannot be aligned by epoch: {why_not}.")
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
    observed = np.concatenate([stretch.observed for stretch in stretches])
    presence_pairs = _pairs_seen_together(observed)
    step: int = _frames_a_bin(stretches, n_pairs=len(presence_pairs), config=config)
    bins, count = [], 0
    for stretch in stretches:
        bins.append(count + np.arange(len(stretch.time_s)) // step)
        count = int(bins[-1][-1]) + 1
    frame_bin = np.concatenate(bins)
    kept = _frames_with_pairs(observed, frame_bin)
    speed = np.concatenate([stretch.speed for stretch in stretches])[kept]
    time = np.concatenate([stretch.time_s for stretch in stretches])[kept]
    source = np.concatenate([stretch.source_time_s for stretch in stretches])[kept]
    owner = np.concatenate(
        [np.full(len(stretch.time_s), stretch.recording) for stretch in stretches]
    )[kept]
    _, frame_bin, first = _renumbered(frame_bin[kept])
    sizes = np.bincount(frame_bin)
    return Alignment(
        recording=np.array(recordings, dtype=str),
        unit=names,
        presence=presence,
        speed=speed.astype(np.float32),
        observed=observed[kept],
        frame_bin=frame_bin,
        bin_time_s=np.bincount(frame_bin, time) / sizes,
        bin_recording=owner[first].astype(np.int64),
        source_time_s=np.add.reduceat(source, first, axis=0) / sizes[:, None],
        pairs=presence_pairs,
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


def _frames_with_pairs(
    observed: NDArray[np.bool_], frame_bin: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Frames of bins in which at least one pair is observed."""
    has_pair = (observed.sum(axis=2) >= 2).any(axis=1)
    return (np.bincount(frame_bin, has_pair) > 0)[frame_bin]


def _frames_a_bin(stretches: Sequence[Stretch], *, n_pairs: int, config: ConnectomeConfig) -> int:
    """Frames to average, within what memory and the filter allow."""
    n_entries = sum(stretch.speed.shape[0] * stretch.speed.shape[1] for stretch in stretches)
    megabytes = n_entries * n_pairs * 4 / 1e6
    rate_hz = 1 / float(np.median([stretch.interval_s for stretch in stretches]))
    needed = int(np.ceil(megabytes / config.max_tensor_mb))
    if config.coarse_grain != "auto":
        step, most = config.coarse_grain, config.coarse_grain
    else:
        most = max(1, int(4 * config.sigma_s * rate_hz))
        step = max(1, int(config.sigma_s * rate_hz / 2), min(needed, most))
    if needed > step:
        raise NotApplicable(
            f"The table of affinities would take {megabytes / step:.0f} MB with {n_pairs} pairs "
            f"and {n_entries // step} frames of {step / rate_hz:.2g} s; the limit is "
            f"{config.max_tensor_mb} MB. Raise methods.connectome.max_tensor_mb (a fit needs four "
            "times as much memory) or methods.connectome.coarse_grain, or select fewer units."
        )
    return step


def _recording_scale(
    values: NDArray[np.float32], alignment: Alignment, *, normed: bool
) -> NDArray[np.float64]:
    """Scales each recording's affinities in place to one common norm; what each was scaled by."""
    n_recordings = alignment.recording.size
    places = [recording_rows(alignment, index) for index in range(n_recordings)]
    norms = np.array([np.linalg.norm(values[place].ravel()) for place in places])
    scale = np.ones(n_recordings)
    if normed and n_recordings > 1:
        scale[norms > 0] = norms[norms > 0].mean() / norms[norms > 0]
        for place, factor in zip(places, scale, strict=True):
            values[place] *= np.float32(factor)
    return scale


def recording_rows(alignment: Alignment, index: int) -> tuple[slice | NDArray[np.int64], int]:
    """Where one recording stands in the table: its bins and its slot."""
    if alignment.mode == "by_epoch":
        return slice(None), index
    return np.flatnonzero(alignment.bin_recording == index), 0
