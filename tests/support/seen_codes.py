"""Which codes of the catalogue were met while tests ran, each in a message of six parts.

An error or a remark counts when the package makes it (not when a test does): an error whose six
parts make a whole message, a remark since ``strict`` refuses a file with its code, place and text.
So does the record of a method that does not apply, which is no error and has its code alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from pipeline.core.errors import CODES, PipelineError
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome

FORMS = ("pipeline.core.errors", "pipeline.core.notes", __name__)
"""Modules through which errors and remarks are made."""
SIX_PARTS = re.compile(
    r"ERROR (?P<code>\S+) (?P<experiment>\S.*?): (?P<file>\S.*?): (?P<place>\S.*?): "
    r"(?P<found>\S(.*[^.])?)\. Fix: (?P<fix>\S(.*[^.])?); see docs/errors\.md#\S+"
)


def _made_by_the_package() -> bool:
    """Whether code of the package makes what is being made, and does not only add to it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in FORMS:
        if frame.f_code is PipelineError.at.__code__:
            return False
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).startswith("pipeline.")


class SeenCodes:
    """Codes that were met, from :meth:`watch` on until :meth:`stop`.

    Parameters
    ----------
    counts
        Whether what is being made counts, asked while it is made.
    """

    def __init__(self, counts: Callable[[], bool] = _made_by_the_package) -> None:
        self._counts = counts
        self.seen: set[str] = set()
        self.broken: set[str] = set()
        """Messages that lack one of the six parts."""
        self._made: dict[tuple[type, str], Callable[..., None]] = {}

    def watch(self) -> None:
        """Have every error, remark and record of what does not apply tell its code here."""
        self._after(PipelineError, "__init__", self._error)
        self._after(Note, "__post_init__", lambda note: self.seen.add(note.code))
        self._after(Outcome, "__init__", self._outcome)

    def stop(self) -> None:
        """Let them be as they were."""
        for (kind, name), made in self._made.items():
            setattr(kind, name, made)

    def unseen(self) -> list[str]:
        """Codes of the catalogue that were not met."""
        return sorted(set(CODES) - self.seen)

    def _error(self, error: PipelineError) -> None:
        whole = SIX_PARTS.fullmatch(str(error))
        if whole and whole["code"] == error.code:
            self.seen.add(error.code)
        else:
            self.broken.add(str(error))

    def _outcome(self, outcome: Outcome) -> None:
        if outcome.status == "not_applicable" and "code" in outcome.failure:
            self.seen.add(str(outcome.failure["code"]))

    def _after(self, kind: type, name: str, tell: Callable[[Any], None]) -> None:
        made = getattr(kind, name)

        def told(one: Any, *arguments: Any, **fields: Any) -> None:
            made(one, *arguments, **fields)
            if self._counts():
                tell(one)

        self._made[kind, name] = made
        setattr(kind, name, told)
