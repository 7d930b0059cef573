"""A tree written into an HDF5 file piece by piece, and compared with what was meant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from pipeline.core.arrays import pieces
from pipeline.io.ahead import ahead
from pipeline.io.chunks import can_write_in_threads, write_in_threads
from pipeline.io.hdf5_trees import AXIS_ONLY, TEXT, StoredArray, stored_tree
from pipeline.io.patient_file import PatientFile
from pipeline.io.seals import seal
from pipeline.io.trees import Branch, Leaf, digest_and_checks, raw_entries

CHUNKED_FROM_BYTES = 16 * 2**10
CHUNK_ENTRIES = 2**18
STRETCH_ENTRIES = 2**24
"""Most entries in chunks that lie side by side: what reading along time decodes at once."""
LONGEST_CHUNK = 4096
"""Most rows of a chunk that does not hold whole rows."""
FAST_FROM_BYTES = 64 * 2**20
"""Arrays from this size on are stored with Zstandard, which is ten times as fast as gzip and packs
as well, but for which other readers need a plugin (in Python: ``import hdf5plugin``)."""
BLOCK_BYTES = 64 * 2**20
CACHE_BYTES = 4 * STRETCH_ENTRIES
"""Where chunks that are written in parts wait until they are whole."""
FORMAT = ("v110", "v110")
"""The file's format is fixed, with checksums over its structure."""
DIGEST = "digest"
"""Attribute of the root: digest of the content."""
_NO_DIGEST = "0" * 64


class WriteError(Exception):
    """The file could not be written; its cause tells why."""


@contextmanager
def new_tree_file(path: Path) -> Iterator[TreeWriter]:
    """A file for one tree, whose content has its digest and whose bytes are sealed at the end.

    The same tree gives the same bytes. The content is read again and compared with what was
    written before the digest is given.

    Raises
    ------
    WriteError
        If the system or HDF5 refuses, or what is read again is something else.
    """
    with path.open("w+b", buffering=0) as raw:
        target = PatientFile(raw)
        with _refusals(target):
            file = h5py.File(target, "w", libver=FORMAT, rdcc_nbytes=CACHE_BYTES, rdcc_w0=1.0)
        writer = TreeWriter(file, target)
        try:
            yield writer
        finally:
            with _refusals(target):
                file.close()
    with _refusals(target):
        _give_digest(path, writer.compared_digest(path))
        seal(path)


class TreeWriter:
    """A tree on its way into a file: first what is streamed, then all else."""

    def __init__(self, file: h5py.File, target: PatientFile) -> None:
        self._file = file
        self._target = target
        self._in_order: dict[str, int] = {}
        self._in_pieces: dict[str, list[tuple[tuple[slice, ...], int]]] = {}
        self._root: Mapping[str, str] = {}

    def store_sources(self, tree: Branch) -> Branch:
        """The tree with its sources copied into the file; from now on they are read there.

        Sources of one branch that have the same shape are read side by side.

        Raises
        ------
        WriteError
            If the file cannot be written; errors of the sources pass unchanged.
        """
        return self._stored_branch(tree, path="")

    def _stored_branch(self, branch: Branch, *, path: str) -> Branch:
        children: dict[str, Leaf | Branch] = {}
        alike: dict[tuple[int, ...], dict[str, Leaf]] = {}
        for name, node in sorted(branch.children.items()):
            if isinstance(node, Branch):
                children[name] = self._stored_branch(node, path=f"{path}/{name}")
            elif node.is_source:
                alike.setdefault(node.values.shape, {})[name] = node
            else:
                children[name] = node
        for leaves in alike.values():
            children |= self._copies(leaves, path=path)
        return Branch(children=children, attributes=branch.attributes)

    def _copies(self, leaves: Mapping[str, Leaf], *, path: str) -> dict[str, Leaf]:
        sources = {f"{path}/{name}": leaf.values for name, leaf in leaves.items()}
        with _refusals(self._target):
            datasets = {
                place: self._file.create_dataset(
                    place, shape=source.shape, track_times=False, **_layout(source)
                )
                for place, source in sources.items()
            }
        widest = max(sources.values(), key=lambda source: source.dtype.itemsize)
        keys = list(pieces(widest, max_bytes=BLOCK_BYTES))
        found: dict[str, list[tuple[tuple[slice, ...], int]]] = {place: [] for place in sources}
        in_order = all(_is_stretch(key, widest.shape) for key in keys)
        together = ([source[key] for source in sources.values()] for key in keys)
        writers = {
            place: _RowWriter(dataset)
            for place, dataset in datasets.items()
            if in_order and can_write_in_threads(dataset)
        }
        for key, blocks in zip(keys, ahead(together), strict=True):
            for (place, dataset), block in zip(datasets.items(), blocks, strict=True):
                with _refusals(self._target):
                    if place in writers:
                        writers[place].add(block)
                    else:
                        dataset[key] = block
                before = found[place][-1][1] if in_order and found[place] else 0
                found[place].append((key, isal_zlib.crc32(raw_entries(block), before)))
        for place, checks in found.items():
            if in_order:
                self._in_order[place] = checks[-1][1] if checks else 0
            else:
                self._in_pieces[place] = checks
        return {
            name: Leaf(
                values=StoredArray(datasets[f"{path}/{name}"]),
                axes=leaf.axes,
                attributes=leaf.attributes,
            )
            for name, leaf in leaves.items()
        }

    def write(self, tree: Branch, attributes: Mapping[str, str | int]) -> None:
        """All of a tree that is not in the file yet, and further attributes of its root.

        Raises
        ------
        WriteError
            If the file cannot be written.
        """
        self._root = tree.attributes
        with _refusals(self._target):
            _write_attributes(self._file, {**attributes, DIGEST: _NO_DIGEST})
            self._write_branch(self._file, tree, path="")

    def _write_branch(self, group: h5py.Group, branch: Branch, *, path: str) -> None:
        _write_attributes(group, branch.attributes)
        for name, node in sorted(branch.children.items()):
            place = f"{path}/{name}"
            if isinstance(node, Branch):
                self._write_branch(group.require_group(name), node, path=place)
                continue
            values = node.values
            if isinstance(values, np.ndarray):
                self._write_leaf(group, name, values)
                self._in_order[place] = isal_zlib.crc32(raw_entries(values))
            _write_attributes(group[name], node.attributes)
            self._target.raise_error()
        _attach_scales(group, branch)

    def _write_leaf(self, group: h5py.Group, name: str, values: NDArray[Any]) -> None:
        if values.dtype == object:  # text lies outside its dataset, where filters do not reach
            group.create_dataset(name, data=values, track_times=False, dtype=TEXT)
            return
        layout = _layout(values)
        dataset = group.create_dataset(name, shape=values.shape, track_times=False, **layout)
        if can_write_in_threads(dataset):
            write_in_threads(dataset, np.ascontiguousarray(values), first=0)
        else:
            dataset[...] = values

    def compared_digest(self, path: Path) -> str:
        """The digest of the content as the closed file has it, which is what was meant.

        Raises
        ------
        OSError
            If it is something else.
        """
        with stored_tree(path, load_up_to=BLOCK_BYTES, sealed=False) as (stored, _):
            tree = Branch(children=stored.children, attributes=self._root)
            digest, found = digest_and_checks(tree)
            same = all(found[place] == check for place, check in self._in_order.items()) and all(
                isal_zlib.crc32(raw_entries(tree.leaf(place).values[key])) == check
                for place, checks in self._in_pieces.items()
                for key, check in checks
            )
        if not same or set(found) != set(self._in_order) | set(self._in_pieces):
            raise OSError("reading it again gave something else")
        return digest


class _RowWriter:
    """Rows of a dataset that come in order, written as soon as a row of chunks is whole."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._waiting: NDArray[Any] = np.empty(
            (dataset.chunks[0], *dataset.shape[1:]), dtype=dataset.dtype
        )
        self._n_waiting = 0
        self._n_written = 0

    def add(self, rows: NDArray[Any]) -> None:
        """The rows after those before."""
        while len(rows):
            taken = rows[: len(self._waiting) - self._n_waiting]
            rows = rows[len(taken) :]
            self._waiting[self._n_waiting : self._n_waiting + len(taken)] = taken
            self._n_waiting += len(taken)
            is_last = self._n_written + self._n_waiting == self._dataset.shape[0]
            if is_last or self._n_waiting == len(self._waiting):
                own = self._waiting[: self._n_waiting]
                write_in_threads(self._dataset, own, first=self._n_written)
                self._n_written += self._n_waiting
                self._n_waiting = 0


def _give_digest(path: Path, digest: str) -> None:
    with path.open("r+b", buffering=0) as raw:
        target = PatientFile(raw)
        with h5py.File(target, "r+", libver=FORMAT) as file:
            file.attrs.modify(DIGEST, np.bytes_(digest))
        target.raise_error()


@contextmanager
def _refusals(target: PatientFile) -> Iterator[None]:
    """What the system or HDF5 says against writing, as one kind of error."""
    try:
        yield
        target.raise_error()
    except (OSError, RuntimeError) as error:
        raise WriteError from (target.error or error)


def _is_stretch(key: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether a piece holds whole rows."""
    return all(
        (part.start, part.stop) == (0, size) for part, size in zip(key[1:], shape[1:], strict=True)
    )


def _layout(values: Any) -> dict[str, Any]:  # Any: an array or a source; options of h5py
    """How an array of numbers is stored."""
    n_bytes = math.prod(values.shape) * values.dtype.itemsize
    options: dict[str, Any] = {"dtype": values.dtype}
    if not values.shape or n_bytes < CHUNKED_FROM_BYTES:
        return options
    options |= {"chunks": _chunks(values.shape), "shuffle": True}
    if n_bytes < FAST_FROM_BYTES:
        return options | {"compression": "gzip", "compression_opts": 4}
    return options | dict(hdf5plugin.Zstd(clevel=1))


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Chunks that can be read along time and, in tables, along columns without much waste.

    A table has chunks of several thousand rows, but no more than leave the chunks side by side
    small enough to be decoded at once. Other arrays have chunks of whole rows.
    """
    n_rows, row = shape[0], math.prod(shape[1:])
    if len(shape) != 2:
        return (min(n_rows, max(1, CHUNK_ENTRIES // max(1, row))), *shape[1:])
    rows = min(LONGEST_CHUNK, max(1, STRETCH_ENTRIES // row))
    columns = min(row, max(1, CHUNK_ENTRIES // rows))
    return min(n_rows, max(rows, CHUNK_ENTRIES // columns)), columns


def _write_attributes(node: h5py.Group | h5py.Dataset, attributes: Mapping[str, str | int]) -> None:
    for name, value in sorted(attributes.items()):
        if isinstance(value, str):
            # Of fixed length, so that it lies in the header, which has a checksum of its own.
            raw = value.encode()
            node.attrs.create(name, raw, dtype=h5py.string_dtype("utf-8", max(1, len(raw))))
        else:
            node.attrs[name] = value


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
