"""What ingest accepted, repaired or warned about, told to the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.errors import CODES


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark on an input: ``info`` (used as is), ``warn`` (untouched) or ``repair``."""

    code: str
    """One of :data:`CODES`; ``docs/errors.md`` explains it. ``strict`` refuses a file under it."""
    kind: Literal["info", "warn", "repair"]
    place: str
    """HDF5 path or column."""
    text: str
    """What was found or done, with numbers."""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is not a code of this package.")
