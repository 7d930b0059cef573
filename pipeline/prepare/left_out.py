"""What views leave out, and why, counted for their readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def units_left_out(units: pd.DataFrame, *, further: Sequence[str] = ()) -> pd.DataFrame:
    """How many units were not used, by reason: ``what``, ``count``, ``reason``.

    Parameters
    ----------
    units
        The recording's table of units.
    further
        Reasons of units that are good but were left out by the view, one entry a unit.
    """
    bad = units.loc[~units["good"].to_numpy(dtype=bool), "reason"].astype(str)
    bad = pd.concat([bad, pd.Series(list(further), dtype="str")])
    counts = bad.value_counts().sort_index()
    return pd.DataFrame(
        {
            "what": pd.Series(["unit"] * len(counts), dtype="str"),
            "count": counts.to_numpy(dtype=np.int64),
            "reason": pd.Series(counts.index.astype(str), dtype="str"),
        }
    )


def in_words(units: pd.DataFrame) -> str:
    """Reasons why units are not good, with counts, for a message."""
    table = units_left_out(units)
    pairs = zip(table["count"], table["reason"], strict=True)
    return ", ".join(f"{count} {reason or 'without reason'}" for count, reason in pairs)
