"""Digests of recordings and of our own source text."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path

import pipeline
from pipeline.core.errors import EnvironmentFault
from pipeline.io.atomic import replacing

BLOCK_BYTES = 8 * 2**20
_SHA256 = re.compile("[0-9a-f]{64}")
SETTLED_NS = 2_000_000_000
"""A file changed less than this before it was read may change again without its time telling."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits; read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def remembered_sha256(path: Path, memory: Path | None) -> str:
    """As :func:`sha256_of`, and not read again while place, size and time of the file are the same.

    Raw movies make a recording's file hundreds of times larger than what is read of it, so that
    its checksum would be most of the work of reading it with other settings.

    Parameters
    ----------
    memory
        Folder of what is remembered, a small file for each file; ``None`` remembers nothing. What
        cannot be written there is not remembered.
    """
    if memory is None:
        return sha256_of(path)
    known = known_sha256(path, memory)
    if known is not None:
        return known
    before = file_state(path)
    began = time.time_ns()
    checksum = sha256_of(path)
    if file_state(path) == before and before[-1] < began - SETTLED_NS:
        with suppress(EnvironmentFault), replacing(_note(path, memory)) as temporary:
            temporary.write_text(
                json.dumps({"state": before, "sha256": checksum}), encoding="utf-8"
            )
    return checksum


def known_sha256(path: Path, memory: Path) -> str | None:
    """What :func:`remembered_sha256` would answer without reading the file; ``None`` if nothing."""
    before = file_state(path)
    with suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads(_note(path, memory).read_text(encoding="utf-8"))
        if told["state"] == before and _SHA256.fullmatch(told["sha256"]):
            return str(told["sha256"])
    return None


def _note(path: Path, memory: Path) -> Path:
    place = os.fspath(path.resolve())
    return memory / f"{hashlib.sha256(os.fsencode(place)).hexdigest()[:32]}.json"


def file_state(path: Path) -> list[int]:
    """What tells that a file is another one or was written to; its time is the last.

    Not the number of its device, which of a network's file system differs from node to node.
    """
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


@functools.cache
def code_digest() -> str:
    """SHA-256 over names and text of the package's modules, computed once a process.

    It changes with any change of the code, and with nothing else: line ends and the place of
    installation do not count.
    """
    root = Path(pipeline.__file__).parent
    digest = hashlib.sha256()
    modules = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    for name in sorted(modules):
        text = modules[name].read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()
