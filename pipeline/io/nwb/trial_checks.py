"""Whether trials lie where activity was recorded, and what is odd about their times and repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.words import for_number
from pipeline.io.nwb.labels import with_counts

Kind = Literal["info", "warn"]

UNITS_OF_TIME = (("milliseconds", 1e3), ("microseconds", 1e6))
"""What times that do not fit are tried as, with their number in a second."""
MIN_INSIDE = 0.5
"""With a smaller share of trials inside the recording, the clocks do not agree."""
FAIR_PART = 0.1
"""Trials take at least this part of a recording; in a wrong unit of time they would not."""
OVERLAP_S = 1e-3
"""Trials may overlap by this much: rounding of their times."""
SAME_LENGTH = 0.05
"""Durations that differ by less than this share of their median count as equal."""
MIN_REPEATS = 2
"""Conditions with fewer trials tell nothing about reliability."""


def placed_trials(
    trials: pd.DataFrame, recorded: NDArray[np.float64], *, told: bool, place: str
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """The trials that lie in the recording, and remarks on those that do not or only in part.

    Parameters
    ----------
    trials
        Table with ``start_s``, ``stop_s`` and ``condition``.
    recorded
        Stretches in which activity was recorded, shape (interval, 2), in order.
    told
        Whether the file says so; where spikes alone suggest it, no trial is left out.
    place
        HDF5 path of the table.

    Raises
    ------
    DataError
        If fewer than half of the trials lie in the recording.
    """
    if not len(trials):
        return trials, ()
    times = trials[["start_s", "stop_s"]].to_numpy(dtype=np.float64)
    met = _meets(times, recorded)
    likely = next((one for one in UNITS_OF_TIME if _fits(times / one[1], recorded)), None)
    span = f"{recorded[0, 0]:.6g} s to {recorded[-1, 1]:.6g} s"
    if met.mean() < MIN_INSIDE and (told or likely):
        unit, number = likely or ("another unit or on another clock", 1.0)
        raise DataError(
            code="IN-T04",
            place=place,
            found=f"{met.size - met.sum()} of {met.size} trials lie outside the recording "
            f"({span}); the first starts at {times[:, 0].min():.6g} and the last stops at "
            f"{times[:, 1].max():.6g}: likely in {unit}",
            fix=f"divide start_time and stop_time by {number:g}"
            if likely
            else "write start_time and stop_time in seconds on the clock of the activity",
        )
    notes: tuple[Note, ...] = ()
    outside = list(trials["condition"][~met])
    if outside and told:
        text = (
            f"{len(outside)} of {met.size} trials "
            f"{for_number(len(outside), '[lies|lie]')} outside the recording ({span}) and "
            f"{for_number(len(outside), '[was|were]')} left out; by condition: "
            f"{with_counts(outside)}."
        )
        notes += (Note(code="IN-T05", kind="repair", place=place, text=text),)
        trials, times = trials[met].reset_index(drop=True), times[met]
    elif outside:
        text = (
            f"{len(outside)} of {met.size} trials {for_number(len(outside), '[lies|lie]')} where "
            f"no unit fires, outside {span}; the file does not say when units were observed, so "
            f"{for_number(len(outside), '[it is|they are]')} kept. By condition: "
            f"{with_counts(outside)}."
        )
        notes += (Note(code="IN-T05", kind="warn", place=place, text=text),)
    if told:
        notes += _partly(times, recorded, place=place)
    return trials, notes


def _fits(times: NDArray[np.float64], recorded: NDArray[np.float64]) -> bool:
    """Whether trials would lie in the recording and take a fair part of it."""
    span = recorded[-1, 1] - recorded[0, 0]
    fair = times[:, 1].max() - times[:, 0].min() >= FAIR_PART * span
    return bool(fair and _meets(times, recorded).mean() >= MIN_INSIDE)


def _meets(times: NDArray[np.float64], recorded: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which intervals share time with a stretch; one of no length must lie in one."""
    start, stop = times[:, 0], times[:, 1]
    points = start == stop
    begun = np.where(
        points,
        np.searchsorted(recorded[:, 0], stop, side="right"),
        np.searchsorted(recorded[:, 0], stop, side="left"),
    )
    over = np.where(
        points,
        np.searchsorted(recorded[:, 1], start, side="left"),
        np.searchsorted(recorded[:, 1], start, side="right"),
    )
    met: NDArray[np.bool_] = begun > over
    return met


def _partly(
    times: NDArray[np.float64], recorded: NDArray[np.float64], *, place: str
) -> tuple[Note, ...]:
    first = np.maximum(np.searchsorted(recorded[:, 0], times[:, 0] + OVERLAP_S, "right") - 1, 0)
    last = np.maximum(np.searchsorted(recorded[:, 0], times[:, 1] - OVERLAP_S, "right") - 1, 0)
    gaps = np.append(0, np.cumsum(recorded[1:, 0] - recorded[:-1, 1] > OVERLAP_S))
    cut = (
        (times[:, 0] < recorded[first, 0] - OVERLAP_S)
        | (times[:, 1] > recorded[last, 1] + OVERLAP_S)
        | (gaps[first] != gaps[last])
    )
    rows = np.flatnonzero(cut)
    if not rows.size:
        return ()
    text = (
        f"{rows.size} of {len(times)} trials {for_number(rows.size, '[lies|lie]')} partly outside "
        f"what was recorded ({_rows(rows)}); {for_number(rows.size, '[it is|they are]')} kept."
    )
    return (Note(code="IN-T05", kind="warn", place=place, text=text),)


def odd_trials(trials: pd.DataFrame, *, place: str) -> tuple[Note, ...]:
    """Remarks on trials that overlap, are unequally long or unequally often.

    Parameters
    ----------
    trials
        Table with ``start_s``, ``stop_s`` and ``condition``.
    """
    if not len(trials):
        return ()
    return (
        _overlaps(trials, place=place)
        + _repeats(list(trials["condition"]), place=place)
        + _durations(trials, place=place)
    )


def _overlaps(trials: pd.DataFrame, *, place: str) -> tuple[Note, ...]:
    order = np.argsort(trials["start_s"].to_numpy(), kind="stable")
    start, stop = (trials[name].to_numpy()[order] for name in ("start_s", "stop_s"))
    shared = np.maximum.accumulate(stop)[:-1] - start[1:]
    rows = order[1:][shared > OVERLAP_S]
    if not rows.size:
        return ()
    text = (
        f"{rows.size} of {len(trials)} trials {for_number(rows.size, '[begins|begin]')} before "
        f"another one stops ({_rows(rows)}): "
        f"trials overlap by up to {shared.max():.4g} s."
    )
    return (Note(code="IN-T06", kind="warn", place=place, text=text),)


def _repeats(conditions: Sequence[str], *, place: str) -> tuple[Note, ...]:
    counts = Counter(conditions).values()
    least, most = min(counts), max(counts)
    if least == most:
        return ()
    kind: Kind = "warn" if least < max(MIN_REPEATS, most / 2) else "info"
    text = (
        f"Unequal repeats: {least} to {most} trials per condition. Conditions and trials: "
        f"{with_counts(conditions)}."
    )
    if least < MIN_REPEATS:
        text += (
            f" With fewer than {MIN_REPEATS}, nothing can be said on how reliable responses are."
        )
    return (Note(code="IN-T07", kind=kind, place=place, text=text),)


def _durations(trials: pd.DataFrame, *, place: str) -> tuple[Note, ...]:
    length = (trials["stop_s"] - trials["start_s"]).to_numpy()
    middle = float(np.median(length))
    if np.ptp(length) <= max(OVERLAP_S, SAME_LENGTH * middle):
        return ()
    text = (
        f"Trials last {length.min():.4g} s to {length.max():.4g} s (median {middle:.4g} s); what "
        f"is compared between trials ends with the shortest, {length.min():.4g} s."
    )
    # Where nothing is repeated, or all trials are of one kind, nothing is compared by condition.
    n_conditions = len(set(trials["condition"]))
    kind: Kind = "warn" if 1 < n_conditions < len(trials) else "info"
    return (Note(code="IN-T09", kind=kind, place=place, text=text),)


def _rows(rows: NDArray[np.intp]) -> str:
    listed = ", ".join(map(str, sorted(rows.tolist())[:10]))
    more = f", and {rows.size - 10} more" if rows.size > 10 else ""
    return f"{for_number(rows.size, 'row[|s]')} {listed}{more}"
