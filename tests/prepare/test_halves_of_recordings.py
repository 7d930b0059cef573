"""Halves of recordings: where the border lies, and what of a view is in each."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from pipeline.core.arrays import rows_of
from pipeline.core.errors import NotApplicable
from pipeline.core.halves import GAP_TIMES
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.biclustering.simulate import simulate as simulated_counts
from pipeline.methods.connectome.simulate import simulate as simulated_traces
from pipeline.prepare.config import PatternsConfig
from pipeline.prepare.halves import halves_of, within
from pipeline.prepare.patterns import response_patterns
from tests.methods.celltypes.test_trials import TUNING, recording
from tests.support.small_recordings import calcium, intervals, sampled
from tests.support.small_stimuli import movie_of, planted_view

PROVENANCE = Provenance(stage="test", experiment="test", package_version="", code_digest="")


def border(one, gap_s=2.0):
    found = halves_of(one, gap_s=gap_s)
    spans = found.span_s
    assert found.gap_s == gap_s
    assert spans[0, 0] == -np.inf
    assert spans[1, 1] == np.inf
    assert spans[1, 0] - spans[0, 1] == pytest.approx(gap_s)
    return spans[:, [1, 0]].diagonal().mean()


def test_the_border_halves_trials_else_frames_else_time():
    plain = calcium()
    assert border(plain) == pytest.approx(np.mean(plain.activity.span_s))
    movie = movie_of(np.zeros((11, 2, 2), dtype=np.float32), start_s=30.0, rate_hz=1.0)
    shown = dataclasses.replace(plain, stimuli={"movie": movie})
    assert border(shown) == pytest.approx(35.0)
    trials = intervals([(2.0, 3.0, "a"), (4.0, 5.0, "b"), (50.0, 51.0, "a")], "condition")
    assert border(dataclasses.replace(shown, trials=trials)) == pytest.approx(4.0)


def drifting(seconds, alike_s, *, n_units=40, rate_hz=1.0, share=0.5):
    """Traces of units that each drift by themselves, in noise."""
    rng = stream(4, "drift", str(seconds), str(alike_s))
    n_frames = int(seconds * rate_hz)
    keep = np.exp(-2 / (alike_s * rate_hz))
    start = rng.standard_normal((1, n_units))
    steps = np.sqrt(1 - keep**2) * rng.standard_normal((n_frames - 1, n_units))
    drift = lfilter([1], [1, -keep], np.concatenate([start, steps]), axis=0)
    noise = rng.standard_normal(drift.shape)
    return sampled(np.sqrt(share) * drift + np.sqrt(1 - share) * noise, rate_hz=rate_hz)


def of_traces(activity):
    plain = calcium(n_units=activity.values.shape[1])
    return dataclasses.replace(plain, activity=activity)


def test_the_gap_is_as_long_as_activity_needs_to_forget():
    found = halves_of(of_traces(drifting(3000, 60.0)), gap_s=10.0)
    assert 45 < found.alike_s < 90
    assert found.gap_s == pytest.approx(GAP_TIMES * found.alike_s)
    assert np.subtract(*found.span_s[[1, 0], [0, 1]]) == pytest.approx(found.gap_s)
    assert halves_of(of_traces(drifting(3000, 60.0)), gap_s=500.0).gap_s == 500.0
    noise = halves_of(of_traces(drifting(3000, 60.0, share=0.0)), gap_s=10.0)
    assert (noise.alike_s, noise.gap_s) == (0.0, 10.0)


@pytest.mark.parametrize("course", ["trend", "drift"])
def test_a_recording_that_is_too_short_for_its_drift_has_no_halves(course):
    activity = drifting(400, 200.0)
    if course == "trend":
        slope = np.linspace(-1, 1, 400)[:, None] * np.linspace(-2, 2, 40)
        activity = sampled(slope + drifting(400, 1.0).values, rate_hz=1.0)
    with pytest.raises(NotApplicable, match=r"stays alike for \S+ s .* drift in common"):
        halves_of(of_traces(activity), gap_s=10.0)


def trials_view():
    labels = np.repeat([0, 1, 2], 2)
    one = recording(np.random.default_rng(0), labels, tuning=TUNING)
    return response_patterns(one, PatternsConfig(), PROVENANCE)


@pytest.mark.parametrize(
    ("view", "start_of", "width_of", "middle"),
    [
        (
            simulated_counts(stream(0, "c"), size="tiny")[0],
            lambda v: v.time_s,
            lambda v: v.bin_s,
            60.0,
        ),
        (
            simulated_traces(stream(0, "t"), size="tiny")[0][0],
            lambda v: v.time,
            lambda v: 1 / v.rate_hz,
            100.0,
        ),
        (trials_view(), lambda v: v.start_s, lambda v: v.window_s[1], 40.0),
    ],
    ids=["counts", "traces", "trials"],
)
def test_parts_hold_what_lies_in_the_span_and_nothing_else(view, start_of, width_of, middle):
    first = within(view, np.array([-np.inf, middle - 5]))
    second = within(view, np.array([middle + 5, np.inf]))
    start, width = start_of(view), width_of(view)
    slack = 1e-6
    before = start + width <= middle - 5 + slack
    after = start >= middle + 5 - slack
    assert before.any()
    assert after.any()
    np.testing.assert_array_equal(start_of(first), start[before])
    np.testing.assert_array_equal(start_of(second), start[after])
    whole = within(view, np.array([-np.inf, np.inf]))
    np.testing.assert_array_equal(start_of(whole), start)
    assert first.unit.tolist() == view.unit.tolist()


def test_epochs_across_the_border_are_in_neither_half():
    view = simulated_traces(stream(0, "t"), size="tiny")[0][0]
    middle = float(view.epochs[["start_s", "stop_s"]].iloc[1].mean())
    first = within(view, np.array([-np.inf, middle]))
    second = within(view, np.array([middle, np.inf]))
    assert len(first.epochs) + len(second.epochs) == len(view.epochs) - 1


def test_frames_are_cut_with_their_stretches_and_read_later():
    view = planted_view(np.random.default_rng(0))[0]
    middle = float(view.time[view.time.size // 2])
    first = within(view, np.array([-np.inf, middle]))
    second = within(view, np.array([middle, np.inf]))
    n = first.time.size
    assert n + second.time.size == view.time.size
    np.testing.assert_array_equal(second.responses, view.responses[n:])
    np.testing.assert_array_equal(second.stimulus[:], view.stimulus[n:])
    for role in ("train", "validation", "test"):
        both = np.concatenate([first.frames_of(role), second.frames_of(role)])
        np.testing.assert_array_equal(both, view.frames_of(role))


class Later:
    """A source that is no array."""

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, key):
        return self.values[key]


def test_rows_of_a_source_are_those_of_its_array():
    values = np.arange(60).reshape(10, 3, 2)
    some = rows_of(Later(values), slice(2, 9))
    assert (some.shape, some.dtype) == ((7, 3, 2), values.dtype)
    for key in (slice(None), slice(1, 3), slice(5, 99), (slice(2, 4), slice(1, 2))):
        np.testing.assert_array_equal(some[key], values[2:9][key])
    np.testing.assert_array_equal(rows_of(values, slice(2, 9)), values[2:9])
