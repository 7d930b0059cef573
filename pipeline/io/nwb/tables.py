"""NWB tables as data frames of their scalar columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.io.nwb.objects import child, children, dereference, text_attribute
from pipeline.io.nwb.values import (
    check_filters,
    check_size,
    is_numeric,
    is_vector,
    read_all,
    read_piece,
)

LABEL_DIGITS = 7
"""Digits of a fraction in a label: as many as single precision keeps."""

MAX_ROWS = 10**7
"""More than the tables of a session have; a row takes some hundred bytes."""

FLAGS = ("iscell", "is_cell")
"""Columns that may hold a flag and a probability a row, as Suite2p writes them."""


def row_ids(table: h5py.Group) -> list[str]:
    """Ids of a table's rows as text; row numbers where the table has none.

    Raises
    ------
    DataError
        If ids are no whole numbers, or the table declares more rows than any has.
    """
    ids = child(table, "id")
    if not isinstance(ids, h5py.Dataset):
        ids = None
    n_rows = _length_of_first(table, column_names(table)) if ids is None else ids.size
    if n_rows > MAX_ROWS:
        raise DataError(
            code="IN-F20",
            place=str(table.name),
            found=f"the table declares {n_rows} rows; at most {MAX_ROWS} are read",
            fix="check the shape of its columns; export a shorter stretch or fewer units",
        )
    return list(map(str, range(n_rows) if ids is None else whole_numbers(ids).tolist()))


def whole_numbers(data: h5py.Dataset) -> NDArray[np.int64]:
    """A column of whole numbers: ids, ends of rows, references to rows.

    Raises
    ------
    DataError
        If it holds anything else, or declares a size that would fill the memory.
    """
    found = f"entries are {data.dtype} of shape {data.shape}"
    if data.dtype.kind in "iuf" and (is_vector(data) or not data.shape):
        check_size(data)
        # A table of one row may have been written without an axis.
        entries = read_piece(data, (slice(None),)).reshape(-1) if data.shape else data[()]
        entries = np.atleast_1d(entries)
        if _are_whole(entries):
            whole: NDArray[np.int64] = entries.astype(np.int64)
            return whole
        found = "entries are not whole numbers, or too large ones"
    raise DataError(
        code="IN-F13",
        place=data.name,
        found=f"{found}; one whole number a row is needed",
        fix="write the table again with pynwb",
    )


def column_names(table: h5py.Group) -> tuple[str, ...]:
    """Names of a table's columns, in the order the file gives."""
    declared = table.attrs.get("colnames", ())
    names = [_text(name) for name in np.atleast_1d(np.asarray(declared, dtype=object))]
    if names:
        return tuple(name for name in names if "/" not in name and name in table)
    return tuple(  # a table that declares none: every dataset is one, but for ids and indices
        name
        for name, found in children(table)
        if name != "id" and not name.endswith("_index") and isinstance(found, h5py.Dataset)
    )


def scalar_columns(
    table: h5py.Group, *, n_rows: int, leave_out: Sequence[str] = ()
) -> pd.DataFrame:
    """Columns with one number, truth value or text a row, as the file has them.

    Columns with several entries a row, references or compound entries are left out, and those
    that are named.

    Raises
    ------
    DataError
        If a column is not as long as the table or holds text that is not UTF-8.
    """
    columns: dict[str, pd.Series[Any]] = {}  # Any: columns differ in type
    for name in column_names(table):
        values = None if name in leave_out else _scalar_column(table, name, n_rows=n_rows)
        if values is None:
            columns |= _flag_and_probability(table, name, n_rows=n_rows)
            continue
        if len(values) != n_rows:
            raise DataError(
                code="IN-F13",
                place=f"{table.name}/{name}",
                found=f"the column has {len(values)} entries, but the table has {n_rows} rows",
                fix="write one entry a row",
            )
        columns[name] = values
    return pd.DataFrame(columns, index=pd.RangeIndex(n_rows))


def ragged_ends(table: h5py.Group, name: str, *, n_values: int) -> NDArray[np.int64] | None:
    """Where each row's entries of a ragged column end; None for a column that is not ragged.

    Raises
    ------
    DataError
        If the index decreases or points past the stored values.
    """
    index = _index_of(table, name)
    if index is None:
        return None
    ends = whole_numbers(index)
    back = np.flatnonzero(np.diff(ends, prepend=0) < 0)
    if back.size:
        row = int(back[0])
        raise DataError(
            code="IN-S11",
            place=index.name,
            found=f"the index goes down from {ends[row - 1] if row else 0} to {ends[row]} at row "
            f"{row}",
            fix="write the table again with pynwb, which makes the index",
        )
    if ends.size and ends[-1] > n_values:
        row = int(np.flatnonzero(ends > n_values)[0])
        raise DataError(
            code="IN-S11",
            place=index.name,
            found=f"the index points past the end: {ends[row]} at row {row}, but {n_values} values "
            "are stored",
            fix="copy the file again, or write the table again with pynwb",
        )
    return ends


def joined_text(table: h5py.Group, name: str, *, n_rows: int) -> list[str]:
    """Entries of a text column, those of a ragged one joined by ``+``."""
    data = child(table, name)
    if not isinstance(data, h5py.Dataset) or len(data.shape) != 1:
        return [""] * n_rows
    check_size(data)
    entries = _texts(data) if _is_text(data) else read_piece(data, (slice(None),))
    words = [as_label(value) for value in entries]
    ends = ragged_ends(table, name, n_values=len(words))
    if ends is None:
        return words
    starts = np.concatenate([[0], ends[:-1]]) if ends.size else ends
    return ["+".join(words[a:b]) for a, b in zip(starts, ends, strict=True)]


def as_label(value: object) -> str:
    """A table entry as a label: whole numbers without ``.0``, text without blanks around it.

    Fractions are given to seven digits, so that what the type of the stored numbers or a
    computation left in the last ones makes no other label.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer():
            return str(int(number))
        return f"{number:.{LABEL_DIGITS}g}" if abs(number) < 10**LABEL_DIGITS else repr(number)
    return str(value).strip()


def is_text_column(column: pd.Series[Any]) -> bool:  # Any: that is the question
    """Whether a column of a data frame holds text."""
    return isinstance(column.dtype, pd.StringDtype)


def _scalar_column(
    table: h5py.Group, name: str, *, n_rows: int
) -> pd.Series[Any] | None:  # Any: its dtype
    if _index_of(table, name) is not None:
        return None
    data = child(table, name)
    if not isinstance(data, h5py.Dataset) or not is_vector(data):
        return None
    if len(data.shape) > 1 and data.size != n_rows:  # several entries of the only row
        return None
    check_filters(data)
    check_size(data)
    if _is_text(data):
        return pd.Series(_texts(data), dtype="str")
    elements = dereference(data, "elements")
    if isinstance(elements, h5py.Dataset) and _is_text(elements):
        check_filters(elements)
        check_size(elements)
        return _enumerated(data, _texts(elements))
    if h5py.check_enum_dtype(data.dtype) == {"FALSE": 0, "TRUE": 1} or data.dtype.kind == "b":
        return pd.Series(read_piece(data, (slice(None),)).reshape(-1).astype(bool))
    if not is_numeric(data) or dereference(data, "table") is not None:
        return None
    if data.dtype.kind in "iu":
        entries = read_piece(data, (slice(None),)).reshape(-1)
        return pd.Series(entries.astype(np.int64 if _are_whole(entries) else np.float64))
    return pd.Series(read_all(data).reshape(-1))


def _flag_and_probability(
    table: h5py.Group, name: str, *, n_rows: int
) -> dict[str, pd.Series[Any]]:  # Any: columns differ in type
    """An ``iscell`` of two numbers a row, whether and how surely, as two columns."""
    if name.lower() not in FLAGS:
        return {}
    data = child(table, name)
    if not isinstance(data, h5py.Dataset) or data.shape != (n_rows, 2) or not is_numeric(data):
        return {}
    flag, probability = read_all(data).T
    return {name: pd.Series(flag), f"{name}_probability": pd.Series(probability)}


def _index_of(table: h5py.Group, name: str) -> h5py.Dataset | None:
    """The index of a ragged column; a column of its own that is merely called so is none."""
    index = child(table, f"{name}_index")
    if not isinstance(index, h5py.Dataset):
        return None
    return None if text_attribute(index, "neurodata_type") == "VectorData" else index


def _are_whole(entries: NDArray[Any]) -> bool:
    """Whether numbers of any type are whole and can be told apart as 64 bits with a sign."""
    if entries.dtype.kind in "iu":
        return bool(np.all(entries <= np.iinfo(np.int64).max))
    return bool(np.all((entries == np.rint(entries)) & (np.abs(entries) < 2.0**63)))


def _enumerated(data: h5py.Dataset, elements: list[str]) -> pd.Series[Any]:
    numbers = whole_numbers(data)
    names = [elements[number] if 0 <= number < len(elements) else "" for number in numbers]
    return pd.Series(names, dtype="str")


def _is_text(data: h5py.Dataset) -> bool:
    return h5py.check_string_dtype(data.dtype) is not None


def _texts(data: h5py.Dataset) -> list[str]:
    try:
        return [
            str(value) for value in data.asstr(encoding="utf-8", errors="strict")[...].reshape(-1)
        ]
    except UnicodeDecodeError as error:
        raise DataError(
            code="IN-C26",
            place=data.name,
            found=f"text that is not UTF-8 ({error.reason} 0x{error.object[error.start]:02x})",
            fix="write the column again as UTF-8 text",
        ) from error


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _length_of_first(table: h5py.Group, names: tuple[str, ...]) -> int:
    for name in names:
        index = child(table, f"{name}_index")
        data = index if index is not None else child(table, name)
        if isinstance(data, h5py.Dataset) and data.shape:
            return int(data.shape[0])
    return 0
