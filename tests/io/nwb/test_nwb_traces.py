"""Kinds of signal by the names that labs and programs give."""

import numpy as np
import pytest

from pipeline.io.nwb.traces import signal_of
from tests.support.nwb_factory import edited, imaging_file, new_session, read, refusal_of, save


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


@pytest.mark.parametrize(
    ("where", "container", "unit", "kind"),
    [
        ("ophys/DfOverF/RoiResponseSeries", "DfOverF", "n.a.", "dff"),
        ("ophys/DfOverF/Traces1", "DfOverF", "", "dff"),
        ("ophys/Fluorescence/dff", "Fluorescence", "a.u.", "dff"),
        ("ophys/Fluorescence/DeltaFOverF", "Fluorescence", "a.u.", "dff"),
        ("ophys/Fluorescence/df_f0", "Fluorescence", "a.u.", "dff"),
        ("ophys/dF-F", "", "a.u.", "dff"),
        ("ophys/ΔF_F", "", "a.u.", "dff"),
        ("brain_observatory/traces", "", "dF/F", "dff"),
        ("ophys/Fluorescence/RoiResponseSeries", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/Denoised", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/diff_stim", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/neuropil_corrected", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/FMinusNeuropil", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/BackgroundSubtracted", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/Deconvolved", "Fluorescence", "lumens", "events"),
        ("ophys/Deconvolved/RoiResponseSeries", "Fluorescence", "lumens", "events"),
        ("ophys/spks", "", "a.u.", "events"),
        ("ophys/event_amplitude", "", "a.u.", "events"),
        ("ophys/Fluorescence/Neuropil", "Fluorescence", "lumens", "background"),
        ("ophys/Neuropil/RoiResponseSeries", "Fluorescence", "lumens", "background"),
        ("neuropil/Fluorescence/RoiResponseSeries", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/F_neu", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/FNeuChan2", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/neuropilDff", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/background", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/roi_bg", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/F0", "Fluorescence", "lumens", "baseline"),
        ("ophys/Fluorescence/Baseline", "Fluorescence", "lumens", "baseline"),
        ("ophys/Fluorescence/F_baseline", "Fluorescence", "lumens", "baseline"),
        ("ophys/Fluorescence/SurroundRing", "Fluorescence", "lumens", "background"),
        ("ophys/DfOverF/surround", "DfOverF", "n.a.", "background"),
        ("ophys/DfOverF/annulus_dff", "DfOverF", "n.a.", "background"),
        ("ophys/DfOverF/DFF_np", "DfOverF", "n.a.", "background"),
        ("ophys/Fluorescence/F_contamination", "Fluorescence", "lumens", "background"),
        ("ophys/Fluorescence/F_np_corrected", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/np", "Fluorescence", "lumens", "background"),
        ("ophys/DfOverF/baseline_period", "DfOverF", "n.a.", "dff"),
        ("ophys/Fluorescence/baseline_corrected_dff", "Fluorescence", "lumens", "dff"),
        ("ophys/Fluorescence/BaselineSubtracted", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/F_over_baseline", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/SurroundSubtracted", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/center_surround", "Fluorescence", "lumens", "fluorescence"),
        ("ophys/Fluorescence/surrounding_cells", "Fluorescence", "lumens", "fluorescence"),
    ],
)
def test_names_containers_and_units_tell_the_kind(where, container, unit, kind):
    assert signal_of(f"/processing/{where}", container=container, unit=unit) == kind


def test_numbered_planes_are_no_baseline(path):
    imaging_file(path, series={"Fluorescence": ["F0", "F1"]}, unit="a.u.")
    error = refusal_of(path)
    assert error.code == "IN-C02"
    assert "Fluorescence/F0" in error.found
    imaging_file(path, series={"Fluorescence": ["F0", "F"]}, unit="a.u.")
    assert read(path)[0].about.source_series == "/processing/ophys/Fluorescence/F"


def test_a_container_counts_more_than_a_unit(path):
    imaging_file(path, series={"DfOverF": ["a"], "Fluorescence": ["b"]}, unit="dF/F")
    assert read(path)[0].about.source_series == "/processing/ophys/DfOverF/a"


def test_traces_of_background_regions_are_no_candidates(path):
    imaging_file(path, series={"Fluorescence": ["C", "T"]}, unit="a.u.")
    with edited(path) as file:
        table = "/processing/ophys/ImageSegmentation/PlaneSegmentation"
        file.copy(table, "/processing/ophys/ImageSegmentation/BackgroundSegmentation")
        other = file["/processing/ophys/ImageSegmentation/BackgroundSegmentation"]
        file["/processing/ophys/Fluorescence/T/rois"].attrs["table"] = other.ref
    assert read(path)[0].about.source_series == "/processing/ophys/Fluorescence/C"


def test_neuropil_is_refused_even_when_it_is_named(path):
    imaging_file(path, series={"Fluorescence": ["F", "Fneu"]}, unit="a.u.")
    error = refusal_of(path, series="Fneu")
    assert error.code == "IN-C01"
    assert "neuropil" in error.found


def test_a_file_of_nothing_but_neuropil_says_so(path):
    imaging_file(path, series={"Fluorescence": ["Neuropil"]}, unit="a.u.")
    error = refusal_of(path)
    assert error.code == "IN-C01"
    assert "only neuropil or background: (1) /processing/ophys/Fluorescence/Neuropil" in error.found


def test_a_series_of_a_baseline_period_is_read_where_the_sheet_names_it(path):
    imaging_file(path, series={"Fluorescence": ["baseline_epoch"]}, unit="a.u.")
    error = refusal_of(path)
    assert error.code == "IN-C01"
    assert "/processing/ophys/Fluorescence/baseline_epoch" in error.fix
    recording, _ = read(path, series="baseline_epoch")
    assert recording.about.source_series == "/processing/ophys/Fluorescence/baseline_epoch"
    assert recording.activity.signal == "fluorescence"


def test_traces_in_any_module_are_found(path):
    imaging_file(path)
    with edited(path) as file:
        file["/processing"].move("ophys", "suite2p_2024")
    assert read(path)[0].about.source_series == (
        "/processing/suite2p_2024/DfOverF/RoiResponseSeries"
    )


def test_a_file_of_plain_series_names_those_that_could_be_traces(path):
    from pynwb import TimeSeries

    nwb = new_session()
    for name, data in (("traces", np.eye(40, 4)), ("lever", np.arange(40.0))):
        nwb.add_acquisition(TimeSeries(name=name, data=data, rate=5.0, unit="a.u."))
    error = refusal_of(save(nwb, path))
    assert error.code == "IN-C01"
    assert "if they are traces, the series /acquisition/traces in column 'series'" in error.fix
    assert read(path, series="/acquisition/traces")[0].activity.n_units == 4


def test_a_plain_series_is_read_when_its_path_is_named(path):
    imaging_file(path)
    where = "/processing/ophys/DfOverF/RoiResponseSeries"
    with edited(path) as file:
        file[where].attrs["neurodata_type"] = "TimeSeries"
        del file[f"{where}/rois"]
    assert refusal_of(path).code == "IN-C01"
    recording, _ = read(path, series=where)
    assert recording.activity.values.shape == (40, 4)
    assert list(recording.units["unit_id"]) == ["0", "1", "2", "3"]
    assert np.isfinite(recording.activity.values).all()
