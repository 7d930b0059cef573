"""Tables of a report: sorted, filtered and saved; pictures on the first screen; words to copy."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.support.fake_page import HOSTILE, unit_table
from tests.support.pressing import press

pytestmark = pytest.mark.browser


@pytest.fixture
def units(opened, report_file):
    return opened(report_file).page.locator("#connectome-units")


def column(units, place):
    return units.locator(f"tbody tr:visible td:nth-child({place})").all_text_contents()


def test_rows_follow_the_heading_that_is_pressed_with_missing_ones_last(units):
    press(units.get_by_role("button", name="Community"))
    rising = [int(cell) for cell in column(units, 2)]
    assert rising == sorted(rising)
    press(units.get_by_role("button", name="Community"))
    assert [int(cell) for cell in column(units, 2)] == rising[::-1]
    press(units.get_by_role("button", name="Region"))
    regions = column(units, 4)
    assert regions[0] == "VISp"
    assert regions[-1] == "\N{EN DASH}"


def test_rows_are_filtered_by_text_and_by_a_heading(units):
    units.get_by_role("searchbox").fill("AV007")
    assert column(units, 1) == ["AV007"]
    units.get_by_role("searchbox").fill("community=3 visp")
    assert set(column(units, 2)) == {"3"}
    assert set(column(units, 4)) == {"VISp"}
    assert " of " in units.get_by_role("status").text_content()


def test_what_is_shown_is_what_is_saved(units):
    units.get_by_role("searchbox").fill("region=visp")
    with units.page.expect_download() as started:
        press(units.get_by_role("button", name="CSV of the rows shown"))
    rows = list(csv.reader(Path(started.value.path()).read_text("utf-8").splitlines()))
    table = unit_table().columns
    expected = [str(u) for u, r in zip(table["Unit"], table["Region"], strict=True) if r]
    assert rows[0] == ["Unit", "Community", "Probability", "Region"]
    assert [row[0] for row in rows[1:]] == [name for name in expected if name in column(units, 1)]


def test_small_pictures_are_drawn_and_lead_to_their_figures(opened, report_file):
    watched = opened(report_file)
    page = watched.page
    page.wait_for_function("() => document.documentElement.dataset.ready")
    links = page.locator("a.thumb")
    assert links.count() >= 2
    assert page.locator("a.thumb[data-drawn]").count() == links.count()
    colours = page.evaluate(
        "[...document.querySelectorAll('a.thumb canvas')].map((canvas) => new Set(new Uint32Array("
        "canvas.getContext('2d').getImageData(0, 0, 240, 120).data.buffer)).size)"
    )
    assert min(colours) > 1
    target = links.first.get_attribute("data-figure")
    press(links.first)
    assert page.locator(f"#{target}.arrived").count() == 1
    assert page.url.endswith(f"#{target}")
    assert watched.complaints == []


def test_words_for_a_paper_are_shown_as_text(opened, report_file):
    page = opened(report_file).page
    assert HOSTILE in page.locator("#citing #methods-text").text_content()
    assert page.evaluate("window.pwned") is None


def test_what_is_copied_is_what_is_shown(opened, report_file):
    watched = opened(report_file)
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    buttons = page.locator("button[data-copy]")
    copied = []
    for place in range(buttons.count()):
        button = buttons.nth(place)
        source = button.get_attribute("data-copy")
        press(button)
        told = page.locator(f".tools:has([data-copy={source}]) [role=status]")
        told.filter(has_text="Copied").wait_for()
        text = page.evaluate("navigator.clipboard.readText()")
        assert text == page.locator(f"#{source}").text_content().strip()
        copied.append(source)
    assert copied == ["methods-text", "bibtex-text", "provenance-text"]
    assert watched.complaints == []


def test_where_nothing_may_be_copied_the_words_are_selected(opened, report_file):
    page = opened(report_file).page
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error('no')); }")
    press(page.get_by_role("button", name="Copy as BibTeX"))
    page.locator("#citing [role=status]").filter(has_text="Selected").wait_for()
    selected = page.evaluate("getSelection().toString()")
    assert selected.strip() == page.locator("#bibtex-text").text_content().strip()
