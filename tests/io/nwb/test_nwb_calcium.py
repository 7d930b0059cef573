import h5py
import numpy as np
import pytest

from tests.support.nwb_factory import (
    DFF,
    N_CELLS,
    N_FRAMES,
    RATE_HZ,
    ROIS,
    add_units,
    edited,
    imaging_file,
    new_session,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
    transients,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def test_traces_are_read_as_they_are(path):
    recording, notes = read(imaging_file(path), condition=("grating",))
    activity = recording.activity
    np.testing.assert_array_equal(activity.values, transients().astype(np.float32))
    assert activity.valid.all()
    np.testing.assert_array_equal(activity.time, np.arange(N_FRAMES) / RATE_HZ)
    assert (activity.signal, activity.value_unit) == ("dff", "dF/F")
    assert recording.about.source_series == DFF
    assert [(note.code, note.kind) for note in notes] == [("IN-C34", "info")]


def test_facts_about_the_session_are_kept(path):
    about = read(imaging_file(path))[0].about
    assert (about.subject, about.species, about.sex, about.age) == (
        "mouse7",
        "Mus musculus",
        "F",
        "P90D",
    )
    assert (about.device, about.indicator) == ("Scope", "GCaMP6f")
    assert (about.session_id, about.session_start) == ("s7", "2024-05-06T12:00:00+00:00")


def test_timestamps_give_the_same_recording_as_the_rate(path):
    time = np.arange(N_FRAMES) / RATE_HZ
    recording, _ = read(imaging_file(path, timestamps=time))
    np.testing.assert_array_equal(recording.activity.time, time)


def test_timestamps_may_be_shared_by_a_link(path):
    time = np.cumsum(np.linspace(0.1, 0.3, N_FRAMES))
    imaging_file(path, series={"DfOverF": ["a"], "Fluorescence": ["b"]}, timestamps=time)
    with edited(path) as file:
        del file["/processing/ophys/DfOverF/a/timestamps"]
        file["/processing/ophys/DfOverF/a/timestamps"] = h5py.SoftLink(
            "/processing/ophys/Fluorescence/b/timestamps"
        )
    np.testing.assert_array_equal(read(path)[0].activity.time, time)


def test_conversion_and_offset_are_applied_in_double_precision(path):
    truth = transients()
    counts = np.round((truth - 0.5) / 1e-4).astype("i2")
    recording, notes = read(imaging_file(path, counts, conversion=1e-4, offset=0.5))
    expected = (counts.astype(np.float64) * 1e-4 + 0.5).astype(np.float32)
    np.testing.assert_array_equal(recording.activity.values, expected)
    assert np.abs(recording.activity.values - truth).max() < 6e-5
    assert "conversion 0.0001, offset 0.5" in texts(notes, "info")
    assert "IN-C17" in texts(notes, "info")


@pytest.mark.parametrize(
    ("name", "value"),
    [("conversion", np.nan), ("conversion", 0.0), ("conversion", -1.0), ("offset", np.inf)],
)
def test_an_unusable_conversion_or_offset_is_refused(path, name, value):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/data"].attrs[name] = value
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-C18", f"{DFF}/data@{name}")


def test_df_over_f_is_preferred_to_fluorescence(path):
    imaging_file(path, series={"Fluorescence": ["Raw", "Fluorescence"], "DfOverF": ["Ratio"]})
    assert read(path)[0].about.source_series == "/processing/ophys/DfOverF/Ratio"


def test_fluorescence_is_taken_where_there_is_no_df_over_f(path):
    imaging_file(path, series={"Fluorescence": ["RoiResponseSeries"]}, unit="a.u.")
    assert read(path)[0].activity.signal == "fluorescence"


def test_a_bare_series_in_acquisition_is_found(path):
    recording, _ = read(imaging_file(path, series={"acquisition": ["traces"]}, unit="a.u."))
    assert recording.about.source_series == "/acquisition/traces"
    assert recording.activity.signal == "fluorescence"


def test_neuropil_and_deconvolved_series_are_no_rivals(path):
    imaging_file(path, series={"Fluorescence": ["Traces", "Neuropil", "Deconvolved"]})
    assert read(path)[0].about.source_series.endswith("/Traces")


def test_inferred_events_are_read_only_when_named(path):
    imaging_file(path, series={"Fluorescence": ["Deconvolved"]})
    assert refusal_of(path).code == "IN-C01"
    assert read(path, series="Deconvolved")[0].activity.signal == "events"


def test_several_equal_series_are_refused_with_a_list_to_choose_from(path):
    imaging_file(path, series={"DfOverF": ["plane0", "plane1"]})
    error = refusal_of(path)
    assert error.code == "IN-C02"
    facts = "(40 x 4, 5 Hz, in DfOverF, Plane, GCaMP6f, green 510 nm)"
    assert f"(1) /processing/ophys/DfOverF/plane0 {facts}" in error.found
    assert f"(2) /processing/ophys/DfOverF/plane1 {facts}" in error.found
    assert "show the same ROIs" in error.found
    assert "'series' of the sheet" in error.fix
    assert "'python -m pipeline inspect FILE.nwb' prints the whole line" in error.fix


@pytest.mark.parametrize("name", ["plane1", "/processing/ophys/DfOverF/plane1"])
def test_the_sheet_chooses_among_series_by_name_or_path(path, name):
    imaging_file(path, series={"DfOverF": ["plane0", "plane1"]})
    assert read(path, series=name)[0].about.source_series.endswith("/plane1")


def test_a_name_that_two_series_have_is_refused(path):
    imaging_file(path, series={"DfOverF": ["plane0"], "Fluorescence": ["plane0"]})
    assert refusal_of(path, series="plane0").code == "IN-C02"


def test_a_named_series_that_is_not_there_is_refused_with_those_that_are(path):
    error = refusal_of(imaging_file(path), series="plane7")
    assert error.code == "IN-C01"
    assert DFF in error.found


def test_traces_stored_roi_by_time_are_turned(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", transients().T.copy())
    recording, notes = read(path)
    np.testing.assert_array_equal(recording.activity.values, transients().astype(np.float32))
    assert "transposed" in texts(notes, "repair")
    assert "IN-C09" in texts(notes, "repair")


def test_traces_are_not_turned_when_timestamps_contradict(path):
    imaging_file(path, timestamps=np.arange(N_FRAMES) / RATE_HZ)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", np.zeros((N_CELLS, N_FRAMES + 1)))
    assert refusal_of(path).code == "IN-C09"


def test_another_number_of_references_than_traces_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/rois", np.arange(3))
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-C21", f"{DFF}/rois")
    assert "40 x 4" in error.found
    assert "3" in error.found


def test_one_trace_with_many_references_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", transients()[:, 0])
    assert refusal_of(path).code == "IN-C21"


def test_timestamps_alone_do_not_turn_traces(path):
    imaging_file(path, timestamps=np.arange(N_FRAMES) / RATE_HZ)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", transients().T.copy())
        del file[f"{DFF}/rois"]
    error = refusal_of(path)
    assert error.code == "IN-C09"
    assert "no rois tell" in error.found


def test_a_square_table_is_read_as_the_format_says_with_a_warning(path):
    square = np.arange(16.0).reshape(4, 4)
    recording, notes = read(imaging_file(path, square, trials=()))
    np.testing.assert_array_equal(recording.activity.values, square)
    assert "orientation" in texts(notes, "warn")
    assert "IN-C10" in texts(notes, "warn")


def test_a_square_table_that_trials_contradict_is_refused(path):
    error = refusal_of(imaging_file(path, np.arange(16.0).reshape(4, 4)))
    assert error.code == "IN-C10"
    assert "orientation is ambiguous" in error.found
    assert "of the 4 trials lie inside" in error.found


def test_rois_beyond_the_table_are_refused(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/rois", np.array([0, 1, 2, 99]))
    error = refusal_of(path)
    assert error.code == "IN-C20"
    assert "99" in error.found


def test_rois_that_refer_to_no_table_of_cells_are_refused(path):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/rois"].attrs["table"] = file["/intervals/trials"].ref
    assert refusal_of(path).code == "IN-C22"


def test_rois_in_another_order_carry_their_own_rows(path):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/rois", np.array([2, 0, 3, 1]))
    units = read(path, identity="neuron")[0].units
    assert list(units["unit_id"]) == ["2", "0", "3", "1"]
    assert list(units["identity"]) == ["RIML", "AVAL", "", "AVAR"]


def test_a_series_without_a_table_numbers_its_units(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/rois"]
    recording, notes = read(path)
    assert list(recording.units["unit_id"]) == ["0", "1", "2", "3"]
    assert "no table" in texts(notes, "warn")
    assert "IN-C31" in texts(notes, "warn")


def test_more_traces_than_samples_without_a_table_are_told(path):
    imaging_file(path, trials=())
    with edited(path) as file:
        del file[f"{DFF}/rois"]
        replace_values(file, f"{DFF}/data", transients().T)
    recording, notes = read(path)
    assert recording.activity.values.shape == (4, 40)
    assert "IN-C10" in texts(notes, "warn")
    assert "4 samples of 40 ROIs" in texts(notes, "warn")


def test_trials_contradict_traces_without_a_table(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/rois"]
        replace_values(file, f"{DFF}/data", transients().T)
    assert refusal_of(path).code == "IN-C10"


def test_samples_that_are_no_numbers_are_marked_as_missing(path):
    samples = transients()
    samples[3, 1] = np.nan
    samples[5:8, 2] = np.inf
    recording, notes = read(imaging_file(path, samples))
    assert np.argwhere(~recording.activity.valid).tolist() == [[3, 1], [5, 2], [6, 2], [7, 2]]
    assert "4 of 160 samples in 2 of 4 units" in texts(notes, "repair")
    assert "IN-C04" in texts(notes, "repair")
    assert "1 NaN, 3 infinite" in texts(notes, "repair")


def test_samples_beyond_single_precision_are_marked_as_missing(path):
    samples = transients()
    samples[0, 0] = 1e300
    assert not read(imaging_file(path, samples))[0].activity.valid[0, 0]


def test_a_series_of_nothing_but_nan_is_refused(path):
    assert refusal_of(imaging_file(path, np.full((N_FRAMES, N_CELLS), np.nan))).code == "IN-C05"


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (1, 4)])
def test_a_series_without_enough_samples_is_refused(path, shape):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", np.zeros(shape))
    assert refusal_of(path).code == "IN-C05"


def test_a_series_without_data_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
    assert refusal_of(path).code == "IN-C05"


@pytest.mark.parametrize("values", [np.zeros((4, 4, 4)), np.zeros((40, 4), complex)])
def test_samples_that_are_no_numeric_table_are_refused(path, values):
    imaging_file(path)
    with edited(path) as file:
        replace_values(file, f"{DFF}/data", values)
    assert refusal_of(path).code == "IN-C28"


@pytest.mark.parametrize("dtype", [">f8", "f2", "u1", "<i8"])
def test_any_kind_of_number_is_read(path, dtype):
    samples = np.round(transients() * 20)
    imaging_file(path, samples.astype(dtype))
    np.testing.assert_array_equal(read(path)[0].activity.values, samples)


def test_timestamps_that_step_back_are_refused_with_the_step(path):
    time = np.arange(N_FRAMES) / RATE_HZ
    time[20:] -= 3.0
    error = refusal_of(imaging_file(path, timestamps=time))
    assert (error.code, error.place) == ("IN-C11", f"{DFF}/timestamps")
    assert "-2.8 s at index 20" in error.found


@pytest.mark.parametrize("values", [np.nan, np.inf])
def test_timestamps_that_are_no_numbers_are_refused(path, values):
    time = np.arange(N_FRAMES) / RATE_HZ
    time[7] = values
    error = refusal_of(imaging_file(path, timestamps=time))
    assert error.code == "IN-C13"
    assert "index 7" in error.found


def test_timestamps_that_are_text_are_refused(path):
    imaging_file(path, timestamps=np.arange(N_FRAMES) / RATE_HZ)
    with edited(path) as file:
        replace_values(file, f"{DFF}/timestamps", np.array([b"noon"] * N_FRAMES))
    assert refusal_of(path).code == "IN-C13"


def test_too_few_timestamps_are_refused_with_both_numbers(path):
    imaging_file(path, timestamps=np.arange(N_FRAMES) / RATE_HZ)
    with edited(path) as file:
        replace_values(file, f"{DFF}/timestamps", np.arange(N_FRAMES - 1) / RATE_HZ)
    error = refusal_of(path)
    assert error.code == "IN-C14"
    assert "39" in error.found
    assert "40" in error.found


@pytest.mark.parametrize("rate", [0.0, -5.0, np.nan])
def test_an_unusable_rate_is_refused(path, rate):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/starting_time"].attrs["rate"] = rate
    assert refusal_of(path).code == "IN-C16"


def test_a_start_so_late_that_samples_cannot_be_told_apart_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/starting_time"][()] = 1e18
    error = refusal_of(path)
    assert error.code == "IN-C16"
    assert "told apart" in error.found


def test_a_series_without_a_time_base_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/starting_time"]
    assert refusal_of(path).code == "IN-C16"


def test_a_starting_time_is_added(path):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/starting_time"][()] = 2.5
    assert read(path)[0].activity.time[0] == 2.5


def milliseconds(n_frames=N_FRAMES, rate_hz=RATE_HZ):
    return 1000 * np.arange(n_frames) / rate_hz


def test_times_in_milliseconds_are_refused_by_their_rate(path):
    error = refusal_of(imaging_file(path, timestamps=milliseconds()))
    assert (error.code, error.place) == ("IN-C15", f"{DFF}/timestamps")
    assert "0.005 Hz" in error.found
    assert "divided by 1000 they would give 5 Hz" in error.fix
    assert "prepare.limits.rate_hz" in error.fix


def test_times_in_milliseconds_at_a_believable_rate_are_refused_by_the_trials(path):
    trials = [(60 + 0.01 * i, 60.005 + 0.01 * i, {"grating": "left"}) for i in range(9)]
    time = 60_000 + milliseconds(rate_hz=400.0)  # 0.4 Hz, were they seconds
    error = refusal_of(imaging_file(path, timestamps=time, trials=trials))
    assert error.code == "IN-C15"
    assert "only 0 % of the 9 trials lie inside" in error.found
    assert "milliseconds" in error.found


def test_an_interval_in_place_of_the_rate_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/starting_time"].attrs["rate"] = 0.033
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-C15", f"{DFF}/starting_time@rate")
    assert "interval between frames, of 30.3 Hz" in error.fix


def test_settings_widen_the_believable_rates(path):
    imaging_file(path)
    with edited(path) as file:
        file[f"{DFF}/starting_time"].attrs["rate"] = 0.05
    assert refusal_of(path).code == "IN-C15"
    assert read(path, rate_hz=(0.01, 1000.0))[0].activity.rate_hz == pytest.approx(0.05)


def test_gaps_in_the_timestamps_are_counted_and_the_longest_is_placed(path):
    time = np.arange(N_FRAMES) / RATE_HZ
    time[10:] += 0.2
    time[30:] += 15.0
    recording, notes = read(imaging_file(path, timestamps=time))
    np.testing.assert_array_equal(recording.activity.time, time)
    told = texts(notes, "warn")
    assert "IN-C12" in told
    assert "2 gaps in the timestamps, 15.2 s in all" in told
    assert "the longest lasts 15.2 s, from 6 s on (index 29)" in told


def test_jitter_of_the_clock_is_no_gap(path):
    time = np.cumsum(np.linspace(0.17, 0.25, N_FRAMES))
    assert "IN-C12" not in texts(read(imaging_file(path, timestamps=time))[1], "warn")


def test_a_ratio_that_is_called_df_over_f_is_told(path):
    _, notes = read(imaging_file(path, 1.0 + 0.01 * transients()))
    assert "F over its mean" in texts(notes, "warn")
    assert "IN-C32" in texts(notes, "warn")


def test_a_size_that_would_fill_the_memory_is_refused_before_reading(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_dataset(f"{DFF}/data", shape=(2**31, N_CELLS), dtype="f4", chunks=(2**16, 4))
    assert refusal_of(path).code == "IN-F20"


def test_a_size_far_above_what_is_stored_is_refused(path):
    imaging_file(path)
    with edited(path) as file:
        del file[f"{DFF}/data"]
        file.create_dataset(f"{DFF}/data", shape=(2**27, N_CELLS), dtype="f4", chunks=(2**16, 4))
    error = refusal_of(path)
    assert error.code == "IN-F20"
    assert "GiB are declared, and " in error.found


def test_a_filter_nobody_has_is_refused_by_its_number(path):
    imaging_file(path)
    with edited(path) as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((N_FRAMES, N_CELLS))
        plan.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((N_FRAMES, N_CELLS))
        del file[f"{DFF}/data"]
        made = h5py.h5d.create(file[DFF].id, b"data", h5py.h5t.IEEE_F64LE, space, plan)
        made.write_direct_chunk((0, 0), b"\x01" * 100)
    error = refusal_of(path)
    assert error.code == "IN-F22"
    assert "32099" in error.found


def test_both_kinds_of_activity_give_traces_unless_the_sheet_says_spikes(path):
    from pynwb import NWBHDF5IO

    imaging_file(path)
    with NWBHDF5IO(str(path), "a") as io:
        nwb = io.read()
        add_units(nwb)
        io.write(nwb)
    recording, notes = read(path)
    assert recording.kind == "calcium"
    assert "units" in texts(notes, "info")
    assert "IN-C33" in texts(notes, "info")
    assert read(path, activity="spikes")[0].kind == "spikes"


def test_asking_for_traces_of_a_file_without_them_is_refused(path):
    nwb = new_session()
    add_units(nwb)
    error = refusal_of(save(nwb, path), activity="calcium")
    assert error.code == "IN-C01"
    assert "Units" in error.found


def test_positions_come_from_masks_in_pixels(path):
    units = read(imaging_file(path))[0].units
    assert list(units["x"]) == [10.0] * 4
    assert list(units["y"]) == [0.0, 1.0, 2.0, 3.0]


def test_positions_in_columns_said_to_be_micrometres_are_named_so(path):
    imaging_file(path, columns={"x": [1.0, 2.0, 3.0, 4.0], "y": [5.0, 6.0, 7.0, 8.0]})
    with edited(path) as file:
        file[f"{ROIS}/x"].attrs["description"] = "Position in um."
    units = read(path)[0].units
    assert list(units["x_um"]) == [1.0, 2.0, 3.0, 4.0]
    assert list(units["y"]) == [5.0, 6.0, 7.0, 8.0]


@pytest.mark.parametrize(
    ("name", "description", "places"),
    [
        ("position", "Position x/y in microns.", {"x_um": 0, "y_um": 1}),
        ("centroid", "Centre (x, y) in um.", {"x_um": 0, "y_um": 1}),
        ("roi_center", "z, y, x of the centre in micrometers.", {"x_um": 2, "y_um": 1, "z_um": 0}),
        ("centroid_xy", "In pixels.", {"x": 0, "y": 1}),
    ],
)
def test_positions_are_read_from_a_column_that_tells_axes_and_unit(path, name, description, places):
    told = np.arange(4.0)[:, None] + 10.0 * np.arange(len(places))
    imaging_file(path, columns={name: told.tolist()})
    with edited(path) as file:
        file[f"{ROIS}/{name}"].attrs["description"] = description
    recording, notes = read(path)
    for axis, column in places.items():
        assert list(recording.units[axis]) == list(told[:, column])
    assert "IN-C36" not in texts(notes, "info")
    assert (f"those of column '{name}', in pixels" in texts(notes, "info")) == ("x" in places)


@pytest.mark.parametrize("description", ["Centre.", "Centre in um.", "x, y.", "x, y, z in um."])
def test_columns_that_tell_too_little_to_be_positions_are_named(path, description):
    imaging_file(path, columns={"centroid": [[1.0, 2.0]] * 4, "depth": [3.0] * 4})
    with edited(path) as file:
        file[f"{ROIS}/centroid"].attrs["description"] = description
    recording, notes = read(path)
    assert list(recording.units["x"]) == [10.0] * 4, "the masks tell"
    assert "were not used: centroid. Positions" in texts(notes, "info")
