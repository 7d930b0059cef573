"""Each fault planted in a simulated spike train is found, and clean trains are left alone."""

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.prepare.quality.spikes import (
    REFRACTORY_S,
    bin_width,
    contamination,
    examine_times,
    expected_violations,
    measure_spikes,
    observed_time,
    rate_change,
    violations,
)
from tests.support.small_recordings import trains

SESSION_S = 600.0
OBSERVED_S = np.array([SESSION_S])


def neuron(rng, rate_hz, *, dead_s=0.003):
    """A Poisson neuron with a dead time, sampled at 30 kHz."""
    steps = rng.exponential(1 / rate_hz - dead_s, int(2 * rate_hz * SESSION_S) + 50) + dead_s
    times = np.cumsum(steps)
    return np.round(times[times < SESSION_S] * 30_000) / 30_000


def foreign(rng, rate_hz):
    """Spikes of many other neurons, which know of no dead time."""
    return np.round(rng.uniform(0, SESSION_S, rng.poisson(rate_hz * SESSION_S)) * 30_000) / 30_000


def measured(units, *, observed=((0.0, SESSION_S),)):
    return measure_spikes(trains(units, observed=observed))


def in_bins(rng, rates_hz, *, width):
    """Counts in bins turned into times evenly spread inside each bin."""
    units = []
    for rate in rates_hz:
        counts = rng.poisson(rate * width, int(SESSION_S / width))
        units.append(
            np.concatenate(
                [(b + (np.arange(k) + 0.5) / k) * width for b, k in enumerate(counts) if k]
            )
        )
    return units


@pytest.mark.parametrize("rate_hz", [0.1, 1.0, 5.0, 20.0, 60.0])
def test_clean_units_raise_no_alarm(rate_hz):
    rng = stream(21, "clean", str(rate_hz))
    found = measured([neuron(rng, rate_hz) for _ in range(150)])
    alarms = {name: int(units.sum()) for name, units in found.findings.items() if units.any()}
    assert alarms == {}
    assert found.not_assessed == {}
    assert found.identical == ()


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_little_contamination_is_seldom_remarked_on(share):
    rng = stream(22, "little", str(share))
    units = [
        np.sort(np.append(neuron(rng, 10 * (1 - share)), foreign(rng, 10 * share)))
        for _ in range(200)
    ]
    assert measured(units).findings["contaminated"].mean() <= 0.01


def test_heavy_contamination_is_found_and_estimated():
    rng = stream(23, "heavy")
    share = 0.3
    units = [np.sort(np.append(neuron(rng, 14), foreign(rng, 6))) for _ in range(60)]
    found = measured(units)
    assert found.findings["contaminated"].all()
    assert np.mean(found.numbers["contamination"]) == pytest.approx(share, abs=0.03)


def test_contamination_inverts_the_expected_violations():
    counts = np.array([5e3, 2e4])
    for share in (0.0, 0.1, 0.4, 1.0):
        short = expected_violations(share, counts, OBSERVED_S)
        np.testing.assert_allclose(contamination(short, counts, OBSERVED_S), share, atol=1e-12)
    assert np.isnan(contamination(np.zeros(1), np.array([100.0]), OBSERVED_S)[0])
    assert contamination(np.array([1e9]), counts[:1], OBSERVED_S)[0] == 1.0


def test_foreign_spikes_alone_violate_as_often_as_the_formula_says():
    rng = stream(24, "formula")
    short = [violations(np.sort(foreign(rng, 20))) for _ in range(40)]
    expected = expected_violations(1.0, np.array([20 * SESSION_S]), OBSERVED_S)[0]
    assert np.mean(short) == pytest.approx(expected, rel=0.05)


def test_violations_are_pairs_and_not_spikes_at_one_time():
    assert violations(np.array([0.0, 0.001, 0.0014, 1.0, 1.0, 2.0, 2.0 + REFRACTORY_S])) == 3
    assert violations(np.array([])) == 0


def test_spikes_outside_the_observed_time_violate_nothing():
    late = 2 * SESSION_S + np.cumsum(stream(34, "late").exponential(0.001, 20))
    found = measured([np.append(neuron(stream(33, "outside"), 5.0), late)])
    assert found.numbers["violations"][0] == 0
    assert not found.findings["contaminated"].any()


def test_presence_and_change_of_rate():
    rng = stream(25, "presence")
    whole = neuron(rng, 5.0)
    lost = whole[whole < SESSION_S / 4]
    found = measured([whole, lost, SESSION_S - lost[::-1]])
    np.testing.assert_allclose(found.numbers["presence"], [1.0, 0.25, 0.25], atol=0.015)
    np.testing.assert_allclose(found.numbers["rate_change"], [0.0, -1.0, 1.0], atol=0.08)
    assert found.findings["changed"].tolist() == [False, True, True]
    assert np.isnan(rate_change(np.arange(10.0), SESSION_S))


def test_violations_of_dense_trains_are_counted_as_those_of_sparse_ones():
    rng = stream(5, "dense")
    for n_spikes in (3, 40, 400):
        train = np.sort(np.round(rng.uniform(0, 0.02, n_spikes), 5))
        distinct = np.unique(train)
        pairs = distinct[None, :] < distinct[:, None] + REFRACTORY_S
        assert violations(train) == int(np.triu(pairs, 1).sum())


def test_trains_are_the_same_only_if_all_spikes_are():
    same, other = [1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 4.0, 9.0]
    found = measured([same, other, same, [1.0, 9.0], other[:-1]])
    assert found.identical == ((0, 2),)


def test_time_between_observed_stretches_does_not_count():
    observed = np.array([[10.0, 20.0], [50.0, 60.0]])
    own, clock = observed_time(np.array([5.0, 10.0, 19.0, 30.0, 50.0, 60.0, 70.0]), observed)
    np.testing.assert_allclose(own, [10.0, 19.0, 50.0, 60.0])
    np.testing.assert_allclose(clock, [0.0, 9.0, 10.0, 20.0])
    for own in observed_time(np.array([1.0]), np.empty((0, 2))):
        assert own.size == 0
    found = measured([[12.0, 15.0, 55.0, 70.0], [51.0]], observed=observed)
    np.testing.assert_allclose(found.numbers["rate_hz"], [3 / 20, 1 / 20])
    np.testing.assert_allclose(found.numbers["n_spikes"], [4, 1])


def test_a_unit_is_judged_by_the_time_in_which_it_was_observed():
    train = np.arange(0.05, 100.0, 0.1)
    activity = dataclasses.replace(
        trains([train, train], observed=[(0.0, 200.0)]),
        unit_observed=np.array([[0.0, 100.0], [0.0, 200.0]]),
        unit_observed_starts=np.array([0, 1, 2]),
    )
    found = measure_spikes(activity)
    np.testing.assert_allclose(found.numbers["rate_hz"], [10.0, 5.0])
    np.testing.assert_allclose(found.numbers["rate_change"], [0.0, -1.0], atol=0.01)


def test_silent_repeated_and_identical_units():
    train = neuron(stream(26, "identical"), 5.0)
    found = measured([train, [], np.sort(np.append(train, train[::5])), train])
    assert found.findings["silent"].tolist() == [False, True, False, False]
    assert found.findings["repeated"].tolist() == [False, False, True, False]
    assert found.numbers["duplicate_spikes"][2] == pytest.approx(1 / 6, abs=0.01)
    assert np.isnan(found.numbers["duplicate_spikes"][1])
    assert found.identical == ((0, 3),)


@pytest.mark.parametrize(
    ("rates_hz", "width"),
    [((0.3, 0.5, 1.0), 0.5), ((5, 20, 40), 0.5), ((1, 3, 8), 1 / 30), ((100, 120), 0.5)],
)
def test_times_made_up_inside_bins_are_recognised_and_intervals_not_assessed(rates_hz, width):
    activity = trains(in_bins(stream(27, str(width)), rates_hz, width=width), observed=[(0, 600)])
    times = examine_times(activity)
    assert not times.real
    found = measure_spikes(activity)
    assert set(found.not_assessed) == {"violations", "contamination", "presence"}
    for name in found.not_assessed:
        assert np.isnan(found.numbers[name]).all()
    assert not found.findings["contaminated"].any()
    if max(rates_hz) <= 40:
        assert bin_width(activity) == pytest.approx(width)
        assert f"bins of {width:.4g} s" in times.reason


@pytest.mark.parametrize(("grid_s", "real"), [(1e-3, False), (1 / 30, False), (1e-4, True)])
def test_times_on_a_coarse_grid_are_recognised(grid_s, real):
    rng = stream(28, "grid")
    units = [np.unique(np.round(neuron(rng, 8.0) / grid_s)) * grid_s for _ in range(5)]
    assert examine_times(trains(units, observed=[(0, SESSION_S)])).real is real


def test_regular_and_bursting_neurons_are_not_taken_for_made_up():
    rng = stream(29, "regular")
    clock = np.cumsum(rng.normal(0.05, 0.002, 10_000))
    bursts = np.sort((neuron(rng, 2.0)[:, None] + np.array([0, 0.004, 0.0085])).ravel())
    bursts = bursts + rng.normal(0, 2e-4, bursts.size)
    for train in (clock, np.sort(bursts)):
        rounded = np.round(train * 30_000) / 30_000
        assert examine_times(trains([rounded], observed=[(0, SESSION_S)])).real


def test_few_spikes_are_believed():
    assert examine_times(trains([[1.0, 2.0], []], observed=[(0, 3)])).real


def test_where_nothing_was_observed_there_is_no_rate():
    found = measured([[1.0, 1.0]], observed=[(1.0, 1.0)])
    assert np.isnan(found.numbers["rate_hz"]).all()
    assert np.isnan(found.numbers["contamination"]).all()
