"""Agreement over halves: exact on a tiny case, planted, absent, calibrated, invariant."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binom

from pipeline.core.rng import stream
from pipeline.numerics.crossed_labels import CrossedLabels, crossed_agreement
from pipeline.numerics.label_tests import GroupedLabels, label_agreement
from pipeline.numerics.partitions import adjusted_rand_index


def population(given, found, *, stratum=None, position=None):
    """Of each crossing the rows of both methods."""
    given, found = (
        tuple(np.atleast_2d(np.asarray(one)) for one in side) for side in (given, found)
    )
    n = given[0].shape[1]
    return CrossedLabels(
        given=given,
        found=found,
        stratum=np.zeros(n, dtype=np.int64) if stratum is None else np.asarray(stratum),
        position=position,
    )


def agreement_of(*populations, n=199, least=4, rng=None, **more):
    rng = rng or stream(0, "crossed test")
    return crossed_agreement(populations, n_permutations=n, least=least, rng=rng, **more)


A = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
B = np.array([[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]])
"""Labels of six units by two methods, each from both halves."""


def test_the_statistic_and_its_p_are_those_of_all_exchanges():
    """A from the first half meets B from the second and the reverse, under the same exchange."""

    def crossings(order):
        order = list(order)
        return [
            adjusted_rand_index(A[0, order], B[1]),
            adjusted_rand_index(A[1, order], B[0]),
        ]

    every = np.array([crossings(order) for order in permutations(range(6))])
    scaled = ((every - every.mean(axis=0)) / every.std(axis=0)).mean(axis=1)
    exact = np.mean(scaled >= scaled[0] - 1e-9)
    found = agreement_of(population(A, B[::-1]), n=3000)
    assert found.ari == pytest.approx(every[0].mean())
    assert found.chance == pytest.approx(every.mean(), abs=0.02)
    assert found.p_value == pytest.approx(exact, abs=0.03)
    assert found.best == ((0, 0), (0, 0))


def test_one_crossing_of_one_candidate_is_the_agreement_of_two_groupings():
    rng = stream(1, "one crossing")
    given, found = rng.integers(0, 3, (2, 60))
    stratum = rng.integers(0, 3, 60)
    crossed = agreement_of(
        population([given], [found], stratum=stratum), rng=stream(2, "the same draws")
    )
    plain = label_agreement(
        [GroupedLabels(given=given, found=found[None], stratum=stratum)],
        n_permutations=199,
        least=4,
        rng=stream(2, "the same draws"),
    )
    assert crossed.ari == pytest.approx(plain.ari[0])
    assert crossed.p_value == pytest.approx(plain.p_value[0])


def test_names_of_groups_and_which_half_is_first_do_not_matter():
    rng = stream(3, "invariance")
    truth = rng.integers(0, 3, 80)
    a, b = (np.stack([mixed(rng, truth, 0.5) for _ in range(2)]) for _ in range(2))
    plain = agreement_of(population(a, b[::-1]))
    swapped = agreement_of(population(a[::-1], b))
    renamed = agreement_of(population((a + 1) % 3, ((b + 2) % 3)[::-1]))
    assert swapped.ari == pytest.approx(plain.ari)
    assert swapped.p_value == pytest.approx(plain.p_value)
    assert (renamed.ari, renamed.p_value) == pytest.approx((plain.ari, plain.p_value))


def mixed(rng, truth, noise):
    """Labels of which some are drawn anew."""
    return np.where(rng.random(truth.size) < noise, rng.integers(0, 3, truth.size), truth)


def test_what_both_methods_keep_over_halves_is_found_among_candidates():
    rng = stream(4, "planted")
    truth = rng.integers(0, 3, 60)
    noise = rng.integers(0, 3, (2, 60))
    given = [mixed(rng, truth, 0.3), mixed(rng, truth, 0.3)]
    found = [np.stack([noise[0], mixed(rng, truth, 0.3)]), np.stack([mixed(rng, truth, 0.3)])]
    result = agreement_of(population(given, found))
    assert result.p_value == pytest.approx(1 / 200)
    assert result.best == ((0, 1), (0, 0))  # candidates need not be as many, nor in one order
    assert result.ari > 0.2 > result.chance_high > result.chance


def noisy_halves(rng, n):
    """Two methods that both follow the noise of a half, which is another in the other half."""
    noise = rng.integers(0, 3, (2, n))
    a, b = (np.stack([mixed(rng, one, 0.2) for one in noise]) for _ in range(2))
    a[:, rng.random(n) < 0.1] = -1
    return a, b


def test_noise_that_methods_share_within_a_half_is_no_agreement_over_halves():
    n_runs, rng = 80, stream(5, "calibration")
    p, same = [], []
    for _ in range(n_runs):
        parts, of_same = [], []
        for n in (24, 36):
            a, b = noisy_halves(rng, n)
            found = [np.stack([one, mixed(rng, one, 0.5)]) for one in b[::-1]]
            stratum = rng.integers(0, 2, n)
            parts.append(population(a, found, stratum=stratum))
            of_same.append(population(a[:1], b[:1], stratum=stratum))
        p.append(agreement_of(*parts, n=19, rng=rng).p_value)
        if len(same) < 10:
            same.append(agreement_of(*of_same, n=39, rng=rng).p_value)
    for level in (0.05, 0.1, 0.5):
        n_small = np.sum(np.array(p) <= level + 1e-9)
        assert binom.cdf(n_small - 1, n_runs, level) < 0.999, level
        assert binom.sf(n_small, n_runs, level) < 0.999, level
    assert np.mean(np.array(same) <= 0.05) == 1  # labels of the same half do agree


def test_units_without_a_label_stay_without_and_others_move_within_their_stratum():
    given = [[0, 0, 1, 1, -1, 0, 1, 0, 1, 1]]
    found = [[0, 0, 1, 1, 1, 0, 1, 0, 1, 1]]
    stratum = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    result = agreement_of(population(given, found, stratum=stratum), n=2000)
    # 4 choose 2 orders in the first stratum, 5 choose 2 in the second; so the reverse of both.
    assert result.p_value == pytest.approx(1 / 60, abs=0.01)
    assert result.ari == pytest.approx(1.0)


def test_a_map_that_both_halves_share_is_no_agreement_when_maps_are_turned():
    rng = stream(6, "maps")
    position = rng.uniform(-1, 1, (150, 2))

    def waves():
        """Groups of neighbours, alike in both halves of a method, unlike another method's."""
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        along = position @ [np.cos(angle), np.sin(angle)]
        return np.stack([(np.sin(3 * along + phase) > 0).astype(np.int64)] * 2)

    turned, exchanged = [], []
    for _ in range(20):
        one = population(waves(), waves(), position=position)
        turned.append(agreement_of(one, n=39, rng=rng, turn_maps=True).p_value)
        exchanged.append(agreement_of(one, n=39, rng=rng).p_value)
    assert np.mean(np.array(exchanged) <= 0.05) > 0.3
    assert np.mean(np.array(turned) <= 0.05) < 0.2


def test_a_recording_without_positions_does_not_keep_the_maps_of_others_from_turning():
    """Half of the recordings have groups of neighbours, the other half any; none agree."""
    rng = stream(8, "some maps")
    position = rng.uniform(-1, 1, (150, 2))
    p = {False: [], True: []}
    for _ in range(24):
        along = [position @ [np.cos(a), np.sin(a)] for a in rng.uniform(0, 2 * np.pi, 2)]
        first, second = (
            np.stack([(np.sin(3 * one + rng.uniform(0, 6)) > 0).astype(np.int64)] * 2)
            for one in along
        )
        plain = rng.integers(0, 2, (2, 2, 150))
        parts = population(first, second, position=position), population(plain[0], plain[1])
        for turn, found in p.items():
            found.append(agreement_of(*parts, n=39, rng=rng, turn_maps=turn).p_value)
    assert np.mean(np.array(p[False]) <= 0.05) > 0.3
    assert np.mean(np.array(p[True]) <= 0.05) < 0.15
    same = rng.integers(0, 2, (2, 150))
    alike = [population(same, same, position=position), population(same, same)]
    assert agreement_of(*alike, n=39, rng=rng, turn_maps=True).p_value == 1 / 40


def test_too_few_units_or_one_group_are_not_compared():
    same = [[0, 0, 0, 1, 1, 1]]
    assert np.isnan(agreement_of(population(same, same), least=7).p_value)
    one_group = agreement_of(population(same, [[2] * 6]))
    assert np.isnan(one_group.ari)
    assert one_group.best == (None,)
    untested = agreement_of(population(same, same), n=0)
    assert untested.ari == pytest.approx(1.0)
    assert np.isnan(untested.p_value)
