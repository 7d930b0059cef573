"""The rows of a table for the page's script: as they are shown, and as they are saved."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.cells import cell_text
from pipeline.core.parts import Table
from pipeline.report.packing import pack_json
from pipeline.report.wording import NOTHING, ROWS_AT_ONCE, Column


def packed_rows(table: Table, columns: Sequence[Column]) -> str:
    """All rows of a table, compressed, as base64.

    Parameters
    ----------
    columns
        The table's columns as text. What the page itself holds of them (the first
        :data:`ROWS_AT_ONCE` rows) is not told again.

    Returns
    -------
    A list of columns, each with its ``name`` and all cells as a file has them (``saved``: full
    precision, nothing that a spreadsheet would run), and with the texts of the rows that the page
    does not hold (``shown``; ``null`` where these are what is saved, with a dash for nothing).
    """
    packed = []
    for (name, cells), column in zip(table.columns.items(), columns, strict=True):
        saved = [cell_text(cell) for cell in cells]
        shown = list(column.cells[ROWS_AT_ONCE:])
        alike = shown == [text or NOTHING for text in saved[ROWS_AT_ONCE:]]
        packed.append({"name": cell_text(name), "saved": saved, "shown": None if alike else shown})
    return pack_json(packed)
