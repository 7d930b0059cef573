import h5py
import numpy as np
import pytest

from pipeline.core.recording import Recording, StimulusImages, in_memory
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import read_record, write_record
from tests.support.nwb_factory import (
    DFF,
    add_units,
    edited,
    imaging_file,
    new_session,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
)
from tests.support.records import assert_same

FRAMES = np.arange(5 * 3 * 2, dtype="i1").reshape(5, 3, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def session(path, *, stimuli=(), behaviour=(), module="behavior"):
    from pynwb.behavior import BehavioralTimeSeries

    nwb = new_session()
    add_units(nwb)
    for one in stimuli:
        nwb.add_stimulus(one)
    if behaviour:
        container = BehavioralTimeSeries()
        nwb.create_processing_module(module, "Beside the units.").add(container)
        for one in behaviour:
            container.add_timeseries(one)
    return save(nwb, path)


def movie(**fields):
    from pynwb.image import ImageSeries

    told = {"name": "noise", "data": FRAMES, "unit": "contrast", "rate": 30.0, "format": "raw"}
    return ImageSeries(**{**told, **fields})


def series(**fields):
    from pynwb import TimeSeries

    told = {"name": "speed", "data": np.arange(6.0), "unit": "cm/s", "rate": 2.0}
    return TimeSeries(**{**told, **fields})


def test_a_movie_in_the_file_is_read_with_its_conversion(path):
    recording, _ = read(session(path, stimuli=[movie(conversion=0.04, offset=1.0)]))
    noise = recording.stimuli["noise"]
    np.testing.assert_array_equal(noise.values, (FRAMES * 0.04 + 1.0).astype(np.float32))
    np.testing.assert_allclose(noise.time, np.arange(5) / 30.0)
    assert noise.value_unit == "contrast"


def test_what_stood_on_a_screen_is_a_movie_like_any_other(path):
    from pynwb.image import OpticalSeries

    screen = OpticalSeries(
        name="screen",
        data=FRAMES,
        unit="cd/m2",
        rate=30.0,
        distance=0.2,
        field_of_view=np.array([0.3, 0.2]),
        orientation="upright",
    )
    shown = read(session(path, stimuli=[screen]))[0].stimuli["screen"]
    np.testing.assert_array_equal(shown.values, FRAMES.astype(np.float32))
    assert shown.value_unit == "cd/m2"


def test_a_movie_in_colour_is_read_frame_by_frame(path, tmp_path):
    frames = np.arange(5 * 3 * 2 * 3, dtype="u1").reshape(5, 3, 2, 3)
    recording, _ = read(session(path, stimuli=[movie(data=frames, conversion=0.5)]))
    noise = recording.stimuli["noise"]
    np.testing.assert_array_equal(noise.values, 0.5 * frames)
    assert noise.shown.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(noise.time, np.arange(5) / 30.0)
    assert_stored_and_written(recording, tmp_path)


@pytest.mark.filterwarnings("ignore:AnnotationSeries is deprecated")
def test_volumes_and_text_are_told_and_not_read(path):
    from pynwb.misc import AnnotationSeries

    volumes = movie(data=np.zeros((5, 3, 2, 7)))
    words = AnnotationSeries(name="words", data=["on", "off"], timestamps=[1.0, 2.0])
    recording, notes = read(session(path, stimuli=[volumes, words]))
    assert dict(recording.stimuli) == {}
    assert "(5, 3, 2, 7)" in texts(notes, "info")
    assert "/stimulus/presentation/words" in texts(notes, "info")


def assert_stored_and_written(recording, folder):
    """The stimuli are the same after a journey through our record and through an NWB file."""
    write_record(folder / "recording.h5", recording)
    stored = in_memory(read_record(folder / "recording.h5", Recording))
    assert_same(stored.stimuli, recording.stimuli)
    write_recording(folder / "again.nwb", recording)
    assert_same(read(folder / "again.nwb")[0].stimuli, recording.stimuli)


def images(path, pictures, numbers, *, ordered=True):
    """The probe session with images of a container shown by numbers."""
    from pynwb.base import ImageReferences, Images
    from pynwb.image import GrayscaleImage, IndexSeries, RGBImage

    nwb = new_session()
    add_units(nwb)
    kinds = {2: GrayscaleImage, 3: RGBImage}
    made = [
        kinds[picture.ndim](name=f"picture{9 - number}", data=picture)
        for number, picture in enumerate(pictures)
    ]
    more = {"order_of_images": ImageReferences(name="order_of_images", data=made)}
    container = Images(name="pictures", images=made, **(more if ordered else {}))
    nwb.add_stimulus_template(container)
    shown = IndexSeries(
        name="shown",
        data=np.array(numbers, dtype="u4"),
        indexed_images=container,
        unit="N/A",
        rate=2.0,
    )
    nwb.add_stimulus(shown)
    return save(nwb, path)


GREY = np.arange(24.0).reshape(4, 3, 2)


def test_images_are_stored_once_and_shown_in_their_order(path, tmp_path):
    recording, _ = read(images(path, list(GREY), [2, 0, 2, 3, 1, 1]))
    shown = recording.stimuli["shown"]
    np.testing.assert_array_equal(shown.values[..., 0], GREY)
    assert shown.shown.tolist() == [2, 0, 2, 3, 1, 1]
    np.testing.assert_allclose(shown.time, np.arange(6) / 2)
    assert_stored_and_written(recording, tmp_path)


def test_images_in_colour_keep_their_channels(path, tmp_path):
    colour = np.random.default_rng(0).random((3, 4, 2, 3)).astype(np.float32)
    recording, _ = read(images(path, list(colour), [1, 0, 2]))
    np.testing.assert_array_equal(recording.stimuli["shown"].values, colour)
    assert_stored_and_written(recording, tmp_path)


@pytest.mark.parametrize(
    ("pictures", "numbers", "ordered", "words"),
    [
        (list(GREY), [0, 4], True, "number 4 at 1 is none of 4 images"),
        (list(GREY), [0, 1], False, "no order"),
        ([GREY[0], GREY[1].T], [0, 1], True, "not of one size"),
    ],
)
def test_images_that_cannot_be_shown_are_told(path, pictures, numbers, ordered, words):
    recording, notes = read(images(path, pictures, numbers, ordered=ordered))
    assert dict(recording.stimuli) == {}
    assert "IN-T11" in texts(notes, "info")
    assert words in texts(notes, "info")


def test_frames_of_a_template_shown_by_number_are_not_read_twice(path):
    images(path, list(GREY), [4, 4, 0])
    with edited(path) as file:  # as files of earlier versions have it
        template = file.create_group("/stimulus/templates/clip")
        template.attrs.update(neurodata_type="ImageSeries", namespace="core", description="Clip.")
        template["data"] = FRAMES
        template["data"].attrs.update(conversion=0.5, unit="contrast")
        template["starting_time"] = 0.0
        template["starting_time"].attrs["rate"] = 30.0
        shown = file["/stimulus/presentation/shown"]
        del shown["indexed_images"]
        shown["indexed_timeseries"] = h5py.SoftLink("/stimulus/templates/clip")
    stimuli = read(path)[0].stimuli
    assert list(stimuli) == ["shown"]
    np.testing.assert_array_equal(stimuli["shown"].values[..., 0], 0.5 * FRAMES)
    assert stimuli["shown"].shown.tolist() == [4, 4, 0]
    assert stimuli["shown"].value_unit == "contrast"


def test_an_image_that_is_not_there_cannot_be_shown():
    with pytest.raises(ValueError, match="not there"):
        StimulusImages(
            values=np.zeros((2, 3, 2, 1), dtype=np.float32),
            shown=np.array([0, 2]),
            time=np.arange(2.0),
            value_unit="",
        )


def test_light_that_was_shone_is_offered_like_behaviour(path):
    from pynwb.ogen import OptogeneticSeries, OptogeneticStimulusSite

    nwb = new_session()
    add_units(nwb)
    site = OptogeneticStimulusSite(
        name="site",
        device=nwb.create_device(name="laser"),
        description="Laser.",
        excitation_lambda=473.0,
        location="V1",
    )
    nwb.add_ogen_site(site)
    pulses = np.array([0.0, 1.0, 0.0])
    nwb.add_stimulus(OptogeneticSeries(name="laser", data=pulses, site=site, rate=2.0))
    nwb.add_stimulus(series(name="drum", unit="rad"))
    recording, notes = read(save(nwb, path), condition=())
    assert sorted(recording.behaviour) == ["drum", "laser"]
    np.testing.assert_array_equal(recording.behaviour["laser"].values[:, 0], pulses)
    assert recording.behaviour["laser"].value_unit == "watts"
    assert dict(recording.stimuli) == {}
    assert texts(notes, "repair") == ""


def test_behaviour_is_found_in_acquisition_and_in_its_containers_anywhere(path):
    from pynwb.behavior import EyeTracking, PupilTracking, SpatialSeries
    from pynwb.ecephys import ElectricalSeries

    nwb = new_session()
    add_units(nwb)
    nwb.add_acquisition(series(name="running"))
    gaze = SpatialSeries(
        name="gaze", data=np.ones((4, 2)), rate=2.0, reference_frame="screen", unit="deg"
    )
    nwb.add_acquisition(EyeTracking(spatial_series=gaze))
    module = nwb.create_processing_module("camera", "Eye camera.")
    module.add(PupilTracking(time_series=series(name="pupil")))
    module.add(series(name="temperature"))
    group = nwb.create_electrode_group("shank", "Shank.", "CA1", nwb.create_device(name="probe"))
    nwb.add_electrode(location="CA1", group=group)
    region = nwb.create_electrode_table_region(region=[0], description="All.")
    nwb.add_acquisition(
        ElectricalSeries(name="raw", data=np.zeros((5, 1)), electrodes=region, rate=1000.0)
    )
    behaviour = read(save(nwb, path))[0].behaviour
    assert sorted(behaviour) == ["gaze", "pupil", "running", "temperature"]
    assert behaviour["gaze"].values.shape == (4, 2)


def test_raw_signals_that_are_too_long_are_left_alone(path):
    nwb = new_session()
    add_units(nwb)
    nwb.add_acquisition(series(name="sync"))
    save(nwb, path)
    with edited(path) as file:
        attributes = dict(file["/acquisition/sync/data"].attrs)
        del file["/acquisition/sync/data"]
        data = file.create_dataset(
            "/acquisition/sync/data", shape=(2**30,), dtype="i2", chunks=(2**20,)
        )
        data.attrs.update(attributes)
    recording, notes = read(path)
    assert dict(recording.behaviour) == {}
    assert "IN-T12" in texts(notes, "info")
    assert "the limit is 0.5 GB" in texts(notes, "info")


def test_series_that_together_would_fill_the_memory_are_left_alone(path, monkeypatch):
    monkeypatch.setattr("pipeline.io.nwb.series.MAX_COVARIATES_GB", 1e-6)
    nwb = new_session()
    add_units(nwb)
    for name, n_samples in (("a", 30), ("b", 40), ("c", 20)):  # 16 bytes a sample
        nwb.add_acquisition(series(data=np.zeros(n_samples, np.float32), name=name))
    save(nwb, path)
    recording, notes = read(path)
    assert sorted(recording.behaviour) == ["a", "c"]
    told = texts(notes, "info")
    assert "/acquisition/b" in told
    assert "with the series before it, it would take 1.1e-06 GB of memory" in told


def test_a_fault_in_a_movie_does_not_stop_the_recording(path):
    session(path, stimuli=[movie()])
    with edited(path) as file:
        file["/stimulus/presentation/noise/starting_time"].attrs["rate"] = 0.0
    recording, notes = read(path)
    assert dict(recording.stimuli) == {}
    assert "rate is 0 Hz" in texts(notes, "info")


@pytest.mark.parametrize("module", ["behavior", "Behaviour"])
def test_behaviour_is_read_as_time_by_channel(path, module):
    posture = series(name="posture", data=np.arange(12.0).reshape(6, 2), conversion=2.0)
    recording, _ = read(session(path, behaviour=[series(), posture], module=module))
    assert sorted(recording.behaviour) == ["posture", "speed"]
    speed = recording.behaviour["speed"]
    np.testing.assert_array_equal(speed.values, np.arange(6.0)[:, None])
    np.testing.assert_array_equal(speed.time, np.arange(6) / 2.0)
    assert speed.value_unit == "cm/s"
    np.testing.assert_array_equal(
        recording.behaviour["posture"].values, 2 * np.arange(12.0).reshape(6, 2)
    )


def test_series_of_modules_for_activity_are_no_behaviour(path):
    nwb = new_session()
    add_units(nwb)
    nwb.create_processing_module("ecephys", "Beside the units.").add(series())
    assert dict(read(save(nwb, path))[0].behaviour) == {}


def test_plain_series_of_a_module_of_any_name_are_behaviour_if_they_are_narrow(path):
    from pynwb import TimeSeries

    nwb = new_session()
    add_units(nwb)
    module = nwb.create_processing_module("running", "As the Allen Institute writes it.")
    module.add(series())
    wide = np.zeros((6, 9))
    module.add(TimeSeries(name="wide", data=wide, unit="n.a.", rate=10.0))
    found = read(save(nwb, path))[0].behaviour
    assert set(found) == {series().name}


def test_a_fault_in_behaviour_does_not_stop_the_recording(path):
    session(path, behaviour=[series()])
    with edited(path) as file:
        where = "/processing/behavior/BehavioralTimeSeries/speed/data"
        replace_values(file, where, np.zeros((6, 1, 1)))
    recording, notes = read(path)
    assert dict(recording.behaviour) == {}
    assert "(6, 1, 1)" in texts(notes, "warn")
    assert "IN-T12" in texts(notes, "warn")


def test_two_series_of_one_name_are_both_kept(path):
    from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

    nwb = new_session()
    add_units(nwb)
    module = nwb.create_processing_module("behavior", "Behaviour.")
    first, second = BehavioralTimeSeries(), Position()
    module.add(first)
    module.add(second)
    first.add_timeseries(series(name="place"))
    second.add_spatial_series(
        SpatialSeries(
            name="place", data=np.ones((6, 2)), unit="m", rate=2.0, reference_frame="corner"
        )
    )
    behaviour = read(save(nwb, path))[0].behaviour
    assert sorted(behaviour) == ["Position.place", "place"]
    assert behaviour["Position.place"].values.shape == (6, 2)


def test_a_clock_that_starts_at_no_number_is_not_used(tmp_path):
    path = imaging_file(tmp_path / "day1.nwb")
    with edited(path) as file:
        replace_values(file, f"{DFF}/starting_time", np.zeros(0))
    error = refusal_of(path)
    assert error.code == "IN-C16"
    assert "starting time nan" in error.found


def test_a_start_that_declares_many_numbers_is_never_loaded(path):
    session(path, behaviour=[series()])
    with edited(path) as file:
        where = "/processing/behavior/BehavioralTimeSeries/speed/starting_time"
        rate = file[where].attrs["rate"]
        del file[where]
        file.create_dataset(where, shape=(2**40,), dtype="f8", chunks=True).attrs["rate"] = rate
    recording, notes = read(path)
    assert dict(recording.behaviour) == {}
    assert "starting time nan s" in texts(notes, "warn")
