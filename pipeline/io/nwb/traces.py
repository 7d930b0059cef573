"""Which series of a file could be the activity, and what kind of signal each is."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import NwbObject, Survey, child, dereference, text_attribute
from pipeline.io.nwb.rois import Plane, plane_of
from pipeline.io.nwb.values import check_streamed, is_numeric, read_piece

TIERS = ("dff", "fluorescence", "events")
"""Kinds of signal in the order in which they are preferred."""
BACKGROUND = "background"
"""Kind of a series that is no activity of cells: neuropil, other background."""
BASELINE = "baseline"
"""Kind of a series that is called a baseline: of traces, unless the sheet says otherwise."""
NO_CELLS = (BASELINE, BACKGROUND)
"""What is never taken for the activity of cells by itself."""

_DFF = re.compile(
    r"(?<![a-z])(d|delta|[Δ∆δ])_?f_?0?_?(over|/|by|div)?_?f_?0?(?![a-z0-9])|dff|deltaf", re.I
)
_EVENTS = re.compile(r"deconv|inferred|event|spike|spks", re.I)
_AROUND = (
    r"(neuro_?pil|npil|background|annulus|contamination|(?<![a-z])halo(?![a-z])|"
    r"(?<![a-z])f?_?(neu|np|bg|bkg|bkgd|bckg)(?![a-z])|"
    r"(?<![a-z])(?<!cent(?:er|re)_)surround(?![a-z]))"
)
_BACKGROUND = re.compile(_AROUND, re.I)
_F0 = re.compile(r"(?<![a-z])f_?0(?![a-z0-9])", re.I)
_BASELINE = re.compile(r"(?<![a-z])base_?line(?![a-z])", re.I)
_REMOVED = re.compile(
    rf"{_AROUND}_?(and_?)?(corr|sub|remov|free|decontam|demix|clean)[a-z]*|"
    rf"(minus|without|no|less|sans)_?{_AROUND}",
    re.I,
)
_LEVELLED = re.compile(
    r"base_?line_?(and_?)?(corr|sub|remov|free|norm|adjust|div|detrend)[a-z]*|"
    r"(minus|without|no|less|sans|over|by|to|from)_?base_?line",
    re.I,
)
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-zΔ∆δ/]+")

MOST_LISTED = 20
"""Series that a message names one by one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A series that could be the activity."""

    item: NwbObject
    signal: str
    """One of :data:`TIERS` or :data:`NO_CELLS`."""
    by_unit_only: bool = False
    """Whether nothing but the unit of its samples says that it is dF/F."""
    container: str = ""
    """Type of what it lies in; empty for a bare series."""
    plane: Plane = Plane(name="")

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the samples as stored."""
        try:
            data = child(self.item.group, "data")
        except DataError:
            return ()
        return tuple(data.shape) if isinstance(data, h5py.Dataset) else ()

    @cached_property
    def unit(self) -> str:
        """Unit of the samples as the file tells it."""
        return _unit(self.item)

    @cached_property
    def rate_hz(self) -> float:
        """Samples a second, from the rate or the first timestamps; NaN where not known."""
        return series_rate_hz(self.item)

    def line(self) -> str:
        """Path, shape, rate and surroundings in one line."""
        shape = " x ".join(map(str, self.shape)) or "no data"
        where = f"in {self.container}" if self.container else "in no container"
        facts = (shape, f"{self.rate_hz:.4g} Hz", where, self.plane.words())
        return f"{self.item.path} ({', '.join(fact for fact in facts if fact)})"


def candidates(contents: Survey) -> tuple[Candidate, ...]:
    """Series that could be the activity, best kind first; neuropil is never among them."""
    return tuple(one for one in all_traces(contents) if one.signal not in NO_CELLS)


def best_of(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates of the best kind that there is; what a name or container says counts more."""
    cells = [one for one in found if one.signal not in NO_CELLS]
    best = [one for one in cells if one.signal == cells[0].signal]
    return tuple([one for one in best if not one.by_unit_only] or best)


def all_traces(contents: Survey) -> tuple[Candidate, ...]:
    """All series of ROIs, best kind first, baselines, neuropil and other background last."""
    series = contents.of_type("RoiResponseSeries")
    names = {_words(item.name) for item in series}
    planes: dict[str, Plane] = {"": Plane(name="")}  # one for each table, which many may share
    found = [_candidate(contents, item, names=names, planes=planes) for item in series]
    order = (*TIERS, *NO_CELLS)
    return tuple(
        sorted(found, key=lambda one: (order.index(one.signal), one.by_unit_only, one.item.path))
    )


def plain_series(contents: Survey, path: str) -> Candidate | None:
    """A plain time series at a path, which is read as traces when the sheet names it."""
    item = contents.at(path)
    if item is None or item.type != "TimeSeries":
        return None
    return Candidate(item=item, signal=signal_of(item.path, container="", unit=_unit(item)))


def could_be_traces(item: NwbObject) -> bool:
    """Whether a series is a plain table of several columns, as of a program without ROIs."""
    if item.type != "TimeSeries":
        return False
    try:
        data = child(item.group, "data")
    except DataError:
        return False
    if not isinstance(data, h5py.Dataset) or len(data.shape) != 2 or not is_numeric(data):
        return False
    return bool(min(data.shape) > 1)


def signal_of(path: str, *, container: str, unit: str, names: Collection[str] = ()) -> str:
    """Kind of signal by names, container and unit.

    Parameters
    ----------
    path
        HDF5 path of the series.
    container
        Type of what it lies in; empty for a bare series.
    unit
        Unit of its samples.
    names
        Names of all series in words joined by ``_``: beside an ``F1``, ``F0`` is a plane or a
        channel that is counted and no baseline.
    """
    parts = [_words(name) for name in path.split("/")[2:]]
    near = parts[-2:] if container else parts[-1:]
    if any(_about(_BACKGROUND, words) for words in parts):
        return BACKGROUND
    counted = bool(_F0.search(near[-1])) and near[-1].replace("0", "1") in names
    f0 = any(_F0.search(_DFF.sub("", words)) for words in near) and not counted
    baseline = any(_BASELINE.search(_LEVELLED.sub("", words)) for words in near)
    if container != "DfOverF" and (f0 or baseline):
        return BASELINE
    if any(_EVENTS.search(words) for words in near):
        return "events"
    if container == "DfOverF" or any(_DFF.search(words) for words in (*near, _words(unit))):
        return "dff"
    return "fluorescence"


def series_rate_hz(item: NwbObject) -> float:
    """Samples a second, from the rate or the first timestamps; NaN where not known."""
    try:
        timestamps = child(item.group, "timestamps")
        starting_time = child(item.group, "starting_time")
        first = _first_times(timestamps)
    except DataError:
        return float("nan")
    if first is not None:
        times = first.astype(np.float64).reshape(-1)
        steps = np.diff(times) if times.size > 1 else np.array([np.nan])
        middle = float(np.median(steps))
        return 1.0 / middle if middle > 0 else float("nan")
    if isinstance(starting_time, h5py.Dataset):
        rate = starting_time.attrs.get("rate", float("nan"))
        try:
            return float(np.asarray(rate, dtype=np.float64).reshape(-1)[0])
        except (TypeError, ValueError, IndexError):
            return float("nan")
    return float("nan")


def _first_times(timestamps: h5py.Group | h5py.Dataset | None) -> NDArray[Any] | None:
    """Some timestamps, from few bytes."""
    if not isinstance(timestamps, h5py.Dataset) or not is_numeric(timestamps):
        return None
    check_streamed(timestamps, max_gb=None)
    return read_piece(timestamps, (slice(100),)) if timestamps.shape else None


def listed(offered: Sequence[Candidate]) -> str:
    """Candidates as a numbered list in one line, which ends where it would get too long."""
    shown = [f"({place}) {one.line()}" for place, one in enumerate(offered[:MOST_LISTED], start=1)]
    left = len(offered) - len(shown)
    return "; ".join([*shown, f"and {left} more"] if left else shown)


def _candidate(
    contents: Survey, item: NwbObject, *, names: Collection[str], planes: dict[str, Plane]
) -> Candidate:
    container = contents.type_at(item.parent_path).replace("ProcessingModule", "")
    table = _table_of(contents, item)
    signal = signal_of(item.path, container=container, unit=_unit(item), names=names)
    if table is not None and _about(_BACKGROUND, _words(table.name)):
        signal = BACKGROUND
    named = signal_of(item.path, container=container, unit="", names=names)
    path = table.path if table is not None else ""
    if table is not None and path not in planes:
        planes[path] = plane_of(table)
    return Candidate(
        item=item,
        signal=signal,
        by_unit_only=signal == "dff" != named,
        container=container,
        plane=planes[path],
    )


def _table_of(contents: Survey, item: NwbObject) -> NwbObject | None:
    try:
        rois = child(item.group, "rois")
        target = dereference(rois, "table") if isinstance(rois, h5py.Dataset) else None
    except DataError:
        return None
    return contents.same_as(target) if target is not None else None


def _unit(item: NwbObject) -> str:
    try:
        data = child(item.group, "data")
    except DataError:
        return ""
    return text_attribute(data, "unit") if isinstance(data, h5py.Dataset) else ""


def _words(name: str) -> str:
    """A name in parts that are joined by ``_``: ``rawNeuropil`` becomes ``raw_neuropil``."""
    return _BOUNDARY.sub("_", name).strip("_").lower()


def _about(kind: re.Pattern[str], words: str) -> bool:
    """Whether words name this kind of thing, and not that it was taken away."""
    return kind.search(_REMOVED.sub("", words)) is not None
