"""Finding words and names on a page, marking a name everywhere, and taking figures along."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.support import fake_page
from tests.support.fake_page import HOSTILE
from tests.support.pressing import press

pytestmark = pytest.mark.browser


@pytest.fixture
def ready(opened, report_file):
    watched = opened(report_file)
    watched.page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    return watched


def find(page, text):
    page.locator("#find").fill(text)
    page.wait_for_function("() => document.getElementById('found-count').textContent !== ''")
    return page.locator("#found li")


def unit_name():
    """A name that a matrix, a network and more than one figure show."""
    matrix, network = fake_page.community_matrix().panels[0], fake_page.unit_network().panels[0]
    return next(name for name in matrix.y_labels if name in network.labels)


def test_words_of_captions_and_tables_are_found_and_lead_there(ready):
    page = ready.page
    caption = fake_page.community_matrix().caption
    word = max(re.findall(r"[A-Za-z]{5,}", caption), key=len)
    found = find(page, word.upper())
    assert found.count() >= 1
    link = found.locator("a").first
    assert word.lower() in link.text_content().lower()
    press(link)
    assert page.evaluate("location.hash").startswith("#connectome")
    assert word.lower() in page.locator(".arrived").text_content().lower()
    page.wait_for_function(
        "() => { const box = document.querySelector('.arrived').getBoundingClientRect();"
        " return box.top >= 0 && box.top < innerHeight; }"
    )
    assert ready.complaints == []


def test_the_caption_of_films_is_found(ready):
    press(find(ready.page, fake_page.films().caption[:30]).locator("a"))
    assert ready.page.locator("#connectome-films .caption.arrived").count() == 1


def test_nothing_is_found_where_nothing_is(ready):
    assert find(ready.page, "xyzzy").count() == 0
    assert ready.page.locator("#found-count").text_content() == "0 found"


def test_the_stroke_key_leads_to_the_search_and_escape_empties_it(ready):
    page = ready.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    page.keyboard.type("connectome")
    page.wait_for_selector("#found li")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('#found li')")


def test_hostile_text_is_found_as_text(ready):
    page = ready.page
    find(page, HOSTILE[:12])
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0


MARKS = """name => [...document.querySelectorAll('figure.drawn')].map((figure) => [figure.id,
  [...figure.querySelectorAll('.plot')].flatMap((box) => (box.layout?.shapes || []).filter(
    (shape) => shape.type === 'rect' && shape.line.width === 1.75)).length
  + [...figure.querySelectorAll('.plot')].flatMap((box) => (box.data || []).filter(
    (trace) => trace.marker?.size === 18)).length])"""


def test_a_chosen_name_is_marked_in_every_figure_that_shows_it(ready):
    page, name = ready.page, unit_name()
    ready.draw_all()
    find(page, name)
    press(page.get_by_role("button", name=re.compile(f"^Mark {re.escape(name)} in ")).first)
    told = page.locator("#marked span").text_content()
    assert told.startswith(f"{name} is marked in ")
    counts = dict(page.evaluate(MARKS, name))
    marked = {figure for figure, count in counts.items() if count}
    assert {"connectome-communities", "connectome-network"} <= marked
    assert len(marked) == int(re.search(r"in (\d+) figure", told)[1])
    # A square matrix shows it as a row and as a column.
    assert counts["connectome-communities"] == 2
    press(page.locator("#marked button"))
    assert not any(count for _, count in page.evaluate(MARKS, name))
    assert page.locator("#marked").is_hidden()
    assert ready.complaints == []


def test_a_click_on_a_row_chooses_its_name(ready):
    page = ready.page
    ready.draw_all()
    page.evaluate(
        "document.querySelector('#connectome-communities .plot').emit('plotly_click',"
        " {points: [{pointIndex: [2, 0]}]})"
    )
    name = fake_page.community_matrix().panels[0].y_labels[2]
    assert page.locator("#marked span").text_content().startswith(name)


def download(page, button):
    with page.expect_download() as waiting:
        press(button)
    return waiting.value.path().read_bytes(), waiting.value.suggested_filename


def test_figures_are_saved_as_pictures_in_light_colours(opened, report_file):
    watched = opened(report_file, scheme="dark")
    watched.draw_all()
    figure = watched.page.locator("#connectome-communities")
    svg, name = download(watched.page, figure.locator("button[data-image=svg]").first)
    assert name.endswith(".svg")
    text = svg.decode()
    assert text.startswith("<svg")
    assert fake_page.community_matrix().panels[0].y_title in text
    assert "rgb(255, 255, 255)" in text
    png, name = download(watched.page, figure.locator("button[data-image=png]").first)
    assert name.endswith(".png")
    assert png.startswith(b"\x89PNG")
    assert len(png) > 5000
    assert watched.complaints == []


@pytest.mark.parametrize(
    ("figure", "place", "title", "names"),
    [
        (
            fake_page.time_curves(), 0, "",
            ["component 1", "component 2", "component 3", "2 baseline", f"1 {HOSTILE}"],
        ),
        (fake_page.rank_bars(), 0, "Held-out variance", ["shuffled data"]),
        (
            fake_page.unit_network(), 0, "Links",
            ["none", "early", "late", "sustained", "off", "positive", "negative"],
        ),
        (fake_page.unit_network(), 1, "Embedding", ["none", "early", "late", "sustained", "off"]),
        (fake_page.states(), 0, "States", ["none", "0", "4", "1 0 deg", "8 315 deg"]),
        (fake_page.rank_bars(), 1, "Share", []),
    ],
    ids=lambda value: getattr(value, "id", None),
)  # fmt: skip
def test_a_saved_picture_has_its_title_and_its_legend(ready, figure, place, title, names):
    buttons = ready.page.locator(f"#connectome-{figure.id} button[data-image=svg]")
    svg, _ = download(ready.page, buttons.nth(place))
    picture = ElementTree.fromstring(svg)  # noqa: S314 - written by our own page
    texts = ["".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    told = next(text for text in texts if text.startswith(figure.title[:8]))
    assert told == (f"{figure.title}: {title}" if title else figure.title)
    classes = [one.get("class", "") for one in picture.iter()]
    assert ("legend" in classes) == bool(names)
    assert set(names) <= set(texts)
    assert ready.complaints == []


def test_every_figure_and_table_has_an_address(opened, report_file):
    page = opened(report_file).page
    addresses = page.evaluate(
        "[...document.querySelectorAll('main a.anchor')].map((a) => a.getAttribute('href'))"
    )
    figures = page.locator("figure.drawn, main .tabled").count()
    assert len(addresses) >= figures
    assert all(page.locator(f"[id='{address[1:]}']").count() == 1 for address in addresses)
