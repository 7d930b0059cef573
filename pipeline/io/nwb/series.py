"""Stimulus movies and behavioural series beside the activity."""

from __future__ import annotations

from collections.abc import Mapping

import h5py

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import BehaviourSeries, StimulusMovie
from pipeline.io.nwb.objects import NwbObject, Survey, child, text_attribute
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.samples import scaled
from pipeline.io.nwb.values import check_filters, is_numeric, read_all, scaling, time_base

STIMULUS_GROUPS = ("/stimulus/presentation", "/stimulus/templates")


def stimulus_objects(contents: Survey) -> tuple[NwbObject, ...]:
    """Series that were shown or could be shown to the animal."""
    return tuple(
        item for group in STIMULUS_GROUPS for item in contents.of_type("TimeSeries", under=group)
    )


def behaviour_objects(contents: Survey) -> tuple[NwbObject, ...]:
    """Series in a processing module called behavior or behaviour."""
    return tuple(
        item
        for item in contents.of_type("TimeSeries", under="/processing")
        if item.path.split("/")[2].lower() in ("behavior", "behaviour")
        and not item.is_a("RoiResponseSeries")
        and not item.is_a("IntervalSeries")
    )


def read_stimuli(
    contents: Survey, *, options: ReadOptions
) -> tuple[Mapping[str, StimulusMovie], tuple[Note, ...]]:
    """Movies by name, whose frames are still in the file.

    What cannot be used is told in a note: activity does not depend on it.
    """
    movies: dict[str, StimulusMovie] = {}
    notes: tuple[Note, ...] = ()
    for item in stimulus_objects(contents):
        try:
            data, reason = _frames(item)
            if data is not None:
                movies[_free_name(item, movies)] = _movie(item, data, options=options)
        except DataError as error:
            reason = error.found
        if reason:
            text = f"Stimulus not read: {reason}."
            notes += (Note(code="IN-T11", kind="info", place=item.path, text=text),)
    return movies, notes


def read_behaviour(contents: Survey) -> tuple[Mapping[str, BehaviourSeries], tuple[Note, ...]]:
    """Behavioural series by name, each as a table of time x channel."""
    found: dict[str, BehaviourSeries] = {}
    notes: tuple[Note, ...] = ()
    for item in behaviour_objects(contents):
        try:
            found[_free_name(item, found)] = _behaviour(item)
        except DataError as error:
            text = f"Behavioural series not read: {error.found}."
            notes += (Note(code="IN-T12", kind="warn", place=item.path, text=text),)
    return found, notes


def _free_name(item: NwbObject, taken: Mapping[str, object]) -> str:
    """The series' name; with its container's where another series has that name."""
    container = item.parent_path.rsplit("/", 1)[-1]
    name = item.name if item.name not in taken else f"{container}.{item.name}"
    number = 2
    while name in taken:
        name = f"{container}.{item.name}.{number}"
        number += 1
    return name


def _frames(item: NwbObject) -> tuple[h5py.Dataset | None, str]:
    """The frames of a movie, or why there are none to read."""
    data = child(item.group, "data")
    external = item.group.get("external_file", getlink=True) is not None
    if not isinstance(data, h5py.Dataset) or 0 in data.shape:
        return None, "its frames lie in external files" if external else "it holds no frames"
    if len(data.shape) != 3 or not is_numeric(data):
        return None, f"it is {data.dtype} of shape {data.shape}, not a movie of time x X x Y"
    return data, ""


def _movie(item: NwbObject, data: h5py.Dataset, *, options: ReadOptions) -> StimulusMovie:
    frames = scaled(data, max_gb=options.max_series_gb)
    check_filters(data)
    time = time_base(item.group, n_samples=data.shape[0])
    return StimulusMovie(values=frames, time=time, value_unit=text_attribute(data, "unit"))


def _behaviour(item: NwbObject) -> BehaviourSeries:
    data = child(item.group, "data")
    if not isinstance(data, h5py.Dataset) or len(data.shape) not in (1, 2) or not is_numeric(data):
        shape = data.shape if isinstance(data, h5py.Dataset) else "nothing"
        raise DataError(
            code="IN-C28",
            place=f"{item.path}/data",
            found=f"its samples are no numeric table ({shape})",
            fix="store one or two axes of numbers, time first",
        )
    conversion, offset = scaling(data)
    time = time_base(item.group, n_samples=data.shape[0])
    values = read_all(data).reshape(data.shape[0], -1) * conversion + offset
    return BehaviourSeries(values=values, time=time, value_unit=text_attribute(data, "unit"))
