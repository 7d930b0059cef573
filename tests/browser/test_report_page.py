import csv
import io
import itertools
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pipeline.viz.theme import DARK, LIGHT, text_on
from tests.support import fake_page
from tests.support.pressing import press

pytestmark = pytest.mark.browser
N_FIGURES = 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1024, 1920, 3840])
def test_all_figures_are_drawn_at_every_width_without_complaint_or_request(
    opened, report_file, width, scheme
):
    watched = opened(report_file, width=width, scheme=scheme)
    assert watched.draw_all() == ["yes"] * N_FIGURES
    assert watched.overflow() <= 0
    assert watched.complaints == []
    elsewhere = [url for url in watched.requests if not url.startswith(("file:", "data:", "blob:"))]
    assert elsewhere == []
    assert watched.page.evaluate("window.pwned") is None


def test_no_drawn_text_leaves_its_figure_or_covers_a_neighbouring_label(opened, report_file):
    watched = opened(report_file)
    watched.draw_all()
    outside = watched.page.evaluate(
        """() => [...document.querySelectorAll('.plot')].flatMap((plot) => {
          const box = plot.getBoundingClientRect();
          return [...plot.querySelectorAll('.main-svg text')].filter((text) => {
            const own = text.getBoundingClientRect();
            return own.width && (own.left < box.left - 1 || own.right > box.right + 1
              || own.top < box.top - 1 || own.bottom > box.bottom + 1);
          }).map((text) => text.textContent);
        })"""
    )
    assert outside == []
    overlaps = watched.page.evaluate(
        """() => [...document.querySelectorAll('.plot')].flatMap((plot) =>
          ['.xtick text', '.ytick text'].flatMap((kind) => {
            const boxes = [...plot.querySelectorAll(kind)].map((t) => t.getBoundingClientRect());
            return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
              Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3.5
              && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3.5).map(() => kind));
          }))"""
    )
    assert overlaps == []


@pytest.mark.parametrize("width", [375, 1280])
def test_every_colour_scale_says_once_what_it_means(opened, report_file, width):
    watched = opened(report_file, width=width)
    watched.draw_all()
    told = watched.page.evaluate(
        """() => [...document.querySelectorAll('.colour-means')].map((words) => {
          const title = words.nextElementSibling.querySelector('.cbtitle text')?.textContent ?? '';
          return [!words.hidden, title !== ''];
        })"""
    )
    assert told
    assert all(in_words != in_figure for in_words, in_figure in told)


@pytest.mark.parametrize("width", [375, 1024, 3840])
def test_lines_of_text_are_no_longer_than_the_eye_finds_back(opened, report_file, width):
    page = opened(report_file, width=width).page
    letters = page.evaluate(
        """() => [...document.querySelectorAll('main p, main figcaption, .masthead p')].map(
          (element) => {
            const own = getComputedStyle(element);
            const pen = document.createElement('canvas').getContext('2d');
            pen.font = `${own.fontWeight} ${own.fontSize} ${own.fontFamily}`;
            const text = element.textContent.trim();
            return [text.length * element.clientWidth / pen.measureText(text).width, text];
          })"""
    )
    assert [text for count, text in letters if count > 112 and len(text) > 112] == []


def test_figures_are_drawn_only_when_they_come_near_the_window(opened, report_file):
    watched = opened(report_file)
    watched.page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    drawn = watched.page.locator("figure.drawn[data-drawn]").count()
    assert drawn < N_FIGURES


def test_hostile_names_are_shown_as_they_are(opened, report_file):
    watched = opened(report_file)
    watched.draw_all()
    ticks = watched.page.locator("#connectome-rank .plot svg text").all_text_contents()
    assert any(text.startswith("<img src") for text in ticks)
    assert watched.page.locator("img").count() == 0


def download(watched, section, place=0):
    button = watched.page.locator(f"#connectome-{section} button[data-csv='{place}']")
    folded = watched.page.locator(f"#connectome-{section} details.numbers:not([open]) > summary")
    if folded.count():
        press(folded)
    with watched.page.expect_download() as waiting:
        press(button)
    with open(waiting.value.path(), encoding="utf-8", newline="") as file:  # noqa: PTH123
        return list(csv.reader(io.StringIO(file.read())))


def test_the_downloaded_matrix_equals_the_data(opened, report_file):
    rows = download(opened(report_file), "communities")
    panel = fake_page.community_matrix().panels[0]
    numbers = [[np.float32(cell) if cell else np.nan for cell in row[1:]] for row in rows[1:]]
    np.testing.assert_array_equal(np.array(numbers, dtype=np.float32), panel.values)
    assert [row[0] for row in rows[1:]] == list(panel.y_labels)


def test_the_downloaded_curves_equal_the_data(opened, report_file):
    rows = download(opened(report_file), "time-factors")
    panel = fake_page.time_curves().panels[0]
    assert rows[0][:2] == ["Time (s)", "component 1"]
    columns = {
        name: np.array([float(row[at]) if row[at] else np.nan for row in rows[1:]])
        for at, name in enumerate(rows[0])
    }
    np.testing.assert_array_equal(columns["Time (s)"], panel.x)
    for line in panel.lines:
        np.testing.assert_array_equal(
            columns[line.name].astype(np.float32), line.y.astype(np.float32)
        )
        np.testing.assert_array_equal(
            columns[f"{line.name}, lower"].astype(np.float32), line.lower.astype(np.float32)
        )


def test_the_downloaded_links_name_their_nodes(opened, report_file):
    rows = download(opened(report_file), "network")
    panel = fake_page.unit_network().panels[0]
    expected = [[panel.labels[a], panel.labels[b]] for a, b in panel.edges]
    assert [row[:2] for row in rows[1:]] == expected


def test_the_downloaded_bars_equal_the_data(opened, report_file):
    watched = opened(report_file)
    for place, panel in enumerate(fake_page.rank_bars().panels):
        rows = download(watched, "rank", place)
        ranged = panel.lower is not None
        assert rows[0] == [panel.x_title, panel.y_title, *(["lower", "upper"] if ranged else [])]
        assert [row[0] for row in rows[1:]] == list(panel.labels)
        told = [panel.values, *([panel.lower, panel.upper] if ranged else [])]
        found = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
        np.testing.assert_array_equal(found.T.astype(np.float32), np.float32(told))


def saved(page, figure, button, name):
    """The path of a picture that a button of a figure saves under this name."""
    with page.expect_download() as waiting:
        press(figure.locator(button))
    assert waiting.value.suggested_filename == name
    return waiting.value.path()


def test_all_panels_can_be_saved_as_one_picture_of_points(opened, report_file):
    watched = opened(report_file)
    figure = watched.page.locator("#connectome-network")
    press(figure.locator("details.numbers > summary"))

    def of(button, name):
        return saved(watched.page, figure, button, f"connectome-network{name}")

    drawn = ElementTree.parse(of("[data-whole=svg]", ".svg")).getroot()  # noqa: S314 - our own
    boxes = [[float(part.get(side)) for side in ("x", "y", "width", "height")] for part in drawn]
    whole = Image.open(of("[data-whole=png]", ".png")).convert("RGB")
    assert whole.size == tuple(round(3 * float(drawn.get(side))) for side in ("width", "height"))
    for place, (x, y, width, height) in enumerate(boxes):
        alone = Image.open(of(f"[data-image=png][data-place='{place}']", f"-{place + 1}.png"))
        corners = [round(3 * side) for side in (x, y, x + width, y + height)]
        there = whole.crop(corners).resize(alone.size)
        apart = np.abs(np.asarray(there, float) - np.asarray(alone.convert("RGB"), float))
        assert np.asarray(alone.convert("L")).std() > 1
        assert apart.mean() < 1
    assert watched.complaints == []


def test_all_panels_can_be_saved_as_one_picture(opened, report_file):
    watched = opened(report_file)
    figure = watched.page.locator("#connectome-network")
    press(figure.locator("details.numbers > summary"))
    path = saved(watched.page, figure, "[data-whole=svg]", "connectome-network.svg")
    whole = ElementTree.parse(path).getroot()  # noqa: S314 - our own page's
    boxes = [[float(part.get(side)) for side in ("x", "y", "width", "height")] for part in whole]
    assert len(boxes) == figure.locator(".panel").count() > 1
    for (x, y, width, height), (right, below, *_) in itertools.pairwise(boxes):
        assert right >= x + width or below >= y + height
    assert float(whole.get("width")) == max(x + width for x, _, width, _ in boxes)
    assert float(whole.get("height")) == max(y + height for _, y, _, height in boxes)
    ids = [part.get("id") for part in whole.iter() if part.get("id")]
    assert len(ids) == len(set(ids))
    titles = figure.locator("h4").all_text_contents()
    words = "".join(whole.itertext())
    assert all(title in words for title in titles)
    assert watched.complaints == []


def test_the_downloaded_pixels_equal_the_films(opened, report_file):
    page = opened(report_file).page
    part = fake_page.films()
    for number, film in ((1, part.films[0]), (8, part.films[7])):
        with page.expect_download() as started:
            press(page.locator(f"#connectome-films .film:nth-child({number}) button[data-pixels]"))
        assert started.value.suggested_filename == f"connectome-films-{number}.csv"
        with Path(started.value.path()).open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["film", "frame", "y", "x", "value"]
        told = np.full(film.frames.shape, np.nan)
        for title, *at, value in rows:
            assert title == film.title
            told[tuple(int(place) - 1 for place in at)] = float(value)
        assert len(rows) == told.size
        np.testing.assert_allclose(told, film.frames / 255, atol=5e-5)


def test_the_downloaded_points_equal_the_data(opened, report_file):
    rows = download(opened(report_file), "network", 1)
    panel = fake_page.unit_network().panels[1]
    assert rows[0] == ["label", panel.x_title, panel.y_title, "group"]
    assert [row[0] for row in rows[1:]] == list(panel.labels)
    np.testing.assert_array_equal([float(row[1]) for row in rows[1:]], panel.x)
    np.testing.assert_array_equal([float(row[2]) for row in rows[1:]], panel.y)
    names = [panel.group_names[group] if group >= 0 else "none" for group in panel.group]
    assert [row[3] for row in rows[1:]] == names


@pytest.mark.parametrize("width", [375, 1280])
def test_checks_and_short_tables_are_seen_whole(opened, report_file, width):
    page = opened(report_file, width=width).page
    hidden = page.evaluate(
        """() => [...document.querySelectorAll('.scroll:not(.long)')].filter(
          (box) => box.scrollHeight > box.clientHeight + 1).map((box) => box.textContent)"""
    )
    assert hidden == []
    assert page.locator(".scroll.long").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_of_categories_stand_out_from_their_colours(opened, report_file, scheme):
    watched = opened(report_file, scheme=scheme)
    watched.draw_all()
    theme = {"light": LIGHT, "dark": DARK}[scheme]
    rgb = [tuple(bytes.fromhex(color[1:])) for color in theme.groups]
    told = watched.page.evaluate(
        """() => [
          ...[...document.querySelectorAll('#connectome-states .chip')].map((chip) => {
            const { color, backgroundColor } = getComputedStyle(chip);
            return [chip.textContent, color, backgroundColor]; }),
          ...[...document.querySelectorAll('#connectome-states .annotation text')]
            .map((text) => [text.textContent, getComputedStyle(text).fill, '']),
        ]"""
    )
    expected = {f"rgb{rgb[place]}": text_on(theme.groups[place]) for place in range(5)}
    chips = {ground: color for _, color, ground in told if ground in expected}
    assert chips == {
        ground: f"rgb{tuple(bytes.fromhex(color[1:]))}" for ground, color in expected.items()
    }
    cells = {(text, color) for text, color, ground in told if not ground and text in set("01234")}
    assert {(str(place), color) for place, color in enumerate(chips.values())} <= cells


def test_a_figure_offers_its_numbers_in_one_place(opened, report_file):
    page = opened(report_file).page
    counts = page.evaluate(
        """() => [...document.querySelectorAll('figure.drawn')].map(
          (figure) => figure.querySelectorAll(':scope > .numbers').length)"""
    )
    assert counts == [1] * N_FIGURES


def test_the_reader_can_change_the_appearance_and_figures_follow(opened, report_file):
    watched = opened(report_file)
    watched.draw_all()
    ground = (
        "getComputedStyle(document.querySelector('#connectome-rank .main-svg')).backgroundColor"
    )
    light = watched.page.evaluate(ground)
    press(watched.page.locator("#appearance"))
    watched.page.wait_for_function(f"() => {ground} !== '{light}'")
    assert watched.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert watched.complaints == []


def test_the_keyboard_reaches_the_content_and_the_contents(opened, report_file):
    page = opened(report_file).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    seen = set()
    page.reload()
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href')"))
    assert "#summary" in seen


def test_the_page_prints_with_all_figures_in_light_colours(opened, report_file):
    watched = opened(report_file, scheme="dark")
    page = watched.page
    page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(printed) > 100_000
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("figure.drawn[data-drawn=yes]").count() == N_FIGURES
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.main-svg')].map(s => s.clientWidth))"
    )
    assert widest <= 660
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert watched.complaints == []


CLIPPED = """() => [...document.querySelectorAll('.scroll, pre')].filter((box) => {
  const { maxHeight, overflowY } = getComputedStyle(box);
  return maxHeight !== 'none' || (box.matches('.scroll') && overflowY !== 'visible');
}).length"""


def test_nothing_is_folded_or_clipped_in_print(opened, report_file):
    watched = opened(report_file)
    page = watched.page
    page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    folded = page.locator("details:not([open])").count()
    assert folded > 0
    assert page.evaluate(CLIPPED) > 0
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate(CLIPPED) == 0
    rows = page.locator("#connectome-units tbody tr")
    assert rows.count() == rows.locator("visible=true").count() == 130
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded
    assert watched.complaints == []


def test_headings_that_sort_are_printed_again_on_every_page(opened, report_file):
    """A browser repeats the words of a table's head, and not the boxes of buttons in it."""
    page = opened(report_file).page
    page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    page.emulate_media(media="print")
    shown = page.evaluate(
        "[...document.querySelectorAll('thead button')].map((one) => getComputedStyle(one).display)"
    )
    assert set(shown) == {"contents"}


KEPT = """(what) => [...document.querySelectorAll(what)]
  .map((one) => getComputedStyle(one).printColorAdjust)"""


@pytest.mark.parametrize("what", [".chip", ".plot text"])
def test_colours_that_tell_something_are_printed(opened, report_file, what):
    watched = opened(report_file)
    watched.draw_all()
    watched.page.emulate_media(media="print")
    assert set(watched.page.evaluate(KEPT, what)) == {"exact"}


def test_a_script_that_gets_into_the_page_does_not_run(opened, report_file):
    watched = opened(report_file)
    blocked = watched.page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener('securitypolicyviolation', (event) =>
            done([event.effectiveDirective, event.blockedURI, window.entered]));
          const script = document.createElement('script');
          script.textContent = 'window.entered = true';
          document.body.append(script);
          setTimeout(() => done([null, null, window.entered]), 2000);
        })"""
    )
    assert blocked[:2] == ["script-src-elem", "inline"]
    assert blocked[2] is None
    assert any("Content Security Policy" in told for told in watched.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_no_barrier(opened, barriers, report_file, width, scheme):
    watched = opened(report_file, width=width, scheme=scheme)
    watched.draw_all()
    assert barriers(watched.page) == []


def test_without_scripts_the_words_are_there_and_the_reader_is_told(chromium, report_file):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report_file.as_uri())
    assert page.locator("noscript p").is_visible()
    assert page.locator("text=Six communities; affinity inside").is_visible()
    for dead in (
        "button",
        "canvas",
        "input[type=search]",
        ".tools",
        "summary:has-text('Download')",
    ):
        assert page.locator(dead).count() > 0
        assert page.locator(dead).locator("visible=true").count() == 0
    assert page.locator("a.thumb").first.is_visible()
    rooms = page.evaluate(
        "[...document.querySelectorAll('.plot')].map((one) => one.getBoundingClientRect().height)"
    )
    assert set(rooms) == {0}
    context.close()
