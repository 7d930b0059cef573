"""Records of failures are deleted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.outcome import Outcome
from pipeline.io.records import write_record
from pipeline.stages.forget import forget_failed
from pipeline.stages.run_context import failure_file

FAILED = Outcome(status="failed", reason="truncated")
UNFIT = Outcome(status="not_applicable", reason="spikes")


def test_recorded_failures_go_in_every_place_where_records_are(tmp_path):
    places = (
        "e/recordings/r/recording.h5",
        "e/views/ensemble-1/r.h5",
        "e/connectome/parts/restart-00.h5",
        "e/connectome/fit.h5",
    )
    for place in places:
        write_record(tmp_path / place, FAILED)
        failure_file(tmp_path / place).write_text("{}")
    forgotten = forget_failed(tmp_path, experiments=["e"])
    assert sorted(forgotten) == sorted(tmp_path / place for place in places)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_that_a_method_does_not_apply_is_a_result_and_stays(tmp_path):
    write_record(tmp_path / "e" / "connectome" / "fit.h5", UNFIT)
    assert forget_failed(tmp_path, experiments=["e"]) == ()


def test_a_damaged_record_goes(tmp_path):
    path = tmp_path / "e" / "connectome" / "fit.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    assert forget_failed(tmp_path, experiments=["e"]) == (path,)


def test_files_that_the_workflow_did_not_make_stay(tmp_path):
    places = ("movie.h5", "raw/session/scan.h5", "e/notes.h5", "other/connectome/fit.h5")
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"somebody's data")
    assert forget_failed(tmp_path, experiments=["e"]) == ()
    assert all((tmp_path / place).exists() for place in places)


def test_a_record_that_cannot_be_deleted_is_told_in_six_parts(tmp_path, monkeypatch):
    path = tmp_path / "e" / "connectome" / "fit.h5"
    write_record(path, FAILED)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(EnvironmentFault, match=r"RN-R26 .*make .*connectome writable"):
        forget_failed(tmp_path, experiments=["e"])
