"""Order, names and scales of units do not matter; nor does anything but the seed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.methods.celltypes.ascent import Ascent, initial_stimuli
from pipeline.methods.celltypes.clustering import Rule, alternate, held_out, without_empty
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.evidence import (
    Run,
    choose,
    reappearance,
    scaled_confusion,
    session_association,
    similar_order,
    verdicts,
)
from pipeline.methods.celltypes.model import find_types
from pipeline.numerics.partitions import adjusted_rand_index
from tests.support.planted_units import planted_filters, population_of

RNG = np.random.default_rng


def types_of(who, seed=0):
    strata = np.zeros(len(who.points), dtype=np.int64)
    return find_types(who, CelltypesConfig(), n_start=4, strata=strata, rng=RNG(seed))


def test_the_same_seed_gives_the_same_types_and_stimuli():
    filters, _ = planted_filters(RNG(1), [15, 15, 15])
    first, second = types_of(population_of(filters)), types_of(population_of(filters))
    np.testing.assert_array_equal(first.clustering.labels, second.clustering.labels)
    np.testing.assert_array_equal(first.clustering.stimuli, second.clustering.stimuli)


def test_gain_and_order_of_units_do_not_matter():
    filters, labels = planted_filters(RNG(2), [15, 15, 15])
    order = RNG(3).permutation(45)
    gain = RNG(4).uniform(0.5, 3, 45)[:, None, None]
    plain = types_of(population_of(filters, nonlinearity="identity"))
    other = types_of(population_of((gain * filters)[order], nonlinearity="identity"))
    assert adjusted_rand_index(plain.clustering.labels[order], other.clustering.labels) == 1
    assert adjusted_rand_index(plain.clustering.labels, labels) == 1


def test_held_out_units_shape_no_stimulus():
    filters, labels = planted_filters(RNG(5), [12, 12])
    who = population_of(filters)
    driving = ~held_out(labels, 0.25, RNG(0))
    changed = filters.copy()
    changed[~driving] = RNG(6).standard_normal(changed[~driving].shape)
    rule = Rule(
        temperature=1.6,
        ascent=Ascent(steps=10),
        polish=Ascent(steps=10),
        max_iterations=3,
    )
    start = who.engine.project(initial_stimuli((2, *who.shape), RNG(1), smooth=True))
    runs = [
        alternate(one.engine, labels, start, rule, driving=driving, rng=RNG(0))
        for one in (who, population_of(changed))
    ]
    np.testing.assert_array_equal(runs[0].stimuli, runs[1].stimuli)
    np.testing.assert_array_equal(runs[0].labels[driving], runs[1].labels[driving])


def test_a_wrong_number_of_labels_is_refused():
    who = population_of(planted_filters(RNG(5), [4, 4])[0])
    rule = Rule(temperature=1.6, ascent=Ascent(steps=1), polish=Ascent(steps=1), max_iterations=1)
    with pytest.raises(ValueError, match="7 labels for 8 units"):
        alternate(
            who.engine,
            np.zeros(7, dtype=np.int64),
            np.zeros((1, *who.shape), dtype=np.float32),
            rule,
            driving=np.ones(8, dtype=bool),
            rng=RNG(0),
        )


def test_units_of_clusters_without_driving_units_go_to_the_best_of_the_others():
    labels = np.array([0, 2, 2, 3, -1])
    driving = np.array([True, True, True, False, True])
    responses = np.array(
        [[1, 0, 0, 5, 9], [9, 9, 9, 9, 9], [0, 1, 1, 4, 9], [0, 0, 0, 9, 9]], dtype=float
    )
    found, kept = without_empty(labels, responses, driving)
    np.testing.assert_array_equal(kept, [0, 2])
    np.testing.assert_array_equal(found, [0, 1, 1, 0, -1])


def test_the_run_that_stands_for_all_is_of_the_most_frequent_number():
    two, three = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    runs = [
        Run(name="a", labels=two, objective=9.0),
        Run(name="b", labels=three, objective=1.0),
        Run(name="c", labels=three[::-1].copy(), objective=2.0),
    ]
    assert choose(runs).name == "c"
    assert choose(runs[:1]).name == "a"


def test_overlap_with_other_clusterings_and_verdicts():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2])
    other = np.array([4, 4, 4, 4, 4, 1, 1, 1, 0, 0, 0, -1])
    found = reappearance(labels, [labels, other], 3)
    np.testing.assert_allclose(found, [1, (1 + 3 / 5) / 2, (1 + 1 / 3) / 2])
    assert np.isnan(reappearance(labels, [], 3)).all()
    pairs = np.full((3, 3), 0.95)
    np.fill_diagonal(pairs, np.nan)
    told = {"least_pair": 0.7, "observed": 0.5, "null": np.array([0.1])}
    words = verdicts(np.array([5, 5, 2]), found, pairs, **told)
    assert words.tolist() == ["supported", "supported", "unconfirmed"]
    close = pairs.copy()
    close[0, 1] = close[1, 0] = 0.4
    words = verdicts(np.array([5, 5, 9]), np.array([1, 0.2, 1]), close, **told)
    assert words.tolist() == ["continuum", "continuum", "supported"]
    told["null"] = np.array([0.1, 0.6])
    assert set(verdicts(np.array([5, 5, 5]), found, pairs, **told)) == {"continuum"}


def test_types_that_are_recordings_are_seen():
    labels = np.repeat([0, 1], 30)
    found, p = session_association(labels, labels.copy(), RNG(0))
    assert found == pytest.approx(1)
    assert p == pytest.approx(1 / 200)
    found, p = session_association(labels, np.tile([0, 1], 30), RNG(0))
    assert abs(found) < 0.1
    assert p > 0.1
    assert np.isnan(session_association(labels, np.zeros(60, dtype=int), RNG(0))).all()


def test_confusion_is_over_the_own_answer_and_neighbours_are_alike():
    means = np.array([[4.0, 1.0, 3.0], [1.0, 2.0, 1.0], [3.0, 1.0, 4.0]])
    np.testing.assert_allclose(scaled_confusion(means).diagonal(), 1)
    assert scaled_confusion(means)[1, 0] == 0.25
    order = similar_order(means).tolist()
    assert abs(order.index(0) - order.index(2)) == 1
