"""Behaviour in the bins in which spikes are counted."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.core.provenance import Provenance
from pipeline.core.recording import BehaviourSeries
from pipeline.prepare.config import CountsConfig
from pipeline.prepare.counts import spike_counts
from pipeline.prepare.covariates import binned_behaviour
from tests.support.small_recordings import recording, trains


def series(time, values):
    values = np.asarray(values, dtype=float)
    table = values if values.ndim == 2 else values[:, None]
    return BehaviourSeries(values=table, time=np.asarray(time, dtype=float), value_unit="cm/s")


def test_fast_series_are_averaged_and_slow_ones_lie_on_lines():
    start = np.arange(4) * 1.0
    fast = series(np.arange(0, 4, 0.25), np.repeat([1.0, 2, 3, 4], 4) + np.tile([0, 0, 1, -1], 4))
    slow = series([0.5, 2.5], [10.0, 30.0])
    names, values = binned_behaviour({"fast": fast, "slow": slow}, start, start + 1)
    assert list(names) == ["fast", "slow"]
    np.testing.assert_allclose(values[:, 0], [1, 2, 3, 4])
    np.testing.assert_allclose(values[:3, 1], [10, 20, 30])
    assert np.isnan(values[3, 1])


def test_samples_that_are_not_numbers_and_time_between_stretches_take_no_part():
    start = np.array([0.0, 1.0, 10.0])
    time = np.arange(0, 12, 0.5)
    values = np.where((time >= 2) & (time < 10), 99.0, 1.0)
    values[1] = np.nan
    names, found = binned_behaviour(
        {"pose": series(time, np.column_stack([values, 2 * values]))}, start, start + 1
    )
    assert list(names) == ["pose[0]", "pose[1]"]
    np.testing.assert_allclose(found, [[1, 2]] * 3)
    assert binned_behaviour({}, start, start + 1)[1].shape == (3, 0)


def test_a_view_holds_behaviour_only_where_there_is_some():
    source = recording(trains([[1.0, 2.2], [2.0]], observed=[(0, 10)]))
    made = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")
    view = spike_counts(source, CountsConfig(bin_width_s=2.0), made)
    assert view.covariate is None
    assert view.behaviour is None
    running = series(np.arange(0, 10, 0.5), np.arange(20.0))
    source = dataclasses.replace(source, behaviour={"running": running})
    view = spike_counts(source, CountsConfig(bin_width_s=2.0), made)
    assert list(view.covariate) == ["running"]
    np.testing.assert_allclose(view.behaviour[:, 0], [1.5, 5.5, 9.5, 13.5, 17.5])
