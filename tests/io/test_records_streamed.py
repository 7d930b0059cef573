"""Fields too large for the memory go into records and come out of them piece by piece."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording, in_memory
from pipeline.io import chunks as packing
from pipeline.io import hdf5_trees, records, tree_writer
from pipeline.io.records import open_record, read_digest, read_record, write_record
from tests.core.test_arrays import Chunked
from tests.support.records import assert_same, calcium, spikes

LAYOUTS = [(100, 40), (5000, 1), (1, 40), (730, 7)]
"""Chunks of 5000 samples of 40 units: stretches, whole traces, frames, and neither."""


def in_chunks(recording: Recording, chunks: tuple[int, ...]) -> Recording:
    activity = recording.activity
    movie = recording.stimuli["movie ä"]
    return replace(
        recording,
        activity=replace(
            activity,
            values=Chunked(activity.values, chunks),
            valid=Chunked(activity.valid, chunks),
        ),
        stimuli={
            **recording.stimuli,
            "movie ä": replace(movie, values=Chunked(movie.values, (1, 4, 3))),
        },
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks and chunks so small that a small array has many."""
    monkeypatch.setattr(tree_writer, "BLOCK_BYTES", 40_000)
    monkeypatch.setattr(tree_writer, "CHUNK_ENTRIES", 2_000)
    monkeypatch.setattr(tree_writer, "STRETCH_ENTRIES", 10_000)
    monkeypatch.setattr(tree_writer, "LONGEST_CHUNK", 1_000)
    monkeypatch.setattr(records, "IN_MEMORY_BYTES", 40_000)


@pytest.mark.parametrize("chunks", LAYOUTS)
def test_a_streamed_recording_is_the_same_as_one_from_memory(tmp_path, chunks):
    recording = calcium(5000, 40)
    streamed = in_chunks(recording, chunks)
    write_record(tmp_path / "memory.h5", recording)
    write_record(tmp_path / "streamed.h5", streamed)

    assert read_digest(tmp_path / "streamed.h5") == read_digest(tmp_path / "memory.h5")
    assert_same(read_record(tmp_path / "streamed.h5", Recording), recording)
    with h5py.File(tmp_path / "streamed.h5") as file:
        assert file["activity/values"].chunks == file["activity/valid"].chunks == (250, 8)


@pytest.mark.parametrize("chunks", LAYOUTS)
def test_each_chunk_of_a_source_is_read_once(tmp_path, chunks):
    streamed = in_chunks(calcium(5000, 40), chunks)
    write_record(tmp_path / "r.h5", streamed)

    for source in (streamed.activity.values, streamed.activity.valid):
        count = np.zeros(source.shape, dtype=int)
        for key in source.keys:
            count[key] += 1
            for part, size, whole in zip(key, chunks, source.shape, strict=True):
                assert part.start % size == 0
                assert part.stop % size == 0 or part.stop == whole
        assert (count == 1).all()
    assert streamed.activity.values.keys == streamed.activity.valid.keys


def test_the_same_sources_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_record(tmp_path / name, in_chunks(calcium(5000, 40), (730, 7)))

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("chunks", "threads"), [*((layout, 2) for layout in LAYOUTS), (LAYOUTS[0], 1), (LAYOUTS[0], 7)]
)
def test_our_threads_store_what_the_library_stores(tmp_path, monkeypatch, chunks, threads):
    monkeypatch.setattr(tree_writer, "FAST_FROM_BYTES", tree_writer.CHUNKED_FROM_BYTES)
    monkeypatch.setattr(packing, "LEAST_BYTES", 1)
    monkeypatch.setattr(packing, "THREADS", threads)
    written = []
    for recording in (in_chunks(calcium(5000, 40), chunks), calcium(5000, 40)):
        monkeypatch.setattr(tree_writer, "can_write_in_threads", packing.can_write_in_threads)
        monkeypatch.setattr(hdf5_trees, "read_in_threads", packing.read_in_threads)
        ours, again, theirs = (tmp_path / name for name in ("ours", "again", "theirs"))
        write_record(ours, recording)
        monkeypatch.setattr(packing, "THREADS", 1)
        write_record(again, recording)
        with open_record(ours, Recording) as found:
            assert_same(in_memory(found), in_memory(recording))
        monkeypatch.setattr(tree_writer, "can_write_in_threads", lambda dataset: False)
        monkeypatch.setattr(hdf5_trees, "read_in_threads", lambda dataset, key: None)
        write_record(theirs, recording)

        assert ours.read_bytes() == again.read_bytes()
        assert read_digest(ours) == read_digest(theirs)
        assert_same(read_record(ours, Recording), read_record(theirs, Recording))
        assert ours.stat().st_size == theirs.stat().st_size
        written.append(ours.stat().st_size)
    assert min(written) > tree_writer.CHUNKED_FROM_BYTES


def test_large_arrays_are_packed_by_our_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(tree_writer, "FAST_FROM_BYTES", tree_writer.CHUNKED_FROM_BYTES)
    rows = []

    def counted(dataset, written, *, first):
        rows.append((dataset.name, first, first + len(written)))
        packing.write_in_threads(dataset, written, first=first)

    monkeypatch.setattr(tree_writer, "write_in_threads", counted)
    write_record(tmp_path / "r.h5", in_chunks(calcium(5000, 40), (100, 40)))
    own = [stretch[1:] for stretch in rows if stretch[0] == "/activity/values"]
    assert own == [(first, first + 250) for first in range(0, 5000, 250)]


def test_what_is_known_only_after_reading_is_added_before_storing(tmp_path):
    recording = calcium(5000, 40)

    def finish(copied):
        assert copied.activity.values.shape == (5000, 40)
        assert not isinstance(copied.activity.values, np.ndarray)
        np.testing.assert_array_equal(
            copied.activity.values[10:20], recording.activity.values[10:20]
        )
        about = replace(copied.about, subject=f"mean {copied.activity.valid[:].mean():.3f}")
        return replace(copied, about=about)

    written = write_record(tmp_path / "r.h5", in_chunks(recording, (100, 40)), finish=finish)

    found = read_record(tmp_path / "r.h5", Recording)
    assert found.about.subject == written.about.subject
    assert found.about.subject == f"mean {recording.activity.valid.mean():.3f}"
    assert_same(found.activity, recording.activity)


@pytest.mark.parametrize("chunks", LAYOUTS)
def test_a_large_record_is_opened_without_being_read(tmp_path, chunks):
    recording = calcium(5000, 40)
    write_record(tmp_path / "r.h5", in_chunks(recording, chunks))

    with open_record(tmp_path / "r.h5", Recording, Outcome) as found:
        assert not isinstance(found.activity.values, np.ndarray)
        assert isinstance(found.stimuli["movie ä"].values, np.ndarray)  # small
        stretches = list(found.activity.stretches(max_bytes=40_000))
        assert len(stretches) == 20
        joined = np.concatenate([values for _, values, _ in stretches])
        np.testing.assert_array_equal(joined, recording.activity.values)
        wanted = np.array([39, 3, 17])
        for places, values, valid in found.activity.traces(wanted, max_bytes=200_000):
            columns = wanted[places]
            np.testing.assert_array_equal(values, recording.activity.values[:, columns])
            np.testing.assert_array_equal(valid, recording.activity.valid[:, columns])
        assert_same(in_memory(found), recording)


def test_a_record_without_large_fields_is_opened_as_it_is_read(tmp_path):
    write_record(tmp_path / "r.h5", spikes())

    with open_record(tmp_path / "r.h5", Recording) as found:
        assert_same(found, spikes())


def test_a_damaged_record_is_not_opened(tmp_path):
    path = tmp_path / "r.h5"
    write_record(path, calcium(5000, 40))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*checksum"), open_record(path, Recording):
        pass


def test_another_kind_of_record_is_not_opened(tmp_path):
    write_record(tmp_path / "r.h5", Outcome(status="failed", reason="x"))

    with (
        pytest.raises(DataError, match=r"RN-R11.*holds an Outcome"),
        open_record(tmp_path / "r.h5", Recording),
    ):
        pass


def test_an_error_inside_the_block_passes_unchanged(tmp_path):
    write_record(tmp_path / "r.h5", spikes())

    with pytest.raises(KeyError, match="mine"), open_record(tmp_path / "r.h5", Recording):
        raise KeyError("mine")


class Broken(Chunked):
    """A source whose file turns out to be damaged on the way."""

    def __getitem__(self, key):
        if key[0].start >= 2000:
            raise DataError(code="IN-F04", found="damaged", fix="copy the file again")
        return super().__getitem__(key)


def test_a_source_that_fails_leaves_nothing_and_its_own_error(tmp_path):
    recording = calcium(5000, 40)
    activity = replace(recording.activity, values=Broken(recording.activity.values, (100, 40)))

    with pytest.raises(DataError, match="IN-F04"):
        write_record(tmp_path / "r.h5", replace(recording, activity=activity))
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_finishing_leaves_nothing_and_passes_unchanged(tmp_path):
    def finish(copied):
        raise OSError("of another file")

    with pytest.raises(OSError, match="of another file"):
        write_record(tmp_path / "r.h5", in_chunks(calcium(5000, 40), (100, 40)), finish=finish)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chunks", [(100, 40), (5000, 1)])
def test_a_disk_that_changes_what_was_streamed_is_noticed(tmp_path, monkeypatch, chunks):
    compare = tree_writer.TreeWriter.compared_digest

    def careless(self, path):
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            file["activity/valid"][3, 2] = not file["activity/valid"][3, 2]
        return compare(self, path)

    monkeypatch.setattr(tree_writer.TreeWriter, "compared_digest", careless)

    with pytest.raises(EnvironmentFault, match=r"RN-R26.*reading it again"):
        write_record(tmp_path / "r.h5", in_chunks(calcium(5000, 40), chunks))
    assert list(tmp_path.iterdir()) == []


def test_large_arrays_have_a_fast_codec_and_open_in_xarray(tmp_path, monkeypatch):
    import xarray as xr

    monkeypatch.setattr(tree_writer, "FAST_FROM_BYTES", 500_000)
    recording = calcium(5000, 40)
    write_record(tmp_path / "r.h5", recording)

    with h5py.File(tmp_path / "r.h5") as file:
        assert list(file["activity/values"]._filters) == ["shuffle", "32015"]
        assert file["activity/valid"].compression == "gzip"
    with xr.open_dataset(tmp_path / "r.h5", engine="h5netcdf", group="activity") as activity:
        np.testing.assert_array_equal(activity["values"], recording.activity.values)
    assert_same(read_record(tmp_path / "r.h5", Recording), recording)


@pytest.mark.parametrize("shape", [(7, 3), (100_000, 2), (300, 70_000), (5, 40, 30)])
def test_chunks_are_never_larger_than_the_array_and_bounded(shape):
    chunks = tree_writer._chunks(shape)
    assert all(1 <= chunk <= size for chunk, size in zip(chunks, shape, strict=True))
    if len(shape) == 2:
        assert np.prod(chunks) <= tree_writer.CHUNK_ENTRIES
        assert chunks[0] * shape[1] <= max(tree_writer.STRETCH_ENTRIES, shape[1])


@pytest.mark.parametrize(("rows", "memory"), [(40, 5_000), (5000, 200_000)])
def test_what_the_memory_cannot_hold_is_refused_before_it_is_read(
    tmp_path, monkeypatch, rows, memory
):
    path = tmp_path / "a.h5"
    write_record(path, calcium(rows, 40))
    monkeypatch.setattr("pipeline.core.arrays.memory_bytes", lambda: memory)
    with pytest.raises(EnvironmentFault) as caught:
        read_record(path, Recording)
    assert caught.value.code == "RN-R03"
    assert f"an array of {rows} x 40 entries" in caught.value.found
