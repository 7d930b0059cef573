"""Which component is strongest when, recording by recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Heatmap
from pipeline.core.words import counted
from pipeline.methods.connectome.readback import ON, active
from pipeline.methods.connectome.result import ConnectomeResult

SHOWN_COLUMNS = 600
MOST_RECORDINGS = 24


def dominant(result: ConnectomeResult) -> NDArray[np.int64]:
    """The active component with the largest part in each frame, (frame, recording).

    A component's part is its weight times its course times its share of a recording, where
    recordings share frames; -1 where none is active, -2 where the recording has no such frame.
    """
    is_active = np.zeros(result.component_time.shape, dtype=bool)
    for component in range(result.rank):
        for first, stop in active(result, component):
            is_active[first:stop, component] = True
    part = np.where(is_active, result.component_time * result.weight, 0.0)
    if result.side_by_side:
        size = np.linalg.norm(result.component_recording, axis=1, keepdims=True)
        share = result.component_recording / np.where(size > 0, size, 1)
    else:
        share = np.ones(result.component_recording.shape)
    found = np.full(result.source_time_s.shape, -1, dtype=np.int64)
    for index in range(result.recording.size):
        of_recording = part * share[:, index]
        any_active = of_recording.max(axis=1) > 0
        found[any_active, index] = of_recording[any_active].argmax(axis=1)
    found[~np.isfinite(result.source_time_s)] = -2
    return found


def dominance_figure(result: ConnectomeResult) -> Figure:
    """One row a recording, coloured by the component that is strongest there and then."""
    found = dominant(result)
    order = np.arange(min(result.recording.size, MOST_RECORDINGS))
    if result.side_by_side:
        place = np.tile(result.frame_time_s[:, None], (1, result.recording.size))
        title = "Time in shared epochs (s)"
        title = title if result.alignment == "by_epoch" else "Time from the start (s)"
    else:
        place = result.source_time_s - np.nanmin(result.source_time_s, axis=0)
        title = "Time in the recording (s)"
    longest = float(np.nanmax(place))
    step = max(result.bin_s, longest / SHOWN_COLUMNS)
    n_columns = int(longest / step) + 1
    values = np.full((order.size, n_columns), np.nan, dtype=np.float32)
    for row, index in enumerate(order):
        known = np.flatnonzero(found[:, index] > -2)
        column = (place[known, index] / step).astype(np.int64)
        # The first frame of each column; later ones would need colours of their own.
        first = np.unique(column, return_index=True)
        label = found[known[first[1]], index]
        values[row, first[0]] = np.where(label < 0, -1, label + 1)
    seen = found[found > -2]
    share = float((seen >= 0).mean()) if seen.size else 0.0
    counts = np.bincount(seen[seen >= 0], minlength=result.rank)
    most = f"; most often component {int(counts.argmax()) + 1}" if counts.any() else ""
    return Figure(
        id="dominance",
        title="Which component when, in each recording",
        finding=f"Some component is active in {100 * share:.0f} % of the frames{most}.",
        caption=(
            f"One row a recording ({counted(order.size, 'row')} of "
            f"{counted(result.recording.size, 'recording')}); colours and numbers are components, "
            "the strongest of those that are active: from "
            f"{100 * ON:.0f} % of their largest strength on, for a second or more. 'none': no "
            "component is active; missing: not recorded. Good: the same order of colours in rows "
            "that share a stimulus. Bad: a colour in one row only. No band: strengths near each "
            "other, and single components that other fits lack, make colours change without "
            "meaning."
        ),
        alt=f"{order.size} rows of coloured stretches over time.",
        panels=(
            Heatmap(
                title="Strongest active component",
                values=values,
                x=np.asarray((np.arange(n_columns) + 0.5) * step, dtype=np.float64),
                x_title=title,
                y_title="Recording" if result.recording.size > 1 else "",
                value_title="Component",
                y_labels=tuple(str(name) for name in result.recording[order]),
                scale="categorical",
            ),
        ),
    )
