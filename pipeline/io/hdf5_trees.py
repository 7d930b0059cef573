"""Trees of named arrays as HDF5 files that xarray and netCDF readers open with named axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.io.patient_file import PatientFile
from pipeline.io.seals import is_whole, seal
from pipeline.io.trees import Branch, Leaf

CHUNKED_FROM_BYTES = 16 * 2**10
CHUNK_BYTES = 2**20
AXIS_ONLY = "This is a netCDF dimension but not a netCDF variable."
"""Begin of the name that netCDF gives to the scale of an axis without labels."""
LINKING = frozenset(
    {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates"}
)
"""Attributes by which HDF5 and netCDF tie axes to arrays."""
TEXT = h5py.string_dtype("utf-8")


def write_tree(path: Path, tree: Branch, attributes: Mapping[str, str | int]) -> None:
    """Write a tree and the attributes of its root; the same tree gives the same bytes."""
    # The file's format is fixed, with checksums over its structure.
    with path.open("w+b", buffering=0) as raw:
        target = PatientFile(raw)
        try:
            with h5py.File(target, "w", libver=("v110", "v110")) as file:
                _write_attributes(file, attributes)
                _write_branch(file, tree, target=target)
        finally:
            target.raise_error()
    seal(path)


def _write_branch(group: h5py.Group, branch: Branch, *, target: PatientFile) -> None:
    _write_attributes(group, branch.attributes)
    for name, node in sorted(branch.children.items()):
        if isinstance(node, Branch):
            _write_branch(group.create_group(name), node, target=target)
        else:
            _write_leaf(group, name, node)
            target.raise_error()
    _attach_scales(group, branch)


def _write_leaf(group: h5py.Group, name: str, leaf: Leaf) -> None:
    values = leaf.values
    options: dict[str, Any] = {"dtype": TEXT if values.dtype == object else values.dtype}
    # Text lies outside its dataset, where filters do not reach.
    if values.ndim and values.dtype != object and values.nbytes >= CHUNKED_FROM_BYTES:
        options |= {"chunks": _chunks(values), "compression": "gzip", "compression_opts": 4}
        options["shuffle"] = True
    dataset = group.create_dataset(name, data=values, track_times=False, **options)
    _write_attributes(dataset, leaf.attributes)


def _write_attributes(node: h5py.Group | h5py.Dataset, attributes: Mapping[str, str | int]) -> None:
    for name, value in sorted(attributes.items()):
        if isinstance(value, str):
            # Of fixed length, so that it lies in the header, which has a checksum of its own.
            raw = value.encode()
            node.attrs.create(name, raw, dtype=h5py.string_dtype("utf-8", max(1, len(raw))))
        else:
            node.attrs[name] = value


def _chunks(values: NDArray[Any]) -> tuple[int, ...]:
    """Whole rows, as many as make up a chunk of the usual size, so that time can be streamed."""
    row_bytes = max(1, values.nbytes // values.shape[0])
    return (min(values.shape[0], max(1, CHUNK_BYTES // row_bytes)), *values.shape[1:])


def _attach_scales(group: h5py.Group, branch: Branch) -> None:
    """Tie every axis of the group's arrays to a dataset of the axis's name."""
    leaves = {name: node for name, node in branch.children.items() if isinstance(node, Leaf)}
    sizes: dict[str, int] = {}
    for name, leaf in sorted(leaves.items()):
        for axis, size in zip(leaf.axes, leaf.values.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ValueError(f"'{name}' has {size} entries along '{axis}', not {sizes[axis]}.")
    for axis, size in sorted(sizes.items()):
        if axis in leaves and leaves[axis].axes == (axis,):
            group[axis].make_scale(axis)
        elif axis in branch.children:
            raise ValueError(f"'{axis}' names an axis and something that is not its labels.")
        else:
            scale = group.create_dataset(axis, shape=(size,), dtype=">f4", track_times=False)
            scale.make_scale(f"{AXIS_ONLY}{size:10d}")
    for name, leaf in sorted(leaves.items()):
        if leaf.axes == (name,):
            continue  # a scale has no scales
        for index, axis in enumerate(leaf.axes):
            group[name].dims[index].attach_scale(group[axis])


def read_tree(path: Path) -> tuple[Branch, dict[str, str | int]]:
    """The tree in a file and the attributes of its root.

    Raises
    ------
    ValueError
        If the file is not what was written.
    """
    _check_whole(path)
    with open_file(path) as file:
        attributes = read_attributes(file)
        return Branch(children=_children(file, loaded=True)), attributes


@contextmanager
def stored_tree(path: Path) -> Iterator[tuple[Branch, dict[str, str | int]]]:
    """As :func:`read_tree`, but arrays stay in the file, which is open while the block lasts."""
    _check_whole(path)
    with open_file(path) as file:
        attributes = read_attributes(file)
        yield Branch(children=_children(file, loaded=False)), attributes


def open_file(path: Path) -> h5py.File:
    """One of our files, for reading; without a lock, since it is replaced but never changed."""
    return h5py.File(path, "r", locking=False)


def _check_whole(path: Path) -> None:
    if not is_whole(path):
        raise ValueError("its checksum does not match its bytes")


def read_attributes(node: h5py.Group | h5py.Dataset) -> dict[str, str | int]:
    """Attributes of a group or dataset, without those that tie axes to arrays."""
    values = {name: node.attrs[name] for name in node.attrs if name not in LINKING}
    return {
        name: value.decode() if isinstance(value, bytes) else int(value)
        for name, value in values.items()
    }


def _children(group: h5py.Group, *, loaded: bool) -> dict[str, Leaf | Branch]:
    children: dict[str, Leaf | Branch] = {}
    for name, node in group.items():
        if isinstance(node, h5py.Group):
            children[name] = Branch(
                children=_children(node, loaded=loaded), attributes=_text_attributes(node)
            )
        elif not _is_axis_only(node):
            is_text = h5py.check_string_dtype(node.dtype) is not None
            values = node.asstr() if is_text else node
            if loaded:
                values = np.asarray(values[...], dtype=object if is_text else None)
            children[name] = Leaf(values=values, attributes=_text_attributes(node))
    return children


def _text_attributes(node: h5py.Group | h5py.Dataset) -> dict[str, str]:
    return {name: str(value) for name, value in read_attributes(node).items()}


def _is_axis_only(dataset: h5py.Dataset) -> bool:
    name = dataset.attrs.get("NAME", b"")
    text = name if isinstance(name, str) else bytes(name).decode("utf-8", errors="replace")
    return text.startswith(AXIS_ONLY)
