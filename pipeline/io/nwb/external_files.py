"""Files beside a recording in which the frames of a series lie: names, places, counts, faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child
from pipeline.io.nwb.outside import linked_path
from pipeline.io.nwb.values import check_size, single_number

STORE_INSIDE = (
    "store the frames in the file as numbers, or beside it as an AVI, MP4, MOV or MKV film, or as "
    "TIFF, PNG, JPEG or BMP images named in the order in which they were shown"
)


@dataclass(frozen=True, slots=True)
class ExternalFile:
    """A file of frames that the recording names."""

    name: str
    path: Path
    n_bytes: int


def names_files(series: h5py.Group) -> bool:
    """Whether the frames of a series lie in files of their own; nothing is opened."""
    return series.get("external_file", getlink=True) is not None


def external_names(series: h5py.Group) -> list[str]:
    """Names of the files as the series has them.

    Raises
    ------
    DataError
        If there are none.
    """
    listed = child(series, "external_file")
    if not isinstance(listed, h5py.Dataset) or h5py.check_string_dtype(listed.dtype) is None:
        raise unusable(series.name, "external_file holds no names of files")
    check_size(listed)
    names = [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        for name in np.atleast_1d(listed[()]).ravel()
    ]
    if not names or not all(names):
        raise unusable(series.name, "external_file names no file")
    return names


def located(series: h5py.Group, name: str) -> ExternalFile:
    """Where a file is, once it is seen that it may be opened.

    Raises
    ------
    DataError, EnvironmentFault
        If it lies outside the allowed folders, is missing or no regular file that may be read.
    """
    where = f"{series.name}/external_file"
    path, n_bytes = linked_path(name, named_in=series.file, where=where)
    return ExternalFile(name=name, path=path, n_bytes=n_bytes)


def check_counts(series: h5py.Group, first: NDArray[np.int64]) -> None:
    """Compare frames counted in the files with what the series says about them.

    Parameters
    ----------
    first
        Number of the first frame of each file, and of all frames; shape (file + 1,).
    """
    total = child(series, "num_samples")
    told_total = single_number(total) if isinstance(total, h5py.Dataset) else math.nan
    if np.isfinite(told_total) and told_total != first[-1]:
        raise unusable(
            series.name,
            f"it says that it has {told_total:.15g} frames, and its files hold {first[-1]}",
            fix="write as num_samples how many frames the files hold together",
        )
    told = np.atleast_1d(series["external_file"].attrs.get("starting_frame", ())).ravel()
    if told.size < 2 and (told.size == 0 or told[0] == 0):  # many writers only write the first
        return
    if told.tolist() != first[:-1].tolist():
        raise unusable(
            series.name,
            f"starting_frame says that its files start at frames {_listed(told.tolist())}, and by "
            f"the frames in them they start at {_listed(first[:-1].tolist())}",
            fix="write as starting_frame how many frames the files before each one hold",
        )


def size_words(shape: Sequence[int]) -> str:
    """Size and colour of a frame of shape (x, y) or (x, y, channel)."""
    colour = "grey" if len(shape) == 2 else "colour"
    return f"{shape[0]} x {shape[1]} pixels, {colour}"


def unusable(place: str, why: str, *, fix: str = STORE_INSIDE) -> DataError:
    """Frames that would be read wrong, or not at all."""
    return DataError(code="IN-T11", place=place, found=why, fix=fix)


def damaged(one: ExternalFile, place: str, why: str) -> DataError:
    """A file whose frames cannot be decoded."""
    return DataError(
        code="IN-F04",
        place=place,
        found=f"'{one.name}', which holds its frames, is damaged: {why}",
        fix="copy that file again, and compare its checksum with the source",
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
