"""Pair strengths of a recording as a table of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.core.exported import Exported, ResultColumn, ResultRows
from pipeline.methods.connectome.labels import pooled_units
from pipeline.methods.connectome.result import ConnectomeResult


def exported(result: ConnectomeResult, recording: str, units: pd.DataFrame) -> Exported:
    """How strongly components tie each pair of units that took part in the recording.

    Parameters
    ----------
    result
        The joined fit.
    recording
        Its id; nothing is exported of one that did not take part.
    units
        Its table of units, as in :class:`~pipeline.core.recording.Recording`.
    """
    row = pooled_units(result, recording, units)
    ends = row[result.pair_units]
    known = np.flatnonzero((ends >= 0).all(axis=1))
    if not known.size:
        return Exported()
    columns = [
        ResultColumn(
            name=name,
            description=f"{words} unit of the pair.",
            values=ends[known, end],
            of_units=True,
        )
        for end, (name, words) in enumerate((("unit", "One"), ("other_unit", "The other")))
    ]
    columns.append(
        ResultColumn(
            name="strength",
            description="Pair factor of each component (columns, in the order of the report), "
            "without unit: of norm 1 over all pairs of the experiment.",
            values=result.component_pair[known].astype(np.float32),
        )
    )
    if result.component_opposite is not None:
        columns.append(
            ResultColumn(
                name="opposite",
                description="How much of the strength is change in opposite directions, without "
                "unit; columns as those of strength.",
                values=result.component_opposite[known].astype(np.float32),
            )
        )
    words = (
        f"Strength of pairs of units in the {result.rank} components: {known.size} pairs whose "
        "units both took part in this recording. Strengths are of the whole experiment."
    )
    return Exported(
        rows=(ResultRows(name="pair_strengths", description=words, columns=tuple(columns)),)
    )
