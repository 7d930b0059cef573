"""Digests of files and of the package's text."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

import pipeline
from pipeline.io import hashing
from pipeline.io.hashing import code_digest, remembered_sha256, sha256_of


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


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were read for their checksum, in turn."""
    files: list[Path] = []

    def noted(path: Path) -> str:
        files.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(hashing, "sha256_of", noted)
    return files


def aged(path: Path, content: bytes, *, days: float = 1) -> Path:
    path.write_bytes(content)
    when = path.stat().st_mtime - 86_400 * days
    os.utime(path, (when, when))
    return path


def test_a_file_that_stays_as_it_is_is_read_once(tmp_path: Path, read: list[Path]) -> None:
    path = aged(tmp_path / "a.nwb", b"one")
    (tmp_path / "link.nwb").symlink_to(path)
    expected = hashlib.sha256(b"one").hexdigest()
    memory = tmp_path / "memory"

    assert remembered_sha256(path, memory) == expected
    assert remembered_sha256(path, memory) == expected
    assert remembered_sha256(tmp_path / "link.nwb", memory) == expected
    assert read == [path]


@pytest.mark.parametrize("days", [1, 2])
def test_other_bytes_are_read_again_also_of_the_same_length(
    tmp_path: Path, read: list[Path], days: float
) -> None:
    path = aged(tmp_path / "a.nwb", b"one")
    remembered_sha256(path, tmp_path / "memory")
    aged(tmp_path / "other", b"two", days=days).replace(path)

    found = remembered_sha256(path, tmp_path / "memory")

    assert found == hashlib.sha256(b"two").hexdigest()
    assert len(read) == 2


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "a.nwb"
    path.write_bytes(b"one")
    for _ in range(2):
        remembered_sha256(path, tmp_path / "memory")
    assert len(read) == 2
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"state": 1}', '{"state": STATE, "sha256": 3}', '{"sha256": "0"}']
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, read: list[Path], text: str) -> None:
    path = aged(tmp_path / "a.nwb", b"one")
    memory = tmp_path / "memory"
    remembered_sha256(path, memory)
    (note,) = memory.iterdir()
    state = json.dumps(json.loads(note.read_text())["state"])
    note.write_text(text.replace("STATE", state))

    assert remembered_sha256(path, memory) == hashlib.sha256(b"one").hexdigest()
    assert len(read) == 2


def test_where_nothing_can_be_written_nothing_is_remembered(
    tmp_path: Path, read: list[Path]
) -> None:
    path = aged(tmp_path / "a.nwb", b"one")
    (tmp_path / "memory").write_text("a file where the folder should be")
    for _ in range(2):
        assert remembered_sha256(path, tmp_path / "memory") == hashlib.sha256(b"one").hexdigest()
    assert len(read) == 2


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
