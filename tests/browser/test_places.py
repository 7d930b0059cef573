"""Places on a page stay where they are while figures are drawn, and addresses lead to them."""

from __future__ import annotations

import pytest

from tests.support.pressing import press

pytestmark = pytest.mark.browser

READY = "() => document.documentElement.dataset.ready === 'yes'"
PLACES = """() => [...document.querySelectorAll('main h2, main h3, main figcaption')].map(
  (element) => element.getBoundingClientRect().top + scrollY)"""
SEEN = """id => { const box = document.getElementById(id).getBoundingClientRect();
  return box.top > -2 && box.top < innerHeight; }"""
LAST = "connectome-states"


@pytest.mark.parametrize("width", [375, 1280])
def test_drawing_figures_moves_nothing(opened, report_file, width):
    watched = opened(report_file, width=width)
    watched.page.wait_for_function(READY)
    before = watched.page.evaluate(PLACES)
    watched.draw_all()
    after = watched.page.evaluate(PLACES)
    assert max(abs(one - other) for one, other in zip(before, after, strict=True)) < 2


def test_figures_that_are_not_drawn_yet_have_their_room_at_another_width(opened, report_file):
    watched = opened(report_file)
    page = watched.page
    page.wait_for_function(READY)
    room = "document.querySelector('#connectome-communities .plot').style.minHeight"
    wide = page.evaluate(room)
    page.set_viewport_size({"width": 500, "height": 900})
    page.wait_for_function(f"() => {room} !== '{wide}'")
    page.wait_for_timeout(300)
    before = page.evaluate(PLACES)
    watched.draw_all()
    after = page.evaluate(PLACES)
    assert max(abs(one - other) for one, other in zip(before, after, strict=True)) < 2


def test_an_address_of_a_figure_opens_the_page_there_and_stays(opened, report_file):
    watched = opened(report_file, fragment=LAST)
    page = watched.page
    page.wait_for_function(READY)
    page.wait_for_selector(f"#{LAST}[data-drawn=yes]")
    page.wait_for_function(SEEN, arg=LAST)  # the browser scrolls there, which takes its time
    page.wait_for_timeout(500)
    assert page.evaluate(SEEN, LAST)
    assert watched.complaints == []


def test_a_link_of_the_contents_leads_to_its_section(opened, report_file):
    watched = opened(report_file)
    page = watched.page
    page.wait_for_function(READY)
    press(page.locator("nav.toc a[href='#citing']"))
    page.wait_for_function(SEEN, arg="citing")
    watched.draw_all()
    press(page.locator("nav.toc a[href='#connectome']"))
    page.wait_for_function(SEEN, arg="connectome")
