"""Records as trees of named arrays and back, by the declarations of their fields.

The type annotations and the names of :mod:`pipeline.core.axes` are all that is needed: a new
record needs no code here.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource
from pipeline.core.words import with_article
from pipeline.io.json_values import (
    alternatives,
    decode,
    encodable,
    encode,
    expects_tuple,
    hints_of,
    is_record_type,
    is_scalar_type,
    item_hint,
    value_hint,
)
from pipeline.io.record_tables import table_branch, table_of
from pipeline.io.text_arrays import array_leaf, array_of, entries_of
from pipeline.io.trees import Branch, Leaf, escaped, unescaped

RECORD = "record"
"""What the type of a record is called among a branch's attributes."""
ENCODING = "encoding"
ENTRY_TYPES = {int: np.int64, float: np.float64, bool: np.bool_, str: object}
"""Kind of scalar to type of the array that holds a tuple of them."""


def tree_of(record: object) -> Branch:
    """A record as a tree.

    Raises
    ------
    TypeError
        If a field holds something that files cannot hold; a defect of the record.
    """
    kind: Any = type(record)  # Any: any dataclass
    hints = hints_of(kind)
    children: dict[str, Leaf | Branch] = {}
    for field in dataclasses.fields(kind):
        value = getattr(record, field.name)
        if value is None:
            continue
        try:
            children[field.name] = _node(value, hints[field.name], field)
        except TypeError as error:
            raise TypeError(f"{type(record).__name__}.{field.name}: {error}") from error
    return Branch(children=children, attributes={RECORD: kind.__name__})


def _node(value: Any, hint: Any, field: dataclasses.Field[Any]) -> Leaf | Branch:  # Any: a field
    unit = {"units": field.metadata["unit"]} if "unit" in field.metadata else {}
    if "axes" in field.metadata:
        if isinstance(value, ArraySource) and not isinstance(value, np.ndarray):
            return Leaf(values=value, axes=field.metadata["axes"], attributes=unit)
        return array_leaf(np.asarray(value), axes=field.metadata["axes"], attributes=unit)
    if "table" in field.metadata:
        return table_branch(value, axis=field.metadata["table"])
    if "ragged" in field.metadata:
        outer, inner = field.metadata["ragged"]
        return _ragged_branch(value, hint, axes=(outer, inner), attributes=unit)
    return _plain_node(value, hint, name=field.name)


def _plain_node(value: Any, hint: Any, *, name: str) -> Leaf | Branch:  # Any: a value, its hint
    """The node of a value that was not declared with axes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tree_of(value)
    if isinstance(value, pd.DataFrame):
        return table_branch(value, axis="row")
    if isinstance(value, np.ndarray):
        # The sign keeps names of axes apart from those of other fields and keys.
        return array_leaf(value, axes=tuple(f"{name}%{index}" for index in range(value.ndim)))
    if isinstance(value, tuple) and _all_records(hint):
        children = {f"{i:06d}": tree_of(item) for i, item in enumerate(value)}
        return Branch(children=children)
    if isinstance(value, tuple) and (kind := _scalar_kind(value, hint)) is not None:
        return array_leaf(np.array(value, dtype=ENTRY_TYPES[kind]), axes=(name,))
    if isinstance(value, Mapping) and _is_tree_value(value_hint(hint)):
        inner = value_hint(hint)
        return Branch(
            children={
                (node := escaped(key)): _plain_node(entry, inner, name=node)
                for key, entry in value.items()
            }
        )
    if isinstance(value, Mapping | tuple | list):
        text = json.dumps(encode(value, hint), sort_keys=True, ensure_ascii=False, allow_nan=False)
        return array_leaf(np.array(encodable(text)), attributes={ENCODING: "json"})
    if isinstance(value, str):
        return array_leaf(np.array(value, dtype=object))
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return array_leaf(np.array(value))
    raise TypeError(f"{with_article(type(value).__name__)} cannot be stored")


def _all_records(hint: Any) -> bool:  # Any: an annotation
    """Whether the items of a tuple are records."""
    return all(is_record_type(member) for member in alternatives(item_hint(hint, 0)))


def _scalar_kind(value: tuple[Any, ...], hint: Any) -> type | None:  # Any: an annotation
    """The one type of scalar in a tuple that is declared so; none for mixed ones."""
    members = [
        get_args(member)[:-1] if get_args(member)[-1] is Ellipsis else get_args(member)
        for member in alternatives(hint)
        if get_origin(member) is tuple and get_args(member)
    ]
    kinds = {kind for items in members for kind in items}
    kind = kinds.pop() if len(kinds) == 1 else None
    fits = kind in ENTRY_TYPES and all(type(entry) is kind for entry in value)
    return kind if fits else None


def _is_tree_value(hint: Any) -> bool:  # Any: an annotation
    """Whether values of a mapping are arrays, tables or records, and not plain settings."""
    return all(
        is_record_type(member) or member is pd.DataFrame or get_origin(member) is np.ndarray
        for member in alternatives(hint)
    )


def _ragged_branch(
    values: Sequence[NDArray[Any]],
    hint: Any,  # Any: an annotation
    *,
    axes: tuple[str, str],
    attributes: Mapping[str, str],
) -> Branch:
    outer, inner = axes
    lengths = [len(item) for item in values]
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    joined = np.concatenate(values) if len(values) else np.empty(0, dtype=_entry_type(hint))
    trailing = tuple(f"{inner}_{index}" for index in range(1, joined.ndim))
    return Branch(
        children={
            "values": array_leaf(joined, axes=(inner, *trailing), attributes=attributes),
            "starts": array_leaf(starts, axes=(f"{outer}_edge",)),
        }
    )


def _entry_type(hint: Any) -> np.dtype[Any]:  # Any: an annotation
    """Type of the entries of the arrays in ``tuple[NDArray[...], ...]``."""
    for member in alternatives(item_hint(hint, 0)):
        if get_origin(member) is np.ndarray:
            entry: np.dtype[Any] = np.dtype(get_args(get_args(member)[1])[0])
            return entry
    return np.dtype(np.float64)


def record_of(branch: Branch, kinds: Sequence[type]) -> Any:  # Any: one of the kinds
    """The record that a tree holds.

    Raises
    ------
    ValueError
        If it holds another type than those asked, or not the fields of this version.
    """
    known = {kind.__name__: kind for kind in kinds}
    name = branch.attributes.get(RECORD, "table or group without a type")
    if name not in known:
        raise ValueError(f"it holds {with_article(name)}, expected {' or '.join(sorted(known))}")
    kind = known[name]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(branch.children) - set(fields))
    if unknown:
        raise ValueError(f"its {name} has the unknown fields {', '.join(unknown)}")
    hints = hints_of(kind)
    entries = {
        key: _value(branch.children[key], hints[key], field) if key in branch.children else None
        for key, field in fields.items()
        if key in branch.children or field.default is None or type(None) in get_args(hints[key])
    }
    missing = sorted(set(fields) - set(entries))
    if missing:
        raise ValueError(f"its {name} lacks the fields {', '.join(missing)}")
    return kind(**entries)


def _value(node: Leaf | Branch, hint: Any, field: dataclasses.Field[Any]) -> Any:  # Any: a field
    if "ragged" in field.metadata and isinstance(node, Branch):
        values, starts = (array_of(_leaf(node, name)) for name in ("values", "starts"))
        pieces = (values[start:stop] for start, stop in itertools.pairwise(starts))
        return tuple(pieces) if expects_tuple(hint) else list(pieces)
    return _plain_value(node, hint)


def _leaf(branch: Branch, name: str) -> Leaf:
    node = branch.children.get(name)
    if not isinstance(node, Leaf):
        raise ValueError(f"'{name}' is not an array")
    return node


def _plain_value(node: Leaf | Branch, hint: Any) -> Any:  # Any: an annotation, any value
    members = alternatives(hint)
    if isinstance(node, Branch):
        if pd.DataFrame in members and RECORD not in node.attributes:
            return table_of(node)
        if expects_tuple(hint):
            ordered = sorted(node.children.items())
            return tuple(
                _plain_value(child, item_hint(hint, i)) for i, (_, child) in enumerate(ordered)
            )
        if RECORD in node.attributes or any(is_record_type(member) for member in members):
            return record_of(node, [member for member in members if is_record_type(member)])
        inner = value_hint(hint)
        return {unescaped(key): _plain_value(child, inner) for key, child in node.children.items()}
    if node.attributes.get(ENCODING) == "json":
        return decode(json.loads(entries_of(node).item()), hint)
    if node.is_source and ArraySource in members:
        return node.values  # noqa: PD011  not of pandas
    values = entries_of(node)
    if expects_tuple(hint):
        return tuple(values.tolist())
    if values.ndim == 0 and any(is_scalar_type(member) for member in members):
        return values.item()
    if not any(get_origin(member) is np.ndarray or member is ArraySource for member in members):
        raise ValueError(f"an array of shape {values.shape} stands where {hint} should be")
    return array_of(node)
