import h5py
import numpy as np
import pytest

from tests.support.nwb_factory import (
    ROIS,
    add_units,
    edited,
    imaging_file,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
)
from tests.support.records import assert_same


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def test_columns_of_one_entry_a_row_are_kept_with_their_types(path):
    columns = {
        "depth": [100.0, 150.0, 200.0, 250.0],
        "plane": [0, 0, 1, 1],
        "tagged": [True, False, True, False],
        "comment": ["ä", "", "x y", "<b>"],
    }
    units = read(imaging_file(path, columns=columns))[0].units
    for name, entries in columns.items():
        assert units[name].tolist() == entries
    assert [units[name].dtype.kind for name in ("depth", "plane", "tagged")] == ["f", "i", "b"]
    assert units["comment"].dtype == "str"
    assert "pixel_mask" not in units


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)], ids=["row", "column"])
@pytest.mark.parametrize("make", [imaging_file, probe_file])
def test_vectors_may_be_stored_as_tables_of_one_row_or_column(path, make, shape):
    made = {} if make is probe_file else {"timestamps": np.arange(40) / 5.0}
    expected, _ = read(make(path, **made), condition=("grating",))
    with edited(path) as file:
        for top in {"units", "processing", "intervals"} & set(file):
            vectors = []
            file[top].visititems(lambda name, one, found=vectors: found.append((name, one)))
            for name, one in vectors:
                if isinstance(one, h5py.Dataset) and len(one.shape) == 1 and not one.dtype.names:
                    replace_values(file[top], name, one.astype(one.dtype)[...].reshape(shape))
    recording, _ = read(path, condition=("grating",))
    assert_same(recording, expected)


def test_all_units_are_good_at_first(path):
    units = read(imaging_file(path))[0].units
    assert units["good"].all()
    assert (units["reason"] == "").all()


def test_names_lose_their_doubt_marks_and_keep_the_doubt(path):
    imaging_file(path, columns={"neuron": ["AVAL", "AVAR?", " RIML ", "nan"]})
    units = read(path, identity="neuron")[0].units
    assert list(units["identity"]) == ["AVAL", "AVAR", "RIML", ""]
    assert list(units["identity_certain"]) == [True, False, True, False]
    assert list(units["neuron"]) == ["AVAL", "AVAR?", " RIML ", "nan"]


def test_a_name_that_stands_twice_is_certain_nowhere(path):
    imaging_file(path, columns={"neuron": ["URADL", "AVAR", "URADL", ""]})
    recording, notes = read(path, identity="neuron")
    assert list(recording.units["identity_certain"]) == [False, True, False, False]
    assert list(recording.units["identity"]) == ["URADL", "AVAR", "URADL#2", ""]
    assert "URADL" in texts(notes, "repair")
    assert "IN-C23" in texts(notes, "repair")


def test_duplicates_in_a_column_that_seems_to_name_neurons_are_told_though_it_is_not_used(path):
    imaging_file(path, columns={"neuron": ["URADL", "AVAR", "URADL", ""]})
    recording, notes = read(path)
    assert "IN-C23" in texts(notes, "warn")
    assert (recording.units["identity"] == "").all()
    assert list(recording.units["neuron"]) == ["URADL", "AVAR", "URADL", ""]
    imaging_file(path, columns={"cell_name": ["cell", "cell", "glia", "glia"]})
    assert "IN-C23" not in texts(read(path)[1], "warn")


def test_names_are_alike_whatever_the_blanks_around_and_the_ways_of_accents(path):
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    imaging_file(path, columns={"neuron": [composed, f" {apart} ", "nan", f"{composed}#2"]})
    units = read(path, identity="neuron")[0].units
    assert list(units["identity"]) == [composed, f"{composed}#3", "", f"{composed}#2"]
    assert list(units["identity_certain"]) == [False, False, False, True]


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("Accepted", [True, False, True, True]),
        ("is_cell", [1, 0, 1, 1]),
        ("iscell", [1.0, 0.0, 1.0, 1.0]),
        ("Rejected", [0, 1, 0, 0]),
        ("curated", ["yes", "No", "cell", "TRUE"]),
    ],
)
def test_units_are_accepted_by_the_column_that_the_sheet_names(path, name, entries):
    imaging_file(path, columns={name: entries})
    recording, notes = read(path, accepted=name)
    assert list(recording.units["good"]) == [True, False, True, True]
    assert list(recording.units["reason"]) == ["", f"not accepted in column '{name}'", "", ""]
    assert "accepts 3 of 4 units; the others are not used" in texts(notes, "info")


def test_accepted_units_are_only_counted_where_the_sheet_names_no_column(path):
    imaging_file(path, columns={"Accepted": [True, False, True, True]})
    recording, notes = read(path)
    assert recording.units["good"].all()
    assert "IN-C30" in texts(notes, "info")
    assert "accepts 3 of 4 units; all are used" in texts(notes, "info")


def test_a_flag_with_its_probability_is_read_as_two_columns(path):
    pairs = [[1.0, 0.9], [0.0, 0.2], [1.0, 0.8], [1.0, 0.7]]
    units = read(imaging_file(path, columns={"iscell": pairs}), accepted="iscell")[0].units
    assert list(units["good"]) == [True, False, True, True]
    assert list(units["iscell_probability"]) == [0.9, 0.2, 0.8, 0.7]


def test_a_column_that_says_neither_yes_nor_no_accepts_nobody(path):
    imaging_file(path, columns={"quality": [0.1, 0.7, 0.9, 1.0]})
    error = refusal_of(path, accepted="quality")
    assert (error.code, error.place) == ("IN-C30", f"{ROIS}/quality")
    assert "0.1, 0.7" in error.found
    assert refusal_of(path, accepted="iscell").code == "IN-T02"


def test_spike_sorted_units_are_accepted_alike(path):
    probe_file(path, columns={"accepted": [True, True, False]})
    assert list(read(path, accepted="accepted")[0].units["good"]) == [True, True, False]


def test_without_a_column_named_there_are_no_identities(path):
    units = read(imaging_file(path))[0].units
    assert (units["identity"] == "").all()
    assert not units["identity_certain"].any()


@pytest.mark.parametrize("option", ["identity", "region"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(path, option):
    error = refusal_of(imaging_file(path), **{option: "nucleus"})
    assert (error.code, error.place) == ("IN-T02", ROIS)
    assert "neuron" in error.found
    assert f"'{option}'" in error.fix


def test_the_region_of_rois_is_where_the_imaging_plane_lay(path):
    assert set(read(imaging_file(path))[0].units["region"]) == {"V1"}


def test_the_region_column_of_the_sheet_decides_over_all_others(path):
    columns = {"brain_area": ["V1", "V1", "LM", "LM"], "layer": ["2", "3", "2", "3"]}
    imaging_file(path, columns=columns)
    assert list(read(path)[0].units["region"]) == columns["brain_area"]
    assert list(read(path, region="layer")[0].units["region"]) == columns["layer"]


def test_numbers_as_regions_are_written_without_a_decimal_point(path):
    imaging_file(path, columns={"layer": [2.0, 3.0, 2.5, 2.0]})
    assert list(read(path, region="layer")[0].units["region"]) == ["2", "3", "2.5", "2"]


def test_a_column_called_like_one_of_ours_is_kept_under_another_name(path):
    columns = {"good": [0, 1, 1, 1], "brain_area": ["a"] * 4, "region": ["b"] * 4}
    units = read(imaging_file(path, columns=columns))[0].units
    assert units["good"].all()
    assert list(units["good_in_file"]) == [0, 1, 1, 1]
    assert set(units["region"]) == {"a"}
    assert set(units["region_in_file"]) == {"b"}


def test_regions_of_units_come_from_their_electrodes_when_no_column_tells(path):
    nwb = new_session()
    device = nwb.create_device(name="probe")
    group = nwb.create_electrode_group("shank", "One shank.", "hippocampus", device)
    for location in ("CA1", "CA1", "CA3"):
        nwb.add_electrode(location=location, group=group)
    for electrodes in ([0, 1], [2], [1, 2]):
        nwb.add_unit(spike_times=[1.0, 2.0], electrodes=electrodes)
    units = read(save(nwb, path))[0].units
    assert list(units["region"]) == ["CA1", "CA3", "CA1/CA3"]


def test_repeated_ids_are_made_unique_and_told(path):
    probe_file(path)
    with edited(path) as file:
        replace_values(file, "/units/id", np.array([4, 7, 4]))
    recording, notes = read(path)
    assert list(recording.units["unit_id"]) == ["4", "7", "4#2"]
    assert "uplicate" in texts(notes, "warn")
    assert "IN-S12" in texts(notes, "warn")


def test_text_that_is_not_utf8_is_refused_by_its_column(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{ROIS}/neuron", np.array(["zelle_ä".encode("latin-1")] * 4))
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-C26", f"{ROIS}/neuron")


def test_a_column_of_the_wrong_length_is_refused(path):
    imaging_file(path, columns={"depth": [1.0, 2.0, 3.0, 4.0]})
    with edited(path) as file:
        replace_values(file, f"{ROIS}/depth", np.arange(3.0))
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F13", f"{ROIS}/depth")


@pytest.mark.filterwarnings("ignore:EnumData is experimental")
def test_columns_of_a_fixed_vocabulary_are_read_as_words(path):
    from hdmf.common import EnumData

    nwb = new_session()
    add_units(nwb, columns={})
    nwb.units.add_column(
        name="kind",
        description="Kind of cell.",
        data=[0, 1, 0],
        col_cls=EnumData,
        enum=["pyramidal", "basket"],
    )
    assert list(read(save(nwb, path))[0].units["kind"]) == ["pyramidal", "basket", "pyramidal"]


def test_a_table_that_declares_no_columns_is_read_by_its_datasets(path):
    imaging_file(path)
    with edited(path) as file:
        file[ROIS].attrs["colnames"] = np.array([], dtype=h5py.string_dtype())
    assert list(read(path, identity="neuron")[0].units["identity"]) == ["AVAL", "AVAR", "RIML", ""]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (np.array(["a", "b", "c", "d"], dtype="S1"), "entries are |S1 of shape (4,)"),
        (np.zeros((4, 2), dtype=int), "entries are int64 of shape (4, 2)"),
        (np.array([0, 1, 2, 2**63], dtype=np.uint64), "not whole numbers, or too large ones"),
        (np.array([0.0, 1.0, 2.5, 3.0]), "not whole numbers"),
        (np.array([0.0, 1.0, np.nan, 3.0]), "not whole numbers"),
    ],
)
def test_ids_that_are_no_whole_numbers_are_refused(path, entries, words):
    with edited(imaging_file(path)) as file:
        replace_values(file, f"{ROIS}/id", entries)
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F13", f"{ROIS}/id")
    assert words in error.found


def test_whole_numbers_may_be_stored_as_any_type(path):
    with edited(imaging_file(path)) as file:
        replace_values(file, f"{ROIS}/id", np.array([7.0, 8.0, 9.0, 2.0**40], dtype=">f8"))
    assert list(read(path)[0].units["unit_id"]) == ["7", "8", "9", str(2**40)]


def test_a_column_of_numbers_too_large_for_a_sign_is_kept_as_fractions(path):
    with edited(imaging_file(path, columns={"mark": [1, 2, 3, 4]})) as file:
        replace_values(file, f"{ROIS}/mark", np.array([1, 2, 3, 2**64 - 1], dtype=np.uint64))
    assert read(path)[0].units["mark"].tolist() == [1.0, 2.0, 3.0, 2.0**64]


def test_ids_that_declare_more_than_they_store_are_refused_before_they_are_read(path):
    with edited(imaging_file(path)) as file:
        del file[f"{ROIS}/id"]
        file.create_dataset(f"{ROIS}/id", shape=(2**40,), dtype="i8", chunks=True)
    assert refusal_of(path).code == "IN-F20"
