"""Picture of a report for the README: ``python docs/pictures/make.py results/worms/report.html``.

Needs playwright, Pillow and a Chromium (``/usr/bin/chromium``, or the path given as the second
argument). The picture shows the first screen above the head of the connectome's first figure.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

WIDTH, HEIGHT = 1200, 900
FIRST_ROWS = 2
MARGIN = 16


def picture(report: Path, *, chromium: str) -> Image.Image:
    """The first screen and the top of the components' figure, below each other."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        # By then small pictures are drawn.
        page.wait_for_function("() => document.documentElement.dataset.ready === 'yes'")
        last_card = _box(page, ".cards .card:last-child")
        summary = _shot(page, top=0.0, bottom=last_card["bottom"] + MARGIN)
        figure = "#connectome-components"
        page.locator(figure).scroll_into_view_if_needed()
        page.wait_for_function(
            "id => document.querySelector(id).dataset.drawn === 'yes'", arg=figure
        )
        top = _box(page, figure)["top"] - MARGIN
        rows = _box(page, f"{figure} .panel:nth-child({3 * FIRST_ROWS})")
        found = _shot(page, top=top, bottom=rows["bottom"] + MARGIN)
        browser.close()
    joined = Image.new("RGB", (WIDTH, summary.height + found.height), "white")
    joined.paste(summary, (0, 0))
    joined.paste(found, (0, summary.height))
    return joined


def _box(page: Page, selector: str) -> dict[str, float]:
    """Upper and lower edge of an element on the page, in pixels."""
    found: dict[str, float] = page.locator(selector).first.evaluate(
        "node => { const box = node.getBoundingClientRect();"
        " return {top: box.top + scrollY, bottom: box.bottom + scrollY}; }"
    )
    return found


def _shot(page: Page, *, top: float, bottom: float) -> Image.Image:
    area = {"x": 0.0, "y": top, "width": float(WIDTH), "height": bottom - top}
    return Image.open(io.BytesIO(page.screenshot(full_page=True, clip=area))).convert("RGB")


if __name__ == "__main__":
    drawn = picture(
        Path(sys.argv[1]), chromium=sys.argv[2] if len(sys.argv) > 2 else "/usr/bin/chromium"
    )
    drawn.save(Path(__file__).with_name("report.png"), optimize=True)
