import itertools

import numpy as np
import pytest
from scipy.stats import skew

from pipeline.core.rng import stream
from pipeline.prepare.quality import running as module
from pipeline.prepare.quality.running import Running, place_weights


def gathered(values, valid, *, cuts):
    """Statistics of the same samples, given in blocks."""
    found = Running.start(values.shape[1])
    edges = [0, *cuts, len(values)]
    for start, stop in itertools.pairwise(edges):
        found.add(values[start:stop], valid[start:stop], first_frame=start)
    return found


@pytest.fixture
def samples():
    rng = stream(3, "running")
    values = (5 + rng.gamma(2.0, size=(400, 6))).astype(np.float32)
    valid = rng.random(values.shape) > 0.2
    valid[:, 4] = False
    valid[:150, 5] = False
    values[~valid] = np.nan
    return values, valid


@pytest.mark.parametrize("cuts", [(), (1, 2, 399), (100, 130, 131), tuple(range(7, 400, 7))])
@pytest.mark.parametrize("cached", [1, 50, 2**17])
def test_blocks_give_what_all_samples_at_once_give(samples, cuts, cached, monkeypatch):
    monkeypatch.setattr(module, "CACHED", cached)
    values, valid = samples
    found = gathered(values, valid, cuts=cuts)
    for unit in (0, 1, 2, 3, 5):
        own = values[valid[:, unit], unit].astype(float)
        assert found.count[unit] == own.size
        assert found.mean[unit] == pytest.approx(own.mean(), rel=1e-12)
        assert found.second[unit] == pytest.approx(((own - own.mean()) ** 2).sum(), rel=1e-10)
        assert found.skewness()[unit] == pytest.approx(skew(own), rel=1e-9)
        assert found.maximum[unit] == own.max()
    assert found.count[4] == 0
    assert np.isnan(found.skewness()[4])


def test_a_mean_far_from_zero_does_not_spoil_the_moments():
    values = (1e6 + np.arange(64, dtype=np.float32) % 4)[:, None]
    found = gathered(values, np.ones(values.shape, bool), cuts=(3, 17))
    assert found.second[0] == pytest.approx(64 * 1.25, rel=1e-9)
    assert found.skewness()[0] == pytest.approx(0.0, abs=1e-9)


def test_samples_at_the_maximum_are_counted_over_blocks():
    values = np.array([1, 2, 2, 1, 3, 3, 0, 3], dtype=np.float32)[:, None]
    found = gathered(values, np.ones(values.shape, bool), cuts=(2, 5))
    assert (found.maximum[0], found.at_maximum[0]) == (3, 3)
    constant = gathered(np.full((9, 1), 0.1, np.float32), np.ones((9, 1), bool), cuts=(4,))
    assert not constant.varies()[0]


def test_identical_traces_are_found_over_blocks_and_others_are_not():
    rng = stream(4, "identical")
    values = rng.normal(size=(300, 8)).astype(np.float32)
    values[:, 5] = values[:, 1]
    values[:, 7] = values[:, 1]
    values[:, 6] = values[:, 2]
    values[299, 6] = np.nextafter(values[299, 6], np.float32(9))
    values[:, 3] = np.roll(values[:, 0], 1)
    values[:, 4] = -values[:, 0]
    found = gathered(values, np.ones(values.shape, bool), cuts=(40, 41))
    assert found.identical() == ((1, 5, 7),)


def test_traces_that_differ_only_in_what_is_missing_are_not_identical():
    values = np.tile(stream(5, "gaps").normal(size=(50, 1)).astype(np.float32), (1, 3))
    valid = np.ones(values.shape, bool)
    valid[10, 1] = False
    values[0] = 0.0
    valid[0, 2] = False
    assert gathered(values, valid, cuts=(20,)).identical() == ()


def test_what_stands_in_missing_samples_means_nothing():
    values = np.tile(stream(6, "gaps").normal(size=(50, 1)).astype(np.float32), (1, 2))
    valid = np.ones(values.shape, bool)
    valid[10:20] = False
    values[10:20, 0], values[10:20, 1] = 1e9, np.nan
    found = gathered(values, valid, cuts=(15,))
    assert found.identical() == ((0, 1),)
    assert found.maximum[0] < 10


def test_weights_belong_to_places():
    whole = place_weights(0, 100)
    np.testing.assert_array_equal(np.append(place_weights(0, 33), place_weights(33, 67)), whole)
    assert np.unique(whole).size == 100
    assert np.all(whole % 2 == 1)
