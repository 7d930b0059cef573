"""A checksum at the end of a file, looked at before anything else in it is believed.

HDF5 protects its structure by checksums, but not the heaps in which it keeps text and references;
one changed bit there can keep the library in an endless loop. Bytes behind the end that HDF5
knows of do not disturb its readers.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

MARK = b"\nneuroptych sha256 "
SEAL_BYTES = len(MARK) + 64
BLOCK_BYTES = 8 * 2**20


def seal(path: Path) -> None:
    """Append the checksum of all that is in the file."""
    checksum = _checksum(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(MARK + checksum)


def is_whole(path: Path) -> bool:
    """Whether the file ends in the checksum of what stands before it."""
    size = path.stat().st_size - SEAL_BYTES
    if size < 0:
        return False
    with path.open("rb") as file:
        file.seek(size)
        return file.read() == MARK + _checksum(path, size)


def _checksum(path: Path, size: int) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest().encode("ascii")
