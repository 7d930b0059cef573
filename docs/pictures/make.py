"""Pictures of the demo's reports for the docs: ``python docs/pictures/make.py results``.

Needs playwright, Pillow and a Chromium (``/usr/bin/chromium``, or the path given as the second
argument). Writes beside itself the pictures that README.md and docs/example.md show.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

WIDTH, HEIGHT = 1200, 900
MARGIN = 16
# The index has no figures to unpack.
READY = """() => document.documentElement.dataset.ready === 'yes'
    || !document.querySelector('figure.drawn')"""
DRAWN = "name => document.querySelector(name).dataset.drawn === 'yes'"
EDGES = """node => {
    const box = node.getBoundingClientRect();
    return {top: box.top + scrollY, bottom: box.bottom + scrollY, left: box.left, right: box.right};
}"""


class Part(NamedTuple):
    """A stretch of a page, from the top of one element (or of the page) to the foot of another."""

    last: str
    first: str | None = None
    figure: str | None = None  # drawn before the picture is taken


class Picture(NamedTuple):
    """A picture: stretches of one page below each other, or one figure alone."""

    name: str
    page: str
    parts: Sequence[Part]
    scheme: str = "light"
    width: int = WIDTH
    alone: bool = False  # cut to the width of the part


def _figure(name: str, *, panels: int | None = None) -> Part:
    """A whole figure with its caption, or its head and the first panels."""
    last = name if panels is None else f"{name} .panel:nth-child({panels})"
    return Part(last, first=name, figure=name)


PICTURES = (
    Picture(
        "report",
        "worms/report.html",
        [Part(".cards .card:last-child"), _figure("#connectome-components", panels=6)],
    ),
    Picture("index", "index.html", [Part("main")]),
    Picture(
        "biclustering",
        "cortex/report.html",
        [_figure("#biclustering-overview")],
        scheme="dark",
        alone=True,
    ),
    Picture("trsa", "cortex/report.html", [_figure("#trsa-within")], alone=True),
    Picture(
        "celltypes", "retina/report.html", [_figure("#celltypes-stimuli", panels=9)], alone=True
    ),
    Picture("agreement", "cortex/report.html", [_figure("#agreement-halves")], alone=True),
    Picture("phone", "worms/report.html", [Part(".cards .card:nth-child(2)")], width=375),
)


def picture(browser: Browser, results: Path, wanted: Picture) -> Image.Image:
    """The stretches of a page below each other."""
    page = browser.new_page(
        viewport={"width": wanted.width, "height": HEIGHT}, color_scheme=wanted.scheme
    )
    page.goto((results / wanted.page).resolve().as_uri())
    # By then small pictures are drawn.
    page.wait_for_function(READY)
    shots = [_shot(page, part, wanted) for part in wanted.parts]
    page.close()
    joined = Image.new("RGB", (shots[0].width, sum(shot.height for shot in shots)))
    top = 0
    for shot in shots:
        joined.paste(shot, (0, top))
        top += shot.height
    return joined


def _shot(page: Page, part: Part, wanted: Picture) -> Image.Image:
    if part.figure:
        page.locator(part.figure).scroll_into_view_if_needed()
        page.wait_for_function(DRAWN, arg=part.figure)
    first = page.locator(part.first).evaluate(EDGES) if part.first else {"top": MARGIN}
    top = first["top"] - MARGIN
    bottom = page.locator(part.last).first.evaluate(EDGES)["bottom"] + MARGIN
    left = first["left"] - MARGIN if wanted.alone else 0.0
    right = first["right"] + MARGIN if wanted.alone else wanted.width
    area = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return Image.open(io.BytesIO(page.screenshot(full_page=True, clip=area))).convert("RGB")


def main() -> None:
    """Write every picture."""
    results = Path(sys.argv[1])
    chromium = sys.argv[2] if len(sys.argv) > 2 else "/usr/bin/chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for wanted in PICTURES:
            shown = picture(browser, results, wanted)
            shown.save(Path(__file__).with_name(f"{wanted.name}.png"), optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
