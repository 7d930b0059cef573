"""The tree of nested groups and the timeline of recordings, on results made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pipeline.methods.connectome.dendrogram import dendrogram_figure
from pipeline.methods.connectome.dominance import dominance_figure, dominant


def grouped():
    """Six units in three groups in two groups; a seventh without an edge."""
    pair = np.ones((7, 7)) - np.eye(7)
    pair[6] = pair[:, 6] = 0
    return SimpleNamespace(
        rank=2,
        unit=np.array(list("ABCDEFG")),
        recording=np.array(["r"]),
        group=np.array([[[0, 1, 0, 1, 2, 2, -1], [0, 0, 0, 0, 1, 1, -1]]] * 2),
        community=np.array([[0, 1, 0, 1, -1, -1, -1]] * 2),
        structured=np.array([True, False]),
        component_gain=np.array([0.1, 0.4]),
        pair_matrix=lambda component: pair,
    )


def test_the_tree_joins_units_by_their_groups_level_by_level():
    figure = dendrogram_figure(grouped(), grouped().unit)
    assert [panel.title for panel in figure.panels] == ["Component 1"]  # the other has no groups
    tree = figure.panels[0]
    children = {}
    for parent, child in tree.edges.tolist():
        children.setdefault(tree.labels[parent], set()).add(tree.labels[child])
    assert children == {
        "group 1 of level 1": {"A", "C"},
        "group 2 of level 1": {"B", "D"},
        "group 3 of level 1": {"E", "F"},
        "group 1 of level 2": {"group 1 of level 1", "group 2 of level 1"},
        "group 2 of level 2": {"group 3 of level 1"},
        "all units": {"group 1 of level 2", "group 2 of level 2"},
    }
    group = dict(zip(tree.labels, tree.group.tolist(), strict=True))
    assert [group[name] for name in "ABCDEF"] == [0, 1, 0, 1, -1, -1]
    # Each group is one stretch of the circle: its members stand beside each other.
    place = {name: index for index, name in enumerate(tree.labels[:6])}
    assert abs(place["A"] - place["C"]) == abs(place["B"] - place["D"]) == 1
    radius = np.hypot(tree.x, tree.y)
    np.testing.assert_allclose(radius[:6], 1, atol=2e-3)
    assert radius[-1] == 0


def test_without_groups_there_is_no_tree():
    result = grouped()
    result.structured = np.array([False, False])
    assert dendrogram_figure(result, result.unit) is None


def courses(**changes):
    """Two components over six frames of two recordings side by side, the second one shorter."""
    time = np.arange(6.0)
    fields = {
        "rank": 2,
        "recording": np.array(["a", "b"]),
        "side_by_side": True,
        "alignment": "absolute",
        "bin_s": 1.0,
        "weight": np.array([2.0, 1.0]),
        "component_time": np.array([[1, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 1.0]]).T,
        "component_recording": np.array([[1.0, 0.0], [0.5, 0.5]]),
        "frame_time_s": time,
        "source_time_s": np.stack([time, np.where(time < 5, 100 + time, np.nan)], axis=1),
    }
    return SimpleNamespace(**{**fields, **changes})


def test_the_strongest_active_component_of_each_recording_is_named():
    found = dominant(courses())
    assert found[:, 0].tolist() == [0, 0, 1, 1, -1, 1]
    assert found[:, 1].tolist() == [-1, 1, 1, 1, -1, -2]


def test_rows_of_the_timeline_are_recordings_with_what_is_missing():
    panel = dominance_figure(courses()).panels[0]
    assert panel.y_labels == ("a", "b")
    np.testing.assert_array_equal(panel.values, [[1, 1, 2, 2, -1, 2], [-1, 2, 2, 2, -1, np.nan]])
    assert panel.x_title == "Time from the start (s)"


def test_recordings_in_a_row_each_begin_at_their_own_start():
    time = np.arange(3.0)
    away = np.full(3, np.nan)
    source = np.stack([np.concatenate([time, away]), np.concatenate([away, 50 + time])], axis=1)
    panel = dominance_figure(
        courses(side_by_side=False, alignment="concatenate", source_time_s=source)
    ).panels[0]
    np.testing.assert_array_equal(panel.values, [[1, 1, 2], [2, -1, 2]])
