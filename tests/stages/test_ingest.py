"""A recording is stored, or what is wrong with it; strict leaves nothing to remarks."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.quality import Quality
from pipeline.core.recording import Recording
from pipeline.core.rng import stream
from pipeline.io.documents import read_document
from pipeline.io.hashing import sha256_of
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import open_recording
from pipeline.io.records import read_record
from pipeline.prepare.config import QualityConfig
from pipeline.stages import ingest as ingest_stage
from pipeline.stages.ingest import ingest, ingest_apart, refuse_remarks
from pipeline.stages.run_context import ON_ERROR_VARIABLE, StageRun
from tests.io.nwb.test_nwb_image_files import movie, picture
from tests.support.needed import lacking
from tests.support.nwb_factory import DFF, PROVENANCE, edited, imaging_file, probe_file, transients


@pytest.fixture
def ingested(tmp_path):
    """Runs the stage on a file; the record and the document it left."""

    def _ingested(path, *, strict=False, limits=None, **options):
        output, quality = tmp_path / "out" / "recording.h5", tmp_path / "out" / "quality.json"
        ingest(
            StageRun(stage="ingest", experiment="e", recording="r"),
            nwb=path,
            options=dataclasses.asdict(ReadOptions(**options)),
            subject="",
            strict=strict,
            limits=limits or QualityConfig().model_dump(),
            output=output,
            quality=quality,
        )
        return read_record(output, Recording, Outcome), read_document(quality, Quality)

    return _ingested


def remark(code, kind):
    return Note(code=code, kind=kind, place=f"/at/{code}", text=f"Text of {code}.")


def test_a_sound_file_passes_strictly(ingested, tmp_path):
    record, quality = ingested(imaging_file(tmp_path / "a.nwb"), strict=True)
    assert isinstance(record, Recording)
    assert [note.kind for note in quality.notes if note.kind != "info"] == []


def test_a_remark_is_one_line_on_the_console_and_in_the_log(ingested, tmp_path, capsys, caplog):
    path = probe_file(tmp_path / "a.nwb", observed=((0.0, 4.0),))
    ingested(path)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "IN-S07" in line]
    assert line.startswith("WARNING IN-S07 e/r: a.nwb: /units/spike_times: ")
    assert line in caplog.messages


def test_strict_refuses_what_is_otherwise_warned_about(ingested, tmp_path):
    path = probe_file(tmp_path / "a.nwb", observed=((0.0, 4.0),))
    record, quality = ingested(path)
    assert isinstance(record, Recording)
    assert "IN-S07" in {note.code for note in quality.notes if note.kind == "warn"}
    refused, quality = ingested(path, strict=True)
    assert isinstance(refused, Outcome)
    first = next(note for note in quality.notes if note.kind != "info")
    assert refused.failure["code"] == first.code
    assert refused.failure["place"] == first.place
    assert first.text.rstrip(".") in str(refused.failure["found"])
    assert "strict: false" in str(refused.failure["fix"])
    assert quality.n_units == 0


def test_strict_counts_every_remark_and_takes_no_note_of_information():
    info, warn = remark("IN-C17", "info"), remark("IN-S07", "warn")
    repair = remark("IN-S06", "repair")
    refuse_remarks(())
    refuse_remarks((info,))
    with pytest.raises(DataError) as caught:
        refuse_remarks((info, warn))
    assert caught.value.found == "Text of IN-S07 (strict: 1 remark)"
    with pytest.raises(DataError) as caught:
        refuse_remarks((info, repair, warn, warn))
    error = caught.value
    assert (error.code, error.place, error.exit_code) == ("IN-S06", "/at/IN-S06", 3)
    assert error.found == "Text of IN-S06 (strict: 3 remarks, also IN-S07)"


def test_quality_tells_what_was_used_and_how_each_unit_was_graded(ingested, tmp_path):
    record, quality = ingested(imaging_file(tmp_path / "a.nwb"))
    assert quality.verdict == "accept"
    assert (quality.n_units, quality.n_used) == (len(record.units), len(record.units))
    assert quality.grades.units["unit_id"] == tuple(record.units["unit_id"])
    assert all(value > 1 for value in quality.grades.units["skew"])
    assert quality.reasons == {}


def test_a_constant_trace_is_a_repair_that_strict_refuses(ingested, tmp_path):
    samples = transients()
    samples[:, 1] = 0.5
    path = imaging_file(tmp_path / "a.nwb", samples)
    record, quality = ingested(path)
    assert quality.verdict == "repair"
    assert (quality.n_used, quality.reasons) == (len(record.units) - 1, {"constant trace": 1})
    refused, quality = ingested(path, strict=True)
    assert refused.failure["code"] == "IN-C06"
    assert quality.verdict == "reject"


def test_limits_on_units_reach_the_grades(ingested, tmp_path):
    samples = transients()
    samples[3, 2] = np.nan
    path = imaging_file(tmp_path / "a.nwb", samples)
    record, quality = ingested(path)
    assert quality.n_used == quality.n_units
    record, quality = ingested(path, limits=QualityConfig(max_missing=0.0).model_dump())
    assert quality.n_used == quality.n_units - 1
    assert "are missing" in record.units["reason"][2]


def test_a_file_without_any_variation_is_refused_in_six_parts(ingested, tmp_path):
    record, quality = ingested(imaging_file(tmp_path / "a.nwb", 0 * transients()))
    assert isinstance(record, Outcome)
    assert record.failure["code"] == "IN-C07"
    assert "RoiResponseSeries" in str(record.failure["place"])
    assert "constant" in str(record.failure["found"])
    assert quality.verdict == "reject"


def test_a_file_that_changes_while_it_is_read_is_refused(ingested, tmp_path, monkeypatch):
    path = imaging_file(tmp_path / "a.nwb")

    def written_to(nwb, memory):
        with nwb.open("ab") as file:
            file.write(b"more")
        return "0" * 64

    monkeypatch.setattr("pipeline.stages.ingest.remembered_sha256", written_to)
    record, _ = ingested(path)
    assert isinstance(record, Outcome)
    assert record.failure["code"] == "IN-F28"
    assert "changed while it was read" in record.reason


def filled_file(path, samples, *, packed):
    """The imaging session with other samples, as they are or packed by gzip."""
    with edited(imaging_file(path, trials=())) as file:
        attributes = dict(file[f"{DFF}/data"].attrs)
        del file[f"{DFF}/data"]
        how = {"chunks": True, "compression": "gzip"} if packed else {}
        file.create_dataset(f"{DFF}/data", data=samples, **how).attrs.update(attributes)
    return path


def noise(n_frames=40_000):
    return stream(1, "noise").normal(size=(n_frames, 4))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["noise", "steps", "blinks"])
def test_a_record_takes_no_less_than_what_is_asked_of_the_disk(ingested, tmp_path, kind, packed):
    samples = {
        "noise": noise(),  # in double precision, of which half is kept
        "steps": np.repeat(noise(100), 400, axis=0),
        "blinks": (noise() > 3.5).astype(np.float32),
    }[kind]
    path = filled_file(tmp_path / "a.nwb", samples, packed=packed)
    with open_recording(
        path, recording="r", options=ReadOptions(), provenance=PROVENANCE
    ) as reading:
        least = reading.least_bytes
    ingested(path)
    with h5py.File(tmp_path / "out" / "recording.h5") as file:
        stored = file["activity/values"].id.get_storage_size()
    assert least <= stored
    assert kind != "noise" or least > 0.4 * stored


def test_a_disk_without_room_is_refused_before_anything_is_read(ingested, tmp_path, monkeypatch):
    path = filled_file(tmp_path / "a.nwb", noise(), packed=True)
    ingested(path)
    before = (tmp_path / "out" / "recording.h5").read_bytes()
    nearly_full = SimpleNamespace(total=10**9, used=0, free=10**5)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: nearly_full)
    monkeypatch.setattr("pipeline.io.nwb.samples.Samples.piece", None)
    with pytest.raises(
        EnvironmentFault, match=r"RN-R26.*recording\.h5.*there is no room: at least"
    ):
        ingested(path)
    assert (tmp_path / "out" / "recording.h5").read_bytes() == before  # what was there stays


@pytest.mark.skipif(os.geteuid() != 0, reason="only the user root may make a small disk")
def test_a_small_disk_is_seen_to_be_too_small(ingested, tmp_path):
    path = filled_file(tmp_path / "a.nwb", noise(450_000), packed=True)
    out = tmp_path / "out"
    out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", out], check=False)
    if mounted.returncode:
        lacking("this machine lets nobody mount a small disk")
    try:
        with pytest.raises(EnvironmentFault, match=r"RN-R26.*and 2\.\d+ MB are free"):
            ingested(path)
        assert list(out.iterdir()) == []
    finally:
        subprocess.run(["umount", out], check=True)


@pytest.fixture
def crashing(monkeypatch):
    """In the midst of writing the record, the process ends as it does where no memory is."""

    def crash(*arguments, **how):
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(60)

    monkeypatch.setattr("pipeline.stages.ingest.grade_units", crash)


def ingest_in_its_process(path, folder):
    ingest_apart(
        StageRun(stage="ingest", experiment="e", recording="r"),
        nwb=path,
        options=dataclasses.asdict(ReadOptions()),
        subject="",
        strict=False,
        limits=QualityConfig().model_dump(),
        output=folder / "recording.h5",
        quality=folder / "quality.json",
    )


def test_a_file_that_crashes_the_library_is_a_recorded_failure(tmp_path, crashing, capfd):
    path, folder = imaging_file(tmp_path / "a.nwb"), tmp_path / "out"
    ingest_in_its_process(path, folder)
    record = read_record(folder / "recording.h5", Recording, Outcome)
    assert (record.status, record.failure["code"]) == ("failed", "IN-F04")
    assert "Segmentation fault" in record.failure["found"]
    assert read_document(folder / "quality.json", Quality).verdict == "reject"
    assert sorted(left.name for left in folder.iterdir()) == ["quality.json", "recording.h5"]
    assert "ERROR IN-F04 e/r: a.nwb: /: " in capfd.readouterr().err


def test_a_crash_ends_the_run_where_the_settings_say_so(tmp_path, crashing, monkeypatch):
    monkeypatch.setenv(ON_ERROR_VARIABLE, "raise")
    with pytest.raises(DataError, match="IN-F04"):
        ingest_in_its_process(imaging_file(tmp_path / "a.nwb"), tmp_path / "out")


def test_a_process_of_its_own_leaves_the_same_record(ingested, tmp_path):
    path = imaging_file(tmp_path / "a.nwb")
    ingested(path)
    ingest_in_its_process(path, tmp_path / "apart")
    for name in ("recording.h5", "quality.json"):
        assert (tmp_path / "apart" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_files_beside_a_recording_are_inputs_by_their_checksums(ingested, tmp_path, monkeypatch):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    names = [f"{number}.png" for number in range(3)]
    for number, name in enumerate(names):
        picture(tmp_path / name, pixels + np.uint8(number))
    path = movie(tmp_path / "a.nwb", names, starting_frame=[0, 1, 2], num_samples=3)
    inputs = ingested(path)[0].provenance.inputs
    assert inputs == {name: sha256_of(tmp_path / name) for name in ("a.nwb", *names)}
    monkeypatch.setattr(ingest_stage, "MAX_FILES_BESIDE", 2)
    together = dict(ingested(path)[0].provenance.inputs)
    assert set(together) == {"a.nwb", "3 files that it names"}
    picture(tmp_path / names[1], pixels)
    changed = dict(ingested(path)[0].provenance.inputs)
    assert changed["a.nwb"] == together["a.nwb"]
    assert changed["3 files that it names"] != together["3 files that it names"]


def test_units_and_their_grades_are_a_table_for_people(ingested, tmp_path):
    samples = transients()
    samples[:, 1] = 0.5
    record, quality = ingested(imaging_file(tmp_path / "a.nwb", samples))
    path = tmp_path / "out" / "units.tsv"
    table = pd.read_csv(path, sep="\t", dtype={"unit_id": str}, keep_default_na=False)
    assert list(table)[: len(record.units.columns)] == list(record.units)
    assert list(table["unit_id"]) == list(record.units["unit_id"])
    assert list(table["good"]) == [unit != 1 for unit in range(len(table))]
    assert table["reason"][1] == "constant trace"
    skew = [float(cell) if cell else None for cell in table["skew"].astype(str)]
    assert skew == list(quality.grades.units["skew"])
    ingested(imaging_file(tmp_path / "b.nwb", 0 * transients()))
    assert not path.exists(), "the table of another recording stays beside a failure"


@pytest.mark.parametrize("beside", ["pipe", "folder", "text", "broken"])
def test_what_is_no_recording_beside_one_is_neither_read_nor_hashed(ingested, tmp_path, beside):
    path, other = imaging_file(tmp_path / "a.nwb"), tmp_path / "other.h5"
    if beside == "pipe":
        os.mkfifo(other)
    elif beside == "folder":
        other.mkdir()
    else:
        other.write_bytes({"text": b"id,name\n", "broken": path.read_bytes()[:9000]}[beside])
    with edited(path) as file:
        file["/acquisition/other"] = h5py.ExternalLink("other.h5", "/")
    record, quality = ingested(path)
    assert set(record.provenance.inputs) == {"a.nwb"}
    (told,) = [note for note in quality.notes if note.kind == "warn"]
    assert told.place == "/acquisition/other"


def test_a_film_that_is_a_pipe_is_told_and_not_waited_for(ingested, tmp_path):
    path = movie(tmp_path / "a.nwb", ["film.avi"])
    os.mkfifo(tmp_path / "film.avi")
    record, quality = ingested(path)
    assert set(record.provenance.inputs) == {"a.nwb"}
    assert not record.stimuli
    (told,) = [note for note in quality.notes if note.place == "/stimulus/presentation/film"]
    assert (told.code, told.kind) == ("IN-F07", "warn")
    assert "a named pipe" in told.text
