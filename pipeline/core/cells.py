"""Cells of tables as text, the same in files and in what a page saves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
FORMULA_STARTS = ("=", "+", "-", "@")


def cell_text(value: object) -> str:
    """One cell as text without tabs or line ends; empty where there is no value.

    Numbers are written so that reading gives the same number. Text that a spreadsheet would take
    for a formula gets an apostrophe in front.
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else repr(float(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    text = str(value).translate(ESCAPES)
    risky = text.lstrip().startswith(FORMULA_STARTS) and not _is_number(text)
    return f"'{text}" if risky else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
