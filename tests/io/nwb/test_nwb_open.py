import errno
import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.core.errors import EnvironmentFault, PipelineError
from pipeline.core.rng import stream
from pipeline.io.nwb.open import open_nwb
from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    edited,
    imaging_file,
    new_session,
    read,
    refusal_of,
    save,
    texts,
)


@pytest.fixture
def recording_file(tmp_path):
    return imaging_file(tmp_path / "day1.nwb")


def test_a_missing_file_is_refused_with_the_nearest_name(recording_file):
    error = refusal_of(recording_file.with_name("day.nwb"))
    assert error.code == "IN-F01"
    assert "day1.nwb" in error.found


def test_a_missing_folder_is_named(tmp_path):
    error = refusal_of(tmp_path / "nowhere" / "day1.nwb")
    assert error.code == "IN-F01"
    assert "nowhere" in error.found


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "day1.nwb"
    path.touch()
    assert refusal_of(path).code == "IN-F02"


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_a_truncated_file_is_refused_with_both_sizes(recording_file, kept):
    size = recording_file.stat().st_size
    os.truncate(recording_file, int(size * kept))
    error = refusal_of(recording_file)
    assert error.code == "IN-F03"
    assert f"{int(size * kept)} of {size} bytes" in error.found


def test_damage_inside_compressed_samples_is_found_and_named(tmp_path):
    rng = np.random.default_rng(0)
    path = imaging_file(tmp_path / "day1.nwb", rng.normal(size=(40, N_CELLS)), compressed=True)
    with h5py.File(path) as file:
        chunk = file[f"{DFF}/data"].id.get_chunk_info(0)
    with path.open("r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(bytes(chunk.size))
    error = refusal_of(path)
    assert error.code == "IN-F04"
    assert error.place == f"{DFF}/data"


def test_damage_to_the_structure_is_refused(recording_file):
    size = recording_file.stat().st_size
    with recording_file.open("r+b") as stream:
        stream.seek(8)
        stream.write(b"\xff" * 40)
    assert recording_file.stat().st_size == size
    assert refusal_of(recording_file).code == "IN-F04"


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (b"time,cell\n0.0,0.1\n", "a text file"),
        ("Zeit,Größe\n".encode() * 500, "a text file"),
        (b"<!DOCTYPE html><html>sign in</html>", "an HTML page"),
        (gzip.compress(b"recording", mtime=0), "a gzip archive"),
        (b"PK\x03\x04" + bytes(range(200)), "a zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s10--0.nwb\n", "a git-annex pointer"),
        (bytes(5000), "a block of zeros"),
        (b"\x00\xfe\x93" * 100, "another binary format"),
    ],
)
def test_what_is_no_hdf5_file_is_refused_by_what_it_looks_like(tmp_path, content, looks):
    path = tmp_path / "day1.nwb"
    path.write_bytes(content)
    error = refusal_of(path)
    assert error.code == "IN-F05"
    assert looks in error.found


def test_a_user_block_before_the_signature_is_no_fault(recording_file):
    moved = recording_file.with_name("moved.nwb")
    with h5py.File(recording_file) as file, h5py.File(moved, "w", userblock_size=1024) as to:
        for name in file:
            file.copy(name, to)
        to.attrs["nwb_version"] = file.attrs["nwb_version"]
    with open_nwb(moved) as file:
        assert "processing" in file


@pytest.mark.parametrize("zarr", [True, False])
def test_a_folder_is_refused(tmp_path, zarr):
    path = tmp_path / "day1.nwb"
    path.mkdir()
    if zarr:
        (path / ".zgroup").write_text("{}")
    error = refusal_of(path)
    assert error.code == "IN-F06"
    assert ("Zarr" in error.found) == zarr


def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    path = tmp_path / "day1.nwb"
    os.mkfifo(path)
    began = time.monotonic()
    error = refusal_of(path)
    assert error.code == "IN-F07"
    assert "pipe" in error.found
    assert time.monotonic() - began < 2


def test_a_circle_of_links_in_the_file_system_is_refused(tmp_path):
    first, second = tmp_path / "a.nwb", tmp_path / "b.nwb"
    first.symlink_to(second)
    second.symlink_to(first)
    assert refusal_of(first).code == "IN-F07"


def test_a_file_that_may_not_be_read_is_a_fault_of_the_environment(recording_file, monkeypatch):
    monkeypatch.setattr("pipeline.io.nwb.files.os.access", lambda *_: False)
    error = refusal_of(recording_file)
    assert error.code == "IN-F08"
    assert isinstance(error, EnvironmentFault)
    assert "-rw" in error.found


def test_hdf5_without_a_version_is_refused_with_what_it_holds(tmp_path):
    path = tmp_path / "day1.nwb"
    with h5py.File(path, "w") as file:
        file["traces"] = np.zeros(3)
    error = refusal_of(path)
    assert error.code == "IN-F09"
    assert "traces" in error.found


@pytest.mark.parametrize("as_dataset", [True, False])
def test_versions_before_2_are_refused(tmp_path, as_dataset):
    path = tmp_path / "day1.nwb"
    with h5py.File(path, "w") as file:
        if as_dataset:
            file["nwb_version"] = "NWB-1.0.6"
        else:
            file.attrs["nwb_version"] = "1.0.6"
    error = refusal_of(path)
    assert error.code == "IN-F10"
    assert "1.0.6" in error.found


def test_a_newer_version_is_read_with_a_warning(recording_file):
    with edited(recording_file) as file:
        file.attrs["nwb_version"] = "99.0.0"
    recording, notes = read(recording_file)
    assert recording.activity.n_units == N_CELLS
    assert "99.0.0" in texts(notes, "warn")
    assert "IN-F11" in texts(notes, "warn")


def test_a_file_its_writer_left_open_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "day1.nwb"
    code = (
        "import os, sys, h5py\n"
        "file = h5py.File(sys.argv[1], 'w', libver='latest')\n"
        "file.attrs['nwb_version'] = '2.7.0'\n"
        "file.swmr_mode = True\n"
        "file.flush()\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    error = refusal_of(path)
    assert error.code == "IN-F23"
    assert "h5clear" in error.fix


def test_a_file_that_is_being_written_is_a_fault_of_the_environment(recording_file, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    code = (
        "import sys, h5py\n"
        "file = h5py.File(sys.argv[1], 'r+')\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(recording_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout.readline() == b"open\n"
        error = refusal_of(recording_file)
        writer.stdin.close()
    assert error.code == "IN-F24"
    assert isinstance(error, EnvironmentFault)
    assert waited == [10.0, 10.0, 10.0]


def test_a_file_that_is_let_go_in_time_is_read(recording_file, monkeypatch):
    real = h5py.File.__init__
    refusals = ["unable to lock file, errno = 11"] * 2

    def busy(self, name, *arguments, **options):
        if isinstance(name, Path) and refusals:
            raise BlockingIOError(errno.EAGAIN, refusals.pop())
        real(self, name, *arguments, **options)

    monkeypatch.setattr(h5py.File, "__init__", busy)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert read(recording_file)[0].activity.n_units == 4


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, 524])
def test_a_file_system_without_locks_is_read_with_a_warning(recording_file, monkeypatch, number):
    real = h5py.File.__init__

    def without_locks(self, name, *arguments, **options):
        if isinstance(name, Path) and options.get("locking") is not False:
            raise OSError(number, f"unable to lock file, errno = {number}")
        real(self, name, *arguments, **options)

    monkeypatch.setattr(h5py.File, "__init__", without_locks)
    recording, notes = read(recording_file)
    assert recording.activity.n_units == 4
    assert texts(notes, "warn").count("IN-F25") == 1


def test_reading_leaves_the_file_as_it_was(recording_file):
    before = (recording_file.read_bytes(), recording_file.stat().st_mtime_ns)
    read(recording_file)
    assert (recording_file.read_bytes(), recording_file.stat().st_mtime_ns) == before


def test_a_file_without_activity_is_refused_with_what_it_has(tmp_path):
    error = refusal_of(save(new_session(), tmp_path / "day1.nwb"))
    assert error.code == "IN-C01"
    assert "Subject" in error.found


def test_damage_anywhere_is_refused_as_damage_or_does_not_matter(recording_file):
    whole = recording_file.read_bytes()
    rng = stream(0, "damage")
    codes = set()
    for _ in range(30):
        bytes_of = bytearray(whole)
        for start in rng.integers(0, len(whole) - 64, size=20):
            bytes_of[start : start + 32] = rng.bytes(32)
        recording_file.write_bytes(bytes_of)
        try:
            read(recording_file)
        except PipelineError as error:
            codes.add(error.code)
    assert "IN-F04" in codes


def test_a_fault_of_our_own_code_is_not_taken_for_damage(recording_file):
    with pytest.raises(KeyError), open_nwb(recording_file):
        {}["ours"]
