"""Chunks unpacked side by side are what the HDF5 library reads; anything odd is left to it."""

from __future__ import annotations

import itertools

import h5py
import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.io.nwb import chunks
from pipeline.io.nwb.chunks import unpacked
from pipeline.io.nwb.values import read_all, read_piece

KEYS = [
    (slice(None),),
    (slice(3, 41), slice(5, 6)),
    (slice(10, 20), slice(7, 14)),
    (slice(52, 53), slice(0, 23)),
]


@pytest.fixture(autouse=True)
def every_size_counts(monkeypatch):
    monkeypatch.setattr(chunks, "FROM_BYTES", 1)


def stored(path, values, **how):
    """An open dataset with these values."""
    how = {"chunks": (10, 7), "compression": "gzip", "shuffle": True} | how
    file = h5py.File(path, "w")
    return file.create_dataset("data", data=values, **how)


def unpacked_piece(dataset, key):
    out = np.empty(dataset[key].shape, dtype=dataset.dtype)
    return out if unpacked(dataset, key, out) else None


def numbers(dtype, shape=(53, 23)):
    bits = np.random.default_rng(1).bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.frombuffer(bits, dtype=dtype).reshape(shape)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "i1", "u1", "<u2", ">i4", "<i8"])
def test_any_rectangle_is_the_same_to_the_bit(tmp_path, dtype, shuffle):
    dataset = stored(tmp_path / "a.h5", numbers(dtype), shuffle=shuffle)
    for key in KEYS:
        found = unpacked_piece(dataset, key)
        assert found.dtype == dataset.dtype
        assert found.tobytes() == dataset[key].tobytes()


@pytest.mark.parametrize(("shape", "size"), [((200,), (64,)), ((6, 5, 4), (4, 2, 3))])
def test_tables_of_other_dimensions_are_the_same(tmp_path, shape, size):
    dataset = stored(tmp_path / "a.h5", numbers("<f8", shape), chunks=size)
    for part in itertools.product((slice(None), slice(1, 4)), repeat=len(shape)):
        assert unpacked_piece(dataset, part).tobytes() == dataset[part].tobytes()


def absent_chunks(path):
    with h5py.File(path, "w") as file:
        how = {"chunks": (10, 7), "compression": "gzip", "fillvalue": 3.0}
        file.create_dataset("data", shape=(53, 23), dtype="f8", **how)[:10] = 1.0
    return h5py.File(path)["data"]


def a_chunk_without_filter(path):
    values = numbers("<f4")
    with stored(path, values).file as file:
        file["data"].id.write_direct_chunk((0, 0), values[:10, :7].tobytes(), filter_mask=3)
    return h5py.File(path)["data"]


ODD = {
    "absent chunks": absent_chunks,
    "a chunk without filter": a_chunk_without_filter,
    "no chunks": lambda path: stored(
        path, numbers("<f4"), chunks=None, compression=None, shuffle=False
    ),
    "another filter": lambda path: stored(path, numbers("<f4"), compression="lzf"),
    "a checksum": lambda path: stored(path, numbers("<f4"), fletcher32=True),
    "truth values": lambda path: stored(path, numbers("u1") > 100),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_is_read_by_the_library(tmp_path, what):
    dataset = ODD[what](tmp_path / "a.h5")
    assert unpacked_piece(dataset, (slice(None),)) is None
    whole = (slice(0, 53), slice(0, 23))
    np.testing.assert_array_equal(read_piece(dataset, whole), dataset[...])


@pytest.mark.parametrize("raw", [b"no zlib at all", None], ids=["other", "short"])
def test_a_damaged_chunk_is_refused_with_its_place(tmp_path, raw):
    dataset = stored(tmp_path / "a.h5", numbers("<f4"))
    _, whole = dataset.id.read_direct_chunk((10, 7))
    dataset.id.write_direct_chunk((10, 7), whole[: len(whole) // 2] if raw is None else raw)
    dataset.file.flush()
    with pytest.raises(DataError) as caught:
        read_piece(dataset, (slice(8, 30),))
    assert (caught.value.code, caught.value.place) == ("IN-F04", "/data")


def test_a_whole_dataset_is_filled_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.io.nwb.values.BLOCK_BYTES", 1000)
    values = np.random.default_rng(1).normal(size=(53, 23))
    np.testing.assert_array_equal(read_all(stored(tmp_path / "a.h5", values)), values)
