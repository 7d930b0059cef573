"""Association of components with epochs: by hand, on planted data, and where there is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d

from pipeline.core.rng import stream
from pipeline.methods.connectome.algorithm import affinity_problem
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.epochs import (
    combined_p,
    epoch_test,
    shift_test,
)
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.leave_one_out import leave_one_out
from pipeline.methods.connectome.simulate import simulate
from pipeline.numerics.courses import correlation_frames

CONFIG = ConnectomeConfig(rank=4, n_starts=4, max_iterations=200)
SEARCH = Search(n_starts=4, n_kept=1, max_iterations=200)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(3, "sim"), size="tiny")


def fit_of(views, config=CONFIG):
    alignment = align(views, config)
    problem = affinity_problem(alignment, config, threads=1)
    fit = factorise(problem, rank=config.rank, search=SEARCH, rng=stream(0, "fit"))[0]
    return problem, alignment, fit


def association(views, config=CONFIG):
    problem, alignment, fit = fit_of(views, config)
    return epoch_test(problem, alignment, fit, views, config, threads=1, rng=stream(0, "epochs")), (
        problem,
        alignment,
        fit,
    )


def slow_course(rng, n_frames, width):
    return np.maximum(gaussian_filter1d(rng.standard_normal((n_frames, 3)), width, axis=0), 0)


def test_contrasts_are_those_of_epochs_shifted_one_by_one():
    rng = stream(0, "shifts")
    course = rng.random((400, 2))
    inside = rng.random((400, 2)) < 0.2
    found = shift_test(course, inside, rng=rng)
    frames = np.arange(400)
    flat = np.stack([one - np.polyval(np.polyfit(frames, one, 1), frames) for one in course.T], 1)

    def difference(shift, component, label):
        moved = np.roll(inside[:, label], shift)
        return flat[moved, component].mean() - flat[~moved, component].mean()

    every = np.array([difference(shift, 1, 0) for shift in range(400)])
    assert found.contrast[1, 0] == pytest.approx(every[0] / every.std())
    np.testing.assert_allclose(found.shifted[:, 1, 0], every[1:] / every.std(), atol=1e-9)


def test_a_linear_drift_is_no_association():
    course = np.linspace(0, 1, 300)[:, None] + 1e-3 * stream(1, "drift").random((300, 1))
    late = (np.arange(300) > 250)[:, None]
    assert abs(shift_test(course, late, rng=stream(1, "drift")).contrast[0, 0]) < 3


def test_a_course_as_slow_as_its_recording_cannot_be_tested():
    slow = np.sin(np.linspace(0, 4, 300))[:, None]
    inside = (np.arange(300) < 60)[:, None]
    assert np.isnan(shift_test(slow, inside, rng=stream(2, "slow")).contrast).all()
    assert np.isnan(combined_p([np.ones((9, 1, 1))], [np.full((1, 1), np.nan)], rng=stream(0, "p")))


def test_a_label_that_fills_or_lacks_a_recording_says_nothing():
    course = stream(3, "full").random((200, 1))
    inside = np.stack([np.ones(200, bool), np.zeros(200, bool)], axis=1)
    assert np.isnan(shift_test(course, inside, rng=stream(3, "full")).contrast).all()


def test_correlation_time_of_white_and_of_smooth_noise():
    rng = stream(4, "noise")
    white = rng.standard_normal((4000, 1))
    assert correlation_frames(white)[0] < 1.5
    smooth = gaussian_filter1d(white, 10, axis=0)
    # A Gaussian filter of width s leaves an autocorrelation of width sqrt(2) s.
    assert correlation_frames(smooth)[0] == pytest.approx(np.sqrt(2 * np.pi) * 14.1, rel=0.3)


def test_signs_of_five_recordings_can_be_flipped_in_32_ways():
    contrast = [np.array([[value]]) for value in (1.0, 2.0, 3.0, 4.0, 5.0)]
    shifted = [np.zeros((3, 1, 1))] * 5
    p = combined_p(shifted, contrast, rng=stream(5, "flips"))
    assert p[0, 0] == pytest.approx(1 / 32, abs=0.01)


def test_planted_labels_are_followed_by_their_components_alone():
    views, truth = simulate(stream(3, "sim"), size="demo")
    config = CONFIG.model_copy(update={"rank": 8})
    found, (_, alignment, fit) = association(views, config)
    assert list(found.label) == list(truth.label)
    assert found.over_recordings
    columns = [list(truth.unit).index(name) for name in alignment.unit]
    one, other = np.triu_indices(alignment.unit.size, 1)
    for group, label in enumerate(truth.group_label):
        member = truth.member[group, columns]
        own = np.argmax((fit.pair * (member[one] & member[other])[:, None]).sum(axis=0))
        assert found.p_value[own, label] <= 0.05
        assert np.delete(found.p_value[own], label).min() > 0.5


def test_recordings_one_after_another_are_tested_on_their_own_courses(worms):
    views = tuple(
        dataclasses.replace(view, epochs=view.epochs.iloc[: 3 + index])
        for index, view in enumerate(worms[0])
    )
    found, (_, alignment, _) = association(views)
    assert alignment.mode == "concatenate"
    assert (found.p_value <= 0.05).any()


def test_without_epochs_there_is_no_test(worms):
    views = tuple(dataclasses.replace(view, epochs=view.epochs.iloc[:0]) for view in worms[0])
    assert association(views)[0] is None


def test_components_come_back_without_each_animal(worms):
    problem, alignment, fit = fit_of(worms[0])
    found = leave_one_out(problem, alignment, fit, CONFIG, rng=stream(0, "leave"))
    assert found.shape == (4, 3)
    assert np.median(found) > 0.6
    assert found.max() <= 1 + 1e-9
    one = fit_of(worms[0][:2])
    assert leave_one_out(*one, CONFIG, rng=stream(0, "leave")) is None


def independent_worms(rng, n_animals):
    """Units that do nothing together, under epochs that all animals share."""
    views = simulate(stream(3, "sim"), size="tiny")[0]
    made = []
    for index in range(n_animals):
        view = views[index % len(views)]
        events = (rng.random(view.valid.shape) < 0.02).astype(float)
        values = gaussian_filter1d(events, 1.5, axis=0) + 0.01 * rng.standard_normal(events.shape)
        order = rng.permutation(len(view.epochs))
        labels = pd.Series(view.epochs["label"].to_numpy()[order].tolist(), dtype="str")
        made.append(
            dataclasses.replace(
                view,
                recording=f"animal-{index}",
                values=values.astype(np.float32),
                valid=np.ones(values.shape, dtype=bool),
                epochs=view.epochs.assign(label=labels.to_numpy()),
            )
        )
    return tuple(made)


@pytest.mark.slow
@pytest.mark.parametrize("n_animals", [3, 6])
def test_independent_units_follow_an_epoch_as_seldom_as_the_level_says(n_animals):
    config = CONFIG.model_copy(update={"rank": 2, "theta": 0.1, "min_snr": 0.0})
    smallest = [
        np.nanmin(
            association(independent_worms(stream(seed, "null"), n_animals), config)[0].p_value
        )
        for seed in range(40)
    ]
    assert np.count_nonzero(np.array(smallest) <= 0.05) <= 5  # binomial, 98 %


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 8])
def test_slow_courses_follow_an_epoch_as_seldom_as_the_level_says(width):
    rng = stream(6, "null", str(width))
    n_found = 0
    for _ in range(60):
        inside = np.zeros((960, 2), dtype=bool)
        for label in range(2):
            for start in rng.integers(0, 900, size=3):
                inside[start : start + 40, label] = True
        one = shift_test(slow_course(rng, 960, width), inside, rng=rng)
        n_found += np.nanmin(combined_p([one.shifted], [one.contrast], rng=rng)) <= 0.05
    assert n_found <= 7  # binomial, 98 %
