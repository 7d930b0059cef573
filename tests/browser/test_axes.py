"""Axes have the ticks and names that they need, on a phone too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Bars, Bracket, Figure, Heatmap, Line, Panel, Section, Track
from pipeline.report.render import render
from tests.support.fake_page import fake_page

pytestmark = pytest.mark.browser

PHONE = 375
TOLD = """(axis) => [...document.querySelectorAll(`.plot .${axis}tick text`)]
  .map((text) => text.textContent)"""


@pytest.fixture
def ticks(opened, tmp_path):
    """What the ticks of an axis of a single panel tell."""

    def told(panel: Panel, axis: str, *, width: int = PHONE) -> list[str]:
        figure = Figure(
            id="one", title="One", finding="Found.", caption="Made up.", alt="One.", panels=(panel,)
        )
        section = Section(id="trsa", title="tRSA", status="ok", sentence="One.", body=(figure,))
        path = tmp_path / "page.html"
        path.write_text(render(fake_page(sections=(section,))), encoding="utf-8")
        watched = opened(path, width=width)
        assert watched.draw_all() == ["yes"]
        return watched.page.evaluate(TOLD, axis)

    return told


def accuracies(labels, **fields):
    return Bars(
        title="",
        labels=labels,
        values=np.linspace(0.9, 0.5, len(labels)),
        lower=np.linspace(0.8, 0.4, len(labels)),
        upper=np.linspace(1.0, 0.6, len(labels)),
        x_title="Statistic",
        y_title="Accuracy",
        **fields,
    )


@pytest.mark.parametrize(("first", "last"), [(0.1, 0.9), (-3.17, 3.17), (0.2, 0.8)])
def test_an_axis_of_numbers_has_two_ticks_at_least(ticks, first, last):
    panel = Heatmap(
        title="",
        values=np.eye(4, 9, dtype=np.float32),
        x=np.linspace(first, last, 9),
        x_title="Time (s)",
        y_title="A population with a name",
        value_title="A long name of what is shown",
        y_labels=tuple(f"a long name of group {at}" for at in range(4)),
    )
    assert len(ticks(panel, "x")) >= 2


def test_accuracies_that_lie_have_more_than_two_ticks(ticks):
    labels = ("unit norm", "unit norm, chance", "ranks", "ranks, chance", "0 to 0.5", "of best")
    lying = accuracies(labels)
    shorter = [0.8 * side for side in (lying.values, lying.lower, lying.upper)]
    panel = dataclasses.replace(
        lying, **dict(zip(("values", "lower", "upper"), shorter, strict=True))
    )
    assert len(ticks(panel, "x")) >= 3


@pytest.mark.parametrize("to", [None, 6.0])
def test_a_range_of_references_is_within_sight(ticks, to):
    panel = dataclasses.replace(
        accuracies(("a", "b"), reference=3.0, reference_to=to, reference_label="ceiling"),
        values=np.array([1.0, 2.0]),
        upper=np.array([1.5, 2.5]),
    )
    told = [float(text) for text in ticks(panel, "y")]
    assert (max(told) > 4) == (to is not None)


def test_a_low_panel_has_two_ticks_at_least_too(ticks):
    panel = Track(
        title="",
        x=np.arange(5.0),
        lines=(Line(name="a", y=np.array([0.12, 0.5, 0.88, 0.3, 0.2])),),
        x_title="Time (s)",
        y_title="Rate",
        x_limits=(0.0, 4.0),
    )
    assert len(ticks(panel, "y")) >= 2


def test_a_name_beside_bars_is_not_cut_for_its_last_letters(ticks):
    labels = ("rank", "rank, chance", "unit norm", "unit norm, chance", "none", "none, chance")
    assert ticks(accuracies(labels), "y") == list(labels)


@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("n_bars", [4, 6])
def test_no_tick_tells_of_shares_above_one_where_brackets_stand(ticks, n_bars, width):
    brackets = tuple(
        Bracket(first=one, second=other, label="p = 0.01")
        for one in range(n_bars)
        for other in range(one + 1, n_bars)
    )
    panel = accuracies(tuple(f"{n}" * 3 for n in "abcdef"[:n_bars]), brackets=brackets)
    told = [float(text) for text in ticks(panel, "y", width=width)]
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) >= 3
