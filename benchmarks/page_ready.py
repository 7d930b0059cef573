"""How soon the page of a report can be used, in headless Chromium.

Opens each page some times and prints its size and the milliseconds from the start of loading until
its scripts are through (``data-ready``), the first figures are drawn when scrolled to, and text is
found. Budget: 2 s for pages of 0.83 to 2.5 MB.

    .venv/bin/python benchmarks/page_ready.py results/*/report.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
TIMES = 5
READY = "() => document.documentElement.dataset.ready === 'yes'"
DRAWN = "() => document.querySelector('figure.drawn')?.dataset.drawn"
BUDGET_MS = 2000


def main() -> None:
    """Print a line a page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        print(
            f"{'page':40}{'MB':>6}{'ready ms':>10}{'drawn ms':>10}   (medians; budget {BUDGET_MS})"
        )
        for path in parser.parse_args().pages:
            taken = sorted(opened(browser, path) for _ in range(TIMES))
            ready = taken[TIMES // 2][0]
            drawn = sorted(one[1] for one in taken)[TIMES // 2]
            size = path.stat().st_size / 1e6
            print(f"{'/'.join(path.parts[-2:]):40}{size:6.2f}{ready:10.0f}{drawn:10.0f}")
        browser.close()


def opened(browser: Browser, path: Path) -> tuple[float, float]:
    """Milliseconds until a page is ready, and until its first figure is drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.resolve().as_uri(), wait_until="commit")
    page.wait_for_function(READY)
    ready = page.evaluate("performance.now()")
    page.locator("figure.drawn").first.scroll_into_view_if_needed()
    page.wait_for_function(DRAWN)
    drawn = page.evaluate("performance.now()")
    page.close()
    return ready, drawn


if __name__ == "__main__":
    main()
