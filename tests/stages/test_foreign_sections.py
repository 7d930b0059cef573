"""A report shows no section of another experiment or method."""

from __future__ import annotations

import json

import pytest

from pipeline.agreement.config import AgreementConfig
from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section
from pipeline.io.documents import read_document, write_document
from pipeline.io.records import write_record
from pipeline.stages.agreement import agreement
from pipeline.stages.assess import assess
from pipeline.stages.fit import MethodJob
from pipeline.stages.report import method_section
from pipeline.stages.run_context import StageRun


@pytest.fixture
def stored(tmp_path):
    """What the stage writes about a method of experiment ``a``."""
    path, fit = tmp_path / "section.json", tmp_path / "fit.h5"
    write_record(fit, Outcome(status="not_applicable", reason="no traces"))
    assess(
        StageRun(stage="assess", experiment="a", method="connectome"),
        MethodJob.of("connectome", settings={}, seed=1),
        recordings={},
        fits=[fit],
        views=[],
        truths=[],
        checks=tmp_path / "checks.json",
        section=path,
    )
    return path


def test_a_section_is_that_of_its_experiment_and_method(stored):
    found = method_section("connectome", {"connectome": stored}, experiment="a")
    assert found.reason == "no traces"
    with pytest.raises(DataError, match=r"RN-R11.*belongs to experiment a, expected b"):
        method_section("connectome", {"connectome": stored}, experiment="b")
    with pytest.raises(DataError, match=r"RN-R11.*belongs to connectome, expected trsa"):
        method_section("trsa", {"trsa": stored}, experiment="a")


def test_a_method_that_is_switched_off_tells_so_by_its_code():
    found = method_section("trsa", {}, experiment="a")
    assert (found.status, found.failure) == ("not_applicable", {"code": "CF-K18"})
    assert found.reason == "switched off in the settings (methods.trsa.enabled)"


def test_a_section_that_was_made_to_fit_is_damaged(stored):
    document = json.loads(stored.read_text())
    stored.write_text(json.dumps({**document, "experiment": "b"}))
    with pytest.raises(EnvironmentFault, match="RN-R10"):
        read_document(stored, Section, experiment="b")


def test_a_section_that_does_not_tell_whose_it_is_is_read(tmp_path):
    section = Section(id="trsa", title="T", status="ok", sentence="Of before.")
    write_document(tmp_path / "section.json", section)
    assert read_document(tmp_path / "section.json", Section, experiment="a").sentence


def test_agreement_tells_whose_it_is(tmp_path):
    agreement(
        StageRun(stage="agreement", experiment="a"),
        recordings={},
        qualities={},
        fits={},
        halves={},
        truths=[],
        settings=AgreementConfig().model_dump(),
        seed=1,
        section=tmp_path / "section.json",
        table=tmp_path / "units.csv",
    )
    with pytest.raises(DataError, match="RN-R11"):
        read_document(tmp_path / "section.json", Section, experiment="b")
    lacking = read_document(tmp_path / "section.json", Section, experiment="a")
    assert (lacking.status, lacking.failure) == ("not_applicable", {"code": "ME-N02"})
