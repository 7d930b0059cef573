"""Whole fits must not change with what does not matter: orders, names, scales, hidden values."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.simulate import simulate
from tests.support.trsa_fits import CONFIG, fitted


@pytest.fixture(scope="module")
def view():
    return simulate(stream(4, "invariance"))[0][0]


@pytest.fixture(scope="module")
def result(view):
    return fitted([view])


def with_units(view, units):
    return dataclasses.replace(
        view,
        unit=view.unit[units],
        region=view.region[units],
        stratum=view.stratum[units],
        position_um=view.position_um[units],
        responses=view.responses[:, units],
        valid=view.valid[:, units],
    )


def with_trials(view, trials):
    return dataclasses.replace(
        view,
        condition_of_trial=view.condition_of_trial[trials],
        fold=view.fold[trials],
        start_s=view.start_s[trials],
        responses=view.responses[trials],
        valid=view.valid[trials],
    )


def assert_same(one, other, *, atol=1e-9):
    np.testing.assert_allclose(other.dissimilarities, one.dissimilarities, atol=atol)
    np.testing.assert_allclose(other.halves.accuracy, one.halves.accuracy, atol=1e-6)
    np.testing.assert_allclose(other.halves.separation, one.halves.separation, atol=1e-6)
    np.testing.assert_array_equal(other.halves.separation_p, one.halves.separation_p)


def test_the_same_input_gives_the_same_output(view, result):
    again = fitted([view])
    np.testing.assert_array_equal(again.dissimilarities, result.dissimilarities)
    np.testing.assert_array_equal(again.halves.p, result.halves.p)
    np.testing.assert_array_equal(again.model_scores["p"], result.model_scores["p"])


def test_the_order_of_trials_does_not_matter(view, result):
    mixed = with_trials(view, stream(0, "trials").permutation(view.fold.size))
    assert_same(result, fitted([mixed]), atol=1e-7)


def test_numbers_of_folds_do_not_matter(view, result):
    assert_same(result, fitted([dataclasses.replace(view, fold=10 * view.fold + 7)]))


def test_the_scale_of_responses_does_not_matter(view, result):
    scaled = dataclasses.replace(view, responses=4 * view.responses)
    assert_same(result, fitted([scaled]), atol=1e-7)


def test_what_stands_in_missing_entries_does_not_matter(view):
    valid = view.valid.copy()
    valid[stream(0, "gaps").random(valid.shape) < 0.02] = False
    fits = [
        fitted([dataclasses.replace(view, valid=valid, responses=view.responses + fill * ~valid)])
        for fill in (0, 50)
    ]
    np.testing.assert_allclose(fits[0].dissimilarities, fits[1].dissimilarities, atol=1e-5)


def test_the_order_of_conditions_moves_pairs_and_nothing_else(view, result):
    order = np.array([3, 1, 0, 2, 7, 6, 5, 4])
    place = np.argsort(order)
    moved = dataclasses.replace(
        view,
        condition=view.condition[order],
        condition_of_trial=place[view.condition_of_trial],
        properties=view.properties.iloc[order].reset_index(drop=True),
    )
    other = fitted([moved])
    from pipeline.numerics.dissimilarity import squared_form

    np.testing.assert_allclose(
        squared_form(other.dissimilarities),
        squared_form(result.dissimilarities)[..., order, :][..., order],
        atol=1e-8,
    )
    np.testing.assert_allclose(other.halves.accuracy, result.halves.accuracy, atol=1e-6)
    np.testing.assert_allclose(other.model_scores["score"], result.model_scores["score"])


def test_units_of_another_region_do_not_change_a_region(view, result):
    alone = fitted([with_units(view, np.flatnonzero(view.region == "VISl"))])
    np.testing.assert_allclose(alone.dissimilarities[:, 0], result.dissimilarities[:, 1], atol=1e-9)
    assert alone.halves is None
    assert alone.halves_missing == "fewer than two regions have 12 units or more"


def test_a_copy_of_a_recording_under_another_name_tells_the_same(view, result):
    twice = fitted([view, dataclasses.replace(view, recording="other")])
    np.testing.assert_allclose(twice.dissimilarities[:, :3], result.dissimilarities)
    np.testing.assert_allclose(twice.dissimilarities[:, 3:], result.dissimilarities)


def test_levels_of_the_map_are_those_asked_for(view):
    fine = fitted([view], CONFIG.model_copy(update={"level_step": 0.5}))
    assert fine.level_bounds.tolist() == [[0, 0], [0, 0.5], [0, 1], [0.5, 0.5], [0.5, 1]]
