"""Units as they are: typical ones, the least clear ones that are used, and some that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Line, Lines
from pipeline.core.quality import MEASURES, Grades
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.words import counted
from pipeline.prepare.binned import bin_activity
from pipeline.report.overview import dividing, signal_words, stretches, unit_labels
from pipeline.report.unit_quality import shown_value

TYPICAL, DOUBTFUL, UNUSED = 0, 1, 2
"""Groups of examples; each has its colour."""
EXAMPLES = {TYPICAL: 2, DOUBTFUL: 2, UNUSED: 2}
MOST_RECORDINGS = 10
"""Recordings whose units are shown."""
TRACE_BINS = 200
RATE_BINS = 120
JUDGED_BY = {"calcium": "snr", "spikes": "rate_hz"}
"""The number by which a unit is typical, or among the least clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A unit to be shown."""

    unit: int
    group: int
    words: str


def example_units(recording: Recording, grades: Grades, *, n_recordings: int = 1) -> list[Figure]:
    """The figure with examples from one of so many recordings; none where nothing was graded."""
    chosen = choose(recording, grades)
    if not chosen:
        return []
    activity = recording.activity
    names = unit_labels(recording, n_recordings=n_recordings)
    units = np.array([example.unit for example in chosen])
    panels = (
        _trace_panels(activity, units)
        if isinstance(activity, SampledActivity)
        else _rate_panels(activity, units)
    )
    told = dividing(stretches(recording), activity.span_s)
    drawn = tuple(
        Lines(
            title=f"{names[example.unit]}: {example.words}",
            x=x,
            lines=(
                Line(name=names[example.unit], y=y, lower=low, upper=high, group=example.group),
            ),
            x_title="Time (s)",
            y_title=_y_title(activity),
            spans=told,
        )
        for example, (x, y, low, high) in zip(chosen, panels, strict=True)
    )
    counts = {
        group: sum(example.group == group for example in chosen)
        for group in (TYPICAL, DOUBTFUL, UNUSED)
    }
    return [
        Figure(
            id=f"examples-{recording.id}",
            title=f"Units of {recording.id}",
            finding=_finding(grades, recording.kind),
            caption=_caption(activity, counts),
            alt=f"Activity over time of {len(chosen)} units: {counts[TYPICAL]} typical, "
            f"{counts[DOUBTFUL]} least clear, {counts[UNUSED]} not used.",
            panels=drawn,
            columns=2,
        )
    ]


def choose(recording: Recording, grades: Grades) -> tuple[Example, ...]:
    """Units that stand for the others: nearest the median, then doubtful, then not used."""
    units = grades.units
    if not units:
        return ()
    measure = JUDGED_BY[recording.kind]
    good = np.array(units["good"], dtype=bool)
    value = np.array(
        [
            np.nan if cell is None else float(cell)
            for cell in units.get(measure, (None,) * good.size)
        ]
    )
    remarks = [str(cell) for cell in units["remarks"]]
    without = good & np.array([not remark for remark in remarks], dtype=bool)
    clean = np.flatnonzero(without if without.any() else good)
    known = clean[np.isfinite(value[clean])] if np.isfinite(value[clean]).any() else clean
    middle = np.median(value[known]) if known.size else 0.0
    distance = np.nan_to_num(np.abs(value[known] - middle))
    typical = known[np.argsort(distance, kind="stable")][: EXAMPLES[TYPICAL]]

    def fact(unit: int) -> str:
        number = shown_value(measure, units.get(measure, (None,) * good.size)[unit])
        if number is None:
            return f"{MEASURES[measure].title} not known"
        return f"SNR {number:.3g}" if measure == "snr" else f"{number:.3g} Hz"

    found = [Example(unit=int(u), group=TYPICAL, words=f"typical, {fact(u)}") for u in typical]
    others = np.setdiff1d(np.flatnonzero(good), typical)
    doubtful = _by_remark(others, remarks)[: EXAMPLES[DOUBTFUL]]
    found += [Example(unit=u, group=DOUBTFUL, words=f"{remarks[u]}, {fact(u)}") for u in doubtful]
    rest = [
        int(u)
        for u in known[np.argsort(value[known], kind="stable")]
        if u not in {*typical, *doubtful}
    ]
    lowest = "lowest SNR used" if measure == "snr" else "lowest rate used"
    for unit in rest[: EXAMPLES[DOUBTFUL] - len(doubtful)]:
        found.append(Example(unit=unit, group=DOUBTFUL, words=f"{lowest}, {fact(unit)}"))
    reasons = [str(cell) for cell in units["reason"]]
    for unit in _by_remark(np.flatnonzero(~good), reasons)[: EXAMPLES[UNUSED]]:
        if reasons[unit] not in ("no valid samples", "no spikes"):
            found.append(Example(unit=unit, group=UNUSED, words=f"not used, {reasons[unit]}"))
    return tuple(found)


def _by_remark(units: NDArray[np.intp], remarks: Sequence[str]) -> list[int]:
    """Units with remarks: one of each kind first, then the others."""
    marked = [int(unit) for unit in units if remarks[unit]]
    first = {remarks[unit]: unit for unit in reversed(marked)}
    leading = sorted(first.values())
    return leading + [unit for unit in marked if unit not in leading]


Curve = tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64] | None
]


def _trace_panels(activity: SampledActivity, units: NDArray[np.intp]) -> list[Curve]:
    """Mean, least and largest sample of each bin; every sample where there are few."""
    width = -(-activity.time.size // TRACE_BINS)
    firsts = np.arange(0, activity.time.size, width)
    x = np.add.reduceat(activity.time, firsts) / np.diff(np.append(firsts, activity.time.size))
    found: dict[int, Curve] = {}
    for places, values, valid in activity.traces(units):
        count = np.add.reduceat(valid, firsts, axis=0, dtype=np.int64)
        there = count > 0
        total = np.add.reduceat(np.where(valid, values, 0), firsts, axis=0, dtype=np.float64)
        mean = np.where(there, total / np.maximum(count, 1), np.nan)
        low = np.minimum.reduceat(np.where(valid, values, np.inf), firsts, axis=0)
        high = np.maximum.reduceat(np.where(valid, values, -np.inf), firsts, axis=0)
        for column, place in enumerate(places.tolist()):
            own = there[:, column]
            band = [np.where(own, edge[:, column], np.nan) for edge in (low, high)]
            lower, upper = (None, None) if width == 1 else (_short(band[0]), _short(band[1]))
            found[place] = (x, _short(mean[:, column]), lower, upper)
    return [found[place] for place in range(units.size)]


def _rate_panels(activity: SpikeTrains, units: NDArray[np.intp]) -> list[Curve]:
    binned = bin_activity(activity, units, columns=RATE_BINS)
    return [(binned.centres, _short(rate), None, None) for rate in binned.values]


def _short(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Three digits, which is more than can be seen."""
    return np.array([float(f"{value:.3g}") for value in values.tolist()])


def _y_title(activity: SampledActivity | SpikeTrains) -> str:
    if isinstance(activity, SpikeTrains):
        return "Rate (Hz)"
    words = signal_words(activity.signal)
    if activity.signal == "dff":
        return words
    unit = f" ({activity.value_unit})" if activity.value_unit else ""
    return f"{words.capitalize()}{unit}"


def _finding(grades: Grades, kind: str) -> str:
    good = grades.units["good"]
    remarks = grades.units["remarks"]
    doubtful = sum(bool(remark) for used, remark in zip(good, remarks, strict=True) if used)
    used = sum(map(bool, good))
    told = "none is doubtful" if not doubtful else f"{doubtful} of them with a remark"
    return f"{used} of {len(good)} units are used, {told}."


def _caption(activity: SampledActivity | SpikeTrains, counts: dict[int, int]) -> str:
    if isinstance(activity, SampledActivity):
        width = -(-activity.time.size // TRACE_BINS)
        drawn = (
            f"Mean of {width} samples each, with their range as a band"
            if width > 1
            else "Every sample, so no band"
        )
        good = (
            "Good: transients stand out of an even band. Bad: a band that hides them, a baseline "
            "that runs away, a flat top"
        )
    else:
        drawn = f"Spike rate over time in up to {RATE_BINS} bins; no band, as spikes are counted"
        good = (
            "Good: a rate that is there all the time or follows the stimulus. Bad: a unit that "
            "appears or vanishes for good"
        )
    unused = ", then units that are not used" if counts[UNUSED] else ""
    return (
        f"{drawn}. {counted(sum(counts.values()), 'unit')}: first those nearest the median of the "
        f"measure in their titles, then doubtful ones or those lowest in it{unused}, each kind in "
        f"its colour. {good}."
    )
