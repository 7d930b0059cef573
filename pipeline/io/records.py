"""Any record as an HDF5 file, and back.

One writer and one reader serve every frozen dataclass whose fields were declared with
:mod:`pipeline.core.axes` or are scalars, tuples, mappings, tables or records. Files appear whole
or not at all, are the same to the byte for the same content, and carry a digest of their content
that is checked before anything is believed. xarray and netCDF readers open them with named axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.errors import EnvironmentFault
from pipeline.core.provenance import Provenance
from pipeline.io.atomic import replacing, write_fault
from pipeline.io.documents import damaged, foreign, missing, unreadable
from pipeline.io.hdf5_trees import (
    StoredArray,
    open_file,
    read_attributes,
    read_tree,
    stored_branch,
    stored_tree,
)
from pipeline.io.record_fields import RECORD, record_of, tree_of
from pipeline.io.seals import is_whole
from pipeline.io.tree_writer import WriteError, new_tree_file
from pipeline.io.trees import Branch, content_digest

FORMAT_VERSION = 1
PACKAGE = "neuroptych"
IN_MEMORY_BYTES = 64 * 2**20
"""Arrays up to this size are taken into memory also where they could stay in the file."""

R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S")


def write_record(path: Path, record: R, *, finish: Callable[[R], R] | None = None) -> R:
    """Write a record, whole or not at all.

    Mappings are stored in the order of their keys; that order is all that is not kept, beside the
    index of tables. Fields that are sources are copied piece by piece, each source being read
    once. The file is read again and compared with what was meant before it takes its name.

    Parameters
    ----------
    finish
        Makes the record to be stored from the one given, whose sources are then read from the new
        file; for what can be said only when all has been read. It must leave them in place.

    Raises
    ------
    TypeError
        If a field holds something that files cannot hold; a defect of the record.
    EnvironmentFault
        If the file cannot be written (RN-R26).
    """
    tree = tree_of(record)
    with replacing(path) as temporary:
        try:
            with new_tree_file(temporary) as file:
                tree = file.store_sources(tree)
                if finish is not None:
                    record = finish(record_of(tree, [type(record)]))
                    tree = tree_of(record)
                file.write(tree, {"format_version": FORMAT_VERSION, "package": PACKAGE})
        except WriteError as error:
            # The library often leaves out which file it was writing; it was this one.
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise write_fault(path, cause) from error
    return record


@overload
def read_record(path: Path, kind: type[T], /) -> T: ...


@overload
def read_record(path: Path, kind: type[T], other: type[S], /) -> T | S: ...


@overload
def read_record(path: Path, *kinds: type[Any]) -> Any: ...


def read_record(path: Path, *kinds: type[Any]) -> Any:  # Any: a record of one of the kinds
    """The record in a file, which must be of one of the kinds.

    Raises
    ------
    EnvironmentFault
        If the file is missing (RN-R27) or damaged (RN-R10).
    DataError
        If it holds another type of record or comes from another version (RN-R11).
    """
    _root_attributes(path)  # refuses other versions before damage is looked for
    tree, attributes = _guarded(path, lambda: read_tree(path))
    typed = _typed(tree, attributes)
    if _guarded(path, lambda: content_digest(typed)) != attributes.get("digest"):
        raise damaged(path, "its digest does not match its content")
    return _record(path, typed, kinds)


@overload
def open_record(path: Path, kind: type[T], /) -> AbstractContextManager[T]: ...


@overload
def open_record(path: Path, kind: type[T], other: type[S], /) -> AbstractContextManager[T | S]: ...


@contextmanager
def open_record(
    path: Path, *kinds: type[Any]
) -> Iterator[Any]:  # Any: a record of one of the kinds
    """As :func:`read_record`, but large arrays stay in the file, open while the block lasts.

    Fields that may hold a source get one where their array is larger than
    :data:`IN_MEMORY_BYTES`, and an array in memory else. The checksum of the file's bytes is
    checked; the digest of the content, which would decode everything, is not.
    """
    _root_attributes(path)
    with ExitStack() as opened:
        tree, attributes = _guarded(
            path,
            lambda: opened.enter_context(stored_tree(path, load_up_to=IN_MEMORY_BYTES)),
        )
        yield _record(path, _typed(tree, attributes), kinds)


def _record(path: Path, tree: Branch, kinds: Sequence[type[Any]]) -> Any:  # Any: one of the kinds
    try:
        return record_of(tree, kinds)
    except (ValueError, TypeError, KeyError) as error:
        raise foreign(path, str(error)) from error


def read_digest(path: Path) -> str:
    """The digest of a record's content as its file tells it, without reading the content.

    Raises
    ------
    EnvironmentFault
        If the file is missing (RN-R27) or unreadable (RN-R10).
    DataError
        If it comes from another version (RN-R11).
    """
    return str(_root_attributes(path)["digest"])


def record_type(path: Path) -> str:
    """Name of the type of record that a file holds, without reading its content.

    Raises as :func:`read_digest` does.
    """
    return str(_root_attributes(path)[RECORD])


def read_provenance(path: Path, *, sealed: bool = True) -> Provenance | None:
    """What made the record in a file, without reading its arrays.

    ``None`` for records that do not say, such as outcomes. Raises as :func:`open_record` does.

    Parameters
    ----------
    sealed
        Whether the checksum of the file's bytes, for which all of them are read, is checked.
    """
    _root_attributes(path)
    if sealed and not _guarded(path, lambda: is_whole(path)):
        raise damaged(path, "its checksum does not match its bytes")
    branch = _guarded(path, lambda: stored_branch(path, "provenance"))
    return _record(path, branch, [Provenance]) if branch is not None else None


@contextmanager
def array_source(path: Path, place: str) -> Iterator[ArraySource]:
    """One array of a record, to be read in stretches while the block lasts.

    The content's digest is not checked, since that would read everything.

    Parameters
    ----------
    place
        Fields from the record to the array, such as ``activity/values``.

    Raises
    ------
    EnvironmentFault
        If the file is missing (RN-R27) or unreadable (RN-R10).
    DataError
        If it comes from another version or has no such array (RN-R11).
    """
    _root_attributes(path)
    file = _guarded(path, lambda: open_file(path))
    with file:
        dataset = _guarded(path, lambda: file.get(place))
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim == 0:
            raise foreign(path, f"it has no array '{place}'")
        yield _GuardedArray(path=path, stored=StoredArray(dataset))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _GuardedArray:
    """An array of an open file that says which file is damaged when it cannot be read."""

    path: Path
    stored: StoredArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return self.stored.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self.stored.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of the pieces in which it is stored."""
        return self.stored.chunks

    def __getitem__(self, key: slice | tuple[slice, ...], /) -> NDArray[Any]:
        """The entries in a rectangle."""
        return _guarded(self.path, lambda: self.stored[key])


def _root_attributes(path: Path) -> dict[str, str | int]:
    def read() -> dict[str, str | int]:
        with open_file(path) as file:
            return read_attributes(file)

    attributes = _guarded(path, read)
    _check_version(path, attributes)
    return attributes


def _typed(tree: Branch, attributes: dict[str, str | int]) -> Branch:
    """The tree with the type of its record, which the file keeps among the root's attributes."""
    own = {RECORD: str(attributes[RECORD])} if RECORD in attributes else {}
    return Branch(children=tree.children, attributes=own)


def _check_version(path: Path, attributes: dict[str, str | int]) -> None:
    if attributes.get("package") != PACKAGE or not {RECORD, "digest"} <= set(attributes):
        raise foreign(path, "it is no file of this package")
    version = attributes.get("format_version")
    if version != FORMAT_VERSION:
        raise foreign(path, f"it has format version {version}, expected {FORMAT_VERSION}")


def _guarded(path: Path, read: Callable[[], T]) -> T:
    """What ``read`` returns; any way in which reading fails says that the file is damaged."""
    try:
        return read()
    except FileNotFoundError as error:
        raise missing(path) from error
    except PermissionError as error:
        raise unreadable(path) from error
    except (MemoryError, EnvironmentFault):
        raise  # a matter of the machine; the structure of the file has checksums
    except Exception as error:  # h5py raises nearly every type on damaged files
        raise damaged(path, f"cannot be read ({type(error).__name__}: {error})") from error
