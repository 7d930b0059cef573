"""Coarser figures for pages that would grow too large, with a remark the reader sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Heatmap, Lines, Panel, Points
from pipeline.report.interactive import interactive
from pipeline.report.packing import pack_json

Key = tuple[str, str]
"""Ids of a section and of a figure in it."""

LEVELS = (90_000, 45_000, 22_000, 11_000, 5_500, 2_500)
"""Cells that a heat map may keep, tried one after another."""
MOST_POINTS = 5000
CELLS_PER_POINT = 20
"""A curve may keep one point for so many cells of a heat map."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as the page's script unpacks it, with remarks for the reader."""

    packed: str
    notes: tuple[str, ...] = ()


def packed(figures: Mapping[Key, Figure]) -> dict[Key, Drawn]:
    """All figures in full, but for points beyond what a browser draws with ease."""
    drawn = {}
    for key, figure in figures.items():
        light, notes = lightened(figure)
        drawn[key] = Drawn(pack_json(interactive(light)), notes)
    return drawn


def lightened(figure: Figure) -> tuple[Figure, tuple[str, ...]]:
    """A figure with at most :data:`MOST_POINTS` points in all its panels, and what was done."""
    sizes = [panel.x.size if isinstance(panel, Points) else 0 for panel in figure.panels]
    every = -(-sum(sizes) // MOST_POINTS)
    if every < 2:
        return figure, ()
    panels = tuple(
        thin_points(panel, every=every) if isinstance(panel, Points) else panel
        for panel in figure.panels
    )
    shown = sum(panel.x.size for panel in panels if isinstance(panel, Points))
    note = f"Shown are {shown} of {sum(sizes)} points, evenly picked; the result files have all."
    return dataclasses.replace(figure, panels=panels), (note,)


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
