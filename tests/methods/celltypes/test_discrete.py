"""Types from stimuli that were shown: exact small cases, planted types, and halves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.methods.celltypes.discrete import (
    compared,
    discrete_types,
    fit,
    information,
    normalised,
    shown,
)
from pipeline.methods.celltypes.objective import assign, cluster_means, membership, objective
from pipeline.numerics.partitions import adjusted_rand_index

RNG = np.random.default_rng


def planted(rng, *, n_types=4, n_each=20, n_stimuli=24, n_showings=6, noise=1.0):
    """Units of types with tunings of their own, and noisy answers to every showing."""
    tuning = rng.standard_normal((n_stimuli, n_types)) ** 2
    labels = np.repeat(np.arange(n_types), n_each)
    condition = np.concatenate([rng.permutation(n_stimuli) for _ in range(n_showings)])
    answers = tuning[condition][:, labels]
    return answers + noise * rng.standard_normal(answers.shape), condition, labels


def names(n):
    return np.array([f"s{index}" for index in range(n)])


def settings(**changed):
    return {
        "n_types": None,
        "max_types": 8,
        "n_restarts": 30,
        "temperature": 1.0,
        "distinct": True,
        "tolerance": 0.05,
        "rng": RNG(0),
    } | changed


def test_the_fit_is_the_best_of_all_fixed_points():
    rng = RNG(1)
    responses = rng.standard_normal((4, 6))
    near = np.eye(4, dtype=bool)
    found = fit(responses, 2, near=near, n_restarts=60, temperature=1.0, distinct=True, rng=RNG(0))
    best = -np.inf
    for labels in itertools.product(range(2), repeat=6):
        labels = np.array(labels)
        if len(set(labels.tolist())) < 2:
            continue
        scores = objective(cluster_means(responses, membership(labels, 2)), 1.0)
        pairs = list(itertools.permutations(range(4), 2))
        values = [scores[a, 0] + scores[b, 1] for a, b in pairs]
        pair = np.array(pairs[int(np.argmax(values))])
        if np.array_equal(assign(responses[pair], labels), labels):
            best = max(best, max(values) / 2)
    assert found.objective.mean() == pytest.approx(best)


def test_planted_types_are_found_with_their_number():
    answers, condition, labels = planted(RNG(2))
    seen = shown(answers, condition, names(24))
    found = discrete_types(seen, **settings())
    assert len(found.chosen.stimuli) in (4, 5)
    assert adjusted_rand_index(found.chosen.labels, labels) > 0.95
    assert len(set(found.chosen.stimuli.tolist())) == 4
    row = found.scan.set_index("n_types").loc[4]
    assert row["retyping_ari"] > 0.9
    assert row["objective_other_half"] > 0.5


def test_the_objective_alone_would_take_too_many():
    answers, condition, _ = planted(RNG(3), noise=2.0)
    found = discrete_types(shown(answers, condition, names(24)), **settings())
    scan = found.scan.set_index("n_types")
    assert scan["objective"].loc[6:8].min() > scan["objective"].loc[4] + 0.01
    assert len(found.chosen.stimuli) in (4, 5)


def test_halves_of_noise_say_nothing_about_each_other():
    rng = RNG(4)
    answers = rng.standard_normal((6 * 20, 80))
    condition = np.tile(np.arange(20), 6)
    scan = discrete_types(shown(answers, condition, names(20)), **settings()).scan
    assert scan["objective"].min() > 0.2
    assert scan["retyping_information"].abs().max() < 0.1
    assert scan["retyping_ari"].abs().max() < 0.1
    assert scan["objective_other_half"].abs().max() < 0.2


def test_halves_are_every_other_showing_and_unknown_answers_are_left_out():
    responses = np.array([[1.0, 1.0], [5.0, np.nan], [3.0, 4.0], [7.0, 8.0], [5.0, 6.0]])
    seen = shown(responses, np.array([0, 1, 0, 1, 0]), names(2))
    np.testing.assert_array_equal(seen.halves[0], [[3.0, 3.5], [5.0, np.nan]])
    np.testing.assert_array_equal(seen.halves[1], [[3.0, 4.0], [7.0, 8.0]])
    np.testing.assert_array_equal(seen.whole, [[3.0, 11 / 3], [6.0, 8.0]])
    np.testing.assert_array_equal(seen.n_showings, [3, 1])


def test_silent_and_rarely_seen_units_have_no_type_and_change_nothing():
    answers, condition, _ = planted(RNG(5), n_types=3)
    seen = discrete_types(shown(answers, condition, names(24)), **settings(n_types=3))
    silent = np.zeros((len(answers), 1))
    rare = np.where(condition < 10, 1.0, np.nan)[:, None]
    more = discrete_types(
        shown(np.hstack([answers, silent, rare]), condition, names(24)), **settings(n_types=3)
    )
    np.testing.assert_array_equal(more.chosen.labels[:-2], seen.chosen.labels)
    np.testing.assert_array_equal(more.chosen.labels[-2:], [-1, -1])
    assert np.isnan(normalised(silent)).all()


def test_scale_and_order_of_units_do_not_matter():
    answers, condition, _ = planted(RNG(6))
    order = RNG(0).permutation(answers.shape[1])
    gain = RNG(1).uniform(0.1, 10, answers.shape[1])
    first = discrete_types(shown(answers, condition, names(24)), **settings(n_types=4))
    second = discrete_types(
        shown((gain * answers + 3)[:, order], condition, names(24)), **settings(n_types=4)
    )
    assert adjusted_rand_index(first.chosen.labels[order], second.chosen.labels) == 1
    assert first.chosen.objective.mean() == pytest.approx(second.chosen.objective.mean())


def test_neighbouring_pieces_of_a_movie_do_not_serve_two_types():
    answers, condition, _ = planted(RNG(7), n_stimuli=30)
    start_s = 0.3 * np.arange(30)
    found = discrete_types(shown(answers, condition, names(30), start_s), **settings(n_types=4))
    chosen = np.sort(start_s[found.chosen.stimuli])
    assert np.diff(chosen).min() >= 1.0


def test_information_is_that_of_the_joint_distribution():
    labels = np.tile([0, 1, 2], 40)
    assert information(labels, labels, 3) == pytest.approx(np.log(3) - 4 / 240)
    crossed = np.repeat([0, 1, 2], 40)
    assert information(labels, crossed, 3) == pytest.approx(-4 / 240, abs=0.01)
    rng = RNG(8)
    drawn = [information(rng.integers(0, 4, 150), rng.integers(0, 4, 150), 4) for _ in range(200)]
    assert abs(np.mean(drawn)) < 0.003  # unbiased for labels that say nothing


def test_too_little_to_tell_is_refused():
    with pytest.raises(ValueError, match="two of each"):
        discrete_types(shown(np.ones((4, 1)), np.array([0, 1, 0, 1]), names(2)), **settings())


def test_comparison_reads_labels_of_one_half_on_the_other():
    responses = np.array([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    chosen = fit(
        responses,
        2,
        near=np.eye(2, dtype=bool),
        n_restarts=5,
        temperature=1.0,
        distinct=True,
        rng=RNG(0),
    )
    found = compared([chosen, chosen], [responses, responses], 1.0)
    assert found["retyping_ari"] == found["independent_ari"] == 1
    assert found["objective_other_half"] == pytest.approx(np.log(2) - np.log1p(np.exp(-2.0)))
