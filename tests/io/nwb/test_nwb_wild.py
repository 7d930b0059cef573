"""Files as other programs wrote them, against numbers that h5py takes from them directly."""

import dataclasses
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.io.nwb.inspect import SHEET_COLUMNS, describe, inspect_file
from pipeline.io.nwb.options import ReadOptions
from tests.support.nwb_factory import read, refusal_of, texts

WILD = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "nwb-in-the-wild"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not WILD.exists(), reason=f"no files of other programs in {WILD.resolve()}"),
]
SUITE2P = "pynapple_suite2p_2022_08_08.nwb"
INSCOPIX = "pynapple_inscopix-cnmfe_A0634-210127.nwb"
EXPLORER = "nwbexplorer_test_RoiResponseSeries.nwb"
PHY = "pynapple_phy_A8604-211122.nwb"
THALAMUS = "hdmfzarr_sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb"
READ = {SUITE2P, INSCOPIX, EXPLORER, PHY, THALAMUS}
REFUSED = {
    "bmtk_stim_12_pulses.nwb": ("IN-F10", ("iSee_0.1.0", "2.0 or later", "pynwb")),
    "neuroconv_mock_ttl_examples.nwb": ("IN-C01", ("TimeSeries",)),
    "nwbexplorer_test_timestamps_linking.nwb": ("IN-C01", ("TimeSeries",)),
    "osb_FergusonEtAl2015_PYR2.nwb": ("IN-C01", ("CurrentClampSeries",)),
    "osb_LantyerEtAl2018_170328_AB_277_ST50_C.nwb": ("IN-C01", ("VoltageClampSeries",)),
    "osb_LantyerEtAl2018_180817_ME_9_CC.nwb": ("IN-C01", ("CurrentClampSeries",)),
    "osb_datatypes.nwb": ("IN-C01", ("SpatialSeries", "ElectrodeGroup")),
    "pynwb_backcompat_1.1.2_nwbfile.nwb": ("IN-C01", ("no typed objects",)),
    "pynwb_backcompat_2.1.0_nwbfile_with_extension.nwb": ("IN-C01", ("TimeSeriesWithID",)),
}
REMARKS = {
    SUITE2P: {"IN-C09", "IN-C30", "IN-T01"},
    INSCOPIX: {"IN-C34", "IN-T01"},
    EXPLORER: {"IN-C34", "IN-T01"},
    PHY: {"IN-S16", "IN-T01"},
    THALAMUS: {"IN-S16", "IN-T02", "IN-T05", "IN-T09"},
}
"""All that is remarked on each file."""


@pytest.mark.parametrize("name", sorted(READ))
def test_the_proposed_sheet_line_reads_the_file(name):
    contents = inspect_file(WILD / name)
    assert contents.refusal is None
    line = describe(contents, experiment="lab", recording="day1").split("\n")[-1]
    entries = dict(zip(SHEET_COLUMNS, line.split("\t"), strict=True))
    options = dataclasses.asdict(ReadOptions.of_entries(entries))
    recording, _ = read(WILD / name, **options)
    assert recording.activity.n_units == recording_of(name)[0].activity.n_units


@cache
def recording_of(name):
    """Recording and notes, read without any help of the sheet."""
    return read(WILD / name)


def stored(name, place):
    """A dataset as h5py reads it."""
    with h5py.File(WILD / name) as file:
        return file[place][...]


def samples(activity):
    """All samples in memory, wherever they lie."""
    values = activity.values
    return values if isinstance(values, np.ndarray) else values.read(0, values.shape[0])


def test_every_file_here_has_its_test():
    assert {path.name for path in WILD.glob("*.nwb")} == READ | set(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_file_without_activity_is_refused_in_words(name):
    code, words = REFUSED[name]
    error = refusal_of(WILD / name)
    assert (error.code, error.exit_code) == (code, 3)
    told = f"{error.found} {error.fix}"
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("name", sorted(READ))
def test_what_is_remarked_is_what_is_odd_about_the_file(name):
    _, notes = recording_of(name)
    assert {note.code for note in notes} == REMARKS[name]
    worse = {note.code: note.kind for note in notes if note.kind != "info"}
    assert worse == {SUITE2P: {"IN-C09": "repair"}, THALAMUS: {"IN-T05": "warn"}}.get(name, {})


def test_suite2p_traces_stored_roi_by_time_are_turned():
    recording, notes = recording_of(SUITE2P)
    activity = recording.activity
    place = "/processing/ophys/Fluorescence/Fluorescence"
    assert recording.about.source_series == place
    assert activity.signal == "fluorescence"
    assert activity.value_unit == "lumens"
    as_stored = stored(SUITE2P, f"{place}/data")
    assert as_stored.shape == (219, 2000)
    np.testing.assert_array_equal(samples(activity), as_stored.T)
    assert "219 ROIs" in texts(notes, "repair")
    with h5py.File(WILD / SUITE2P) as file:
        rate = file[f"{place}/starting_time"].attrs["rate"]
    assert activity.rate_hz == pytest.approx(rate)
    assert activity.span_s == (0.0, pytest.approx(1999 / rate))
    assert set(recording.units["region"]) == {"V1"}
    assert dict(recording.stimuli) == {}


def test_suite2p_tells_which_rois_are_cells():
    flags = stored(SUITE2P, "/processing/ophys/ImageSegmentation/PlaneSegmentation/iscell")
    recording, notes = read(WILD / SUITE2P, accepted="iscell")
    np.testing.assert_array_equal(recording.units["good"], flags[:, 0] == 1)
    np.testing.assert_array_equal(recording.units["iscell_probability"], flags[:, 1])
    assert "accepts 20 of 219 units" in texts(notes, "info")
    assert recording_of(SUITE2P)[0].units["good"].all()


def test_suite2p_cells_lie_where_their_masks_do():
    units = recording_of(SUITE2P)[0].units
    table = "/processing/ophys/ImageSegmentation/PlaneSegmentation"
    pixels, ends = (stored(SUITE2P, f"{table}/pixel_mask{end}") for end in ("", "_index"))
    grid = stored(SUITE2P, "/general/optophysiology/ImagingPlane/grid_spacing")  # in microns
    for cell in (0, 1, 218):  # ends go past what the type of the index could count twice
        start = int(ends[cell - 1]) if cell else 0
        mask = pixels[start : int(ends[cell])]
        centre = [np.average(mask[axis], weights=mask["weight"]) for axis in ("x", "y")]
        placed = units.loc[cell, ["x_um", "y_um"]].tolist()
        np.testing.assert_allclose(placed, np.multiply(centre, grid))
    assert len(units) == 219
    assert list(units["unit_id"]) == [str(one) for one in stored(SUITE2P, f"{table}/id")]


def test_deconvolved_traces_are_another_kind_of_signal_and_neuropil_is_none():
    place = "/processing/ophys/Deconvolved/Deconvolved"
    recording, _ = read(WILD / SUITE2P, series=place)
    assert recording.activity.signal == "events"
    np.testing.assert_array_equal(samples(recording.activity), stored(SUITE2P, f"{place}/data").T)
    assert refusal_of(WILD / SUITE2P, series="/processing/ophys/Neuropil/Neuropil").code == "IN-C01"


def test_inscopix_traces_keep_their_own_timestamps():
    recording, notes = recording_of(INSCOPIX)
    activity = recording.activity
    place = "/processing/ophys/Fluorescence/RoiResponseSeries"
    assert activity.values.shape == (35743, 10)
    np.testing.assert_array_equal(activity.time, stored(INSCOPIX, f"{place}/timestamps"))
    as_stored = stored(INSCOPIX, f"{place}/data").astype(np.float32)
    np.testing.assert_array_equal(samples(activity), as_stored)
    assert activity.signal == "fluorescence"
    assert recording.about.nwb_identifier == "A0634-210127"
    assert (recording.about.subject, recording.about.species) == ("", "")
    assert set(recording.units["region"]) == {""}
    assert texts(notes, "warn") == ""


def test_a_series_of_one_axis_is_one_cell():
    recording, _ = recording_of(EXPLORER)
    assert samples(recording.activity).ravel().tolist() == list(map(float, range(10)))
    np.testing.assert_allclose(recording.activity.time, np.arange(10) / 10)
    assert list(recording.units["unit_id"]) == ["0"]
    assert list(recording.units["region"]) == ["somewhere in the brain"]
    assert recording.about.nwb_version == "2.0b"


def test_phy_units_and_tagged_epochs():
    recording, notes = recording_of(PHY)
    trains = recording.activity
    times, ends = (stored(PHY, f"/units/spike_times{end}") for end in ("", "_index"))
    assert trains.n_spikes.tolist() == [11020, 15710 - 11020, 21354 - 15710]
    np.testing.assert_array_equal(trains.times, times)
    np.testing.assert_array_equal(trains.starts[1:], ends)
    assert list(recording.units["unit_id"]) == ["6", "191", "206"]
    assert list(recording.units["region"]) == ["", "", ""]
    assert len(recording.trials) == 0
    assert recording.epochs[["start_s", "stop_s", "label"]].values.tolist() == [
        [0.0, 1087.5289, "wake"]
    ]
    assert "IN-S16" in {note.code for note in notes}
    assert texts(notes, "repair") == ""


def test_thalamic_units_and_trials_that_were_not_performed():
    recording, _ = recording_of(THALAMUS)
    ends = stored(THALAMUS, "/units/spike_times_index")
    assert recording.activity.starts[1:].tolist() == ends.tolist() == [12992, 16450, 19164, 34057]
    for row in (0, 3):
        own = stored(THALAMUS, "/units/spike_times")[slice(*recording.activity.starts[row:][:2])]
        np.testing.assert_array_equal(recording.activity.of_unit(row), np.sort(own))
    assert len(recording.trials) == 412
    np.testing.assert_array_equal(
        recording.trials["start_s"], stored(THALAMUS, "/intervals/trials/start_time")
    )
    assert recording.trials["cue_start_time"].isna()[:3].all()
    assert list(recording.trials["response"][:3]) == ["N/A"] * 3
    assert recording.trials["type"][0] == "non-performing"
    assert all("Thalamus" in region for region in recording.units["region"])
    assert list(recording.units["cell_type"]) == [
        "Cannot be determined",
        *["Narrow width spiking"] * 3,
    ]
