"""The view of counts against recordings made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import EnvironmentFault, NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import SampledActivity
from pipeline.core.rng import stream
from pipeline.prepare.config import CountsConfig
from pipeline.prepare.counts import spike_counts
from tests.support.small_recordings import intervals, recording, trains

PROVENANCE = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")


def view_of(source, **settings):
    return spike_counts(source, CountsConfig(**settings), PROVENANCE)


def events(values, *, valid=None, rate_hz=10.0, time=None, signal="events"):
    values = np.asarray(values, dtype=np.float32)
    return SampledActivity(
        values=values,
        valid=np.ones(values.shape, dtype=bool) if valid is None else valid,
        time=np.arange(len(values)) / rate_hz if time is None else np.asarray(time, dtype=float),
        value_unit="a.u.",
        signal=signal,
    )


def test_counts_beyond_the_memory_are_refused_before_they_are_made():
    with pytest.raises(EnvironmentFault) as caught:
        view_of(recording(trains([[1.0], [2.0]], observed=[(0, 100)])), bin_width_s=1e-12)
    assert caught.value.code == "RN-R03"
    assert "counts of 2 units in" in caught.value.found
    assert "prepare.counts.bin_width_s" in caught.value.fix


def test_counts_agree_with_a_histogram():
    rng = stream(0, "counts")
    units = [np.sort(rng.uniform(0, 100, n)) for n in (0, 50, 800)]
    view = view_of(recording(trains(units, observed=[(0, 100)])), bin_width_s=0.7)
    edges = 0.7 * np.arange(143)
    expected = np.stack([np.histogram(times, edges)[0] for times in units], axis=1)
    # The histogram's last bin takes its right edge in as well; no spike lies exactly there.
    np.testing.assert_array_equal(view.counts, expected)
    assert view.observed.all()
    np.testing.assert_allclose(view.exposure_s, 0.7, rtol=1e-6)
    assert view.source == "spikes"


def test_a_spike_on_a_border_counts_once_in_the_later_bin():
    borders = 0.1 * np.arange(30)
    view = view_of(recording(trains([borders], observed=[(0, 3)])), bin_width_s=0.1)
    np.testing.assert_array_equal(view.counts[:, 0], np.ones(30))


def test_nothing_goes_on_across_a_gap_and_bins_start_anew_after_it():
    source = recording(trains([[0.1, 10.3, 10.9]], observed=[(0, 5.2), (10.25, 20.25)]))
    view = view_of(source, bin_width_s=0.5)
    np.testing.assert_array_equal(np.unique(view.segment), [0, 1])
    first_after = np.flatnonzero(view.segment == 1)[0]
    assert view.time_s[first_after] == 10.25
    np.testing.assert_array_equal(view.counts[first_after : first_after + 2, 0], [1, 1])
    assert view.time_s[view.segment == 0].max() + 0.5 <= 5.2


def test_repeats_laid_end_to_end_are_cut_and_short_epochs_are_not():
    activity = trains([[1.0, 50.0]], observed=[(0, 100)])
    repeats = intervals([(0, 50, "repeat"), (50, 100, "repeat")], "label")
    bouts = intervals([(float(t), t + 0.7, "run") for t in range(0, 100, 2)], "label")
    assert np.unique(view_of(recording(activity, epochs=repeats)).segment).size == 2
    short = view_of(recording(activity, epochs=bouts))
    assert (np.unique(short.segment).size, short.cut_at) == (1, "gaps")
    told = view_of(recording(activity, epochs=repeats), cut_at="gaps")
    assert (np.unique(told.segment).size, told.cut_at) == (1, "gaps")
    forced = view_of(recording(activity, epochs=bouts), cut_at="epochs")
    assert np.unique(forced.segment).size > 40


def test_a_unit_is_missing_where_it_was_not_seen():
    activity = trains([[1.0, 8.2], [1.0, 8.2]], observed=[(0, 10)])
    own = np.array([[0, 10], [0, 4.3], [6.0, 10.0]])
    activity = dataclasses.replace(
        activity, unit_observed=own, unit_observed_starts=np.array([0, 1, 3])
    )
    view = view_of(recording(activity), bin_width_s=1.0)
    np.testing.assert_array_equal(view.observed[:, 0], np.ones(10, dtype=bool))
    # Three tenths of the bin from 4 s on are too little; four bins of the rest are whole.
    np.testing.assert_array_equal(np.flatnonzero(~view.observed[:, 1]), [4, 5])
    assert view.exposure_s[4, 1] == 0
    np.testing.assert_array_equal(view.counts[8], [1, 1])


def test_events_are_counted_in_the_size_of_a_typical_one():
    values = np.zeros((40, 2))
    values[[3, 4, 17], 0] = 2.0
    values[[3, 30], 1] = [0.3, 1.0]
    view = view_of(recording(events(values)), bin_width_s=1.0)
    np.testing.assert_array_equal(view.counts[:, 0], [2, 1, 0, 0])
    # The median of 0.3 and 1.0 is 0.65, of which these are 0.46 and 1.54.
    np.testing.assert_array_equal(view.counts[:, 1], [0, 0, 0, 2])
    assert view.source == "events"
    assert "no spikes" in view.conversion
    fixed = view_of(recording(events(values)), bin_width_s=1.0, event_size=1.0)
    np.testing.assert_array_equal(fixed.counts[:, 0], [4, 2, 0, 0])


def test_gaps_and_missing_samples_of_events_are_missing():
    valid = np.ones((40, 1), dtype=bool)
    valid[10:19] = False
    time = np.concatenate([np.arange(20) / 10, 7 + np.arange(20) / 10])
    view = view_of(recording(events(np.ones((40, 1)), valid=valid, time=time)), bin_width_s=1.0)
    np.testing.assert_array_equal(view.segment, [0, 0, 1, 1])
    np.testing.assert_array_equal(view.observed[:, 0], [True, False, True, True])
    np.testing.assert_array_equal(view.counts[:, 0], [10, 0, 10, 10])


def test_only_good_units_are_used_and_what_is_lost_is_told():
    source = recording(trains([[1.0], [2.0], [3.0]], observed=[(0, 10.4)]), unused=1)
    view = view_of(source, bin_width_s=3.0)
    assert view.unit.tolist() == ["u0", "u1"]
    told = view.left_out.set_index("what")["count"].to_dict()
    assert told == {"unit": 1, "second": 1}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (recording(events(np.ones((40, 1)), signal="dff")), "needs spike times or inferred"),
        (recording(events(-np.ones((40, 1)))), "negative events"),
        (recording(trains([[0.1]], observed=[(0, 0.3)])), "No stretch"),
        (recording(trains([[0.1]], observed=[(0, 3)]), unused=1), "None of the 1 units"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_its_reason(source, said):
    with pytest.raises(NotApplicable, match=said):
        view_of(source)


def test_epochs_and_trials_come_along_in_order_of_time():
    source = recording(
        trains([[1.0]], observed=[(0, 100)]),
        epochs=intervals([(50, 100, "b"), (0, 50, "a")], "label"),
        trials=intervals([(2, 3, "x")], "condition"),
    )
    view = view_of(source)
    assert view.epochs["label"].tolist() == ["a", "b"]
    assert isinstance(view.trials, pd.DataFrame)
    assert view.trials["condition"].tolist() == ["x"]


def test_events_of_a_plane_that_is_scanned_later_fall_into_bins_at_their_own_times():
    values = np.zeros((40, 2))
    values[[4, 9, 24]] = 2.0  # at 0.4, 0.9 and 2.4 s; 0.06 s later in the second plane
    source = recording(events(values))
    later = dataclasses.replace(source, units=source.units.assign(time_offset_s=[0.0, 0.06]))
    view = view_of(later, bin_width_s=0.5)
    np.testing.assert_array_equal(view.counts[:, 0], [1, 1, 0, 0, 1, 0, 0, 0])
    moved = dataclasses.replace(source, units=source.units.assign(time_offset_s=[0.0, 0.11]))
    np.testing.assert_array_equal(
        view_of(moved, bin_width_s=0.5).counts[:, 1], [0, 1, 1, 0, 0, 1, 0, 0]
    )
    np.testing.assert_array_equal(view.counts[:, 1], view.counts[:, 0])
    np.testing.assert_allclose(view.exposure_s[1:, 1], 0.5, rtol=1e-6)
    np.testing.assert_allclose(view.exposure_s[0, 1], 0.5, rtol=1e-6)
