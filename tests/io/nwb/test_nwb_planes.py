"""Planes of one volume read as one population, and what is no plane refused."""

import numpy as np
import pytest

from pipeline.io.nwb.inspect import describe, inspect_file
from tests.support.nwb_factory import new_session, read, refusal_of, save, texts

N_FRAMES, RATE_HZ = 50, 10.0
UPPER, LOWER = "/processing/ophys/Fluorescence/upper", "/processing/ophys/Fluorescence/lower"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "volume.nwb"


def samples(plane, n_cells=3, n_frames=N_FRAMES):
    """Traces that tell plane and cell: hundreds and tens."""
    time = np.arange(n_frames)[:, None]
    return 100.0 * (plane + 1) + 10.0 * np.arange(n_cells) + np.sin(time / 3.0)


def volume(path, *, planes=None, grid=None):
    """A file with one series a plane; each entry changes what a plane is by default."""
    from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries

    nwb = new_session()
    device = nwb.create_device(name="Scope")
    module = nwb.create_processing_module("ophys", "Imaging.")
    segmentation, box = ImageSegmentation(), Fluorescence()
    module.add(segmentation)
    module.add(box)
    for number, changes in enumerate(planes or ({}, {})):
        told = {
            "name": ("upper", "lower", "deep")[number],
            "data": samples(number),
            "unit": "a.u.",
            "channel": "green",
            "emission": 510.0,
            "indicator": "GCaMP6f",
            "rate": RATE_HZ,
            "start": 0.02 * number,
            "timestamps": None,
            **changes,
        }
        plane = nwb.create_imaging_plane(
            name=f"Plane{number}",
            description="A plane.",
            device=device,
            optical_channel=OpticalChannel(
                name=told["channel"], description=".", emission_lambda=told["emission"]
            ),
            excitation_lambda=920.0,
            indicator=told["indicator"],
            location=f"V{number + 1}",
            **({} if grid is None else {"grid_spacing": grid, "grid_spacing_unit": "meters"}),
        )
        table = segmentation.create_plane_segmentation(
            name=f"Cells{number}", description="Cells.", imaging_plane=plane
        )
        for cell in range(told["data"].shape[1]):
            image = np.zeros((10, 6))
            image[2 + cell, 3] = image[4 + cell, 3] = 0.5
            table.add_roi(image_mask=image)
        clock = {"rate": told["rate"], "starting_time": told["start"]}
        if told["timestamps"] is not None:
            clock = {"timestamps": told["timestamps"]}
        box.add_roi_response_series(
            RoiResponseSeries(
                name=told["name"],
                data=told["data"],
                unit=told["unit"],
                rois=table.create_roi_table_region(
                    region=list(range(told["data"].shape[1])), description="All."
                ),
                **clock,
            )
        )
    return save(nwb, path)


def test_two_planes_are_refused_with_the_entry_that_reads_both(path):
    error = refusal_of(volume(path))
    assert error.code == "IN-C02"
    assert f"{LOWER}+{UPPER}" in error.fix
    assert "Plane1, GCaMP6f, green 510 nm" in error.found


def test_planes_that_are_joined_are_one_population(path):
    recording, notes = read(volume(path), series=f"{UPPER}+{LOWER}")
    activity, units = recording.activity, recording.units
    expected = np.hstack([samples(0), samples(1)]).astype(np.float32)
    np.testing.assert_array_equal(activity.values, expected)
    assert activity.valid.all()
    np.testing.assert_allclose(activity.time, np.arange(N_FRAMES) / RATE_HZ)
    assert list(units["unit_id"]) == [
        *(f"upper:{cell}" for cell in range(3)),
        *(f"lower:{cell}" for cell in range(3)),
    ]
    assert list(units["plane"]) == ["Plane0"] * 3 + ["Plane1"] * 3
    assert list(units["region"]) == ["V1"] * 3 + ["V2"] * 3
    np.testing.assert_allclose(units["time_offset_s"], [0.0] * 3 + [0.02] * 3, atol=1e-12)
    assert recording.about.source_series == f"{UPPER}+{LOWER}"
    (note,) = [note for note in notes if note.code == "IN-C35"]
    assert note.text == (
        "2 planes are read as one population, with the times of the first: "
        "upper (3 units, +0 s), lower (3 units, +0.02 s)."
    )


def test_a_name_is_enough_and_three_planes_join_alike(path):
    volume(path, planes=({}, {"data": samples(1, 5)}, {"data": samples(2, 2)}))
    recording, _ = read(path, series="upper + lower + deep")
    assert recording.activity.values.shape == (N_FRAMES, 10)
    assert recording.units["plane"].value_counts().to_dict() == {
        "Plane0": 3,
        "Plane1": 5,
        "Plane2": 2,
    }


def test_one_plane_of_several_can_be_read_alone(path):
    recording, _ = read(volume(path), series="lower")
    assert list(recording.units["plane"]) == ["Plane1"] * 3
    assert list(recording.units["unit_id"]) == ["0", "1", "2"]


def test_a_volume_that_was_stopped_half_way_loses_its_last_frame(path):
    volume(path, planes=({}, {"data": samples(1, n_frames=N_FRAMES - 1)}))
    recording, notes = read(path, series="upper+lower")
    assert recording.activity.values.shape == (N_FRAMES - 1, 6)
    assert f"the first {N_FRAMES - 1} are used" in texts(notes, "info")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "lower_dff"}, "different signals"),
        ({"unit": "lumens"}, "different units"),
        ({"channel": "red", "emission": 610.0}, "different optical channels"),
        ({"indicator": "tdTomato"}, "different optical channels or indicators"),
        ({"rate": 12.0}, "rates differ"),
        ({"data": samples(1, n_frames=N_FRAMES - 2)}, "numbers of frames differ"),
        ({"start": 0.1}, "not within one frame"),
        ({"timestamps": np.arange(N_FRAMES) * 0.1 + np.linspace(0, 0.3, N_FRAMES)}, "rates differ"),
    ],
)
def test_what_is_no_plane_of_the_same_population_is_refused(path, change, reason):
    volume(path, planes=({}, change))
    error = refusal_of(path, series=f"upper+{change.get('name', 'lower')}")
    assert error.code == "IN-C35"
    assert reason in error.found


def test_a_series_cannot_be_joined_with_itself(path):
    assert refusal_of(volume(path), series="upper+upper").code == "IN-C35"


def test_a_plane_that_is_not_there_is_refused_with_those_that_are(path):
    error = refusal_of(volume(path), series="upper+middle")
    assert error.code == "IN-C01"
    assert "'middle'" in error.found
    assert UPPER in error.found


def test_red_structure_is_no_rival_that_is_chosen_by_chance(path):
    volume(path, planes=({}, {"channel": "red", "emission": 610.0, "indicator": "tdTomato"}))
    error = refusal_of(path)
    assert error.code == "IN-C02"
    assert "tdTomato, red 610 nm" in error.found
    assert "different optical channels" in error.found
    assert "+" not in error.fix


def test_inspect_offers_the_entry_that_joins_or_says_why_not(path):
    words = describe(inspect_file(volume(path)), experiment="e", recording="r")
    assert f"  {LOWER}+{UPPER}\n" in words
    volume(path, planes=({}, {"channel": "red"}))
    words = describe(inspect_file(path), experiment="e", recording="r")
    assert "no planes of one population: they show different optical channels" in words
    times = np.arange(len(samples(0))) / RATE_HZ
    volume(path, planes=({"timestamps": times}, {"timestamps": times + 3.0}))
    words = describe(inspect_file(path), experiment="e", recording="r")
    assert "no planes of one population: upper is sampled -3 s after lower" in words


def test_centroids_of_images_are_positions_in_pixels_or_micrometres(path):
    units = read(volume(path), series="upper")[0].units
    assert list(units["x"]) == [3.0, 4.0, 5.0]
    assert list(units["y"]) == [3.0, 3.0, 3.0]
    recording, notes = read(volume(path, grid=[2e-6, 3e-6]), series="upper")
    np.testing.assert_allclose(recording.units["x_um"], [6.0, 8.0, 10.0])
    np.testing.assert_allclose(recording.units["y_um"], [9.0, 9.0, 9.0])
    assert "IN-C34" not in texts(notes, "info")
