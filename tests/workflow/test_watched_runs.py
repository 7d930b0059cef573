"""The judge of bad inputs sees what it should: otherwise its silence would mean nothing."""

from __future__ import annotations

import dataclasses
import json

import h5py
import numpy as np
import pytest

from pipeline.core.recording import Recording
from tests.support.bad_inputs import (
    Case,
    Ending,
    difference_of,
    faults_of,
    opens_of,
    read_cases,
    run_case,
)
from tests.support.nwb_factory import imaging_file
from tests.support.small_recordings import calcium, sampled, spikes

CASE = Case(
    id="here",
    level="content",
    file="content/a.nwb",
    modality="calcium",
    what="a case of this test",
    where="",
    expected="accept",
    also_ok=(),
    baseline=None,
    atol=None,
    mention=(),
    max_seconds=60.0,
    max_rss_mb=2048,
    needs=(),
)


@pytest.fixture
def case_set(tmp_path):
    """A set of one case, whose file is still to be made."""
    root = tmp_path / "set"
    (root / "content").mkdir(parents=True)
    cases = [dataclasses.asdict(CASE)]
    (root / "manifest.json").write_text(json.dumps({"format": 1, "cases": cases}))
    return root


@pytest.fixture
def ran(case_set, tmp_path):
    """Runs the case of the set."""

    def _ran(**changes):
        folder = tmp_path / "run"
        folder.mkdir()
        return run_case(dataclasses.replace(CASE, **changes), root=case_set, folder=folder)

    return _ran


def test_a_sound_file_is_accepted_without_a_fault(case_set, ran):
    imaging_file(case_set / CASE.file)
    ending = ran()
    assert (ending.outcome, ending.faults, ending.message) == ("accept", (), "")
    assert isinstance(ending.record, Recording)
    (case,) = read_cases(case_set)
    assert faults_of(case, ending, control=None) == []


def test_a_refused_file_ends_in_its_class_with_its_message(case_set, ran):
    (case_set / CASE.file).write_text("time,cell\n")
    ending = ran()
    assert (ending.outcome, ending.faults) == ("reject", ())
    assert ending.message.startswith("ERROR IN-F05 bad/case: a.nwb: ")


def test_a_missing_file_is_refused_before_any_job(ran):
    ending = ran()
    assert (ending.outcome, ending.faults) == ("reject", ())
    assert ending.message.startswith("ERROR IN-F01 ")


def test_what_is_opened_elsewhere_and_what_takes_too_much_is_seen(case_set, ran, tmp_path):
    imaging_file(tmp_path / "elsewhere.nwb")
    (case_set / CASE.file).symlink_to(tmp_path / "elsewhere.nwb")
    ending = ran(max_rss_mb=20, max_seconds=0.01)
    assert f"opened {tmp_path / 'elsewhere.nwb'}" in ending.faults
    assert any(fault.endswith("of 20 MB") for fault in ending.faults)
    assert any(fault.endswith("of 0 s") for fault in ending.faults)


def test_what_the_library_opens_is_seen(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = [1.0]
    with opens_of([tmp_path]) as opened:
        h5py.File(tmp_path / "secret.h5", "r").close()
    assert opened == [str(tmp_path / "secret.h5")]


def test_the_manifest_decides_over_outcome_and_words():
    case = dataclasses.replace(CASE, expected="warn", also_ok=("reject",), mention=("Gap",))
    told = Ending(outcome="reject", words="a gap of 3 s", faults=())
    assert faults_of(case, told, control=None) == []
    assert len(faults_of(case, dataclasses.replace(told, outcome="accept"), control=None)) == 1
    assert len(faults_of(case, dataclasses.replace(told, words="3 s"), control=None)) == 1
    assert faults_of(case, dataclasses.replace(told, faults=("x",)), control=None) == ["x"]


def test_arrays_are_compared_within_the_tolerance():
    one = calcium()
    moved = sampled(one.activity.values + np.float32(0.01), rate_hz=10.0)
    other = dataclasses.replace(one, activity=moved)
    assert difference_of(one, one, atol=0.0) == ""
    assert difference_of(one, other, atol=0.02) == ""
    assert difference_of(one, other, atol=0.005).startswith("values by up to 0.01")
    assert difference_of(one, calcium(2), atol=9.0).startswith("valid have shape")
    assert difference_of(one, spikes(), atol=9.0) == "the kind of activity"
    assert difference_of(spikes(), spikes(), atol=0.0) == ""
    case = dataclasses.replace(CASE, baseline="other", atol=0.0)
    ending = Ending(outcome="accept", words="", faults=(), record=one)
    assert "differs from other" in faults_of(case, ending, control=other)[0]
