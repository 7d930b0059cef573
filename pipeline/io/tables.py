"""Tables for people: tab-separated text that spreadsheets open without running anything."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core.parts import Table
from pipeline.io.atomic import replacing

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
FORMULA_STARTS = ("=", "+", "-", "@")


def write_tsv(path: Path, table: Table | pd.DataFrame) -> None:
    r"""Write a table as UTF-8 text: a header, one line a row, tabs between cells.

    Missing values are empty cells. Numbers are written so that reading gives the same number.
    Tabs, line ends and backslashes in text are written as ``\t``, ``\n``, ``\r`` and ``\\``. Text
    that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    data = table if isinstance(table, pd.DataFrame) else table.columns
    columns = [(name, list(values)) for name, values in data.items()]
    header = tuple(name for name, _ in columns)
    rows = [header, *zip(*(values for _, values in columns), strict=True)]
    lines = ("\t".join(cell_text(cell) for cell in row) for row in rows)
    with replacing(path) as temporary:
        text = "\n".join(lines) + "\n"
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as comma-separated UTF-8 text, cells as :func:`write_tsv` has them."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([cell_text(name) for name in table.columns])
        columns = [list(table[name]) for name in table.columns]
        for row in zip(*columns, strict=True):
            writer.writerow([cell_text(cell) for cell in row])


def cell_text(value: object) -> str:
    """One cell as text without tabs or line ends."""
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
