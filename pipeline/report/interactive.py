"""Figure data -> what the page's script hands to Plotly.

Colours appear as names of theme colours (``@g0`` is the colour of group 0, ``@g0/0.2`` the same at
a fifth of its strength), which the script fills in, so that a figure can change with the page.
Text that Plotly would read as markup is escaped; everything else about text is the script's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars, Figure, Heatmap, Lines, Network, Panel, Points, Span, Track
from pipeline.report.packing import pack_array
from pipeline.viz.axis import counts, told_apart
from pipeline.viz.bars import bar_width, bars_lie, measured
from pipeline.viz.brackets import bracket_paths
from pipeline.viz.lines import dashes_tell
from pipeline.viz.network import LONGEST, edge_classes, labelled_nodes, on_ring
from pipeline.viz.points import group_name, hulls
from pipeline.viz.scales import bar_limits, heatmap_limits
from pipeline.viz.spans import span_labels
from pipeline.viz.theme import DASHES, MARKERS, group_index, mark_index

Json = dict[str, Any]  # Any: JSON for the page's script


@dataclass(frozen=True)
class ArrayPool:
    """Arrays of a figure, each stored once, referred to by number."""

    arrays: list[Json] = field(default_factory=list)

    def add(self, values: Any, *, exact: bool = False) -> Json:  # Any: whatever NumPy accepts
        """A reference to an array, which is stored unless the same one is there already."""
        packed = pack_array(values, exact=exact)
        if packed not in self.arrays:
            self.arrays.append(packed)
        return {"$": self.arrays.index(packed)}


def interactive(figure: Figure) -> Json:
    """A figure as plain data for the page's script: panels, arrays, and tables to download."""
    pool = ArrayPool()
    panels = [interactive_panel(panel, pool) for panel in figure.panels]
    for panel, drawn in zip(figure.panels, panels, strict=True):
        limits = bar_limits(panel, figure) if isinstance(panel, Bars) else None
        if limits is not None:
            drawn["x" if drawn["across"] else "y"]["range"] = list(limits)
    return {"id": figure.id, "panels": panels, "arrays": pool.arrays}


def interactive_panel(panel: Panel, pool: ArrayPool) -> Json:
    """One panel: traces, axes, marks beside the data, and its numbers as a table."""
    kinds: dict[type, Callable[..., Json]] = {
        Heatmap: _heatmap,
        Lines: _lines,
        Track: _lines,
        Points: _points,
        Bars: _bars,
        Network: _network,
    }
    drawn = kinds[type(panel)](panel, pool)
    kind = "lines" if isinstance(panel, Lines) else type(panel).__name__.lower()
    return {"kind": kind, "title": panel.title, **drawn}


def plotly_text(text: str) -> str:
    """Text that Plotly shows as it stands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _heatmap(panel: Heatmap, pool: ArrayPool) -> Json:
    rows, columns = panel.values.shape
    values = pool.add(panel.values)
    low, high = heatmap_limits(panel)
    x = np.arange(columns, dtype=float) if panel.x is None else panel.x
    step = float(x[1] - x[0]) if columns > 1 else 1.0
    first = float(x[0]) if columns else 0.0
    trace: Json = {
        "type": "heatmap",
        "z": values,
        "x0": first,
        "dx": step,
        "y0": 0,
        "dy": 1,
        "zmin": low,
        "zmax": high,
        "hoverinfo": "none",
        "hoverongaps": True,
        "colorscale": f"@{panel.scale}",
        "showscale": panel.scale != "categorical",
        "colorbar": {"title": {"text": plotly_text(panel.value_title)}},
    }
    edges = [first - step / 2, first + step * (columns - 0.5)]
    return {
        "traces": [trace],
        "x": {"title": plotly_text(panel.x_title), "range": edges},
        "y": {"title": plotly_text(panel.y_title), "range": [rows - 0.5, -0.5]},
        "xlabels": list(panel.x_labels),
        "ylabels": list(panel.y_labels),
        "x0": first,
        "dx": step,
        "valueTitle": panel.value_title,
        "square": panel.square,
        "rows": rows,
        "columns": columns,
        "spans": _spans(panel.spans),
        "breaks": list(panel.breaks),
        "missingTitle": panel.missing_title,
        "outlined": [list(cell) for cell in panel.outlined],
        "outlinedTitle": panel.outlined_title,
        "csv": {
            "form": "matrix",
            "corner": f"{panel.y_title} \\ {panel.x_title}",
            "columns": list(panel.x_labels) or pool.add(x, exact=True),
            "rows": list(panel.y_labels) or [str(row) for row in range(rows)],
            "values": values,
        },
    }


def _lines(panel: Lines, pool: ArrayPool) -> Json:
    x = pool.add(panel.x, exact=True)
    traces: list[Json] = []
    columns: list[list[Any]] = [[panel.x_title, x]]  # Any: name and reference
    several = dashes_tell(panel)
    for line in panel.lines:
        color = f"g{group_index(line.group)}"
        dash = DASHES[mark_index(line.group)] if several else "solid"
        y = pool.add(line.y)
        columns.append([line.name, y])
        if line.lower is not None and line.upper is not None:
            band_x, band_y = _band(panel.x, line.lower, line.upper)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "none",
                    "x": pool.add(band_x, exact=True),
                    "y": pool.add(band_y),
                    "fill": "toself",
                    "fillcolor": f"@{color}/0.2",
                    "hoverinfo": "skip",
                }
            )
            columns.append([f"{line.name}, lower", pool.add(line.lower)])
            columns.append([f"{line.name}, upper", pool.add(line.upper)])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "name": plotly_text(line.name),
                "line": {"color": f"@{color}", "width": 1.75, "dash": dash},
                "connectgaps": False,
            }
        )
    # Bands lie below all curves.
    traces.sort(key=lambda trace: "fill" not in trace)
    return {
        "traces": traces,
        "x": {
            "title": plotly_text(panel.x_title),
            "whole": counts(panel.x),
            **({"range": list(panel.x_limits)} if isinstance(panel, Track) else {}),
        },
        "y": {"title": plotly_text(panel.y_title)},
        "low": isinstance(panel, Track),
        "spans": _spans(panel.spans),
        "breaks": list(panel.breaks),
        "csv": {"form": "columns", "columns": columns},
    }


def _band(
    x: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Outline of the area between two curves, one closed piece a stretch of finite values."""
    finite = np.isfinite(lower) & np.isfinite(upper)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], finite.astype(int), [0]])))
    xs: list[NDArray[np.float64]] = []
    ys: list[NDArray[np.float64]] = []
    gap = np.array([np.nan])
    for start, stop in edges.reshape(-1, 2):
        piece = slice(start, stop)
        xs += [x[piece], x[piece][::-1], gap]
        ys += [lower[piece], upper[piece][::-1], gap]
    if not xs:
        return gap[:0], gap[:0]
    return np.concatenate(xs[:-1]), np.concatenate(ys[:-1])


def _points(panel: Points, pool: ArrayPool) -> Json:
    group = np.full(panel.x.size, -1) if panel.group is None else panel.group
    traces: list[Json] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": pool.add(x, exact=True),
            "y": pool.add(y, exact=True),
            "line": {"color": f"@g{group_index(value)}", "width": 1.2},
            "hoverinfo": "skip",
        }
        for value, x, y in hulls(panel)
    ]
    for value in sorted(set(group.tolist())):
        members = np.flatnonzero(group == value)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": pool.add(panel.x[members], exact=True),
                "y": pool.add(panel.y[members], exact=True),
                "text": [plotly_text(panel.labels[i]) for i in members] if panel.labels else None,
                "name": plotly_text(group_name(value, panel.group_names)),
                "marker": _marker(value, size=8),
                "hovertemplate": ("%{text}<br>" if panel.labels else "")
                + "%{x:.4g}, %{y:.4g}"
                + f"<extra>{plotly_text(group_name(value, panel.group_names))}</extra>",
            }
        )
    columns: list[list[Any]] = [  # Any: name and reference or list
        [panel.x_title, pool.add(panel.x, exact=True)],
        [panel.y_title, pool.add(panel.y, exact=True)],
    ]
    if panel.group is not None:
        columns.append(["group", [group_name(int(g), panel.group_names) for g in group]])
    if panel.labels:
        columns.insert(0, ["label", list(panel.labels)])
    return {
        "traces": traces,
        "x": {"title": plotly_text(panel.x_title)},
        "y": {"title": plotly_text(panel.y_title)},
        "diagonal": panel.diagonal,
        "csv": {"form": "columns", "columns": columns},
    }


def _marker(group: int, *, size: float) -> Json:
    if group < 0:
        return {"color": "@quiet", "symbol": "circle-open", "size": size, "line": {"width": 1.2}}
    return {
        "color": f"@g{group_index(group)}",
        "symbol": MARKERS[mark_index(group)],
        "size": size,
        "line": {"width": 0.75, "color": "@surface"},
    }


def _bars(panel: Bars, pool: ArrayPool) -> Json:
    across = bars_lie(panel)
    values = pool.add(panel.values)
    places = list(range(len(panel.labels)))
    trace: Json = {
        "type": "bar",
        "orientation": "h" if across else "v",
        "x": values if across else places,
        "y": places if across else values,
        "text": [plotly_text(label) for label in panel.labels],
        "textposition": "none",
        "hovertemplate": "%{text}: %{" + ("x" if across else "y") + ":.4g}<extra></extra>",
        "marker": {"color": "@g0/0.85", "line": {"width": 0}},
        "width": bar_width(panel),
    }
    columns: list[list[Any]] = [  # Any: name and reference or list
        [panel.x_title, list(panel.labels)],
        [panel.y_title, values],
    ]
    if panel.lower is not None and panel.upper is not None:
        trace["error_x" if across else "error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": pool.add(panel.upper - panel.values),
            "arrayminus": pool.add(panel.values - panel.lower),
            "color": "@ink",
            "thickness": 1.2,
            "width": 4,
        }
        columns += [["lower", pool.add(panel.lower)], ["upper", pool.add(panel.upper)]]
    names = {"title": plotly_text(panel.x_title), "range": [-0.6, len(places) - 0.4]}
    numbers = {"title": plotly_text(panel.y_title)}
    if across:
        names["range"] = [len(places) - 0.4, -0.6]
    return {
        "traces": [trace, *_brackets(panel, pool, across=across)],
        "x": numbers if across else names,
        "y": names if across else numbers,
        "across": across,
        "bars": len(places),
        "measured": measured(panel.labels),
        "xlabels": [] if across else list(panel.labels),
        "ylabels": list(panel.labels) if across else [],
        "reference": panel.reference,
        "referenceTo": panel.reference_to,
        "referenceLabel": panel.reference_label,
        "csv": {"form": "columns", "columns": columns},
    }


def _brackets(panel: Bars, pool: ArrayPool, *, across: bool) -> list[Json]:
    """One line of all brackets, with a gap after each."""
    if not panel.brackets:
        return []
    corners = bracket_paths(panel)
    gaps = np.full((len(corners), 1, 2), np.nan)
    place, value = np.concatenate([corners, gaps], axis=1).reshape(-1, 2).T
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": pool.add(value if across else place, exact=True),
            "y": pool.add(place if across else value, exact=True),
            "customdata": [
                plotly_text(bracket.label)
                for bracket in panel.brackets
                for _ in range(corners.shape[1] + 1)
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
            "line": {"color": "@ink", "width": 1.2},
            "showlegend": False,
        }
    ]


def _network(panel: Network, pool: ArrayPool) -> Json:
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": pool.add(x, exact=True),
            "y": pool.add(y, exact=True),
            "line": {"color": f"@ink/{alpha}", "width": width, "dash": "dot" if below else "solid"},
            "hoverinfo": "skip",
        }
        for x, y, width, alpha, below in edge_classes(panel)
    ]
    named = set(labelled_nodes(panel))
    names = told_apart(panel.labels, LONGEST)
    outwards = on_ring(panel)
    for value in sorted(set(panel.group.tolist())):
        members = np.flatnonzero(panel.group == value)
        group = plotly_text(group_name(value, panel.group_names))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if outwards else "markers+text",
                "name": group,
                "x": pool.add(panel.x[members], exact=True),
                "y": pool.add(panel.y[members], exact=True),
                "text": [plotly_text(names[i]) if i in named else "" for i in members],
                "customdata": [plotly_text(panel.labels[i]) for i in members],
                "textposition": "top center",
                "textfont": {"size": 9, "color": "@ink"},
                "marker": _marker(value, size=10),
                "hovertemplate": "%{customdata}<extra>" + group + "</extra>",
            }
        )
    source = [panel.labels[i] for i in panel.edges[:, 0]]
    target = [panel.labels[i] for i in panel.edges[:, 1]]
    return {
        "traces": traces,
        "x": {},
        "y": {},
        "plain": True,
        "rays": _rays(panel, names, sorted(named)) if outwards else [],
        "csv": {
            "form": "columns",
            "columns": [
                ["from", source],
                ["to", target],
                ["weight", pool.add(panel.weights)],
            ],
        },
    }


def _rays(panel: Network, names: Sequence[str], shown: Sequence[int]) -> list[Json]:
    """Names that stand outside a circle of nodes, each with its node's place and direction."""
    angles = np.degrees(np.arctan2(panel.y, panel.x))
    return [
        {
            "x": float(panel.x[node]),
            "y": float(panel.y[node]),
            "angle": round(float(angles[node]), 2),
            "text": names[node],
        }
        for node in shown
    ]


def _spans(spans: Sequence[Span]) -> list[Json]:
    places = {label: place for place, label in enumerate(span_labels(spans))}
    return [
        {"start": span.start, "stop": span.stop, "label": span.label, "place": places[span.label]}
        for span in spans
    ]
