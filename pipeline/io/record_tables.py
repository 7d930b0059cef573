"""pandas tables as branches of a tree: one leaf a column, one more where values are missing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import pandas_dtype

from pipeline.io.text_arrays import array_leaf, array_of, entries_of
from pipeline.io.trees import Branch, Leaf, escaped

COLUMNS = "columns"
"""Attribute: names of the columns in order, as JSON."""
ROWS = "rows"
"""Attribute: number of rows, which a table without columns has too."""
KIND = "column_kind"
"""Attribute of a column: ``text`` or the name of its pandas type."""
MISSING = "%missing"
"""Ending of the name of a mask; no escaped name of a column ends so."""


def table_branch(table: pd.DataFrame, *, axis: str) -> Branch:
    """A table as a branch; its index is its order and is not kept.

    Raises
    ------
    TypeError
        If names of columns are not unique text, or a column holds other things than text, truth
        values or numbers.
    """
    names = list(table.columns)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise TypeError(f"a table needs columns with different names of text, not {names}")
    children: dict[str, Leaf | Branch] = {}
    for name in names:
        try:
            children |= _column_leaves(table[name], node=escaped(name), axis=axis)
        except TypeError as error:
            raise TypeError(f"column '{name}': {error}") from error
    attributes = {COLUMNS: json.dumps(names), ROWS: str(len(table))}
    return Branch(children=children, attributes=attributes)


def _column_leaves(column: pd.Series[Any], *, node: str, axis: str) -> dict[str, Leaf | Branch]:
    missing = column.isna().to_numpy()
    leaves: dict[str, Leaf | Branch] = {}
    if isinstance(column.dtype, pd.StringDtype) or column.dtype == object:
        values = column.to_numpy(dtype=object, copy=True)
        values[missing] = ""
        leaves[node] = array_leaf(values, axes=(axis,), attributes={KIND: "text"})
    elif isinstance(column.dtype, np.dtype):
        attributes = {KIND: column.dtype.name}
        leaves[node] = array_leaf(column.to_numpy(), axes=(axis,), attributes=attributes)
        return leaves  # NaN is among the numbers themselves
    elif hasattr(column.dtype, "numpy_dtype"):
        filler = column.dtype.numpy_dtype.type(0)
        values = column.to_numpy(dtype=column.dtype.numpy_dtype, na_value=filler)
        leaves[node] = array_leaf(values, axes=(axis,), attributes={KIND: str(column.dtype)})
    else:
        raise TypeError(f"values of type {column.dtype} cannot be stored")
    if missing.any():
        leaves[node + MISSING] = array_leaf(missing, axes=(axis,))
    return leaves


def table_of(branch: Branch) -> pd.DataFrame:
    """The table that :func:`table_branch` was given; text columns have pandas' ``str`` type.

    Raises
    ------
    ValueError
        If the branch holds no table.
    """
    if COLUMNS not in branch.attributes:
        raise ValueError("a group stands where a table should be")
    names = json.loads(branch.attributes[COLUMNS])
    index = pd.RangeIndex(int(branch.attributes[ROWS]))
    columns = {name: _column_of(branch, escaped(name), index=index) for name in names}
    return pd.DataFrame(columns, index=index, columns=pd.Index(names, dtype="str"))


def _column_of(branch: Branch, node: str, *, index: pd.RangeIndex) -> pd.Series[Any]:
    leaf, mask = branch.children.get(node), branch.children.get(node + MISSING)
    if not isinstance(leaf, Leaf):
        raise ValueError(f"the table lacks the column '{node}'")
    missing = array_of(mask) if isinstance(mask, Leaf) else np.zeros(len(index), dtype=bool)
    kind = leaf.attributes[KIND]
    if kind == "text":
        values = entries_of(leaf).copy()
        values[missing] = np.nan
        return pd.Series(values, index=index, dtype="str")
    column: pd.Series[Any] = pd.Series(array_of(leaf), index=index, dtype=pandas_dtype(kind))
    return column.mask(missing) if missing.any() else column
