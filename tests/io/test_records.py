"""Records survive their files to the bit, and their files open elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pipeline.core.arrays import blocks
from pipeline.core.axes import axes, check_axes, ragged, table
from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording, SampledActivity, SpikeTrains
from pipeline.core.views import TraceEnsemble
from pipeline.io.records import (
    array_source,
    read_digest,
    read_record,
    record_type,
    write_record,
)
from tests.support.records import assert_same, calcium, provenance, spikes

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
any_text = st.text(st.characters(exclude_categories=()), max_size=8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inner:
    """A record inside another."""

    name: str
    weights: NDArray[np.float64] = axes("component", unit="Hz")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Everything:
    """Every kind of field that the codec knows."""

    time: NDArray[np.float64] = axes("time", unit="s")
    unit: NDArray[np.str_] = axes("unit")
    values: NDArray[np.float32] = axes("time", "unit", unit="dF/F")
    similarity: NDArray[np.float64] = axes("unit", "other_unit")
    flags: NDArray[np.bool_] | None = axes("time", optional=True)
    spikes: tuple[NDArray[np.float64], ...] = ragged("unit", "spike", unit="s")
    rows: pd.DataFrame = table("row", ("a",))
    count: int
    rate: float
    done: bool
    name: str
    status: Literal["ok", "warn"]
    note: str | None = None
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    limits: tuple[float, float] = (0.0, 1.0)
    mixed: tuple[str | None, ...] = ()
    pairs: tuple[tuple[int, float], ...] = ()
    inner: Inner
    either: Inner | SpikeTrains | None = None
    parts: tuple[Inner, ...] = ()
    arrays: Mapping[str, NDArray[np.int64]]
    tables: Mapping[str, pd.DataFrame]
    records: Mapping[str, Inner | SpikeTrains]
    scores: Mapping[str, float]
    settings: Mapping[str, object]

    def __post_init__(self) -> None:
        check_axes(self)


def everything() -> Everything:
    inner = Inner(name="ä", weights=np.array([1.0, np.inf]))
    no_columns = pd.DataFrame(index=pd.RangeIndex(4), columns=pd.Index([], dtype="str"))
    return Everything(
        time=np.array([0.0, 0.5, 1.0]),
        unit=np.array(["AVAL", "µ"]),
        values=np.arange(6, dtype=np.float32).reshape(3, 2),
        similarity=np.eye(2),
        spikes=(np.array([0.1, 0.2]), np.zeros(0)),
        rows=pd.DataFrame({"a": [1, 2], "row": ["x", "y"], "b/c": [True, False]}),
        count=-3,
        rate=float("nan"),
        done=True,
        name="zero \0 at the end \0",
        status="warn",
        names=("a\0", "", "神"),
        sizes=(1, 2**62),
        mixed=("a", None),
        pairs=((1, 2.5), (3, float("-inf"))),
        inner=inner,
        either=spikes().activity,
        parts=(inner, replace(inner, name="second")),
        arrays={"a": np.arange(3), "b/c": np.zeros((2, 0), dtype=np.int64)},
        tables={"t": pd.DataFrame({"x": [0.5]}), "none": no_columns},
        records={"one": inner, "two": spikes().activity},
        scores={"a": 1.0, "b": float("nan")},
        settings={"type": "x", "list": [1, (2, 3)], "deep": {"a": None, "b": [True]}},
    )


def written(folder: Path, record: object) -> Path:
    path = folder / "made" / "record.h5"
    write_record(path, record)
    return path


@pytest.mark.parametrize("recording", [calcium(), spikes()], ids=["calcium", "spikes"])
def test_a_recording_comes_back_to_the_bit(tmp_path: Path, recording: Recording) -> None:
    found = read_record(written(tmp_path, recording), Recording, Outcome)

    assert_same(found, recording)


def test_every_kind_of_field_comes_back(tmp_path: Path) -> None:
    found = read_record(written(tmp_path, everything()), Everything)

    assert_same(found, everything())
    assert found.flags is None


def test_empty_fields_keep_their_types(tmp_path: Path) -> None:
    empty = replace(
        everything(),
        unit=np.zeros(0, dtype=np.str_),
        values=np.zeros((3, 0), dtype=np.float32),
        similarity=np.zeros((0, 0)),
        spikes=(),
        parts=(),
        names=(),
        arrays={},
        flags=np.array([True, False, True]),
    )

    assert_same(read_record(written(tmp_path, empty), Everything), empty)


def test_an_outcome_in_place_of_a_recording_is_read_as_such(tmp_path: Path) -> None:
    outcome = Outcome(status="failed", reason="no units", failure={"code": "IN-S01"})

    path = written(tmp_path, outcome)

    assert_same(read_record(path, Recording, Outcome), outcome)
    assert record_type(path) == "Outcome"


def test_the_same_record_gives_the_same_bytes_later_and_after_reading(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{i}.h5" for i in range(3))

    write_record(first, calcium())
    time.sleep(1.1)  # HDF5 counts times in seconds
    write_record(second, calcium())
    write_record(third, read_record(first, Recording))

    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_the_digest_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    recording = calcium()
    path = written(tmp_path, recording)
    digest = read_digest(path)
    turned = replace(
        recording,
        stimuli=dict(reversed(recording.stimuli.items())),
        units=recording.units.set_index(np.arange(5) + 7),
    )
    values = np.array(recording.activity.values)
    values[3, 2] = np.nextafter(values[3, 2], np.float32(9))
    moved = replace(recording, activity=replace(recording.activity, values=values))

    assert read_digest(written(tmp_path, turned)) == digest
    assert read_digest(written(tmp_path, moved)) != digest


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"count": -4}, {"note": ""}, {"names": ("a\0", "神", "")}, {"done": False}],
)
def test_each_small_change_moves_the_digest(tmp_path: Path, change: dict[str, object]) -> None:
    before = read_digest(written(tmp_path, everything()))

    assert read_digest(written(tmp_path, replace(everything(), **change))) != before


def test_xarray_finds_named_axes_units_and_labels(tmp_path: Path) -> None:
    path = written(tmp_path, everything())

    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data["values"].dims == ("time", "unit")
        assert data["similarity"].dims == ("unit", "other_unit")
        assert data["unit"].to_numpy().tolist() == ["AVAL", "µ"]
        assert data["time"].attrs["units"] == "s"
        assert float(data["values"].sel(unit="µ", time=0.5)) == 3.0


def test_xarray_opens_groups_and_whole_trees_of_a_recording(tmp_path: Path) -> None:
    recording = calcium()
    path = written(tmp_path, recording)

    with xr.open_dataset(path, engine="h5netcdf", group="activity") as activity:
        assert activity["valid"].dims == ("time", "unit")
        assert activity["valid"].dtype == bool
        np.testing.assert_array_equal(activity["values"], recording.activity.values)
    with xr.open_dataset(path, engine="h5netcdf", group="units") as table_of_units:
        assert table_of_units["unit_id"].dims == ("unit",)
        assert table_of_units["unit_id"].to_numpy().tolist() == recording.units["unit_id"].tolist()
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        assert tree["stimuli/movie ä"]["values"].dims == ("time", "x", "y")
        assert tree["trials"].sizes["trial"] == 2


def test_the_root_names_type_version_digest_and_package(tmp_path: Path) -> None:
    path = written(tmp_path, spikes())

    digest = read_digest(path)
    with h5py.File(path) as file:
        assert dict(file.attrs) == {
            "record": b"Recording",
            "format_version": 1,
            "digest": digest.encode(),
            "package": b"neuroptych",
        }
        assert file["activity/times"].attrs["units"] == b"s"


def test_large_arrays_are_compressed_in_whole_rows_and_small_ones_are_not(tmp_path: Path) -> None:
    path = written(tmp_path, calcium(n_samples=20_000))

    with h5py.File(path) as file:
        values = file["activity/values"]
        assert (values.compression, values.compression_opts, values.shuffle) == ("gzip", 4, True)
        assert values.chunks[1] == 5
        assert file["stimuli/other/time"].chunks is None


def test_an_array_is_read_in_stretches_without_the_rest(tmp_path: Path) -> None:
    recording = calcium(n_samples=120_000)
    path = written(tmp_path, recording)

    with array_source(path, "activity/values") as source:
        assert (source.shape, source.dtype) == ((120_000, 5), np.float32)
        pieces = list(blocks(source, max_bytes=2**20))

    assert [start for start, _ in pieces] == [0, 52_428, 104_856]
    np.testing.assert_array_equal(
        np.concatenate([piece for _, piece in pieces]), recording.activity.values
    )


def test_big_endian_and_strided_arrays_keep_their_numbers(tmp_path: Path) -> None:
    values = np.arange(12, dtype=">f4").reshape(2, 6)[:, ::2]
    record = replace(everything(), values=np.asarray(values.T))

    found = read_record(written(tmp_path, record), Everything)

    assert_same(found.values, np.ascontiguousarray(values.T, dtype=np.float32))


@pytest.mark.parametrize("place", ["activity/nothing", "activity", "id"])
def test_a_place_without_an_array_is_refused(tmp_path: Path, place: str) -> None:
    path = written(tmp_path, calcium())

    with pytest.raises(DataError, match=f"RN-R11.*no array '{place}'"), array_source(path, place):
        pass


def test_another_type_is_refused_with_what_it_holds_and_what_was_expected(tmp_path: Path) -> None:
    path = written(tmp_path, calcium())

    with pytest.raises(
        DataError, match=r"RN-R11.*holds a Recording, expected Outcome or TraceEnsemble.*delete it"
    ):
        read_record(path, TraceEnsemble, Outcome)


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, calcium())
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        file.attrs["format_version"] = 99

    for read in (read_digest, record_type, lambda where: read_record(where, Recording)):
        with pytest.raises(DataError, match=r"RN-R11.*format version 99, expected 1.*delete it"):
            read(path)


def test_a_record_with_other_fields_is_refused_by_name(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Inner:
        name: str
        rank: int

    path = written(tmp_path, globals()["Inner"](name="a", weights=np.zeros(2)))
    with pytest.raises(DataError, match=r"RN-R11.*unknown fields weights"):
        read_record(path, Inner)

    @dataclass(frozen=True, kw_only=True, eq=False)
    class Wider:
        name: str
        weights: NDArray[np.float64] = axes("component")
        rank: int = 3

    Wider.__name__ = "Inner"
    with pytest.raises(DataError, match=r"RN-R11.*lacks the fields rank"):
        read_record(path, Wider)


def test_a_record_that_its_own_type_refuses_is_no_record_of_this_version(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class SampledActivity:
        values: NDArray[np.float32] = axes("time", "unit")
        valid: NDArray[np.bool_] = axes("time", "unit")
        time: NDArray[np.float64] = axes("time")
        value_unit: str = "x"
        signal: str = "smell"

    loose = SampledActivity(values=np.zeros((2, 1)), valid=np.zeros((2, 1)), time=np.arange(2.0))
    path = written(tmp_path, loose)

    with pytest.raises(DataError, match=r"RN-R11.*Unknown kind of signal 'smell'\. Fix"):
        read_record(path, globals()["SampledActivity"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_digest, lambda path: read_record(path, Recording)):
        with pytest.raises(EnvironmentFault, match=r"RN-R27.*absent\.h5.*missing"):
            read(tmp_path / "absent.h5")


def test_a_hdf5_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["values"] = [1, 2]

    with pytest.raises(DataError, match=r"RN-R11.*no file of this package"):
        read_record(path, Recording)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"a": object()}}, "Everything.settings.*object cannot be written"),
        ({"settings": {1: "a"}}, "Everything.settings.*Names must be text"),
        ({"rows": pd.DataFrame({"a": [{}, {}]})}, "column 'a'.*objects with dict"),
        ({"rows": pd.DataFrame({"a": [1, 2]}, dtype="category")}, "column 'a'.*category"),
        ({"rows": pd.DataFrame([[1, 2], [3, 4]], columns=["a", 1])}, "names of text"),
        ({"time": np.array(["2020", "2021", "2022"], dtype="M8[Y]")}, "Everything.time.*datetime"),
    ],
)
def test_what_files_cannot_hold_is_refused_before_writing(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        write_record(tmp_path / "record.h5", replace(everything(), **change))

    assert list(tmp_path.iterdir()) == []


def test_a_field_called_like_an_axis_that_is_not_its_labels_is_refused(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True, eq=False)
    class Confused:
        values: NDArray[np.float64] = axes("state")
        state: int = 3

    with pytest.raises(ValueError, match="'state' names an axis and something"):
        write_record(tmp_path / "record.h5", Confused(values=np.zeros(2)))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tables_with_thousands_of_columns_are_kept(tmp_path: Path) -> None:
    wide = pd.DataFrame(
        np.zeros((1, 3000)), columns=[f"a rather long name {i}" for i in range(3000)]
    )
    record = replace(everything(), tables={"wide": wide})

    assert_same(read_record(written(tmp_path, record), Everything).tables["wide"], wide)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Any table and any text."""

    rows: pd.DataFrame = table("row")
    note: str
    names: tuple[str, ...]
    by_name: Mapping[str, NDArray[np.int64]]


def without_halves(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


# Pandas keeps text in Arrow, which has no place for half a character.
whole_text = any_text.filter(without_halves)
columns = st.one_of(
    st.lists(st.one_of(st.none(), whole_text), min_size=3, max_size=3).map(
        lambda values: pd.Series(values, dtype="str")
    ),
    hnp.arrays(st.sampled_from([np.float64, np.float32, np.int16, np.uint64, np.bool_]), 3).map(
        pd.Series
    ),
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=3, max_size=3).map(
        lambda values: pd.Series(values, dtype="Int64")
    ),
)


@quick
@given(
    entries=st.dictionaries(whole_text, columns, max_size=4),
    note=any_text,
    names=st.lists(any_text, max_size=4),
    keys=st.sets(any_text, max_size=4),
)
def test_any_table_text_and_name_comes_back(
    tmp_path: Path, entries: dict[str, pd.Series], note: str, names: list[str], keys: set[str]
) -> None:
    record = Tables(
        rows=pd.DataFrame(entries, index=pd.RangeIndex(3), columns=pd.Index(entries, dtype="str")),
        note=note,
        names=tuple(names),
        by_name={key: np.array([index]) for index, key in enumerate(sorted(keys))},
    )

    assert_same(read_record(written(tmp_path, record), Tables), record)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ragged:
    """Any lists of arrays."""

    spikes: tuple[NDArray[np.float32], ...] = ragged("unit", "spike")
    frames: list[NDArray[np.int16]] = ragged("clip", "frame")


@quick
@given(
    spikes=st.lists(hnp.arrays(np.float32, st.integers(0, 4)), max_size=4),
    frames=st.lists(hnp.arrays(np.int16, st.tuples(st.integers(0, 3), st.just(2))), max_size=3),
)
def test_any_ragged_field_comes_back(
    tmp_path: Path, spikes: list[NDArray[np.float32]], frames: list[NDArray[np.int16]]
) -> None:
    record = Ragged(spikes=tuple(spikes), frames=frames)

    assert_same(read_record(written(tmp_path, record), Ragged), record)


def test_views_come_back_with_their_labels(tmp_path: Path) -> None:
    view = TraceEnsemble(
        recording="worm-1",
        time=np.arange(4) / 2,
        values=np.arange(8, dtype=np.float32).reshape(4, 2),
        valid=np.ones((4, 2), dtype=bool),
        unit=np.array(["a", "longer"]),
        identity=np.array(["AVAL", ""]),
        epochs=pd.DataFrame({"start_s": [0.0], "stop_s": [1.0], "label": ["salt"]}),
        left_out=pd.DataFrame({"what": ["units"], "count": [3], "reason": ["no identity"]}),
        rate_hz=2.0,
        signal="dff",
        value_unit="dF/F",
        provenance=provenance(),
    )

    assert_same(read_record(written(tmp_path, view), TraceEnsemble), view)


def test_sampled_activity_alone_is_a_record_too(tmp_path: Path) -> None:
    activity = calcium().activity

    assert_same(read_record(written(tmp_path, activity), SpikeTrains, SampledActivity), activity)
