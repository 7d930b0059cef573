"""Brackets over bars: none crosses another, and all are seen."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from pipeline.core.parts import Bars, Bracket, Figure
from pipeline.report.fitting import thin_bars
from pipeline.report.interactive import interactive_panel
from pipeline.viz.bars import draw_bars
from pipeline.viz.brackets import bracket_paths
from pipeline.viz.scales import bar_limits


def panel(pairs, *, letters=1, values=(0.2, 0.9, 0.4, 0.5), **ends):
    labels = tuple(name * letters for name in "abcd")
    return Bars(
        title="", labels=labels, values=np.array(values), x_title="", y_title="Share",
        brackets=tuple(Bracket(first=a, second=b, label=f"{a} < {b}") for a, b in pairs), **ends,
    )  # fmt: skip


EVERY = list(combinations(range(4), 2))


def test_brackets_stand_above_all_bars_and_ranges_and_share_no_height_where_they_meet():
    shown = panel(EVERY, lower=np.full(4, 0.1), upper=np.array([0.3, 1.0, 0.5, np.nan]))
    paths = bracket_paths(shown)
    assert paths[..., 1].min() > 1.0
    np.testing.assert_array_equal(paths[:, [0, 3], 0], EVERY)
    height = paths[:, 1, 1]
    for one, other in combinations(range(len(EVERY)), 2):
        (a, b), (c, d) = EVERY[one], EVERY[other]
        if a <= d and c <= b:
            assert height[one] != height[other]
    # Neighbours stand below those that reach over them.
    assert height[EVERY.index((0, 3))] == height.max()
    assert height[EVERY.index((0, 1))] == height.min() == height[EVERY.index((2, 3))]


def test_the_order_of_a_pair_does_not_matter_and_there_may_be_no_bracket():
    np.testing.assert_array_equal(bracket_paths(panel([(2, 0)])), bracket_paths(panel([(0, 2)])))
    assert bracket_paths(panel([])).shape == (0, 4, 2)
    assert np.isfinite(bracket_paths(panel([(0, 1)], values=(0, 0, 0, 0)))).all()


@pytest.mark.parametrize("letters", [1, 30], ids=["upright", "lying"])
def test_brackets_are_drawn_on_paper_and_on_the_page(letters):
    from matplotlib.figure import Figure as Drawing

    shown = panel([(0, 1), (1, 3)], letters=letters)
    axes = Drawing().subplots()
    draw_bars(axes, shown)
    drawn = np.array([line.get_xydata() for line in axes.lines])
    corners = bracket_paths(shown)
    np.testing.assert_array_equal(drawn, corners[:, :, ::-1] if letters > 1 else corners)

    class Exact:
        def add(self, values, *, exact=False):
            return np.asarray(values)

    bars, line = interactive_panel(shown, Exact())["traces"]
    assert bars["type"] == "bar"
    found = np.stack([line["x"], line["y"]], axis=1).reshape(2, 5, 2)
    assert np.isnan(found[:, 4]).all()  # a gap between brackets
    np.testing.assert_array_equal(found[:, :4], drawn)
    assert line["customdata"][::5] == ["0 &lt; 1", "1 &lt; 3"]


def test_room_is_made_for_brackets_where_bars_share_an_axis():
    shown, plain = panel(EVERY), panel([])
    figure = Figure(id="f", title="", finding="", caption="", alt="", panels=(shown, plain))
    low, high = bar_limits(plain, figure)
    assert low == 0
    assert high > bracket_paths(shown)[..., 1].max()
    alone = dataclasses.replace(figure, panels=(shown,))
    assert bar_limits(shown, alone) == (low, high)


def test_brackets_go_where_bars_are_left_out():
    assert thin_bars(panel(EVERY), every=2).brackets == ()
    assert dataclasses.replace(panel(EVERY)).brackets == thin_bars(panel(EVERY), every=1).brackets
