import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Bars, Heatmap, Line, Lines, Network, Points, Span
from pipeline.viz.axis import counts, shortened, span_key, strip_text, thinned, told_apart
from pipeline.viz.bars import bar_width, bars_lie, draw_bars
from pipeline.viz.heatmap import cropped, decimals, draw_heatmap, value_text
from pipeline.viz.lines import draw_lines
from pipeline.viz.network import edge_classes, labelled_nodes, on_ring
from pipeline.viz.points import draw_points, hulls
from pipeline.viz.scales import heatmap_limits
from pipeline.viz.spans import span_labels
from pipeline.viz.theme import LIGHT


def heatmap(values, **fields):
    return Heatmap(
        title="",
        values=np.asarray(values, dtype=np.float32),
        x_title="",
        y_title="",
        value_title="",
        **fields,
    )


def network(x, *, labels, edges=(), weights=()):
    return Network(
        title="",
        labels=labels,
        x=np.asarray(x, dtype=float),
        y=np.zeros(len(x)),
        group=np.zeros(len(x), dtype=int),
        edges=np.asarray(edges, dtype=np.int64).reshape(-1, 2),
        weights=np.asarray(weights, dtype=float),
    )


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        ({}, (-3.0, 1.0)),
        ({"scale": "diverging"}, (-3.0, 3.0)),
        ({"limits": (0.0, 9.0)}, (0.0, 9.0)),
        ({"scale": "categorical"}, (-1.5, 7.5)),
    ],
)
def test_colour_scales_end_where_the_values_or_the_author_say(fields, limits):
    assert heatmap_limits(heatmap([[1.0, np.nan, -3.0]], **fields)) == limits


@pytest.mark.parametrize(
    ("values", "reach", "texts"),
    [
        ([0.976, 1.0, 1e-9, -0.25], 1.0, ["0.98", "1.00", "0.00", "\N{MINUS SIGN}0.25"]),
        ([3.14159, -1e-9], 3.2, ["3.14", "0.00"]),
        ([123.4, 7.6], 123.4, ["123", "8"]),
        ([0.0123, 0.001], 0.02, ["0.012", "0.001"]),
        ([20.0, 3.0, np.nan], 20.0, ["20", "3"]),
    ],
)
def test_values_of_a_matrix_are_told_alike_with_as_many_digits_as_matter(values, reach, texts):
    digits = decimals(np.array(values), reach=reach)
    told = [value_text(value, digits=digits) for value in values if np.isfinite(value)]
    assert told == texts


@pytest.mark.parametrize(("side", "n_told"), [(2, 3), (20, 0)])
def test_few_cells_tell_their_values_and_many_do_not(side, n_told):
    from matplotlib.figure import Figure

    values = np.eye(side)
    values[0, 1] = np.nan
    axes = Figure().subplots()
    draw_heatmap(axes, heatmap(values, square=True))
    assert [text.get_text() for text in axes.texts] == ["1", "0", "1"][:n_told]


def test_a_cell_is_framed_where_it_lies_and_the_frame_is_explained():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    draw_heatmap(
        axes,
        heatmap(
            np.eye(3), x=np.array([10.0, 12.0, 14.0]), outlined=((2, 1),), outlined_title="the best"
        ),
    )
    (frame,) = axes.patches
    assert frame.get_bbox().extents.tolist() == [11.0, 1.5, 13.0, 2.5]
    assert axes.get_xlabel() == "Framed: the best"


def test_grey_cells_are_explained_on_paper():
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 3)
    values = [[0.0, np.nan]]
    draw_heatmap(axes[0], heatmap(values))
    draw_heatmap(axes[1], heatmap(values, missing_title="all alike"))
    draw_heatmap(axes[2], heatmap([[0.0, 1.0]], missing_title="all alike"))
    assert [each.get_xlabel() for each in axes] == ["Grey: missing", "Grey: all alike", ""]


def test_groups_that_span_an_area_have_outlines_on_paper():
    from matplotlib.figure import Figure

    # A square with a point within, a line, a pair, and four points of no group.
    x = np.array([0, 2, 2, 0, 1, 5, 6, 7, 8, 9, 0, 9, 9, 0], dtype=float)
    y = np.array([0, 0, 2, 2, 1, 5, 6, 7, 0, 9, 0, 0, 9, 9], dtype=float)
    group = np.array([0] * 5 + [1] * 3 + [2] * 2 + [-1] * 4)
    panel = Points(title="", x=x, y=y, x_title="", y_title="", group=group, hulls=True)
    ((value, hull_x, hull_y),) = hulls(panel)
    assert value == 0
    corners = [*zip(hull_x.tolist(), hull_y.tolist(), strict=True)]
    assert corners[0] == corners[-1]
    assert sorted(corners[1:]) == [(0, 0), (0, 2), (2, 0), (2, 2)]
    axes = Figure().subplots()
    draw_points(axes, panel)
    (outline,) = axes.lines
    assert outline.get_color() == LIGHT.groups[0]
    assert hulls(dataclasses.replace(panel, hulls=False)) == ()


def test_few_upright_bars_are_no_walls():
    def upright(count):
        return Bars(
            title="", labels=tuple(map(str, range(count))), values=np.ones(count),
            x_title="", y_title="",
        )  # fmt: skip

    assert bar_width(upright(1)) < bar_width(upright(2)) < bar_width(upright(5)) == 0.7
    assert bar_width(upright(50)) == 0.7


@pytest.mark.parametrize("scale", ["sequential", "diverging"])
@pytest.mark.parametrize("value", [0.0, 2.0, np.nan])
def test_a_constant_matrix_has_a_scale_of_some_width(scale, value):
    low, high = heatmap_limits(heatmap(np.full((2, 2), value), scale=scale))
    assert low < high


def test_a_cropped_diverging_scale_keeps_the_neutral_colour_at_zero():
    scale = cropped(0.0, 1.0)
    assert scale[0] == (0.0, LIGHT.diverging[3][1])
    assert scale[-1] == (1.0, LIGHT.diverging[-1][1])


def test_labels_are_thinned_evenly_from_the_first():
    assert thinned(100, inches=1.0) == list(range(0, 100, 13))
    assert thinned(3, inches=1.0) == [0, 1, 2]
    assert thinned(0, inches=1.0) == []


def test_only_labels_that_are_too_long_are_cut():
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab\N{HORIZONTAL ELLIPSIS}"


def test_labels_that_begin_alike_stay_different_when_cut():
    assert told_apart(["butanone group 1", "butanone group 2", "salt"], 9) == [
        "buta\N{HORIZONTAL ELLIPSIS}up 1",
        "buta\N{HORIZONTAL ELLIPSIS}up 2",
        "salt",
    ]
    hopeless = ["a" * 9 + middle + "b" * 9 for middle in "xyz"]
    assert told_apart(hopeless, 7) == hopeless
    assert told_apart(["long label", "long label"], 5) == ["long\N{HORIZONTAL ELLIPSIS}"] * 2


def test_spans_are_numbered_alike_whatever_came_first():
    labels = ("trial 10", "Trial 2", "rest")
    spans = tuple(Span(start=i, stop=i + 1, label=label) for i, label in enumerate(labels))
    assert span_labels(spans) == ("rest", "Trial 2", "trial 10")
    assert span_labels(spans[::-1]) == span_labels(spans)


def test_all_names_on_a_circle_are_shown():
    angle = 2 * np.pi * np.arange(40) / 40
    panel = dataclasses.replace(
        network(np.cos(angle), labels=("a long name of a unit",) * 40), y=np.sin(angle)
    )
    assert on_ring(panel)
    assert labelled_nodes(panel) == list(range(40))
    assert not on_ring(network([0, 1, 2], labels=("a", "b", "c")))
    # In a tree the outermost nodes are the named ones, and all branches are drawn alike.
    tree = dataclasses.replace(
        panel,
        labels=(*panel.labels, "inside"),
        x=np.append(panel.x, 0.0),
        y=np.append(panel.y, 0.0),
        group=np.append(panel.group, -1),
        edges=np.array([[40, 0], [40, 1]]),
        weights=np.array([1.0, 1.0]),
        tree=True,
    )
    assert on_ring(tree)
    assert labelled_nodes(tree) == list(range(40))
    assert [one[2] for one in edge_classes(tree)] == [2.0]


def test_a_stretch_is_told_by_label_number_or_nothing_as_fits():
    assert strip_text("grating", 2, share=0.2) == "grating"
    assert strip_text("grating", 2, share=0.02) == "3"
    assert strip_text("grating", 11, share=0.01) == ""


def test_the_key_names_labels_that_stand_nowhere_in_full():
    spans = (
        Span(start=0, stop=50, label="long enough"),
        Span(start=50, stop=51, label="too short"),
        Span(start=51, stop=100, label="other"),
    )
    assert span_key(spans, (0, 100)) == "3 too short"
    # On a longer axis the same stretches have less room, and are numbers too.
    assert span_key(spans, (0, 500)) == "1 long enough; 3 too short"
    assert span_labels(spans) == ("long enough", "other", "too short")


def test_strong_edges_are_wider_than_weak_ones():
    panel = network(
        range(6), labels=tuple("abcdef"), edges=[(0, i) for i in range(1, 6)],
        weights=[0.1, 0.2, 0.3, 0.4, 5.0],
    )  # fmt: skip
    classes = edge_classes(panel)
    widest = max(classes, key=lambda each: each[2])
    np.testing.assert_array_equal(widest[0][:2], [0, 5])
    assert sum(len(each[0]) // 3 for each in classes) == 5


def test_a_network_without_edges_has_no_classes():
    assert edge_classes(network([0, 1], labels=("a", "b"))) == []


def test_names_that_would_cover_each_other_give_way_to_the_best_linked():
    panel = network([0, 1, 100], labels=("weak", "strong", "far"), edges=[(1, 2)], weights=[1.0])
    assert labelled_nodes(panel) == [1, 2]


def test_names_with_room_are_all_shown():
    assert labelled_nodes(network([0, 50, 100], labels=("a", "b", "c"))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("x", "whole"),
    [
        ([1.0, 2, 3], True),
        ([4.0, 6, 8, 10], True),
        ([1.0, 1.5, 2], False),
        ([3.0], False),
        ([1.0, np.nan], False),
        (np.arange(1000.0), False),  # seconds, not counts
    ],
)
def test_axes_of_few_whole_numbers_count(x, whole):
    assert counts(np.asarray(x)) is whole


def test_ticks_of_counts_are_whole_on_paper():
    from matplotlib.figure import Figure as Paper

    axes = Paper(figsize=(2, 2)).add_subplot()
    x = np.array([1.0, 2, 3, 4])
    draw_lines(
        axes, Lines(title="", x=x, lines=(Line(name="a", y=x),), x_title="Number", y_title="")
    )
    ticks = axes.xaxis.get_majorticklocs()
    assert ticks.size >= 2
    assert (ticks == np.round(ticks)).all()


def bars(*labels):
    return Bars(title="", labels=labels, values=np.ones(len(labels)), x_title="", y_title="")


@pytest.mark.parametrize(
    ("labels", "lie"),
    [
        (tuple(f"{0.05 * at:.2f}" for at in range(20)), False),
        (tuple(f"recording {at}" for at in range(20)), True),
        (tuple(f"{0.05 * at:.2f}" for at in range(20, 0, -1)), True),
    ],
    ids=["a histogram", "names", "numbers in no order"],
)
def test_bars_of_a_histogram_stand_however_many_they_are(labels, lie):
    assert bars_lie(bars(*labels)) is lie


def test_a_histogram_writes_as_many_of_its_values_as_have_room():
    from matplotlib.figure import Figure as Drawing

    axes = Drawing(figsize=(3, 2)).subplots()
    draw_bars(axes, bars(*(f"{0.025 + 0.05 * at:.3f}" for at in range(20))))
    written = [label.get_text() for label in axes.get_xticklabels()]
    assert 3 <= len(written) < 12
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {0.0}


def test_the_line_of_equal_values_is_drawn_where_it_is_asked_for():
    from matplotlib.figure import Figure as Drawing

    at = np.array([0.0, 2.0])
    panel = Points(title="", x=at, y=at, x_title="", y_title="", diagonal=True)
    for shown in (panel, dataclasses.replace(panel, diagonal=False)):
        axes = Drawing().subplots()
        draw_points(axes, shown)
        assert len(axes.lines) == shown.diagonal
