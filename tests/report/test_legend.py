import dataclasses

import numpy as np

from pipeline.core.parts import Figure, Heatmap, Line, Lines, Points, Span
from pipeline.report.legend import legend, shared_legend


def curve(*labels):
    spans = tuple(Span(start=i, stop=i + 1, label=label) for i, label in enumerate(labels))
    return Lines(
        title="", x=np.arange(3.0), lines=(Line(name="a", y=np.zeros(3)),), x_title="", y_title="",
        spans=spans,
    )  # fmt: skip


def matrix(*, gap):
    values = np.zeros((2, 2), dtype=np.float32)
    values[0, 0] = np.nan if gap else 0
    return Heatmap(title="", values=values, x_title="", y_title="", value_title="")


def figure(*panels):
    return Figure(id="f", title="", finding="", caption="", alt="", panels=panels)


def labels(entries):
    return [entry.label for entry in entries]


def test_what_all_panels_share_is_told_once():
    shown = figure(curve("salt", "air"), matrix(gap=True), curve("air", "salt"), matrix(gap=True))
    assert labels(shared_legend(shown)) == ["air", "salt", "missing"]


def test_a_framed_cell_is_explained_beside_its_panel():
    framed = dataclasses.replace(matrix(gap=False), outlined=((0, 1),), outlined_title="the best")
    assert [(entry.kind, entry.label) for entry in legend(framed)] == [("frame", "the best")]
    assert legend(matrix(gap=False)) == ()


def test_grey_of_most_panels_is_told_once_and_another_beside_its_panel():
    own = dataclasses.replace(matrix(gap=True), missing_title="all alike")
    assert labels(legend(own)) == ["all alike"]
    assert labels(shared_legend(figure(own, matrix(gap=True), matrix(gap=True)))) == ["missing"]
    assert shared_legend(figure(own, matrix(gap=True))) == ()


def test_panels_with_spans_of_their_own_keep_their_legends():
    assert shared_legend(figure(curve("salt"), curve("air"))) == ()


def test_one_panel_keeps_its_legend():
    assert shared_legend(figure(curve("salt"))) == ()
    assert labels(legend(curve("salt"))) == ["salt"]
    assert labels(shared_legend(figure(matrix(gap=True), matrix(gap=False)))) == []


def test_curves_of_one_group_have_no_dash_in_the_legend():
    lines = tuple(Line(name=name, y=np.zeros(2), group=2) for name in "ab")
    panel = Lines(title="", x=np.arange(2.0), lines=lines, x_title="", y_title="")
    assert [entry.dash for entry in legend(panel)] == ["", ""]


def scattered(*groups):
    at = np.arange(len(groups), dtype=float)
    return Points(title="", x=at, y=at, x_title="x", y_title="y", group=np.array(groups))


def test_groups_of_points_that_all_panels_share_are_told_once():
    same = Figure(
        id="f", title="", finding="", caption="", alt="", panels=(scattered(0, 1), scattered(1, 0))
    )
    assert [entry.label for entry in shared_legend(same)] == ["0", "1"]
    other = Figure(
        id="f", title="", finding="", caption="", alt="", panels=(scattered(0, 1), scattered(1, 2))
    )
    assert shared_legend(other) == ()


def test_no_group_and_no_value_look_different():
    panel = Heatmap(
        title="", values=np.array([[-1.0, 1.0, np.nan]]), x_title="", y_title="", value_title="",
        scale="categorical",
    )  # fmt: skip
    shades = {entry.label or entry.number: entry.shade for entry in legend(panel)}
    assert shades["none"] != shades["missing"]
