"""Trees of named arrays: what lies between records and HDF5 files.

A tree holds everything a file's digest covers. It knows neither records nor HDF5.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 16 * 2**20
UNSAFE = re.compile(r"[%/\x00\ud800-\udfff]|^\.{1,2}$|^$")
"""What HDF5 does not allow in names, and the sign that marks its escapes."""
ESCAPED = re.compile(r"%([0-9A-F]*);")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """An array with the names of its axes; text is an object array of ``str``."""

    values: NDArray[Any]
    """In memory, or a dataset of an open file, which is read by slicing."""
    axes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """Leaves and branches by name."""

    children: Mapping[str, Leaf | Branch]
    attributes: Mapping[str, str] = field(default_factory=dict)


def content_digest(tree: Branch) -> str:
    """SHA-256 over names, shapes, types, entries and attributes; names of axes do not count.

    The same for equal content, whatever the order in which it was put together.
    """
    digest = hashlib.sha256()
    _feed(digest, tree)
    return digest.hexdigest()


def _feed(digest: Any, node: Leaf | Branch) -> None:  # Any: hashlib's objects have no public type
    if isinstance(node, Branch):
        names = sorted(node.children)
        _feed_text(digest, json.dumps(["branch", sorted(node.attributes.items()), names]))
        for name in names:
            _feed(digest, node.children[name])
        return
    values = node.values
    kind = "text" if values.dtype == object else values.dtype.str
    header = ["leaf", sorted(node.attributes.items()), kind, values.shape]
    _feed_text(digest, json.dumps(header))
    if kind == "text":
        for block in _rows(values):
            for text in np.asarray(block, dtype=object).ravel():
                _feed_text(digest, text)
    else:
        for block in _rows(values):
            digest.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


def _feed_text(digest: Any, text: str) -> None:  # Any: as above
    raw = text.encode("utf-8", errors="surrogatepass")
    digest.update(len(raw).to_bytes(8, "little"))
    digest.update(raw)


def _rows(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The array in stretches along its first axis, so that a file need not fit in memory."""
    n_bytes = values.size * values.dtype.itemsize
    if values.ndim == 0 or n_bytes <= BLOCK_BYTES:
        yield values[...]
        return
    step = max(1, BLOCK_BYTES // (n_bytes // values.shape[0]))
    for start in range(0, values.shape[0], step):
        yield values[start : start + step]


def escaped(key: str) -> str:
    """A key of a mapping as a name that HDF5 allows; different keys have different names."""
    return UNSAFE.sub(lambda match: "".join(f"%{ord(c):X};" for c in match[0]) or "%;", key)


def unescaped(name: str) -> str:
    """The key that :func:`escaped` was given."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "", name)
