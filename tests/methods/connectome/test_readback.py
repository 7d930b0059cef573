"""From components back to moments and units, on results made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.methods.connectome.readback import (
    active,
    linked,
    members,
    participation,
    predictions,
    seen_in,
)


def made(course=(0.0, 1.0), *, bin_s=1.0, time=None, **fields):
    """A result of one component with what is asked of it."""
    course = np.array(course, dtype=float)
    time = np.arange(course.size) * bin_s if time is None else np.array(time, dtype=float)
    return SimpleNamespace(
        component_time=course[:, None], source_time_s=time[:, None], bin_s=bin_s, **fields
    )


def test_a_component_is_active_until_it_falls_below_the_lower_bound():
    course = [0, 0.4, 0.6, 0.3, 0.8, 0.2, 0.4, 1.0, 0.26]
    assert active(made(course), 0) == [(2, 5), (7, 9)]


def test_activity_ends_where_frames_do_not_follow_each_other():
    course, time = [1.0, 1.0, 1.0, 1.0], [0, 1, 7, 8]
    result = made(course, time=time)
    assert linked(result).tolist() == [True, False, True]
    assert active(result, 0) == [(0, 2), (2, 4)]


def test_activity_of_less_than_a_second_is_none():
    course = [0, 1, 0, 1, 1, 1, 1, 0]
    assert active(made(course, bin_s=0.25), 0) == [(3, 7)]
    assert active(made([0.0, 0.0]), 0) == []


def test_recordings_follow_each_other_in_the_frames_of_either():
    source = np.array([[0, np.nan], [1, np.nan], [np.nan, 0], [np.nan, 1]])
    assert linked(SimpleNamespace(source_time_s=source, bin_s=1.0)).tolist() == [True, False, True]


def test_participation_is_counted_by_hand():
    group = np.array([0, 0, 1, 1, -1])
    assert participation(np.array([1.0, 1, 0, 0, 0]), group) == 0
    assert participation(np.array([1.0, 1, 1, 1, 0]), group) == pytest.approx(0.5)
    assert participation(np.zeros(5), group) == 0


def two_groups(**changes):
    """Units a to f; a, b, c and d, e, f are tied, c and d a little to each other."""
    weights = np.zeros((6, 6))
    weights[:3, :3] = weights[3:, 3:] = 1
    weights[0, 2] = weights[2, 0] = 0.4
    weights[2, 3] = weights[3, 2] = 0.2
    np.fill_diagonal(weights, np.nan)
    label = np.array([[0, 0, 0, 1, 1, 1]])
    fields = {
        "rank": 1,
        "unit": np.array(list("abcdef")),
        "place": {name: index for index, name in enumerate("abcdef")},
        "community": label,
        "group": label[:, None, :],
        "membership": np.array([[1, 1, 0.8, 1, 1, 0.5]]),
        "second_opinion": np.array([[0, 0, -1, 1, 1, 1]]),
        "presence": np.array([[True] * 6, [True] * 5 + [False]]),
        "structured": np.array([True]),
        "epoch_test": None,
        "pair_matrix": lambda component: weights,
    }
    return SimpleNamespace(**(fields | changes))


def test_members_stand_by_community_and_strength():
    found = members(two_groups())
    assert ["abcdef"[one.unit] for one in found] == list("bcadef")
    by_unit = {"abcdef"[one.unit]: one for one in found}
    assert by_unit["b"].strength == pytest.approx(2 / 2.2)
    assert by_unit["d"].strength == 1.0
    assert by_unit["a"].participation == 0
    assert by_unit["d"].participation == pytest.approx(1 - (2 / 2.2) ** 2 - (0.2 / 2.2) ** 2)
    assert [by_unit[name].second for name in "abc"] == [True, True, False]
    assert by_unit["f"].n_recordings == 1
    assert np.isnan(by_unit["e"].within)  # all members of its community are alike
    assert by_unit["b"].within == pytest.approx(np.sqrt(2))


def test_units_that_share_a_community_with_a_seed_are_ranked():
    found = predictions(two_groups(), ("a", "nobody"))
    assert ["abcdef"[one.member.unit] for one in found] == ["b", "c"]
    assert found[0].score == pytest.approx(1.0)
    assert found[1].score == pytest.approx(0.8 * 0.4)
    assert found[1].seeds == (0,)


def test_components_without_groups_predict_nothing():
    assert predictions(two_groups(structured=np.array([False])), ("a",)) == []
    assert predictions(two_groups(), ("nobody",)) == []


def test_selectivity_for_epochs_weighs_predictions():
    test = SimpleNamespace(contrast=np.array([[[2.0, np.nan], [-1.0, -3.0]]]))
    found = predictions(two_groups(epoch_test=test), ("a",))
    assert found[0].score == pytest.approx(2.0)
    assert found[0].selectivity == 2.0


def test_a_component_is_seen_where_it_has_a_quarter_of_its_largest_share():
    result = SimpleNamespace(
        component_recording=np.array([[0.6, 0.3, 0.1], [0.4, 0.4, 0.2]]),
        recording_explained=np.array([0.5, 0.5, -0.1]),
    )
    assert seen_in(result).tolist() == [2, 2]
