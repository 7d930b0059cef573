"""A tour of the page without a mouse: each stop is seen, none holds, keys work."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.support import fake_page
from tests.support.touring import HERE, STOPS, walk

pytestmark = pytest.mark.browser

READY = "() => document.documentElement.dataset.ready === 'yes'"


@pytest.fixture
def page(opened, report_file):
    watched = opened(report_file)
    watched.page.emulate_media(
        reduced_motion="reduce"
    )  # a place that is scrolled to is seen at once
    watched.page.wait_for_function(READY)
    yield watched.page
    assert watched.complaints == []


def to(page, selector):
    """Go on with the key until an element that the selector finds is reached."""
    for _ in range(2000):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"the key does not lead to {selector}")


def test_every_stop_is_reached_in_order_with_a_ring_and_none_holds_the_reader(page):
    expected = page.evaluate(STOPS)
    assert len(expected) > 50
    met = walk(page, "Tab")
    assert [here["stop"] for here in met] == expected
    assert [here for here in met if not here["ring"] or not here["seen"]] == []


def test_the_way_back_is_the_way_there(page):
    expected = page.evaluate(STOPS)
    page.locator(f"[data-stop='{expected[-1]}']").focus()
    met = [expected[-1], *(here["stop"] for here in walk(page, "Shift+Tab"))]
    assert met == expected[::-1]


def test_a_link_of_the_contents_takes_the_keyboard_along(page):
    to(page, "nav a[href='#connectome']")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('section')?.id") == "connectome"


@pytest.mark.parametrize("key", ["Enter", "mouse"])
def test_a_small_picture_takes_the_keyboard_along(page, key):
    to(page, "a.thumb")
    target = page.evaluate("document.activeElement.dataset.figure")
    if key == "Enter":
        page.keyboard.press("Enter")
    else:
        page.locator("a.thumb").first.click()
    assert page.evaluate("document.activeElement.id") == target
    ring = (
        "id => { const { outline, outlineOffset } = getComputedStyle(document.getElementById(id));"
    )
    ring += " return `${outline} ${outlineOffset}`; }"
    focused = page.evaluate(ring, target)
    page.keyboard.press("Tab")
    # The mark of what was arrived at, and no ring beside it.
    assert page.evaluate(ring, target) == focused
    first = page.evaluate(HERE)
    assert page.evaluate("document.activeElement.closest('figure')?.id") == target
    assert first["ring"]
    assert page.locator(f"#{target}").get_attribute("tabindex") is None


def test_what_is_found_takes_the_keyboard_along(page):
    page.keyboard.press("/")
    page.keyboard.type("AV007")
    page.wait_for_selector("#found a")
    to(page, "#found a")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('#connectome-units tr.arrived')")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.rows") == "connectome-units"


def test_frames_of_films_are_taken_along(page):
    to(page, ".films button")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    film = fake_page.films().films[0]
    assert started.value.suggested_filename == "connectome-films-1.png"
    with Image.open(started.value.path()) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.concatenate(film.frames, axis=1))


def test_a_name_is_found_marked_and_let_go(page):
    name = next(name for name in fake_page.unit_network().panels[0].labels if name.isalnum())
    page.keyboard.press("/")
    page.keyboard.type(name)
    page.wait_for_selector("#found button")
    to(page, "#found button")
    assert page.evaluate("document.activeElement.textContent").startswith(f"Mark {name} in ")
    page.keyboard.press("Enter")
    assert page.locator("#marked span").text_content().startswith(f"{name} is marked in ")
    page.locator("#find").focus()
    to(page, "#marked button")
    page.keyboard.press("Space")
    assert page.locator("#marked").is_hidden()


def test_a_table_is_sorted_and_filtered(page):
    units = page.locator("#connectome-units")
    first = "tbody tr:visible td:nth-child(2)"
    to(page, "#connectome-units th:nth-child(2) button")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    falling = [int(cell) for cell in units.locator(first).all_text_contents()]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > falling[-1]
    page.locator("#connectome-units a.anchor").focus()
    to(page, "#connectome-units input[type=search]")
    page.keyboard.type("AV007")
    assert units.locator("tbody tr:visible td:first-child").all_text_contents() == ["AV007"]


def test_numbers_of_a_figure_are_taken_along(page):
    to(page, "details.numbers:not([open]) > summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.csv") == "0"
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert started.value.suggested_filename.endswith(".csv")


def test_the_appearance_is_changed(page):
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    to(page, "#appearance")
    page.keyboard.press("Space")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
