"""A recording is stored, or what is wrong with it; strict leaves nothing to remarks."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.core.errors import DataError
from pipeline.core.notes import Note
from pipeline.core.outcome import Outcome
from pipeline.core.recording import Recording
from pipeline.io.documents import read_document
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.records import read_record
from pipeline.stages.ingest import Quality, ingest, refuse_remarks
from pipeline.stages.run_context import StageRun
from tests.support.nwb_factory import imaging_file, probe_file


@pytest.fixture
def ingested(tmp_path):
    """Runs the stage on a file; the record and the document it left."""

    def _ingested(path, *, strict=False, **options):
        output, quality = tmp_path / "out" / "recording.h5", tmp_path / "out" / "quality.json"
        ingest(
            StageRun(stage="ingest", experiment="e", recording="r"),
            nwb=path,
            options=dataclasses.asdict(ReadOptions(**options)),
            subject="",
            strict=strict,
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
