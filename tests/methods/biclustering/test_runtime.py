"""The time that a chain is expected to take, told before it starts."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pipeline.methods.biclustering.model import CountData, Priors, Schedule
from pipeline.methods.biclustering.runtime import expected_s, in_words
from pipeline.methods.biclustering.sampler.chain import run_chain


@pytest.mark.parametrize(
    ("n_units", "n_bins", "measured_ms"),
    [(30, 500, 25), (60, 500, 40), (30, 1000, 37), (200, 2000, 434), (400, 1000, 450)],
)
def test_sweeps_take_what_was_measured(n_units, n_bins, measured_ms):
    data = CountData.of(np.ones((n_bins, n_units), np.int32))
    schedule = Schedule(n_tune=1000, n_draws=1000)
    # After the first sweep the search is over.
    ms = expected_s(data, schedule, done=1) / 1999 * 1e3
    assert ms == pytest.approx(measured_ms, rel=0.1)
    assert expected_s(data, schedule) > expected_s(data, schedule, done=1)


def test_times_are_said_in_words():
    assert [in_words(s) for s in (4.2, 80, 200, 9000)] == ["4 s", "80 s", "3 min", "2.5 h"]


def test_a_chain_tells_it_before_it_starts(caplog):
    data = CountData.of(np.random.default_rng(0).poisson(2.0, (30, 3)))
    priors = Priors(n_states=1, n_factors=0, family="poisson")
    told: list[int] = []

    def progress(done, total, note=""):
        told.append(len(caplog.records))

    with caplog.at_level(logging.INFO):
        schedule = Schedule(n_tune=0, n_draws=4, n_trajectories=1)
        run_chain(data, priors, schedule, np.random.default_rng(0), progress=progress)
    assert "4 sweeps of 3 units in 30 bins: about 0 s" in caplog.records[0].message
    assert told[0] == 1
