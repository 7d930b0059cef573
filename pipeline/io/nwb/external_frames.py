"""Frames of a series that lie in files beside the recording: images or films."""

from __future__ import annotations

import h5py

from pipeline.core.arrays import ArraySource
from pipeline.core.errors import PipelineError
from pipeline.core.words import counted
from pipeline.io.nwb.external_files import external_names, located, unusable
from pipeline.io.nwb.film_files import film_frames, film_words, is_film
from pipeline.io.nwb.image_files import image_frames, image_words
from pipeline.io.nwb.options import ReadOptions


def external_frames(series: h5py.Group, *, options: ReadOptions) -> ArraySource:
    """The frames of an ``ImageSeries`` that names image files or films, as a source.

    Every file is looked at, and every frame's size, before any frame is decoded.

    Raises
    ------
    DataError, EnvironmentFault
        If a file lies outside the allowed folders, is missing or of a kind that is not read, or
        if frames differ in size or do not stand where the series says.
    """
    files = [located(series, name) for name in external_names(series)]
    films = [is_film(one) for one in files]
    if all(films):
        return film_frames(series, files, options=options)
    if any(films):
        raise unusable(series.name, "some of its files are films and some are images")
    return image_frames(series, files, options=options)


def first_frame_words(series: h5py.Group) -> str:
    """Where the frames lie and what the first file holds, for a reader; one file is opened."""
    try:
        names = external_names(series)
        one = located(series, names[0])
        what = film_words(one, series.name) if is_film(one) else image_words(one, series.name)
    except PipelineError as error:
        return f"frames in external files that are not read: {error.found}"
    return f"frames in {counted(len(names), 'external file')}, the first '{one.name}' ({what})"
