"""Behaviour under an overview: what the samples are, and where they are missing."""

import dataclasses

import numpy as np
import pytest

from pipeline.core.recording import BehaviourSeries
from pipeline.core.rng import stream
from pipeline.report.behaviour import (
    MOST_CHANNELS,
    MOST_SERIES,
    STEPS,
    behaviour_panels,
    bin_series,
    chosen_series,
)
from pipeline.report.overview import overview
from pipeline.viz.draw import draw_figure
from tests.support.small_recordings import calcium, spikes


def series(values, *, rate_hz=10.0, unit="cm/s", start=0.0):
    values = np.asarray(values, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    return BehaviourSeries(
        values=values, time=start + np.arange(len(values)) / rate_hz, value_unit=unit
    )


def behaving(recording, **found):
    return dataclasses.replace(recording, behaviour=found)


def test_a_bin_holds_the_mean_and_the_range_of_its_samples():
    time = np.array([0.0, 0.5, 1.0, 1.1, 1.9, 2.5])
    values = np.array([0.0, 2.0, 10.0, 4.0, 1.0, np.nan])
    found = bin_series(time, values, np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found.mean, [1, 5, np.nan])
    np.testing.assert_allclose(found.least, [0, 1, np.nan])
    np.testing.assert_allclose(found.greatest, [2, 10, np.nan])
    assert found.several


def test_a_short_peak_that_a_mean_would_hide_is_in_the_range():
    values = np.zeros(100_000)
    values[54_321] = 30.0
    found = bin_series(np.arange(100_000) / 1000, values, np.linspace(0, 100, 101))
    assert np.flatnonzero(found.greatest == 30.0).tolist() == [54]
    assert found.mean.max() < 0.1


def test_slow_samples_are_joined_by_lines_that_end_where_samples_are_missing():
    values = np.array([0.0, 2.0, 4.0, np.nan, 8.0, 10.0])
    found = bin_series(np.arange(6.0), values, np.arange(-0.25, 5.5, 0.5))
    np.testing.assert_allclose(found.mean[:5], [0, 1, 2, 3, 4])
    assert np.isnan(found.mean[5:8]).all()
    np.testing.assert_allclose(found.mean[8:], [8, 9, 10])
    assert not found.several


def test_nothing_is_drawn_before_the_first_and_behind_the_last_sample():
    found = bin_series(np.array([2.0, 3.0]), np.array([1.0, 2.0]), np.arange(0.0, 7.0))
    np.testing.assert_array_equal(np.isnan(found.mean), [1, 1, 0, 0, 1, 1])


def test_rounding_is_finer_than_can_be_seen():
    values = stream(0, "speed").standard_normal(500)
    found = bin_series(np.arange(500) / 10, values, np.arange(501) / 10 - 0.05)
    np.testing.assert_allclose(found.mean, values, atol=0.5 * np.ptp(values) / STEPS + 1e-12)


def test_what_readers_look_for_comes_first_and_what_does_not_change_is_left_out():
    wave = np.sin(np.arange(50))
    found = {
        "lamp": series(np.ones(50)),
        "posture": series(np.stack([wave] * 30, axis=1)),
        "body_angle": series(wave),
        "angular_velocity": series(wave),
        "later": series(wave, start=100.0),
        "pupil_area": series(wave),
        "velocity": series(wave),
    }
    edges = np.linspace(0, 5, 6)
    chosen = chosen_series(found, edges, most=10)
    assert list(chosen) == [
        *("velocity", "pupil_area", "body_angle", "angular_velocity", "posture")
    ]
    assert list(chosen_series(found, edges, most=2)) == ["velocity", "pupil_area"]


@pytest.mark.parametrize("make", [calcium, spikes])
def test_panels_of_behaviour_end_where_the_activity_ends(make):
    figure = overview(behaving(make(), running_speed=series(np.arange(200.0))))
    heat, panel = figure.panels
    half = (heat.x[1] - heat.x[0]) / 2
    assert panel.x_limits == pytest.approx((heat.x[0] - half, heat.x[-1] + half))
    np.testing.assert_allclose(panel.x, heat.x)
    assert (panel.title, panel.y_title) == ("running_speed", "cm/s")
    assert ", above curves of running_speed." in figure.alt


def test_the_caption_says_what_is_drawn_and_what_is_left_out():
    wave = np.sin(np.arange(100))
    several = {f"angle_{at}": series(wave) for at in range(5)}
    figure = overview(behaving(calcium(), **several))
    assert len(figure.panels) == 1 + MOST_SERIES
    assert "(3 of 5 series)" in figure.caption
    assert "every sample, joined by lines" in figure.caption

    fast = series(np.stack([np.sin(np.arange(1000)) + at for at in range(5)], 1), rate_hz=100.0)
    figure = overview(behaving(calcium(), position=fast))
    assert len(figure.panels[1].lines) == MOST_CHANNELS
    assert "Of position the first 3 channels are shown." in figure.caption
    assert "from the least to the greatest sample" in figure.caption


def test_without_behaviour_nothing_is_said_of_it():
    figure = overview(calcium())
    assert len(figure.panels) == 1
    assert "behaviour" not in figure.caption


def test_many_recordings_on_a_page_show_fewer_series_each():
    wave = np.sin(np.arange(100))
    one = behaving(calcium(), **{f"angle_{at}": series(wave) for at in range(5)})
    edges = np.linspace(0, 10, 11)
    assert [
        len(behaviour_panels(one, edges, n_recordings=count)) for count in (1, 6, 9, 18, 100)
    ] == [3, 3, 2, 1, 1]


def test_on_paper_its_axis_is_that_of_the_activity():
    figure = overview(behaving(calcium(), running_speed=series(np.arange(200.0))))
    text = draw_figure(figure)
    assert "running_speed" in text
    assert text.count("Time (s)") == 2
