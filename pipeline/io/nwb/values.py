"""Numbers of datasets: read in blocks, with conversion, offset and time base."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import memory_bytes, pieces
from pipeline.core.errors import DataError
from pipeline.core.words import counted
from pipeline.io.chunks import read_in_threads
from pipeline.io.nwb.objects import child
from pipeline.io.nwb.open import one_line

MAX_RATIO = 200
"""Recordings do not compress this well."""
BOMB_FROM_BYTES = 2**30
"""Smaller datasets do no harm, however well they compress."""
MAX_CHUNK_BYTES = 256 * 2**20
"""A chunk is decoded as a whole."""
BLOCK_BYTES = 32 * 2**20
"""How much of a dataset is in memory at once, as float64."""


def is_numeric(dataset: h5py.Dataset) -> bool:
    """Whether the entries are real numbers or truth values."""
    return dataset.dtype.kind in "biuf"


def is_vector(dataset: h5py.Dataset) -> bool:
    """Whether entries stand in one row, also of a table of one row or one column.

    Programs that know no vectors, such as MATLAB, write them so.
    """
    return len(dataset.shape) > 0 and dataset.size == max(dataset.shape)


def check_size(dataset: h5py.Dataset, *, max_gb: float | None = None) -> None:
    """Refuse a dataset that would fill the memory, before anything of it is read.

    Parameters
    ----------
    max_gb
        Most that is taken into memory, in 10^9 bytes; half of the machine's memory where None.

    Raises
    ------
    DataError
        If it is too large, or so much larger than what is stored of it that it must be empty or
        made to do harm.
    """
    half = memory_bytes() / 2e9
    check_streamed(dataset, max_gb=half if max_gb is None else max_gb)


def check_streamed(dataset: h5py.Dataset, *, max_gb: float | None) -> None:
    """As :func:`check_size`, for a dataset that is read piece by piece and has no limit of itself.

    Parameters
    ----------
    max_gb
        Most bytes that its entries may have, in 10^9; no limit where None.
    """
    check_declared(
        declared=dataset.size * dataset.dtype.itemsize,
        stored=int(dataset.id.get_storage_size()),
        chunk=math.prod(dataset.chunks or ()) * dataset.dtype.itemsize,
        place=dataset.name,
        max_gb=max_gb,
    )


def check_declared(
    *, declared: int, stored: int, chunk: int, place: str, max_gb: float | None
) -> None:
    """As :func:`check_streamed`, from the bytes of all entries, on disk, and decoded at once."""
    fix = "check the shape of the data; export a shorter stretch or fewer units"
    code = "IN-F20"
    if max_gb is not None and declared > max_gb * 1e9:
        found = f"the size declared is {declared / 1e9:.4g} GB; the limit is {max_gb:.4g} GB"
        fix += ", or raise 'prepare: {limits: {max_series_gb: ...}}'"
    elif declared > BOMB_FROM_BYTES and declared > MAX_RATIO * stored:
        found = (
            f"{declared / 2**30:.1f} GiB are declared, and {stored / 2**20:.3g} MiB of bytes are "
            "stored"
        )
    elif chunk > MAX_CHUNK_BYTES:
        code = "IN-F21"
        found = f"stored in chunks of {chunk / 2**20:.0f} MiB; at most {MAX_CHUNK_BYTES // 2**20} "
        found += "MiB are decoded at once"
        fix = "write the series again in smaller chunks"
    else:
        return
    raise DataError(code=code, place=place, found=found, fix=fix)


def read_piece(
    dataset: h5py.Dataset, key: tuple[slice, ...], *, into: NDArray[Any] | None = None
) -> NDArray[Any]:
    """The entries in a rectangle as they are stored.

    Parameters
    ----------
    into
        An array of the dataset's shape and type whose rectangle is filled, without a copy of it.

    Raises
    ------
    DataError
        If the bytes cannot be turned into numbers: a filter is missing or the file is damaged.
    """
    check_filters(dataset)
    try:
        own = None if into is None else into[key]
        found = read_in_threads(dataset, key, into=own)
        if found is not None:
            return found
        if into is None:
            return np.asarray(dataset[key])
        dataset.read_direct(into, key, key)
        return into[key]
    except OSError as error:
        start, stop, _ = key[0].indices(dataset.shape[0])
        raise DataError(
            code="IN-F04",
            place=dataset.name,
            found=f"damaged: entries {start} to {stop - 1} of {dataset.shape[0]} could "
            f"not be read ({one_line(str(error))})",
            fix="copy the file again, and compare its checksum with the source",
        ) from error


def row_blocks(dataset: h5py.Dataset) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Successive stretches along the first axis as float64, with where they stand."""
    check_size(dataset)
    for key in pieces(dataset, max_bytes=BLOCK_BYTES, axes=(0,)):
        yield key[0], read_piece(dataset, key).astype(np.float64)


def read_all(dataset: h5py.Dataset, *, max_gb: float | None = None) -> NDArray[np.float64]:
    """All entries of a numeric dataset as float64; ``max_gb`` as for :func:`check_size`."""
    if dataset.shape == ():
        return np.asarray(dataset[()], dtype=np.float64)
    check_size(dataset, max_gb=max_gb)
    out = np.empty(dataset.shape, dtype=np.float64)
    is_alike = dataset.dtype == out.dtype
    for key in pieces(dataset, max_bytes=BLOCK_BYTES):
        if is_alike:
            read_piece(dataset, key, into=out)
        else:
            out[key] = read_piece(dataset, key)
    return out


def check_filters(dataset: h5py.Dataset) -> None:
    """Refuse a dataset that is compressed in a way nobody here can undo."""
    plan = dataset.id.get_create_plist()
    for index in range(plan.get_nfilters()):
        number, _, _, name = plan.get_filter(index)
        if not h5py.h5z.filter_avail(number):
            label = name.decode("utf-8", "replace") or "without a name"
            raise DataError(
                code="IN-F22",
                place=dataset.name,
                found=f"compressed with filter {number} ({label}), for which no plugin is here",
                fix="install the filter's HDF5 plugin, or store the data with gzip",
            )


def scaling(data: h5py.Dataset) -> tuple[float, float]:
    """Conversion and offset of a series: value = stored * conversion + offset.

    Raises
    ------
    DataError
        If the conversion is not a positive number or the offset not a number.
    """
    conversion = _number(data, "conversion", 1.0)
    offset = _number(data, "offset", 0.0)
    if not np.isfinite(conversion) or conversion <= 0:
        raise DataError(
            code="IN-C18",
            place=f"{data.name}@conversion",
            found=f"the conversion is {conversion:g}; it must be a positive number",
            fix="write the factor from stored numbers to the stated unit, 1.0 for none",
        )
    if not np.isfinite(offset):
        raise DataError(
            code="IN-C18",
            place=f"{data.name}@offset",
            found=f"the offset is {offset:g}; it must be a number",
            fix="write the offset in the stated unit, 0.0 for none",
        )
    return conversion, offset


def time_base(series: h5py.Group, *, n_samples: int) -> NDArray[np.float64]:
    """Times of a series' samples, shape (time,), seconds, strictly increasing.

    Raises
    ------
    DataError
        If there is neither a rate nor timestamps, or they are not usable.
    """
    timestamps = child(series, "timestamps")
    if isinstance(timestamps, h5py.Dataset):
        times = checked_timestamps(timestamps)
        if times.size != n_samples:
            raise DataError(
                code="IN-C14",
                place=timestamps.name,
                found=f"the length of timestamps is {times.size} for {n_samples} samples",
                fix="write one timestamp a sample",
            )
        return times
    starting_time = child(series, "starting_time")
    if not isinstance(starting_time, h5py.Dataset):
        raise DataError(
            code="IN-C16",
            place=f"{series.name}/starting_time",
            found="the series has neither timestamps nor starting_time with a rate",
            fix="write the sampling rate, or one timestamp a sample",
        )
    rate = _number(starting_time, "rate", float("nan"))
    start = single_number(starting_time)
    if not np.isfinite(rate) or rate <= 0 or not np.isfinite(start):
        raise DataError(
            code="IN-C16",
            place=f"{starting_time.name}@rate",
            found=f"the rate is {rate:g} Hz and the starting time {start:g} s",
            fix="write the true sampling rate, or one timestamp a sample",
        )
    grid: NDArray[np.float64] = start + np.arange(n_samples, dtype=np.float64) / rate
    if not np.all(np.diff(grid) > 0):
        raise DataError(
            code="IN-C16",
            place=f"{starting_time.name}@rate",
            found=f"at a rate of {rate:g} Hz from {start:g} s on, times of samples cannot be told "
            "apart",
            fix="write the true sampling rate and starting time in seconds",
        )
    return grid


def single_number(data: h5py.Dataset) -> float:
    """The number of a dataset that should hold one; NaN where it holds none."""
    if not is_numeric(data) or data.size != 1:
        return float("nan")
    return float(read_all(data).reshape(-1)[0])


def checked_timestamps(timestamps: h5py.Dataset) -> NDArray[np.float64]:
    """Timestamps, once they are seen to be numbers that increase."""
    if not is_numeric(timestamps) or not is_vector(timestamps):
        raise DataError(
            code="IN-C13",
            place=timestamps.name,
            found=f"timestamps are {timestamps.dtype} of shape {timestamps.shape}",
            fix="write one number a sample, in seconds",
        )
    times = read_all(timestamps).reshape(-1)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise DataError(
            code="IN-C13",
            place=timestamps.name,
            found=f"{bad.size} of {times.size} timestamps are NaN or infinite, the first at index "
            f"{bad[0]}",
            fix="write the time of every sample, or leave out the samples without one",
        )
    steps = np.diff(times)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        at = int(back[0]) + 1
        raise DataError(
            code="IN-C11",
            place=timestamps.name,
            found=f"timestamps are not increasing: a step of {steps[at - 1]:.6g} s at index {at} "
            f"({counted(back.size, 'such step')})",
            fix="split the recording there or correct the clock, or name another series in the "
            "sheet (column series)",
        )
    return times


def _number(item: h5py.Dataset, name: str, default: float) -> float:
    value = item.attrs.get(name, default)
    try:
        return float(np.asarray(value, dtype=np.float64).reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        return float("nan")
