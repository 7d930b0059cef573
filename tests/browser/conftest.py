from pathlib import Path

import pytest

from pipeline.report.render import render
from tests.support.fake_page import fake_page
from tests.support.needed import lacking

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def chromium():
    try:
        from playwright import sync_api as playwright
    except ImportError:
        lacking("playwright is not installed")
    if not CHROMIUM.exists():
        lacking(f"{CHROMIUM} is not installed (Debian package chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def barriers():
    """What axe finds on a page: each rule that is broken, with the first places."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        lacking("axe-playwright-python is not installed")
    axe = Axe()

    def found(page):
        broken = axe.run(page).response["violations"]
        return [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in broken]

    return found


@pytest.fixture(scope="session")
def report_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(fake_page()), encoding="utf-8")
    return path


class Watched:
    """A page in a browser, with everything it complained about or asked for."""

    def __init__(self, browser, path, *, width, scheme, fragment):
        self.complaints = []
        self.requests = []
        self.page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(f"{path.as_uri()}#{fragment}" if fragment else path.as_uri())

    def draw_all(self):
        """Scroll to every figure and wait until it is drawn; the states they ended in."""
        figures = self.page.locator("figure.drawn")
        states = []
        for place in range(figures.count()):
            figure = figures.nth(place)
            figure.scroll_into_view_if_needed()
            self.page.wait_for_function(
                "place => document.querySelectorAll('figure.drawn')[place].dataset.drawn",
                arg=place,
            )
            states.append(figure.get_attribute("data-drawn"))
        return states

    def overflow(self):
        """Pixels by which the page is wider than its window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@pytest.fixture
def opened(chromium):
    pages = []

    def open_page(path, *, width=1280, scheme="light", fragment=""):
        watched = Watched(chromium, path, width=width, scheme=scheme, fragment=fragment)
        pages.append(watched.page)
        return watched

    yield open_page
    for page in pages:
        page.close()
