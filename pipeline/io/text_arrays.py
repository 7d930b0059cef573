"""Arrays as leaves of a tree; text, which HDF5 restricts, included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import loaded_whole
from pipeline.io.trees import Leaf

ESCAPED_TEXT = "escaped"
"""Attribute of text that UTF-8 in HDF5 cannot hold: zeros and halves of character pairs."""


def array_leaf(
    values: NDArray[Any],
    *,
    axes: tuple[str, ...] = (),
    attributes: Mapping[str, str] | None = None,
) -> Leaf:
    """An array of numbers, truth values or text as a leaf, in little-endian order.

    Raises
    ------
    TypeError
        If its entries are of another kind.
    """
    known = dict(attributes or {})
    if values.dtype.kind in "biufc":
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        return Leaf(values=little, axes=axes, attributes=known)
    if values.dtype.kind not in "UTO":
        raise TypeError(f"an array of {values.dtype} cannot be stored")
    text = values.astype(object)
    wrong = sorted({type(entry).__name__ for entry in text.ravel() if not isinstance(entry, str)})
    if wrong:
        raise TypeError(f"an array of objects with {', '.join(wrong)} cannot be stored")
    if any(not _storable(entry) for entry in text.ravel()):
        known["text"] = ESCAPED_TEXT
        text = _mapped(text, lambda entry: entry.encode("unicode_escape").decode("ascii"))
    return Leaf(values=_mapped(text, str), axes=axes, attributes=known)


def array_of(leaf: Leaf) -> NDArray[Any]:
    """The array that :func:`array_leaf` was given; text as NumPy's ``str_``."""
    entries = entries_of(leaf)
    return entries.astype(np.str_) if entries.dtype == object else entries


def entries_of(leaf: Leaf) -> NDArray[Any]:
    """As :func:`array_of`, but text as objects: NumPy's own text loses zeros at its end."""
    values = leaf.values if isinstance(leaf.values, np.ndarray) else loaded_whole(leaf.values)
    if leaf.attributes.get("text") == ESCAPED_TEXT:
        return _mapped(values, lambda entry: entry.encode("ascii").decode("unicode_escape"))
    return values


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _mapped(text: NDArray[np.object_], function: Any) -> NDArray[np.object_]:  # Any: str to str
    result = np.empty(text.shape, dtype=object)
    result.ravel()[:] = [function(entry) for entry in text.ravel()]
    return result
