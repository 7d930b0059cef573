"""States at the times of frames, and beside courses."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.agreement.moments import CUT, state_at, states_beside_courses
from pipeline.core.labelling import Courses, StateSequence
from pipeline.core.rng import stream


def sequence(state, *, start_s=None, bin_s=0.5):
    start_s = np.arange(len(state)) * bin_s if start_s is None else np.asarray(start_s)
    return StateSequence(recording="a", start_s=start_s, bin_s=bin_s, state=np.asarray(state))


def test_a_time_has_the_state_of_its_bin_and_none_outside_of_all():
    found = state_at(
        sequence([3, 4, 5], start_s=[0.0, 0.5, 2.0]), np.array([-0.1, 0.0, 0.5, 1.2, 2.4, 2.5])
    )
    assert found.tolist() == [-1, 3, 4, -1, 5, -1]


def test_a_component_that_follows_states_is_told_unless_frames_were_cut_out():
    rng = stream(0, "moments")
    state = np.repeat(rng.integers(0, 3, 60), 10)
    course = np.stack([state + 0.3 * rng.standard_normal(600), rng.standard_normal(600)], axis=1)
    beside = Courses(recording="a", time_s=np.arange(600) * 0.5 + 0.1, course=course, cut=False)
    found = states_beside_courses([sequence(state)], [beside])
    assert [one.second for one in found] == ["component 1", "component 2"]
    assert found[0].value > 0.8
    assert found[0].p_value < 0.01
    assert found[1].p_value > 0.05
    cut = Courses(recording="a", time_s=beside.time_s, course=course, cut=True)
    (first, _) = states_beside_courses([sequence(state)], [cut])
    assert np.isnan(first.p_value)
    assert first.null == CUT
    assert first.value == pytest.approx(found[0].value)


def test_a_recording_without_components_has_nothing_beside_its_states():
    other = Courses(recording="b", time_s=np.arange(50.0), course=np.ones((50, 1)), cut=False)
    assert states_beside_courses([sequence([0, 1] * 50)], [other]) == ()
