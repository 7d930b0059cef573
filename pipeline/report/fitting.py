"""Coarser figures for pages that would grow too large, with a remark the reader sees."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
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
LEAST_POINTS = 50
"""Points that a curve keeps while others are left out."""
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
    return {key: _drawn(figure, lightened(figure)) for key, figure in figures.items()}


def lightened(figure: Figure) -> Figure:
    """A figure with about :data:`MOST_MARKS` marks in all its panels.

    Of many points, bars and stretches of time so manyth are shown, of many nodes and edges the
    strongest. Kinds of mark of which a figure has few stay as they are. Curves, of which every
    vertex is a mark, get what is left, at least half: points beside each other are averaged, and of
    curves too many even so, so manyth are shown. Cells of heat maps are no marks: each map is one
    picture.
    """
    kept = min(_vertices(figure.panels), MOST_MARKS // 2)
    marks = _added(_marks(panel) for panel in figure.panels)
    small = {kind: count for kind, count in marks.items() if count <= SMALL_SHARE * MOST_MARKS}
    room = MOST_MARKS - kept - sum(small.values())
    every = -(-(sum(marks.values()) - sum(small.values())) // room)
    panels = figure.panels
    if every > 1:
        kinds = set(marks) - set(small)
        panels = tuple(thinned(panel, every=every, kinds=kinds) for panel in panels)
    others = _added(_marks(panel) for panel in panels)
    panels = lighter_curves(panels, room=MOST_MARKS - sum(others.values()))
    return dataclasses.replace(figure, panels=panels)


def lighter_curves(panels: Sequence[Panel], *, room: int) -> tuple[Panel, ...]:
    """Panels whose curves and bands have at most so many vertices together.

    Curves are left out only where :data:`LEAST_POINTS` of each would be too many.
    """
    if _vertices(panels) <= room:
        return tuple(panels)
    every = max(1, -(-_vertices(panels, points=LEAST_POINTS) // room))
    fewer = [
        dataclasses.replace(panel, lines=panel.lines[::every])
        if isinstance(panel, Lines) and every > 1
        else panel
        for panel in panels
    ]
    longest = max(panel.x.size for panel in fewer if isinstance(panel, Lines))
    points = bisect_right(
        range(1, longest + 1), room, key=lambda most: _vertices(fewer, points=most)
    )
    return tuple(
        thin_lines(panel, points=points) if isinstance(panel, Lines) else panel for panel in fewer
    )


def left_out(figure: Figure, shown: Figure) -> tuple[str, ...]:
    """What a figure on the page has less than the whole one, a sentence each."""
    had = _added(_items(panel) for panel in figure.panels)
    has = _added(_items(panel) for panel in shown.panels)
    notes = [
        f"Shown are {has.get(kind, 0)} of {count} {kind}, "
        f"{HOW_PICKED.get(kind, 'evenly picked')}; the result files have all."
        for kind, count in had.items()
        if has.get(kind, 0) < count
    ]
    for whole, panel in zip(figure.panels, shown.panels, strict=True):
        if isinstance(whole, Heatmap) and isinstance(panel, Heatmap):
            if panel.values.size < whole.values.size:
                rows, columns = panel.values.shape
                notes.append(
                    f"Shown as {rows} x {columns} of {whole.values.shape[0]} x "
                    f"{whole.values.shape[1]} cells to keep this page small; the result files have "
                    "all."
                )
        elif isinstance(whole, Lines) and isinstance(panel, Lines) and panel.x.size < whole.x.size:
            notes.append(
                f"Curves of {whole.x.size} points are shown as means of "
                f"{_factor(whole.x.size, panel.x.size)} points each; the result files have all."
            )
    return tuple(dict.fromkeys(notes))


def _drawn(figure: Figure, shown: Figure) -> Drawn:
    return Drawn(pack_json(interactive(shown)), left_out(figure, shown))


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
        return dataclasses.replace(panel, spans=thin_spans(panel.spans, every=every))
    return panel


def fit_to_limit(figures: Mapping[Key, Figure], *, budget: int) -> dict[Key, Drawn]:
    """Figures as fine as fits into ``budget`` bytes together; the coarsest when nothing fits."""
    drawn = packed(figures)
    for cells in LEVELS:
        if sum(len(each.packed) for each in drawn.values()) <= budget:
            break
        for key, figure in figures.items():
            light = lightened(figure)
            coarse = coarsened(light, cells=cells)
            if coarse is not light:
                drawn[key] = _drawn(figure, coarse)
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


def coarsened(figure: Figure, *, cells: int) -> Figure:
    """A figure whose heat maps have at most so many cells; the same one where they have."""
    panels: list[Panel] = []
    for panel in figure.panels:
        if isinstance(panel, Heatmap) and panel.values.size > cells:
            panels.append(coarse_heatmap(panel, cells=cells))
        elif isinstance(panel, Lines):
            panels.append(thin_lines(panel, points=cells // CELLS_PER_POINT))
        else:
            panels.append(panel)
    same = all(one is other for one, other in zip(panels, figure.panels, strict=True))
    return figure if same else dataclasses.replace(figure, panels=tuple(panels))


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
        values = _means(_means(panel.values, down).T, across).T.astype(np.float32)
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
    """Means of so many points beside each other, of all curves, that at most ``points`` are left.

    Points without a value take no part.
    """
    factor = _factor(panel.x.size, points)
    if factor < 2:
        return panel
    lines = tuple(
        dataclasses.replace(
            line,
            y=_means(line.y, factor),
            lower=None if line.lower is None else _means(line.lower, factor),
            upper=None if line.upper is None else _means(line.upper, factor),
        )
        for line in panel.lines
    )
    return dataclasses.replace(panel, x=_means(panel.x, factor), lines=lines)


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
    """How many marks these are to a browser, with error ranges; curves apart."""
    items = _items(panel)
    items.pop(CURVES, None)
    if isinstance(panel, Bars) and panel.lower is not None:
        items[BARS] *= 2
    if SPANS in items:
        items[SPANS] *= SPAN_MARKS
    return items


def _factor(size: int, points: int) -> int:
    """How many points beside each other become one, so that at most ``points`` are left."""
    return max(1, -(-size // max(1, points)))


def _vertices(panels: Iterable[Panel], *, points: int | None = None) -> int:
    """Vertices of all curves and outlines of bands, with at most so many points a curve."""
    return sum(
        -(-panel.x.size // _factor(panel.x.size, points or panel.x.size))
        * (1 if line.lower is None else 3)
        for panel in panels
        if isinstance(panel, Lines)
        for line in panel.lines
    )


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by kind, over all panels."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _means(values: NDArray[np.floating], factor: int) -> NDArray[np.float64]:
    """Means over groups of neighbouring rows, without missing cells."""
    starts = np.arange(0, values.shape[0], factor)
    present = np.isfinite(values)
    total = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0, dtype=np.float64)
    count = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    means: NDArray[np.float64] = np.divide(
        total, count, out=np.full(total.shape, np.nan), where=count > 0
    )
    return means


def _joined(labels: tuple[str, ...], factor: int) -> tuple[str, ...]:
    """The first label of each group, with how many more stand behind it."""
    if factor == 1:
        return labels
    groups = [labels[start : start + factor] for start in range(0, len(labels), factor)]
    return tuple(
        f"{group[0]} +{len(group) - 1}" if len(group) > 1 else group[0] for group in groups
    )
