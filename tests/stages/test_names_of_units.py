"""Every method is told what units are called: by all recordings, whichever of them it took."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import pytest

from pipeline import registry
from pipeline.core.outcome import Outcome
from pipeline.core.parts import Section
from pipeline.core.unit_names import UnitNames
from pipeline.io.records import write_record
from pipeline.stages import assess
from pipeline.stages.fit import MethodJob
from pipeline.stages.run_context import StageRun
from tests.support.small_recordings import spikes


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two that were read, of which methods take the first, and one that was not."""
    folder = tmp_path_factory.mktemp("recordings")
    failed = Outcome(status="failed", reason="it is damaged")
    read = {name: dataclasses.replace(spikes(), id=name) for name in ("r1", "r2")}
    for name, record in {**read, "r3": failed}.items():
        write_record(folder / name / "recording.h5", record)
    paths = {name: folder / name / "recording.h5" for name in (*read, "r3")}
    return paths, UnitNames.of({name: record.units for name, record in read.items()})


@pytest.mark.parametrize("name", registry.methods())
def test_a_method_that_took_one_of_several_recordings_names_units_by_all(
    name, recordings, monkeypatch, tmp_path
):
    paths, names = recordings
    job = MethodJob.of(name, settings={}, seed=0)
    room = job.spec.room
    results = iter(["a result", *[Outcome(status="not_applicable", reason="no")] * 2])
    views = ["a view", *[Outcome(status="not_applicable", reason="no")] * 2]
    fits = [tmp_path / each / "fit.h5" for each in paths]
    monkeypatch.setattr(assess, "read_record", lambda *_: next(results))
    monkeypatch.setattr(MethodJob, "open_views", lambda *_: nullcontext(tuple(views)))
    monkeypatch.setattr(room("diagnostics"), "assess", lambda *_, **__: ())
    told = []
    monkeypatch.setattr(
        room("figures"), "figures", lambda *_, names, **__: told.append(names) or ()
    )
    monkeypatch.setattr(
        room("section"),
        "section",
        lambda *_, names: (
            told.append(names) or Section(id=name, title="", status="ok", sentence="")
        ),
    )
    assess.assess(
        StageRun(stage="assess", experiment="e"),
        job,
        recordings=paths,
        fits=fits[:1] if job.spec.pools_recordings else fits,
        views=[],
        truths=[],
        checks=tmp_path / "checks.json",
        section=tmp_path / "section.json",
    )
    assert told == [names, names]
    assert all(name.startswith(("r1:", "r2:")) for name in names.of_unit.values())
