"""How long loops tell that they are alive."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by long loops; what becomes of it is the caller's affair."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps are finished; ``note`` is what to show beside it."""


def silent(done: int, total: int, note: str = "") -> None:
    """Tell nobody."""
