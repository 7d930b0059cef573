"""What sheet and settings say about how to read a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

Activity = Literal["auto", "calcium", "spikes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Choices for one recording; empty text means "find it"."""

    activity: Activity = "auto"
    series: str = ""
    """Name or HDF5 path of the series that is the activity; those of planes joined by ``+``."""
    intervals: str = ""
    """Table of intervals that becomes the trials; ``trials`` where the file has them."""
    condition: tuple[str, ...] = ()
    """Columns of that table which, joined by ``+``, are the condition."""
    region: str = ""
    """Column of the unit or ROI table with the region."""
    identity: str = ""
    """Column of the unit or ROI table with the name of an identified neuron."""
    accepted: str = ""
    """Column of the unit or ROI table that tells which units are used; empty: all."""
    allow_external: tuple[str, ...] = ()
    """Folders, besides the file's own, into which its links may lead."""
    max_series_gb: float | None = None
    """Largest series that is read, in 10^9 bytes in memory; by the machine's memory if ``None``."""
    rate_hz: tuple[float, float] = (0.1, 1000.0)
    """Lowest and highest believable sampling rate of traces."""

    @classmethod
    def of_entries(cls, entries: Mapping[str, str]) -> ReadOptions:
        """Options by the entries of a line of the sheet, of which any may be absent or empty."""
        condition = entries.get("condition", "")
        return cls(
            activity=cast("Activity", entries.get("activity") or "auto"),
            series=entries.get("series", ""),
            intervals=entries.get("intervals", ""),
            condition=tuple(part.strip() for part in condition.split("+")) if condition else (),
            region=entries.get("region", ""),
            identity=entries.get("identity", ""),
            accepted=entries.get("accepted", ""),
        )
