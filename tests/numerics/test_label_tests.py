"""Agreement of groupings: exact on a tiny case, planted, absent, and calibrated."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binom

from pipeline.core.rng import stream
from pipeline.numerics.label_tests import GroupedLabels, label_agreement, plane, thirds
from pipeline.numerics.partitions import adjusted_rand_index


def population(given, *found, stratum=None):
    given = np.asarray(given)
    return GroupedLabels(
        given=given,
        found=np.array(found),
        stratum=np.zeros(given.size, dtype=np.int64) if stratum is None else np.asarray(stratum),
    )


def agreement_of(*populations, n=199, least=4, rng=None):
    return label_agreement(
        populations, n_permutations=n, least=least, rng=rng or stream(0, "label test")
    )


def test_p_is_the_share_of_all_exchanges_that_agree_as_well():
    given, found = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])
    seen = adjusted_rand_index(given, found)
    every = [adjusted_rand_index(np.array(one), found) for one in permutations(given)]
    exact = np.mean(np.array(every) >= seen - 1e-12)
    found_by_draws = agreement_of(population(given, found), n=4000)
    assert found_by_draws.ari[0] == pytest.approx(seen)
    assert found_by_draws.p_value[0] == pytest.approx(exact, abs=0.03)


def test_equal_groupings_are_found_among_unrelated_candidates():
    rng = stream(1, "planted")
    labels = rng.integers(0, 4, 80)
    result = agreement_of(population(labels, rng.permutation(labels), (labels + 1) % 4), rng=rng)
    assert result.ari[1] == pytest.approx(1.0)
    assert result.p_value[1] == pytest.approx(1 / 200)
    assert result.p_value[0] > 0.05


def test_p_is_uniform_or_above_for_unrelated_groupings():
    """Three candidates that are alike, strata of unequal size, labels missing here and there."""
    n_runs, rng = 200, stream(2, "calibration")
    p = []
    for _ in range(n_runs):
        parts = []
        for n in (20, 30):
            found = rng.integers(0, 3, (3, n))
            found[1] = np.where(rng.random(n) < 0.8, found[0], found[1])
            found[2, rng.random(n) < 0.2] = -1
            parts.append(population(rng.integers(0, 3, n), *found, stratum=rng.integers(0, 2, n)))
        p.append(np.min(agreement_of(*parts, n=39, rng=rng).p_value))
    for level in (0.05, 0.1, 0.5):
        n_small = np.sum(np.array(p) <= level + 1e-9)
        assert binom.cdf(n_small - 1, n_runs, level) < 0.999, level
    assert np.mean(p) < 0.6


def test_what_strata_explain_is_no_agreement():
    """Both groupings follow the activity, and nothing else."""
    activity = np.linspace(0, 1, 90)
    labels = thirds(activity, least=30)
    noise = stream(3, "strata")
    noisy = [np.where(noise.random(90) < 0.3, noise.integers(0, 3, 90), labels) for _ in range(2)]
    assert agreement_of(population(noisy[0], noisy[1])).p_value[0] < 0.01
    assert agreement_of(population(noisy[0], noisy[1], stratum=labels)).p_value[0] > 0.05


def test_populations_count_by_their_items_and_small_ones_do_not():
    same = np.arange(12) % 3
    apart = population(np.arange(6) % 2, [[0, 0, 1, 1, 2, 2]][0])
    both = agreement_of(population(same, same), apart, least=4)
    first, second = (
        adjusted_rand_index(same, same),
        adjusted_rand_index(apart.given, apart.found[0]),
    )
    assert both.ari[0] == pytest.approx((12 * first + 6 * second) / 18)
    assert both.n_items[0] == 18
    assert agreement_of(population(same, same), apart, least=8).ari[0] == pytest.approx(1.0)


def test_nothing_is_compared_where_all_units_are_in_one_group():
    result = agreement_of(population([0] * 10, np.arange(10) % 2), least=4)
    assert np.isnan(result.ari[0])
    assert np.isnan(result.p_value[0])


def test_thirds_are_of_equal_size_and_unknown_values_stay_apart():
    level = np.r_[np.arange(30.0), np.nan]
    assert np.bincount(thirds(level, least=30)).tolist() == [10, 10, 10, 1]
    assert set(thirds(level, least=31)) == {0}


def smooth_labels(place, rng):
    """Two groups that are patches of tissue, by a random wave of long reach."""
    waves = rng.normal(0, 1.5, (6, 2))
    field = np.cos(place @ waves.T + rng.uniform(0, 2 * np.pi, 6)).sum(axis=1)
    return (field > np.median(field)).astype(np.int64)


def mapped_p(given, found, place, *, turn_maps, n, rng):
    one = GroupedLabels(
        given=given,
        found=found[None],
        stratum=np.zeros(given.size, dtype=np.int64),
        position=place,
    )
    return label_agreement([one], n_permutations=n, least=4, rng=rng, turn_maps=turn_maps).p_value[
        0
    ]


def test_patches_of_tissue_that_have_nothing_in_common_are_told_by_turned_maps_only():
    """Exchanges call smooth labels in agreement far too often; turned maps hardly."""
    rng, exchanged, turned = stream(4, "patches"), [], []
    for _ in range(100):
        place = rng.normal(0, 1, (80, 2))
        given, found = smooth_labels(place, rng), smooth_labels(place, rng)
        for values, turn in ((exchanged, False), (turned, True)):
            values.append(mapped_p(given, found, place, turn_maps=turn, n=39, rng=rng))
    assert np.mean(np.array(exchanged) <= 0.05) > 0.2
    assert binom.cdf(np.sum(np.array(turned) <= 0.05) - 1, 100, 0.05) < 0.999


def test_labels_that_are_the_map_are_found_by_turning_it():
    rng = stream(5, "map")
    place = rng.uniform(-1, 1, (120, 2))
    given = np.digitize(place[:, 0], [-0.4, 0.1]) + 3 * (place[:, 1] > 0.3)
    assert mapped_p(given, given, place, turn_maps=True, n=199, rng=rng) < 0.05


def test_positions_along_a_probe_are_no_map():
    rng = stream(6, "probe")
    depth = np.stack([rng.normal(0, 1, 50), rng.normal(0, 500, 50), np.full(50, np.nan)], axis=1)
    assert plane(depth, least=20) is None
    field = np.stack([rng.normal(0, 300, 50), rng.normal(0, 500, 50), np.full(50, np.nan)], axis=1)
    found = plane(field, least=20)
    assert found.shape == (50, 2)
    apart = np.linalg.norm(field[0, :2] - field[1, :2])
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(apart)
    assert plane(field, least=51) is None
    field[3, 0] = np.nan
    assert plane(field, least=20) is None
