"""Files made to open others, to wait for ever or to fill the memory: refused in time."""

import os

import h5py
import numpy as np
import pytest

from pipeline.core.errors import CODES
from tests.support import random_defects
from tests.support.bad_inputs import opens_of
from tests.support.nwb_factory import DFF, edited, imaging_file, probe_file, read, refusal_of
from tests.support.random_defects import verdict

SECRET = 40


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


def shown_images(file, *, order):
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
        shown_images(file, order=[first.ref, second.ref])
    recording, notes = read(path)
    assert not recording.stimuli
    assert "external raw file" in " ".join(note.text for note in notes)


def test_a_list_of_images_that_leads_to_fewer_is_not_shown(folder):
    path = probe_file(folder / "day1.nwb")
    with edited(path) as file:
        first = file.create_dataset("/stimulus/templates/pictures/a", data=np.eye(4, dtype="u1"))
        shown_images(file, order=[first.ref, file["/units"].ref])
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
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F16", "/intervals/trials/kind@elements")


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
def test_a_link_to_a_pipe_never_waits(place, folder, monkeypatch):
    monkeypatch.setattr(random_defects, "LIMIT_S", 5.0)
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
