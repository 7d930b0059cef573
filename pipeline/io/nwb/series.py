"""Stimuli and behavioural series beside the activity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import h5py
import numpy as np

from pipeline.core.arrays import ArraySource
from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.recording import BehaviourSeries, StimulusImages, StimulusMovie
from pipeline.io.nwb.external_files import names_files
from pipeline.io.nwb.external_frames import external_frames
from pipeline.io.nwb.images import frame_source, holds_frames, indexed, shown_images
from pipeline.io.nwb.objects import NwbObject, Survey, child, text_attribute
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.values import (
    check_size,
    is_numeric,
    read_all,
    scaling,
    time_base,
)

STIMULUS_GROUPS = ("/stimulus/presentation", "/stimulus/templates")
BEHAVIOUR_MODULES = ("behavior", "behaviour")
ACTIVITY_MODULES = ("ophys", "ecephys", "icephys", "ogen")
"""Modules of the standard for what is recorded of cells; all others may hold behaviour."""
BEHAVIOUR_CONTAINERS = (
    "BehavioralTimeSeries",
    "BehavioralEvents",
    "Position",
    "CompassDirection",
    "EyeTracking",
    "PupilTracking",
)
PLAIN_TYPES = ("TimeSeries", "SpatialSeries")
"""Types of series among raw acquisitions and in modules of any name that may be behaviour; others
are signals of devices."""
MOST_COLUMNS = 8
"""Values at a time of a series in a module of any name; wider ones are tables of other things."""
NO_COVARIATES = ("RoiResponseSeries", "IntervalSeries", "ImageSeries", "IndexSeries")
LACKING = ("IN-F02", "IN-F04", "IN-F05", "IN-F06", "IN-F07", "IN-F14", "IN-F15", "IN-F17")
"""Faults of frames that the file promises and does not have."""
MAX_COVARIATE_GB = 0.5
"""Larger series are raw signals of devices, not what an animal did."""
MAX_COVARIATES_GB = 0.5
"""Most memory of all of them: they are held whole, in double precision and with their times."""


def stimulus_objects(contents: Survey) -> tuple[NwbObject, ...]:
    """Series that were shown or could be shown to the animal."""
    return tuple(
        item for group in STIMULUS_GROUPS for item in contents.of_type("TimeSeries", under=group)
    )


def image_objects(contents: Survey) -> tuple[NwbObject, ...]:
    """Movies and images that were shown; a template that a series shows by numbers is left out."""
    found = [
        item
        for item in stimulus_objects(contents)
        if item.is_a("ImageSeries") or item.is_a("IndexSeries") or not _is_covariate(contents, item)
    ]
    used = [_indexed(item) for item in found if item.is_a("IndexSeries")]
    return tuple(item for item in found if item.group not in used)


def covariate_objects(contents: Survey) -> tuple[NwbObject, ...]:
    """Series of what the animal did, and of stimuli with a value or two at a time."""
    return tuple(item for item in contents.of_type("TimeSeries") if _is_covariate(contents, item))


def _is_covariate(contents: Survey, item: NwbObject) -> bool:
    if any(item.is_a(kind) for kind in NO_COVARIATES):
        return False
    section, *below = item.path.strip("/").split("/")
    if contents.type_at(item.parent_path) in BEHAVIOUR_CONTAINERS:
        return section in ("processing", "acquisition")
    if section == "processing":
        module = below[0].lower()
        return module in BEHAVIOUR_MODULES or (
            module not in ACTIVITY_MODULES
            and len(below) == 2
            and item.type in PLAIN_TYPES
            and _is_table(item, most_columns=MOST_COLUMNS)
        )
    if section == "acquisition":
        return len(below) == 1 and item.type in PLAIN_TYPES
    return item.path.startswith("/stimulus/presentation/") and _is_table(item)


def _is_table(item: NwbObject, *, most_columns: int | None = None) -> bool:
    try:
        data = child(item.group, "data")
    except DataError:
        return False
    if not isinstance(data, h5py.Dataset) or len(data.shape) not in (1, 2) or not is_numeric(data):
        return False
    return most_columns is None or len(data.shape) == 1 or data.shape[1] <= most_columns


def _indexed(item: NwbObject) -> h5py.Group | None:
    try:
        return indexed(item)
    except DataError:
        return None


def read_stimuli(
    contents: Survey, *, options: ReadOptions
) -> tuple[Mapping[str, StimulusMovie | StimulusImages], tuple[Note, ...]]:
    """Movies and images by name, whose frames are still in the file.

    What cannot be used is told in a note: activity does not depend on it. Frames that should be
    beside the file and are not, or are damaged, are a warning.
    """
    movies: dict[str, StimulusMovie | StimulusImages] = {}
    notes: tuple[Note, ...] = ()
    for item in image_objects(contents):
        try:
            movies[_free_name(item, movies)] = (
                shown_images(item, options=options)
                if item.is_a("IndexSeries")
                else _movie(item, options=options)
            )
        except DataError as error:
            text = f"Stimulus not read: {error.found}. What to do: {error.fix}."
            lacking = error.code in LACKING
            notes += (
                Note(
                    code=error.code if lacking else "IN-T11",
                    kind="warn" if lacking else "info",
                    place=item.path,
                    text=text,
                ),
            )
    return movies, notes


def read_behaviour(contents: Survey) -> tuple[Mapping[str, BehaviourSeries], tuple[Note, ...]]:
    """Covariates by name, each as a table of time x channel.

    A fault is a warning where the file itself calls the series behaviour, else a remark.
    """
    found: dict[str, BehaviourSeries] = {}
    notes: tuple[Note, ...] = ()
    held_gb = 0.0
    for item in covariate_objects(contents):
        try:
            read = _behaviour(item, held_gb=held_gb)
            found[_free_name(item, found)] = read
            held_gb += (read.values.nbytes + read.time.nbytes) / 1e9
        except DataError as error:
            text = f"Behavioural series not read: {error.found}."
            kind: Literal["info", "warn"] = (
                "warn" if item.path.startswith("/processing/") else "info"
            )
            notes += (Note(code="IN-T12", kind=kind, place=item.path, text=text),)
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


def _movie(item: NwbObject, *, options: ReadOptions) -> StimulusMovie | StimulusImages:
    data = child(item.group, "data")
    frames: ArraySource
    if names_files(item.group) and not holds_frames(data):
        frames = external_frames(item.group, options=options)
    elif isinstance(data, h5py.Dataset) and holds_frames(data):
        frames = frame_source(data, options=options)
    else:
        raise DataError(
            code="IN-T11",
            place=item.path,
            found="it holds no frames",
            fix="store the frames in the file as numbers",
        )
    time = time_base(item.group, n_samples=frames.shape[0])
    unit = text_attribute(data, "unit") if isinstance(data, h5py.Dataset) else ""
    if len(frames.shape) == 4:
        order = np.arange(frames.shape[0], dtype=np.int64)
        return StimulusImages(values=frames, shown=order, time=time, value_unit=unit)
    return StimulusMovie(values=frames, time=time, value_unit=unit)


def _behaviour(item: NwbObject, *, held_gb: float) -> BehaviourSeries:
    data = child(item.group, "data")
    if not isinstance(data, h5py.Dataset) or len(data.shape) not in (1, 2) or not is_numeric(data):
        shape = data.shape if isinstance(data, h5py.Dataset) else "nothing"
        raise DataError(
            code="IN-C28",
            place=f"{item.path}/data",
            found=f"its samples are no numeric table ({shape})",
            fix="store one or two axes of numbers, time first",
        )
    check_size(data, max_gb=MAX_COVARIATE_GB)
    needed_gb = held_gb + 8e-9 * (data.size + data.shape[0])
    if needed_gb > MAX_COVARIATES_GB:
        raise DataError(
            code="IN-F20",
            place=f"{item.path}/data",
            found=f"with the series before it, it would take {needed_gb:.2g} GB of memory; the "
            f"limit is {MAX_COVARIATES_GB} GB",
            fix="store behaviour at the rate at which it is analysed",
        )
    conversion, offset = scaling(data)
    time = time_base(item.group, n_samples=data.shape[0])
    values = read_all(data).reshape(data.shape[0], -1)
    values *= conversion
    values += offset
    return BehaviourSeries(values=values, time=time, value_unit=text_attribute(data, "unit"))
