"""A run is refused before its first job when it could not keep what it makes."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.io.claims import Claim
from pipeline.stages.claims import killed_jobs
from pipeline.stages.run import check_writable, exit_codes_of_jobs
from pipeline.stages.run_context import RUN_VARIABLE, StageRun


def test_a_results_folder_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "a" / "b é")
    assert list((tmp_path / "a" / "b é").iterdir()) == []


def test_results_below_a_file_are_refused_in_six_parts(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFault, match=r"RN-R26 .*Not a directory.*setting 'out'"):
        check_writable(tmp_path / "file" / "results")
    with pytest.raises(EnvironmentFault, match=r"RN-R26 .*File exists"):
        check_writable(tmp_path / "file")


def test_what_ended_jobs_of_this_run_tells_its_class(tmp_path, monkeypatch):
    full = EnvironmentFault(code="RN-R26", found="the disk is full", fix="make room")
    lacking = DataError(code="IN-C01", found="there is no activity", fix="name another file")

    def left(*, run, stage, error):
        monkeypatch.setenv(RUN_VARIABLE, run)
        output = tmp_path / "e" / run / stage / "made.h5"
        StageRun(stage=stage, experiment="e", outputs=(output,)).keep_failure(error)

    left(run="before", stage="fit", error=full)
    assert list(exit_codes_of_jobs(tmp_path, run="now")) == []
    left(run="now", stage="fit", error=lacking)
    assert list(exit_codes_of_jobs(tmp_path, run="now")) == [1]
    left(run="now", stage="ingest", error=lacking)
    left(run="now", stage="index", error=full)
    assert sorted(exit_codes_of_jobs(tmp_path, run="now")) == [1, 3, 5]


def test_jobs_that_ended_without_a_word_are_told_as_killed(tmp_path):
    lives = dataclasses.replace(Claim.mine(), since="2026-01-01T12:00:00+00:00")
    dead = dataclasses.replace(lives, began="1")
    earlier = dataclasses.replace(dead, since="2026-01-01T11:59:59+00:00")
    folder = tmp_path / "logs" / "e"
    folder.mkdir(parents=True)
    for name, claim in (("lives", lives), ("trsa_gather", dead), ("earlier", earlier)):
        (folder / f"{name}.at-work.json").write_text(json.dumps(dataclasses.asdict(claim)))
    (fault,) = killed_jobs(tmp_path, since=lives.since)
    assert str(fault).startswith(f"ERROR RN-R03 e: {folder}/trsa_gather.log: ")
    assert "exit 137" in str(fault)
    assert fault.exit_code == 5
