"""Tables of a report: sorted, filtered and saved; pictures on the first screen; words to copy."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.parts import Table
from pipeline.core.rng import stream
from pipeline.io.tables import write_csv
from pipeline.report.render import render
from pipeline.report.saved_tables import checks_table, timings_table
from tests.support.fake_page import HOSTILE, data_stub, fake_page, unit_table
from tests.support.pressing import press

pytestmark = pytest.mark.browser


READY = "() => document.documentElement.dataset.ready === 'yes'"
N_LONG = 700
RISKY = ("=1+1", "+cmd", "-a", "@b", " =c", "-1.5", 'a "b", c', "d\\e\tf", HOSTILE)


@pytest.fixture
def units(opened, report_file):
    page = opened(report_file).page
    page.wait_for_function(READY)
    return page.locator("#connectome-units")


def long_table() -> Table:
    """More rows than are shown at once, with text that is not to be run."""
    rng = stream(0, "long table")
    values = rng.standard_normal(N_LONG) * 10.0 ** rng.integers(-6, 6, N_LONG)
    values[3] = np.nan
    return Table(
        id="units",
        title="Units",
        caption="",
        columns={
            "unit": tuple(f"N{at:03d}" for at in range(N_LONG)),
            "rate (Hz)": tuple(values.tolist()),
            "=label": tuple(RISKY[at % len(RISKY)] for at in range(N_LONG)),
            "used": tuple(None if at % 7 == 0 else at % 2 == 0 for at in range(N_LONG)),
            "type": tuple(at % 13 for at in range(N_LONG)),
        },
    )


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "report.html"
    section = dataclasses.replace(data_stub(), body=(long_table(),))
    path.write_text(render(fake_page(sections=(section,))), encoding="utf-8")
    return path


@pytest.fixture
def long(opened, long_file):
    watched = opened(long_file)
    watched.page.wait_for_function(READY)
    yield watched.page.locator("#data-units")
    assert watched.complaints == []


def saved(table):
    """The rows of the file that the table's button saves."""
    with table.page.expect_download() as started:
        press(table.locator("button[data-rows]"))
    with Path(started.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


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
    rows = saved(units)
    table = unit_table().columns
    expected = [str(u) for u, r in zip(table["Unit"], table["Region"], strict=True) if r]
    assert rows[0] == ["Unit", "Community", "Probability", "Region"]
    assert [row[0] for row in rows[1:]] == [name for name in expected if name in column(units, 1)]


def test_all_rows_are_turned_to_and_few_are_on_the_page(long):
    told, seen = [], []
    for _ in range(4):
        told.append(long.locator(".pager [role=status]").text_content())
        seen += column(long, 1)
        assert long.locator("tbody tr").count() <= 250
        press(long.get_by_role("button", name="Later rows"))
    assert told == [
        "Rows 1 to 250 of 700", "Rows 251 to 500 of 700", *["Rows 501 to 700 of 700"] * 2
    ]  # fmt: skip
    assert seen[:N_LONG] == list(long_table().columns["unit"])
    press(long.get_by_role("button", name="Earlier rows"))
    assert column(long, 1)[0] == "N250"


LAID_OUT = "row => row.checkVisibility({ contentVisibilityAuto: true })"


@pytest.mark.parametrize("width", [375, 1280])
def test_a_long_table_is_laid_out_near_the_screen_and_moves_nothing(opened, tmp_path, width):
    table = long_table()
    wide = {f"{name} {at}": cells for at in range(3) for name, cells in table.columns.items()}
    section = dataclasses.replace(
        data_stub(),
        body=tuple(dataclasses.replace(table, id=f"units-{at}", columns=wide) for at in range(12)),
    )
    path = tmp_path / "report.html"
    path.write_text(render(fake_page(sections=(section,))), encoding="utf-8")
    watched = opened(path, width=width)
    page = watched.page
    page.wait_for_function(READY)
    last = page.locator("#data-units-11 tbody tr").first
    height = "document.documentElement.scrollHeight"
    before = page.evaluate(height)
    assert not last.evaluate(LAID_OUT)
    last.scroll_into_view_if_needed()
    assert last.evaluate(LAID_OUT)
    page.wait_for_function("() => document.querySelector('#data-units-11 .scroll[data-wide]')")
    assert page.locator("#data-units-11 .hint").is_visible()
    assert page.evaluate(height) == before
    assert watched.overflow() <= 0


def test_more_rows_are_printed_than_are_shown_and_the_rest_is_told(long):
    long.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert long.locator("tbody tr").count() == 500
    assert long.locator(".pager [role=status]").text_content() == "Rows 1 to 500 of 700"
    long.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert long.locator("tbody tr").count() == 250


SHEET = 680
"""Pixels between the margins of A4."""
BEYOND = """() => [...document.querySelectorAll('main .scroll')]
  .map((box) => box.scrollWidth - box.clientWidth).filter((one) => one > 1)"""


@pytest.mark.parametrize("n_columns", [7, 16, 40])
def test_a_wide_table_is_printed_small_and_names_the_columns_that_have_no_room(
    opened, tmp_path, n_columns
):
    names = [f"quantity {at} measured" for at in range(n_columns)]
    table = Table(
        id="wide",
        title="Wide",
        caption="",
        columns=dict.fromkeys(names, ("-12345.6789012", "a", "b")),
    )
    section = dataclasses.replace(data_stub(), body=(table,))
    path = tmp_path / "page.html"
    path.write_text(render(fake_page(sections=(section,))), encoding="utf-8")
    watched = opened(path)
    page = watched.page
    page.wait_for_function(READY)
    before = page.locator("main").inner_html()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size({"width": SHEET, "height": 900})
    assert page.evaluate(BEYOND) == []
    assert watched.overflow() <= 0
    zoom = page.locator("#data-wide table").evaluate("(table) => Number(table.style.zoom || 1)")
    assert 0.65 <= zoom < 1
    shown = page.locator("#data-wide th:visible").all_text_contents()
    noted = page.locator("#data-wide .unprinted").all_text_contents()
    left_out = [name[0].upper() + name[1:] for name in names[len(shown) :]]
    assert 6 < len(shown) < 20
    assert bool(left_out) == (n_columns > 7)
    told = (
        f"Not printed, for want of room: {', '.join(left_out)}. "
        "The CSV of all rows, data-wide.csv, has every column."
    )
    assert noted == ([told] if left_out else [])
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main").inner_html() == before
    assert watched.complaints == []


def test_rows_beyond_the_first_are_sorted_filtered_found_and_marked(long):
    page, values = long.page, np.array(long_table().columns["rate (Hz)"])
    for sign in (1, -1):
        press(long.get_by_role("button", name="Rate (Hz)"))
        expected = np.argsort(sign * values, kind="stable")[:250]
        assert column(long, 1) == [f"N{at:03d}" for at in expected]
    long.get_by_role("searchbox").fill("n690")
    assert column(long, 1) == ["N690"]
    long.get_by_role("searchbox").fill("type=3 used=yes")
    expected = [at for at in range(N_LONG) if at % 13 == 3 and at % 2 == 0 and at % 7]
    assert sorted(column(long, 1)) == [f"N{at:03d}" for at in expected]
    page.locator("#find").fill("N691")
    hit = page.locator("#found a")
    hit.wait_for()
    press(hit)
    assert column(long, 1).count("N691") == 1
    assert page.locator("tr.arrived td").first.text_content() == "N691"
    assert long.get_by_role("searchbox").input_value() == ""


def as_saved(cell):
    """A cell read back: the value itself, so that no digit may be lost."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return None if np.isnan(cell) else cell
    text = "" if cell is None else str(cell).replace("\\", "\\\\").replace("\t", "\\t")
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "@") or text == "-a" else text


def test_every_cell_is_saved_in_full_and_none_is_run(long, tmp_path):
    table = long_table()
    found = saved(long)
    assert found[0] == ["unit", "rate (Hz)", "'=label", "used", "type"]
    for place, cells in enumerate(table.columns.values()):
        texts = [row[place] for row in found[1:]]
        read = [float(text) if text else None for text in texts] if place == 1 else texts
        assert read == [as_saved(cell) for cell in cells]
    write_csv(tmp_path / "units.csv", table)
    with (tmp_path / "units.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == found


def test_checks_and_timings_are_saved(opened, report_file, tmp_path):
    page = opened(report_file).page
    shown = fake_page()
    section = next(one for one in shown.sections if one.id == "connectome")
    for place, table in {
        "connectome-checks": checks_table([section]), "timings-jobs": timings_table(shown.timings)
    }.items():  # fmt: skip
        write_csv(tmp_path / "written.csv", table)
        with (tmp_path / "written.csv").open(encoding="utf-8", newline="") as file:
            assert saved(page.locator(f"#{place}")) == list(csv.reader(file))
    assert [check.status for check in section.checks] == ["pass", "warn", "fail", "not_tested"]
    found = saved(page.locator("#connectome-checks"))
    assert [row[2] for row in found] == ["status", "fail", "warn", "not_tested", "pass"]
    assert saved(page.locator("#timings-jobs"))[1] == ["ingest worm01", "3.21", "412.0"]


def test_filtered_rows_are_saved_in_their_order(long):
    press(long.get_by_role("button", name="Rate (Hz)"))
    long.get_by_role("searchbox").fill("type=5")
    assert long.locator("button[data-rows]").text_content() == "CSV of the 54 rows found"
    found = saved(long)[1:]
    assert [row[0] for row in found] == column(long, 1)
    assert {row[4] for row in found} == {"5"}
    values = [float(row[1]) for row in found if row[1]]
    assert values == sorted(values)


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
