"""Responses to trials against recordings made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.provenance import Provenance
from pipeline.core.recording import StimulusImages, StimulusMovie
from pipeline.core.rng import stream
from pipeline.prepare.config import PatternsConfig
from pipeline.prepare.patterns import response_patterns
from pipeline.prepare.shown_pixels import N_FRAMES
from tests.support.small_recordings import intervals, recording, sampled, trains

PROVENANCE = Provenance(stage="prepare", experiment="x", package_version="0", code_digest="")
TRIALS = intervals(
    [(1, 2, "b"), (3, 4, "a"), (5, 6, "a"), (7, 8, "b"), (9, 10, "a"), (11, 12, "b")], "condition"
)
TIMES = [
    [1.0, 1.2, 1.4, 1.9, 3.1, 5.5, 5.6, 7.7, 11.0, 11.999],
    [0.5, 1.5, 2.0, 2.5, 3.5, 5.1, 7.1, 7.2, 9.9],
]


def view_of(made, **settings):
    return response_patterns(made, PatternsConfig(**settings), PROVENANCE)


def spiking(*, trials=TRIALS, times=TIMES, observed=((0.0, 20.0),)):
    return recording(trains(times, observed=observed), trials=trials)


def ramp(trials, *, rate_hz=10.0, seconds=20.0, n_units=2, valid=None):
    """Traces that equal the square of the time, and minus twice that."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    values = np.stack([time**2, -2 * time**2], axis=1)[:, :n_units]
    return recording(sampled(values, rate_hz=rate_hz, valid=valid), trials=trials)


def test_spikes_are_counted_in_the_window_with_its_start_and_without_its_stop():
    view = view_of(spiking(), stabilise="none", min_events=0)
    np.testing.assert_allclose(
        view.responses, [[4, 1], [1, 1], [2, 1], [1, 2], [0, 1], [2, 0]], rtol=1e-6
    )
    assert view.condition.tolist() == ["a", "b"]
    assert view.condition_of_trial.tolist() == [1, 0, 0, 1, 0, 1]
    assert view.fold.tolist() == [0, 0, 1, 1, 2, 2]
    assert view.window_s.tolist() == [0, 1]
    assert (view.value_unit, view.kind) == ("Hz", "spikes")


def test_a_window_of_its_own_gives_rates():
    view = view_of(spiking(), window_s=[-0.5, 1.5], stabilise="none", min_events=0)
    np.testing.assert_allclose(view.responses[0], [4 / 2, 3 / 2])


@pytest.mark.parametrize(
    ("stabilise", "expected"),
    [("auto", np.sqrt(4)), ("sqrt", np.sqrt(4)), ("anscombe", 2 * np.sqrt(4 + 3 / 8)), ("none", 4)],
)
def test_counts_are_stabilised(stabilise, expected):
    assert view_of(spiking(), stabilise=stabilise, min_events=0).responses[0, 0] == pytest.approx(
        expected
    )


def test_trials_that_reach_beyond_what_was_observed_are_left_out():
    view = view_of(spiking(observed=((0.0, 5.5), (6.5, 20.0))), min_events=0)
    assert view.start_s.tolist() == [1, 3, 7, 9, 11]
    # Folds count what is left.
    assert view.fold.tolist() == [0, 0, 1, 1, 2]
    row = view.left_out.iloc[0]
    assert (row["what"], row["count"]) == ("trial", 1)


def test_units_with_few_spikes_or_one_response_are_left_out():
    view = view_of(spiking(times=[*TIMES, [1.5], []]), min_events=2)
    assert view.unit.tolist() == ["u0", "u1"]
    reasons = dict(zip(view.left_out["reason"], view.left_out["count"], strict=True))
    assert reasons == {"fewer than 2 spikes in the windows": 2}
    same = spiking(times=[TIMES[0], [1.5, 3.5, 5.5, 7.5, 9.5, 11.5]])
    view = view_of(same, min_events=0)
    assert view.left_out["reason"].tolist() == ["the same response in all trials"]


def test_without_a_usable_unit_the_reasons_are_told():
    with pytest.raises(NotApplicable, match=r"2 units: fewer than 100 spikes"):
        view_of(spiking(), min_events=100)


def test_units_can_be_asked_to_repeat():
    rng = stream(0, "reliable")
    start = 1.0 + 2 * np.arange(40)
    names = [str(index % 4) for index in range(40)]
    trials = intervals(list(zip(start, start + 1, names, strict=True)), "condition")
    tuned = [t for t, name in zip(start, names, strict=True) for _ in range(3 * int(name))]
    noise = [t for t in start for _ in range(rng.poisson(5))]
    made = spiking(trials=trials, times=[tuned, noise], observed=((0, 100),))
    assert view_of(made).unit.tolist() == ["u0", "u1"]
    assert view_of(made, min_reliability=0.9).unit.tolist() == ["u0"]


def test_frames_are_averaged_and_their_baseline_subtracted():
    view = view_of(ramp(TRIALS), baseline="none")
    # Frames at 1.0 to 2.4 s: half a second is added for calcium.
    assert view.window_s.tolist() == [0, 1.5]
    during = np.mean(np.arange(1.0, 2.45, 0.1) ** 2)
    np.testing.assert_allclose(view.responses[0], [during, -2 * during], rtol=1e-5)
    view = view_of(ramp(TRIALS))
    change = during - np.mean(np.arange(0.5, 0.95, 0.1) ** 2)
    np.testing.assert_allclose(view.responses[0], [change, -2 * change], rtol=1e-5)
    assert view.baseline == "the activity before the trial is subtracted"


def test_nothing_is_subtracted_where_trials_have_no_pause():
    trials = intervals([(t, t + 1, "ab"[t % 2]) for t in range(1, 9)], "condition")
    view = view_of(ramp(trials))
    assert view.gapless
    assert view.window_s.tolist() == [0, 1]
    assert view.baseline.startswith("no baseline is subtracted, as trials follow each other")
    during = np.mean(np.arange(1.0, 1.95, 0.1) ** 2)
    np.testing.assert_allclose(view.responses[0], [during, -2 * during], rtol=1e-5)


def test_responses_can_be_in_units_of_the_baseline():
    view = view_of(ramp(TRIALS), baseline="zscore")
    before = [np.mean((start - np.arange(0.1, 0.55, 0.1)) ** 2) for start in TRIALS["start_s"]]
    change = np.mean(np.arange(1.0, 2.45, 0.1) ** 2) - before[0]
    expected = change / np.std(before, ddof=1)
    np.testing.assert_allclose(view.responses[0], [expected, -expected], rtol=1e-5)
    assert view.value_unit == "baseline SD"


def test_an_entry_with_a_missing_sample_says_nothing():
    valid = np.ones((200, 2), dtype=bool)
    valid[12, 1] = False
    view = view_of(ramp(TRIALS, valid=valid), baseline="none")
    assert view.valid.tolist() == [[True, False], *[[True, True]] * 5]
    assert view.responses[0, 1] == 0
    # Units missing in many trials and trials without most units are left out.
    valid[:80, 1] = False
    view = view_of(ramp(TRIALS, valid=valid), baseline="none")
    assert view.unit.tolist() == ["u0"]
    assert "not recorded in many trials" in view.left_out["reason"].tolist()
    valid[90:100] = False
    assert view_of(ramp(TRIALS, valid=valid), baseline="none").start_s.tolist() == [1, 3, 5, 7, 11]


def test_a_window_between_frames_is_refused_with_advice():
    with pytest.raises(NotApplicable, match=r"no frame lies in the response window"):
        view_of(ramp(TRIALS, rate_hz=1.0), window_s=[0.1, 0.3])


def test_the_baseline_reaches_over_two_frames_where_they_are_far_apart():
    # Frames 0.8 s apart, of which one begins each trial: half a second before it holds none.
    starts = (4.0, 8.0, 12.0, 16.0)
    trials = intervals([(t, t + 1.6, "ab"[n % 2]) for n, t in enumerate(starts)], "condition")
    view = view_of(ramp(trials, rate_hz=1.25, seconds=40.0))
    during = np.mean([4.0**2, 4.8**2, 5.6**2])  # to half a second after the trial
    before = np.mean([2.4**2, 3.2**2])
    np.testing.assert_allclose(view.responses[0, 0], during - before, rtol=1e-5)
    with pytest.raises(NotApplicable, match=r"no frame lies in the baseline window of 0\.5 s"):
        view_of(ramp(trials, rate_hz=1.25, seconds=40.0), baseline_s=[-0.5, 0.0])


def test_spikes_have_no_frames_and_traces_no_counts():
    with pytest.raises(NotApplicable, match="is for spike counts"):
        view_of(ramp(TRIALS), stabilise="sqrt")


def test_fluorescence_becomes_relative_to_its_baseline():
    time = np.arange(400) / 10
    values = np.full((400, 1), 50.0)
    for start in TRIALS["start_s"]:
        values[(time >= start) & (time < start + 1)] = 75.0
    activity = dataclasses.replace(
        sampled(values, rate_hz=10), signal="fluorescence", value_unit="a.u."
    )
    varied = np.array(values)
    varied[10:20] = 100.0
    activity = dataclasses.replace(activity, values=varied.astype(np.float32))
    view = view_of(recording(activity, trials=TRIALS), window_s=[0, 1])
    np.testing.assert_allclose(view.responses[:, 0], [1.0, 0.5, 0.5, 0.5, 0.5, 0.5], atol=1e-5)
    assert view.value_unit == "dF/F"


def test_courses_are_responses_in_successive_bins():
    view = view_of(spiking(), time_bin_s=0.5, stabilise="none", min_events=0)
    np.testing.assert_allclose(view.time_bin, [0.25, 0.75])
    np.testing.assert_allclose(view.courses[0], [[6, 2], [0, 2]])
    np.testing.assert_allclose(view.courses.mean(axis=2), view.responses)
    smooth = view_of(spiking(), time_bin_s=0.1, smooth_s=0.1, stabilise="none", min_events=0)
    rough = view_of(spiking(), time_bin_s=0.1, stabilise="none", min_events=0)
    assert smooth.courses.var() < rough.courses.var()


def test_conditions_come_in_the_order_of_their_numbers_and_without_empty_labels():
    trials = TRIALS.assign(condition=["10 deg", "9 deg", "", "9 deg", " 10 deg ", "blank"])
    view = view_of(spiking(trials=trials), min_events=0)
    assert view.condition.tolist() == ["9 deg", "10 deg", "blank"]
    assert view.left_out.iloc[-1].tolist() == ["trial", 1, "no condition"]


def test_labels_can_be_taken_without_case_and_blanks():
    trials = TRIALS.assign(condition=["A", "b", "a", " B", "a ", "b"])
    assert view_of(spiking(trials=trials), min_events=0).condition.tolist() == ["A", "B", "a", "b"]
    view = view_of(spiking(trials=trials), min_events=0, normalise_labels=True)
    assert view.condition.tolist() == ["a", "b"]


def test_folds_can_be_a_column_of_the_trials():
    trials = TRIALS.assign(run=[7, 7, 8, 8, 9, 9])
    assert view_of(spiking(trials=trials), min_events=0, fold="run").fold.tolist() == [
        *(0, 0, 1, 1, 2, 2)
    ]
    with pytest.raises(NotApplicable, match="no column 'block'"):
        view_of(spiking(trials=trials), fold="block")
    with pytest.raises(NotApplicable, match="is empty for 1 trials"):
        view_of(spiking(trials=trials.assign(run=[7, 7, 8, 8, 9, None])), fold="run")


def test_a_fixed_order_of_conditions_is_noticed():
    def order(names):
        return intervals([(2 * i, 2 * i + 1, name) for i, name in enumerate(names)], "condition")

    same, mixed = list("abcd") * 5, list("abcd") * 5
    stream(0, "order").shuffle(mixed)
    times = [sorted(stream(0, "fixed").uniform(0, 40, 200))]
    assert view_of(spiking(trials=order(same), times=times, observed=((0, 50),))).fixed_order
    assert not view_of(spiking(trials=order(mixed), times=times, observed=((0, 50),))).fixed_order


def test_what_is_constant_in_a_condition_is_its_property():
    trials = TRIALS.assign(angle=[90, 0, 0, 90, 0, 90], kind="grating", n=range(6))
    view = view_of(spiking(trials=trials), min_events=0)
    assert list(view.properties) == ["condition", "angle"]
    assert view.properties["angle"].tolist() == [0, 90]


def test_regions_strata_and_positions_are_those_of_the_units():
    made = spiking()
    units = made.units.assign(region=["", "CA1"], plane=["p", None], x_um=[1.0, np.nan])
    view = view_of(dataclasses.replace(made, units=units), min_events=0)
    assert view.region.tolist() == ["all", "CA1"]
    assert view.stratum.tolist() == ["p", ""]
    np.testing.assert_array_equal(view.position_um, [[1, np.nan, np.nan], [np.nan] * 3])


def test_pixels_are_those_of_frames_shown_in_the_trial():
    time = np.arange(200) / 10
    movie = np.zeros((200, 4, 4), dtype=np.float32)
    movie[30:40] = 1  # in the first trial of condition a
    movie[50:60] = 9  # in a later one, which does not count
    made = dataclasses.replace(
        spiking(),
        stimuli={"movie": StimulusMovie(values=movie, time=time, value_unit="level")},
    )
    view = view_of(made, min_events=0)
    assert view.pixels.shape == (2, N_FRAMES * 16)
    assert (view.pixels[0] == 1).all()
    assert (view.pixels[1] == 0).all()
    images = StimulusImages(
        values=np.stack([np.full((40, 40, 1), level, dtype=np.float32) for level in (3, 5)]),
        shown=np.array([1, 0]),
        time=np.array([0.0, 2.5]),
        value_unit="level",
    )
    late = TRIALS.assign(start_s=[1, 2, 5, 7, 9, 11.0], stop_s=[1.5, 2.4, 6, 8, 10, 12.0])
    made = dataclasses.replace(spiking(trials=late), stimuli={"images": images})
    assert view_of(made, min_events=0).pixels.shape == (2, N_FRAMES * 256)
    assert view_of(made, min_events=0).pixels.mean(axis=1).tolist() == [5, 5]


def test_stimuli_that_show_nothing_in_some_condition_are_no_features():
    movie = StimulusMovie(
        values=np.zeros((20, 4, 4), dtype=np.float32), time=np.arange(20) / 10, value_unit=""
    )
    made = dataclasses.replace(spiking(), stimuli={"movie": movie})
    assert view_of(made, min_events=0).pixels is None


@pytest.mark.parametrize("trials", [intervals([], "condition"), TRIALS.assign(condition="")])
def test_a_recording_without_named_trials_is_not_for_this_view(trials):
    with pytest.raises(NotApplicable, match=r"no trials that name a condition"):
        view_of(spiking(trials=trials))


def test_a_recording_without_usable_units_is_not_for_this_view():
    made = spiking()
    units = made.units.assign(good=False, reason="noise")
    with pytest.raises(NotApplicable, match="None of the 2 units"):
        view_of(dataclasses.replace(made, units=units))


def test_trials_without_length_need_a_window():
    points = TRIALS.assign(stop_s=TRIALS["start_s"])
    with pytest.raises(NotApplicable, match=r"set prepare\.patterns\.window_s"):
        view_of(spiking(trials=points))
    assert view_of(spiking(trials=points), window_s=[0, 1], min_events=0).responses.shape == (6, 2)


def test_the_order_of_rows_does_not_matter():
    mixed = TRIALS.iloc[[3, 0, 5, 1, 4, 2]].reset_index(drop=True)
    one, other = view_of(spiking(), min_events=0), view_of(spiking(trials=mixed), min_events=0)
    np.testing.assert_array_equal(one.responses, other.responses)
    np.testing.assert_array_equal(one.fold, other.fold)
    pd.testing.assert_frame_equal(one.properties, other.properties)


def test_window_settings_are_checked():
    with pytest.raises(ValueError, match="the window starts at 1"):
        PatternsConfig(window_s=[1.0, 1.0])


def in_two_planes(made, *, delay_s):
    """The same recording, whose last unit was scanned a little after the others."""
    delays = np.zeros(len(made.units))
    delays[-1] = delay_s
    return dataclasses.replace(made, units=made.units.assign(time_offset_s=delays))


def test_a_plane_that_is_scanned_later_is_seen_at_the_times_of_the_first():
    # A straight line: what lies between two frames is known.
    time, delay_s = np.arange(200) / 10.0, 0.04
    values = np.stack([time, time + delay_s], axis=1)
    made = recording(sampled(values, rate_hz=10.0), trials=TRIALS)
    settings = {"baseline": "none", "window_s": [0.0, 1.0]}
    together = view_of(in_two_planes(made, delay_s=delay_s), **settings).responses
    np.testing.assert_allclose(together[:, 1], together[:, 0], rtol=1e-5)
    apart = view_of(made, **settings).responses
    np.testing.assert_allclose(apart[:, 1] - apart[:, 0], delay_s, rtol=1e-4)


def test_a_window_that_starts_before_the_later_plane_was_scanned_does_not_count_there():
    trials = intervals([(0, 1, "a"), (3, 4, "b"), (6, 7, "a")], "condition")
    made = in_two_planes(ramp(trials), delay_s=0.04)
    view = view_of(made, baseline="none", window_s=[0.0, 1.0])
    assert view.left_out["reason"].tolist() == ["not recorded in many trials"]
    assert view.unit.tolist() == ["u0"]
