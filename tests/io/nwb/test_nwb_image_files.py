"""Frames that lie in image files beside the recording, and files that are never opened."""

import os
import struct
import zlib

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.core.rng import stream
from pipeline.io.nwb import image_files
from pipeline.io.nwb.inspect import describe, inspect_file
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from tests.io.nwb.test_nwb_series import assert_stored_and_written, session
from tests.support.nwb_factory import PROVENANCE, edited, read, texts

GREY = stream(0, "image files").integers(0, 256, (5, 3, 4), dtype=np.uint8)
"""Five frames of three rows and four columns, as pictures have them."""
AS_XY = np.swapaxes(GREY, 1, 2)
"""The same as NWB has them: frame x X (column) x Y (row)."""


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder / "day1.nwb"


def movie(path, files, *, starting_frame=None, **fields):
    """The probe session, to which frames in external files were shown at 10 Hz from 1 s on."""
    from pynwb.image import ImageSeries

    told = {"unit": "n.a.", "rate": 10.0, "starting_time": 1.0, "num_samples": 5} | fields
    starts = [0] * len(files) if starting_frame is None else starting_frame
    shown = ImageSeries(
        name="film", external_file=list(files), format="external", starting_frame=starts, **told
    )
    session(path, stimuli=[shown])
    if starting_frame is None:
        with edited(path) as file:  # as writers do that know no better, and earlier versions
            film = file["/stimulus/presentation/film"]
            film["external_file"].attrs["starting_frame"] = [0]
            if "num_samples" not in fields and "num_samples" in film:
                del film["num_samples"]
    return path


def picture(path, pixels, *more, **how):
    from PIL import Image

    first, *others = [Image.fromarray(each) for each in (pixels, *more)]
    first.save(path, **(how | ({"save_all": True, "append_images": others} if others else {})))


def told(path):
    """The remark on the film, which was not read."""
    recording, notes = read(path)
    assert dict(recording.stimuli) == {}
    (note,) = [note for note in notes if note.place.startswith("/stimulus")]
    return note


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_a_sequence_of_pictures_is_a_movie(path, tmp_path, ending):
    names = [f"frames/{number:03d}.{ending}" for number in range(5)]
    (path.parent / "frames").mkdir()
    for name, frame in zip(names, GREY, strict=True):
        picture(path.parent / name, frame)
    recording, notes = read(movie(path, names, starting_frame=[0, 1, 2, 3, 4]))
    film = recording.stimuli["film"]
    np.testing.assert_array_equal(film.values, AS_XY)
    assert film.values.dtype == np.float32
    np.testing.assert_allclose(film.time, 1 + np.arange(5) / 10)
    assert "IN-T11" not in texts(notes, "info")
    if ending == "png":
        assert_stored_and_written(recording, tmp_path)


def test_stacks_follow_one_another_and_keep_16_bits(path):
    frames = GREY.astype(np.uint16) * 257
    picture(path.parent / "a.tif", *frames[:2])
    picture(path.parent / "b.tiff", *frames[2:], compression="tiff_lzw")
    film = read(movie(path, ["a.tif", "./b.tiff"], starting_frame=[0, 2]))[0].stimuli["film"]
    np.testing.assert_array_equal(film.values, 257.0 * AS_XY)


def test_frames_with_floating_point_and_their_own_times(path):
    frames = GREY / np.float32(7)
    picture(path.parent / "a.tif", *frames)
    times = np.array([1.0, 1.5, 4.0, 4.1, 9.0])
    made = movie(path, ["a.tif"], rate=None, starting_time=None, timestamps=times)
    film = read(made)[0].stimuli["film"]
    np.testing.assert_array_equal(film.values, np.swapaxes(frames, 1, 2))
    np.testing.assert_array_equal(film.time, times)


@pytest.mark.parametrize("kind", ["colour", "palette"])
def test_pictures_in_colour_keep_their_channels(path, kind):
    from PIL import Image

    colours = np.stack([GREY // 2, 255 - GREY, GREY], axis=-1)
    for number, frame in enumerate(colours):
        image = Image.fromarray(frame)
        image = image.quantize(12) if kind == "palette" else image
        image.save(path.parent / f"{number}.png")
    film = read(movie(path, [f"{number}.png" for number in range(5)]))[0].stimuli["film"]
    np.testing.assert_array_equal(film.values, np.swapaxes(colours, 1, 2))
    assert film.shown.tolist() == [0, 1, 2, 3, 4]


def test_a_film_in_files_can_be_shown_by_number(path):
    import h5py
    from pynwb.image import ImageSeries, IndexSeries  # noqa: F401  so that the types are known

    picture(path.parent / "a.tif", *GREY)
    movie(path, ["a.tif"])
    with edited(path) as file:
        file.move("/stimulus/presentation/film", "/stimulus/templates/film")
        shown = file.create_group("/stimulus/presentation/shown")
        shown.attrs.update(neurodata_type="IndexSeries", namespace="core", description="Order.")
        shown["data"] = np.array([4, 0, 4], dtype="u4")
        shown["timestamps"] = [1.0, 2.0, 3.0]
        shown["indexed_timeseries"] = h5py.SoftLink("/stimulus/templates/film")
    stimuli = read(path)[0].stimuli
    assert list(stimuli) == ["shown"]
    np.testing.assert_array_equal(stimuli["shown"].values[..., 0], AS_XY)
    assert stimuli["shown"].shown.tolist() == [4, 0, 4]


def test_frames_are_decoded_when_they_are_asked_for_and_files_closed_at_the_end(path, monkeypatch):
    picture(path.parent / "a.tif", *GREY[:3])
    picture(path.parent / "b.tif", *GREY[3:])
    movie(path, ["a.tif", "b.tif"], starting_frame=[0, 3])
    opened = []
    plain = image_files._image

    def watched(where):
        opened.append(plain(where))
        return opened[-1]

    options = ReadOptions()
    monkeypatch.setattr(image_files, "_image", watched)
    with open_recording(path, recording="day1", options=options, provenance=PROVENANCE) as reading:
        values = reading.recording.stimuli["film"].values
        assert (values.shape, values.chunks, len(opened)) == ((5, 4, 3), (1, 4, 3), 2)
        np.testing.assert_array_equal(values[3:5], AS_XY[3:5])
        np.testing.assert_array_equal(values[1:4, 1:3, :2], AS_XY[1:4, 1:3, :2])
        np.testing.assert_array_equal(values[slice(0, 5)], AS_XY)
        assert len(opened) == 2 + 5
    assert all(image.fp is None or image.fp.closed for image in opened)


@pytest.mark.parametrize("way", ["above", "absolute", "link"])
def test_files_elsewhere_are_not_opened(path, tmp_path, monkeypatch, way):
    secret = tmp_path / "secret.png"
    picture(secret, GREY[0])
    name = {"above": "../secret.png", "absolute": str(secret), "link": "inside.png"}[way]
    if way == "link":
        (path.parent / "inside.png").symlink_to(secret)
    movie(path, [name])
    monkeypatch.setattr(image_files, "_image", lambda where: pytest.fail(f"opened {where}"))
    note = told(path)
    assert (note.code, note.kind) == ("IN-F14", "warn")
    assert "outside the folder of the recording" in note.text
    assert "What to do: " in note.text
    monkeypatch.undo()
    allowed = read(path, allow_external=(str(tmp_path),))[0].stimuli["film"]
    np.testing.assert_array_equal(allowed.values, AS_XY[:1])


def test_a_pipe_is_not_opened(path):
    os.mkfifo(path.parent / "pipe.png")
    note = told(movie(path, ["pipe.png"]))
    assert "not a regular file but a named pipe" in note.text


def test_a_film_that_was_not_copied_along_is_told(path):
    note = told(movie(path, ["film.tif"]))
    assert (note.code, note.kind) == ("IN-F15", "warn")
    assert "'film.tif'" in note.text


def test_a_file_of_another_kind_is_told_with_what_to_do(path):
    (path.parent / "film.wmv").write_bytes(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(500))
    note = told(movie(path, ["film.wmv"]))
    assert (note.code, note.kind) == ("IN-T11", "info")
    assert "'film.wmv' is no image of a kind that is read (TIFF, PNG, JPEG, BMP)" in note.text
    assert "AVI, MP4, MOV or MKV film" in note.text


def png_of_16_bits(pixels):
    """A colour PNG of 16 bits, which Pillow cannot write."""

    def chunk(kind, body):
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("files", "fields", "words"),
    [
        ({"0.png": GREY[0], "1.png": GREY[1].T}, {}, "3 x 4 pixels, grey and 4 x 3 pixels, grey"),
        ({"0.tif": GREY[:2], "1.tif": GREY[2:]}, {"starting_frame": [0, 3]}, "they start at 0, 2"),
        ({"0.tif": GREY}, {"timestamps": [1.0, 2.0], "rate": None}, "is 2 for 5 samples"),
        ({"0.tif": GREY}, {"num_samples": 6}, "it has 6 frames, and its files hold 5"),
        ({"0.jpg": "CMYK"}, {}, "pixels of kind CMYK"),
        ({"0.png": "16 bits"}, {}, "colours of 16 bits"),
    ],
)
def test_frames_that_would_be_read_wrong_are_told(path, files, fields, words):
    from PIL import Image

    for name, pixels in files.items():
        where = path.parent / name
        if isinstance(pixels, str) and pixels == "CMYK":
            Image.fromarray(GREY[0]).convert("CMYK").save(where)
        elif isinstance(pixels, str):
            where.write_bytes(png_of_16_bits(np.stack([GREY[0]] * 3, axis=-1)))
        else:
            picture(where, *(pixels if pixels.ndim == 3 else [pixels]))
    if "rate" in fields:
        fields = fields | {"starting_time": None}
    note = told(movie(path, list(files), **fields))
    assert (note.code, note.kind) == ("IN-T11", "info")
    assert words in note.text


def test_small_files_of_huge_frames_are_refused_before_they_are_decoded(path):
    from PIL import Image

    Image.new("1", (9000, 9000)).save(path.parent / "0.png")
    assert "MiB are decoded at once" in told(movie(path, ["0.png"])).text
    Image.new("L", (8000, 8000)).save(path.parent / "0.png")
    files = ["0.png"] * 20
    assert "GiB are declared" in told(movie(path, files)).text


def test_a_damaged_file_is_told_by_name(path):
    picture(path.parent / "0.png", np.tile(GREY[0], (40, 40)))
    whole = (path.parent / "0.png").read_bytes()
    (path.parent / "0.png").write_bytes(whole[: len(whole) // 2])
    movie(path, ["0.png"])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code == "IN-F04"
    assert "'0.png', which holds its frames, is damaged" in caught.value.found


def test_inspect_tells_where_frames_lie(path):
    picture(path.parent / "a.tif", *GREY)
    movie(path, ["a.tif", "b.tif"])
    words = describe(inspect_file(path), experiment="e", recording="r")
    assert "frames in 2 external files, the first 'a.tif' (4 x 3 pixels, grey)" in words
    movie(path, ["../a.avi"])
    words = describe(inspect_file(path), experiment="e", recording="r")
    assert "that are not read: a link leads to another file, '../a.avi', outside" in words
