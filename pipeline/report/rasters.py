"""Spikes of typical, doubtful and unused units, trial by trial or stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.intervals import union
from pipeline.core.labels import natural_order
from pipeline.core.parts import Figure, Heatmap
from pipeline.core.quality import Grades
from pipeline.core.recording import Recording, SpikeTrains
from pipeline.core.words import counted
from pipeline.prepare.binned import nice_width
from pipeline.report.example_units import DOUBTFUL, TYPICAL, UNUSED, choose
from pipeline.report.overview import unit_labels

MOST_ROWS = 40
"""Trials, or stretches, of a raster."""
BINS = 100
BEFORE = 0.2
"""How much is shown before a trial, in its duration."""
LONGEST_S = 60.0
"""Longest sweep: in longer trials single spikes are not seen."""
SPIKES_A_SWEEP = 10.0
"""Of a typical unit, where there are no trials that say how long a sweep should be."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweeps:
    """Stretches of equal length that are drawn below one another."""

    start_s: NDArray[np.float64]
    """Shape (sweep,)."""
    edges_s: NDArray[np.float64]
    """Edges of the bins from the start of a sweep, shape (bin + 1,)."""
    labels: tuple[str, ...]
    by_trial: bool
    words: str
    """What the rows are, for the caption."""
    y_title: str
    x_title: str


def raster_figures(recording: Recording, grades: Grades, *, n_recordings: int = 1) -> list[Figure]:
    """The rasters of examples from one of so many recordings.

    None where it has no spikes or was not graded.
    """
    chosen = choose(recording, grades)
    activity = recording.activity
    if not chosen or not isinstance(activity, SpikeTrains):
        return []
    typical = [example.unit for example in chosen if example.group == TYPICAL]
    sweeps = trial_sweeps(recording) or even_sweeps(activity, typical)
    counts = [spikes_in(activity, example.unit, sweeps) for example in chosen]
    most = max(1.0, *(float(np.nanmax(each, initial=0.0)) for each in counts))
    names = unit_labels(recording, n_recordings=n_recordings)
    panels = tuple(
        Heatmap(
            title=f"{names[example.unit]}: {example.words}",
            values=count,
            x=(sweeps.edges_s[:-1] + sweeps.edges_s[1:]) / 2,
            x_title=sweeps.x_title,
            y_title=sweeps.y_title,
            value_title="Spikes",
            y_labels=sweeps.labels,
            scale="diverging",
            limits=(0.0, most),
        )
        for example, count in zip(chosen, counts, strict=True)
    )
    groups = {example.group for example in chosen}
    return [
        Figure(
            id=f"rasters-{recording.id}",
            title=f"Spikes of units of {recording.id}",
            finding=_finding(counts, [example.group for example in chosen]),
            caption=_caption(sweeps, grades, n_units=len(chosen), has_unused=UNUSED in groups),
            alt=f"Spike rasters of {len(chosen)} units, each of {sweeps.start_s.size} rows of "
            f"{sweeps.edges_s[-1] - sweeps.edges_s[0]:.3g} s.",
            panels=panels,
            columns=2,
        )
    ]


def trial_sweeps(recording: Recording) -> Sweeps | None:
    """Trials by condition, evenly thinned; none where there are no trials that last."""
    trials = recording.trials
    start, stop = (trials[name].to_numpy(dtype=np.float64) for name in ("start_s", "stop_s"))
    usable = np.flatnonzero(np.isfinite(start) & np.isfinite(stop) & (stop > start))
    if not usable.size:
        return None
    duration = float(min(np.median((stop - start)[usable]), LONGEST_S))
    names = trials["condition"].fillna("").astype(str).to_numpy()
    order = sorted(usable.tolist(), key=lambda row: (natural_order(str(names[row])), start[row]))
    rows = np.array(order)[_evenly(len(order))]
    told = f"{rows.size} of {usable.size} trials" if rows.size < usable.size else "the trials"
    by = ", sorted by condition," if len(set(names[usable])) > 1 else ""
    return Sweeps(
        start_s=start[rows],
        edges_s=np.linspace(-BEFORE * duration, duration, BINS + 1),
        labels=tuple(names[rows]) if any(names[rows]) else (),
        by_trial=True,
        words=f"Rows are {told}{by} from {BEFORE * duration:.2g} s before their start",
        y_title="Trial" if not any(names[rows]) else "Condition of the trial",
        x_title="Time from the start of the trial (s)",
    )


def even_sweeps(activity: SpikeTrains, typical: Sequence[int]) -> Sweeps:
    """Stretches spread evenly over the recording, in which a typical unit fires some times."""
    first, last = activity.span_s
    rates = activity.rates_hz[list(typical)]
    rate = float(np.nanmedian(rates)) if np.isfinite(rates).any() else 0.0
    wanted = SPIKES_A_SWEEP / rate if rate > 0 else LONGEST_S
    length = nice_width(float(np.clip(wanted, 0.1, LONGEST_S)))
    length = min(length, (last - first) / MOST_ROWS)
    starts = np.linspace(first, last - length, MOST_ROWS)
    return Sweeps(
        start_s=starts,
        edges_s=np.linspace(0.0, length, BINS + 1),
        labels=tuple(f"{start:.0f} s" for start in starts),
        by_trial=False,
        words=f"Rows are {MOST_ROWS} stretches of {length:.3g} s, evenly spread over the recording",
        y_title="Start of the stretch",
        x_title="Time from the start of the stretch (s)",
    )


def spikes_in(activity: SpikeTrains, unit: int, sweeps: Sweeps) -> NDArray[np.float32]:
    """Spikes of a unit in each bin, shape (sweep, bin); NaN where it was not observed."""
    edges = sweeps.start_s[:, None] + sweeps.edges_s
    found = np.diff(np.searchsorted(activity.of_unit(unit), edges), axis=1).astype(np.float32)
    middle = (edges[:, :-1] + edges[:, 1:]) / 2
    observed = union(activity.observed_of(unit))
    if not len(observed):
        return np.full(found.shape, np.nan, dtype=np.float32)
    place = np.searchsorted(observed[:, 0], middle, side="right") - 1
    seen = (place >= 0) & (middle <= observed[np.maximum(place, 0), 1])
    return np.where(seen, found, np.float32(np.nan))


def _evenly(count: int) -> NDArray[np.intp]:
    return np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.intp)


def _finding(counts: list[NDArray[np.float32]], groups: Sequence[int]) -> str:
    """How many rows hold a spike, in typical and in doubtful units."""
    told = []
    for group, words in ((TYPICAL, "typical"), (DOUBTFUL, "the least clear")):
        rows = [
            np.nansum(count, axis=1) > 0
            for count, own in zip(counts, groups, strict=True)
            if own == group
        ]
        if rows:
            told.append(f"in {100 * float(np.mean(rows)):.0f} % of the rows of {words} units")
    return f"There are spikes {' and '.join(told)}."


def _caption(sweeps: Sweeps, grades: Grades, *, n_units: int, has_unused: bool) -> str:
    width_ms = 1000 * float(sweeps.edges_s[1] - sweeps.edges_s[0])
    unused = ", then units that are not used" if has_unused else ""
    reason = grades.not_assessed.get("violations", "")
    made_up = f"Mind the times: {reason}. " if reason else ""
    good, bad = (
        ("marks that come back at the same place in rows of one condition", "")
        if sweeps.by_trial
        else ("an even spread", ", rows that fall silent for good (a unit that was lost)")
    )
    return (
        f"{made_up}{counted(n_units, 'unit')}, {counted(sweeps.start_s.size, 'row')} each. "
        f"{sweeps.words}; a mark is a bin of {width_ms:.3g} ms with a spike, stronger "
        "where there are several, grey where the unit was not observed. Typical units first, then "
        f"doubtful ones or those that fire least{unused}, as in the figure above. No band: "
        f"these are the spikes. Good: {good}. "
        "Bad: stripes at the same instant in every unit (an artefact), marks at even distances "
        f"(hum){bad}."
    )
