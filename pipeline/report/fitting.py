"""Coarser figures for pages that would grow too large, with a remark the reader sees."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Heatmap, Lines, Network, Panel, Points, Span
from pipeline.report.interactive import interactive
from pipeline.report.legend import MOST_SPANS
from pipeline.report.packing import pack_json

Key = tuple[str, str]
"""Ids of a section and of a figure in it."""

LEVELS = (90_000, 45_000, 22_000, 11_000, 5_500, 2_500)
"""Cells that a heat map may keep, tried one after another."""
MOST_MARKS = 4500
"""What a browser draws with ease in one figure, axes beside it; its parts share it."""
SPAN_MARKS = 3
"""A stretch of time is up to two areas and a label."""
SMALL_SHARE = 0.1
"""A kind of mark with less than this share of :data:`MOST_MARKS` is left as it is."""
CELLS_PER_POINT = 20
"""A curve may keep one point for so many cells of a heat map."""

POINTS, BARS, NODES, EDGES = "points", "bars", "nodes", "edges"
CURVES, SPANS = "curves", "stretches of time"
HOW_PICKED = {NODES: "the best linked", EDGES: "the strongest"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as the page's script unpacks it, with remarks for the reader."""

    packed: str
    notes: tuple[str, ...] = ()


def packed(figures: Mapping[Key, Figure]) -> dict[Key, Drawn]:
    """All figures in full, but for marks beyond what a browser draws with ease."""
    drawn = {}
    for key, figure in figures.items():
        light, notes = lightened(figure)
        drawn[key] = Drawn(pack_json(interactive(light)), notes)
    return drawn


def lightened(figure: Figure) -> tuple[Figure, tuple[str, ...]]:
    """A figure with about :data:`MOST_MARKS` marks in all its panels, and what was done.

    Of many points, bars, curves and stretches of time so manyth are shown, of many nodes and edges
    the strongest. Kinds of mark of which a figure has few stay as they are. Cells of heat maps are
    no marks: each map is one picture.
    """
    marks = _added(_marks(panel) for panel in figure.panels)
    small = {kind: count for kind, count in marks.items() if count <= SMALL_SHARE * MOST_MARKS}
    room = MOST_MARKS - sum(small.values())
    every = -(-(sum(marks.values()) - sum(small.values())) // room)
    if every < 2:
        return figure, ()
    kinds = set(marks) - set(small)
    panels = tuple(thinned(panel, every=every, kinds=kinds) for panel in figure.panels)
    had = _added(_items(panel) for panel in figure.panels)
    shown = _added(_items(panel) for panel in panels)
    notes = tuple(
        f"Shown are {shown.get(kind, 0)} of {count} {kind}, "
        f"{HOW_PICKED.get(kind, 'evenly picked')}; the result files have all."
        for kind, count in had.items()
        if shown.get(kind, 0) < count
    )
    return dataclasses.replace(figure, panels=panels), notes


def thinned(panel: Panel, *, every: int, kinds: Collection[str]) -> Panel:
    """A panel with about an ``every``-th part of its marks of these kinds."""
    if isinstance(panel, Points):
        return thin_points(panel, every=every) if POINTS in kinds else panel
    if isinstance(panel, Bars):
        return thin_bars(panel, every=every) if BARS in kinds else panel
    if isinstance(panel, Network):
        return thin_network(
            panel,
            nodes=-(-len(panel.labels) // (every if NODES in kinds else 1)),
            edges=-(-len(panel.edges) // (every if EDGES in kinds else 1)),
        )
    if SPANS in kinds:
        panel = dataclasses.replace(panel, spans=thin_spans(panel.spans, every=every))
    if isinstance(panel, Lines) and CURVES in kinds:
        panel = dataclasses.replace(panel, lines=panel.lines[::every])
    return panel


def fit_to_limit(figures: Mapping[Key, Figure], *, budget: int) -> dict[Key, Drawn]:
    """Figures as fine as fits into ``budget`` bytes together; the coarsest when nothing fits."""
    drawn = packed(figures)
    for cells in LEVELS:
        if sum(len(each.packed) for each in drawn.values()) <= budget:
            break
        for key, figure in figures.items():
            light, thinned = lightened(figure)
            coarse, notes = coarsened(light, cells=cells)
            if notes:
                drawn[key] = Drawn(pack_json(interactive(coarse)), thinned + notes)
    return drawn


def largest(sizes: Mapping[Key, int], *, excess: int) -> list[Key]:
    """The largest parts, as many as take ``excess`` bytes together; else all."""
    found: list[Key] = []
    for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
        if excess <= 0:
            break
        found.append(key)
        excess -= sizes[key]
    return found


def coarsened(figure: Figure, *, cells: int) -> tuple[Figure, tuple[str, ...]]:
    """A figure whose heat maps have at most so many cells, and what was done."""
    panels: list[Panel] = []
    notes: list[str] = []
    for panel in figure.panels:
        changed: Panel = panel
        if isinstance(panel, Heatmap) and panel.values.size > cells:
            changed = coarse_heatmap(panel, cells=cells)
            rows, columns = changed.values.shape
            notes.append(
                f"Shown as {rows} x {columns} of {panel.values.shape[0]} x "
                f"{panel.values.shape[1]} cells to keep this page small; the result files have all."
            )
        elif isinstance(panel, Lines) and panel.x.size > cells // CELLS_PER_POINT:
            changed = thin_lines(panel, points=cells // CELLS_PER_POINT)
            notes.append(
                f"Shown with {changed.x.size} of {panel.x.size} points a curve to keep this page "
                "small; the result files have all."
            )
        panels.append(changed)
    return dataclasses.replace(figure, panels=tuple(panels)), tuple(notes)


def coarse_heatmap(panel: Heatmap, *, cells: int) -> Heatmap:
    """Means of neighbouring cells (first cells where values are categories)."""
    rows, columns = panel.values.shape
    excess = panel.values.size / cells
    if panel.square:
        down = across = int(np.ceil(np.sqrt(excess)))
    else:
        # Time is usually the longer axis and is coarsened first.
        across = min(int(np.ceil(excess)), max(1, round(np.sqrt(excess * columns / rows))))
        down = int(np.ceil(excess / across))
    if panel.scale == "categorical":
        values = panel.values[::down, ::across]
    else:
        values = _means(_means(panel.values, down).T, across).T
    x = panel.x
    if x is not None and across > 1:
        step = float(x[1] - x[0])
        x = x[0] + step * ((across - 1) / 2 + across * np.arange(values.shape[1], dtype=np.float64))
    return dataclasses.replace(
        panel,
        values=values,
        outlined=tuple(
            dict.fromkeys((row // down, column // across) for row, column in panel.outlined)
        ),
        x=x,
        x_labels=_joined(panel.x_labels, across),
        y_labels=_joined(panel.y_labels, down),
    )


def thin_points(panel: Points, *, every: int) -> Points:
    """Every so manyth point."""
    kept = slice(None, None, every)
    return dataclasses.replace(
        panel,
        x=panel.x[kept],
        y=panel.y[kept],
        labels=panel.labels[kept],
        group=None if panel.group is None else panel.group[kept],
    )


def thin_bars(panel: Bars, *, every: int) -> Bars:
    """Every so manyth bar."""
    kept = slice(None, None, every)
    return dataclasses.replace(
        panel,
        labels=panel.labels[kept],
        values=panel.values[kept],
        lower=None if panel.lower is None else panel.lower[kept],
        upper=None if panel.upper is None else panel.upper[kept],
        brackets=panel.brackets if every == 1 else (),
    )


def thin_spans(spans: Sequence[Span], *, every: int) -> tuple[Span, ...]:
    """Every so manyth stretch of each label, so that all labels of a legend are still there."""
    if len({span.label for span in spans}) > MOST_SPANS:
        return tuple(spans[::every])
    met: Counter[str] = Counter()
    kept = []
    for span in spans:
        if met[span.label] % every == 0:
            kept.append(span)
        met[span.label] += 1
    return tuple(kept)


def thin_network(panel: Network, *, nodes: int, edges: int) -> Network:
    """The nodes with the strongest edges, so many, and the strongest edges between them."""
    size = np.abs(panel.weights)
    strength = np.zeros(len(panel.labels))
    np.add.at(strength, panel.edges.ravel(), np.repeat(size, 2))
    kept = np.sort(np.argsort(-strength, kind="stable")[:nodes])
    place = np.full(strength.size, -1)
    place[kept] = np.arange(kept.size)
    between = np.flatnonzero((place[panel.edges] >= 0).all(axis=1))
    strongest = np.sort(between[np.argsort(-size[between], kind="stable")[:edges]])
    return dataclasses.replace(
        panel,
        labels=tuple(panel.labels[node] for node in kept),
        x=panel.x[kept],
        y=panel.y[kept],
        group=panel.group[kept],
        edges=place[panel.edges[strongest]],
        weights=panel.weights[strongest],
    )


def thin_lines(panel: Lines, *, points: int) -> Lines:
    """Every so manyth point of all curves."""
    every = slice(None, None, -(-panel.x.size // points))
    lines = tuple(
        dataclasses.replace(
            line,
            y=line.y[every],
            lower=None if line.lower is None else line.lower[every],
            upper=None if line.upper is None else line.upper[every],
        )
        for line in panel.lines
    )
    return dataclasses.replace(panel, x=panel.x[every], lines=lines)


def _items(panel: Panel) -> dict[str, int]:
    """How many of each kind of mark a panel has."""
    if isinstance(panel, Points):
        return {POINTS: panel.x.size}
    if isinstance(panel, Bars):
        return {BARS: len(panel.labels)}
    if isinstance(panel, Network):
        return {NODES: len(panel.labels), EDGES: len(panel.edges)}
    curves = {CURVES: len(panel.lines)} if isinstance(panel, Lines) else {}
    return {**curves, SPANS: len(panel.spans)}


def _marks(panel: Panel) -> dict[str, int]:
    """How many marks these are to a browser, with bands and error ranges."""
    items = _items(panel)
    if isinstance(panel, Bars) and panel.lower is not None:
        items[BARS] *= 2
    if isinstance(panel, Lines):
        items[CURVES] += sum(line.lower is not None for line in panel.lines)
    if SPANS in items:
        items[SPANS] *= SPAN_MARKS
    return items


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by kind, over all panels."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _means(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means over groups of neighbouring rows, without missing cells."""
    starts = np.arange(0, values.shape[0], factor)
    present = np.isfinite(values)
    total = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0, dtype=np.float64)
    count = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    means: NDArray[np.float32] = mean.astype(np.float32)
    return means


def _joined(labels: tuple[str, ...], factor: int) -> tuple[str, ...]:
    """The first label of each group, with how many more stand behind it."""
    if factor == 1:
        return labels
    groups = [labels[start : start + factor] for start in range(0, len(labels), factor)]
    return tuple(
        f"{group[0]} +{len(group) - 1}" if len(group) > 1 else group[0] for group in groups
    )
