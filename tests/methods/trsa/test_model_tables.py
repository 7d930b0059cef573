"""Models from tables that people bring, and what is said of tables that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import ConfigError
from pipeline.io.text_tables import read_text_table
from pipeline.methods.trsa.model_tables import table_models

CONDITIONS = np.array(["a", "b", "c", "d"])
SQUARE = "name,b,a,d,c\na,1,0,3,2\nb,0,1,5,4\nc,4,2,6,0\nd,5,3,0,6\n"


def models(tmp_path, text, name="mine.csv"):
    (tmp_path / name).write_text(text)
    return table_models({name: read_text_table(tmp_path / name, name=name)}, CONDITIONS)


def test_a_matrix_is_taken_as_it_is_whatever_its_order(tmp_path):
    found = models(tmp_path, SQUARE)
    assert list(found) == ["mine"]
    np.testing.assert_array_equal(found["mine"], [1, 2, 3, 4, 5, 6])
    tabs = models(tmp_path, SQUARE.replace(",", "\t"), "mine.tsv")
    np.testing.assert_array_equal(tabs["mine"], found["mine"])


def test_features_give_squared_differences_and_words_whether_they_differ(tmp_path):
    text = "condition,x,kind,y\nz,9,r,9\nd,3,q,0\nc,2,q,0\nb,1,p,0\na,0,p,2\n"
    found = models(tmp_path, text)
    x, y = np.array([0, 1, 2, 3.0]), np.array([2, 0, 0, 0.0])
    first, second = np.triu_indices(4, 1)
    expected = ((x[first] - x[second]) ** 2 + (y[first] - y[second]) ** 2) / 2
    np.testing.assert_allclose(found["mine"], expected)
    np.testing.assert_array_equal(found["mine.kind"], [0, 1, 1, 1, 1, 0])


def test_a_long_table_is_the_wide_one(tmp_path):
    wide = "condition,x,y\na,0,2\nb,1,0\nc,2,0\nd,3,0\n"
    values = {"a": (0, 2), "b": (1, 0), "c": (2, 0), "d": (3, 0)}
    lines = [
        f"{feature},{condition},{values[condition][place]}"
        for place, feature in enumerate("xy")
        for condition in "dbca"
    ]
    long = "feature,condition,value\n" + "\n".join(lines) + "\n"
    one = models(tmp_path, wide, "one.csv")["one"]
    np.testing.assert_allclose(models(tmp_path, long, "two.csv")["two"], one)


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        (SQUARE.replace("a,1,0,3,2", "a,1,0,3,2.1"), "line 2", "not symmetric: a to c is 2.1"),
        (SQUARE.replace("b,0,1,5,4", "b,0.5,1,5,4"), "line 3", "'b' is 0.5 from itself"),
        (SQUARE.replace("c,4,2,6,0", "c,4,,6,0"), "line 4, column a", "is empty"),
        (SQUARE.replace("c,4,2,6,0", "c,4,nan,6,0"), "line 4, column a", "no finite number"),
        ("condition,x\na,1\nb,2\nc,3\n", "-", "no line for the conditions 'd'"),
        ("condition,x\na,1\nb,2\nc,3\na,4\nd,1\n", "line 5", "condition 'a' stands twice"),
        ("condition,x\na,1\nb,1\nc,1\nd,1\n", "-", "all conditions are equally far apart"),
        ("condition,x\na,1\nb,2,3\nc,1\nd,1\n", "line 3", "3 cells, where the header has 2"),
        ("condition,x,x\na,1,2\nb,2,3\n", "line 1", "column 'x' stands twice"),
        ("condition,x,\na,1,2\nb,2,3\n", "line 1", "column '' has no name"),
        ("condition,k,x\na,p,1\nb,,2\nc,q,3\nd,q,4\n", "line 3, column k", "is empty"),
        ("condition\na\nb\nc\nd\n", "line 1", "no column beside that of the conditions"),
        (
            "condition,feature,value\na,x,1\nb,x,2\nc,x,2\nd,x,3\na,y,1\n",
            "-",
            "no line for feature 'y' for the conditions 'b', 'c', 'd'",
        ),
        ("condition,x\n", "-", "it has 1 lines"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_line(tmp_path, text, place, found):
    with pytest.raises(ConfigError) as refused:
        models(tmp_path, text)
    parts = refused.value.parts()
    assert parts["code"] == "CF-K13"
    assert parts["file"] == "mine.csv"
    assert parts["place"] == place
    assert found in parts["found"]
    assert parts["fix"]


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="no table of text"):
        read_text_table(tmp_path / "x.csv", name="x.csv")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_text_table(tmp_path / "gone.csv", name="gone.csv")


def test_two_tables_of_one_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text(SQUARE)
    table = read_text_table(tmp_path / "t.csv", name="t.csv")
    with pytest.raises(ConfigError, match="another table has a model 'm'"):
        table_models({"one/m.csv": table, "two/m.csv": table}, CONDITIONS)
