"""What is odd about spike times: units of time, places in time, repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.intervals import count_inside, inside
from pipeline.core.notes import Note
from pipeline.core.recording import SpikeTrains
from pipeline.core.words import for_number

MAX_DUPLICATES = 0.001
"""Share of a unit's spikes that may stand twice."""
MAX_SPACING_S = 1e-3
"""Spike times stored coarser than this are told."""
MAX_RATE_HZ, MIN_RATE_HZ = 1000.0, 1e-4
"""Neurons fire neither faster nor, while recorded at all, more slowly."""
SLOW_RATE_HZ = 0.02
"""Slower than this, spike times far beyond the session are in another unit than seconds."""
FAR = 20.0
"""Spike times are far beyond the session from this multiple of its end."""
BEYOND = 1.5
"""Whole numbers are beyond the session from this multiple of its end."""
DAY_S = 86400.0
_N_FOR_WHOLE = 100
"""So many times that are all whole numbers are no coincidence."""
_N_FOR_RATE = 10
_LATE = 0.9
"""Share of a unit's spikes after which it is late; single stray spikes do not matter there."""


def check_scale(
    times: NDArray[np.float64],
    starts: NDArray[np.int64],
    *,
    session_end: float,
    stored: np.dtype[np.generic],
    place: str,
) -> tuple[Note, ...]:
    """Refuse times that cannot be seconds.

    Parameters
    ----------
    times, starts
        Spike times, those of each unit in ascending order, and where each unit's begin.
    session_end
        Latest time that anything else in the file tells, seconds; NaN where nothing does.
    stored
        Type of the numbers in the file.

    Raises
    ------
    DataError
        If times are whole numbers beyond the session, or rates are not those of neurons.
    """
    counts = np.diff(starts)
    active = counts >= _N_FOR_RATE
    if not active.any():
        return ()
    first = starts[:-1][active]
    at = first + (_LATE * counts[active]).astype(np.int64)
    late = float(np.median(times[at]))
    with np.errstate(divide="ignore"):
        rates = (at - first) / (times[at] - times[first])
    rate = float(np.median(rates))
    known = np.isfinite(session_end) and session_end > 0
    far = known and late > FAR * session_end and rate < SLOW_RATE_HZ
    whole = times.size >= _N_FOR_WHOLE and _all_whole(times)
    beyond = late > BEYOND * session_end if known else stored.kind in "iu"
    if whole and (beyond or late > DAY_S):
        raise _other_unit(times, late, session_end=session_end, whole=True, place=place)
    if far:
        raise _other_unit(times, late, session_end=session_end, whole=False, place=place)
    fastest = float(np.max(rates[counts[active] >= _N_FOR_WHOLE], initial=0.0))
    if fastest > MAX_RATE_HZ or rate < MIN_RATE_HZ:
        wrong = fastest if fastest > MAX_RATE_HZ else rate
        raise DataError(
            code="IN-S08",
            place=place,
            found=f"spike times are not in seconds: a unit would fire at {wrong:.3g} Hz, and "
            f"neurons fire at {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz",
            fix="write spike times in seconds: divide sample numbers by the sampling rate, "
            "milliseconds by 1000; multiply minutes by 60, hours by 3600",
        )
    if whole and not known:
        text = (
            f"All {times.size} spike times are whole numbers. They were read as seconds; if they "
            "are sample numbers or milliseconds, divide them by the sampling rate or by 1000."
        )
        return (Note(code="IN-S08", kind="warn", place=place, text=text),)
    return ()


def _all_whole(times: NDArray[np.float64]) -> bool:
    step = 2**20
    blocks = (times[first : first + step] for first in range(0, times.size, step))
    return all(bool(np.all(block == np.floor(block))) for block in blocks)


def _other_unit(
    times: NDArray[np.float64], late: float, *, session_end: float, whole: bool, place: str
) -> DataError:
    kind = "whole numbers" if whole else "large numbers"
    found = f"spike times are not in seconds: they are {kind} up to {times.max():.6g}"
    if not np.isfinite(session_end):
        return DataError(
            code="IN-S08",
            place=place,
            found=f"{found}, which is {times.max() / 3600:.3g} h if taken as seconds",
            fix="write spike times in seconds: divide sample numbers by the sampling rate, "
            "milliseconds by 1000",
        )
    ratio = late / session_end
    if ratio <= BEYOND:
        likely = "sample numbers, as all times of the file"
        fix = "divide them, and all other times, by the sampling rate"
    elif ratio > 200_000:
        likely, fix = "microseconds", "divide by 1000000"
    elif ratio > 2500:
        likely = "sample numbers"
        fix = f"divide by the sampling rate (at least {ratio:.3g} per second)"
    elif ratio > FAR:
        likely, fix = "milliseconds", "divide by 1000"
    else:
        likely, fix = "numbers of frames or bins", "divide by frames or bins per second"
    return DataError(
        code="IN-S08",
        place=place,
        found=f"{found}, while the session ends at {session_end:.6g} s: likely {likely}",
        fix=f"write spike times in seconds: {fix}",
    )


def odd_times(trains: SpikeTrains, *, ids: Sequence[str], place: str) -> tuple[Note, ...]:
    """Remarks on units without spikes and on spikes that are early, outside or stand twice."""
    return (
        _few_units(trains, place=place.rsplit("/", 1)[0])
        + _silent(trains, ids=ids, place=place)
        + _negative(trains, place=place)
        + _outside(trains, place=place)
        + _duplicates(trains, ids=ids, place=place)
    )


def _few_units(trains: SpikeTrains, *, place: str) -> tuple[Note, ...]:
    if trains.n_units > 1:
        return ()
    text = "There is one unit; methods that look at populations are not applicable."
    return (Note(code="IN-S02", kind="warn", place=place, text=text),)


def _silent(trains: SpikeTrains, *, ids: Sequence[str], place: str) -> tuple[Note, ...]:
    silent = np.flatnonzero(trains.n_spikes == 0)
    if not silent.size:
        return ()
    text = (
        f"{silent.size} of {trains.n_units} units {for_number(silent.size, '[has|have]')} no "
        f"spikes ({_named([ids[unit] for unit in silent.tolist()])})."
    )
    return (Note(code="IN-S03", kind="warn", place=place, text=text),)


def _negative(trains: SpikeTrains, *, place: str) -> tuple[Note, ...]:
    counts = [int(np.searchsorted(own, 0.0)) for own in _by_unit(trains)]
    if not any(counts):
        return ()
    text = (
        f"{sum(counts)} of {trains.times.size} spike times "
        f"{for_number(sum(counts), '[is|are]')} negative; the least is "
        f"{trains.times.min():.6g} s."
    )
    return (Note(code="IN-S05", kind="warn", place=place, text=text),)


def _outside(trains: SpikeTrains, *, place: str) -> tuple[Note, ...]:
    n_outside, first = 0, np.inf
    for unit, own in enumerate(_by_unit(trains)):
        observed = trains.observed_of(unit)
        n_own = own.size - count_inside(own, observed)
        if n_own:
            n_outside += n_own
            first = min(first, float(own[np.argmin(inside(own, observed))]))
    if not n_outside:
        return ()
    begin, end = trains.observed[0, 0], trains.observed[-1, 1]
    text = (
        f"{n_outside} of {trains.times.size} spikes {for_number(n_outside, '[lies|lie]')} outside "
        f"the observed intervals ({begin:.6g} s to {end:.6g} s); the first at {first:.6g} s."
    )
    return (Note(code="IN-S07", kind="warn", place=place, text=text),)


def _duplicates(trains: SpikeTrains, *, ids: Sequence[str], place: str) -> tuple[Note, ...]:
    counts = np.array([np.count_nonzero(own[1:] == own[:-1]) for own in _by_unit(trains)])
    many = np.flatnonzero(counts > MAX_DUPLICATES * trains.n_spikes)
    if not many.size:
        return ()
    text = (
        f"Duplicate spikes: in {many.size} of {trains.n_units} units more than "
        f"{100 * MAX_DUPLICATES:.1f} % of the spikes have the same time as the one before, "
        f"{counts[many].sum()} in all ({_named([ids[unit] for unit in many.tolist()])})."
    )
    return (Note(code="IN-S10", kind="warn", place=place, text=text),)


def resolution_note(latest: float, *, stored: np.dtype[np.generic], place: str) -> tuple[Note, ...]:
    """A remark where the type of the stored numbers is too coarse for the latest times."""
    if stored.kind != "f" or not np.isfinite(stored.type(latest)):
        return ()
    spacing = float(np.spacing(stored.type(latest)))
    if spacing <= MAX_SPACING_S:
        return ()
    text = (
        f"Spike times are stored as {stored}, whose numbers are {1e3 * spacing:.3g} ms apart at "
        f"{latest:.6g} s; finer timing is lost."
    )
    return (Note(code="IN-S15", kind="warn", place=place, text=text),)


def _by_unit(trains: SpikeTrains) -> Iterator[NDArray[np.float64]]:
    return (trains.of_unit(unit) for unit in range(trains.n_units))


def _named(ids: Sequence[str]) -> str:
    listed = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
    return f"{'unit' if len(ids) == 1 else 'units'} {listed}"
