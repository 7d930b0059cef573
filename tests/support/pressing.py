"""Pressing buttons and links of a page that is still being drawn."""

from __future__ import annotations

from typing import Any


def press(locator: Any) -> None:
    """Click on an element without the mouse.

    Figures grow to their full height as they are drawn, so that on a slow machine what the mouse
    aims at has moved on before it is pressed.
    """
    locator.evaluate("element => element.click()")
