"""The range that bars of one figure share."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Bars, Figure
from pipeline.report.interactive import interactive
from pipeline.viz.draw import draw_figure
from pipeline.viz.scales import BEYOND, bar_limits


def bars(*values, title="gain", upper=None, labels=("a", "b")):
    found = np.array(values, dtype=float)
    return Bars(
        title="",
        labels=labels,
        values=found,
        x_title="",
        y_title=title,
        lower=None if upper is None else found,
        upper=None if upper is None else np.array(upper, dtype=float),
    )


def figure(*panels):
    return Figure(id="f", title="f", finding="", caption="", alt="", panels=panels)


def test_bars_of_one_quantity_share_a_range_that_holds_errors_and_zero():
    one, two = bars(1, 2), bars(3, -1, upper=(9, 0))
    limits = (-1 - BEYOND * 10, 9 + BEYOND * 10)
    together = figure(one, two)
    assert bar_limits(one, together) == pytest.approx(limits)
    assert bar_limits(two, together) == pytest.approx(limits)
    for panel in interactive(together)["panels"]:
        assert panel["y"]["range"] == pytest.approx(limits)


def test_bars_of_other_quantities_keep_their_own_range():
    one = bars(1, 2)
    together = figure(one, bars(3, np.nan, title="error"))
    assert bar_limits(one, together) is None
    assert "range" not in interactive(together)["panels"][0]["y"]


def test_lying_bars_share_the_axis_along_them_on_the_page_and_on_paper():
    long = tuple("a long name that does not fit" + end for end in "123")
    together = figure(bars(1, 2, 3, labels=long), bars(1, 20, 3, labels=long))
    assert [panel["x"]["range"][1] for panel in interactive(together)["panels"]] == [20.8, 20.8]
    assert draw_figure(together).count(">20.0<") == 2


def ceiling(*values, to):
    return dataclasses.replace(bars(*values), reference=1.0, reference_to=to)


def test_a_range_of_references_is_within_sight_and_drawn():
    panel = ceiling(0.2, 0.4, to=3.0)
    alone = figure(panel)
    assert bar_limits(panel, alone) == pytest.approx((0, 3 * (1 + BEYOND)))
    assert interactive(alone)["panels"][0]["referenceTo"] == 3.0
    plain = figure(ceiling(0.2, 0.4, to=None))
    assert draw_figure(alone).count("<path") > draw_figure(plain).count("<path")
    assert interactive(plain)["panels"][0]["referenceTo"] is None
