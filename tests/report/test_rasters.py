"""Rasters of example units hold the spikes that are there."""

import numpy as np
import pytest

from pipeline.core.parts import Figure
from pipeline.core.rng import stream
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from pipeline.report.data_section import data_section
from pipeline.report.example_units import choose
from pipeline.report.rasters import even_sweeps, raster_figures, spikes_in, trial_sweeps
from pipeline.viz.draw import draw_figure
from tests.support.captions import lacking
from tests.support.small_recordings import calcium, intervals, recording, trains

SECONDS = 200.0


def made(*, trials=None, observed=((0.0, SECONDS),)):
    rng = stream(1, "rasters")
    units = [np.sort(rng.uniform(0, SECONDS, n)) for n in (900, 1000, 1100, 40, 0)]
    source = recording(trains(units, observed=observed), trials=trials)
    record, grades, _ = grade_units(source, QualityConfig())
    return record, grades


def alternating(count, *, labels=("b", "a")):
    rows = [(4.0 * k + 1, 4.0 * k + 2, labels[k % 2]) for k in range(count)]
    return intervals(rows, "condition")


def test_rows_are_trials_by_condition_with_every_spike_in_its_bin():
    record, grades = made(trials=alternating(6))
    (figure,) = raster_figures(record, grades)
    panel = figure.panels[0]
    assert panel.y_labels == ("a", "a", "a", "b", "b", "b")
    unit = choose(record, grades)[0].unit
    train = record.activity.of_unit(unit)
    starts = [5.0, 13.0, 21.0, 1.0, 9.0, 17.0]
    for row, start in enumerate(starts):
        inside = train[(train >= start - 0.2) & (train < start + 1)] - start
        expected = np.histogram(inside, np.linspace(-0.2, 1.0, 101))[0]
        np.testing.assert_array_equal(panel.values[row], expected)
    assert panel.x[0] == pytest.approx(-0.194)
    assert "the trials, sorted by condition, from 0.2 s before their start" in figure.caption
    assert lacking(figure.caption) == []
    assert "<svg" in draw_figure(figure)


def test_many_trials_are_thinned_evenly_and_the_count_is_told():
    record, grades = made(trials=alternating(48))
    (figure,) = raster_figures(record, grades)
    assert len(figure.panels[0].values) == 40
    assert "40 of 48 trials" in figure.caption
    assert {label: figure.panels[0].y_labels.count(label) for label in "ab"} == {"a": 20, "b": 20}


def test_without_trials_rows_are_stretches_in_which_a_typical_unit_fires():
    record, grades = made()
    assert trial_sweeps(record) is None
    sweeps = even_sweeps(record.activity, [0, 1])
    length = sweeps.edges_s[-1]
    assert 10 <= 4.75 * length <= 25  # units fire at 4.5 and 5 Hz
    assert sweeps.start_s[0] == 0.0
    assert sweeps.start_s[-1] + length == pytest.approx(SECONDS)
    whole = spikes_in(record.activity, 1, sweeps).sum(axis=1)
    train = record.activity.of_unit(1)
    counted = [np.sum((train >= start) & (train < start + length)) for start in sweeps.start_s]
    np.testing.assert_array_equal(whole, counted)
    (figure,) = raster_figures(record, grades)
    assert "silent for good" in figure.caption


def test_what_was_not_observed_is_missing():
    record, grades = made(trials=alternating(6), observed=((0.0, 9.5), (12.0, SECONDS)))
    values = raster_figures(record, grades)[0].panels[0].values
    missing = np.isnan(values)
    assert missing[4, 60:].all()  # the trial at 9 s, from 9.5 s on
    assert not missing[4, :55].any()
    assert not missing[[0, 2, 3, 5]].any()


def test_made_up_times_are_told():
    times = np.concatenate([b + (np.arange(k) + 0.5) / k for b, k in enumerate([3, 2, 5, 4] * 40)])
    record, grades, _ = grade_units(
        recording(trains([times], observed=[(0.0, 160.0)])), QualityConfig()
    )
    (figure,) = raster_figures(record, grades)
    assert "Mind the times: spike times lie evenly spread inside bins of 1 s" in (figure.caption)


def test_the_section_shows_them_after_the_rates_and_only_for_spikes():
    record, grades = made()
    section = data_section([record], {}, grades={record.id: grades})
    figures = [part.id for part in section.body if isinstance(part, Figure)]
    at = figures.index(f"rasters-{record.id}")
    assert figures[at - 1] == f"examples-{record.id}"
    assert raster_figures(calcium(), grades) == []
