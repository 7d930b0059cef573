"""Tables as text, which spreadsheets open without running anything, and as typed columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.cells import cell_text
from pipeline.core.parts import Number, Table
from pipeline.io.atomic import replacing


def write_tsv(path: Path, table: Table | pd.DataFrame) -> None:
    r"""Write a table as UTF-8 text: a header, one line a row, tabs between cells.

    Missing values are empty cells. Numbers are written so that reading gives the same number.
    Tabs, line ends and backslashes in text are written as ``\t``, ``\n``, ``\r`` and ``\\``. Text
    that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = "".join("\t".join(row) + "\n" for row in _text_rows(table))
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def write_csv(path: Path, table: Table | pd.DataFrame) -> None:
    """Write a table as comma-separated UTF-8 text, cells as :func:`write_tsv` has them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(_text_rows(table))
    with replacing(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("utf-8", errors="replace"))


def _text_rows(table: Table | pd.DataFrame) -> list[list[str]]:
    """The header and all rows as text."""
    data = table if isinstance(table, pd.DataFrame) else table.columns
    rows = zip(*(list(values) for _, values in data.items()), strict=True)
    return [[cell_text(cell) for cell in row] for row in (tuple(data), *rows)]


def write_parquet(path: Path, table: Table | pd.DataFrame) -> None:
    """Write a table as Parquet, whose columns keep their types.

    Whole numbers, truth values, numbers and text are columns of these types, also where some are
    missing; a column of several kinds becomes text. Text stands as it is, without what
    :func:`write_tsv` does for spreadsheets. Title and caption are in the file's metadata.
    """
    import pyarrow
    import pyarrow.parquet

    frame = table if isinstance(table, pd.DataFrame) else typed_frame(table)
    stored = pyarrow.Table.from_pandas(frame, preserve_index=False)
    if isinstance(table, Table):
        told = {"title": table.title, "caption": table.caption}
        stored = stored.replace_schema_metadata({**(stored.schema.metadata or {}), **told})
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(stored, temporary, compression="zstd")


WRITERS: dict[str, Callable[[Path, Table | pd.DataFrame], None]] = {
    "tsv": write_tsv,
    "csv": write_csv,
    "parquet": write_parquet,
}
"""How tables are written, by the format's name, which is the ending of its files."""


def typed_frame(table: Table) -> pd.DataFrame:
    """A table for people as one whose columns have a type each, missing cells being missing."""
    return pd.DataFrame({name: _typed(cells) for name, cells in table.columns.items()})


def _typed(cells: Sequence[Number]) -> pd.Series[Any]:
    known = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in known}
    whole = len(known) == len(cells)
    if kinds == {bool}:
        return pd.Series(list(cells), dtype="bool" if whole else "boolean")
    if kinds == {int}:
        return pd.Series(list(cells), dtype="int64" if whole else "Int64")
    if kinds and kinds <= {int, float}:
        return pd.Series(list(cells), dtype="float64")
    texts = [None if cell is None else _text(cell) for cell in cells]
    return pd.Series(texts, dtype="str")


def _text(cell: Number) -> str:
    text = cell if isinstance(cell, str) else cell_text(cell)
    return text.encode("utf-8", errors="replace").decode("utf-8")
