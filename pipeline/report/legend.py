"""Legends as entries of a list, so that they wrap and are read like other text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.parts import Figure, Heatmap, Lines, Network, Panel, Points, Span
from pipeline.viz.lines import dashes_tell
from pipeline.viz.points import group_name
from pipeline.viz.spans import span_labels
from pipeline.viz.theme import group_index, mark_index

MOST_SPANS = 16
"""Labels of spans that are listed; with more (one a trial, say) they are told in the caption."""
MOST_CURVES = 12

_DASH_PATTERNS = ("", "6 3", "2 2", "6 2 2 2", "9 3", "9 2 2 2", "5 2", "2 3")
_MARKER_PATHS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "M-3.5-3.5h7v7h-7z",
    "M0-5L5 0L0 5L-5 0z",
    "M0-4.5L4.5 3.5H-4.5z",
    "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "M-4-2L-2-4L0-2L2-4L4-2L2 0L4 2L2 4L0 2L-2 4L-4 2L-2 0z",
    "M0 4.5L4.5-3.5H-4.5z",
    "M0-5.2L1.3-1.7L5-1.6L2-.7L3.1 4.2L0 2.1L-3.1 4.2L-2 .7L-5-1.6L-1.3-1.7z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: a sign and what it stands for."""

    kind: str
    """``line``, ``marker``, ``span``, ``edge``, ``area`` or ``frame``."""
    label: str
    colour: int = 0
    number: str = ""
    dash: str = ""
    path: str = ""
    fill: str = ""
    stroke: str = ""
    shade: str = ""


def legend(panel: Panel) -> tuple[Entry, ...]:
    """Entries of a panel's legend; none where a single curve or colour needs no key."""
    if isinstance(panel, Lines):
        return _curves(panel) + _spans(panel.spans)
    if isinstance(panel, Heatmap):
        return _cells(panel) + _spans(panel.spans)
    if isinstance(panel, Points):
        return () if panel.group is None else _groups(panel.group.tolist(), panel.group_names)
    if isinstance(panel, Network):
        edges = _edges() if np.any(panel.weights < 0) else ()
        return _groups(panel.group.tolist(), panel.group_names) + edges
    if panel.reference is not None and panel.reference_label:
        return (Entry(kind="edge", label=panel.reference_label, dash="5 3"),)
    return ()


def shared_legend(figure: Figure) -> tuple[Entry, ...]:
    """What several panels would tell in the same words, told once for the figure.

    Spans, where all panels with spans have the same labels; curves, and groups of points, where all
    panels have the same or none; what grey means in most panels, where it does in several.
    """
    if len(figure.panels) < 2:
        return ()
    entries = [legend(panel) for panel in figure.panels]
    spans = [tuple(one for one in each if one.kind == "span") for each in entries]
    keys = {each for each in spans if each}
    missing = [one for each in entries for one in each if one.shade == "missing"]
    common = keys.pop() if len(keys) == 1 and sum(map(bool, spans)) > 1 else ()
    for kind in ("line", "marker"):
        told = [tuple(one for one in each if one.kind == kind) for each in entries]
        alike = {each for each in told if each}
        common += alike.pop() if len(alike) == 1 and sum(map(bool, told)) > 1 else ()
    grey = Counter(missing).most_common(1)
    return common + tuple(entry for entry, count in grey if count > 1)


def _curves(panel: Lines) -> tuple[Entry, ...]:
    """One entry a curve, or a group where there are too many curves to name."""
    if len(panel.lines) < 2:
        return ()
    if len(panel.lines) <= MOST_CURVES:
        named = [(line.name, line.group) for line in panel.lines]
    else:
        named = []
        for group in dict.fromkeys(line.group for line in panel.lines):
            names = [line.name for line in panel.lines if line.group == group]
            more = f" … {names[-1]} ({len(names)} curves)" if len(names) > 1 else ""
            named.append((names[0] + more, group))
    several = dashes_tell(panel)
    return tuple(
        Entry(
            kind="line",
            label=name,
            colour=group_index(group),
            dash=_DASH_PATTERNS[mark_index(group)] if several else "",
        )
        for name, group in named
    )


def _spans(spans: Sequence[Span]) -> tuple[Entry, ...]:
    labels = span_labels(spans)
    if len(labels) > MOST_SPANS:
        return ()
    return tuple(
        Entry(kind="span", label=label, colour=group_index(place), number=str(place + 1))
        for place, label in enumerate(labels)
    )


def _cells(panel: Heatmap) -> tuple[Entry, ...]:
    finite = np.isfinite(panel.values)
    entries: list[Entry] = []
    if panel.scale == "categorical":
        for value in np.unique(panel.values[finite]).astype(int).tolist():
            none = value < 0
            entries.append(
                Entry(
                    kind="area",
                    label="none" if none else "",
                    number="" if none else str(value),
                    shade="surface" if none else f"g{group_index(value)}",
                )
            )
    if not finite.all():
        entries.append(Entry(kind="area", label=panel.missing_title, shade="missing"))
    if panel.outlined:
        entries.append(Entry(kind="frame", label=panel.outlined_title))
    return tuple(entries)


def _groups(groups: Sequence[int], names: Sequence[str]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            kind="marker",
            label=group_name(group, names),
            path=_MARKER_PATHS[0 if group < 0 else mark_index(group)],
            fill="none" if group < 0 else f"var(--g{group_index(group)})",
            stroke="var(--quiet)" if group < 0 else f"var(--g{group_index(group)})",
        )
        for group in sorted(set(groups))
    )


def _edges() -> tuple[Entry, ...]:
    return (
        Entry(kind="edge", label="positive"),
        Entry(kind="edge", label="negative", dash="2 3"),
    )
