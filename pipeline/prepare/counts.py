"""Spikes, or inferred events, of a recording as counts in bins of equal width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import check_room
from pipeline.core.axes import axes, check_axes
from pipeline.core.errors import NotApplicable
from pipeline.core.intervals import union
from pipeline.core.provenance import Provenance
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.views import SpikeCounts
from pipeline.core.words import counted
from pipeline.prepare.config import CountsConfig
from pipeline.prepare.covariates import binned_behaviour
from pipeline.prepare.left_out import good_units

BYTES_A_COUNT = 24
"""A count, the seconds in which the unit was seen, and copies in smaller types."""

LEAST_EXPOSURE = 0.5
"""Share of a bin in which a unit must have been seen; with less the entry counts as missing."""

LEAST_BINS_A_PIECE = 20
"""Epochs that cut a recording into shorter pieces than this (median) mark no joins."""


def spike_counts(recording: Recording, config: CountsConfig, provenance: Provenance) -> SpikeCounts:
    """The good units of a recording as counts.

    Bins start with each stretch of time in which the recording ran without a break; what is left
    of a stretch after its last whole bin is left out.

    Parameters
    ----------
    recording
        One recording with spike times, or with inferred events.
    config
        Width of the bins and where stretches end.
    provenance
        What the stage knows about how the view comes about.

    Raises
    ------
    NotApplicable
        If the recording holds neither, or no unit is usable, or no bin fits.
    """
    good = good_units(recording)
    activity, chosen = recording.activity, np.flatnonzero(good)
    observed = activity.observed if isinstance(activity, SpikeTrains) else _sampled_in(activity)
    bins = _bins(observed, recording.epochs, config, n_units=chosen.size)
    if not bins.start_s.size:
        raise NotApplicable(
            f"No stretch of recording {recording.id} is as long as a bin of "
            f"{config.bin_width_s:g} s; a smaller prepare.counts.bin_width_s may help."
        )
    if isinstance(activity, SpikeTrains):
        counts, exposure_s = _of_spikes(activity, chosen, bins)
        source, conversion = "spikes", ""
    else:
        counts, exposure_s, conversion = _of_events(
            recording.id, activity, chosen, bins, config, recording.delay_s[chosen]
        )
        source = "events"
    units = recording.units.loc[good]
    names, behaviour = binned_behaviour(recording.behaviour, bins.start_s, bins.stop_s)
    seen = exposure_s >= LEAST_EXPOSURE * config.bin_width_s * (1 - 1e-9)
    return SpikeCounts(
        recording=recording.id,
        time_s=bins.start_s,
        counts=np.where(seen, counts, 0).astype(np.int32),
        observed=seen,
        exposure_s=np.where(seen, exposure_s, 0.0).astype(np.float32),
        segment=bins.segment,
        unit=units["unit_id"].astype(str).to_numpy(dtype=str),
        region=units["region"].fillna("").astype(str).to_numpy(dtype=str),
        epochs=_named(recording.epochs, "label"),
        trials=_named(recording.trials, "condition"),
        left_out=_left_out(recording.units, bins),
        covariate=names if names.size else None,
        behaviour=behaviour if names.size else None,
        bin_s=config.bin_width_s,
        source=source,
        conversion=conversion,
        cut_at=bins.cut_at,
        provenance=provenance,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bins:
    """Where bins lie, and what they do not cover."""

    start_s: NDArray[np.float64] = axes("time_bin", unit="s")
    stop_s: NDArray[np.float64] = axes("time_bin", unit="s")
    """The very number at which the next bin of a stretch starts: no spike counts twice."""
    segment: NDArray[np.int32] = axes("time_bin")
    width_s: float
    lost_s: float
    """Observed time after the last whole bins."""
    cut_at: str

    def __post_init__(self) -> None:
        check_axes(self)


def _bins(
    observed: NDArray[np.float64], epochs: pd.DataFrame, config: CountsConfig, *, n_units: int
) -> _Bins:
    """Whole bins in every stretch, numbered by stretch.

    Raises
    ------
    EnvironmentFault
        If what is counted in so many bins would not fit in memory (RN-R03).
    """
    width_s = config.bin_width_s
    stretches = union(observed)
    most = int(np.diff(stretches, axis=1).sum() / width_s)
    check_room(
        BYTES_A_COUNT * most * n_units,
        what=f"counts of {counted(n_units, 'unit')} in {most} bins of {width_s:g} s",
        fix="raise prepare.counts.bin_width_s",
    )
    pieces = _cut(stretches, epochs)
    cut_at = config.cut_at
    if cut_at == "auto":
        median_s = float(np.median(np.diff(pieces, axis=1))) if len(pieces) else 0.0
        cut_at = "epochs" if median_s >= LEAST_BINS_A_PIECE * width_s else "gaps"
    if cut_at == "epochs":
        stretches = pieces
    edges, lost_s = [], 0.0
    for start, stop in stretches:
        n_bins = int(np.floor((stop - start) / width_s * (1 + 1e-9)))
        lost_s += max(0.0, float(stop - start) - n_bins * width_s)
        if n_bins:
            edges.append(start + width_s * np.arange(n_bins + 1))
    sizes = [each.size - 1 for each in edges]
    return _Bins(
        start_s=np.concatenate([np.empty(0), *(each[:-1] for each in edges)]),
        stop_s=np.concatenate([np.empty(0), *(each[1:] for each in edges)]),
        segment=np.repeat(np.arange(len(edges), dtype=np.int32), sizes),
        width_s=width_s,
        lost_s=lost_s,
        cut_at=cut_at,
    )


def _cut(stretches: NDArray[np.float64], epochs: pd.DataFrame) -> NDArray[np.float64]:
    """Stretches cut where an epoch starts or stops."""
    borders = np.unique(epochs[["start_s", "stop_s"]].to_numpy(dtype=np.float64))
    pieces = []
    for start, stop in stretches:
        inner = borders[(borders > start) & (borders < stop)]
        edges = np.concatenate([[start], inner, [stop]])
        pieces.append(np.stack([edges[:-1], edges[1:]], axis=1))
    return np.concatenate(pieces) if pieces else np.empty((0, 2))


def _of_spikes(
    trains: SpikeTrains, chosen: NDArray[np.intp], bins: _Bins
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Spikes, and seconds in which the unit was seen, each of shape (time_bin, unit)."""
    counts = np.empty((bins.start_s.size, chosen.size), dtype=np.int64)
    exposure_s = np.empty(counts.shape)
    for column, unit in enumerate(chosen):
        times = trains.of_unit(int(unit))
        counts[:, column] = np.searchsorted(times, bins.stop_s) - np.searchsorted(
            times, bins.start_s
        )
        exposure_s[:, column] = _overlap_s(union(trains.observed_of(int(unit))), bins)
    return counts, exposure_s


def _overlap_s(stretches: NDArray[np.float64], bins: _Bins) -> NDArray[np.float64]:
    """Seconds of each bin that lie in the stretches, shape (time_bin,)."""
    if not len(stretches):
        return np.zeros(bins.start_s.size)
    edges = stretches.ravel()
    seen = np.concatenate([[0.0], np.cumsum(np.diff(edges) * (np.arange(edges.size - 1) % 2 == 0))])
    # Stretches that touch share an edge; the course of seconds seen is continuous there.
    until = np.interp(bins.stop_s, edges, seen)
    overlap: NDArray[np.float64] = until - np.interp(bins.start_s, edges, seen)
    return overlap


def _sampled_in(activity: SampledActivity) -> NDArray[np.float64]:
    """Stretches between gaps in the samples, each sample lasting one interval."""
    interval = 1 / activity.rate_hz
    after = np.flatnonzero(np.diff(activity.time) > 1.5 * interval) + 1
    first = np.concatenate([[0], after])
    last = np.concatenate([after, [activity.time.size]]) - 1
    return np.stack([activity.time[first], activity.time[last] + interval], axis=1)


def _of_events(
    name: str,
    activity: SampledActivity,
    chosen: NDArray[np.intp],
    bins: _Bins,
    config: CountsConfig,
    delay_s: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], str]:
    """Inferred events as whole numbers, seconds seen, and the conversion in words.

    A unit's events are measured in its own typical one, the median of all that are not 0, and
    their sums in a bin are rounded.
    """
    if activity.signal != "events":
        raise NotApplicable(
            f"This method needs spike times or inferred events; recording {name} holds "
            f"{activity.signal}. Store deconvolved activity in the file, and name that series."
        )
    counts = np.zeros((bins.start_s.size, chosen.size), dtype=np.int64)
    exposure_s = np.zeros(counts.shape)
    interval = 1 / activity.rate_hz
    places = {
        delay: _bins_of_samples(activity.time + delay, bins, slack_s=1e-6 * interval)
        for delay in np.unique(delay_s)
    }
    for column, values, valid in _one_by_one(activity, chosen):
        at, inside = places[delay_s[column]]
        used = valid & inside
        events = np.where(used, values, 0.0)
        if np.any(events < 0):
            raise NotApplicable(
                f"Recording {name} holds negative events (unit {column}: "
                f"{float(events.min()):.3g}); deconvolved activity is never below 0. Name another "
                "in column 'series' of the sheet."
            )
        typical = float(np.median(events[events > 0])) if np.any(events > 0) else 1.0
        size = typical if config.event_size == "median" else config.event_size
        sums = np.bincount(at[used], weights=events[used], minlength=bins.start_s.size)
        counts[:, column] = np.rint(sums / size)
        seconds = np.bincount(at[used], minlength=bins.start_s.size) * interval
        exposure_s[:, column] = np.minimum(seconds, bins.width_s)
    size_words = (
        "each unit's median event"
        if config.event_size == "median"
        else f"{config.event_size:g} {activity.value_unit}"
    )
    return (
        counts,
        exposure_s,
        f"inferred events summed in bins, in units of {size_words}, and rounded; they are no "
        "spikes, and scores count bits an event",
    )


def _bins_of_samples(
    time: NDArray[np.float64], bins: _Bins, *, slack_s: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The bin in which each sample begins, shape (time,), and whether it begins in one."""
    at = np.searchsorted(bins.start_s, time + slack_s, side="right") - 1
    return at, (at >= 0) & (time < bins.stop_s[np.maximum(at, 0)] - slack_s)


def _one_by_one(
    activity: SampledActivity, chosen: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
    """Place, values and validity of each chosen unit."""
    for places, values, valid in activity.traces(chosen):
        for index, place in enumerate(places):
            yield int(place), values[:, index].astype(np.float64), valid[:, index]


def _named(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Intervals in order of time, with one column of names."""
    shown = table[["start_s", "stop_s", column]].copy()
    shown[column] = shown[column].fillna("").astype(str)
    return shown.sort_values(["start_s", "stop_s"], kind="stable").reset_index(drop=True)


def _left_out(units: pd.DataFrame, bins: _Bins) -> pd.DataFrame:
    """Units not used, by reason, and seconds that no bin covers."""
    bad = units.loc[~units["good"].to_numpy(dtype=bool), "reason"].astype(str)
    reasons = bad.value_counts().sort_index()
    rows = [("unit", int(count), str(reason)) for reason, count in reasons.items()]
    lost = round(bins.lost_s)
    if lost:
        rows.append(("second", lost, "after the last whole bin of a stretch"))
    return pd.DataFrame(
        {
            "what": pd.Series([row[0] for row in rows], dtype="str"),
            "count": np.array([row[1] for row in rows], dtype=np.int64),
            "reason": pd.Series([row[2] for row in rows], dtype="str"),
        }
    )
