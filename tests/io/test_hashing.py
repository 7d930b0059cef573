"""Digests of files and of the package's text."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

import pipeline
from pipeline.io import hashing
from pipeline.io.hashing import code_digest, sha256_of


def test_a_file_longer_than_a_block_has_the_digest_of_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "BLOCK_BYTES", 7)
    path = tmp_path / "file"
    path.write_bytes(b"0123456789abcdef")

    assert sha256_of(path) == hashlib.sha256(b"0123456789abcdef").hexdigest()


def test_an_empty_file_has_the_known_digest(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert sha256_of(tmp_path / "file").startswith("e3b0c44298fc1c149afbf4c8996fb924")


def digest_of_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(pipeline, "__file__", str(folder / "__init__.py"))
    code_digest.cache_clear()
    digest = code_digest()
    code_digest.cache_clear()
    return digest


def test_the_code_digest_follows_text_and_names_of_modules_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy = tmp_path / "a", tmp_path / "b"
    (source / "inner").mkdir(parents=True)
    (source / "__init__.py").write_text("x = 1\n")
    (source / "inner" / "module.py").write_text("y = 2\n")
    shutil.copytree(source, copy)
    (copy / "inner" / "module.py").write_bytes(b"y = 2\r\n")
    (copy / "notes.txt").write_text("not code")
    before = digest_of_copy(source, monkeypatch)

    assert digest_of_copy(copy, monkeypatch) == before
    (copy / "inner" / "module.py").write_text("y = 3\n")
    changed = digest_of_copy(copy, monkeypatch)
    (copy / "inner" / "module.py").write_text("y = 2\n")
    (copy / "inner" / "module.py").rename(copy / "inner" / "other.py")
    renamed = digest_of_copy(copy, monkeypatch)
    assert len({before, changed, renamed}) == 3


def test_the_code_digest_is_the_same_within_a_process() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 64
