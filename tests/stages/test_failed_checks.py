"""Where a check failed, what a method says it found is qualified."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Check, Section, qualified
from pipeline.io.documents import read_document
from pipeline.io.records import read_record, write_record
from pipeline.stages import assess
from pipeline.stages.fit import MethodJob
from pipeline.stages.run_context import StageRun

RUN = StageRun(stage="assess", experiment="e")

FOUND = "Two groups are there."
FAILED = Check(name="Convergence", status="fail", value="", threshold="", meaning="")
DOUBTED = dataclasses.replace(FAILED, name="Units used", status="warn")
PASSED = dataclasses.replace(FAILED, name="Calibration", status="pass")


@pytest.mark.parametrize("checks", [(), (PASSED,), (DOUBTED, PASSED)])
def test_a_finding_stands_as_it_is_while_no_check_failed(checks):
    assert qualified(FOUND, checks) == FOUND


def test_every_check_that_failed_is_named_before_the_finding():
    other = dataclasses.replace(FAILED, name="b: Convergence")
    assert qualified(FOUND, (FAILED, DOUBTED)) == (
        "Provisional, since the check 'Convergence' failed: " + FOUND
    )
    assert qualified(FOUND, (FAILED, other)).startswith(
        "Provisional, since the checks 'Convergence', 'b: Convergence' failed: "
    )


@pytest.mark.parametrize("name", registry.methods())
def test_the_section_of_every_method_is_qualified(name, monkeypatch, tmp_path):
    job = MethodJob.of(name, settings={}, seed=0)
    room = job.spec.room
    monkeypatch.setattr(assess, "read_record", lambda *_: "a result")
    monkeypatch.setattr(MethodJob, "open_views", lambda *_: nullcontext(("a view",)))
    monkeypatch.setattr(room("diagnostics"), "assess", lambda *_, **__: (DOUBTED, FAILED))
    monkeypatch.setattr(room("figures"), "figures", lambda *_, **__: ())
    monkeypatch.setattr(
        room("section"),
        "section",
        lambda _, checks, *__, **___: Section(
            id=name, title=name, status="warn", sentence=FOUND, checks=checks
        ),
    )
    assess.assess(
        RUN,
        job,
        recordings={},
        fits=[Path("a/fit.h5")],
        views=[],
        truths=[],
        checks=tmp_path / "checks.json",
        section=tmp_path / "section.json",
    )
    written = read_document(tmp_path / "section.json", Section)
    assert written.sentence == qualified(FOUND, (FAILED,))


def test_a_truth_in_an_older_form_costs_no_result(monkeypatch, tmp_path):
    older = tmp_path / "connectome.h5"
    write_record(older, Outcome(status="failed", reason="stands for an older form"))
    job = MethodJob.of("connectome", settings={}, seed=0)
    room = job.spec.room
    fits = tmp_path / "fit.h5"
    monkeypatch.setattr(
        assess,
        "read_record",
        lambda path, *kinds: "a result" if path == fits else read_record(path, *kinds),
    )
    monkeypatch.setattr(MethodJob, "open_views", lambda *_: nullcontext(("a view",)))
    seen = []
    monkeypatch.setattr(
        room("diagnostics"), "assess", lambda *_, truth: seen.append(truth) or (PASSED,)
    )
    monkeypatch.setattr(
        room("figures"), "figures", lambda *_, truth, names: seen.append(truth) or ()
    )
    monkeypatch.setattr(
        room("section"),
        "section",
        lambda _, checks, *__, **___: Section(
            id="connectome", title="Connectome", status="warn", sentence=FOUND, checks=checks
        ),
    )
    written = assess.assess(
        RUN,
        job,
        recordings={},
        fits=[fits],
        views=[],
        truths=[older],
        checks=tmp_path / "checks.json",
        section=tmp_path / "section.json",
    )
    assert seen == [None, None]
    assert written.sentence == FOUND
    told, other = written.checks
    assert (told.name, told.status, other) == ("Planted truth", "warn", PASSED)
    assert "it holds an Outcome" in told.meaning
