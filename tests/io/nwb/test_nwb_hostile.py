"""Files made to open others, to wait for ever or to fill the memory: refused in time."""

import os

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import CODES, DataError
from pipeline.io.nwb import values
from pipeline.io.nwb.extent import latest_time
from pipeline.io.nwb.images import shown_images
from pipeline.io.nwb.objects import NwbObject, survey
from pipeline.io.nwb.open import open_nwb
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.positions import positions
from pipeline.io.nwb.tables import scalar_columns
from pipeline.io.nwb.traces import series_rate_hz
from tests.support import random_defects
from tests.support.bad_inputs import opens_of
from tests.support.nwb_factory import (
    DFF,
    GRATINGS,
    N_CELLS,
    NAMES,
    ROIS,
    edited,
    imaging_file,
    probe_file,
    read,
    refusal_of,
)
from tests.support.random_defects import verdict

SECRET = 40
POINT = np.dtype([("x", "u4"), ("y", "u4"), ("weight", "f4")])


@pytest.fixture
def folder(tmp_path):
    """Where recordings lie."""
    made = tmp_path / "data"
    made.mkdir()
    return made


@pytest.fixture
def secret(tmp_path):
    """A file of the user, outside that folder, that no recording may show."""
    path = tmp_path / "private" / "letter.txt"
    path.parent.mkdir()
    path.write_bytes(b"s" * SECRET)
    return path


def raw(file, where, secret, shape, dtype):
    """A dataset that shows the bytes of another file."""
    return file.create_dataset(where, shape, dtype, external=[(str(secret), 0, SECRET)])


def add_images(file, *, order):
    """A series of images by number, in the order of the references."""
    shown = file.create_group("/stimulus/presentation/shown")
    shown.attrs.update(neurodata_type="IndexSeries", namespace="core")
    shown["data"] = np.array([0, 1], dtype="u4")
    shown["timestamps"] = np.array([0.0, 1.0])
    pictures = file["/stimulus/templates/pictures"]
    pictures.attrs.update(neurodata_type="Images", namespace="core")
    pictures["order_of_images"] = np.array(order, dtype=h5py.ref_dtype)
    shown["indexed_images"] = h5py.SoftLink(pictures.name)


def test_a_reference_to_an_image_in_a_raw_file_is_refused(folder, secret):
    path = probe_file(folder / "day1.nwb")
    with edited(path) as file:
        first = file.create_dataset("/stimulus/templates/pictures/a", data=np.eye(4, dtype="u1"))
        second = raw(file, "/stimulus/templates/pictures/b", secret, (4, 4), "u1")
        add_images(file, order=[first.ref, second.ref])
    assert refusal_of(path).code == "IN-F16"
    with edited(path) as file:
        shown = NwbObject(
            path="/stimulus/presentation/shown",
            type="IndexSeries",
            namespace="core",
            lineage=("IndexSeries",),
            group=file["/stimulus/presentation/shown"],
        )
        with pytest.raises(DataError, match="external raw file"):
            shown_images(shown, options=ReadOptions())


def test_a_list_of_images_that_leads_to_fewer_is_not_shown(folder):
    path = probe_file(folder / "day1.nwb")
    with edited(path) as file:
        first = file.create_dataset("/stimulus/templates/pictures/a", data=np.eye(4, dtype="u1"))
        add_images(file, order=[first.ref, file["/units"].ref])
    recording, notes = read(path)
    assert not recording.stimuli
    assert "1 of the 2 entries" in " ".join(note.text for note in notes)


def test_names_of_an_enumerated_column_in_a_raw_file_are_refused(folder, secret):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        table = file["/intervals/trials"]
        names = raw(table, "kind_elements", secret, (2,), "S20")
        column = table.create_dataset("kind", data=np.arange(len(table["id"])) % 2)
        column.attrs["elements"] = names.ref
        table.attrs["colnames"] = [*table.attrs["colnames"], "kind"]
    assert refusal_of(path).code == "IN-F16"
    with edited(path) as file, pytest.raises(DataError) as told:
        scalar_columns(file["/intervals/trials"], n_rows=len(GRATINGS))
    assert (told.value.code, told.value.place) == ("IN-F16", "/intervals/trials/kind@elements")


def test_more_names_of_an_enumerated_column_than_memory_holds_are_refused(folder):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        table = file["/intervals/trials"]
        names = table.create_dataset("kind_elements", (2**32,), "S20", chunks=(1000,))
        column = table.create_dataset("kind", data=np.arange(len(table["id"])) % 2)
        column.attrs["elements"] = names.ref
        table.attrs["colnames"] = [*table.attrs["colnames"], "kind"]
    assert refusal_of(path).code == "IN-F20"


PLACES = ("specifications", "namespace", "column", "path", "index", "nwb_version", "reference")


def link_at(place, path, link):
    """A link of a sound imaging session in one of the places where it could be followed."""
    with edited(path) as file:
        if place == "specifications":
            del file["/specifications"]
            file["/specifications"] = link
        elif place == "namespace":
            file["/specifications/ndx-odd"] = link
        elif place == "nwb_version":
            del file.attrs["nwb_version"]
            file["/nwb_version"] = link
        elif place == "reference":
            file["/scratch/odd"] = link
            del file[f"{DFF}/rois"]
            file[f"{DFF}/rois"] = h5py.SoftLink("/scratch/odd")
        else:
            table = file["/intervals/trials"]
            del table.attrs["colnames"]
            if place == "path":
                table.attrs["colnames"] = ["start_time", "stop_time", "odd/odd"]
            table["odd"] = np.arange(4.0) if place == "index" else link
            if place == "index":
                table["odd_index"] = link


def ended(path):
    """Outcome of inspecting a file and of reading it, in a process of its own."""
    found = verdict(path)
    assert found == "read" or found in CODES, found
    return found


@pytest.mark.parametrize("place", PLACES)
def test_a_link_to_a_pipe_never_waits(place, folder):
    path = imaging_file(folder / "day1.nwb")
    os.mkfifo(folder / "pipe.h5")
    link_at(place, path, h5py.ExternalLink("pipe.h5", "/"))
    ended(path)


@pytest.mark.parametrize("place", PLACES)
def test_a_link_out_of_the_folder_is_never_opened(place, folder, secret):
    path = imaging_file(folder / "day1.nwb")
    with h5py.File(secret.with_suffix(".h5"), "w") as file:
        file["odd"] = "secret"
    link_at(place, path, h5py.ExternalLink(str(secret.with_suffix(".h5")), "/odd"))
    with opens_of([secret.parent]) as opened:
        ended(path)
    assert opened == []


def long_text(path):
    with edited(path) as file:
        del file["/session_description"]
        file.create_dataset("/session_description", (), f"S{2 * 10**9}")


def long_definition(path):
    with edited(path) as file:
        file.create_dataset("/specifications/ndx-odd/0.1.0/odd", (), f"S{2 * 10**9}")


def long_version(path):
    with edited(path) as file:
        del file.attrs["nwb_version"]
        file.create_dataset("/nwb_version", (), f"S{2 * 10**9}")


def many_rows(path):
    with edited(path) as file:
        table = file.create_group("/intervals/odd")
        table.attrs.update(neurodata_type="TimeIntervals", namespace="core")
        for name in ("start_time", "stop_time"):
            table.create_dataset(name, (10**10,), "f8", chunks=(1000,))


def with_mask(path, name, shape, dtype, **how):
    with edited(path) as file:
        table = file[ROIS]
        for mask in ("pixel_mask", "pixel_mask_index"):
            del table[mask]
        table.attrs["colnames"] = [name]
        return table.create_dataset(name, shape, dtype, **how).shape


def empty_images(path):
    with_mask(path, "image_mask", (N_CELLS, 16000, 16000), "f4")


def one_large_image(path):
    with_mask(path, "image_mask", (N_CELLS, 8000, 8000), "u1")


def many_pixels(path):
    with_mask(path, "pixel_mask", (10**9,), POINT, chunks=(1000,))
    with edited(path) as file:
        ends = np.linspace(1, 10**9, N_CELLS).astype("u8")
        file[ROIS]["pixel_mask_index"] = ends


BOMBS = (
    long_text,
    long_definition,
    long_version,
    many_rows,
    empty_images,
    one_large_image,
    many_pixels,
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_fills_the_memory_is_left_alone_or_refused(bomb, folder, monkeypatch):
    monkeypatch.setattr(random_defects, "LIMIT_BYTES", 2**28)
    path = imaging_file(folder / "day1.nwb")
    read(path)  # so that what a first reading imports takes no part of the limit
    bomb(path)
    ended(path)


def test_numbers_in_chunks_too_large_to_decode_are_not_looked_at(folder, monkeypatch):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        series = file.create_group("/acquisition/odd")
        series.attrs.update(neurodata_type="TimeSeries", namespace="core")
        series.create_dataset("timestamps", data=1000.0 * np.arange(99), chunks=(99,))
        table = file.create_group("/intervals/odd")
        table.attrs.update(neurodata_type="TimeIntervals", namespace="core")
        table.create_dataset("stop_time", data=2000.0 * np.arange(99), chunks=(99,))
        points = file[ROIS]["pixel_mask"][()]
        del file[ROIS]["pixel_mask"]
        file[ROIS].create_dataset("pixel_mask", data=np.resize(points, 99), chunks=(99,))

    def met():
        with open_nwb(path) as file:
            contents = survey(file)
            rate_hz = series_rate_hz(contents.at("/acquisition/odd"))
            columns, rows = pd.DataFrame({"id": NAMES}), np.arange(N_CELLS)
            placed = set(positions(file[ROIS], columns, rows=rows)[0]) > {"id"}
            return latest_time(contents, None), rate_hz, placed

    assert met() == (2000.0 * 98, 1e-3, True)
    monkeypatch.setattr(values, "MAX_CHUNK_BYTES", 98 * 8)
    assert met() == (pytest.approx(8.0, abs=1.0), pytest.approx(np.nan, nan_ok=True), False)


@pytest.mark.parametrize(
    "words", ["[" * 10**5, '{"groups": 3}', '{"datasets": [{"groups": 1}, 2]}', "[1]"]
)
def test_odd_definitions_of_an_extension_leave_its_types_unknown(folder, words):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        file["/specifications/ndx-odd/0.1.0/odd"] = words
    assert read(path)[0].activity.n_units == N_CELLS


@pytest.mark.parametrize("where", [f"{DFF}/data", f"{ROIS}/id", "/session_description"])
def test_a_dataset_of_null_dataspace_is_as_none(folder, where):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        del file[where]
        file[where] = h5py.Empty("f8")
    assert ended(path) == ("IN-C05" if where.endswith("data") else "read")


def test_damaged_masks_are_passed_over_and_the_recording_is_read(folder):
    path = imaging_file(folder / "day1.nwb")
    assert "x" in read(path)[0].units
    with edited(path) as file:
        points = file[ROIS]["pixel_mask"][()]
        del file[ROIS]["pixel_mask"]
        mask = file[ROIS].create_dataset(
            "pixel_mask", points.shape, points.dtype, chunks=points.shape, compression="gzip"
        )
        mask.id.write_direct_chunk((0,), b"garbage!")
    assert "x" not in read(path)[0].units


@pytest.mark.parametrize("kind", ["link", "specification", "virtual", "raw"])
def test_what_is_elsewhere_and_not_needed_is_told_by_its_own_code(kind, folder, secret):
    path = imaging_file(folder / "day1.nwb")
    with edited(path) as file:
        odd = file.create_group("/acquisition/odd")
        odd.attrs.update(neurodata_type="ElectricalSeries", namespace="core")
        if kind == "link":
            odd["data"] = h5py.ExternalLink(str(secret), "/data")
        elif kind == "specification":
            file["/specifications/ndx-odd"] = h5py.ExternalLink(str(secret), "/data")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((SECRET,), "u1")
            layout[...] = h5py.VirtualSource(str(secret), "data", (SECRET,))
            odd.create_virtual_dataset("data", layout)
        else:
            raw(odd, "data", secret, (SECRET,), "u1")
    with opens_of([secret.parent]) as opened:
        if kind == "raw":
            error = refusal_of(path)
            assert (error.code, error.place) == ("IN-F16", "/acquisition/odd/data")
        else:
            recording, notes = read(path)
            (told,) = [note for note in notes if note.kind == "warn"]
            assert told.code == ("IN-F17" if kind == "virtual" else "IN-F14")
            assert str(secret) in told.text
            assert recording.activity.n_units == N_CELLS
    assert opened == []
