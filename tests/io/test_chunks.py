"""Chunks that our threads unpack and pack: the same numbers, and the same bytes, as of HDF5."""

from __future__ import annotations

import itertools
import zlib

import h5py
import hdf5plugin
import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.io import chunks

SHAPES = {  # shape and chunks
    "one axis": ((1000,), (300,)),
    "edges": ((70, 33), (16, 10)),
    "whole rows": ((70, 33), (16, 33)),
    "one chunk": ((16, 10), (16, 10)),
    "three axes": ((20, 9, 7), (6, 4, 7)),
}
CODECS = {
    "shuffle": {"shuffle": True},
    "deflate": {"compression": "gzip"},
    "shuffle deflate": {"compression": "gzip", "shuffle": True},
    "zstd": dict(hdf5plugin.Zstd(clevel=1)),
    "shuffle zstd": {"shuffle": True, **hdf5plugin.Zstd(clevel=3)},
}
KINDS = ["<f4", ">f4", "<f8", ">f8", "<f2", "|i1", ">i2", "<u4", "<i8", "|b1"]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(chunks, "LEAST_BYTES", 1)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        yield opened


def numbers(shape, kind):
    entries = stream(1, "chunks").normal(size=shape) * 50
    return (entries > 0) if kind == "|b1" else entries.astype(kind)


def rectangles(shape):
    """All, rows that begin and end inside chunks, a corner, single entries."""
    yield ()
    yield (slice(shape[0] // 3, shape[0] - 1),)
    yield tuple(slice(size // 4, size - size // 5) for size in shape)
    yield tuple(slice(size - 1, size) for size in shape)
    yield tuple(slice(-3, None) for size in shape)


@pytest.mark.parametrize(
    ("name", "kind", "threads"),
    [("edges", kind, 2) for kind in KINDS]
    + [(name, "<f4", threads) for name in SHAPES for threads in (1, 2, 7)],
)
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_any_rectangle_is_read_as_the_library_reads_it(
    file, monkeypatch, name, codec, kind, threads
):
    monkeypatch.setattr(chunks, "THREADS", threads)
    shape, stored = SHAPES[name]
    data = file.create_dataset("a", data=numbers(shape, kind), chunks=stored, **codec)
    for key in rectangles(shape):
        found = chunks.read_in_threads(data, key)
        np.testing.assert_array_equal(found, data[key], strict=True)
        assert found.dtype.str == data.dtype.str
        into = np.zeros_like(data[key])
        assert chunks.read_in_threads(data, key, into=into) is into
        np.testing.assert_array_equal(into, data[key], strict=True)


def test_chunks_are_unpacked_here_and_not_by_the_library(file, monkeypatch):
    data = file.create_dataset("a", data=numbers((70, 33), "<f4"), chunks=(16, 10), shuffle=True)
    expected = data[:]

    def refuse(self, key):
        raise AssertionError("read by the library")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", refuse)
    np.testing.assert_array_equal(chunks.read_in_threads(data, ()), expected)


def test_what_is_not_stored_has_the_fill_value(file):
    data = file.create_dataset(
        "a", shape=(70, 33), chunks=(16, 10), dtype="i2", compression="gzip", fillvalue=-7
    )
    data[20:25, 3:12] = 4
    np.testing.assert_array_equal(chunks.read_in_threads(data, ()), data[:])
    assert set(np.unique(chunks.read_in_threads(data, ()))) == {-7, 4}


@pytest.mark.parametrize("mask", [1, 2, 3])
def test_a_chunk_stored_without_one_of_the_filters_is_read(file, mask):
    """Bit 0 stands for shuffle, bit 1 for deflate."""
    data = file.create_dataset(
        "a", data=numbers((40, 10), "<f4"), chunks=(20, 10), shuffle=True, compression="gzip"
    )
    own = numbers((20, 10), "<f4") + 1
    raw = own.tobytes()
    if not mask & 1:
        raw = own.view(np.uint8).reshape(-1, 4).T.tobytes()
    if not mask & 2:
        raw = zlib.compress(raw)
    data.id.write_direct_chunk((20, 0), raw, filter_mask=mask)

    found = chunks.read_in_threads(data, ())
    np.testing.assert_array_equal(found[20:], own)
    np.testing.assert_array_equal(found, data[:])


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": None},
        {"chunks": (16, 10), "compression": "gzip", "fletcher32": True},
        {"chunks": (16, 10), "compression": "lzf"},
        {"chunks": (16, 10), "scaleoffset": 3},
        {"chunks": (16, 10), **hdf5plugin.Blosc()},
        {"chunks": (16, 10), "dtype": "c8", "shuffle": True},
        {"chunks": (16, 10)},
    ],
    ids=["contiguous", "fletcher32", "lzf", "scaleoffset", "blosc", "complex", "none"],
)
def test_other_filters_and_types_are_left_to_the_library(file, options):
    made = {"dtype": "f4", **options}
    data = file.create_dataset("a", shape=(70, 33), **made)
    assert chunks.read_in_threads(data, ()) is None
    assert not chunks.can_write_in_threads(data)


def test_numbers_of_fewer_bits_than_their_bytes_are_left_to_the_library(file):
    kind = h5py.h5t.STD_U16LE.copy()
    kind.set_precision(12)
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((16,))
    plan.set_shuffle()
    made = h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((64,)), plan)
    assert chunks.read_in_threads(h5py.Dataset(made), ()) is None


@pytest.mark.parametrize("key", [(slice(0, 70, 2),), (slice(5, 5),)])
def test_steps_and_empty_rectangles_are_left_to_the_library(file, key):
    data = file.create_dataset("a", data=numbers((70, 33), "f4"), chunks=(16, 10), shuffle=True)
    assert chunks.read_in_threads(data, key) is None


def test_small_pieces_are_left_to_the_library(file, monkeypatch):
    monkeypatch.setattr(chunks, "LEAST_BYTES", 70 * 33 * 4 + 1)
    data = file.create_dataset("a", data=numbers((70, 33), "f4"), chunks=(16, 10), shuffle=True)
    assert chunks.read_in_threads(data, ()) is None


def packed_by(codec, raw):
    if "gzip" in codec.values():
        return zlib.compress(raw)
    import pyarrow

    return raw if "shuffle" in codec else pyarrow.Codec("zstd").compress(raw, asbytes=True)


PACKED = {name: CODECS[name] for name in ("shuffle", "deflate", "zstd")}


@pytest.mark.parametrize("codec", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("n_bytes", [639, 641, 2**24], ids=["fewer", "more", "far more"])
def test_a_chunk_of_another_size_than_declared_is_refused(file, codec, n_bytes):
    data = file.create_dataset("a", shape=(70, 33), chunks=(16, 10), dtype="f4", **codec)
    data.id.write_direct_chunk((16, 10), packed_by(codec, bytes(n_bytes)))
    with pytest.raises(OSError, match=r"chunk does not unpack|ZSTD"):
        chunks.read_in_threads(data, ())


def test_a_bomb_takes_no_more_memory_than_its_chunk(file):
    data = file.create_dataset("a", shape=(70, 33), chunks=(16, 10), dtype="f4", compression="gzip")
    data.id.write_direct_chunk((0, 0), zlib.compress(bytes(2**28)))
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(OSError, match="does not unpack to the 640 bytes"):
        chunks.read_in_threads(data, ())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21  # the bomb is 2^28 bytes, 2^18 of them packed


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("shuffle deflate", "cut"),
        ("shuffle deflate", "cut in its checksum"),
        ("shuffle deflate", "changed"),
        ("shuffle deflate", "empty"),
        ("shuffle zstd", "cut"),  # it has no checksum: what is changed may not be seen
        ("shuffle zstd", "empty"),
    ],
)
def test_damaged_bytes_are_refused(file, name, damage):
    data = file.create_dataset("a", data=numbers((70, 33), "f4"), chunks=(16, 10), **CODECS[name])
    _, raw = data.id.read_direct_chunk((16, 10))
    middle = len(raw) // 2
    damaged = {
        "cut": raw[:middle],
        "cut in its checksum": raw[:-2],
        "changed": raw[:middle]
        + bytes(255 - b for b in raw[middle : middle + 20])
        + raw[middle + 20 :],
        "empty": b"\x00",
    }[damage]
    data.id.write_direct_chunk((16, 10), damaged)
    with pytest.raises(OSError):  # noqa: PT011  the words are those of the codecs
        chunks.read_in_threads(data, ())


@pytest.mark.parametrize(
    ("name", "kind", "threads"),
    [("edges", kind, 2) for kind in KINDS]
    + [(name, "<f4", threads) for name in SHAPES for threads in (1, 2, 7)],
)
def test_packed_chunks_are_read_by_the_library_and_have_its_bytes(
    file, monkeypatch, name, kind, threads
):
    monkeypatch.setattr(chunks, "THREADS", threads)
    shape, stored = SHAPES[name]
    entries = numbers(shape, kind)
    options = {"chunks": stored, "dtype": kind, "shuffle": True, **hdf5plugin.Zstd(clevel=1)}
    ours = file.create_dataset("ours", shape=shape, **options)
    theirs = file.create_dataset("theirs", data=entries, **options)
    assert chunks.can_write_in_threads(ours)
    step = 2 * stored[0]
    for first in range(0, shape[0], step):
        chunks.write_in_threads(ours, entries[first : first + step], first=first)

    np.testing.assert_array_equal(ours[...], entries)
    for corner in itertools.product(*(range(0, n, c) for n, c in zip(shape, stored, strict=True))):
        assert ours.id.read_direct_chunk(corner) == theirs.id.read_direct_chunk(corner)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_caller_that_holds_the_lock_of_the_library_does_not_wait_for_ever(
    file, monkeypatch, threads
):
    monkeypatch.setattr(chunks, "THREADS", threads)
    entries = numbers((70, 33), "<f4")
    options = {"chunks": (16, 10), "shuffle": True, **hdf5plugin.Zstd(clevel=1)}
    file.create_dataset("a", shape=(70, 33), dtype="f4", **options)
    for _, data in file.items():  # holds it
        chunks.write_in_threads(data, entries, first=0)
        np.testing.assert_array_equal(chunks.read_in_threads(data, ()), entries)
