"""Report parts survive their JSON files, which are valid and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.notes import Note
from pipeline.core.parts import (
    Bars,
    Check,
    Figure,
    Heatmap,
    Line,
    Lines,
    Network,
    Points,
    Section,
    Span,
    Table,
)
from pipeline.io.documents import read_document, read_plain, write_document, write_plain
from tests.support.records import assert_same

any_text = st.text(st.characters(exclude_categories=()), max_size=8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """Small facts of a stage."""

    file: str
    notes: tuple[Note, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    limits: tuple[float, float] | None = None
    values: NDArray[np.float64] | None = None
    free: object = None


def check() -> Check:
    return Check(
        name="Fit", status="warn", value="0.3", threshold="> 0.5", meaning="low", advice="µ"
    )


def section() -> Section:
    x = np.array([0.0, np.nan, np.inf])
    group = np.array([0, -1, 1])
    panels = (
        Heatmap(
            title="h",
            values=np.array([[1.0, np.nan]], dtype=np.float32),
            x_title="x",
            y_title="y",
            value_title="v",
            y_labels=("AVAL",),
            limits=(float("-inf"), 1.0),
            spans=(Span(start=0.0, stop=float("nan"), label="salt"),),
            breaks=(0.5,),
        ),
        Lines(title="l", x=x, lines=(Line(name="a", y=x, lower=x),), x_title="t", y_title="v"),
        Points(title="p", x=x, y=x, x_title="x", y_title="y", group=group, group_names=("a", "b")),
        Bars(title="b", labels=("one",), values=x[:1], x_title="", y_title="", reference=-0.0),
        Network(
            title="n",
            labels=("a", "b", "c"),
            x=x,
            y=x,
            group=group,
            edges=np.zeros((0, 2), dtype=np.int64),
            weights=np.zeros(0),
        ),
    )
    figure = Figure(id="f", title="t", finding="f", caption="c", alt="a", panels=panels, columns=2)
    table = Table(
        id="t",
        title="t",
        caption="c",
        columns={"type": (1, 2.0), "b": (None, "=x"), "a": (True, "")},
    )
    return Section(
        id="connectome",
        title="Connectome",
        status="ok",
        sentence="Two communities.",
        body=("Words.", figure, table, "More."),
        checks=(check(),),
        numbers={"rank": 3, "share": float("nan"), "list": [1, 2.5, None], "deep": {"a": True}},
        failure={"type": "fault", "parts": ("a", ["b"]), "place": {"type": 3}},
        citation="A. Author (2020)",
    )


def test_a_section_with_every_panel_comes_back_exactly(tmp_path: Path) -> None:
    write_document(tmp_path / "section.json", section())

    assert_same(read_document(tmp_path / "section.json", Section), section())


def test_checks_come_back_as_a_tuple(tmp_path: Path) -> None:
    write_document(tmp_path / "checks.json", (check(), replace(check(), name="Other")))

    found = read_document(tmp_path / "checks.json", tuple[Check, ...])

    assert found == (check(), replace(check(), name="Other"))


def test_no_checks_come_back_as_an_empty_tuple(tmp_path: Path) -> None:
    write_document(tmp_path / "checks.json", ())

    assert read_document(tmp_path / "checks.json", tuple[Check, ...]) == ()


def test_other_dataclasses_are_documents_too(tmp_path: Path) -> None:
    note = Note(code="IN-C04", kind="repair", place="/units", text="two\nlines")
    facts = Facts(file="a.nwb", notes=(note,), reasons={"no spikes": 2})
    write_document(tmp_path / "quality.json", facts)

    assert_same(read_document(tmp_path / "quality.json", Facts), facts)


def test_the_file_is_valid_json_without_words_for_numbers(tmp_path: Path) -> None:
    write_document(tmp_path / "section.json", section())

    def refuse(word: str) -> None:
        raise AssertionError(word)

    document = json.loads((tmp_path / "section.json").read_bytes(), parse_constant=refuse)

    assert document["format_version"] == 1
    assert document["value"]["type"] == "Section"
    image = document["value"]["body"][1]["panels"][0]["values"]
    assert image == {"type": "array", "dtype": "<f4", "shape": [1, 2], "base64": "AACAPwAAwH8="}


def test_the_same_value_gives_the_same_bytes_before_and_after_reading(tmp_path: Path) -> None:
    write_document(tmp_path / "a.json", section())
    write_document(tmp_path / "b.json", read_document(tmp_path / "a.json", Section))

    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_columns_of_a_table_keep_their_order(tmp_path: Path) -> None:
    write_document(tmp_path / "a.json", section())

    table = read_document(tmp_path / "a.json", Section).body[2]

    assert isinstance(table, Table)
    assert list(table.columns) == ["type", "b", "a"]


def test_numbers_of_numpy_become_plain_ones_and_big_endian_arrays_little(tmp_path: Path) -> None:
    values = np.array([1.5, 2.5], dtype=">f8")
    write_document(tmp_path / "a.json", Facts(file="", free=np.float32(0.5), values=values))

    found = read_document(tmp_path / "a.json", Facts)

    assert found.free == 0.5
    assert_same(found.values, values.astype("<f8"))


free_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(any_text | st.just("type"), inner, max_size=3)
    ),
    max_leaves=8,
)
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int32, np.uint8, np.bool_, np.complex128]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
) | st.lists(any_text, max_size=3).map(lambda items: np.array(items, dtype=np.str_))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(free=free_values, values=arrays, limits=st.none() | st.tuples(st.floats(), st.floats()))
def test_any_value_comes_back_exactly(
    tmp_path: Path, free: object, values: NDArray[np.generic], limits: tuple[float, float] | None
) -> None:
    facts = Facts(file="a", limits=limits, values=values, free=free)
    write_document(tmp_path / "facts.json", facts)

    found = read_document(tmp_path / "facts.json", Facts)

    if isinstance(free, float) and free != free:
        found, facts = replace(found, free=None), replace(facts, free=None)  # payload is not kept
    assert repr(found.free) == repr(facts.free)
    assert repr(found.limits) == repr(facts.limits)
    assert_same(found.values, values)


@pytest.mark.parametrize("value", [object(), {1: 2}, b"raw", np.array([object()])])
def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(
    tmp_path: Path, value: object
) -> None:
    path = tmp_path / "facts.json"
    write_document(path, Facts(file="old"))

    with pytest.raises(TypeError, match=r"cannot be written|Names must be text"):
        write_document(path, Facts(file="new", free=value))

    assert read_document(path, Facts).file == "old"


def test_another_type_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    write_document(tmp_path / "a.json", section())

    with pytest.raises(DataError, match=r"RN-R11.*holds a Section, expected Facts.*delete it"):
        read_document(tmp_path / "a.json", Facts)
    with pytest.raises(DataError, match=r"RN-R11"):
        read_document(tmp_path / "a.json", tuple[Check, ...])


def test_a_dataclass_with_other_fields_is_refused(tmp_path: Path) -> None:
    kind = type("Facts", (Note,), {})  # the name of one, the fields of another
    write_document(tmp_path / "a.json", kind(code="IN-C04", kind="info", place="", text=""))

    with pytest.raises(DataError, match=r"RN-R11.*Facts in it has other fields"):
        read_document(tmp_path / "a.json", Facts)


def test_what_was_written_before_a_field_with_a_default_came_to_be_is_read(tmp_path: Path) -> None:
    earlier = make_dataclass("Facts", [("file", str)])
    write_document(tmp_path / "a.json", earlier(file="a"))

    assert read_document(tmp_path / "a.json", Facts).notes == ()

    later = make_dataclass("Facts", [("file", str), ("colour", str)])
    write_document(tmp_path / "a.json", later(file="a", colour="red"))
    with pytest.raises(DataError, match=r"RN-R11.*Facts in it has other fields"):
        read_document(tmp_path / "a.json", Facts)


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_document(path, Facts(file="a"))
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))

    with pytest.raises(DataError, match=r"RN-R11.*format version 2, expected 1.*delete it"):
        read_document(path, Facts)


def test_a_changed_letter_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_document(path, Facts(file="abc"))
    path.write_text(path.read_text().replace('"abc"', '"abd"'))

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*digest does not match"):
        read_document(path, Facts)


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"{}", b"\xff\xfe"])
def test_what_is_no_document_is_damaged(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.json").write_bytes(raw)

    with pytest.raises(EnvironmentFault, match=r"RN-R10.*cannot be read"):
        read_document(tmp_path / "a.json", Facts)


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"RN-R27.*absent\.json"):
        read_document(tmp_path / "absent.json", Facts)


def test_plain_values_are_kept_with_their_digest(tmp_path):
    path = tmp_path / "report.json"
    content = {"b": [1, 2.5, None, "Zürich"], "a": {"x": True, "y": 0.1 + 0.2}}
    write_plain(path, content)
    assert json.loads(path.read_text())["b"] == content["b"]
    assert read_plain(path) == content
    assert list(read_plain(path)) == ["b", "a"]


def test_a_plain_document_that_was_edited_is_damaged(tmp_path):
    path = tmp_path / "report.json"
    write_plain(path, {"status": "ok"})
    path.write_text(path.read_text().replace("ok", "no"))
    with pytest.raises(EnvironmentFault, match="RN-R10"):
        read_plain(path)
    path.write_text("{")
    with pytest.raises(EnvironmentFault, match="RN-R10"):
        read_plain(path)
    path.write_text('{"status": "ok"}')
    with pytest.raises(DataError, match="RN-R11"):
        read_plain(path)
    path.unlink()
    with pytest.raises(EnvironmentFault, match="RN-R27"):
        read_plain(path)
