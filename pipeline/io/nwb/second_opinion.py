"""What pynwb makes of a file that was read: a second opinion on its structure.

The reader walks a file by itself, since pynwb refuses a whole file for one object that it cannot
build. Where pynwb can read a file, both must see the same objects, of the same size and in the same
relations. It is asked last, when all links, sizes and filters were found to be harmless, and only
of files that lead nowhere else; numbers are taken from it at the corners of the activity alone.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError, printable
from pipeline.core.notes import Note
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.words import counted
from pipeline.io.nwb.objects import NwbObject, Survey, child, dereference
from pipeline.io.nwb.outside import follows_links
from pipeline.io.nwb.tables import column_names, row_ids
from pipeline.io.nwb.trials import interval_objects
from pipeline.io.nwb.values import MAX_CHUNK_BYTES

CODE = "IN-F33"
MOST_OBJECTS = 2000
"""pynwb takes about 5 ms for each typed object."""
MOST_DATASETS = 20_000
CORNER = 8
"""Units whose first and last samples are compared; few, as a chunk is decoded for each."""
NO_CACHE = "PYNWB_NO_CACHE_DIR"
"""Where this is 1, pynwb keeps no pickle of its schema."""
MOST_TOLD = 3
LONGEST = 300
"""Letters of what pynwb says that are told."""

# Objects of pynwb have no types that a checker could see: they are Any below.
Objects = Mapping[str, Any]


def second_opinion(
    contents: Survey, recording: Recording, *, sources: Sequence[str]
) -> tuple[Note, ...]:
    """What pynwb sees otherwise in an open file, as a warning; that it agrees, as a remark.

    Compared are all series (type, shape, rate or number of timestamps) and tables (rows, columns,
    which tables their rows refer to), and what the recording took from them: ids of units, samples
    and times at the corners of traces, spikes of each unit, beginnings and ends of intervals.

    Parameters
    ----------
    contents
        What the reader's own walk met.
    recording
        What was read.
    sources
        HDF5 paths of the series, or of the table of units, that are the activity.
    """
    place = recording.about.source_series
    reason = _why_not_asked(contents)
    if reason:
        text = f"pynwb was not asked about the structure of the file: {reason}."
        return (Note(code=CODE, kind="info", place=place, text=text),)
    try:
        with _objects_of_pynwb(contents.file) as theirs:
            differing = list(_differences(contents, recording, theirs, sources=sources))
    except Exception as error:  # whatever a library meets in a stranger's file
        said = printable(f"{type(error).__name__}: {' '.join(str(error).split())}")[:LONGEST]
        text = f"pynwb cannot read this file ({said}); its structure has no second opinion."
        return (Note(code=CODE, kind="warn", place=place, text=text),)
    if differing:
        more = len(differing) - MOST_TOLD
        told = "; ".join(differing[:MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
        text = f"pynwb sees the structure otherwise: {told}."
        return (Note(code=CODE, kind="warn", place=place, text=text),)
    series, tables = (len(contents.of_type(base)) for base in ("TimeSeries", "DynamicTable"))
    text = (
        "pynwb sees the same structure: "
        f"{counted(series, 'series', 'series')} and {counted(tables, 'table')}."
    )
    return (Note(code=CODE, kind="info", place=place, text=text),)


def _why_not_asked(contents: Survey) -> str:
    """Why a file is not shown to pynwb; empty where it is."""
    if contents.unknown:
        return f"it does not define the type {contents.unknown[0].type}, and pynwb would refuse it"
    if contents.unfollowed:
        return f"{contents.unfollowed[0].place} leads where nothing is read"
    if follows_links():
        return "links lead to other files"
    if contents.endless:
        return contents.endless
    if len(contents.objects) > MOST_OBJECTS or contents.n_datasets > MOST_DATASETS:
        return f"it holds {max(len(contents.objects), contents.n_datasets)} objects"
    if contents.at_once > MAX_CHUNK_BYTES:
        return f"{contents.at_once / 2**20:.0f} MiB are decoded for a single entry of it"
    return ""


def load_pynwb() -> None:
    """Import pynwb without its cache: a pickle below the user's home, for which it makes folders.

    Nothing may be unpickled that lies where other programs write, and a home may be read-only.
    """
    import platformdirs

    def where(*names: Any, **how: Any) -> Any:  # Any: what the library takes and gives
        return known(*names, **{**how, "ensure_exists": False})

    known, before = platformdirs.PlatformDirs, os.environ.get(NO_CACHE)
    platformdirs.PlatformDirs, os.environ[NO_CACHE] = where, "1"  # type: ignore[assignment]
    try:
        import pynwb  # noqa: F401
    finally:
        platformdirs.PlatformDirs = known
        if before is None:
            del os.environ[NO_CACHE]
        else:
            os.environ[NO_CACHE] = before


@contextmanager
def _objects_of_pynwb(file: h5py.File) -> Iterator[Objects]:
    """All objects by path as pynwb reads them, its remarks left aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_pynwb()
        from pynwb import NWBHDF5IO

        # A handle of its own to the same open file, since pynwb closes what it was given.
        again = h5py.File(file.id.reopen())
        with NWBHDF5IO(file=again, mode="r", load_namespaces=True) as io:
            objects = io.read().objects.values()
            built = ((io.manager.get_builder(item), item) for item in objects)
            yield {builder.path.removeprefix("root"): item for builder, item in built if builder}


def _differences(
    contents: Survey, recording: Recording, theirs: Objects, *, sources: Sequence[str]
) -> Iterator[str]:
    """Where both differ, in words."""
    yield from _other_objects(contents, theirs)
    series = [item for item in contents.of_type("TimeSeries") if item.path in theirs]
    tables = [item for item in contents.of_type("DynamicTable") if item.path in theirs]
    places = {id(item): path for path, item in theirs.items()}
    facts = [(item, _of_series(item, theirs[item.path])) for item in series]
    facts += [(item, _of_table(contents, item, theirs[item.path], places)) for item in tables]
    for item, told in facts:
        for what, (own, other) in told.items():
            if own != other:
                yield f"{what} of {item.path}: {own} here, {other} there"
    lacking = [path for path in sources if path not in theirs]
    if lacking:  # told above as an object that is not there
        return
    chosen = [theirs[path] for path in sources]
    activity = recording.activity
    if isinstance(activity, SampledActivity):
        found = _of_traces(recording, activity, chosen)
    else:
        found = _of_spikes(recording, activity, chosen[0])
    found |= _of_intervals(contents, recording, theirs)
    yield from (f"other {what}" for what, same in found.items() if not same)


def _other_objects(contents: Survey, theirs: Objects) -> Iterator[str]:
    """Objects that only one of both knows, or that are of another type.

    pynwb makes objects of some types more special ones that came later.
    """
    from hdmf.common import DynamicTable
    from pynwb import TimeSeries

    for base, made in (("TimeSeries", TimeSeries), ("DynamicTable", DynamicTable)):
        ours = {item.path: item.type for item in contents.of_type(base)}
        there = {path: type(item) for path, item in theirs.items() if isinstance(item, made)}
        for path in sorted(ours.keys() | there.keys()):
            own = ours.get(path, "nothing")
            types = [one.__name__ for one in there[path].__mro__] if path in there else ["nothing"]
            if own not in types:
                yield f"{path}: {own} here, {types[0]} there"


Facts = dict[str, tuple[object, object]]
"""Facts by name, as the reader and as pynwb sees them."""


def _of_series(item: NwbObject, series: Any) -> Facts:
    data, times = (_dataset(item, name) for name in ("data", "timestamps"))
    facts: Facts = {}
    if data is not None and data.shape:
        facts["the shape"] = data.shape, tuple(np.shape(series.data))
    if times is not None:
        facts["the number of timestamps"] = times.size, int(np.size(series.timestamps))
    else:
        start = _dataset(item, "starting_time")
        rate = None if start is None else start.attrs.get("rate")
        facts["the rate"] = rate, series.rate
    return facts


def _of_table(contents: Survey, item: NwbObject, table: Any, places: Mapping[int, str]) -> Facts:
    from hdmf.common import DynamicTableRegion

    try:
        n_rows = len(row_ids(item.group))
    except DataError:  # of a table that was not needed
        return {}
    facts: Facts = {
        "the number of rows": (n_rows, len(table)),
        "columns": (sorted(column_names(item.group)), sorted(table.colnames)),
    }
    for column in table.columns:
        if isinstance(column, DynamicTableRegion):
            stored = _dataset(item, column.name)
            target = None if stored is None else dereference(stored, "table")
            own = None if target is None else contents.same_as(target)
            facts[f"the table behind {column.name}"] = (
                own.path if own else "nothing",
                places.get(id(column.table), "nothing"),
            )
    return facts


def _dataset(item: NwbObject, name: str) -> h5py.Dataset | None:
    found = child(item.group, name)  # what leads elsewhere was met by the walk
    return found if isinstance(found, h5py.Dataset) else None


def _of_traces(
    recording: Recording, activity: SampledActivity, series: Sequence[Any]
) -> dict[str, bool]:
    """What the recording took from series, and whether pynwb gives the same."""
    ids: list[str] = []
    same: dict[str, bool] = {"times of samples": _same_times(activity.time, series[0])}
    for one in series:
        rois = getattr(one, "rois", None)
        own = range(np.prod(one.data.shape[1:], dtype=int)) if rois is None else rois.data[:]
        columns = slice(len(ids), len(ids) + len(own))
        ids += map(str, own if rois is None else np.asarray(rois.table.id[:])[own])
        same[f"samples of {one.name}"] = _same_corners(activity, one, columns)
    # Ids have the name of their plane before them, and a number behind where they are not unique.
    units = [str(unit).rpartition(":")[2].partition("#")[0] for unit in recording.units["unit_id"]]
    return same | {"ids of units": units == ids}


def _same_times(time: NDArray[np.float64], series: Any) -> bool:
    ends = [0, time.size - 1]
    if series.timestamps is not None:
        told = [float(np.ravel(series.timestamps[end])[0]) for end in ends]
    else:
        told = [series.starting_time + end / series.rate for end in ends]
    return bool(np.allclose(time[ends], told, rtol=1e-12, atol=1e-9))


def _same_corners(activity: SampledActivity, series: Any, columns: slice) -> bool:
    """Whether the first units have the same first samples, and the last the same last ones."""
    n_units, last = columns.stop - columns.start, activity.time.size - 1
    width = min(n_units, CORNER)
    is_turned = len(series.data.shape) == 2 and series.data.shape[1] != n_units
    for frame, first in ((0, 0), (last, n_units - width)):
        units = slice(first, first + width)
        key = (units, frame) if is_turned else (frame, units)[: len(series.data.shape)]
        told = np.atleast_1d(series.data[key]) * series.conversion + series.offset
        here = slice(frame, frame + 1), slice(columns.start + first, columns.start + units.stop)
        read, valid = activity.values[here][0], activity.valid[here][0]
        slack = 1e-6 * abs(series.offset)  # samples are kept in single precision
        if not np.allclose(read[valid], told[valid], rtol=1e-5, atol=slack):
            return False
    return True


def _of_spikes(recording: Recording, activity: SpikeTrains, table: Any) -> dict[str, bool]:
    """As :func:`_of_traces`, of a table of units."""
    column = table["spike_times"]
    is_ragged = hasattr(column, "target")
    times = column.target.data if is_ragged else column.data
    ends = np.asarray(column.data[:], dtype=np.int64) if is_ragged else np.array([len(times)])
    starts = np.append(0, ends)
    same_spikes = np.array_equal(np.diff(starts), activity.n_spikes) and all(
        np.array_equal(np.sort(times[starts[unit] : ends[unit]]), activity.of_unit(unit))
        for unit in {0, ends.size - 1}
    )
    units = [str(unit).partition("#")[0] for unit in recording.units["unit_id"]]
    return {"spike times": same_spikes, "ids of units": units == list(map(str, table.id[:]))}


def _of_intervals(contents: Survey, recording: Recording, theirs: Objects) -> dict[str, bool]:
    """As :func:`_of_traces`, of all tables of intervals that were read."""
    same: dict[str, bool] = {}
    for name, item in interval_objects(contents).items():
        if item.path in theirs and item.is_a("TimeIntervals") and name in recording.intervals:
            table, read = theirs[item.path], recording.intervals[name]
            told = np.stack(
                [
                    np.asarray(table[key].data[:], float).ravel()
                    for key in ("start_time", "stop_time")
                ]
            )
            told = told[:, np.isfinite(told).all(axis=0)]  # rows without a time were left out
            same[f"times of {item.path}"] = np.array_equal(told, read[["start_s", "stop_s"]].T)
    return same
