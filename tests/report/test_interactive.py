import numpy as np
import pytest

from pipeline.core.parts import Bars, Heatmap, Line, Lines, Network, Points, Span
from pipeline.report.interactive import ArrayPool, interactive, interactive_panel, plotly_text
from tests.report.test_packing import unpacked
from tests.support import fake_page


def drawn(panel):
    pool = ArrayPool()
    return interactive_panel(panel, pool), pool


def values_of(reference, pool):
    return unpacked(pool.arrays[reference["$"]])


def test_text_that_looks_like_markup_is_escaped_once():
    assert plotly_text("<b>&amp;</b>") == "&lt;b&gt;&amp;amp;&lt;/b&gt;"


def test_no_text_for_plotly_holds_a_tag_from_the_data():
    for make in (fake_page.rank_bars, fake_page.unit_network, fake_page.time_curves):
        for panel in interactive(make())["panels"]:
            for trace in panel["traces"]:
                assert "<img" not in repr(trace)


def test_a_heat_map_has_row_0_on_top_and_columns_at_their_coordinates():
    panel, pool = drawn(
        Heatmap(
            title="",
            values=np.arange(6, dtype=np.float32).reshape(2, 3),
            x=np.array([10.0, 12.0, 14.0]),
            x_title="Time (s)",
            y_title="Unit",
            value_title="z",
        )
    )
    assert panel["y"]["range"] == [1.5, -0.5]
    assert panel["x"]["range"] == [9.0, 15.0]
    assert (panel["x0"], panel["dx"]) == (10.0, 2.0)
    np.testing.assert_array_equal(values_of(panel["traces"][0]["z"], pool), [[0, 1, 2], [3, 4, 5]])


def test_a_heat_map_and_its_table_share_one_copy_of_the_numbers():
    panel, pool = drawn(fake_page.community_matrix().panels[0])
    assert panel["csv"]["values"] == panel["traces"][0]["z"]
    assert len(pool.arrays) == 1


def test_a_band_is_one_closed_outline_for_each_stretch_without_gaps():
    nan = np.nan
    panel, pool = drawn(
        Lines(
            title="",
            x=np.arange(5.0),
            lines=(
                Line(
                    name="a",
                    y=np.array([0, 1, nan, 3, 4]),
                    lower=np.array([-1, 0, nan, 2, 3]),
                    upper=np.array([1, 2, nan, 4, 5]),
                ),
            ),
            x_title="x",
            y_title="y",
        )
    )
    band = panel["traces"][0]
    assert band["fill"] == "toself"
    np.testing.assert_array_equal(values_of(band["x"], pool), [0, 1, 1, 0, nan, 3, 4, 4, 3])
    np.testing.assert_array_equal(values_of(band["y"], pool), [-1, 0, 2, 1, nan, 2, 3, 5, 4])


def test_outlines_of_groups_lie_below_their_points_and_have_no_entry_of_their_own():
    at = np.array([0.0, 1.0, 0.0, 5.0])
    panel, pool = drawn(
        Points(
            title="", x=at, y=at[::-1], x_title="", y_title="", labels=tuple("abcd"),
            group=np.array([3, 3, 3, 0]), hulls=True,
        )
    )  # fmt: skip
    outline, *points = panel["traces"]
    assert (outline["mode"], outline["line"]["color"]) == ("lines", "@g3")
    assert "name" not in outline
    assert {trace["mode"] for trace in points} == {"markers"}
    assert values_of(outline["x"], pool).size == 4


def test_curves_of_one_group_share_colour_and_dash_and_other_groups_have_others():
    lines = tuple(Line(name=str(i), y=np.zeros(2), group=i // 2) for i in range(4))
    panel, _ = drawn(Lines(title="", x=np.arange(2.0), lines=lines, x_title="", y_title=""))
    looks = [(t["line"]["color"], t["line"]["dash"]) for t in panel["traces"]]
    assert looks[0] == looks[1]
    assert looks[2] == looks[3]
    assert looks[0][0] != looks[2][0]
    assert looks[0][1] != looks[2][1]


def test_curves_of_a_single_group_are_solid_whatever_the_group():
    lines = tuple(Line(name=str(i), y=np.zeros(2), group=3) for i in range(2))
    panel, _ = drawn(Lines(title="", x=np.arange(2.0), lines=lines, x_title="", y_title=""))
    assert {trace["line"]["dash"] for trace in panel["traces"]} == {"solid"}


def test_names_on_a_circle_point_outwards_along_their_rays():
    angle = np.array([0.0, np.pi / 2, np.pi])
    panel, _ = drawn(
        Network(
            title="",
            labels=("right", "top", "left"),
            x=np.cos(angle),
            y=np.sin(angle),
            group=np.zeros(3, dtype=int),
            edges=np.array([[0, 1]]),
            weights=np.ones(1),
        )
    )
    assert [(ray["text"], round(ray["angle"])) for ray in panel["rays"]] == [
        ("right", 0), ("top", 90), ("left", 180),
    ]  # fmt: skip


def test_points_are_told_apart_by_marker_as_well_as_colour():
    panel, _ = drawn(
        Points(
            title="",
            x=np.arange(3.0),
            y=np.arange(3.0),
            x_title="",
            y_title="",
            group=np.array([-1, 0, 1]),
            group_names=("first", "second"),
        )
    )
    markers = [trace["marker"] for trace in panel["traces"]]
    assert len({marker["symbol"] for marker in markers}) == 3
    assert len({marker["color"] for marker in markers}) == 3
    assert [trace["name"] for trace in panel["traces"]] == ["none", "first", "second"]


def test_error_bars_reach_from_the_lower_to_the_upper_value():
    panel, pool = drawn(
        Bars(
            title="",
            labels=("a", "b"),
            values=np.array([2.0, 4.0]),
            lower=np.array([1.5, 3.0]),
            upper=np.array([4.0, 4.5]),
            x_title="",
            y_title="",
        )
    )
    error = panel["traces"][0]["error_y"]
    np.testing.assert_array_equal(values_of(error["array"], pool), [2.0, 0.5])
    np.testing.assert_array_equal(values_of(error["arrayminus"], pool), [0.5, 1.0])


@pytest.mark.parametrize(("labels", "across"), [(("1", "2", "3"), False), (("a" * 30,) * 3, True)])
def test_bars_lie_down_when_their_labels_do_not_fit_side_by_side(labels, across):
    panel, _ = drawn(Bars(title="", labels=labels, values=np.ones(3), x_title="", y_title=""))
    assert panel["across"] is across


def test_every_edge_of_a_network_is_drawn_once_and_negative_ones_are_dotted():
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    panel, pool = drawn(
        Network(
            title="",
            labels=("a", "b", "c"),
            x=np.array([0.0, 1.0, 2.0]),
            y=np.zeros(3),
            group=np.zeros(3, dtype=int),
            edges=edges,
            weights=np.array([0.5, -0.2, 0.9]),
        )
    )
    lines = [trace for trace in panel["traces"] if trace["mode"] == "lines"]
    ends = {
        (tuple(part[:2]), trace["line"]["dash"])
        for trace in lines
        for part in values_of(trace["x"], pool).reshape(-1, 3)
    }
    assert ends == {((0.0, 1.0), "solid"), ((1.0, 2.0), "dot"), ((0.0, 2.0), "solid")}


def test_spans_with_one_label_have_one_number():
    spans = (
        Span(start=0, stop=1, label="a"),
        Span(start=1, stop=2, label="b"),
        Span(start=2, stop=3, label="a"),
    )
    panel, _ = drawn(
        Lines(title="", x=np.arange(3.0), lines=(), x_title="", y_title="", spans=spans)
    )
    assert [span["place"] for span in panel["spans"]] == [0, 1, 0]
