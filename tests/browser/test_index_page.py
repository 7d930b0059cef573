import pytest

from pipeline.report.document import report_document
from pipeline.report.index import IndexEntry, render_index
from tests.support.fake_page import HOSTILE, fake_page

pytestmark = pytest.mark.browser


@pytest.fixture
def index_file(tmp_path):
    entries = []
    for name, units in (("b2", 30), ("a10", 4), ("a9", 200)):
        document = report_document(fake_page(experiment=name))
        document["recordings"] = [{"units": units, "units_used": units}]
        document["methods"]["trsa"]["reason"] = HOSTILE
        entries.append(IndexEntry.of(document, link=f"{name}/report.html"))
    path = tmp_path / "index.html"
    path.write_text(render_index(entries), encoding="utf-8")
    return path


def shown(page):
    return page.locator("tbody tr:visible td:first-child").all_text_contents()


def test_the_table_is_sorted_by_the_heading_that_is_pressed(opened, index_file):
    watched = opened(index_file)
    page = watched.page
    page.get_by_role("button", name="Experiment").click()
    assert shown(page) == ["a9", "a10", "b2"]
    page.get_by_role("button", name="Experiment").click()
    assert shown(page) == ["b2", "a10", "a9"]
    page.get_by_role("button", name="Units used").click()
    assert shown(page) == ["a10", "b2", "a9"]
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert watched.complaints == []
    assert watched.page.evaluate("window.pwned") is None


def test_the_table_can_be_searched(opened, index_file):
    page = opened(index_file).page
    page.get_by_role("searchbox").fill("a1")
    assert shown(page) == ["a10"]
    assert page.locator("#shown").text_content() == "1 of 3"


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_index_fits_and_has_no_barrier(opened, index_file, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    watched = opened(index_file, width=width, scheme=scheme)
    assert watched.overflow() <= 0
    assert [each["id"] for each in axe.Axe().run(watched.page).response["violations"]] == []
