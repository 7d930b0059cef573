import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from pipeline.core.parts import Bars, Figure, Heatmap, Line, Lines, Points
from pipeline.viz.draw import draw_figure
from tests.support import fake_page
from tests.support.fake_page import MATH

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = (
    fake_page.time_curves,
    fake_page.community_matrix,
    fake_page.rank_bars,
    fake_page.unit_network,
    fake_page.states,
)


def texts(svg):
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - our own drawing


def figure(panel):
    return Figure(id="f", title="F", finding="", caption="", alt="", panels=(panel,))


@pytest.mark.parametrize("make", FIGURES)
def test_every_kind_of_panel_is_drawn_with_text_as_text(make):
    svg = draw_figure(make())
    shown = texts(svg)
    for panel in make().panels:
        if panel.title:
            assert panel.title in shown
    assert len(shown) > 5
    assert len(svg) < 600_000


def test_the_same_figure_gives_the_same_bytes():
    assert draw_figure(fake_page.rank_bars()) == draw_figure(fake_page.rank_bars())


def test_no_element_or_attribute_comes_from_a_name():
    svg = draw_figure(fake_page.rank_bars())
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own drawing
    assert not [node for node in root.iter() if node.tag.endswith(("img", "script"))]
    assert not [n for n in root.iter() if any(name.startswith("on") for name in n.attrib)]


@pytest.mark.parametrize("name", [MATH, "a_b^c", "$x$", "\\alpha", "_hidden", "100 %"])
def test_signs_of_formulas_in_names_stay_as_they_are(name):
    lines = (Line(name=name, y=np.arange(3.0)), Line(name="other", y=np.zeros(3), group=1))
    panel = Lines(title=name, x=np.arange(3.0), lines=lines, x_title=name, y_title=name)
    shown = [text.replace("\N{ZERO WIDTH SPACE}", "") for text in texts(draw_figure(figure(panel)))]
    assert shown.count(name) == 4
    bars = Bars(title="", labels=(name, "b"), values=np.ones(2), x_title="", y_title="")
    assert name in texts(draw_figure(figure(bars)))


def test_many_points_become_pixels_and_few_stay_vectors():
    def drawn(count):
        x = np.arange(float(count))
        return draw_figure(figure(Points(title="", x=x, y=np.sin(x), x_title="", y_title="")))

    assert "<image" not in drawn(100)
    many = drawn(20_000)
    assert "<image" in many
    assert len(many) < 2_500_000


def test_labels_of_a_large_matrix_are_thinned_until_they_fit():
    names = tuple(f"unit{i:03d}" for i in range(400))
    panel = Heatmap(
        title="",
        values=np.zeros((400, 400), dtype=np.float32),
        x_title="",
        y_title="",
        value_title="",
        x_labels=names,
        y_labels=names,
        square=True,
    )
    shown = [text for text in texts(draw_figure(figure(panel))) if text.startswith("unit")]
    assert 20 < len(shown) < 120
    assert "unit000" in shown


def test_remarks_on_units_stand_beside_the_rows_of_a_square_and_not_below_it_again():
    names = ("unit 3 \N{MIDDLE DOT} VISp", "unit 5 \N{MIDDLE DOT} CA1")
    panel = Heatmap(
        title="",
        values=np.eye(2, dtype=np.float32),
        x_title="",
        y_title="",
        value_title="",
        x_labels=names,
        y_labels=names,
        square=True,
    )
    shown = texts(draw_figure(figure(panel)))
    assert [text for text in shown if text.startswith("unit")] == ["unit 3", "unit 5", *names]
    alike = dataclasses.replace(panel, x_labels=(names[0], names[0]), y_labels=(names[0],) * 2)
    assert texts(draw_figure(figure(alike))).count(names[0]) == 4


def test_long_labels_are_cut_with_an_ellipsis():
    bars = Bars(title="", labels=("x" * 80, "b"), values=np.ones(2), x_title="", y_title="")
    (cut,) = [text for text in texts(draw_figure(figure(bars))) if text.startswith("xx")]
    assert len(cut) == 24
    assert cut.endswith("\N{HORIZONTAL ELLIPSIS}")


@pytest.mark.parametrize("scale", ["sequential", "diverging", "categorical"])
def test_a_matrix_of_missing_values_can_be_drawn(scale):
    panel = Heatmap(
        title="",
        values=np.full((3, 4), np.nan, dtype=np.float32),
        x_title="",
        y_title="",
        value_title="",
        scale=scale,
    )
    assert "<svg" in draw_figure(figure(panel))


def test_empty_curves_and_constant_curves_can_be_drawn():
    empty = Lines(title="", x=np.zeros(0), lines=(), x_title="t", y_title="")
    flat = Lines(
        title="",
        x=np.zeros(1),
        lines=(Line(name="a", y=np.array([np.nan])),),
        x_title="t",
        y_title="",
    )
    for panel in (empty, flat):
        assert "t" in texts(draw_figure(figure(panel)))


def test_labels_of_stretches_stand_in_full_where_there_is_room_and_as_numbers_elsewhere():
    svg = draw_figure(fake_page.time_curves())
    shown = texts(svg)
    assert shown.count("drifting gratings") == 2
    key = next(text for text in shown if "<img" in text)
    number = key.split("; ")[["<img" in one for one in key.split("; ")].index(True)].split()[0]
    assert number.isdecimal()
    assert number in shown


def test_a_figure_does_not_change_the_settings_of_matplotlib():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw_figure(fake_page.rank_bars())
    assert dict(mpl.rcParams) == before


def test_colours_of_the_figure_are_those_of_the_page():
    from pipeline.viz.theme import LIGHT

    svg = draw_figure(fake_page.time_curves())
    for color in LIGHT.groups[:3]:
        assert color in svg
    assert not re.search(r"#1f77b4", svg)


def test_a_figure_without_spans_has_no_key():
    curves = fake_page.time_curves()
    plain = dataclasses.replace(curves.panels[0], spans=())
    shown = texts(draw_figure(dataclasses.replace(curves, panels=(plain,))))
    assert not any("baseline" in text for text in shown)
