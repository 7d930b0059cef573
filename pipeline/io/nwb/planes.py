"""Several series as one population: the planes of one recording."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import Survey, child
from pipeline.io.nwb.rois import roi_table
from pipeline.io.nwb.traces import Candidate, listed
from pipeline.io.nwb.values import checked_timestamps

_RATE_SLACK = 1e-3
"""Relative difference of rates that is the clock's and not the scanner's."""


def why_apart(contents: Survey, series: Sequence[Candidate]) -> str:
    """Why series are not planes of one population; empty where nothing speaks against it.

    Only structure and timestamps are asked: samples are not read.
    """
    if len({one.signal for one in series}) > 1:
        return "they are different signals: " + ", ".join(
            f"{one.item.name} is {one.signal}" for one in series
        )
    units = sorted({one.unit for one in series})
    if len(units) > 1:
        return f"their samples have different units: {', '.join(map(repr, units))}"
    colours = {(one.plane.indicator, one.plane.channels) for one in series}
    if len(colours) > 1:
        return "they show different optical channels or indicators: " + "; ".join(
            f"{one.item.name} ({one.plane.words()})" for one in series
        )
    shared = _shared_rois(contents, series)
    if shared:
        return shared
    rates = np.array([one.rate_hz for one in series])
    if not np.all(np.abs(rates - rates[0]) <= _RATE_SLACK * np.abs(rates[0])):
        return "their rates differ: " + ", ".join(f"{rate:.6g} Hz" for rate in rates)
    stamped = [_timestamps(one) for one in series]
    times = [time for time in stamped if time is not None and time.size > 1]
    return _why_not_one_clock(series, times) if len(times) == len(series) else ""


def common_clock(
    series: Sequence[Candidate], times: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], tuple[float, ...]]:
    """Sample times that planes share, and how much later each plane is sampled.

    A plane of a volume is scanned a little after the one before it; the times are those of the
    first series. The last frame of some planes may be missing where scanning was stopped within
    a volume; it is then left out of the others.

    Returns
    -------
    Times in seconds, shape (time,), and one median offset in seconds a series.

    Raises
    ------
    DataError
        If series differ by more than one frame, or are at some time a frame or more apart.
    """
    reason = _why_not_one_clock(series, times)
    if reason:
        raise _apart(series, reason)
    n_common = min(one.size for one in times)
    first = times[0][:n_common]
    return first, tuple(float(np.median(time[:n_common] - first)) for time in times)


def _why_not_one_clock(series: Sequence[Candidate], times: Sequence[NDArray[np.float64]]) -> str:
    sizes = [one.size for one in times]
    n_common = min(sizes)
    if max(sizes) - n_common > 1:
        return "their numbers of frames differ: " + ", ".join(map(str, sizes))
    first = times[0][:n_common]
    frame_s = float(np.median(np.diff(first)))
    for one, time in zip(series, times, strict=True):
        later = time[:n_common] - first
        worst = int(np.abs(later).argmax())
        if abs(later[worst]) >= frame_s:
            return (
                f"{one.item.name} is sampled {later[worst]:.4g} s after {series[0].item.name} at "
                f"frame {worst}, which is not within one frame of {frame_s:.4g} s"
            )
    return ""


def _timestamps(one: Candidate) -> NDArray[np.float64] | None:
    """Timestamps of a series; None where it has none that could be used."""
    try:
        timestamps = child(one.item.group, "timestamps")
        return checked_timestamps(timestamps) if isinstance(timestamps, h5py.Dataset) else None
    except DataError:
        return None  # its own reader says what is wrong with them


def check_planes(contents: Survey, series: Sequence[Candidate]) -> None:
    """Refuse series that are not planes of one population.

    Raises
    ------
    DataError
        With the reason.
    """
    reason = why_apart(contents, series)
    if reason:
        raise _apart(series, reason)


def _shared_rois(contents: Survey, series: Sequence[Candidate]) -> str:
    """Words on two series that show the same ROIs, or do not say which."""
    known = []
    for one in series:
        try:
            table, rows, _ = roi_table(contents, one.item)
        except DataError as error:
            return f"{one.item.name} does not tell its ROIs: {error.found}"
        if table is None or rows is None:
            return f"{one.item.name} names no table of ROIs"
        known.append((one, table.path, set(rows.tolist())))
    for (one, table_a, rows_a), (other, table_b, rows_b) in combinations(known, 2):
        if table_a == table_b and rows_a & rows_b:
            return (
                f"{one.item.name} and {other.item.name} show the same ROIs of {table_a}, so they "
                "are channels or versions of one signal and not planes"
            )
    return ""


def _apart(series: Sequence[Candidate], reason: str) -> DataError:
    return DataError(
        code="IN-C35",
        place=series[0].item.parent_path,
        found=f"these series cannot be read as one population, as {reason}: {listed(series)}",
        fix="name one of them in column 'series' of the sheet, or only planes that were scanned "
        "together",
    )
