"""How large the record in a file is, from the file's head alone.

Nothing is believed of such a file here but its sizes, so no checksum is looked at.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import h5py

from pipeline.io.hdf5_trees import read_attributes
from pipeline.io.record_fields import RECORD


def axis_sizes(path: str | Path, kinds: Sequence[type]) -> dict[str, int]:
    """Lengths of the named axes of a record; none where the file holds one of no such kind.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    return dict(_axis_sizes(str(path), tuple(kinds), state_of(path).st_mtime_ns))


def stored_entries(path: str | Path) -> int:
    """Entries of all arrays in a file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    return _stored_entries(str(path), state_of(path).st_mtime_ns)


def unit_rows(path: str | Path) -> int:
    """Rows of a recording's table of units; 0 where the file holds no recording.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    return _unit_rows(str(path), state_of(path).st_mtime_ns)


def state_of(path: str | Path) -> os.stat_result:
    """Size and times of a file.

    Raises
    ------
    FileNotFoundError
        If there is none; by its name as text, by which Snakemake knows that it is yet to be made.
    """
    return os.stat(str(path))  # noqa: PTH116  whose error would name the path as an object


@functools.lru_cache(maxsize=10_000)
def _axis_sizes(path: str, kinds: tuple[type, ...], changed: int) -> tuple[tuple[str, int], ...]:
    sizes: dict[str, int] = {}
    with h5py.File(path, "r") as file:
        name = read_attributes(file).get(RECORD)
        kind = next((kind for kind in kinds if kind.__name__ == name), None)
        if kind is None:
            return ()
        for field in dataclasses.fields(kind):
            stored = file.get(field.name)
            if "axes" in field.metadata and isinstance(stored, h5py.Dataset):
                sizes.update(zip(field.metadata["axes"], stored.shape, strict=False))
    return tuple((axis, int(size)) for axis, size in sizes.items())


@functools.lru_cache(maxsize=10_000)
def _stored_entries(path: str, changed: int) -> int:
    entries = 0

    def count(_name: str, item: object) -> None:
        nonlocal entries
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            entries += int(item.size)

    with h5py.File(path, "r") as file:
        file.visititems(count)
    return entries


@functools.lru_cache(maxsize=10_000)
def _unit_rows(path: str, changed: int) -> int:
    with h5py.File(path, "r") as file:
        ids = file.get("units/unit_id")
        return int(ids.shape[0]) if isinstance(ids, h5py.Dataset) else 0
