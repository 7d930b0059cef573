"""Stimuli and the answers to them, against recordings made by hand."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError, NotApplicable
from pipeline.core.recording import Recording, SampledActivity, StimulusImages
from pipeline.core.rng import stream
from pipeline.core.views import StimulusResponses
from pipeline.io.records import open_record, read_record, write_record
from pipeline.prepare.config import ResponsesConfig
from pipeline.prepare.responses import stimulus_responses
from tests.support.small_stimuli import PROVENANCE, movie_of, recording_of, spikes_of

RATE_HZ = 30.0


def noise(seed, n_frames, x=4, y=3):
    return stream(seed, "movie").standard_normal((n_frames, x, y)).astype(np.float32)


def view(recording: Recording, **settings) -> StimulusResponses:
    return stimulus_responses(recording, ResponsesConfig(**settings), PROVENANCE)


def seen(frames, *, spikes=((1.0,),), **fields) -> Recording:
    """A movie that some units see."""
    trains = spikes_of(spikes, stop_s=len(frames) / RATE_HZ)
    return recording_of(trains, {"movie": movie_of(frames)}, **fields)


def test_frames_are_turned_to_rows_and_columns_and_spikes_are_counted_frame_by_frame():
    frames = noise(0, 3000)
    spikes = np.array([10 / RATE_HZ, 10.5 / RATE_HZ, 11 / RATE_HZ, 50.2 / RATE_HZ])
    found = view(seen(frames, spikes=[spikes, [99.0]]))
    np.testing.assert_array_equal(found.stimulus[:], frames.swapaxes(1, 2)[:, None])
    assert np.flatnonzero(found.responses[:, 0]).tolist() == [10, 11, 50]
    assert found.responses[[10, 11, 50], 0].tolist() == [2, 1, 1]
    assert found.responses.sum() == 5
    assert found.valid.all()
    assert found.rate_hz == pytest.approx(RATE_HZ)
    assert found.channel.tolist() == ["movie"]


def test_series_with_the_same_times_are_channels_and_others_follow():
    first, second = noise(1, 2400), noise(2, 2400)
    stimuli = {
        "a_green": movie_of(first[:1200]),
        "a_uv": movie_of(second[:1200]),
        "b_green": movie_of(first[1200:], start_s=50.0),
        "b_uv": movie_of(second[1200:], start_s=50.0),
    }
    found = view(recording_of(spikes_of([[1.0]], stop_s=100.0), stimuli))
    assert found.channel.tolist() == ["green", "uv"]
    np.testing.assert_array_equal(
        found.stimulus[1195:1205], np.stack([first, second], 1).swapaxes(2, 3)[1195:1205]
    )
    for start, stop in found.stretches[["first", "stop"]].to_numpy():
        assert not start < 1200 < stop
    only = view(recording_of(spikes_of([[1.0]], stop_s=100.0), stimuli), stimulus=["a_uv", "b_uv"])
    np.testing.assert_array_equal(only.stimulus[:], second.swapaxes(1, 2)[:, None])


def test_a_faster_movie_is_averaged_and_a_larger_one_too():
    frames = noise(3, 6000, x=8, y=6)
    stimuli = {"movie": movie_of(frames, rate_hz=60.0)}
    found = view(recording_of(spikes_of([[1.0]], stop_s=100.0), stimuli), grid=[3, 4])
    pairs = (frames[0::2] + frames[1::2]) / 2
    expected = pairs.reshape(3000, 4, 2, 3, 2).mean((2, 4)).swapaxes(1, 2)[:, None]
    np.testing.assert_allclose(found.stimulus[:], expected, atol=1e-5)
    assert found.rate_hz == pytest.approx(30.0)


def test_any_rate_keeps_the_time_that_each_frame_stood():
    frames = noise(4, 3000)
    found = view(seen(frames), rate_hz=22.0)
    assert found.rate_hz == 22.0
    for j in (0, 7, 1000):
        edges = np.array([j, j + 1]) / 22.0 * RATE_HZ
        overlap = [max(0.0, min(i + 1, edges[1]) - max(i, edges[0])) for i in range(3000)]
        expected = np.tensordot(overlap, frames, axes=1) / np.sum(overlap)
        np.testing.assert_allclose(found.stimulus[j : j + 1][0, 0], expected.T, atol=1e-4)


def test_large_frames_are_joined_to_whole_squares():
    found = view(seen(noise(5, 2000, x=100, y=60)))
    assert found.stimulus.shape == (2000, 1, 20, 33)


def test_what_is_shown_again_is_the_test_and_nothing_of_it_is_learned_from():
    once, again = noise(6, 3000), noise(7, 300)
    frames = np.concatenate([once[:1500], again, once[1500:], again, again])
    found = view(seen(frames))
    where = [1500, 3300, 3600]
    test = found.frames_of("test")
    for start in where:
        assert test[start : start + 300].all()
    assert test.sum() == 900
    # The first second has another history in each showing.
    for a, b in itertools.pairwise(where):
        one, other = found.again[a : a + 300], found.again[b : b + 300]
        assert (one[:29] == -1).all()
        assert (one[29:] >= 0).all()
        np.testing.assert_array_equal(one[29:], other[29:])
    assert np.unique(found.again[1529:1800]).size == 271
    tested = {frames[i].tobytes() for i in np.flatnonzero(test)}
    for role in ("train", "validation"):
        assert not tested & {frames[i].tobytes() for i in np.flatnonzero(found.frames_of(role))}


def test_a_leak_that_is_planted_is_caught():
    """A second of the test inside of what would be learned from."""
    once, again = noise(8, 3000), noise(9, 300)
    once[700:740] = again[100:140]
    frames = np.concatenate([once, again, again])
    found = view(seen(frames))
    assert found.frames_of("test")[700:740].all()
    assert not found.frames_of("train")[700:740].any()


def test_a_leak_at_another_phase_of_the_grid_is_caught_too():
    once, again = noise(10, 6000), noise(11, 601)
    frames = np.concatenate([once, again, again])  # the second showing starts between two bins
    stimuli = {"movie": movie_of(frames, rate_hz=60.0)}
    found = view(recording_of(spikes_of([[1.0]], stop_s=120.0), stimuli))
    assert found.frames_of("test")[3002:3598].all()
    assert not (found.frames_of("train") | found.frames_of("validation"))[3000:3601].any()


def test_blocks_have_the_shares_wanted_and_fill_the_session_evenly():
    found = view(seen(noise(12, 30_000)), validation_share=0.1, test_share=0.2)
    for role, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        frames = found.frames_of(role)
        assert frames.mean() == pytest.approx(share, abs=0.01)
        assert frames[:15_000].mean() == pytest.approx(share, abs=0.03)
    again = view(seen(noise(12, 30_000)), validation_share=0.1, test_share=0.2)
    pd.testing.assert_frame_equal(found.stretches, again.stretches)


def test_where_all_is_shown_again_its_showings_share_their_role():
    movie = noise(13, 900)
    found = view(seen(np.concatenate([movie] * 8)))
    roles = {}
    for role in ("train", "validation", "test"):
        frames = found.frames_of(role)
        assert frames.any()
        roles[role] = set(found.again[frames].tolist())
        assert len(found.stretches.query("role == @role")) >= 8
    assert not roles["train"] & roles["test"]
    assert not roles["train"] & roles["validation"]
    assert not roles["validation"] & roles["test"]


def test_a_border_is_left_out_for_traces_and_counted():
    n_frames = 3000
    ramp = np.arange(n_frames + 1, dtype=np.float32)
    activity = SampledActivity(
        values=np.stack([ramp, 2 * ramp], axis=1),
        valid=np.ones((n_frames + 1, 2), bool),
        time=np.arange(n_frames + 1) / RATE_HZ,
        value_unit="dF/F",
        signal="dff",
    )
    found = view(recording_of(activity, {"movie": movie_of(noise(14, n_frames))}))
    table = found.stretches
    inner = table["first"].to_numpy()[1:] - table["stop"].to_numpy()[:-1]
    assert set(inner.tolist()) == {60}
    assert found.left_out.query("what == 'frame'")["count"].item() == 60 * len(inner)


def test_traces_are_read_in_the_middle_of_frames_and_not_across_gaps():
    n_samples = 1000
    time = np.arange(n_samples) / 10.0
    valid = np.ones((n_samples, 1), bool)
    valid[400:404] = False
    activity = SampledActivity(
        values=(3 * time[:, None]).astype(np.float32),
        valid=valid,
        time=time,
        value_unit="a.u.",
        signal="events",
    )
    found = view(recording_of(activity, {"movie": movie_of(noise(15, 2900))}))
    known = found.valid[:, 0]
    middle = found.time + 0.5 / RATE_HZ
    np.testing.assert_allclose(found.responses[known, 0], 3 * middle[known], rtol=1e-4)
    inside = (middle > 39.9) & (middle < 40.4)
    assert not known[inside].any()
    assert known[~inside].all()
    assert found.signal == "events"


def test_a_unit_counts_only_where_it_was_observed():
    observed = [np.array([[0.0, 100.0]]), np.array([[20.0, 50.0], [60.0, 100.0]])]
    trains = spikes_of([[1.0], [30.0]], stop_s=100.0, observed=observed)
    found = view(recording_of(trains, {"movie": movie_of(noise(16, 3000))}))
    assert found.valid[:, 0].all()
    expected = (found.time >= 20 - 1e-9) & (found.time < 50 - 1e-9) | (found.time >= 60 - 1e-9)
    np.testing.assert_array_equal(found.valid[:, 1], expected)


def test_only_good_units_are_used_with_what_is_known_of_them():
    fields = {
        "good": [True, False, True],
        "reason": ["", "no spikes", ""],
        "cell_type": ["on", "", None],
        "x_um": [1.0, 2.0, 3.0],
        "y_um": [4.0, 5.0, 6.0],
    }
    found = view(seen(noise(17, 2400), spikes=[[1.0], [], [2.0]], units=fields))
    assert found.unit.tolist() == ["u0", "u2"]
    assert found.label.tolist() == ["on", ""]
    np.testing.assert_array_equal(found.position, [[1, 4], [3, 6]])
    assert found.left_out.to_numpy().tolist() == [["unit", 1, "no spikes"]]


def test_images_that_stand_by_themselves_are_answered_in_their_window():
    rng = stream(18, "images")
    images = rng.standard_normal((20, 5, 4, 1)).astype(np.float32)
    shown = rng.integers(0, 20, 300)
    stimulus = StimulusImages(
        values=images, shown=shown, time=np.arange(300) / 4.0, value_unit="level"
    )
    spikes = np.array([10.0 + 0.04, 10.0 + 0.06, 10.0 + 0.2, 10.0 + 0.26])
    found = view(recording_of(spikes_of([spikes], stop_s=76.0), {"images": stimulus}))
    assert found.presentations
    assert found.responses[40, 0] == 2
    assert found.responses.sum() == 2  # the first and the last fall into no window
    np.testing.assert_array_equal(found.stimulus[40:41][0, 0], images[shown[40], :, :, 0].T)
    frames = np.arange(300)
    for role in ("train", "validation", "test"):
        of_role = set(shown[found.frames_of(role)[frames]].tolist())
        for other in {"train", "validation", "test"} - {role}:
            assert not of_role & set(shown[found.frames_of(other)[frames]].tolist())


def test_a_frame_that_is_no_number_is_refused_with_its_place():
    frames = noise(19, 2400)
    frames[123, 1, 1] = np.nan
    with pytest.raises(DataError, match="frame 123 has pixels") as caught:
        view(seen(frames))
    assert caught.value.code == "IN-T16"


@pytest.mark.parametrize(
    ("stimuli", "settings", "reason"),
    [
        ({}, {}, "has no stimulus frames"),
        ({"movie": noise(20, 2400)}, {"stimulus": ["film"]}, "called 'film'; it has 'movie'"),
        ({"movie": noise(20, 900)}, {}, "30 s in common, and at least 60 s"),
    ],
)
def test_what_cannot_be_used_is_told(stimuli, settings, reason):
    movies = {name: movie_of(frames) for name, frames in stimuli.items()}
    with pytest.raises(NotApplicable, match=reason):
        view(recording_of(spikes_of([[1.0]], stop_s=80.0), movies), **settings)


def test_movies_that_do_not_fit_together_are_told():
    stimuli = {"a": movie_of(noise(21, 2400)), "b": movie_of(noise(22, 2400, x=5), start_s=100.0)}
    with pytest.raises(NotApplicable, match=r"frames of 1 x 3 x 4 .* and of 1 x 3 x 5"):
        view(recording_of(spikes_of([[1.0]], stop_s=200.0), stimuli))
    stimuli = {"a": movie_of(noise(21, 2400)), "b": movie_of(noise(22, 2400), start_s=10.0)}
    with pytest.raises(NotApplicable, match="shown at the same time"):
        view(recording_of(spikes_of([[1.0]], stop_s=200.0), stimuli))


def test_no_usable_unit_is_told_with_reasons():
    fields = {"good": [False], "reason": ["no spikes"]}
    with pytest.raises(NotApplicable, match=r"None of the 1 units .* usable: 1 no spikes"):
        view(seen(noise(23, 2400), units=fields))


def test_a_view_is_stored_and_read_again_in_memory_or_from_the_file(tmp_path, monkeypatch):
    found = view(seen(noise(24, 2400)))
    write_record(tmp_path / "view.h5", found)
    monkeypatch.setattr("pipeline.io.records.IN_MEMORY_BYTES", 1000)
    whole = read_record(tmp_path / "view.h5", StimulusResponses)
    with open_record(tmp_path / "view.h5", StimulusResponses) as streamed:
        assert not isinstance(streamed.stimulus, np.ndarray)
        for each in (whole, streamed):
            np.testing.assert_array_equal(each.stimulus[:], found.stimulus[:])
            np.testing.assert_array_equal(each.content, found.content)
            pd.testing.assert_frame_equal(each.stretches, found.stretches, check_dtype=False)


def test_a_long_movie_is_not_held_in_memory(monkeypatch):
    monkeypatch.setattr("pipeline.prepare.responses.BLOCK_BYTES", 1000)
    frames = noise(25, 2400)
    found = view(seen(frames))
    assert not isinstance(found.stimulus, np.ndarray)
    np.testing.assert_array_equal(found.stimulus[2000:2010], frames.swapaxes(1, 2)[2000:2010, None])
    np.testing.assert_array_equal(
        found.stimulus[5:9, :, 1:3], frames.swapaxes(1, 2)[5:9, None, 1:3]
    )


def test_a_view_refuses_a_frame_with_two_roles():
    found = view(seen(noise(26, 2400)))
    rows = found.stretches.to_dict("records")
    rows[0]["stop"] += 1
    with pytest.raises(ValueError, match="belongs to two stretches"):
        dataclasses.replace(found, stretches=pd.DataFrame(rows))
