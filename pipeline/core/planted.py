"""What a simulation planted, in terms that all methods understand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What was planted for one method, which the others are held against where they can be."""

    words: str
    """Numbers with their nouns, such as ``8 types of cells``; no full stop."""
    moments: str = ""
    """How planted courses or states go with epochs; empty where nothing was planted in time."""
    kind: str = ""
    """What its groups of units are called: as the method's own, if it groups units
    (:attr:`~pipeline.core.labelling.UnitLabels.kind`); empty where there are none."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Id of a unit to its group; empty where units may be in several, or in none."""


def nothing_planted(others: Iterable[Planted]) -> str:
    """The sentence for a finding of which the simulation holds nothing."""
    held = "; ".join(one.words for one in others)
    return f"Nothing of this kind was planted in these simulated recordings, which hold {held}."
