"""Samples and frames of series, read piece by piece: scaled, turned, and looked at on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.words import for_number
from pipeline.io.nwb.values import check_streamed, read_piece, scaling

MOST_INTEGER_BYTES = 2
"""Longer integers never reach their end in a detector, and do not all differ in float32."""
AT_LIMIT = 0.01
"""Share of a unit's samples at the end of the stored type from which it is remarked on."""
RATIO_TO_MEAN = 0.1
"""A dF/F whose median is this close to 1 is taken for F over its mean."""
MEDIAN_ENTRIES = 2**20
"""The median of a large series is that of about so many of its samples, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A numeric dataset in its unit, as float32; a source.

    Numbers beyond float32 become infinite.
    """

    data: h5py.Dataset
    conversion: float
    offset: float
    transposed: bool = False
    """Whether a table is stored with its axes in the other order."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes, time first; a single trace is a table of one column."""
        shape = (*self.data.shape, 1) if len(self.data.shape) == 1 else tuple(self.data.shape)
        return shape[::-1] if self.transposed else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return np.dtype(np.float32)

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of the pieces in which the samples are stored."""
        stored = self.data.chunks
        if stored is None:
            return None
        whole = (*stored, 1) if len(stored) == 1 else tuple(stored)
        return whole[::-1] if self.transposed else whole

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[np.float32]:
        """The entries in a rectangle.

        Raises
        ------
        DataError
            If the bytes cannot be turned into numbers: the file is damaged.
        """
        parts = key if isinstance(key, tuple) else (key,)
        if len(self.data.shape) == 1:
            raw = read_piece(self.data, parts[:1])[:, None]
        elif self.transposed:
            both = (*parts, slice(None))[:2]
            raw = np.ascontiguousarray(read_piece(self.data, both[::-1]).T)
        else:
            raw = read_piece(self.data, parts)
        with np.errstate(over="ignore"):
            return self._in_unit(raw)

    def _in_unit(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        if (self.conversion, self.offset) != (1.0, 0.0):
            raw = raw * np.float64(self.conversion) + self.offset
        return raw.astype(np.float32, copy=False)

    @property
    def limits(self) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """The numbers at which the stored type ends, in the unit and as stored.

        Those are the largest and, of types with a sign, the smallest; ``None`` of other types than
        integers. Detectors and programs that cut off, or mark what is missing, end there.
        """
        kind = self.data.dtype
        if kind.kind not in "iu" or kind.itemsize > MOST_INTEGER_BYTES:
            return None
        known = np.iinfo(kind)
        ends = np.array([known.max, known.min] if kind.kind == "i" else [known.max], dtype=kind)
        return self._in_unit(ends), ends.astype(np.int64)


def scaled(data: h5py.Dataset, *, transposed: bool = False, max_gb: float | None) -> Scaled:
    """A dataset in its unit, once its size is believable.

    Raises
    ------
    DataError
        If its size, its compression, its conversion or its offset cannot be right.
    """
    check_streamed(data, max_gb=max_gb)
    conversion, offset = scaling(data)
    return Scaled(data, conversion, offset, transposed)


class Samples:
    """Samples of a series of ROIs, shape (time, unit), and what was met while reading them.

    ``values`` and ``valid`` are two sources over the same numbers: a piece that one of them reads
    is kept until another is asked for, so that reading both side by side decodes the file once.
    """

    def __init__(self, source: Scaled) -> None:
        self._source = source
        self._key: object = None
        self._piece: tuple[NDArray[np.float32], NDArray[np.bool_]] | None = None
        self._missing: dict[object, tuple[slice, NDArray[np.int64], int]] = {}
        self._some: dict[object, NDArray[np.float32]] = {}
        self._limits = source.limits
        self._at_limit: dict[object, tuple[slice, NDArray[np.int64]]] = {}
        self._stride = _spread(source.shape)
        self.values = _Values(self, source)
        self.valid = _Valid(self, source)

    def piece(
        self, key: slice | tuple[slice, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and validity of a rectangle; what is infinite becomes NaN."""
        parts = (*key, slice(None))[:2] if isinstance(key, tuple) else (key, slice(None))
        rows, columns = (
            slice(*part.indices(size)) for part, size in zip(parts, self._source.shape, strict=True)
        )
        name = (rows.start, rows.stop, columns.start, columns.stop)
        if self._piece is None or self._key != name:
            values = self._source[rows, columns]
            valid = np.isfinite(values)
            missing, n_infinite = np.zeros(values.shape[1], dtype=np.int64), 0
            if not valid.all():
                missing += values.shape[0] - np.count_nonzero(valid, axis=0)
                infinite = np.isinf(values)
                n_infinite = int(infinite.sum())
                values[infinite] = np.nan
            self._missing[name] = columns, missing, n_infinite
            if self._limits is not None:
                counts = [np.count_nonzero(values == end, axis=0) for end in self._limits[0]]
                self._at_limit[name] = columns, np.stack(counts)
            some = values.reshape(-1)[:: self._stride]
            self._some[name] = some[np.isfinite(some)]
            self._key, self._piece = name, (values, valid)
        return self._piece

    def notes(self, *, signal: str) -> tuple[Note, ...]:
        """What is to be told once every piece has been read, without overlaps.

        Raises
        ------
        DataError
            If no sample is a number.
        """
        data = self._source.data
        n_samples, n_units = self._source.shape
        missing = np.zeros(n_units, dtype=np.int64)
        n_infinite = 0
        for columns, counts, infinite in self._missing.values():
            missing[columns] += counts
            n_infinite += infinite
        total, n_missing = n_samples * n_units, int(missing.sum())
        if n_missing == total:
            raise DataError(
                code="IN-C05",
                place=data.name,
                found=f"none of the {total} samples is finite (NaN or infinite throughout)",
                fix="name another series in column 'series' of the sheet",
            )
        notes = self._scaling_note()
        if n_missing:
            text = (
                f"{n_missing} of {total} samples in {np.count_nonzero(missing)} of {n_units} units "
                f"{for_number(n_missing, '[is|are]')} not finite ({n_missing - n_infinite} NaN, "
                f"{n_infinite} infinite) and marked as missing."
            )
            notes += (Note(code="IN-C04", kind="repair", place=data.name, text=text),)
        return notes + self._limit_notes() + self._ratio_note(signal)

    def _limit_notes(self) -> tuple[Note, ...]:
        """A warning for each end of the stored type at which units have many samples."""
        if self._limits is None:
            return ()
        n_samples, n_units = self._source.shape
        counts = np.zeros((len(self._limits[0]), n_units), dtype=np.int64)
        for columns, found in self._at_limit.values():
            counts[:, columns] += found
        notes: tuple[Note, ...] = ()
        for end, many in zip(self._limits[1], counts >= AT_LIMIT * n_samples, strict=True):
            number = int(np.count_nonzero(many))
            if not number:
                continue
            text = (
                f"{number} of {n_units} units {for_number(number, '[has|have]')} 1 % or more of "
                f"{for_number(number, '[its|their]')} samples at {end}, where the stored type "
                f"({self._source.data.dtype}) ends: cut off there, or marked as missing. They are "
                "used as they are."
            )
            notes += (Note(code="IN-C19", kind="warn", place=self._source.data.name, text=text),)
        return notes

    def _scaling_note(self) -> tuple[Note, ...]:
        conversion, offset = self._source.conversion, self._source.offset
        if (conversion, offset) == (1.0, 0.0):
            return ()
        text = f"Stored numbers were scaled: conversion {conversion:g}, offset {offset:g}."
        place = f"{self._source.data.name}@conversion"
        return (Note(code="IN-C17", kind="info", place=place, text=text),)

    def _ratio_note(self, signal: str) -> tuple[Note, ...]:
        if signal != "dff":
            return ()
        median = float(np.median(np.concatenate(list(self._some.values()))))
        if abs(median - 1.0) > RATIO_TO_MEAN:
            return ()
        text = (
            f"The series is called dF/F, but its median is {median:.3f} and not near 0: it looks "
            "like F over its mean. The values are used as they are."
        )
        return (Note(code="IN-C32", kind="warn", place=self._source.data.name, text=text),)


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Values of samples, as a source."""

    samples: Samples
    source: Scaled

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    @property
    def chunks(self) -> tuple[int, ...] | None:
        return self.source.chunks

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        return self.samples.piece(key)[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Valid(_Values):
    """Which samples are numbers, as a source."""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.bool_)

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        return self.samples.piece(key)[1]


def _spread(shape: tuple[int, ...]) -> int:
    """Every how many entries one is taken, so that all columns have their part."""
    stride = max(1, math.prod(shape) // MEDIAN_ENTRIES)
    while math.gcd(stride, shape[-1]) > 1:
        stride += 1
    return stride
