"""Intervals over units and conditions of one recording."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from benchmarks.trsa_interval import GEOMETRY, calibration, recording
from pipeline.core.rng import stream
from pipeline.methods.trsa import halves, intervals


@pytest.fixture(scope="module")
def session():
    return recording(stream(0, "recording"), n_units=14, n_conditions=8, own=1.0)


@pytest.fixture(scope="module")
def splits(session):
    return halves.draw_splits(session, 3, stream(0, "splits"))


def test_drawing_everything_once_gives_what_is_seen(session, splits, monkeypatch):
    monkeypatch.setattr(intervals, "_drawn_units", lambda s, rng: np.ones(s.region.size))
    monkeypatch.setattr(intervals, "pair_weights", lambda condition: np.ones(28))
    found = intervals.resampled(session, 8, splits, 2, stream(0, "once"))
    order = halves.identity(splits)
    seen = halves.statistics(session, 8, splits, order, GEOMETRY).correlation[0]
    taken = halves.statistics(session, 8, splits, order, GEOMETRY).taken[0]
    for name in intervals.FACTORS:
        np.testing.assert_allclose(found[name][0], (seen + seen.T) / 2, atol=1e-9)
        np.testing.assert_allclose(found[intervals.TAKEN + name][0], taken, atol=1e-9)


def test_a_draw_is_that_of_copied_units_and_weighted_pairs(session, splits, monkeypatch):
    times = np.tile([0, 2, 1, 1], 7).astype(float)
    condition = np.array([2, 0, 1, 1, 1, 1, 2, 0])
    weight = intervals.pair_weights(condition.astype(float))
    monkeypatch.setattr(intervals, "_drawn_units", lambda s, rng: times)
    monkeypatch.setattr(intervals, "pair_weights", lambda c: weight)
    found = intervals.resampled(session, 8, splits, 1, stream(0, "copies"))["both"][0]
    expected = np.zeros((2, 2))
    units = halves.Units.of(session, 8, splits)
    for number, second in enumerate(splits.fold_half):
        distances = units.halves(second)
        half = splits.unit_half[number]
        ranks = []
        for one, used in zip(distances, (~half, half), strict=True):
            for region in (0, 1):
                own = np.flatnonzero(used & (splits.region == region))
                copies = np.repeat(own, times[own].astype(int))
                ranks.append(rankdata(one[copies].mean(axis=0)))
        drawn = np.repeat(np.arange(28), weight.astype(int))
        both = np.corrcoef(np.array(ranks)[:, drawn])[:2, 2:]
        expected += (both + both.T) / (2 * 3)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_units_are_drawn_within_their_region(splits):
    times = intervals._drawn_units(splits, stream(0, "drawn"))
    assert [int(times[splits.region == region].sum()) for region in (0, 1)] == [14, 14]


def test_the_interval_is_around_what_is_seen():
    rng = stream(0, "around")
    both, units, conditions = (s * rng.standard_normal(4000) + 9 for s in (1.5, 1.0, 0.8))
    draws = {"both": both, "units": units, "conditions": conditions}
    found = intervals.interval(0.3, draws, n_units=10, n_conditions=12)
    assert (found.low + found.high) / 2 == pytest.approx(0.3)
    assert 1.0 < found.se < 1.6


def test_the_interval_of_a_share_is_a_part_of_0_to_1_and_none_where_nothing_varies():
    draws = {name: np.tile([0.5, 1.0], 20) for name in intervals.FACTORS}
    found = intervals.share_interval(0.9, draws, n_units=10, n_conditions=12)
    assert 0 < found.low < 0.9
    assert found.high == 1.0
    same = {name: np.array([1.0, np.nan, 1.0]) for name in intervals.FACTORS}
    assert np.isnan(intervals.share_interval(1.0, same, n_units=10, n_conditions=12).low)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accuracy", "decoded"])
def test_intervals_of_shares_are_as_wide_as_recordings_differ(kind):
    _, _, ratio, coverage = calibration(
        40, n_units=16, n_conditions=12, own=1.0, n_draws=60, kind=kind
    )
    assert 0.7 <= ratio <= 2.2
    assert coverage >= 0.85


@pytest.mark.slow
def test_intervals_are_as_wide_as_recordings_differ():
    _, _, ratio, coverage = calibration(40, n_units=16, n_conditions=12, own=1.0, n_draws=60)
    # A standard deviation over 40 recordings is known to within 11 %.
    assert 0.7 <= ratio <= 1.5
    assert coverage >= 0.85
