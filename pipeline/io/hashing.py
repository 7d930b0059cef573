"""Digests of recordings and of our own source text."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import pipeline

BLOCK_BYTES = 8 * 2**20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits; read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


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
