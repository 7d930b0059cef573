"""Faults become outcomes, defects keep their traceback, the environment's faults are raised."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.core.errors import DataError, EnvironmentFault, NotApplicable
from pipeline.io.records import read_digest, write_record
from pipeline.stages.machine import COMMIT_VARIABLE
from pipeline.stages.run_context import (
    ON_ERROR_VARIABLE,
    RUN_VARIABLE,
    Progress,
    StageRun,
    run_id,
    stage_run,
)
from tests.support import records


@pytest.fixture
def run():
    return StageRun(stage="fit", experiment="e", recording="r")


def test_a_reason_why_a_method_does_not_apply_is_no_failure(run):
    outcome = run.outcome_of(NotApplicable("2 units, and 3 are needed"))
    assert (outcome.status, outcome.reason) == ("not_applicable", "2 units, and 3 are needed")
    assert outcome.failure == {"code": "ME-N02"}


def test_a_reason_names_the_log_of_the_job_that_found_it(run, tmp_path):
    of_job = dataclasses.replace(run, log=tmp_path / "logs" / "e" / "trsa_gather.log")
    failure = of_job.outcome_of(NotApplicable("no trials")).failure
    assert failure == {"code": "ME-N02", "log": "logs/e/trsa_gather.log"}


def test_a_fault_of_the_data_is_recorded_with_its_six_parts(run, capsys):
    error = DataError(code="IN-F02", place="/", found="file is empty", fix="transfer it again")
    outcome = run.outcome_of(error, file="a.nwb")
    assert outcome.status == "failed"
    assert outcome.failure == {
        "code": "IN-F02",
        "experiment": "e/r",
        "file": "a.nwb",
        "place": "/",
        "found": "file is empty",
        "fix": "transfer it again",
    }
    assert "ERROR IN-F02 e/r: a.nwb: /: file is empty. Fix: transfer" in capsys.readouterr().err


def test_what_numerical_code_refuses_is_a_fault_of_the_data(run):
    outcome = run.outcome_of(ValueError("3 of 5 values are not finite."))
    assert outcome.failure["code"] == "ME-N01"
    assert outcome.failure["found"] == "3 of 5 values are not finite"


def test_a_defect_of_ours_is_recorded_and_its_traceback_is_in_the_log(run, caplog):
    with caplog.at_level(logging.ERROR):
        try:
            {}["gone"]
        except KeyError as error:
            outcome = run.outcome_of(error)
    assert outcome.failure["code"] == "RN-D01"
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        EnvironmentFault(code="RN-R26", found="disk is full", fix="make room"),
        MemoryError(),
        OSError(28, "no space left"),
    ],
)
def test_faults_of_the_environment_are_raised_so_that_the_scheduler_tries_again(run, error):
    with pytest.raises(type(error)):
        run.outcome_of(error)


def test_the_setting_raise_stops_at_the_first_fault(monkeypatch):
    monkeypatch.setenv(ON_ERROR_VARIABLE, "raise")
    with pytest.raises(ValueError, match="bad"):
        StageRun(stage="fit", experiment="e").outcome_of(ValueError("bad"))


def test_a_stage_ends_with_the_exit_code_of_its_error_and_the_log_says_so(run, tmp_path, capsys):
    error = EnvironmentFault(code="RN-R26", found="disk is full", fix="make room")
    log = tmp_path / "logs" / "fit.log"
    with pytest.raises(SystemExit) as ended, stage_run(run, log=log, outputs=[]):
        raise error
    assert ended.value.code == 5
    assert log.read_text().rstrip().endswith("(exit 5)")
    assert "Traceback" not in capsys.readouterr().err


def test_facts_of_the_run_lie_beside_the_result(run, tmp_path):
    output = tmp_path / "fit.h5"
    with stage_run(run, log=tmp_path / "fit.log", outputs=[output]):
        output.write_text("result")
    facts = json.loads((tmp_path / "fit.run.json").read_text())
    assert facts["stage"] == "fit"
    assert facts["seconds"] >= 0
    assert facts["peak_memory_mb"] > 1
    assert {"processor", "memory_of_host_mb", "cores_of_host"} <= set(facts)
    assert facts["outputs"] == ["fit.h5"]


def test_facts_tell_the_code_the_device_and_what_a_file_was_made_of(run, tmp_path, monkeypatch):
    monkeypatch.setenv(COMMIT_VARIABLE, '{"commit": "c0ffee", "changed_since_commit": false}')
    fit, table = tmp_path / "e" / "fit.h5", tmp_path / "e" / "parts" / "units.csv"
    (tmp_path / "e" / "parts").mkdir(parents=True)
    made = records.calcium()
    on_a_card = dataclasses.replace(made.provenance, device="cuda (a card)")
    with stage_run(run, log=None, outputs=[fit]):
        write_record(fit, dataclasses.replace(made, provenance=on_a_card))
    facts = json.loads((tmp_path / "e" / "fit.run.json").read_text())
    assert (facts["commit"], facts["device"]) == ("c0ffee", "cuda (a card)")
    assert facts["inputs"] == made.provenance.inputs
    of_fit = dataclasses.replace(run, inputs=(fit,), settings={"seed": 3})
    with stage_run(of_fit, log=None, outputs=[table, fit.with_name("checks.json")]):
        pass
    facts = json.loads((tmp_path / "e" / "parts" / "units.run.json").read_text())
    assert facts["inputs"] == {"../fit.h5": read_digest(fit)}
    assert facts["outputs"] == ["units.csv", "../checks.json"]
    assert facts["settings"] == {"seed": 3}


def test_a_failure_is_told_beside_the_result_that_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setenv(RUN_VARIABLE, run_id({"seed": 1}))
    output, log = tmp_path / "out" / "fit.h5", tmp_path / "logs" / "e" / "fit.log"
    error = EnvironmentFault(code="RN-R26", found="disk is full", fix="make room", file="fit.h5")
    with pytest.raises(SystemExit), stage_run(run, log=log, outputs=[output]):
        raise error
    told = json.loads((tmp_path / "out" / "fit.failure.json").read_text())
    parts = {"code": "RN-R26", "experiment": "e/r", "file": "fit.h5", "place": "-"}
    parts |= {"found": "disk is full", "fix": "make room"}
    assert parts.items() <= told.items()
    assert told["message"] == str(error.at(experiment="e/r"))
    assert (told["exit_code"], told["stage"], told["recording"]) == (5, "fit", "r")
    assert told["log"] == "logs/e/fit.log"
    assert told["run"].endswith(f"Z-{told['settings_digest']}")
    assert len(told["settings_digest"]) == 12
    assert told["peak_memory_mb"] > 1
    assert {"host", "finished", "seconds", "package_version"} <= set(told)
    with stage_run(run, log=log, outputs=[output]):
        assert not (tmp_path / "out" / "fit.failure.json").exists(), "it is told before it happens"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fit.run.json"]


def test_a_recorded_failure_is_told_beside_its_record_and_names_the_log(run, tmp_path):
    error = DataError(code="IN-F02", place="/", found="file is empty", fix="transfer it again")
    parts = [tmp_path / f"part-{number}.h5" for number in range(2)]
    with stage_run(run, log=tmp_path / "logs" / "e" / "fit.log", outputs=parts) as known:
        outcome = known.outcome_of(error, file="a.nwb", output=parts[1])
    assert outcome.failure["log"] == "logs/e/fit.log"
    told = json.loads((tmp_path / "part-1.failure.json").read_text())
    assert (told["code"], told["file"], told["exit_code"]) == ("IN-F02", "a.nwb", 3)
    assert not (tmp_path / "part-0.failure.json").exists()


def test_what_is_raised_again_names_recording_and_file_too(run):
    error = EnvironmentFault(code="IN-F24", found="it is being written", fix="wait")
    with pytest.raises(EnvironmentFault, match=r"IN-F24 e/r: a\.nwb: -: it is being written"):
        run.outcome_of(error, file="a.nwb")


def test_a_defect_is_told_too_and_still_raised(run, tmp_path):
    with pytest.raises(KeyError), stage_run(run, log=None, outputs=[tmp_path / "fit.h5"]):
        {}["gone"]
    told = json.loads((tmp_path / "fit.failure.json").read_text())
    assert (told["code"], told["exit_code"]) == ("RN-D01", 1)


def test_a_failure_that_cannot_be_told_hides_nothing(run, tmp_path, capsys):
    error = EnvironmentFault(code="RN-R26", found="disk is full", fix="make room")
    stage = stage_run(run, log=None, outputs=[tmp_path / "gone" / "f.h5"])
    (tmp_path / "gone").write_text("a file where a folder should be")
    with pytest.raises(SystemExit) as ended, stage:
        raise error
    assert ended.value.code == 5
    assert "RN-R26" in capsys.readouterr().err


def test_a_missing_package_is_no_defect_and_fails_what_needs_it(run, tmp_path):
    def fit():
        import no_such_package  # noqa: F401

    try:
        fit()
    except ImportError as error:
        outcome = run.outcome_of(error)
    assert outcome.failure["code"] == "RN-R17"
    assert "no_such_package" in outcome.failure["found"]
    assert "--setup" in outcome.failure["fix"]
    with pytest.raises(SystemExit) as ended, stage_run(run, log=None, outputs=[]):
        fit()
    assert ended.value.code == 5


def test_a_module_of_ours_that_is_missing_is_a_defect(run):
    with pytest.raises(ImportError) as caught:
        import pipeline.gone  # noqa: F401
    assert run.outcome_of(caught.value).failure["code"] == "RN-D01"


def test_peak_memory_counts_what_was_given_back():
    code = """
import numpy as np
from pipeline.stages.run_context import peak_memory_mb
before = peak_memory_mb()
np.ones(2**25).sum()  # 256 MiB
print(before, peak_memory_mb())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    before, after = map(int, done.stdout.split())
    assert before + 200 <= after <= before + 400


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
def test_peak_memory_of_a_job_is_not_that_of_the_process_that_started_it():
    held = np.ones(2**27)  # 1 GiB
    code = """
import resource
from pipeline.stages.run_context import peak_memory_mb
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, peak_memory_mb())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    handed_down, own = map(int, done.stdout.split())
    assert held.nbytes >> 20 <= handed_down, "the trap is gone: getrusage would do"
    assert own < 700


def test_progress_is_told_seldom_but_always_at_the_end(caplog):
    progress = Progress("e")
    with caplog.at_level(logging.INFO):
        for done in range(1, 1001):
            progress(done, 1000)
    assert len(caplog.records) == 1
    assert "1000 of 1000" in caplog.text


@pytest.mark.parametrize(("first", "before_s"), [(1, 600.0), (901, 0.0)])
def test_what_is_left_is_reckoned_without_what_came_before(caplog, monkeypatch, first, before_s):
    # A long search before the first step, or a chain that goes on from its 900th.
    clock = iter([0.0, before_s, *(before_s + 20.0 * step for step in range(1, 6))])
    monkeypatch.setattr("pipeline.stages.run_context.time.monotonic", lambda: next(clock))
    progress = Progress("e")
    with caplog.at_level(logging.INFO):
        for done in range(first, first + 6):
            progress(done, 1000)
    assert f"about {20 * (1000 - first - 5)} s left" in caplog.records[-1].message


@pytest.mark.parametrize(
    ("error", "code", "found"),
    [
        (
            MemoryError("Unable to allocate 7.28 TiB for an array"),
            "RN-R03",
            r"\(Unable to allocate 7.28 TiB for an array\): \d+ MB .* this job has \d+ MB",
        ),
        (FileNotFoundError(2, "No such file or directory", "views/a.h5"), "RN-R04", "No such file"),
    ],
)
def test_what_the_machine_refuses_ends_in_a_message_of_its_class(
    run, error, code, found, tmp_path, capsys
):
    log = tmp_path / "fit.log"
    with pytest.raises(SystemExit) as ended, stage_run(run, log=log, outputs=[]):
        raise error
    assert ended.value.code == 5
    shown = capsys.readouterr().err
    assert shown.startswith(f"ERROR {code} e/r: ")
    assert re.search(found, shown)
    assert " Fix: " in shown
    assert "Traceback" not in shown + log.read_text()


def test_a_stage_does_not_begin_on_a_full_disk(run, tmp_path, monkeypatch, capsys):
    output = tmp_path / "result.json"
    full = SimpleNamespace(total=10**9, used=10**9, free=2**16)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: full)
    with pytest.raises(SystemExit) as ended, stage_run(run, log=None, outputs=[output]):
        raise AssertionError("it began")
    assert ended.value.code == 5
    told = capsys.readouterr().err
    assert "ERROR RN-R26 e/r: " in told
    assert "there is no room: at least 0.131 MB are to be written, and 0.0655 MB are free" in told
    assert json.loads(output.with_suffix(".failure.json").read_text())["exit_code"] == 5
