"""Tables for people are plain text that no program runs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.core.cells import cell_text
from pipeline.core.parts import Table
from pipeline.io.tables import write_tsv


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-x", "'-x"),
        ("@sum", "'@sum"),
        (" =1+1", "' =1+1"),
        ("-5.5", "-5.5"),
        ("+1e3", "+1e3"),
        ("a=b", "a=b"),
        ("a\tb\nc\r\\", "a\\tb\\nc\\r\\\\"),
        ("µ神", "µ神"),
        (-2, "-2"),
        (0.1, "0.1"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (float("nan"), ""),
        (float("-inf"), "-inf"),
        (None, ""),
        (pd.NA, ""),
        (True, "true"),
        (np.False_, "false"),
    ],
)
def test_cells_are_plain_text(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_a_table_has_a_header_and_a_line_a_row(tmp_path: Path) -> None:
    table = Table(id="t", title="t", caption="c", columns={"=name": ("a\tb", "é"), "n": (1, None)})
    write_tsv(tmp_path / "table.tsv", table)

    assert (tmp_path / "table.tsv").read_bytes() == "'=name\tn\na\\tb\t1\né\t\n".encode()


def test_numbers_of_a_data_frame_come_back_exactly(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [0.1 + 0.2, np.nan, 1e-300], "label": ["a", None, "c"]})
    write_tsv(tmp_path / "new" / "table.tsv", frame)

    found = pd.read_csv(tmp_path / "new" / "table.tsv", sep="\t")

    pd.testing.assert_frame_equal(found, frame, check_exact=True)


def test_every_line_has_as_many_cells_as_the_header(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": ["x\ty", 'say "so"', "\r\n"], "b": ["\n", "", "\u2028"]})
    write_tsv(tmp_path / "table.tsv", frame)

    text = (tmp_path / "table.tsv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.split("\n")[:-1], delimiter="\t", quoting=csv.QUOTE_NONE))

    assert [len(row) for row in rows] == [2, 2, 2, 2]


def test_columns_of_unequal_length_are_refused(tmp_path: Path) -> None:
    table = Table(id="t", title="t", caption="c", columns={"a": (1, 2), "b": (1,)})

    with pytest.raises(ValueError, match="shorter"):
        write_tsv(tmp_path / "table.tsv", table)
    assert list(tmp_path.iterdir()) == []
