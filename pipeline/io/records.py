"""Any record as an HDF5 file, and back.

One writer and one reader serve every frozen dataclass whose fields were declared with
:mod:`pipeline.core.axes` or are scalars, tuples, mappings, tables or records. Files appear whole
or not at all, are the same to the byte for the same content, and carry a digest of their content
that is checked before anything is believed. xarray and netCDF readers open them with named axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.io.atomic import replacing, write_fault
from pipeline.io.documents import damaged, foreign, missing, unreadable
from pipeline.io.hdf5_trees import open_file, read_attributes, read_tree, stored_tree, write_tree
from pipeline.io.record_fields import RECORD, record_of, tree_of
from pipeline.io.trees import Branch, content_digest

FORMAT_VERSION = 1
PACKAGE = "neuroptych"

T = TypeVar("T")
S = TypeVar("S")


def write_record(path: Path, record: object) -> None:
    """Write a record, whole or not at all.

    Mappings are stored in the order of their keys; that order is all that is not kept, beside the
    index of tables. The file is read again and compared with what was meant before it takes its
    name.

    Raises
    ------
    TypeError
        If a field holds something that files cannot hold; a defect of the record.
    EnvironmentFault
        If the file cannot be written (RN-R26).
    """
    tree = tree_of(record)
    digest = content_digest(tree)
    attributes: dict[str, str | int] = {
        **tree.attributes,
        "digest": digest,
        "format_version": FORMAT_VERSION,
        "package": PACKAGE,
    }
    with replacing(path) as temporary:
        try:
            write_tree(temporary, tree, attributes)
            with stored_tree(temporary) as (stored, found):
                whole = found == attributes and content_digest(_typed(stored, found)) == digest
        except (OSError, RuntimeError) as error:
            # The library often leaves out which file it was writing; it was this one.
            raise write_fault(path, error) from error
        if not whole:
            raise write_fault(path, OSError("reading it again gave something else"))


@overload
def read_record(path: Path, kind: type[T], /) -> T: ...


@overload
def read_record(path: Path, kind: type[T], other: type[S], /) -> T | S: ...


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
    try:
        return record_of(typed, kinds)
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
        yield _StoredArray(path=path, dataset=dataset)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _StoredArray:
    """An :class:`ArraySource` over a dataset of an open file."""

    path: Path
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

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Entries ``start`` to ``stop`` (exclusive) along the first axis."""
        entries: NDArray[Any] = _guarded(self.path, lambda: self.dataset[start:stop])
        return entries


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
    except MemoryError:
        raise  # a matter of the machine; the structure of the file has checksums
    except Exception as error:  # h5py raises nearly every type on damaged files
        raise damaged(path, f"cannot be read ({type(error).__name__}: {error})") from error
