"""What a recording holds beside activity: conditions, behaviour, stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.labels import natural_order
from pipeline.core.parts import Number, Table
from pipeline.core.recording import Recording

MOST_CONDITIONS = 100
"""Rows of a recording in the table of conditions."""


def condition_table(recordings: Sequence[Recording]) -> list[Table]:
    """How often and how long each condition was shown."""
    rows: list[tuple[Number, ...]] = []
    left_out = 0
    for recording in recordings:
        trials = recording.trials
        names = trials["condition"].fillna("").astype(str)
        lengths = (trials["stop_s"] - trials["start_s"]).astype(float)
        groups = trials.assign(length=lengths).groupby(names, sort=False)
        ordered = sorted(groups, key=lambda group: natural_order(str(group[0])))
        for name, group in ordered[:MOST_CONDITIONS]:
            rows.append(
                (
                    recording.id,
                    str(name) or "(no label)",
                    len(group),
                    _rounded(group["length"].median()),
                    _rounded(group["length"].min()),
                    _rounded(group["length"].max()),
                    _rounded(group["start_s"].min()),
                    _rounded(group["stop_s"].max()),
                )
            )
        left_out += max(0, len(ordered) - MOST_CONDITIONS)
    columns = (
        *("Recording", "Condition", "Trials", "Duration (s)", "Shortest (s)", "Longest (s)"),
        *("First start (s)", "Last stop (s)"),
    )
    more = f" {left_out} further conditions are not listed." if left_out else ""
    return _table(
        "conditions",
        "Conditions",
        f"Trials of each condition and their median duration.{more} Comparisons are fair where "
        "conditions are equally frequent, equally long and spread over the same time.",
        columns,
        rows,
    )


def behaviour_table(recordings: Sequence[Recording]) -> list[Table]:
    """Measured series beside the activity."""
    rows: list[tuple[Number, ...]] = []
    for recording in recordings:
        for name, series in recording.behaviour.items():
            interval = float(np.median(np.diff(series.time))) if series.time.size > 1 else 0.0
            finite = float(np.isfinite(series.values).mean()) if series.values.size else 0.0
            rows.append(
                (
                    recording.id,
                    name,
                    series.value_unit,
                    int(series.values.shape[1]),
                    int(series.time.size),
                    _rounded(1 / interval) if interval > 0 else None,
                    _rounded(100 * (1 - finite)),
                )
            )
    return _table(
        "behaviour",
        "Behaviour series",
        "Series that the file offers beside the activity. Motion in step with activity may be its "
        "cause, or an artefact.",
        ("Recording", "Series", "Unit", "Channels", "Samples", "Sampling (Hz)", "Missing (%)"),
        rows,
    )


def stimulus_table(recordings: Sequence[Recording]) -> list[Table]:
    """Movies and images that the file holds."""
    rows: list[tuple[Number, ...]] = []
    for recording in recordings:
        for name, movie in recording.stimuli.items():
            frames, *size = movie.values.shape
            interval = float(np.median(np.diff(movie.time))) if movie.time.size > 1 else 0.0
            rows.append(
                (
                    recording.id,
                    name,
                    frames,
                    " x ".join(map(str, size)),
                    _rounded(1 / interval) if interval > 0 else None,
                    movie.value_unit,
                )
            )
    return _table(
        "stimuli",
        "Stimuli",
        "Frames that the file holds, as far as they could be read.",
        ("Recording", "Stimulus", "Frames", "Pixels (x, y)", "Frame rate (Hz)", "Unit"),
        rows,
    )


def _table(
    name: str,
    title: str,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Number, ...]],
) -> list[Table]:
    """The table without empty columns; none where there is no row."""
    if not rows:
        return []
    cells = dict(zip(columns, zip(*rows, strict=True), strict=True))
    told = {
        key: column for key, column in cells.items() if any(c not in (None, "") for c in column)
    }
    return [Table(id=name, title=title, caption=caption, columns=told)]


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
