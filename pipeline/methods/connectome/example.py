"""From traces to affinity, shown on the pair that a component ties most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Line, Lines, Span
from pipeline.core.views import TraceEnsemble
from pipeline.core.words import counted
from pipeline.methods.connectome.alignment import measured_speeds
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.networks import Called
from pipeline.methods.connectome.pair_affinity import SHORTEST_S, channels_of, pair_affinity
from pipeline.methods.connectome.result import ConnectomeResult

WINDOW_S = 60.0
MOST_FRAMES = 600


def example_figure(
    result: ConnectomeResult,
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    called: Called,
) -> Figure | None:
    """Two traces, their speeds and their affinity around the moment at which they are tied most.

    The pair is the strongest of the most important component; nothing where no recording has both.
    """
    component = int(result.component_gain.argmax())
    matrix = np.nan_to_num(result.pair_matrix(component))
    one, other = (int(at) for at in np.unravel_index(matrix.argmax(), matrix.shape))
    both = result.presence[:, one] & result.presence[:, other]
    course = result.component_time[:, component]
    height = np.where(both & np.isfinite(result.source_time_s), course[:, None], 0)
    if not height.max(initial=0.0) > 0:
        return None
    frame, index = (int(at) for at in np.unravel_index(height.argmax(), height.shape))
    name, middle = str(result.recording[index]), float(result.source_time_s[frame, index])
    view = next(view for view in views if view.recording == name)
    columns = _columns(view, result.unit[[one, other]])
    if columns is None:
        return None
    found = measured_speeds([view], config)[0]
    speed, sign = found.speed[:, columns], found.sign[:, columns]
    affinity = pair_affinity(
        config.affinity,
        speed.astype(np.float32),
        sign,
        np.array([[0, 1]]),
        shortest=max(1, int(SHORTEST_S * view.rate_hz + 0.5)),
    )
    known = view.valid[:, columns]
    trace = np.where(known, view.values[:, columns], np.nan).astype(np.float64)
    trace = (trace - np.nanmean(trace, axis=0)) / np.maximum(np.nanstd(trace, axis=0), 1e-12)
    shown = np.flatnonzero(np.abs(view.time - middle) <= WINDOW_S / 2)
    shown = shown[:: -(-shown.size // MOST_FRAMES)]
    time = view.time[shown].round(3)
    spans = _epochs(view, float(time[0]), float(time[-1]))
    names = [str(name) for name in called[[one, other]]]
    peak = float(affinity[shown].max(initial=0.0))
    kinds = ("affinity",) if channels_of(config.affinity) == 1 else ("same", "opposite directions")

    def panel(title: str, values: NDArray[np.floating], of: list[str], y_title: str) -> Lines:
        return Lines(
            title=title,
            x=time,
            lines=tuple(
                Line(
                    name=each, y=np.asarray(values[shown, at], dtype=np.float64).round(3), group=at
                )
                for at, each in enumerate(of)
            ),
            x_title=f"Time in {name} (s)",
            y_title=y_title,
            spans=spans,
        )

    return Figure(
        id="example",
        title="From traces to affinity",
        finding=(
            f"{names[0]} and {names[1]}, the strongest pair of component {component + 1}, reach an "
            f"affinity of {peak:z.2f} around {middle:.0f} s of {name}."
        ),
        caption=(
            f"One of {counted(len(result.pair_units), 'pair')} in one recording for {WINDOW_S:g} s "
            "around the component's largest strength. Top: traces in standard deviations from "
            "their means. Middle: speeds, the "
            f"absolute derivatives smoothed over {config.sigma_s:g} s, 1 being as fast as the unit "
            "gets; what does not stand out from a unit's noise is 0. Bottom: affinity of the two, "
            "which is what is factorised, for all pairs. Shaded: epochs. The moment was chosen "
            "because the two change together there and says nothing by itself. No band: one "
            "moment of one pair. Good: speeds rise "
            "where the traces visibly change, and rest in between. Bad: speeds that never rest, "
            "which follow noise or drift."
        ),
        alt=f"Traces, speeds and affinity of {names[0]} and {names[1]} over time.",
        panels=(
            panel("Traces", trace, names, "Trace (SD)"),
            panel("Speeds", speed, names, "Speed (share of full)"),
            panel("Affinity", affinity, list(kinds), "Affinity"),
        ),
        columns=1,
    )


def _columns(view: TraceEnsemble, pooled: NDArray[np.str_]) -> NDArray[np.int64] | None:
    """Columns of pooled units in a view; nothing if one is not there."""
    place = {
        str(name) or f"{view.recording}:{own}": column
        for column, (name, own) in enumerate(zip(view.identity, view.unit, strict=True))
    }
    found = [place.get(str(name), -1) for name in pooled]
    return np.array(found, dtype=np.int64) if min(found) >= 0 else None


def _epochs(view: TraceEnsemble, begin: float, end: float) -> tuple[Span, ...]:
    """Epochs between two times, cut there."""
    rows = zip(view.epochs["start_s"], view.epochs["stop_s"], view.epochs["label"], strict=True)
    return tuple(
        Span(start=max(float(start), begin), stop=min(float(stop), end), label=str(label))
        for start, stop, label in rows
        if min(stop, end) > max(start, begin)
    )
