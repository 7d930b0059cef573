"""Frames that lie in films beside the recording."""

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.core.rng import stream
from pipeline.io.nwb import film_files
from pipeline.io.nwb.inspect import describe, inspect_file
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from tests.io.nwb.test_nwb_image_files import movie, picture, told
from tests.io.nwb.test_nwb_series import assert_stored_and_written
from tests.support.nwb_factory import PROVENANCE, read, texts

GREY = stream(0, "films").integers(0, 256, (5, 16, 32), dtype=np.uint8)
"""Five frames of 16 rows and 32 columns, as pictures have them."""
AS_XY = np.swapaxes(GREY, 1, 2)
"""The same as NWB has them: frame x X (column) x Y (row)."""


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder / "day1.nwb"


def film(path, frames, *, codec="ffv1", pixels="gray", given="gray", **options):
    """Write frames as a film; FFV1 keeps every number."""
    import av

    with av.open(path, "w") as container:
        pictures = container.add_stream(codec, rate=10, options=options)
        pictures.width, pictures.height = frames.shape[2], frames.shape[1]
        pictures.pix_fmt = pixels
        for frame in frames:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(frame, format=given)))
        container.mux(pictures.encode(None))


def smooth(count):
    """Frames that lossy codecs keep nearly: a bright spot that moves, and grows brighter."""
    x = np.arange(32)
    rows = np.arange(16)[:, None]
    return np.stack(
        [
            (40 + number) + 150 * np.exp(-((x - number) ** 2 + (rows - 8) ** 2) / 40)
            for number in range(count)
        ]
    ).astype(np.uint8)


@pytest.mark.parametrize("ending", ["avi", "mkv"])
def test_a_film_without_loss_is_read_to_the_number(path, tmp_path, ending):
    film(path.parent / f"a.{ending}", GREY)
    recording, notes = read(movie(path, [f"a.{ending}"], num_samples=5))
    shown = recording.stimuli["film"]
    np.testing.assert_array_equal(shown.values, AS_XY)
    assert shown.values.dtype == np.float32
    np.testing.assert_allclose(shown.time, 1 + np.arange(5) / 10)
    assert "IN-T11" not in texts(notes, "info")
    if ending == "avi":
        assert_stored_and_written(recording, tmp_path)


def test_grey_of_16_bits_and_colours_keep_their_numbers(path):
    film(path.parent / "a.mkv", GREY.astype(np.uint16) * 257, pixels="gray16le", given="gray16le")
    shown = read(movie(path, ["a.mkv"]))[0].stimuli["film"]
    np.testing.assert_array_equal(shown.values, 257.0 * AS_XY)
    colours = np.stack([GREY // 2, 255 - GREY, GREY], axis=-1)
    film(path.parent / "b.avi", colours, pixels="bgr0", given="rgb24")
    shown = read(movie(path, ["b.avi"]))[0].stimuli["film"]
    np.testing.assert_array_equal(shown.values, np.swapaxes(colours, 1, 2))
    assert shown.shown.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_every_frame_of_a_lossy_film_comes_once_and_in_order(path, ending):
    # Frames that look ahead are stored in another order than they are shown.
    frames = smooth(24)
    film(
        path.parent / f"a.{ending}",
        frames,
        codec="libx264",
        pixels="yuv420p",
        crf="5",
        bf="3",
        g="12",
    )
    shown = read(movie(path, [f"a.{ending}"], num_samples=24))[0].stimuli["film"]
    assert shown.values.shape == (24, 32, 16, 3)
    as_read = np.swapaxes(np.asarray(shown.values[:])[..., 0], 1, 2)
    apart = np.abs(as_read[:, None] - frames[None].astype(float)).mean(axis=(2, 3))
    assert apart.argmin(axis=1).tolist() == list(range(24))
    assert apart.diagonal().max() < 3


def test_films_follow_one_another_and_are_decoded_when_they_are_asked_for(path, monkeypatch):
    film(path.parent / "a.avi", GREY[:3])
    film(path.parent / "b.mkv", GREY[3:])
    movie(path, ["a.avi", "b.mkv"], starting_frame=[0, 3])
    begun = []
    plain = film_files._decoded

    def watched(one, place, count):
        begun.append(one.name)
        return plain(one, place, count)

    monkeypatch.setattr(film_files, "_decoded", watched)
    options = ReadOptions()
    with open_recording(path, recording="day1", options=options, provenance=PROVENANCE) as reading:
        values = reading.recording.stimuli["film"].values
        assert (values.shape, values.chunks, begun) == ((5, 32, 16), (1, 32, 16), [])
        np.testing.assert_array_equal(values[0:2], AS_XY[0:2])
        np.testing.assert_array_equal(values[2:5], AS_XY[2:5])
        assert begun == ["a.avi", "b.mkv"]  # forward, each is decoded once
        np.testing.assert_array_equal(values[1:4, 1:3, :2], AS_XY[1:4, 1:3, :2])
        np.testing.assert_array_equal(values[1:2], AS_XY[1:2])
        np.testing.assert_array_equal(values[slice(0, 5)], AS_XY)


def test_films_elsewhere_and_lists_of_other_files_are_not_opened(path, tmp_path, monkeypatch):
    film(tmp_path / "secret.avi", GREY)
    monkeypatch.setattr(film_files, "_opened", lambda one, place: pytest.fail(f"opened {one}"))
    note = told(movie(path, ["../secret.avi"]))
    assert (note.code, note.kind) == ("IN-F14", "warn")
    (path.parent / "list.avi").write_text(f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/secret.avi\n")
    note = told(movie(path, ["list.avi"]))
    assert "'list.avi' is no image of a kind that is read" in note.text
    assert "AVI, MP4, MOV or MKV" in note.text


@pytest.mark.parametrize(
    ("second", "starts", "words"),
    [
        (GREY[:, :, ::2], [0, 5], "32 x 16 pixels, grey and 16 x 16 pixels, grey in 'b.avi'"),
        (GREY[:2], [0, 4], "they start at 0, 5"),
        (None, [0, 5], "some of its files are films and some are images"),
    ],
)
def test_films_that_would_be_read_wrong_are_told(path, second, starts, words):
    film(path.parent / "a.avi", GREY)
    if second is None:
        picture(path.parent / "b.png", GREY[0])
    else:
        film(path.parent / "b.avi", np.ascontiguousarray(second))
    total = 10 if second is None else 5 + len(second)
    names = ["a.avi", "b.png" if second is None else "b.avi"]
    note = told(movie(path, names, starting_frame=starts, num_samples=total))
    assert (note.code, note.kind) == ("IN-T11", "info")
    assert words in note.text


def test_colours_of_ten_bits_are_told(path):
    film(path.parent / "a.mkv", GREY, pixels="yuv420p10le")
    assert "colours of 10 bits, of which only 8" in told(movie(path, ["a.mkv"])).text


def test_a_small_film_of_more_frames_than_a_disk_holds_is_not_read(path, monkeypatch):
    film(path.parent / "a.avi", GREY)
    monkeypatch.setattr(film_files, "MAX_GB", 1e-6)
    note = told(movie(path, ["a.avi"]))
    assert "its 5 frames of 32 x 16 pixels, grey fill 1.024e-05 GB" in note.text
    assert "ffmpeg" in note.text
    movie(path, ["a.avi"])
    shown = read(path, max_series_gb=1e-3)[0].stimuli["film"]
    np.testing.assert_array_equal(shown.values, AS_XY)


def test_a_film_that_was_cut_is_told_by_its_number_of_frames(path):
    film(path.parent / "a.mkv", np.tile(GREY, (1, 8, 8)))
    whole = (path.parent / "a.mkv").read_bytes()
    (path.parent / "a.mkv").write_bytes(whole[: len(whole) // 2])
    note = told(movie(path, ["a.mkv"], num_samples=5))
    assert "it has 5 frames, and its files hold 2" in note.text


def test_a_film_whose_frames_are_damaged_is_told_by_name(path):
    film(path.parent / "a.mkv", np.tile(GREY, (1, 8, 8)), level="3", slicecrc="1")
    whole = bytearray((path.parent / "a.mkv").read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 500] = bytes(500)
    (path.parent / "a.mkv").write_bytes(whole)
    movie(path, ["a.mkv"])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code == "IN-F04"
    assert "'a.mkv', which holds its frames, is damaged" in caught.value.found


def test_inspect_tells_what_a_film_holds(path):
    film(path.parent / "a.avi", GREY)
    movie(path, ["a.avi"])
    words = describe(inspect_file(path), experiment="e", recording="r")
    assert (
        "frames in 1 external file, the first 'a.avi' (ffv1, 32 x 16 pixels, grey, 10 Hz)" in words
    )
