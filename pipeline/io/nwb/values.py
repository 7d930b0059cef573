"""Numbers of datasets: read in blocks, with conversion, offset and time base."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child
from pipeline.io.nwb.open import one_line

MAX_BYTES = 16 * 2**30
"""Larger datasets, as float32, are not taken into memory."""
MAX_RATIO = 200
"""Recordings do not compress this well."""
BLOCK_BYTES = 32 * 2**20
"""How much of a dataset is in memory at once, as float64."""


def is_numeric(dataset: h5py.Dataset) -> bool:
    """Whether the entries are real numbers or truth values."""
    return dataset.dtype.kind in "biuf"


def check_size(dataset: h5py.Dataset) -> None:
    """Refuse a dataset that would fill the memory, before anything of it is read.

    Raises
    ------
    DataError
        If it is too large, or so much larger than what is stored of it that it must be empty or
        made to do harm.
    """
    declared = dataset.size * dataset.dtype.itemsize
    stored = max(1, int(dataset.id.get_storage_size()))
    as_read = 4 * dataset.size
    if as_read > MAX_BYTES:
        found = f"{as_read / 2**30:.1f} GiB in memory; the limit is {MAX_BYTES / 2**30:.0f} GiB"
    elif declared > 2**30 and declared / stored > MAX_RATIO:
        found = (
            f"the size declared, {declared / 2**30:.1f} GiB, is {declared / stored:.0f} times what "
            "is stored"
        )
    else:
        return
    raise DataError(
        code="IN-F20",
        place=dataset.name,
        found=found,
        fix="check the shape of the data; export a shorter stretch or fewer units",
    )


def row_blocks(dataset: h5py.Dataset) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Successive stretches along the first axis as float64, with where they stand."""
    check_size(dataset)
    n_rows = dataset.shape[0]
    row_bytes = 8 * max(1, int(np.prod(dataset.shape[1:])))
    step = max(1, BLOCK_BYTES // row_bytes)
    if dataset.chunks and step > dataset.chunks[0]:
        step -= step % dataset.chunks[0]
    for start in range(0, n_rows, step):
        rows = slice(start, min(start + step, n_rows))
        yield rows, read_rows(dataset, rows)


def read_rows(dataset: h5py.Dataset, rows: slice) -> NDArray[np.float64]:
    """A stretch along the first axis as float64.

    Raises
    ------
    DataError
        If the bytes cannot be turned into numbers: a filter is missing or the file is damaged.
    """
    check_filters(dataset)
    try:
        return np.asarray(dataset[rows], dtype=np.float64)
    except OSError as error:
        raise DataError(
            code="IN-F04",
            place=dataset.name,
            found=f"damaged: entries {rows.start} to {rows.stop - 1} of {dataset.shape[0]} could "
            f"not be read ({one_line(str(error))})",
            fix="copy the file again, and compare its checksum with the source",
        ) from error


def read_all(dataset: h5py.Dataset) -> NDArray[np.float64]:
    """All entries of a numeric dataset as float64."""
    if dataset.shape == ():
        return np.asarray(dataset[()], dtype=np.float64)
    check_size(dataset)
    out = np.empty(dataset.shape, dtype=np.float64)
    for rows, block in row_blocks(dataset):
        out[rows] = block
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
    start = float(read_all(starting_time).reshape(-1)[0]) if is_numeric(starting_time) else 0.0
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


def checked_timestamps(timestamps: h5py.Dataset) -> NDArray[np.float64]:
    """Timestamps, once they are seen to be numbers that increase."""
    if not is_numeric(timestamps) or len(timestamps.shape) != 1:
        raise DataError(
            code="IN-C13",
            place=timestamps.name,
            found=f"timestamps are {timestamps.dtype} of shape {timestamps.shape}",
            fix="write one number a sample, in seconds",
        )
    times = read_all(timestamps)
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
            f"({back.size} such steps)",
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
