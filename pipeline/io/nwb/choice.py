"""Which of the series that a file offers is the activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import Survey
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.planes import check_planes, why_apart
from pipeline.io.nwb.traces import (
    BASELINE,
    NO_CELLS,
    Candidate,
    all_traces,
    best_of,
    listed,
    plain_series,
)

JOIN = "+"
"""Between the series of several planes in the sheet."""


def choose(contents: Survey, *, options: ReadOptions) -> tuple[Candidate, ...]:
    """The series that is the activity; several where the sheet joins planes.

    Raises
    ------
    DataError
        If there is none, one that the sheet names is not there, several are equally good, or
        those that are joined do not belong together.
    """
    found = all_traces(contents)
    if options.series:
        return _named(contents, found, options.series)
    best = best_of(found)
    if not best or best[0].signal == "events":
        raise _none(contents, found)
    if len(best) > 1:
        raise _several(contents, best)
    return best


def joined_entry(contents: Survey, best: Sequence[Candidate]) -> str:
    """Entry of column ``series`` that reads all as one population; empty where they are apart."""
    if len(best) < 2 or why_apart(contents, best):
        return ""
    return JOIN.join(one.item.path for one in best)


def _named(contents: Survey, found: Sequence[Candidate], name: str) -> tuple[Candidate, ...]:
    """The series of an entry: one by its whole name, else several that are joined."""
    whole = _called(contents, found, name)
    parts = [part.strip() for part in name.split(JOIN)] if not whole else []
    if not whole and len(parts) > 1:
        chosen = tuple(_one(contents, found, part) for part in parts if part)
        if len({one.item.path for one in chosen}) < len(chosen):
            raise _named_twice(chosen, name)
        check_planes(contents, chosen)
        return chosen
    return (_one(contents, found, name),)


def _one(contents: Survey, found: Sequence[Candidate], name: str) -> Candidate:
    called = _called(contents, found, name)
    # A recording of a baseline period is called like the baseline of traces; the sheet tells them
    # apart.
    told = [
        replace(one, signal="fluorescence") if one.signal == BASELINE else one for one in called
    ]
    cells = [one for one in told if one.signal not in NO_CELLS]
    if len(cells) == 1:
        return cells[0]
    if cells:
        raise _several(contents, cells)
    if called:
        raise _no_cells(called[0])
    raise DataError(
        code="IN-C01",
        place="/processing",
        found=f"there is no ROI series '{name}'; the file has: {listed(found) or 'none'}",
        fix="correct column 'series' of the sheet",
    )


def _called(contents: Survey, found: Sequence[Candidate], name: str) -> list[Candidate]:
    """Series of a path or name; by path also a plain time series."""
    path = "/" + name.strip().strip("/")
    by_path = [one for one in found if one.item.path == path]
    if by_path:
        return by_path
    by_name = [one for one in found if one.item.name == name.strip()]
    plain = plain_series(contents, path)
    return by_name or ([plain] if plain is not None else [])


def _no_cells(called: Candidate) -> DataError:
    return DataError(
        code="IN-C01",
        place=called.item.path,
        found="by its name this series is neuropil or background and not the activity of cells",
        fix="name another series in column 'series' of the sheet",
    )


def _named_twice(chosen: Sequence[Candidate], name: str) -> DataError:
    return DataError(
        code="IN-C35",
        place=chosen[0].item.path,
        found=f"column 'series' names a series twice: '{name}'",
        fix="name each plane once",
    )


def _several(contents: Survey, best: Sequence[Candidate]) -> DataError:
    together = joined_entry(contents, best)
    reason = (
        "" if together else f"; they are no planes to be joined, as {why_apart(contents, best)}"
    )
    planes = f", or all of them as planes of one population: {together}" if together else ""
    return DataError(
        code="IN-C02",
        place=best[0].item.parent_path,
        found=f"several series could be the activity: {listed(best)}{reason}",
        fix=f"write one of them into column 'series' of the sheet, for example "
        f"{best[0].item.path}{planes}; 'python -m pipeline inspect FILE.nwb' prints the whole line",
    )


def _none(contents: Survey, found: Sequence[Candidate]) -> DataError:
    needed = [item for item in contents.unknown if "rois" in item.group and "data" in item.group]
    if needed:
        return DataError(
            code="IN-F13",
            place=needed[0].path,
            found=f"the traces are of type {needed[0].type} of the extension "
            f"{needed[0].namespace}, whose definition is not in the file",
            fix=f"install {needed[0].namespace} where the file is written, so that its definition "
            "is stored with the data, or store the traces as RoiResponseSeries",
        )
    events = [one for one in found if one.signal == "events"]
    if events:
        return DataError(
            code="IN-C01",
            place="/processing",
            found=f"no dF/F or fluorescence, only inferred events: {listed(events)}",
            fix="to analyse events, write the series into column 'series' of the sheet, for "
            f"example {events[0].item.path}",
        )
    if found:
        levels = [one for one in found if one.signal == BASELINE]
        kinds = "neuropil, background or baselines" if levels else "neuropil or background"
        fix = "name the file that has the cells' traces"
        if levels:
            fix += (
                "; where a series holds traces of cells during a baseline, name it in column "
                f"'series' of the sheet, for example {levels[0].item.path}"
            )
        return DataError(
            code="IN-C01",
            place="/processing",
            found=f"no traces of cells, only {kinds}: {listed(found)}",
            fix=fix,
        )
    types = sorted({item.type for item in contents.objects})
    return DataError(
        code="IN-C01",
        place="/processing",
        found="no calcium traces (RoiResponseSeries in DfOverF or Fluorescence); the file has: "
        + (", ".join(types) or "no typed objects"),
        fix="name another file, or set column 'activity' of the sheet to 'spikes' if it has units",
    )
