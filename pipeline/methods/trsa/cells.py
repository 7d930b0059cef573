"""Columns of tables for people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.core.parts import Number
from pipeline.core.words import counted, for_number


def columns(table: pd.DataFrame, names: Mapping[str, str]) -> dict[str, tuple[Number, ...]]:
    """Columns of a table by their shown names, without those that are empty.

    Numbers have three digits; those that are missing are None.
    """
    found = {shown: tuple(_cell(value) for value in table[name]) for name, shown in names.items()}
    return {
        shown: values
        for shown, values in found.items()
        if any(value not in (None, "") for value in values)
    }


def where_told(table: pd.DataFrame, name: str, words: str) -> str:
    """Words of a caption on a column; nothing where the column is empty, and so is not shown."""
    return words if table[name].notna().any() else ""


def _cell(value: object) -> Number:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)  # type: ignore[arg-type]
    return float(f"{number:.3g}") if np.isfinite(number) else None


def populations_drawn(count: int, most: int) -> str:
    """How many of so many populations a figure draws, without a full stop."""
    shown = min(count, most)
    return f"{shown} of {counted(count, 'population')} {for_number(shown, '[is|are]')} drawn"
