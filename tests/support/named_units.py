"""Units whose names cannot be taken for anything else, and which of them a report shows."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.core.parts import PAIR, REMARK, Bars, Figure, Lines, Network, Points, Table

PLAIN = re.compile(r"9\d{4}")
"""In the ids and identities of these units, and in no other number of a report."""


def ids_of(n: int) -> np.ndarray:
    """As many ids."""
    return np.array([str(90_000 + at) for at in range(n)])


def two_recordings(taken: str, n: int) -> dict[str, pd.DataFrame]:
    """Units of a recording that a method takes, and of another of which it takes nothing.

    Ids are the same in both; every third identity is certain and every third in doubt.
    """
    ids = ids_of(n)
    table = pd.DataFrame(
        {
            "unit_id": ids,
            "identity": [f"N{unit}" if at % 3 else "" for at, unit in enumerate(ids)],
            "identity_certain": [at % 3 == 1 for at in range(n)],
        }
    )
    return {taken: table, "other": table}


def names_shown(parts: Iterable[object]) -> set[str]:
    """Names of these units in figures and tables, as the page marks them."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Table):
            found |= {str(cell) for cells in part.columns.values() for cell in cells}
        for panel in part.panels if isinstance(part, Figure) else ():
            found.add(panel.title.partition(": ")[0])
            if isinstance(panel, Lines):
                found |= {line.name for line in panel.lines}
            elif isinstance(panel, (Points, Bars, Network)):
                found |= set(panel.labels)
            else:
                found |= {*panel.x_labels, *panel.y_labels}
    bare = {
        name.removeprefix("\N{MINUS SIGN}")
        for label in found
        for name in re.split(f"{PAIR}|, ", label.partition(REMARK)[0])
    }
    return {name for name in bare if PLAIN.search(name)}
