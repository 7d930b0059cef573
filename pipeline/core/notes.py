"""What ingest accepted, repaired or warned about, told to the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark on an input: ``info`` (used as is), ``warn`` (untouched) or ``repair``."""

    kind: Literal["info", "warn", "repair"]
    place: str
    """HDF5 path or column."""
    text: str
    """What was found or done, with numbers."""
