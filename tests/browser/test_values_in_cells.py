"""Small matrices tell their values in numbers, large ones by colour alone; cells have frames."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.parts import Figure, Heatmap, Section
from pipeline.report.render import render
from pipeline.viz.theme import LIGHT, text_on
from tests.support.fake_page import fake_page

pytestmark = pytest.mark.browser

TOLD = """(id) => [...document.querySelectorAll(`#connectome-${id} .annotation text`)].map((text) =>
  [text.textContent, getComputedStyle(text).fill])"""
FRAMED = """(id) => [...document.querySelectorAll(`#connectome-${id} .shapelayer path`)]
  .map((path) => getComputedStyle(path).stroke)"""


def matrix(values, **fields):
    values = np.asarray(values, dtype=np.float32)
    names = tuple(f"n{place}" for place in range(len(values)))
    return Figure(
        id=f"of-{len(values)}",
        title="A matrix",
        finding="Found.",
        caption="Made up.",
        alt="A matrix.",
        panels=(
            Heatmap(
                title="",
                values=values,
                x_title="To",
                y_title="From",
                value_title="Share",
                x_labels=names,
                y_labels=names,
                limits=(0.0, 1.0),
                square=True,
                **fields,
            ),
        ),
    )


def css(colour):
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgb({red}, {green}, {blue})"


def test_few_cells_tell_their_values_legibly_many_do_not_and_frames_are_drawn(opened, tmp_path):
    small, large = (
        matrix([[1.0, np.nan], [1e-9, 0.976]], outlined=((1, 0),), outlined_title="the least"),
        matrix(np.eye(20)),
    )
    section = Section(
        id="connectome", title="Connectome", status="ok", sentence="One.", body=(small, large)
    )
    path = tmp_path / "page.html"
    path.write_text(render(fake_page(sections=(section,))), encoding="utf-8")
    watched = opened(path)
    watched.draw_all()
    told = dict(watched.page.evaluate(TOLD, "of-2"))
    assert set(told) == {"1.00", "0.00", "0.98"}  # nothing for what is missing
    dark, bright = "#440154", "#fde725"  # the ends of the scale
    for text, ground in (("0.00", dark), ("1.00", bright)):
        assert told[text] == css(text_on(ground))
    assert watched.page.evaluate(TOLD, "of-20") == []
    assert watched.page.evaluate(FRAMED, "of-2") == [css(LIGHT.surface), css(LIGHT.ink)]
    assert watched.page.evaluate(FRAMED, "of-20") == []
    assert "the least" in watched.page.locator("#connectome-of-2 .legend").inner_text()
    assert watched.complaints == []
