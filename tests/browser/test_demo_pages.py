"""The pages of the demo, as it is shipped: what a page of invented parts cannot show.

``NEUROPTYCH_DEMO_RESULTS`` names the results of a run.
"""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest

from pipeline.report.wording import typeset
from tests.support.captions import lacking
from tests.support.key_numbers import sentence_ends
from tests.support.pressing import press
from tests.support.touring import STOPS, walk

pytestmark = pytest.mark.browser

FINISHED = "NEUROPTYCH_DEMO_RESULTS"
EXPERIMENTS = ("worms", "cortex", "retina")
FULLEST = "cortex"
READY = "() => document.documentElement.dataset.ready === 'yes'"
ONE_OF_MANY = re.compile(
    r"(?:\b(?:of|in|over) |: )1 (?:recordings|regions|populations|units|conditions|clusters|states|"
    r"types|components|communities|curves|pairs|chains|folds|repeats|levels|comparisons)\b"
)
MOST_MARKS = 5000
MOST_SECONDS = 2.0
TIMES = 3
SHEET = 680
"""Pixels between the margins of A4."""
PLACES = """() => [...document.querySelectorAll('main h2, main h3, main figcaption')].map(
  (element) => element.getBoundingClientRect().top + scrollY)"""
CUT_OFF = """() => [...document.querySelectorAll('main table')].filter((table) =>
  !table.rows[table.rows.length - 1].checkVisibility({ contentVisibilityAuto: true })
  || table.parentElement.scrollHeight > table.parentElement.clientHeight + 1
  || table.parentElement.scrollWidth > table.parentElement.clientWidth + 1)
  .map((table) => table.parentElement.parentElement.id)"""
MARKS = """() => [...document.querySelectorAll('figure.drawn')].map((figure) => [figure.id,
  figure.querySelectorAll('.main-svg path, .main-svg text, .main-svg circle').length
  + [...figure.querySelectorAll('.main-svg .js-line, .main-svg .js-fill')].reduce((all, curve) =>
    all + (curve.getAttribute('d')?.match(/[MLHV]/g)?.length ?? 0), 0)])"""
WORDS = """() => [...document.querySelectorAll('figure.drawn')].map((figure) => [figure.id,
  ...['h3', '.finding', 'figcaption'].map((part) => figure.querySelector(part).textContent.trim()),
  [...figure.querySelectorAll('.plot')].every((plot) => plot.getAttribute('aria-label').trim())])"""


@pytest.fixture(scope="session")
def results():
    if FINISHED not in os.environ:
        pytest.skip(f"{FINISHED} names no results of the demo")
    return Path(os.environ[FINISHED]).resolve(strict=True)


@pytest.fixture(params=EXPERIMENTS)
def page_file(results, request):
    return results / request.param / "report.html"


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        *((name, 375, "dark") for name in EXPERIMENTS),
        *((name, 1280, "light") for name in EXPERIMENTS),
        ("cortex", 3840, "light"),
    ],
)
def test_every_figure_is_drawn_in_its_place_from_few_marks(opened, results, name, width, scheme):
    watched = opened(results / name / "report.html", width=width, scheme=scheme)
    page = watched.page
    page.wait_for_function(READY)
    before = page.evaluate(PLACES)
    assert set(watched.draw_all()) == {"yes"}
    after = page.evaluate(PLACES)
    assert max(abs(one - other) for one, other in zip(before, after, strict=True)) < 2
    assert watched.overflow() <= 0
    assert [told for told in page.evaluate(MARKS) if told[1] > MOST_MARKS] == []
    assert watched.complaints == []
    assert {url.split(":")[0] for url in watched.requests} <= {"file", "data", "blob"}


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("index", "light"),
        ("index", "dark"),
        ("worms", "light"),
        ("cortex", "dark"),
        ("retina", "light"),
    ],
)
def test_axe_finds_no_barrier_on_any_page(opened, barriers, results, name, scheme):
    """On the fullest page with all figures drawn, as on that of invented parts; else without."""
    path = results / "index.html" if name == "index" else results / name / "report.html"
    watched = opened(path, scheme=scheme)
    if name == FULLEST:
        watched.draw_all()
    assert barriers(watched.page) == []


def test_the_keyboard_stops_everywhere_in_order_and_holds_nobody(opened, results):
    page = opened(results / FULLEST / "report.html").page
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_function(READY)
    expected = page.evaluate(STOPS)
    met = walk(page, "Tab")
    assert [here["stop"] for here in met] == expected
    assert [here for here in met if not here["ring"] or not here["seen"]] == []


def test_all_figures_rows_and_columns_are_printed(opened, page_file):
    watched = opened(page_file, scheme="dark")
    page = watched.page
    page.wait_for_function(READY)
    n_figures = page.locator("figure.drawn").count()
    assert page.locator("figure.drawn[data-drawn=yes]").count() < n_figures
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure.drawn[data-drawn=yes]").count() == n_figures
    assert page.locator("details:not([open])").count() == 0
    page.set_viewport_size({"width": SHEET, "height": 900})
    assert page.evaluate(CUT_OFF) == []
    assert watched.overflow() <= 0
    assert watched.complaints == []


def test_a_page_is_ready_in_two_seconds(chromium, page_file):
    """Of work, that is: other programs may take the processor, and the clock tells of them too."""
    taken = []
    for _ in range(TIMES):
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        session = page.context.new_cdp_session(page)
        # Before the page is opened: work counts from here.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(page_file.as_uri())
        page.wait_for_function(READY)
        told = session.send("Performance.getMetrics")["metrics"]
        taken.append({each["name"]: each["value"] for each in told}["TaskDuration"])
        page.close()
    assert 0 < min(taken) < MOST_SECONDS


@pytest.mark.parametrize(("width", "most"), [(375, 2), (1280, 4)])
def test_a_card_shows_as_many_small_pictures_as_stand_beside_each_other(
    opened, results, width, most
):
    page = opened(results / "worms" / "report.html", width=width).page
    tops = page.evaluate(
        """() => [...document.querySelectorAll('.thumbs')].map((list) => [...list.children]
          .filter((item) => item.checkVisibility())
          .map((item) => item.getBoundingClientRect().top))"""
    )
    assert [len(row) for row in tops] == [most] * len(tops)
    assert all(len(set(row)) == 1 for row in tops)


def test_every_figure_has_a_title_a_finding_a_caption_and_words_for_each_panel(opened, page_file):
    for figure, title, finding, caption, described in opened(page_file).page.evaluate(WORDS):
        assert title, figure
        assert finding.endswith("."), figure
        assert lacking(caption) == [], figure
        assert described, figure


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_one_thing_is_not_told_in_the_plural(opened, results, experiment):
    text = opened(results / experiment / "report.html").page.locator("main").text_content()
    assert re.findall(f".{{0,40}}{ONE_OF_MANY.pattern}.{{0,20}}", text) == []


def test_the_planted_truth_stands_beside_each_finding(opened, results):
    expected = {
        "worms": {"connectome"},
        "cortex": {"biclustering", "trsa"},
        "retina": {"celltypes"},
    }
    for experiment, methods in expected.items():
        page = opened(results / experiment / "report.html").page
        ids = page.evaluate("[...document.querySelectorAll('figure.drawn')].map((one) => one.id)")
        found = {name for name in methods if any(i.startswith(f"{name}-truth") for i in ids)}
        assert found == methods
        for method in methods:
            checks = page.locator(f"#{method} .checks tr:has-text('Planted')")
            assert checks.count() >= 1


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_first_screen_has_one_sentence_a_method_and_the_rest_folded(
    opened, results, experiment
):
    page = opened(results / experiment / "report.html").page
    cards = page.locator(".card:not(.without)")
    assert cards.count() >= 2
    for card in (cards.nth(at) for at in range(cards.count())):
        assert sentence_ends(card.locator("> p:not(.planted)").first.inner_text()) == 1
        rest = card.locator("details.fold")
        for fold in (rest.nth(at) for at in range(rest.count())):
            assert not fold.locator("p").is_visible()
            fold.locator("summary").click()
            assert fold.locator("p").is_visible()


PLANTED = """() => [...document.querySelectorAll('main > section')].map((section) => [section.id,
  section.querySelector(':scope > .lead + .planted')?.textContent,
  document.querySelector(`.card[aria-labelledby="card-${section.id}"] .planted`)?.textContent])"""


@pytest.mark.parametrize(
    ("experiment", "begins"),
    [
        ("worms", {"connectome": "Planted: 8 groups", "agreement": "Planted: 8 groups"}),
        (
            "cortex",
            {
                "biclustering": "Planted: 4 clusters",
                "trsa": "Planted: answers to 12 conditions",
                "celltypes": "Nothing of this kind was planted",
                "agreement": "Planted: regions and clusters",
            },
        ),
        ("retina", {"trsa": "Nothing of this kind", "celltypes": "Planted: 8 types of cells"}),
    ],
)
def test_a_sentence_on_what_was_planted_stands_below_every_finding(
    opened, results, experiment, begins
):
    page = opened(results / experiment / "report.html").page
    told = {name: (head, card) for name, head, card in page.evaluate(PLANTED) if head or card}
    assert set(told) == set(begins)
    for name, (head, card) in told.items():
        assert head == card
        assert head.startswith(f"Simulated {begins[name]}")
        assert any(letter.isdigit() for letter in head)
    findings = json.loads((results / experiment / "report.json").read_text(encoding="utf-8"))
    kept = {**findings["methods"], "agreement": findings["agreement"]}
    shown = {name: head.removeprefix("Simulated ") for name, (head, _) in told.items()}
    planted = {name: one["planted"] for name, one in kept.items() if "planted" in one}
    assert {name: typeset(words) for name, words in planted.items()} == shown
    index = opened(results / "index.html").page.locator(
        f"#experiments tr[data-experiment={experiment}]"
    )
    assert all(words in index.text_content() for words in shown.values())


@pytest.mark.parametrize(
    ("experiment", "name", "shown_in", "not_in"),
    [
        ("worms", "N04", ("data-overview-worm-1", "connectome-components"), "connectome-truth"),
        ("cortex", "unit 3", ("data-overview-mouse-1", "biclustering-together"), "agreement-"),
        ("retina", "unit 3", ("celltypes-mosaic",), "agreement-"),
    ],
)
def test_a_unit_is_marked_where_it_is_shown_and_nowhere_else(
    opened, results, experiment, name, shown_in, not_in
):
    with (results / experiment / "units.csv").open(encoding="utf-8", newline="") as file:
        rows = [row["name"] for row in csv.DictReader(file)]
    watched = opened(results / experiment / "report.html")
    page = watched.page
    page.wait_for_function(READY)
    watched.draw_all()
    before = dict(page.evaluate(MARKS))
    page.locator("#find").fill(name)
    press(page.get_by_role("button", name=f"Mark {name} in ").first)
    assert page.locator("#marked span").text_content().startswith(f"{name} is marked in ")
    after = dict(page.evaluate(MARKS))
    changed = {figure for figure, count in after.items() if count != before[figure]}
    assert {figure for one in shown_in for figure in before if figure.startswith(one)} <= changed
    assert not [figure for figure in changed if figure.startswith(not_in)]
    marked = page.locator("#agreement-units tr.marked")
    assert marked.count() == rows.count(name)
    assert watched.complaints == []


def test_remarks_on_units_stand_beside_the_rows_of_a_square_and_not_below_it_again(opened, results):
    watched = opened(results / "cortex" / "report.html")
    watched.draw_all()
    below, beside = (
        watched.page.locator(f"#biclustering-together .{axis} text").all_text_contents()
        for axis in ("xtick", "ytick")
    )
    assert set(below) == {name.partition(" \N{MIDDLE DOT} ")[0] for name in beside}
    assert all("cluster" in name for name in beside)
