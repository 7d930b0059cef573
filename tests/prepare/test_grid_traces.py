"""Views too large for the memory are made some units at a time and are the same views."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.arrays import loaded
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.io import tree_writer
from pipeline.io.records import read_digest, read_record, write_record
from pipeline.prepare import grid_traces
from tests.core.test_arrays import Chunked
from tests.prepare.test_ensemble import recording_of, unit_table, view_of

N_FRAMES, N_UNITS = 300, 23


def fluorescence():
    """Positive traces with gaps; units 5 and 17 have no positive baseline, unit 9 is bad."""
    rng = stream(3, "grid")
    values = 10 + rng.standard_normal((N_FRAMES, N_UNITS))
    values[:, [5, 17]] -= 30
    valid = rng.random(values.shape) > 0.05
    units = unit_table(N_UNITS)
    units.loc[9, ["good", "reason"]] = [False, "not accepted"]
    recording = recording_of(np.arange(N_FRAMES) / 3.0, values, valid=valid, units=units)
    activity = dataclasses.replace(recording.activity, signal="fluorescence")
    return dataclasses.replace(recording, activity=activity)


@pytest.fixture
def small_blocks(monkeypatch):
    """Four units are made at a time, and no more than two such bands are kept."""
    monkeypatch.setattr(grid_traces, "BLOCK_BYTES", 4 * 4 * N_FRAMES)
    monkeypatch.setattr(grid_traces, "KEPT_BYTES", 1)
    monkeypatch.setattr(tree_writer, "BLOCK_BYTES", 4 * 4 * N_FRAMES)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rate_hz": 1.0},
        {"dff": {"compute": "never"}},
        {"dff": {"compute": "always", "nonpositive": "missing"}},
    ],
    ids=["relative", "slower", "as recorded", "masked"],
)
@pytest.mark.parametrize("chunks", [(100, 3), (300, 1), (7, 23)])
def test_a_view_made_in_bands_is_the_same(tmp_path, monkeypatch, settings, chunks, request):
    recording = fluorescence()
    expected = view_of(recording, **settings)
    assert isinstance(expected.values, np.ndarray)
    write_record(tmp_path / "whole.h5", expected)

    request.getfixturevalue("small_blocks")
    activity = recording.activity
    stored = dataclasses.replace(
        activity, values=Chunked(activity.values, chunks), valid=Chunked(activity.valid, chunks)
    )
    view = view_of(dataclasses.replace(recording, activity=stored), **settings)

    assert not isinstance(view.values, np.ndarray)
    values, valid = loaded(view.values, view.valid)
    np.testing.assert_array_equal(values, expected.values)
    np.testing.assert_array_equal(valid, expected.valid)
    write_record(tmp_path / "banded.h5", view)
    assert read_digest(tmp_path / "banded.h5") == read_digest(tmp_path / "whole.h5")
    assert isinstance(read_record(tmp_path / "banded.h5", TraceEnsemble).values, np.ndarray)


@pytest.mark.usefixtures("small_blocks")
def test_bands_are_not_made_again_while_a_view_is_written(tmp_path, monkeypatch):
    made = []
    real = grid_traces.GridTraces._on_grid

    def counted(self, units):
        made.extend(units.tolist())
        return real(self, units)

    monkeypatch.setattr(grid_traces.GridTraces, "_on_grid", counted)
    view = view_of(fluorescence(), dff={"compute": "never"})
    write_record(tmp_path / "view.h5", view)

    assert sorted(made) == [unit for unit in range(N_UNITS) if unit != 9]


@pytest.mark.parametrize("rate_hz", ["auto", 2.0])
def test_traces_of_a_plane_that_is_scanned_later_are_put_where_they_belong(rate_hz):
    time, delay_s = np.arange(200) / 4.0, 0.1

    def signal(at):
        return 2.0 + 0.1 * at

    units = unit_table(2).assign(time_offset_s=[0.0, delay_s])
    recording = recording_of(time, np.stack([signal(time), signal(time + delay_s)], 1), units=units)
    view = view_of(recording, rate_hz=rate_hz, dff={"compute": "never"})
    assert view.valid[:, 0].all()
    assert view.valid[:, 1].tolist() == [False, *[True] * (view.time.size - 1)]
    inner = slice(5, -5)  # smoothing for a lower rate bends a ramp at its ends
    np.testing.assert_allclose(view.values[inner, 1], signal(view.time[inner]), rtol=1e-5)
    np.testing.assert_allclose(view.values[inner, 0], view.values[inner, 1], rtol=1e-5)
