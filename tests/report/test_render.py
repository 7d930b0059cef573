import base64
import dataclasses
import gzip
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pipeline.core.parts import Bars, Figure, Heatmap, Section
from pipeline.core.rng import stream
from pipeline.report.packing import script_hash
from pipeline.report.render import render
from tests.support.fake_page import (
    CLOSING,
    HOSTILE,
    connectome_section,
    data_stub,
    fake_page,
    films,
)


class Outline(HTMLParser):
    """Elements with their attributes, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.scripts = []
        self.ids = []
        self.words = []
        self._in_script = False
        self.feed(text.replace("<wbr>", ""))  # where a line may end is no part of the words

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        else:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page_text():
    return render(fake_page())


@pytest.fixture(scope="module")
def outline(page_text):
    return Outline(page_text)


def test_the_same_page_gives_the_same_bytes(page_text):
    assert render(fake_page()) == page_text


def test_markup_in_names_is_shown_as_text_and_makes_no_element(outline):
    assert not [tag for tag, _ in outline.elements if tag == "img"]
    assert not [a for _, a in outline.elements if any(name.startswith("on") for name in a)]
    assert HOSTILE in outline.text
    assert CLOSING in outline.text


def test_only_our_scripts_run_and_the_policy_names_them_by_their_hash(outline):
    running = [text for attrs, text in outline.scripts if "type" not in attrs]
    assert len(running) == 1
    (policy,) = [
        attrs["content"]
        for tag, attrs in outline.elements
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    scripts = re.search(r"script-src ([^;]*)", policy)[1].split()
    assert script_hash(running[0]) in scripts
    assert len(scripts) == 2
    assert "unsafe" not in " ".join(scripts)


def test_the_page_asks_for_nothing_from_elsewhere(outline, page_text):
    for _, attrs in outline.elements:
        for name in ("src", "srcset", "data", "poster", "action"):
            assert name not in attrs
        assert attrs.get("href", "#").startswith("#")
    style = page_text[page_text.index("<style>") : page_text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_leads_to_a_place_on_the_page_and_ids_are_unique(outline):
    assert len(outline.ids) == len(set(outline.ids))
    targets = {attrs["href"][1:] for _, attrs in outline.elements if "href" in attrs}
    assert targets <= set(outline.ids)


def test_every_figure_says_what_it_shows_in_words(outline):
    plots = [attrs for _, attrs in outline.elements if attrs.get("role") == "img"]
    assert len(plots) == 8 + len(films().films)
    assert all(attrs["aria-label"].strip() for attrs in plots)
    for figure in (part for part in connectome_section().body if isinstance(part, Figure)):
        assert figure.finding in outline.text
        assert figure.caption in outline.text


def test_doubtful_checks_stand_before_the_sentence_and_the_gravest_comes_first(outline):
    text = outline.text
    order = [
        text.index("Held-out gain over static correlation"),
        text.index("Reproducible across animals"),
        text.index("Six functional communities recur"),
    ]
    assert order == sorted(order)


def test_a_failed_method_shows_code_message_and_what_to_do(outline):
    for words in ("ME-N01", "is infinite", "exclude the unit in the sheet", "Failed"):
        assert words in outline.text
    assert f"Last lines of the log INFO worms_2023: fit starts ERROR {CLOSING}" in outline.text


def test_a_method_that_does_not_apply_says_why(outline):
    assert "the recordings have no trials with conditions" in outline.text
    assert "Code ME-N02 Log logs/worms_2023/trsa_gather.log Last lines of the log" in outline.text
    assert f"INFO not applicable: {CLOSING}" in outline.text


def test_settings_that_were_changed_are_marked(outline):
    assert "ranks : 2, 3, 4 changed" in outline.text
    assert "enabled : yes " in outline.text
    assert "enabled : yes changed" not in outline.text


def test_the_note_of_a_partial_report_is_shown_on_top():
    text = Outline(render(fake_page(note="Two of five recordings are missing."))).text
    assert text.index("Two of five recordings are missing.") < text.index("Summary")


def test_of_long_tables_the_first_rows_are_there_without_a_script():
    section = data_stub()
    long = dataclasses.replace(section.body[0], columns={"Unit": tuple(range(700))})
    page = fake_page(sections=(dataclasses.replace(section, checks=(), body=(long,)),), timings=())
    outline = Outline(render(page))
    assert "The first 250 of 700 rows; its file in the folder tables" in outline.text
    assert sum(tag == "td" for tag, _ in outline.elements) == 250
    (packed,) = [text for attrs, text in outline.scripts if attrs.get("class") == "rows"]
    (column,) = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert column == {"name": "Unit", "saved": [str(at) for at in range(700)], "shown": None}


def test_a_page_without_figures_does_not_carry_the_library():
    assert len(render(fake_page(sections=(data_stub(),)))) < 200_000


def test_an_empty_page_can_be_rendered():
    empty = fake_page(
        sections=(), recordings=(), settings={}, changed=(), provenance={}, timings=()
    )
    assert "No method has run." in Outline(render(empty)).text


def test_a_figure_that_would_make_the_page_too_large_is_coarsened_and_says_so():
    values = stream(0, "large").standard_normal((600, 1000)).astype(np.float32)
    large = Figure(
        id="large",
        title="Large",
        finding="",
        caption="",
        alt="Noise.",
        panels=(Heatmap(title="", values=values, x_title="", y_title="", value_title=""),),
    )
    section = Section(id="data", title="Data", status="ok", sentence="", body=(large,))
    text = render(fake_page(sections=(section,)))
    assert len(text.encode()) <= 3_000_000
    assert re.search(r"Shown as \d+ x \d+ of 600 x 1000 cells", text)
    full = render(fake_page(sections=(section,), limit_bytes=10_000_000))
    assert "Shown as" not in full
    assert "larger than its limit" not in text


def many_bars():
    """A figure that no coarsening makes smaller."""
    digits = stream(0, "bars").integers(0, 10**17, (4000, 3)).astype(str)
    labels, values = tuple("".join(row) for row in digits), np.arange(4000.0)
    return Figure(
        id="bars",
        title="Many bars",
        finding="What they say.",
        caption="",
        alt="Bars.",
        panels=(Bars(title="", labels=labels, values=values, x_title="", y_title=""),),
    )


def test_the_largest_figures_are_left_out_until_the_page_fits_and_no_map_is_coarse_for_nothing():
    section = connectome_section()
    page = fake_page(
        sections=(data_stub(), dataclasses.replace(section, body=(many_bars(), *section.body)))
    )
    limit = len(render(page).encode()) - 250_000
    text = render(dataclasses.replace(page, limit_bytes=limit))
    assert len(text.encode()) <= limit
    outline = Outline(text)
    drawn = {attrs["id"] for tag, attrs in outline.elements if tag == "figure"}
    assert drawn == {f"connectome-{part.id}" for part in section.body if isinstance(part, Figure)}
    assert "connectome-bars" in outline.ids
    told = f"Many bars # What they say. Left out to keep this page under {limit / 1e6:.3g} MB; "
    assert f"{told}its numbers are in the result files." in outline.text
    assert "connectome-bars" not in [attrs.get("data-figure") for _, attrs in outline.elements]
    assert "Shown as" not in text
    assert "larger than its limit" not in text


def test_several_figures_are_left_out_largest_first():
    section = connectome_section()
    page = fake_page(sections=(dataclasses.replace(section, body=(many_bars(), *section.body)),))
    packed = re.findall(
        r'<figure class="drawn" id="([^"]*)".*?<script class="packed"[^>]*>([^<]*)<',
        render(page),
        re.DOTALL,
    )
    sizes = {name: len(content) for name, content in packed}
    full = len(render(page).encode())
    for share in (0.5, 0.8):
        limit = int(full - share * sum(sizes.values()))
        text = render(dataclasses.replace(page, limit_bytes=limit))
        assert len(text.encode()) <= limit
        drawn = set(re.findall(r'<figure class="drawn" id="([^"]*)"', text))
        assert text.count("Left out to keep this page") == len(sizes) - len(drawn)
        assert drawn
        assert "connectome-bars" not in drawn


def test_a_page_that_is_too_large_without_any_figure_says_so():
    text = render(fake_page(limit_bytes=100_000))
    assert "larger than its limit of 0.1 MB" in text
    outline = Outline(text)
    assert not [tag for tag, _ in outline.elements if tag == "figure"]
    assert "reel" not in [attrs.get("class") for _, attrs in outline.elements]
    assert text.count("Left out to keep this page under 0.1 MB") == 6
    assert len(text.encode()) < 200_000  # the library that draws figures is not there either


def test_the_whole_fake_page_stays_below_three_megabytes(page_text):
    assert len(page_text.encode()) < 3_000_000
    assert "Shown as" not in page_text
