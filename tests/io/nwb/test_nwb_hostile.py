"""Files made to open others, to wait for ever or to fill the memory: refused in time."""

import h5py
import numpy as np
import pytest

from tests.support.nwb_factory import edited, imaging_file, probe_file, read, refusal_of

SECRET = 40


@pytest.fixture
def secret(tmp_path):
    """A file of the user that no recording may show."""
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


def test_a_reference_to_an_image_in_a_raw_file_is_refused(tmp_path, secret):
    path = probe_file(tmp_path / "day1.nwb")
    with edited(path) as file:
        first = file.create_dataset("/stimulus/templates/pictures/a", data=np.eye(4, dtype="u1"))
        second = raw(file, "/stimulus/templates/pictures/b", secret, (4, 4), "u1")
        shown_images(file, order=[first.ref, second.ref])
    recording, notes = read(path)
    assert not recording.stimuli
    assert "external raw file" in " ".join(note.text for note in notes)


def test_a_list_of_images_that_leads_to_fewer_is_not_shown(tmp_path):
    path = probe_file(tmp_path / "day1.nwb")
    with edited(path) as file:
        first = file.create_dataset("/stimulus/templates/pictures/a", data=np.eye(4, dtype="u1"))
        shown_images(file, order=[first.ref, file["/units"].ref])
    recording, notes = read(path)
    assert not recording.stimuli
    assert "1 of the 2 entries" in " ".join(note.text for note in notes)


def test_names_of_an_enumerated_column_in_a_raw_file_are_refused(tmp_path, secret):
    path = imaging_file(tmp_path / "day1.nwb")
    with edited(path) as file:
        table = file["/intervals/trials"]
        names = raw(table, "kind_elements", secret, (2,), "S20")
        column = table.create_dataset("kind", data=np.arange(len(table["id"])) % 2)
        column.attrs["elements"] = names.ref
        table.attrs["colnames"] = [*table.attrs["colnames"], "kind"]
    error = refusal_of(path)
    assert (error.code, error.place) == ("IN-F16", "/intervals/trials/kind@elements")


def test_more_names_of_an_enumerated_column_than_memory_holds_are_refused(tmp_path):
    path = imaging_file(tmp_path / "day1.nwb")
    with edited(path) as file:
        table = file["/intervals/trials"]
        names = table.create_dataset("kind_elements", (2**32,), "S20", chunks=(1000,))
        column = table.create_dataset("kind", data=np.arange(len(table["id"])) % 2)
        column.attrs["elements"] = names.ref
        table.attrs["colnames"] = [*table.attrs["colnames"], "kind"]
    assert refusal_of(path).code == "IN-F20"
