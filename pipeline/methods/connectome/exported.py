"""Pair strengths of a recording as a table of numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    known, ends = _rows_of_pairs(result, pooled_units(result, recording, units))
    if not known.size:
        return Exported()
    columns = [
        ResultColumn(
            name=name,
            description=f"{words} unit of the pair.",
            values=ends[:, end],
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


def _rows_of_pairs(
    result: ConnectomeResult, pooled: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs both of whose units are in a recording, and their rows in its table, (entry, end).

    A unit that stands for both sides has two rows, so that its pairs come once for each.

    Parameters
    ----------
    pooled
        Pooled unit of each row of the table, -1 for none.
    """
    used = np.flatnonzero(pooled >= 0)
    rows = np.full((2, result.unit.size), -1)
    rows[0, pooled[used[::-1]]] = used[::-1]
    again = used[rows[0, pooled[used]] != used]
    rows[1, pooled[again]] = again
    pairs, found = [], []
    for one, other in itertools.product(rows, rows):
        ends = np.column_stack([one[result.pair_units[:, 0]], other[result.pair_units[:, 1]]])
        known = np.flatnonzero((ends >= 0).all(axis=1))
        pairs.append(known)
        found.append(ends[known])
    order = np.argsort(np.concatenate(pairs), kind="stable")
    return np.concatenate(pairs)[order], np.concatenate(found)[order]
