"""Damaged files are noticed, and failures of writing leave the old file."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.recording import Recording
from pipeline.core.rng import stream
from pipeline.io import records, tree_writer
from pipeline.io.records import array_source, read_digest, read_record, record_type, write_record
from pipeline.io.seals import seal
from tests.support.records import assert_same, calcium, spikes

ROOT = Path(__file__).resolve().parents[2]


def flipped(raw: bytes, index: int, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[index] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("place", ["activity/values", "activity/valid", "units/x_um", "trials/n"])
def test_a_flipped_bit_inside_a_dataset_is_noticed(tmp_path: Path, place: str) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium())
    with h5py.File(path) as file:
        start, size = file[place].id.get_offset(), file[place].id.get_storage_size()
    raw = path.read_bytes()

    for index in stream(1, place).integers(start, start + size, 10).tolist():
        path.write_bytes(flipped(raw, index, index % 8))
        with pytest.raises(EnvironmentFault, match=r"RN-R10.*delete it and rerun"):
            read_record(path, Recording)


def test_a_flipped_bit_in_a_compressed_array_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium(n_samples=20_000))
    with h5py.File(path) as file:
        chunk = file["activity/values"].id.get_chunk_info(0)
    raw = path.read_bytes()

    starts = stream(2).integers(chunk.byte_offset, chunk.byte_offset + chunk.size, 10)
    for index in starts.tolist():
        path.write_bytes(flipped(raw, index, 3))
        with pytest.raises(EnvironmentFault, match=r"RN-R10"):
            read_record(path, Recording)


def test_a_flipped_bit_anywhere_is_refused_or_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    expected = spikes()
    write_record(path, expected)
    raw = path.read_bytes()
    codes = set()

    for index in stream(3).integers(0, len(raw), 250).tolist():
        path.write_bytes(flipped(raw, index, index % 8))
        try:
            found = read_record(path, Recording)
        except (EnvironmentFault, DataError) as error:
            codes.add(error.code)
        else:
            assert_same(found, expected)

    assert "RN-R10" in codes
    assert codes <= {"RN-R10", "RN-R11"}


def test_an_edited_file_is_noticed_even_with_a_new_checksum(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium())
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        file["activity/values"][3, 2] += 1
    with pytest.raises(EnvironmentFault, match=r"RN-R10.*checksum does not match"):
        read_record(path, Recording)
    seal(path)

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*digest does not match"):
        read_record(path, Recording)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_cut_file_is_damaged(tmp_path: Path, size: int) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium())
    path.write_bytes(path.read_bytes()[:size])

    for read in (read_digest, record_type, lambda where: read_record(where, Recording)):
        with pytest.raises(EnvironmentFault, match=r"RN-R10.*cannot be read"):
            read(path)


def test_a_file_cut_in_its_last_bytes_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium())
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*checksum does not match"):
        read_record(path, Recording)


def test_a_source_over_a_damaged_chunk_says_so(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    write_record(path, calcium(n_samples=20_000))
    with h5py.File(path) as file:
        chunk = file["activity/values"].id.get_chunk_info(0)
    raw = path.read_bytes()
    zeros = bytes(chunk.size)
    path.write_bytes(raw[: chunk.byte_offset] + zeros + raw[chunk.byte_offset + chunk.size :])

    with (
        array_source(path, "activity/values") as source,
        pytest.raises(EnvironmentFault, match=r"RN-R10"),
    ):
        source[:10]


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(records, "open_file", denied)

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*denied.*make the file readable"):
        read_record(tmp_path / "record.h5", Recording)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.h5"
    write_record(path, spikes())
    before = path.read_bytes()

    def full(self: tree_writer.TreeWriter, *_: object) -> None:
        raise tree_writer.WriteError from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tree_writer.TreeWriter, "write", full)

    with pytest.raises(EnvironmentFault, match=r"RN-R26.*record\.h5.*No space left.*free space"):
        write_record(path, calcium())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("limit_kb", [8, 64, 900])
def test_a_limit_of_the_system_on_size_ends_in_a_message(tmp_path: Path, limit_kb: int) -> None:
    # The real refusal of the system, in a process of its own, since limits cannot be lifted.
    path = tmp_path / "record.h5"
    write_record(path, spikes())
    before = path.read_bytes()
    code = f"""
        import resource, sys
        from pathlib import Path
        from pipeline.core.errors import EnvironmentFault
        from pipeline.io.records import write_record
        from tests.support.records import calcium

        record = calcium(n_samples=100_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_kb} * 1024,) * 2)
        try:
            write_record(Path({str(path)!r}), record)
        except EnvironmentFault as error:
            print(error)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "RN-R26" in done.stdout
    assert "File too large" in done.stdout
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_changes_what_is_written_is_noticed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = tree_writer.TreeWriter.compared_digest

    def careless(self: tree_writer.TreeWriter, path: Path) -> str:
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            file["activity/times"][0] += 1e-9
        return compare(self, path)

    monkeypatch.setattr(tree_writer.TreeWriter, "compared_digest", careless)

    with pytest.raises(EnvironmentFault, match=r"RN-R26.*reading it again"):
        write_record(tmp_path / "record.h5", spikes())
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_the_old_file_and_no_other_of_its_kind(tmp_path: Path) -> None:
    path = tmp_path / "record.h5"
    write_record(path, spikes())
    before = path.read_bytes()
    code = f"""
        from pathlib import Path
        from pipeline.io.records import write_record
        from tests.support.records import calcium

        record = calcium(n_samples=2_000_000)
        print("ready", flush=True)
        write_record(Path({str(path)!r}), record)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 30
        while sum(file.stat().st_size for file in tmp_path.iterdir()) < len(before) + 10**6:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.glob("*.h5")] == ["record.h5"]
    left = [file for file in tmp_path.iterdir() if file != path]
    assert [file.suffix for file in left] == [".tmp"]
    shutil.copy(left[0], tmp_path / "pretender.h5")
    with pytest.raises((EnvironmentFault, DataError), match=r"RN-R1[01]"):
        read_record(tmp_path / "pretender.h5", Recording)


def test_an_array_of_one_row_larger_than_a_block_is_kept(tmp_path: Path) -> None:
    # Longer than the blocks in which digests are made, and not a multiple of them.
    record = spikes()
    times = np.sort(stream(4).random(2_500_001))
    large = type(record.activity)(
        times=times, starts=np.array([0, times.size]), observed=np.array([[0.0, 1.0]])
    )
    path = tmp_path / "record.h5"
    write_record(path, large)

    assert_same(read_record(path, type(large)), large)
