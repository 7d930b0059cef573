"""The keyboard's way through a page of a report."""

from __future__ import annotations

STOPS = """() => [...document.querySelectorAll(
  'a[href], button, input, summary, [tabindex="0"], select, textarea')].filter((element) =>
    element.checkVisibility({ visibilityProperty: true }) && !element.disabled)
  .map((element, at) => { element.dataset.stop = at; return at; })"""
"""Numbers all places that the keyboard can stop at, in order."""
HERE = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
  const box = element.getBoundingClientRect();
  return { stop: Number(element.dataset.stop), ring, name: element.textContent.slice(0, 40),
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight };
}"""
"""Where the keyboard is, whether a ring shows it, and whether it is on the screen."""


def walk(page, key):
    """What the key leads to, until it leads out of the page."""
    met = []
    while True:
        page.keyboard.press(key)
        here = page.evaluate(HERE)
        if here is None:
            return met
        met.append(here)
        assert len(met) < 2000, "the key never leads out of the page"
