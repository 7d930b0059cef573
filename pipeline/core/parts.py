"""Parts of a report as data: checks, figures, tables, sections.

Methods say what is shown; ``pipeline.report`` and ``pipeline.viz`` decide how it is drawn, on the
page and on paper, from the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.outcome import Status

REMARK = " \N{MIDDLE DOT} "
"""Stands in labels of figures between the name of a unit, by which it is marked in all figures, and
what else is told of it."""
PAIR = " \N{RIGHTWARDS ARROW} "
"""Stands between the names of two units in a label, by either of which it is marked."""

LEAST_OF_HULL = 3
"""Points that span an area."""

Number = float | int | str | bool | None
Numbers = Mapping[str, "Number | list[Number] | Mapping[str, Number]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One diagnostic: whether to trust a result, and what to do if not."""

    name: str
    status: Literal["pass", "warn", "fail", "not_tested"]
    value: str
    """The measured value as a reader should see it, with its unit."""
    threshold: str
    """What was asked for; empty where there is no fixed limit."""
    meaning: str
    """One sentence: what the value says about the result."""
    advice: str = ""
    """What to do when it is not a pass."""
    confound: bool = False
    """Whether it asks for something that alone may make the finding: the first screen then tells
    of it where it could not be tested, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNumber:
    """A number worth comparing over experiments: a finding, neither a setting nor a p value."""

    name: str
    """What it is, in words and with its unit; the same in all experiments."""
    value: int | float
    low: float | None = None
    high: float | None = None
    beside: str = ""
    """What ``low`` to ``high`` is, as ``95 % range``; or what else a reader should see beside."""


def key_numbers(*numbers: KeyNumber) -> tuple[KeyNumber, ...]:
    """Those of the numbers that exist, without ranges that do not."""
    return tuple(
        one
        if one.low is None or isfinite(one.low)
        else replace(one, low=None, high=None, beside="")
        for one in numbers
        if isfinite(one.value)
    )


def with_error(name: str, value: float, error: float) -> KeyNumber:
    """A number and its standard error; NaN where there is none."""
    return KeyNumber(
        name=name,
        value=value,
        low=value - error,
        high=value + error,
        beside="one standard error either way",
    )


def with_range(name: str, value: float, each: Sequence[float], over: str) -> KeyNumber:
    """A number and the least and most of those it stands for; a single one has no range.

    Parameters
    ----------
    name, value
        Of the number.
    each
        What it stands for, none missing.
    over
        What these are of, such as ``recordings``.
    """
    if len(each) < 2:
        return KeyNumber(name=name, value=value)
    ends = {"low": float(min(each)), "high": float(max(each))}
    return KeyNumber(name=name, value=value, **ends, beside=f"range over {len(each)} {over}")


def middle_with_range(name: str, each: Sequence[float], over: str) -> KeyNumber:
    """The median of values, at least one, with their range as :func:`with_range` tells it."""
    told = with_range(name, float(np.median(each)), each, over)
    return replace(told, beside=told.beside and f"median and {told.beside}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """A labelled stretch of the horizontal axis, such as a stimulus epoch."""

    start: float
    stop: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heatmap:
    """A matrix in colour. Row 0 is drawn on top. NaN is drawn in grey."""

    title: str
    values: NDArray[np.float32]
    """Shape (row, column)."""
    x_title: str
    y_title: str
    value_title: str
    x: NDArray[np.float64] | None = None
    """Coordinates of the columns, evenly spaced; their number where absent."""
    x_labels: tuple[str, ...] = ()
    y_labels: tuple[str, ...] = ()
    scale: Literal["sequential", "diverging", "categorical"] = "sequential"
    """``diverging`` is centred at 0; ``categorical`` holds small integers, -1 meaning none."""
    limits: tuple[float, float] | None = None
    square: bool = False
    spans: tuple[Span, ...] = ()
    breaks: tuple[float, ...] = ()
    """Where separate stretches of the horizontal axis meet."""
    missing_title: str = "missing"
    """What grey means, for the legend."""
    outlined: tuple[tuple[int, int], ...] = ()
    """Row and column of cells with a frame."""
    outlined_title: str = ""
    """What the frame means, for the legend."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One curve of a :class:`Lines` panel; curves of one ``group`` share a colour."""

    name: str
    y: NDArray[np.float64]
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    group: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Curves over one horizontal axis, with shaded spans."""

    title: str
    x: NDArray[np.float64]
    lines: tuple[Line, ...]
    x_title: str
    y_title: str
    spans: tuple[Span, ...] = ()
    breaks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track(Lines):
    """Curves in a low panel, which go along with the panel above it."""

    x_limits: tuple[float, float]
    """Ends of the horizontal axis, as of the panel above."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Labelled points in the plane; ``group`` (-1 = none) picks colour and marker.

    ``diagonal``: whether the line of equal values is drawn; ``hulls``: whether a convex outline is
    drawn around each group of at least ``LEAST_OF_HULL`` points.
    """

    title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_title: str
    y_title: str
    labels: tuple[str, ...] = ()
    group: NDArray[np.int64] | None = None
    group_names: tuple[str, ...] = ()
    diagonal: bool = False
    hulls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Joins two bars that differ; ``label`` says how surely."""

    first: int
    second: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bars:
    """One bar a label, with optional error ranges, brackets and a dashed reference."""

    title: str
    labels: tuple[str, ...]
    values: NDArray[np.float64]
    x_title: str
    y_title: str
    lower: NDArray[np.float64] | None = None
    upper: NDArray[np.float64] | None = None
    reference: float | None = None
    reference_to: float | None = None
    """Where the reference is a range: what it ends at."""
    reference_label: str = ""
    brackets: tuple[Bracket, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """Nodes in the plane and weighted edges between them."""

    title: str
    labels: tuple[str, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    group: NDArray[np.int64]
    edges: NDArray[np.int64]
    """Shape (edge, 2), indices of nodes."""
    weights: NDArray[np.float64]
    group_names: tuple[str, ...] = ()
    tree: bool = False
    """Whether nodes stand on circles around 0, of which the outermost has the named ones."""


Panel = Heatmap | Lines | Track | Points | Bars | Network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """One figure of one or more panels, with all its words."""

    id: str
    """Unique in its section; letters, digits, ``-``. Part of links and file names."""
    title: str
    finding: str
    """One sentence written from the numbers: what this figure shows here."""
    caption: str
    """What is drawn, n, units, uncertainty, and what good and bad look like."""
    alt: str
    panels: tuple[Panel, ...]
    columns: int = 1
    """Panels beside each other on a wide page."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table for people; columns in order, all of one length."""

    id: str
    title: str
    caption: str
    columns: Mapping[str, tuple[Number, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Film:
    """A short film in grey."""

    title: str
    frames: NDArray[np.uint8]
    """Shape (frame, y, x): 0 is black, 255 white."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Films:
    """Films of one length beside each other, which play when a reader asks for it."""

    id: str
    title: str
    finding: str
    caption: str
    alt: str
    films: tuple[Film, ...]
    frame_s: float
    """How long each frame stands on the page, in seconds."""
    still: int
    """The frame that is shown while nothing plays."""
    columns: int = 1
    """Films that belong together stand in one row of so many."""
    greys: int = 256
    """Steps of grey that frames have, from black to white."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """All that a report says about one subject, in reading order."""

    id: str
    """The method's name, ``data`` or ``agreement``."""
    title: str
    status: Status
    sentence: str
    """For the first screen: the finding in one sentence, with its uncertainty."""
    further: str = ""
    """What the finding rests on and leaves open; folded below it on the first screen."""
    planted: str = ""
    """In simulated recordings: what was planted, and how much of it was found."""
    reason: str = ""
    """Why there is no result, when there is none."""
    body: tuple[str | Figure | Table | Films, ...] = ()
    """Paragraphs, figures, tables and films in reading order."""
    checks: tuple[Check, ...] = ()
    numbers: Numbers = field(default_factory=dict)
    """Every number the words use, by name, for ``report.json``."""
    key_numbers: tuple[KeyNumber, ...] = ()
    """The two or three of them that the index compares over experiments."""
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of units that the method takes as one, by the name of all of them together."""
    failure: Mapping[str, object] = field(default_factory=dict)
    citation: str = ""


def status_from_checks(checks: tuple[Check, ...]) -> Literal["ok", "warn"]:
    """``warn`` when one of the checks is ``warn`` or ``fail``, else ``ok``."""
    return "warn" if any(check.status in ("warn", "fail") for check in checks) else "ok"


def qualified(sentence: str, checks: Sequence[Check]) -> str:
    """A finding behind the names of the checks that failed, which take the ground from under it.

    A check that fails says that its result is not to be relied on, whatever else speaks for it.
    """
    failed = [f"'{check.name}'" for check in checks if check.status == "fail"]
    if not failed:
        return sentence
    named = f"the check {failed[0]}" if len(failed) == 1 else f"the checks {', '.join(failed)}"
    return f"Provisional, since {named} failed: {sentence}"
