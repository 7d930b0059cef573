"""A recording's mark changes with the content of its files, and with nothing else."""

from __future__ import annotations

import dataclasses
import os

import pytest

from pipeline.core.outcome import Outcome
from pipeline.io.hashing import sha256_of
from pipeline.io.records import write_record
from pipeline.stages import contents
from tests.support import records


class Place:
    """A recording of two files, its record, and what is remembered."""

    def __init__(self, folder):
        self.nwb, self.beside = folder / "a.nwb", folder / "movie.bin"
        self.memory = folder / ".checksums"
        self.record = folder / "e" / "recordings" / "r" / "recording.h5"
        self.write(self.nwb, b"one")
        self.write(self.beside, b"frames")

    def write(self, path, content, *, days=1.0):
        path.write_bytes(content)
        when = path.stat().st_mtime - 86_400 * days
        os.utime(path, (when, when))

    def ingest(self):
        recording = records.calcium()
        inputs = {path.name: sha256_of(path) for path in (self.nwb, self.beside)}
        provenance = dataclasses.replace(recording.provenance, inputs=inputs)
        write_record(self.record, dataclasses.replace(recording, provenance=provenance))

    def fail(self):
        write_record(self.record, Outcome(status="failed", reason="broken"))

    def mark(self, **how):
        return contents.content_mark(self.nwb, record=self.record, memory=self.memory, **how)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_reading_a_recording_does_not_change_its_mark(place):
    before = place.mark()
    place.ingest()
    assert place.mark() == before == ""


def test_a_time_alone_changes_nothing(place):
    place.ingest()
    place.write(place.nwb, b"one", days=0)
    assert place.mark() == ""


@pytest.mark.parametrize("file", ["nwb", "beside"])
@pytest.mark.parametrize("days", [-1, 0, 1, 30])
def test_another_content_of_the_same_size_changes_the_mark_once(place, file, days):
    place.ingest()
    place.mark()
    place.write(getattr(place, file), b"two" if file == "nwb" else b"frome ", days=days)
    changed = place.mark()
    assert changed != ""
    assert place.mark() == changed  # a dry run, then the run
    place.ingest()
    assert place.mark() == changed
    place.write(getattr(place, file), b"six", days=days)
    assert place.mark() not in ("", changed)


def test_a_file_that_is_put_back_before_anything_is_made_changes_nothing(place):
    place.ingest()
    place.write(place.nwb, b"two")
    assert place.mark() != ""
    place.write(place.nwb, b"one")
    assert place.mark() == ""


def test_a_file_that_is_put_back_later_changes_the_mark_again(place):
    place.ingest()
    place.write(place.nwb, b"two")
    changed = place.mark()
    place.ingest()
    place.write(place.nwb, b"one")
    assert place.mark() not in ("", changed)


def test_a_recording_that_failed_is_read_again_once_its_file_is_newer(place):
    place.fail()
    assert place.mark() == ""
    place.write(place.nwb, b"repaired", days=-1)
    changed = place.mark()
    assert changed != ""
    place.fail()
    os.utime(place.record, (place.nwb.stat().st_mtime + 1,) * 2)
    assert place.mark() == changed


@pytest.mark.parametrize("days", [1, -1])
def test_a_recording_whose_failure_is_forgotten_is_read_again_once_its_file_is_newer(place, days):
    place.fail()
    place.record.with_name("quality.json").write_text("{}")
    place.record.unlink()
    assert place.mark() == ""
    place.write(place.nwb, b"repaired", days=days)
    assert (place.mark() != "") == (days < 0)


def test_files_as_they_were_are_not_read_again(place, monkeypatch):
    place.ingest()
    place.mark()
    monkeypatch.setattr("pipeline.io.hashing.sha256_of", pytest.fail)
    assert place.mark() == ""


def test_jobs_do_not_look_at_the_files(place):
    place.ingest()
    place.write(place.nwb, b"two")
    assert place.mark(look=False) == ""
    changed = place.mark()
    assert place.mark(look=False) == changed


def test_large_files_are_told_when_they_are_read(place, monkeypatch, capsys):
    monkeypatch.setattr(contents, "TOLD_FROM_BYTES", 5)
    place.ingest()
    place.mark()
    told = capsys.readouterr().err
    assert "movie.bin: reading" in told
    assert "a.nwb" not in told
    place.mark()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"now": "x", "more": 1}'])
def test_a_damaged_note_is_no_note(place, text):
    place.ingest()
    note = place.memory / "marks" / "e" / "r.json"
    note.parent.mkdir(parents=True)
    note.write_text(text)
    assert place.mark() == ""


def test_where_nothing_can_be_kept_a_change_is_still_seen(place):
    place.ingest()
    place.memory.write_text("a file where the folder should be")
    place.write(place.nwb, b"two")
    assert place.mark() == place.mark() != ""


def test_a_record_of_another_version_is_left_to_its_reader(place):
    place.record.parent.mkdir(parents=True)
    place.record.write_bytes(b"no record")
    assert place.mark() == ""


def test_a_file_from_the_future_is_warned_about_and_counts_by_its_content(place, capsys):
    place.ingest()
    assert (place.mark(), capsys.readouterr().err) == ("", "")
    place.write(place.nwb, b"one", days=-1)
    assert place.mark() == ""
    told = capsys.readouterr().err
    assert told.startswith("WARNING a.nwb is dated in the future")
    assert told.count("\n") == 1
