import numpy as np
import pytest

from pipeline.io.nwb.labels import is_blank, oddities, told_region, with_counts
from pipeline.io.nwb.tables import as_label
from tests.support.nwb_factory import new_session, probe_file, read, save, texts


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


@pytest.mark.parametrize("label", ["", "  ", "nan", "NaN", "N/A", "none", "unknown", "?"])
def test_what_says_nothing_is_blank(label):
    assert is_blank(label)


def test_sound_labels_are_not_odd():
    assert oddities(["V1", "LM", "CA1", "CA3", "V1 (deep)"]) == ""
    assert oddities(["", "", " "]) == ""  # nobody labelled anything
    assert oddities([]) == ""


def test_blanks_among_labels_and_other_spellings_are_odd():
    odd = oddities(["V1", "v1", "LM", "LM ", "unknown", "A-L", "A L", "", "1.0", "1"])
    assert "2 of 10 are blank or unknown" in odd
    assert "'V1' and 'v1'" in odd
    assert "'LM' and 'LM '" in odd
    assert "'A L' and 'A-L'" in odd
    assert "'1' and '1.0'" in odd


def test_signs_of_numbers_are_no_fillers():
    assert oddities(["-1", "1", "-0.5", "0.5"]) == ""


def test_labels_are_listed_with_their_counts():
    assert with_counts(["b", "a", "b"]) == "'a' 1, 'b' 2"
    assert with_counts([str(number) for number in range(30)]).endswith("... (30 labels)")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("brain_region: Thalamus; brain_subregion: N/A; hemisphere: left", "Thalamus"),
        ("hemisphere: left; brain region: CA1", "CA1"),
        ("region=V1, depth=3", "V1"),
        ("brain_region: N/A; hemisphere: left", ""),
        ("CA1", "CA1"),
        ("somewhere in the brain", "somewhere in the brain"),
        ("unknown", "unknown"),
    ],
)
def test_a_region_is_found_in_what_a_text_says(text, region):
    assert told_region(text) == region


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.1, "0.1"),
        (0.1000000001, "0.1"),
        (float(np.float32(0.1)), "0.1"),
        (np.float32(0.7), "0.7"),
        (0.1 + 0.2, "0.3"),
        (90.0, "90"),
        (-22.5, "-22.5"),
        (1234567.25, "1234567"),
        (123456789.5, "123456789.5"),
        (-0.0, "0"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_make_stable_labels(value, label):
    assert as_label(value) == label


def test_regions_written_differently_are_told_and_stay_apart(path):
    recording, notes = read(probe_file(path, columns={"location": ["V1", "v1", ""]}))
    assert list(recording.units["region"]) == ["V1", "v1", ""]
    warned = texts(notes, "warn")
    assert "IN-S13" in warned
    assert "'' 1, 'V1' 1, 'v1' 1" in warned


def test_blanks_around_a_region_are_taken_away_and_told(path):
    recording, notes = read(probe_file(path, columns={"location": ["LM", "LM ", "AL"]}))
    assert list(recording.units["region"]) == ["LM", "LM", "AL"]
    assert "'LM' and 'LM '" in texts(notes, "warn")


def test_regions_described_in_words_are_taken_out(path):
    words = [f"brain_region: {name}; hemisphere: left" for name in ("CA1", "CA1", "CA3")]
    recording, notes = read(probe_file(path, columns={"region": words}))
    assert list(recording.units["region"]) == ["CA1", "CA1", "CA3"]
    assert list(recording.units["region_in_file"]) == words
    assert "IN-S17" in texts(notes, "info")
    assert "'CA1' 2, 'CA3' 1" in texts(notes, "info")


def electrodes(path, *, locations, group_location="unknown", description="One shank."):
    nwb = new_session()
    device = nwb.create_device(name="probe")
    group = nwb.create_electrode_group("shank", description, group_location, device)
    for location in locations:
        nwb.add_electrode(location=location, group=group)
    for first in range(len(locations) - 1):
        nwb.add_unit(spike_times=[1.0, 2.0], electrodes=[first, first + 1])
    return save(nwb, path)


def test_electrodes_describe_regions_in_words_too(path):
    words = ["brain_region: Thalamus; brain_subregion: VM", "brain_region: Thalamus", "Cortex"]
    units = read(electrodes(path, locations=words))[0].units
    assert list(units["region"]) == ["Thalamus", "Cortex/Thalamus"]


def test_electrodes_without_a_place_take_that_of_their_group(path):
    units = read(electrodes(path, locations=["unknown", "N/A", "CA1"], group_location="CA3"))[
        0
    ].units
    assert list(units["region"]) == ["CA3", "CA1/CA3"]


def test_the_description_of_a_group_may_name_the_region(path):
    description = "Silicon probe; brain_region: Subiculum; shanks: 1"
    units = read(electrodes(path, locations=["none", "N/A"], description=description))[0].units
    assert list(units["region"]) == ["Subiculum"]


def test_nothing_is_made_up_where_nobody_knew(path):
    units = read(electrodes(path, locations=["none", "unknown"]))[0].units
    assert list(units["region"]) == [""]


def test_units_without_electrodes_take_the_place_of_their_group(path):
    nwb = new_session()
    device = nwb.create_device(name="probe")
    for name, place in (("a", "CA1"), ("b", "CA3")):
        group = nwb.create_electrode_group(name, "Tetrode.", place, device)
        nwb.add_unit(spike_times=[1.0, 2.0], electrode_group=group)
    assert list(read(save(nwb, path))[0].units["region"]) == ["CA1", "CA3"]
