"""Representations along time: planted onsets, and agreement with single windows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa import halves
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.courses import separations
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.time_figures import trajectories
from pipeline.numerics.dissimilarity import condensed_form
from tests.support.trsa_fits import CONFIG, fitted

N_BINS, ONSET = 6, 3


@pytest.fixture(scope="module")
def view():
    """Noise like that of the responses until the third bin, and the responses from then on."""
    one = simulate(stream(6, "courses"))[0][0]
    rng = stream(6, "before")
    bins = [rng.permutation(one.responses, axis=0) for _ in range(ONSET)]
    bins += [one.responses] * (N_BINS - ONSET)
    return dataclasses.replace(
        one, time_bin=0.1 * (np.arange(N_BINS) + 0.5), courses=np.stack(bins, axis=2)
    )


@pytest.fixture(scope="module")
def result(view):
    return fitted([view])


def test_regions_separate_from_the_onset_on(result):
    found = result.courses
    good = found.stretches[found.stretches["p"] <= 0.05]
    assert len(good) == 1
    assert good["start_s"].iloc[0] == pytest.approx(0.1 * ONSET)
    assert good["stop_s"].iloc[0] == pytest.approx(0.1 * N_BINS)
    assert (found.p[0, ONSET:] <= 0.05).all()
    assert np.abs(found.chance).max() < 0.1


def test_reliability_is_there_from_the_onset_on_and_lasts(result):
    tuned = result.populations["region"].isin(["VISp", "VISl"]).to_numpy()
    matrices = result.courses.reliability[tuned]
    assert np.abs(matrices[:, :ONSET, :ONSET]).mean() < 0.15
    assert (matrices[:, ONSET:, ONSET:] > 0.1).all()
    np.testing.assert_allclose(matrices, np.swapaxes(matrices, 1, 2))


def test_a_bin_that_is_the_window_is_like_the_window(view, result):
    np.testing.assert_allclose(
        result.courses.dissimilarities[:, ONSET], result.dissimilarities[0], atol=1e-6
    )
    sample = sample_of([view], TrsaConfig())
    session = sample.sessions[0]
    splits = halves.draw_splits(session, 4, stream(0, "few"))
    orders = halves.relabellings(session, splits, 3, stream(0, "orders"))
    one = separations(session, sample, splits, orders)[:, -1]
    other = halves.statistics(session, 8, splits, orders, np.array([[0.0, 1.0]])).separation
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("estimator", ["correlation", "euclidean2"])
def test_other_estimators_have_courses_too(view, estimator):
    config = CONFIG.model_copy(update={"estimators": [estimator], "n_permutations": 19})
    found = fitted([view], config)
    np.testing.assert_allclose(
        found.courses.dissimilarities[:, ONSET], found.dissimilarities[0], atol=1e-5
    )


def test_a_bin_without_responses_is_missing_and_harms_nothing(view):
    courses = view.courses.copy()
    courses[:, :, 0] = 0
    config = CONFIG.model_copy(update={"estimators": ["correlation"], "n_permutations": 19})
    found = fitted([dataclasses.replace(view, courses=courses)], config).courses
    assert np.isnan(found.dissimilarities[:, 0]).all()
    assert np.isfinite(found.dissimilarities[:, ONSET]).all()


def test_without_time_bins_there_are_no_courses(view):
    config = CONFIG.model_copy(update={"n_permutations": 19})
    assert fitted([dataclasses.replace(view, time_bin=None, courses=None)], config).courses is None
    other = dataclasses.replace(
        view, recording="other", time_bin=view.time_bin + 0.05, courses=view.courses
    )
    assert fitted([view, other], config).courses is None


def test_trajectories_do_not_turn_by_themselves():
    rng = stream(0, "turn")
    points = rng.standard_normal((7, 2))
    steps = []
    for angle in np.linspace(0, 3, 5):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = points @ turn
        steps.append(condensed_form(np.square(moved[:, None] - moved[None]).sum(axis=2)))
    found = trajectories(np.array(steps))
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=1e-9)


def test_a_bin_with_a_missing_pair_is_blank_and_turns_no_other():
    rng = stream(0, "blank")
    whole = rng.random((4, 10))
    gone = np.insert(whole, [0, 2], np.nan, axis=0)
    gone[3, 1:] = 1.0
    found = trajectories(gone)
    assert np.isnan(found[[0, 3]]).all()
    np.testing.assert_array_equal(found[[1, 2, 4, 5]], trajectories(whole))
