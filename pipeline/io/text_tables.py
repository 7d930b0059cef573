"""Tables of text that people write: CSV, or TSV where the first line has tabs."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from pipeline.core.errors import ConfigError


def read_text_table(path: Path, *, name: str) -> pd.DataFrame:
    """A table as text, blanks around cells taken away; row labels are the lines of the file.

    Parameters
    ----------
    path
        UTF-8 file with a header.
    name
        What the settings call it, for messages.

    Raises
    ------
    ConfigError
        If it cannot be read, has no rows, a column twice or without a name, or a row of another
        length (CF-K13).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        separator = "\t" if "\t" in text.partition("\n")[0] else ","
        reader = csv.reader(text.splitlines(), delimiter=separator, strict=True)
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise _unfit(name, "-", f"it cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unfit(name, "-", f"it is no table of text ({error})") from error
    rows = [(line, row) for line, row in numbered if any(row)]
    if len(rows) < 2:
        raise _unfit(name, "-", f"it has {len(rows)} lines, where a header and rows are needed")
    header = rows[0][1]
    for column in header:
        if not column or header.count(column) > 1:
            what = "has no name" if not column else "stands twice"
            raise _unfit(name, "line 1", f"column '{column}' {what}")
    for line, row in rows[1:]:
        if len(row) != len(header):
            found = f"{len(row)} cells, where the header has {len(header)}"
            raise _unfit(name, f"line {line}", found)
    return pd.DataFrame(
        [row for _, row in rows[1:]],
        columns=header,
        index=[line for line, _ in rows[1:]],
        dtype="str",
    )


def _unfit(name: str, place: str, found: str) -> ConfigError:
    return ConfigError(
        code="CF-K13",
        file=name,
        place=place,
        found=found,
        fix="give a UTF-8 file with a header, its cells separated by commas or tabs",
    )
