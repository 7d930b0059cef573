# ruff: noqa: PD011 - the values here are arrays of our own records, not tables
import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.parts import REMARK, Span
from pipeline.core.rng import stream
from pipeline.core.unit_names import names_of_units
from pipeline.prepare.binned import bin_activity, nice_width
from pipeline.report.overview import (
    cells_allowed,
    covered,
    dividing,
    overview,
    scale_units,
    stretches,
    timeline_panel,
    unit_labels,
    unit_order,
)
from tests.support.captions import lacking
from tests.support.small_recordings import calcium, intervals, sampled, spikes, trains


@pytest.mark.parametrize(
    ("least", "width"), [(0.3, 0.5), (0.5, 0.5), (0.51, 1.0), (1.2, 2.0), (7, 10.0), (0.002, 0.002)]
)
def test_bins_have_widths_that_people_would_choose(least, width):
    assert nice_width(least) == pytest.approx(width)


def test_samples_are_averaged_over_valid_ones_in_each_bin():
    values = np.array([[1.0], [3.0], [100.0], [7.0]])
    valid = np.array([[True], [True], [False], [True]])
    activity = sampled(values, valid=valid, rate_hz=2.0)
    binned = bin_activity(activity, np.array([0]), columns=2)
    assert binned.width_s == 1.0
    np.testing.assert_allclose(binned.values, [[2.0, 7.0]])
    np.testing.assert_allclose(binned.centres, [0.25, 1.25])


def test_samples_that_fit_keep_their_own_times():
    activity = sampled(np.arange(8.0)[:, None], rate_hz=4.0)
    binned = bin_activity(activity, np.array([0]), columns=600)
    np.testing.assert_allclose(binned.values[0], np.arange(8.0))
    np.testing.assert_allclose(binned.centres, np.arange(8) / 4)


def test_a_gap_in_time_is_drawn_as_missing_and_not_closed():
    time = np.array([0.0, 1.0, 2.0, 6.0, 7.0])
    activity = sampled(np.ones((5, 1)), time=time)
    binned = bin_activity(activity, np.array([0]), columns=600)
    np.testing.assert_array_equal(np.isnan(binned.values[0]), [0, 0, 0, 1, 1, 1, 0, 0])


def test_more_units_than_one_batch_are_binned_alike():
    values = stream(0, "bins").standard_normal((50, 150))
    binned = bin_activity(sampled(values), np.arange(150), columns=600)
    np.testing.assert_allclose(binned.values, values.T, rtol=1e-6)


def test_spikes_are_counted_per_second_of_observed_time():
    activity = trains([[0.1, 0.2, 1.5], [9.5]], observed=[(0, 2), (8, 10)])
    binned = bin_activity(activity, np.array([0, 1]), columns=10)
    assert binned.width_s == 1.0
    unseen = [False, False, True, True, True, True, True, True, False, False]
    np.testing.assert_array_equal(np.isnan(binned.values[0]), unseen)
    np.testing.assert_allclose(binned.values[0, :2], [2.0, 1.0])
    np.testing.assert_allclose(binned.values[1, -2:], [0.0, 1.0])


def test_calcium_runs_from_0_at_the_5th_to_1_at_the_99th_percentile():
    values = np.linspace(-7, 90, 1001)[None, :].astype(np.float32)
    scaled = scale_units(values, sampled(np.ones((2, 1))))
    assert scaled.min() == 0.0
    assert scaled.max() == 1.0
    assert scaled[0, 525] == pytest.approx((0.525 - 0.05) / 0.94, abs=0.006)


def test_a_silent_and_a_missing_unit_do_not_disturb_the_others():
    values = np.stack([np.zeros(50), np.full(50, np.nan), np.linspace(0, 1, 50)]).astype("f4")
    scaled = scale_units(values, trains([[0.5]], observed=[(0, 1)]))
    np.testing.assert_array_equal(scaled[0], 0)
    assert np.isnan(scaled[1]).all()
    assert abs(scaled[2].mean()) < 0.05


def test_units_with_one_time_course_stand_together_within_their_region():
    rng = stream(0, "order")
    course = np.sin(np.arange(200) / 9)
    sign = np.array([1, -1, 1, -1, 1, -1])
    values = (sign[:, None] * course + 0.1 * rng.standard_normal((6, 200))).astype(np.float32)
    order = unit_order(values, np.array([""] * 6, dtype=object))
    assert len(set(sign[order][:3])) == 1
    regions = np.array(["b", "a", "b", "a", "a", "b"], dtype=object)
    assert regions[unit_order(values, regions)].tolist() == ["a", "a", "a", "b", "b", "b"]


def test_the_share_of_a_bin_inside_intervals_is_exact():
    binned = bin_activity(sampled(np.ones((5, 1))), np.array([0]), columns=600)
    table = pd.DataFrame({"start_s": [0.0, 2.25], "stop_s": [0.5, 10.0]})
    # Bins are centred at 0, 1, 2, 3, 4 s and one second wide.
    np.testing.assert_allclose(covered(table, binned), [0.5, 0, 0.25, 1, 1])


def test_the_timeline_has_a_row_for_each_epoch_and_condition_in_order_of_time():
    recording = calcium(
        epochs=intervals([(5, 10, "late"), (0, 5, "early")], "label"),
        trials=intervals([(1, 2, "b"), (3, 4, "a"), (6, 7, "b")], "condition"),
    )
    binned = bin_activity(recording.activity, np.arange(3), columns=600)
    panel = timeline_panel(recording, binned)
    assert panel.y_labels == ("epoch: early", "epoch: late", "condition: b", "condition: a")
    assert panel.values[2].sum() * binned.width_s == pytest.approx(2.0, abs=0.1)


def test_without_epochs_and_trials_there_is_no_timeline():
    recording = calcium()
    binned = bin_activity(recording.activity, np.arange(3), columns=600)
    assert timeline_panel(recording, binned) is None
    assert stretches(recording) == ()
    assert len(overview(recording).panels) == 1


def test_epochs_alone_are_told_by_the_strip_and_need_no_timeline():
    recording = calcium(epochs=intervals([(0, 5, "early"), (5, 10, "late")], "label"))
    figure = overview(recording)
    assert len(figure.panels) == 1
    assert [span.label for span in figure.panels[0].spans] == ["early", "late"]


def test_an_epoch_that_covers_all_tells_no_time_from_another():
    early, whole = (Span(start=0.0, stop=stop, label="food") for stop in (5.0, 10.1))
    assert dividing((whole,), (0.0, 10.0)) == ()
    assert dividing((early,), (0.0, 10.0)) == (early,)
    assert dividing((early, whole), (0.0, 10.0)) == (early, whole)


def test_only_used_units_are_shown_and_the_words_count_them():
    figure = overview(calcium(n_units=5, unused=2))
    assert figure.panels[0].values.shape[0] == 3
    assert "3 of 5 units" in figure.finding
    assert lacking(figure.caption) == []


def test_many_units_are_sampled_evenly_and_the_caption_says_so():
    figure = overview(calcium(n_units=700), n_recordings=1)
    assert figure.panels[0].values.shape[0] <= 300
    assert "Every 3rd of 700 units is shown." in figure.caption


def test_twenty_recordings_together_stay_below_the_cells_of_a_page():
    rows, columns = cells_allowed(1000, n_recordings=20)
    assert 20 * rows * columns <= 420_000
    assert cells_allowed(1000, n_recordings=1) == (300, 600)


def test_a_recording_of_spikes_says_its_bin_and_scale():
    figure = overview(spikes())
    assert "bins of 0.05 s" in figure.caption
    assert lacking(figure.caption) == []
    assert figure.panels[0].value_title == "Rate (z-score)"


def test_a_recording_of_which_no_unit_is_used_can_be_shown():
    figure = overview(calcium(n_units=2, unused=2))
    assert figure.panels[0].values.shape[0] == 0


def test_names_of_units_are_those_of_the_whole_page_with_their_regions():
    record = calcium(n_units=3)
    record = dataclasses.replace(record, units=record.units.assign(region=["a", "", "b"]))
    names = names_of_units(record.id, record.units, n_recordings=2)
    shown = unit_labels(record, n_recordings=2)
    assert shown == [f"{names[0]}{REMARK}a", names[1], f"{names[2]}{REMARK}b"]
    figure = overview(record, n_recordings=2)
    assert set(figure.panels[0].y_labels) == set(shown)
