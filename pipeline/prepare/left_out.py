"""What views leave out, and why, counted for their readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import NotApplicable
from pipeline.core.recording import Recording


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


def good_units(recording: Recording) -> NDArray[np.bool_]:
    """Whether each unit is good.

    Raises
    ------
    NotApplicable
        If none is.
    """
    good: NDArray[np.bool_] = recording.units["good"].to_numpy(dtype=bool)
    if not good.any():
        table = units_left_out(recording.units)
        pairs = zip(table["count"], table["reason"], strict=True)
        reasons = ", ".join(f"{count} {reason or 'without reason'}" for count, reason in pairs)
        raise NotApplicable(
            f"None of the {good.size} units of recording {recording.id} is usable: {reasons}. "
            "Settings in prepare.quality and column 'accepted' of the sheet decide."
        )
    return good
