"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.io.atomic import check_room, remove_leftovers, replacing


def test_the_file_appears_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "result.txt"

    with replacing(path, suffix=".svg") as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent
        assert temporary.suffix == ".svg"
        assert not path.exists()

    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_alone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "result.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"

    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "raise the quota"),
        (errno.EACCES, "make .* writable, or choose another folder"),
        (errno.EROFS, "setting 'out'"),
        (errno.EIO, "check the disk"),
    ],
)
def test_what_the_system_refuses_becomes_advice(tmp_path: Path, number: int, advice: str) -> None:
    path = tmp_path / "result.txt"

    with (
        pytest.raises(EnvironmentFault, match=rf"RN-R26.*result\.txt.*{advice}") as caught,
        replacing(path),
    ):
        raise OSError(number, os.strerror(number))

    assert os.strerror(number) in caught.value.found
    assert caught.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(EnvironmentFault, match="RN-R26"), replacing(tmp_path / "file" / "a.txt"):
        pass


def test_an_error_about_another_file_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "result.txt"):
        (tmp_path / "input.txt").read_text()

    assert list(tmp_path.iterdir()) == []


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    with replacing(tmp_path / "result.txt"):
        pass
    (tmp_path / "plain.txt").touch()

    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_the_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.txt"
    seen: list[tuple[bool, bool]] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").readlink()
        seen.append((target.is_dir(), path.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    with replacing(path) as temporary:
        temporary.write_text("x")

    assert seen == [(False, False), (True, True)]


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    mine = [tmp_path / f".a[1].h5.{number}.tmp{suffix}" for number, suffix in ((1, ""), (2, ".h5"))]
    others = [tmp_path / name for name in ("a[1].h5", ".a1.h5.3.tmp", ".b.h5.4.tmp", ".a[1].h5")]
    for path in (*mine, *others):
        path.write_text("x")
    remove_leftovers(tmp_path / "a[1].h5")
    assert sorted(tmp_path.iterdir()) == sorted(others)
    remove_leftovers(tmp_path / "no folder" / "a.h5")


@pytest.mark.parametrize("opened", ["before", "after"])
def test_a_late_writer_whose_temporary_was_removed_fails_and_leaves_the_new_file(tmp_path, opened):
    path = tmp_path / "result.txt"

    def write_late():
        with replacing(path) as temporary:
            late = temporary.open("w") if opened == "before" else None
            # Another attempt, which takes the first for dead.
            remove_leftovers(path)
            with replacing(path) as other:
                other.write_text("new")
            with late or temporary.open("w") as file:
                file.write("late")

    with pytest.raises(EnvironmentFault, match="RN-R26"):
        write_late()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def disk_with(free: int, total: int = 10**9) -> object:
    return lambda folder: SimpleNamespace(total=total, used=total - free, free=free)


def test_what_will_not_fit_is_refused_before_it_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "result.txt"
    monkeypatch.setattr("shutil.disk_usage", disk_with(free=3_000_000))
    check_room(path, least_bytes=3e6)
    with pytest.raises(EnvironmentFault, match=r"RN-R26.*result\.txt.*Fix: free space") as caught:
        check_room(path, least_bytes=4e6)

    assert "at least 4 MB are to be written, and 3 MB are free" in caught.value.found
    assert caught.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_does_not_tell_its_size_is_not_taken_to_be_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", disk_with(free=0, total=0))
    check_room(tmp_path / "result.txt", least_bytes=1.0)
