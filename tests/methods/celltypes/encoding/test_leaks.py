"""What a model is tested on was never learned from, whichever recording shows it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.celltypes.encoding.clips import cut, sessions, stimulus_scale
from tests.support.small_stimuli import view_of

N_FRAMES = 900
STRETCHES = [(0, 600, "train"), (600, 750, "validation"), (750, 900, "test")]


def view(name, *, content=None, seed=0):
    rng = stream(seed, name)
    stimulus = rng.standard_normal((N_FRAMES, 1, 3, 2))
    own = rng.integers(-(2**62), 2**62, N_FRAMES)
    return view_of(
        stimulus,
        rng.poisson(0.3, (N_FRAMES, 2)),
        STRETCHES,
        name=name,
        content=own if content is None else content,
    )


def frames(stretches):
    return {int(i) for first, stop in stretches for i in range(first, stop)}


def test_a_view_without_leaks_is_taken_as_it_is():
    (found,) = sessions([view("a")])
    assert found.n_leaks == 0
    assert found.train.tolist() == [[0, 600]]
    assert found.validation.tolist() == [[600, 750]]
    assert found.test.tolist() == [[750, 900]]


def test_a_leak_planted_between_recordings_is_caught():
    first, second = view("a"), view("b")
    second.content[100:140] = first.content[800:840]
    second.content[610:655] = first.content[750:795]
    found = sessions([first, second])
    assert [each.n_leaks for each in found] == [0, 85]
    assert not frames(found[1].train) & set(range(100, 140))
    assert not frames(found[1].validation) & set(range(610, 655))
    assert len(frames(found[1].train)) == 560
    assert len(frames(found[1].validation)) == 105
    assert frames(found[1].test) == set(range(750, 900))


def test_a_leak_planted_within_a_recording_is_caught():
    one = view("a")
    one.content[200:230] = one.content[760:790]
    (found,) = sessions([one])
    assert found.n_leaks == 30
    assert not frames(found.train) & set(range(200, 230))


def test_less_than_a_second_or_a_grey_screen_is_no_leak():
    first, second = view("a"), view("b")
    second.content[100:129] = first.content[800:829]
    second.content[200:300] = first.content[850:890] = 17
    found = sessions([first, second])
    assert [each.n_leaks for each in found] == [0, 0]


def test_images_are_compared_one_by_one():
    rng = stream(0, "images")
    content = rng.integers(0, 40, N_FRAMES)
    stretches = [(first, stop, role) for first, stop, role in STRETCHES]
    one = view_of(
        rng.standard_normal((N_FRAMES, 1, 3, 2)),
        rng.poisson(1.0, (N_FRAMES, 2)),
        stretches,
        content=content,
        presentations=True,
    )
    with pytest.raises(ValueError, match="no frames to learn from"):
        stimulus_scale(sessions([one]))  # every image is in the test as well


def test_clips_answer_to_every_frame_once_and_see_no_frame_of_another_stretch():
    stretches = np.array([[10, 140], [200, 219], [300, 320], [400, 421]])
    clips = cut(stretches, session=0, memory=20, length=50)
    answered = [i for clip in clips for i in range(clip.first + 19, clip.stop)]
    expected = [*range(29, 140), *range(319, 320), *range(419, 421)]
    assert answered == expected
    for clip in clips:
        assert any(first <= clip.first and clip.stop <= stop for first, stop in stretches)


def test_scale_comes_from_frames_to_learn_from_alone():
    one = view("a")
    changed = view("a")
    changed.stimulus[600:] = 1e3
    scales = [stimulus_scale(sessions([each])) for each in (one, changed)]
    for name in ("mean", "sd", "low", "high", "rms"):
        np.testing.assert_array_equal(*(getattr(scale, name) for scale in scales))
    scaled = scales[0].scaled(one.stimulus[:600])
    assert scaled.mean() == pytest.approx(0, abs=1e-5)
    assert scaled.std() == pytest.approx(1, abs=1e-5)
    assert scales[0].low[0] == pytest.approx(np.percentile(scaled, 0.5), abs=1e-5)


def test_recordings_that_do_not_fit_together_are_refused():
    one = view("a")
    other = view_of(np.zeros((900, 1, 4, 2)), np.zeros((900, 2)), STRETCHES, name="b")
    with pytest.raises(ValueError, match=r"prepare\.responses\.grid"):
        sessions([one, other])
    other = view_of(
        np.zeros((900, 1, 3, 2)), np.zeros((900, 2)), STRETCHES, name="b", presentations=True
    )
    with pytest.raises(ValueError, match="do not both show single images"):
        sessions([one, other])
    still = view_of(np.ones((900, 1, 3, 2)), np.zeros((900, 2)), STRETCHES, name="b")
    with pytest.raises(ValueError, match="never changes"):
        stimulus_scale(sessions([still]))
