"""What axes of several kinds of panels share: tick labels, spans, breaks, group signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import REMARK, Span
from pipeline.viz.spans import span_labels
from pipeline.viz.theme import LIGHT, group_index

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

POINTS_PER_LABEL = 9.0
LONGEST_LABEL = 24
MOST_STRIP_LABELS = 60
MOST_COUNTS = 60
"""Values of an axis beyond which it is one of time or the like, not of counts."""


def thinned(count: int, *, inches: float) -> list[int]:
    """Places of labels that fit side by side along some inches, evenly spaced from the first."""
    fits = max(1, int(inches * 72 / POINTS_PER_LABEL))
    return list(range(0, count, max(1, -(-count // fits))))


def shortened(label: str, longest: int = LONGEST_LABEL) -> str:
    """A label cut to a length, with an ellipsis where it was cut."""
    return label if len(label) <= longest else label[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def told_apart(labels: Sequence[str], longest: int = LONGEST_LABEL) -> list[str]:
    """Labels cut to a length, such that different labels stay different.

    Labels that would look alike when cut at the end are cut in the middle or in front, and stay
    whole where that does not help either.
    """
    for cut in (shortened, _cut_in_the_middle, _cut_in_front):
        meant: dict[str, set[str]] = {}
        for label in labels:
            meant.setdefault(cut(label, longest), set()).add(label)
        if all(len(each) == 1 for each in meant.values()):
            return [cut(label, longest) for label in labels]
    return list(labels)


def _cut_in_the_middle(label: str, longest: int) -> str:
    end = longest // 2
    if len(label) <= longest:
        return label
    return f"{label[: longest - 1 - end]}\N{HORIZONTAL ELLIPSIS}{label[-end:]}"


def _cut_in_front(label: str, longest: int) -> str:
    return label if len(label) <= longest else f"\N{HORIZONTAL ELLIPSIS}{label[1 - longest :]}"


def names_alone(labels: Sequence[str]) -> Sequence[str]:
    """Labels without their remarks, where that leaves names that differ."""
    names = [label.partition(REMARK)[0] for label in labels]
    return names if all(names) and len(set(names)) == len(names) else labels


def counts(x: NDArray[np.float64]) -> bool:
    """Whether an axis counts something: few values, all of them whole. Then its ticks are whole."""
    few = 1 < x.size <= MOST_COUNTS
    return bool(few and np.isfinite(x).all() and (x == np.round(x)).all())


def label_axis(axis: Any, labels: Sequence[str], *, inches: float) -> None:  # Any: an axis
    """Set as many labels on an axis as fit."""
    places = thinned(len(labels), inches=inches)
    short = told_apart(labels)
    axis.set_ticks(places, [short[place] for place in places])
    axis.set_tick_params(length=0)


def draw_spans(axes: Axes, spans: Sequence[Span], *, shade: bool) -> None:
    """A strip of labelled stretches above the axes, and faint shading below it."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    def above(points: float) -> Any:  # Any: a transform of Matplotlib's
        lift = ScaledTranslation(0, points / 72, axes.figure.dpi_scale_trans)
        return axes.get_xaxis_transform() + lift

    places = {label: place for place, label in enumerate(span_labels(spans))}
    low, high = axes.get_xlim()
    for span in spans:
        start, stop = max(span.start, low), min(span.stop, high)
        if stop <= start:
            continue
        color = LIGHT.groups[group_index(places[span.label])]
        strip = Line2D(
            [start, stop], [1, 1], transform=above(5), color=color, alpha=0.4, linewidth=6,
            solid_capstyle="butt", clip_on=False,
        )  # fmt: skip
        axes.add_artist(strip)
        if shade and len(spans) <= MOST_STRIP_LABELS:
            axes.axvspan(start, stop, color=color, alpha=0.08, linewidth=0, zorder=0)
        text = strip_text(span.label, places[span.label], share=(stop - start) / (high - low))
        axes.text(
            (start + stop) / 2, 1, text, transform=above(9), ha="center", va="bottom", fontsize=6.5
        )
    axes.set_xlim(low, high)


def strip_text(label: str, place: int, *, share: float) -> str:
    """The label where the stretch is wide enough for it, else its number, else nothing."""
    # A strip as wide as a text column takes about a hundred letters of this size.
    room = share * 100
    number = str(place + 1)
    return label if len(label) <= room else number if len(number) <= room else ""


def span_key(spans: Sequence[Span], limits: tuple[float, float]) -> str:
    """Numbers and their labels, for those labels that stand nowhere in full; may be empty.

    Parameters
    ----------
    limits
        Ends of the axis on which :func:`draw_spans` writes the labels.
    """
    labels = span_labels(spans)
    places = {label: place for place, label in enumerate(labels)}
    low, high = limits
    written = {
        span.label
        for span in spans
        if strip_text(
            span.label,
            places[span.label],
            share=(min(span.stop, high) - max(span.start, low)) / (high - low),
        )
        == span.label
    }
    numbered = [
        f"{place + 1} {shortened(label)}"
        for place, label in enumerate(labels)
        if label not in written
    ]
    return "; ".join(numbered[:16])


def draw_breaks(axes: Axes, breaks: Sequence[float], *, color: str) -> None:
    """Dotted lines where separate stretches meet."""
    for place in breaks:
        axes.axvline(place, color=color, linewidth=0.8, linestyle=(0, (1, 2)))
