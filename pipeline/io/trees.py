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
from isal import isal_zlib
from numpy.typing import NDArray

from pipeline.core.arrays import ArraySource, blocks
from pipeline.io.ahead import ahead

BLOCK_BYTES = 16 * 2**20
UNSAFE = re.compile(r"[%/\x00\ud800-\udfff]|^\.{1,2}$|^$")
"""What HDF5 does not allow in names, and the sign that marks its escapes."""
ESCAPED = re.compile(r"%([0-9A-F]*);")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaf:
    """An array with the names of its axes; text is an object array of ``str``."""

    values: NDArray[Any] | ArraySource
    """An array in memory, or an :class:`ArraySource` that is read piece by piece."""
    axes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_source(self) -> bool:
        """Whether the values are not in memory and are to be read piece by piece."""
        return not isinstance(self.values, np.ndarray)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """Leaves and branches by name."""

    children: Mapping[str, Leaf | Branch]
    attributes: Mapping[str, str] = field(default_factory=dict)

    def leaf(self, path: str) -> Leaf:
        """The leaf at a path such as ``/activity/values``.

        Raises
        ------
        KeyError
            If none is there.
        """
        node: Leaf | Branch = self
        for name in path.strip("/").split("/"):
            node = node.children[name] if isinstance(node, Branch) else _no_leaf(path)
        return node if isinstance(node, Leaf) else _no_leaf(path)


def _no_leaf(path: str) -> Leaf:
    raise KeyError(path)


def content_digest(tree: Branch) -> str:
    """SHA-256 over names, shapes, types, entries and attributes; names of axes do not count.

    The same for equal content, whatever the order in which it was put together.
    """
    return digest_and_checks(tree)[0]


def digest_and_checks(tree: Branch) -> tuple[str, dict[str, int]]:
    """The digest of a tree, and for each leaf by its path the CRC-32 of its entries."""
    digest, checks = hashlib.sha256(), dict[str, int]()
    _feed(digest, tree, path="", checks=checks)
    return digest.hexdigest(), checks


# Any below: hashlib's objects have no public type.
def _feed(digest: Any, node: Leaf | Branch, *, path: str, checks: dict[str, int]) -> None:
    if isinstance(node, Branch):
        names = sorted(node.children)
        _feed_text(digest, json.dumps(["branch", sorted(node.attributes.items()), names]))
        for name in names:
            _feed(digest, node.children[name], path=f"{path}/{name}", checks=checks)
        return
    values = node.values
    kind = "text" if values.dtype == object else values.dtype.str
    _feed_text(
        digest, json.dumps(["leaf", sorted(node.attributes.items()), kind, list(values.shape)])
    )
    check = 0
    for block in _rows(values):
        raw = raw_entries(block)
        digest.update(raw)
        check = isal_zlib.crc32(raw, check)
    checks[path] = check


def raw_entries(block: NDArray[Any]) -> memoryview | bytes:
    """The bytes of numbers in order of their axes; of text in UTF-8, each with its length."""
    if block.dtype != object:
        return np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
    return b"".join(_text_bytes(text) for text in block.ravel())


def _feed_text(digest: Any, text: str) -> None:
    digest.update(_text_bytes(text))


def _text_bytes(text: str) -> bytes:
    raw = text.encode("utf-8", errors="surrogatepass")
    return len(raw).to_bytes(8, "little") + raw


def _rows(values: ArraySource) -> Iterator[NDArray[Any]]:
    """The array in stretches along its first axis, so that a file need not fit in memory."""
    if isinstance(values, np.ndarray):
        yield values
    else:
        yield from ahead(block for _, block in blocks(values, max_bytes=BLOCK_BYTES))


def escaped(key: str) -> str:
    """A key of a mapping as a name that HDF5 allows; different keys have different names."""
    return UNSAFE.sub(lambda match: "".join(f"%{ord(c):X};" for c in match[0]) or "%;", key)


def unescaped(name: str) -> str:
    """The key that :func:`escaped` was given."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "", name)
