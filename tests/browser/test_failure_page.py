"""A page on which nothing worked: it tells why, and works itself."""

from __future__ import annotations

import pytest

from pipeline.core.parts import Section
from pipeline.report.index import render_index
from pipeline.report.render import render
from tests.support.fake_page import CLOSING, HOSTILE, fake_page

pytestmark = pytest.mark.browser

FAILURE = {
    "code": "IN-F03",
    "file": "a.nwb",
    "found": f"the file {HOSTILE} ends early",
    "fix": "copy it again",
    "log": "logs/worms/ingest_a.log",
    "log_tail": "\n".join([*(f"INFO line {number}" for number in range(40)), f"ERROR {CLOSING}"]),
}


@pytest.fixture
def failure_file(tmp_path):
    sections = tuple(
        Section(id=name, title=name, status="failed", sentence="", reason="No.", failure=FAILURE)
        for name in ("data", "connectome", "agreement")
    )
    path = tmp_path / "report.html"
    path.write_text(render(fake_page(sections=sections, recordings=())), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_what_failed_is_told_in_place_and_without_a_barrier(
    opened, barriers, failure_file, width, scheme
):
    watched = opened(failure_file, width=width, scheme=scheme)
    page = watched.page
    page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
    told = page.locator("#connectome .box.failed")
    for words in ("IN-F03", "copy it again", HOSTILE, "INFO line 39", f"ERROR {CLOSING}"):
        assert words in told.text_content()
    assert told.locator("pre").is_visible()
    assert watched.overflow() <= 0
    assert barriers(page) == []
    page.locator("#find").fill("copy it")
    page.wait_for_function("() => document.getElementById('found-count').textContent !== ''")
    assert watched.complaints == []
    assert page.evaluate("window.pwned") is None


def test_an_index_without_reports_has_no_barrier(opened, barriers, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(render_index(()), encoding="utf-8")
    watched = opened(path)
    assert barriers(watched.page) == []
    assert watched.complaints == []
