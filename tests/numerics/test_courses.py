"""States beside courses: by hand, planted, absent and calibrated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binom

from pipeline.core.rng import stream
from pipeline.numerics.courses import (
    correlation_frames,
    detrended,
    noise_free_correlation_frames,
    states_and_courses,
)


def sticky(rng, n, stay=0.95, n_states=3):
    state = np.empty(n, dtype=np.int64)
    state[0] = 0
    jumps = rng.random(n) > stay
    for at in range(1, n):
        state[at] = rng.integers(n_states) if jumps[at] else state[at - 1]
    return state


def slow(rng, n, width=3):
    return gaussian_filter1d(rng.standard_normal((n, 2)), width, axis=0, mode="wrap")


def test_the_explained_share_is_that_of_an_analysis_of_variance():
    rng = stream(0, "anova")
    course, state = slow(rng, 400), sticky(rng, 400)
    flat = detrended(course)
    means = np.array([flat[state == k].mean(axis=0) for k in range(3)])
    within = ((flat - means[state]) ** 2).sum(axis=0)
    expected = 1 - within / (flat**2).sum(axis=0)
    np.testing.assert_allclose(states_and_courses(course, state).explained, expected, atol=1e-9)


def test_a_course_that_follows_states_is_found_and_another_is_not():
    rng = stream(1, "planted")
    state = sticky(rng, 800)
    course = slow(rng, 800)
    course[:, 0] += 0.5 * state
    found = states_and_courses(course, state)
    assert found.reason == ""
    assert found.p_value[0] < 0.01
    assert found.p_value[1] > 0.05


def test_p_is_about_uniform_for_unrelated_slow_courses():
    n_runs, rng = 300, stream(2, "calibration")
    p = np.array(
        [
            np.min(states_and_courses(slow(rng, 500), sticky(rng, 500)).p_value)
            for _ in range(n_runs)
        ]
    )
    for level in (0.05, 0.2, 0.5):
        assert binom.cdf(np.sum(p <= level) - 1, n_runs, level) < 0.999, level
        assert binom.cdf(np.sum(p <= level), n_runs, level) > 0.001, level


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (np.zeros(400, dtype=int), "one state"),
        (np.arange(400) // 100 % 2, "4 stretches"),
    ],
)
def test_what_shifts_cannot_tell_is_not_tested(state, words):
    found = states_and_courses(slow(stream(3, "few runs"), 400), state)
    assert words in found.reason
    assert np.isnan(found.p_value).all()


def test_a_course_that_is_too_slow_is_not_tested():
    found = states_and_courses(
        slow(stream(4, "drift"), 400, width=60), sticky(stream(4, "states"), 400)
    )
    assert "too slowly" in found.reason


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("every", [1, 4])
def test_noise_of_single_frames_and_their_width_hardly_matter_to_how_long_courses_stay_alike(
    noise, every
):
    rng = np.random.default_rng(0)
    hidden = np.zeros((4000, 60))
    keep = np.exp(-1 / 20)  # forgotten by a factor e in 20 frames
    for frame in range(1, 4000):
        hidden[frame] = keep * hidden[frame - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(60)
    seen = hidden + noise * rng.standard_normal(hidden.shape)
    coarse = seen.reshape(-1, every, 60).mean(axis=1)
    found = every * np.median(noise_free_correlation_frames(coarse))
    assert 30 < found < 50
    if (noise, every) == (3.0, 1):
        assert np.median(correlation_frames(coarse)) < 10  # what noise makes of it otherwise


def test_courses_of_noise_alone_stay_alike_for_a_frame():
    noise = np.random.default_rng(1).standard_normal((1000, 200))
    assert np.quantile(noise_free_correlation_frames(noise), 0.75) == 1
