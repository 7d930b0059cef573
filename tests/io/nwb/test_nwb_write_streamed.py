"""A recording whose samples and frames are not in memory is written piece by piece."""

from __future__ import annotations

import dataclasses

import h5py
import numpy as np
import pytest

from pipeline.core.recording import StimulusImages, StimulusMovie
from pipeline.io.nwb import write_pieces
from pipeline.io.nwb.write import write_recording
from tests.core.test_arrays import Chunked
from tests.io.nwb.test_nwb_round_trip import activity_with, comparable
from tests.support.nwb_factory import imaging_file, read
from tests.support.records import assert_same

BLOCK = 4096
N_FRAMES, N_UNITS = 600, 4
FILLED = {
    "levels": np.arange(60, dtype=np.float32).reshape(5, 4, 3) * 2,
    "contrast": np.linspace(-1, 1, 60, dtype=np.float32).reshape(5, 4, 3),
}


@pytest.fixture
def recording(tmp_path):
    """An imaging session of many frames with gaps, two movies and images of every kind."""
    base, _ = read(imaging_file(tmp_path / "source.nwb"))
    rng = np.random.default_rng(1)
    valid = rng.random((N_FRAMES, N_UNITS)) > 0.1
    values = rng.normal(size=(N_FRAMES, N_UNITS)).astype(np.float32)
    long = activity_with(base, values=values, valid=valid, time=np.arange(N_FRAMES) / 5.0)
    movies = {
        name: StimulusMovie(values=frames, time=np.arange(5.0), value_unit="cd/m2")
        for name, frames in FILLED.items()
    }
    images = {
        f"images {n_channels}": StimulusImages(
            values=rng.random((3, 4, 2, n_channels)).astype(np.float32),
            shown=np.array([2, 0, 2]),
            time=np.arange(3.0),
            value_unit="",
        )
        for n_channels in (1, 3, 4)
    }
    return dataclasses.replace(long, stimuli={**movies, **images})


def in_pieces(recording, rows):
    """The same with sources in place of arrays, in chunks of some rows."""

    def source(array):
        return Chunked(array, (rows, *array.shape[1:]))

    activity = recording.activity
    stimuli = {
        name: dataclasses.replace(one, values=source(one.values))
        for name, one in recording.stimuli.items()
    }
    changed = dataclasses.replace(recording, stimuli=stimuli)
    return activity_with(changed, values=source(activity.values), valid=source(activity.valid))


@pytest.mark.parametrize("rows", [1, 7, 128, 10_000])
def test_pieces_give_the_same_file_content_as_arrays(tmp_path, monkeypatch, recording, rows):
    monkeypatch.setattr(write_pieces, "BLOCK_BYTES", BLOCK)
    write_recording(tmp_path / "whole.nwb", recording)
    write_recording(tmp_path / "pieces.nwb", in_pieces(recording, rows))
    whole, pieces = (read(tmp_path / f"{name}.nwb")[0] for name in ("whole", "pieces"))
    assert_same(comparable(pieces), comparable(whole))
    np.testing.assert_array_equal(pieces.activity.valid, recording.activity.valid)
    for name, frames in FILLED.items():
        np.testing.assert_array_equal(pieces.stimuli[name].values, frames)
    with h5py.File(tmp_path / "pieces.nwb") as file:
        assert file["stimulus/presentation/levels/data"].dtype == np.uint8
        assert file["stimulus/presentation/contrast/data"].dtype == np.float32


def test_samples_are_asked_for_once_and_in_small_pieces(tmp_path, monkeypatch, recording):
    monkeypatch.setattr(write_pieces, "BLOCK_BYTES", BLOCK)
    streamed = in_pieces(recording, 16)
    write_recording(tmp_path / "pieces.nwb", streamed)
    for source in (streamed.activity.values, streamed.activity.valid):
        seen = np.zeros(source.shape, dtype=int)
        for key in source.keys:
            assert source.array[key].size * 4 <= BLOCK
            seen[key] += 1
        assert (seen == 1).all()
