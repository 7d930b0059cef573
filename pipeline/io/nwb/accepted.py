"""Which units the lab's own software or a person accepted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.tables import as_label, is_text_column

ACCEPTED_COLUMNS = ("iscell", "is_cell", "accepted", "accept", "rejected", "reject")
"""Names, in any case, of columns that tell which ROIs are cells."""
_YES = frozenset({"true", "yes", "y", "1", "accepted", "accept", "cell", "good"})
_NO = frozenset({"false", "no", "n", "0", "rejected", "reject", "not cell", "notcell", "bad", ""})
_REJECTS = re.compile(r"reject", re.IGNORECASE)


def accepted_column(columns: pd.DataFrame) -> str:
    """The column that tells which units are accepted; empty where there is none."""
    known = {str(name).lower(): str(name) for name in reversed(list(columns))}
    return next((known[name] for name in ACCEPTED_COLUMNS if name in known), "")


def accepted_units(
    columns: pd.DataFrame, *, place: str, options: ReadOptions
) -> tuple[NDArray[np.bool_], str, tuple[Note, ...]]:
    """Which units are used, why the others are not, and counts both ways.

    A column that the sheet does not name decides nothing: its counts are told.

    Parameters
    ----------
    columns
        Columns of the file's table, one row a unit.
    place
        HDF5 path of that table.

    Raises
    ------
    DataError
        If the sheet names a column that is not there or does not say yes or no.
    """
    everybody = np.ones(len(columns), dtype=bool)
    name = options.accepted or accepted_column(columns)
    if not name:
        return everybody, "", ()
    if name not in columns:
        there = ", ".join(columns.columns) or "no columns of one value a row"
        raise DataError(
            code="IN-T02",
            place=place,
            found=f"there is no column '{name}'; the table has: {there}",
            fix="correct column 'accepted' of the sheet",
        )
    says_yes = _says_yes(columns[name])
    if says_yes is None:
        if not options.accepted:
            return everybody, "", ()
        examples = ", ".join(dict.fromkeys(as_label(value) for value in columns[name][:1000]))
        raise DataError(
            code="IN-C30",
            place=f"{place}/{name}",
            found=f"column '{name}' does not say yes or no: {examples[:80]}",
            fix="name a column of truth values, of 0 and 1, or of words such as yes and no in "
            "column 'accepted' of the sheet",
        )
    good = ~says_yes if _REJECTS.search(name) else says_yes
    counts = f"Column '{name}' accepts {int(good.sum())} of {good.size} units"
    if options.accepted:
        text = f"{counts}; the others are not used."
        used, reason = good, f"not accepted in column '{name}'"
    else:
        text = f"{counts}; all are used, as column 'accepted' of the sheet does not name it."
        used, reason = everybody, ""
    return used, reason, (Note(code="IN-C30", kind="info", place=f"{place}/{name}", text=text),)


def _says_yes(column: pd.Series[Any]) -> NDArray[np.bool_] | None:  # Any: that is the question
    """The column as truth values; None where it is something else."""
    if is_text_column(column):
        words = [as_label(value).lower() for value in column]
        if not set(words) <= _YES | _NO:
            return None
        return np.array([word in _YES for word in words], dtype=bool)
    numbers = column.to_numpy(dtype=np.float64)
    if not np.isin(numbers, (0.0, 1.0)).all():
        return None
    return np.asarray(numbers == 1.0)
