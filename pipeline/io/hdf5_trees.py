"""Trees of named arrays as HDF5 files that xarray and netCDF readers open with named axes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the compression of large arrays
import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import loaded_whole
from pipeline.io.chunks import read_in_threads
from pipeline.io.seals import is_whole
from pipeline.io.trees import Branch, Leaf

AXIS_ONLY = "This is a netCDF dimension but not a netCDF variable."
"""Begin of the name that netCDF gives to the scale of an axis without labels."""
LINKING = frozenset(
    {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates"}
)
"""Attributes by which HDF5 and netCDF tie axes to arrays."""
TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """An array in an open file, as an :class:`pipeline.core.arrays.ArraySource`."""

    dataset: Any  # an h5py.Dataset, which has no types

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return tuple(self.dataset.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        dtype: np.dtype[Any] = self.dataset.dtype
        return dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of the pieces in which it is stored."""
        chunks: tuple[int, ...] | None = self.dataset.chunks
        return chunks

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        """The entries in a rectangle."""
        parts = key if isinstance(key, tuple) else (key,)
        found = read_in_threads(self.dataset, parts)
        return np.asarray(self.dataset[key]) if found is None else found


def read_tree(path: Path) -> tuple[Branch, dict[str, str | int]]:
    """The tree in a file and the attributes of its root.

    Raises
    ------
    ValueError
        If the file is not what was written.
    """
    with stored_tree(path, load_up_to=sys.maxsize) as found:
        return found


@contextmanager
def stored_tree(
    path: Path, *, load_up_to: int, sealed: bool = True
) -> Iterator[tuple[Branch, dict[str, str | int]]]:
    """As :func:`read_tree`, but large arrays stay in the file, open while the block lasts.

    Parameters
    ----------
    load_up_to
        Bytes of the largest array of numbers that is taken into memory; text always is.
    sealed
        Whether the file has its checksum already.
    """
    if sealed and not is_whole(path):
        raise ValueError("its checksum does not match its bytes")
    with open_file(path) as file:
        attributes = read_attributes(file)
        yield Branch(children=_children(file, load_up_to=load_up_to)), attributes


def stored_branch(path: Path, name: str) -> Branch | None:
    """One group at the root of a file, taken into memory; the rest of the file is not read."""
    with open_file(path) as file:
        group = file.get(name)
        if not isinstance(group, h5py.Group):
            return None
        children = _children(group, load_up_to=sys.maxsize)
        return Branch(children=children, attributes=_text_attributes(group))


def open_file(path: Path) -> h5py.File:
    """One of our files, for reading; without a lock, since it is replaced but never changed."""
    return h5py.File(path, "r", locking=False)


def read_attributes(node: h5py.Group | h5py.Dataset) -> dict[str, str | int]:
    """Attributes of a group or dataset, without those that tie axes to arrays."""
    values = {name: node.attrs[name] for name in node.attrs if name not in LINKING}
    return {
        name: value.decode() if isinstance(value, bytes) else int(value)
        for name, value in values.items()
    }


def _children(group: h5py.Group, *, load_up_to: int) -> dict[str, Leaf | Branch]:
    children: dict[str, Leaf | Branch] = {}
    for name, node in group.items():
        if isinstance(node, h5py.Group):
            children[name] = Branch(
                children=_children(node, load_up_to=load_up_to), attributes=_text_attributes(node)
            )
        elif not _is_axis_only(node):
            values = _values(node, load_up_to=load_up_to)
            children[name] = Leaf(values=values, attributes=_text_attributes(node))
    return children


def _values(node: h5py.Dataset, *, load_up_to: int) -> NDArray[Any] | StoredArray:
    if h5py.check_string_dtype(node.dtype) is not None:
        return np.asarray(node.asstr()[...], dtype=object)
    if not node.shape:
        return np.asarray(node[()])
    source = StoredArray(node)
    return loaded_whole(source) if node.nbytes <= load_up_to else source


def _text_attributes(node: h5py.Group | h5py.Dataset) -> dict[str, str]:
    return {name: str(value) for name, value in read_attributes(node).items()}


def _is_axis_only(dataset: h5py.Dataset) -> bool:
    name = dataset.attrs.get("NAME", b"")
    text = name if isinstance(name, str) else bytes(name).decode("utf-8", errors="replace")
    return text.startswith(AXIS_ONLY)
