"""How good units are: one row each, what the numbers mean, and how they are distributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Line, Lines, Number, Table
from pipeline.core.quality import MEASURES, PER_CENT, Grades
from pipeline.core.recording import Recording
from pipeline.core.unit_names import names_of_units
from pipeline.core.words import counted

SHOWN = (
    *("snr", "skew", "event_rate_hz", "drift"),
    *("rate_hz", "rate_change", "contamination", "presence"),
)
"""Measures whose distributions are drawn."""
GOOD = {
    "snr": "SNR above 5",
    "skew": "skew above 0",
    "drift": "drift near 0",
    "rate_hz": "rates that suit the region",
    "rate_change": "change of rate near 0",
    "contamination": "contamination below 10 %",
    "presence": "presence near 100 %",
}
"""What good units have, for the caption."""
LEAST_VALUES = 5
"""Units with a measure without which its distribution is not drawn."""
MOST_CURVES = 6
"""Recordings drawn one by one; more are pooled."""
CURVE_POINTS = 101
MOST_ROWS = 5000
"""Units in the table; units that are neither unused nor doubtful are left out first."""

ALWAYS_TOLD = ("Recording", "Unit", "Name", "Grade")
"""Columns that stay though all their cells are the same: which rows are shown is not to decide
whether a unit can be told by its id alone."""

Graded = Mapping[str, Grades]


def shown_value(measure: str, value: object) -> float | None:
    """A stored number as people read it: counts as they are, others with three digits."""
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        return None
    if measure == "n_spikes":
        return float(value)
    return float(f"{100 * value if measure in PER_CENT else value:.3g}")


def values_of(grades: Grades, measure: str, *, used_only: bool = True) -> NDArray[np.float64]:
    """A measure of the units that have it, as people read it."""
    cells = grades.units.get(measure, ())
    good = grades.units.get("good", ())
    shown = [
        shown_value(measure, cell)
        for cell, used in zip(cells, good, strict=True)
        if used or not used_only
    ]
    return np.array([value for value in shown if value is not None])


def unit_table(recordings: Sequence[Recording], graded: Graded) -> list[Table]:
    """One row a unit: units that are not used first, then those with remarks."""
    known = [recording for recording in recordings if graded[recording.id].units]
    if not known:
        return []
    measures = [name for name in MEASURES if any(name in graded[r.id].units for r in known)]
    rows: list[tuple[int, dict[str, Number]]] = []
    for recording in known:
        units = graded[recording.id].units
        regions = recording.units["region"].fillna("")
        names = names_of_units(recording.id, recording.units, n_recordings=len(recordings))
        for place, (unit, good, reason, remarks) in enumerate(
            zip(
                *(units[name] for name in ("unit_id", "good", "reason", "remarks")),
                strict=True,
            )
        ):
            row: dict[str, Number] = {
                "Recording": recording.id if len(recordings) > 1 else "",
                "Unit": str(unit),
                "Name": names[place],
                "Region": str(regions.iloc[place]),
                "Grade": f"not used: {reason}" if not good else str(remarks) or "good",
            }
            for measure in measures:
                cells = units.get(measure)
                row[MEASURES[measure].title] = shown_value(measure, cells[place]) if cells else None
            rows.append((0 if not good else 1 if remarks else 2, row))
    rows.sort(key=lambda entry: entry[0])
    more = f" The first {MOST_ROWS} of {len(rows)} units." if len(rows) > MOST_ROWS else ""
    rows = rows[:MOST_ROWS]
    columns = {title: tuple(row[title] for _, row in rows) for title in rows[0][1]}
    told = {
        title: cells
        for title, cells in columns.items()
        if any(cell not in (None, "") for cell in cells)
        and (title in ALWAYS_TOLD or len(set(cells) - {None}) > 1)
        and not (title == "Name" and cells == columns["Unit"])
    }
    alike = [
        title
        for title in (MEASURES[name].title for name in measures)
        if title not in told and set(columns[title]) != {None}
    ]
    return [
        Table(
            id="units",
            title="Units and their quality",
            caption="Units that are not used first, then doubtful ones, which are used. The table "
            f"below tells what the numbers mean; each recording's quality.json has all.{more}"
            f"{_alike_words(alike)}",
            columns=told,
        )
    ]


def measure_table(recordings: Sequence[Recording], graded: Graded) -> list[Table]:
    """What each number means, its middle and range, and where it was not assessed."""
    rows: list[tuple[Number, ...]] = []
    for name, measure in MEASURES.items():
        having = [r for r in recordings if name in graded[r.id].units]
        if not having:
            continue
        pooled = np.concatenate([values_of(graded[recording.id], name) for recording in having])
        reasons = {graded[r.id].not_assessed.get(name, "") for r in having} - {""}
        spread = np.quantile(pooled, (0.1, 0.5, 0.9)) if pooled.size else None
        told = (
            f"{_short(spread[1])} ({_short(spread[0])} to {_short(spread[2])})"
            if spread is not None
            else "not assessed"
        )
        too_few = set() if pooled.size or reasons else {"no unit has enough samples or spikes"}
        missing = "; ".join(sorted(reasons | too_few))
        why = f" Not assessed: {missing}." if missing else ""
        rows.append((measure.title, told, f"{measure.meaning}{why}"))
    if not rows:
        return []
    return [
        Table(
            id="measures",
            title="What the numbers mean",
            caption="Median over the units used, and in brackets the 10th to 90th percentile.",
            columns=dict(zip(("Number", "Here", "Meaning"), zip(*rows, strict=True), strict=True)),
        )
    ]


def distributions(recordings: Sequence[Recording], graded: Graded) -> list[Figure]:
    """How the numbers are distributed over the units used, a curve a recording."""
    panels: list[Lines] = []
    findings: list[str] = []
    drawn: list[str] = []
    alike: list[str] = []
    for name in SHOWN:
        samples = {
            recording.id: values_of(graded[recording.id], name)
            for recording in recordings
            if name in graded[recording.id].units
        }
        samples = {key: values for key, values in samples.items() if values.size >= LEAST_VALUES}
        if not samples:
            continue
        pooled = np.concatenate(list(samples.values()))
        title = MEASURES[name].title
        findings.append(f"{title} {_short(float(np.median(pooled)))}")
        low, high = np.quantile(pooled, (0.05, 0.95))
        if low == high:
            alike.append(title)  # a curve would be one step
            continue
        if len(samples) > MOST_CURVES:
            samples = {f"all {len(samples)} recordings": pooled}
        panels.append(_cumulative(samples, pooled, title=title))
        drawn.append(name)
    if not panels:
        return []
    several = len(recordings) > 1
    n_used = sum(int(recording.units["good"].sum()) for recording in recordings)
    return [
        Figure(
            id="unit-quality",
            title="Quality of the units used",
            finding=f"Medians over units: {'; '.join(findings)}.",
            caption=(
                f"Share of the {counted(n_used, 'unit')} used (of these, those that were assessed) "
                "that have at most the value on the horizontal axis"
                + (", a curve a recording" if several else "")
                + "; axes end at the 1st and 99th percentile. No band: a curve holds every unit. "
                "Good: "
                + "; ".join(GOOD[name] for name in drawn if name in GOOD)
                + (", and curves alike in all recordings" if several else "")
                + ". Bad: a long tail on the other side"
                + (", or one recording apart from the others." if several else ".")
                + _alike_words(alike)
            ),
            alt="Cumulative distributions over units of "
            + ", ".join(panel.x_title for panel in panels)
            + ".",
            panels=tuple(panels),
            columns=2,
        )
    ]


def _alike_words(titles: Sequence[str]) -> str:
    """Why measures are not shown that a reader may look for."""
    return f" Not shown, as alike in all units: {', '.join(titles)}." if titles else ""


def _short(value: float) -> str:
    """Two digits that count, and no powers of ten for what people count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}" if abs(value) >= 0.005 else "0"


def _cumulative(
    samples: Mapping[str, NDArray[np.float64]], pooled: NDArray[np.float64], *, title: str
) -> Lines:
    low, high = np.quantile(pooled, (0.01, 0.99))
    x = np.linspace(low, high, CURVE_POINTS)
    lines = []
    for place, (name, values) in enumerate(samples.items()):
        share = np.searchsorted(np.sort(values), x, side="right") / values.size
        lines.append(Line(name=name, y=np.round(100 * share, 2), group=place))
    return Lines(
        title=title, x=x, lines=tuple(lines), x_title=title, y_title="Units at most this (%)"
    )
