"""Tables as Parquet come back with the types, gaps and text that they had."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.parts import Section, Table
from pipeline.io.tables import typed_frame, write_csv, write_parquet
from pipeline.stages.figures import write_tables

TABLE = Table(
    id="all-kinds",
    title="Table of all kinds",
    caption="One row a case.",
    columns={
        "count": (1, 2**53 + 1, -3),
        "count with gaps": (1, None, 2**53 + 1),
        "rate (Hz)": (0.1, None, 1e-300),
        "whole and not": (1, 0.5, None),
        "used": (True, False, True),
        "used, or not known": (True, None, False),
        "name": ("µ神", None, "=1+1\t\n,'\""),
        "of several kinds": ("a", 2, None),
        "nothing": (None, None, None),
    },
)


@pytest.fixture
def read_back(tmp_path):
    write_parquet(tmp_path / "table.parquet", TABLE)
    return pd.read_parquet(tmp_path / "table.parquet")


def test_every_cell_comes_back_as_it_was_and_of_the_kind_it_was(read_back):
    assert list(read_back.columns) == list(TABLE.columns)
    for name, cells in TABLE.columns.items():
        found = [None if pd.isna(cell) else cell for cell in read_back[name]]
        wanted = [str(cell) if name == "of several kinds" and cell else cell for cell in cells]
        assert found == wanted, name
    kinds = {name: str(kind) for name, kind in read_back.dtypes.items()}
    assert kinds == {
        "count": "int64",
        "count with gaps": "Int64",
        "rate (Hz)": "float64",
        "whole and not": "float64",
        "used": "bool",
        "used, or not known": "boolean",
        "name": "str",
        "of several kinds": "str",
        "nothing": "str",
    }


def test_other_programs_see_the_same_types_and_what_the_table_is(tmp_path):
    import pyarrow
    import pyarrow.parquet

    write_parquet(tmp_path / "table.parquet", TABLE)
    schema = pyarrow.parquet.read_schema(tmp_path / "table.parquet")
    assert schema.field("count with gaps").type == pyarrow.int64()
    assert schema.field("used, or not known").type == pyarrow.bool_()
    assert schema.metadata[b"title"].decode() == TABLE.title
    assert schema.metadata[b"caption"].decode() == TABLE.caption


def test_it_is_the_table_that_the_csv_holds(tmp_path):
    plain = dataclasses.replace(
        TABLE, columns={**TABLE.columns, "name": ("µ神", None, 'a, "b"'), "nothing": (0.5, 1, 2)}
    )
    write_csv(tmp_path / "table.csv", plain)
    write_parquet(tmp_path / "table.parquet", plain)
    kept = pd.read_parquet(tmp_path / "table.parquet")
    text = pd.read_csv(tmp_path / "table.csv", dtype=dict(kept.dtypes))
    pd.testing.assert_frame_equal(text, kept, check_exact=True)


def test_a_data_frame_comes_back_exactly(tmp_path):
    frame = pd.DataFrame(
        {
            "unit": pd.Series(["1", "", None], dtype="str"),
            "spikes": np.array([3, 0, -1], dtype=np.int32),
            "probability": [0.1 + 0.2, np.nan, 1.0],
            "used": [True, False, True],
        }
    )
    write_parquet(tmp_path / "t.parquet", frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame, check_exact=True)


def test_a_table_without_rows_and_text_that_is_no_text_can_be_written(tmp_path):
    write_parquet(tmp_path / "t.parquet", dataclasses.replace(TABLE, columns={"a": (), "b": ()}))
    assert pd.read_parquet(tmp_path / "t.parquet").shape == (0, 2)
    broken = dataclasses.replace(TABLE, columns={"a": ("x\udc80", "y")})
    write_parquet(tmp_path / "t.parquet", broken)
    assert pd.read_parquet(tmp_path / "t.parquet")["a"].tolist() == ["x?", "y"]


def test_the_tables_of_a_report_are_files_in_the_formats_that_were_asked_for(tmp_path):
    body = ("Words.", TABLE, dataclasses.replace(TABLE, id="other"))
    section = Section(id="trsa", title="tRSA", status="ok", sentence="", body=body)
    write_tables(tmp_path / "tables", [section], formats=["csv", "parquet"])
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    both = {"trsa-all-kinds", "trsa-other"}
    assert names == {f"{name}.{kind}" for name in both for kind in ("csv", "parquet")}
    found = pd.read_parquet(tmp_path / "tables" / "trsa-all-kinds.parquet")
    pd.testing.assert_frame_equal(found, typed_frame(TABLE))

    write_tables(
        tmp_path / "tables",
        [dataclasses.replace(section, body=body[:2])],
        formats=["csv"],
        beside=[dataclasses.replace(TABLE, id="checks")],
    )
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {"trsa-all-kinds.csv", "checks.csv"}
