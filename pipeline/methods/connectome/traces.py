"""Back to the traces: what the members of a community do while their component is active."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Heatmap, Span
from pipeline.core.views import TraceEnsemble
from pipeline.core.words import counted
from pipeline.methods.connectome.correlation import traces_of_units
from pipeline.methods.connectome.networks import Called
from pipeline.methods.connectome.readback import active
from pipeline.methods.connectome.result import ConnectomeResult

SHOWN_RECORDINGS = 4
SHOWN_MEMBERS = 20
SHOWN_COLUMNS = 500
LIMIT = 3.0
"""Standard deviations at which colours end."""


def traces_figure(
    result: ConnectomeResult, views: tuple[TraceEnsemble, ...], called: Called
) -> Figure | None:
    """Traces of the largest community of the most important component that has groups.

    Nothing where no component has groups.
    """
    gains = np.where(result.structured & (result.community.max(axis=1) >= 0), 1.0, np.nan)
    gains = gains * result.component_gain
    if not np.isfinite(gains).any():
        return None
    component = int(np.nanargmax(gains))
    member = np.flatnonzero(result.community[component] == 0)
    strength = np.nansum(result.pair_matrix(component), axis=0)[member]
    member = member[np.argsort(-strength, kind="stable")][:SHOWN_MEMBERS]
    by_name = {view.recording: view for view in views}
    order = np.argsort(-result.component_recording[component], kind="stable")
    panels = []
    for index in order[:SHOWN_RECORDINGS].tolist():
        if result.presence[index, member].sum() >= 2:
            view = by_name[str(result.recording[index])]
            panels.append(_panel(result, view, component, member, index, called))
    if not panels:
        return None
    n_all = int((result.community[component] == 0).sum())
    n_active = len(active(result, component))
    return Figure(
        id="traces",
        title="Back to the traces",
        finding=(
            f"Members of community 1 of component {component + 1} while it is active "
            f"({counted(n_active, 'stretch') if n_active == 1 else f'{n_active} stretches'})."
        ),
        caption=(
            f"Traces of the {member.size} strongest of {counted(n_all, 'member')}, in standard "
            f"deviations from each one's mean, in {len(panels)} of "
            f"{counted(result.recording.size, 'recording')} by the component's share; drawn as "
            "means over neighbouring frames. Shaded: the component is active. A minus before a "
            "name: drawn upside down, as the trace goes against the others' mean there. Affinity "
            "does not know directions. No band: this is what was recorded. Good: members change "
            "together in the shaded stretches and "
            "in several recordings. Bad: one member alone changes, or all change everywhere."
        ),
        alt=f"Coloured traces of {member.size} units in {counted(len(panels), 'recording')}.",
        panels=tuple(panels),
        columns=1,
    )


def _panel(
    result: ConnectomeResult,
    view: TraceEnsemble,
    component: int,
    member: NDArray[np.int64],
    index: int,
    called: Called,
) -> Heatmap:
    """Members of one recording over its time."""
    member = member[result.presence[index, member]]
    values, valid = traces_of_units(view, result.unit[member], np.ones(member.size, dtype=bool))
    times = [
        (float(source[0]), float(source[-1]) + result.bin_s)
        for first, stop in active(result, component)
        if np.isfinite(source := result.source_time_s[first:stop, index]).all()
    ]
    inside = np.zeros(view.time.size, dtype=bool)
    for start, stop in times:
        inside |= (view.time >= start) & (view.time < stop)
    known = np.where(valid, values, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (known - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    sign = signs(np.nan_to_num(scaled)[inside if inside.sum() > 2 else slice(None)])
    x, shown = _thinned(view.time, scaled * sign)
    return Heatmap(
        title=str(result.recording[index]),
        values=np.round(shown.T, 2).astype(np.float32),
        x_title="Time (s)",
        y_title="Unit",
        value_title="Trace (SD)",
        x=x,
        y_labels=tuple(
            f"\N{MINUS SIGN}{name}" if one < 0 else str(name)
            for name, one in zip(called[member], sign, strict=True)
        ),
        scale="diverging",
        limits=(-LIMIT, LIMIT),
        spans=tuple(Span(start=start, stop=stop, label="active") for start, stop in times),
    )


def signs(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signs that make traces (time, unit) agree most; most of them are 1.

    They are those of the first singular vector of the deviations as they are: in the few frames of
    an active stretch a mean of their own would hide that all deviate.
    """
    _, vectors = np.linalg.eigh(traces.T @ traces)
    sign = np.where(vectors[:, -1] < 0, -1.0, 1.0)
    return np.asarray(sign if sign.sum() >= 0 else -sign)


def _thinned(
    time: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means over as many neighbouring frames as leave few enough columns, NaN where unknown."""
    step = -(-time.size // SHOWN_COLUMNS)
    n_columns = time.size // step
    kept = values[: n_columns * step].reshape(n_columns, step, -1)
    known = np.isfinite(kept)
    total = np.where(known, kept, 0).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    middle = time[: n_columns * step].reshape(n_columns, step).mean(axis=1)
    return np.linspace(middle[0], middle[-1], n_columns).round(3), mean
