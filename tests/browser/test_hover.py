"""What is told of the mark under the pointer, in every kind of figure."""

from __future__ import annotations

import pytest

from tests.support import fake_page
from tests.support.fake_page import HOSTILE

pytestmark = pytest.mark.browser

HOVERED = """([figure, place, curve, point]) => {
  const box = document.querySelectorAll(`#connectome-${figure} .plot`)[place];
  Plotly.Fx.hover(box, [{ curveNumber: curve, pointNumber: point }]);
  return [...box.querySelectorAll('.hoverlayer text')].map((text) => text.textContent).join(' ');
}"""
CURVES = """([figure, place, name]) => document.querySelectorAll(
  `#connectome-${figure} .plot`)[place].data.findIndex((trace) => trace.name === name)"""


@pytest.fixture
def page(opened, report_file):
    watched = opened(report_file)
    watched.draw_all()
    return watched.page


@pytest.mark.parametrize(("row", "column"), [(3, 5), (4, 4)])
def test_a_cell_tells_its_row_its_column_and_its_value(page, row, column):
    page.evaluate(
        "([row, column]) => document.querySelector('#connectome-communities .plot').emit("
        "'plotly_hover', {points: [{pointIndex: [row, column]}], event: {clientX: 9, clientY: 9}})",
        [row, column],
    )
    panel = fake_page.community_matrix().panels[0]
    value = "missing" if row == column else f"{panel.values[row, column]:.4g}"
    told = page.locator("#tip").text_content()
    names = f"{panel.y_labels[row]} \N{MIDDLE DOT} {panel.x_labels[column]}: "
    assert told.startswith(names)
    assert told.removeprefix(names) == value or float(told.removeprefix(names)) == float(value)
    page.evaluate("document.querySelector('#connectome-communities .plot').emit('plotly_unhover')")
    assert page.locator("#tip").is_hidden()


def test_a_bar_tells_its_name_and_value(page):
    panel = fake_page.rank_bars().panels[1]
    name, _, value = page.evaluate(HOVERED, ["rank", 1, 0, 2]).rpartition(": ")
    assert name == panel.labels[2] == HOSTILE
    assert float(value) == panel.values[2]


def test_a_point_tells_its_unit_its_place_and_its_group(page):
    panel = fake_page.unit_network().panels[1]
    name = panel.group_names[0]
    curve = page.evaluate(CURVES, ["network", 1, name])
    unit = list(panel.group).index(0)
    told = page.evaluate(HOVERED, ["network", 1, curve, 0])
    assert name in told
    assert f"{panel.labels[unit]}{panel.x[unit]:.4g}, {panel.y[unit]:.4g}" in told
    assert page.evaluate("window.pwned") is None


def test_a_node_tells_its_unit(page):
    panel = fake_page.unit_network().panels[0]
    name = panel.group_names[1]
    curve = page.evaluate(
        """name => document.querySelector('#connectome-network .plot').data.findIndex(
          (trace) => trace.hovertemplate?.includes(name))""",
        name,
    )
    told = page.evaluate(HOVERED, ["network", 0, curve, 0])
    assert panel.labels[list(panel.group).index(1)] in told.split()


def test_a_curve_tells_its_name_and_value(page):
    panel = fake_page.time_curves().panels[0]
    curve = page.evaluate(CURVES, ["time-factors", 0, panel.lines[1].name])
    told = page.evaluate(HOVERED, ["time-factors", 0, curve, 100])
    assert panel.lines[1].name in told
    assert f"{panel.x[100]:.4g}" in told
