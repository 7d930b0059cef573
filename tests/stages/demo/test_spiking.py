"""Spike times keep counts, order and pauses."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.stages.demo.spiking import REFRACTORY_S, SAMPLING_HZ, spike_trains


@pytest.fixture(scope="module")
def counts():
    return stream(3, "counts").poisson(0.4, (400, 5))


def trains(counts, *, step_s=0.02, start_s=1.0):
    start = start_s + step_s * np.arange(len(counts))
    observed = np.array([[start[0], start[-1] + step_s]])
    rng = stream(3, "times")
    return spike_trains(rng, counts, step_start_s=start, step_s=step_s, observed=observed)


def test_every_step_holds_its_count(counts):
    made = trains(counts)
    edges = 1.0 + 0.02 * np.arange(len(counts) + 1)
    for unit in range(counts.shape[1]):
        found, _ = np.histogram(made.of_unit(unit), edges)
        np.testing.assert_array_equal(found, counts[:, unit])


def test_no_two_spikes_are_closer_than_the_refractory_pause(counts):
    made = trains(counts)
    for unit in range(counts.shape[1]):
        assert np.diff(made.of_unit(unit)).min() > REFRACTORY_S - 1 / SAMPLING_HZ


def test_spikes_are_spread_over_their_steps(counts):
    phase = np.mod(trains(counts).times - 1.0, 0.02) / 0.02
    assert np.abs(np.histogram(phase, 4, (0, 1))[0] / phase.size - 0.25).max() < 0.06


def test_a_step_that_is_too_full_for_its_pauses_still_holds_its_spikes():
    made = trains(np.full((3, 1), 30))
    assert np.histogram(made.of_unit(0), 1.0 + 0.02 * np.arange(4))[0].tolist() == [30, 30, 30]
    assert np.all(np.diff(made.of_unit(0)) > 0)


def test_times_are_samples_of_the_acquisition(counts):
    samples = trains(counts).times * SAMPLING_HZ
    np.testing.assert_array_equal(samples, np.round(samples))


def test_a_silent_unit_has_no_spikes(counts):
    assert trains(counts * [1, 0, 1, 1, 1]).n_spikes[1] == 0
