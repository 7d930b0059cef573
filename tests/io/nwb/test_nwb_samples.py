"""Samples are read piece by piece, whatever the layout in the file."""

from __future__ import annotations

import zlib

import h5py
import hdf5plugin
import numpy as np
import pytest

from pipeline.core.arrays import loaded
from pipeline.core.rng import stream
from pipeline.io import chunks
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from pipeline.io.nwb.samples import Samples, scaled
from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    PROVENANCE,
    edited,
    imaging_file,
    read,
    refusal_of,
    texts,
)
from tests.support.records import assert_same


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.nwb"


@pytest.fixture
def dataset(tmp_path):
    """A function that stores an array under h5py's options and gives the open dataset."""
    with h5py.File(tmp_path / "data.h5", "w") as file:
        yield lambda values, **options: file.create_dataset("data", data=values, **options)


def noise(n_samples=400, n_units=7):
    values = stream(5, "samples").normal(size=(n_samples, n_units)).astype(np.float32)
    values[10:30, 2] = np.nan
    values[50, 3], values[51, 3] = np.inf, -np.inf
    return values


def pieced(samples, step=(90, 3)):
    """Values and validity put together from small pieces that are read side by side."""
    values = np.empty(samples.values.shape, dtype=np.float32)
    valid = np.zeros(values.shape, dtype=bool)
    for row in range(0, values.shape[0], step[0]):
        for column in range(0, values.shape[1], step[1]):
            key = (slice(row, row + step[0]), slice(column, column + step[1]))
            values[key], valid[key] = samples.values[key], samples.valid[key]
    return values, valid


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("chunks", [None, (20, 7), (7, 7)])
def test_pieces_put_together_are_the_whole(dataset, transposed, chunks):
    stored = noise().T if transposed else noise()
    chunks = chunks[::-1] if chunks and transposed else chunks
    data = dataset(stored, chunks=chunks)
    samples = Samples(scaled(data, transposed=transposed, max_gb=None))

    values, valid = pieced(samples)

    np.testing.assert_array_equal(valid, np.isfinite(noise()))
    np.testing.assert_array_equal(values[valid], noise()[valid])
    assert np.isnan(values[~valid]).all()
    assert samples.values.chunks == (None if chunks is None else data.chunks[:: 1 - 2 * transposed])
    whole = loaded(samples.values, samples.valid)
    np.testing.assert_array_equal(whole[0], values)
    np.testing.assert_array_equal(whole[1], valid)


@pytest.mark.parametrize("step", [(400, 7), (90, 3), (1, 7)])
def test_what_is_missing_is_counted_over_all_pieces(dataset, step):
    samples = Samples(scaled(dataset(noise()), max_gb=None))
    pieced(samples, step)

    told = texts(samples.notes(signal="dff"), "repair")

    assert "22 of 2800 samples in 2 of 7 units are not finite (20 NaN, 2 infinite)" in told


def test_reading_a_piece_again_counts_it_once(dataset):
    samples = Samples(scaled(dataset(noise()), max_gb=None))
    for _ in range(3):
        pieced(samples)

    assert "(20 NaN, 2 infinite)" in texts(samples.notes(signal="dff"), "repair")


def test_both_sides_of_a_piece_decode_it_once(dataset, monkeypatch):
    from pipeline.io.nwb import samples as module

    counted = []
    real = module.read_piece

    def read_piece(data, key):
        counted.append(key)
        return real(data, key)

    monkeypatch.setattr(module, "read_piece", read_piece)
    pieced(Samples(scaled(dataset(noise()), max_gb=None)), (100, 7))

    assert len(counted) == 4


def test_a_trace_of_one_unit_is_a_table_of_one_column(dataset):
    samples = Samples(scaled(dataset(np.arange(50.0), chunks=(16,)), max_gb=None))

    assert (samples.values.shape, samples.values.chunks) == ((50, 1), (16, 1))
    np.testing.assert_array_equal(pieced(samples)[0][:, 0], np.arange(50.0))


def test_scaling_is_done_in_double_precision(dataset):
    data = dataset(np.array([[16777217], [3]], dtype=np.int64))
    data.attrs["conversion"], data.attrs["offset"] = 1.0, -16777216.0

    np.testing.assert_array_equal(scaled(data, max_gb=None)[:][:, 0], [1.0, -16777213.0])


def test_the_median_of_a_large_series_is_that_of_all_units(dataset, monkeypatch):
    from pipeline.io.nwb import samples as module

    monkeypatch.setattr(module, "MEDIAN_ENTRIES", 50)
    values = np.where(np.arange(7) < 3, 5.0, 1.0) * np.ones((400, 1))
    samples = Samples(scaled(dataset(values), max_gb=None))
    pieced(samples, (100, 7))

    assert "its median is 1.000" in texts(samples.notes(signal="dff"), "warn")


def test_an_open_recording_has_read_no_samples(path):
    imaging_file(path, compressed=True)
    with open_recording(
        path, recording="day1", options=ReadOptions(), provenance=PROVENANCE
    ) as reading:
        activity = reading.recording.activity
        assert not isinstance(activity.values, np.ndarray)
        found = loaded(activity.values, activity.valid)

    np.testing.assert_array_equal(found[0], read(path)[0].activity.values)


def test_a_chunk_too_large_to_be_decoded_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_dataset(
            f"{DFF}/data", shape=(2**25, N_CELLS), dtype="f4", chunks=(2**25, N_CELLS)
        )[:1] = 1.0
    error = refusal_of(path)
    assert error.code == "IN-F21"
    assert "512 MiB" in error.found


@pytest.mark.parametrize(("limit", "refused"), [(1e-7, True), (1e-6, True), (1e-5, False)])
def test_a_limit_on_the_size_of_series_is_kept(path, limit, refused):
    imaging_file(path)  # 40 x 4 numbers of 8 bytes: 1280 bytes
    if refused:
        error = refusal_of(path, max_series_gb=limit)
        assert (error.code, error.place) == ("IN-F20", f"{DFF}/data")
        assert "max_series_gb" in error.fix
    else:
        assert read(path, max_series_gb=limit)[0].activity.values.shape == (40, 4)


def repacked(file, **layout):
    """The samples, which are then stored otherwise."""
    attributes = dict(file[f"{DFF}/data"].attrs)
    values = file[f"{DFF}/data"][...]
    del file[f"{DFF}/data"]
    file.create_dataset(f"{DFF}/data", data=values, **layout).attrs.update(attributes)
    return values


@pytest.mark.parametrize(
    "codec",
    [
        hdf5plugin.Zstd(),
        hdf5plugin.LZ4(),
        hdf5plugin.Blosc(cname="lz4"),
        hdf5plugin.Blosc2(cname="zstd"),
        hdf5plugin.Bitshuffle(),
        hdf5plugin.BZip2(),
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf"},
        {"compression": "szip"},
    ],
    ids=["zstd", "lz4", "blosc", "blosc2", "bitshuffle", "bzip2", "gzip", "lzf", "szip"],
)
def test_samples_packed_by_any_usual_codec_are_read(path, codec):
    imaging_file(path)
    with edited(path) as file:
        values = repacked(file, chunks=(16, 2), **codec)
    np.testing.assert_array_equal(read(path)[0].activity.values, values.astype(np.float32))


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_samples_are_the_same_whether_our_threads_or_the_library_unpack_them(
    path, monkeypatch, threads
):
    imaging_file(path)
    with edited(path) as file:
        repacked(file, chunks=(16, 3), compression="gzip", shuffle=True)
    theirs, _ = read(path)
    monkeypatch.setattr(chunks, "LEAST_BYTES", 1)
    monkeypatch.setattr(chunks, "THREADS", threads)
    ours, _ = read(path)
    assert_same(ours, theirs)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (zlib.compress(bytes(2**22)), "does not unpack to the"),
        (zlib.compress(bytes(100)), "does not unpack to the"),
        (zlib.compress(bytes(16 * 3 * 8))[:-2], "does not unpack to the"),
        (b"garbage!", "inflating a chunk failed"),
    ],
    ids=["bomb", "short", "cut", "garbage"],
)
def test_a_chunk_that_is_not_what_its_dataset_declares_is_refused(
    path, monkeypatch, raw, told, threads
):
    monkeypatch.setattr(chunks, "LEAST_BYTES", 1)
    monkeypatch.setattr(chunks, "THREADS", threads)
    imaging_file(path)
    with edited(path) as file:
        repacked(file, chunks=(16, 3), compression="gzip", shuffle=True)
        file[f"{DFF}/data"].id.write_direct_chunk((16, 0), raw)
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F04", f"{DFF}/data")
    assert told in error.found


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("step", [(90, 3), (400, 7)])
def test_samples_at_an_end_of_their_integers_are_told(dataset, kind, step):
    known = np.iinfo(kind)
    stored = stream(6, "counts").integers(1, 100, (400, 7)).astype(kind)
    stored[::50, 1] = known.max  # 2 %
    stored[7:9, 2] = known.max  # 0.5 %
    stored[::100, 4] = stored[::100, 5] = known.min  # 1 %; of types without a sign an honest 0
    data = dataset(stored)
    data.attrs["conversion"], data.attrs["offset"] = 0.001, -3.0
    samples = Samples(scaled(data, max_gb=None))
    pieced(samples, step)
    told = [note.text for note in samples.notes(signal="fluorescence") if note.code == "IN-C19"]
    assert told[0].startswith(f"1 of 7 units has 1 % or more of its samples at {known.max}, where")
    assert f"({kind})" in told[0]
    if known.min < 0:
        assert told[1].startswith(f"2 of 7 units have 1 % or more of their samples at {known.min},")
    assert len(told) == (2 if known.min < 0 else 1)


@pytest.mark.parametrize("kind", ["float32", "int32"])
def test_other_types_have_no_end_that_samples_reach(dataset, kind):
    samples = Samples(scaled(dataset(np.full((400, 2), 2**30, dtype=kind)), max_gb=None))
    pieced(samples)
    assert "IN-C19" not in {note.code for note in samples.notes(signal="fluorescence")}
