"""Where the sheet ruled views out, no parts are fitted, and the joining tells the view's reason."""

from __future__ import annotations

import pytest

from pipeline.core.outcome import Outcome
from pipeline.core.rng import stream
from pipeline.io.records import read_record, write_record
from pipeline.methods.connectome.result import ConnectomeResult
from pipeline.methods.connectome.simulate import simulate
from pipeline.stages.fit import MethodJob, gather
from pipeline.stages.run_context import StageRun

RUN = StageRun(stage="gather", experiment="e", method="connectome")


def test_the_reason_of_the_views_becomes_the_result(tmp_path):
    views = [tmp_path / "one.h5", tmp_path / "two.h5"]
    write_record(views[0], Outcome(status="not_applicable", reason="it has spikes"))
    write_record(views[1], Outcome(status="failed", reason="it cannot be read"))
    job = MethodJob.of("connectome", settings={}, seed=1)
    gather(RUN, job, views=views, parts=[], output=tmp_path / "fit.h5")
    found = read_record(tmp_path / "fit.h5", ConnectomeResult, Outcome)
    assert (found.status, found.reason) == ("failed", "it cannot be read")


def test_a_view_that_should_not_be_there_is_no_silent_loss(tmp_path):
    (view, *_), _ = simulate(stream(0, "no parts"), size="tiny")
    write_record(tmp_path / "view.h5", view)
    job = MethodJob.of("connectome", settings={}, seed=1)
    with pytest.raises(RuntimeError, match="no part"):
        gather(RUN, job, views=[tmp_path / "view.h5"], parts=[], output=tmp_path / "fit.h5")
    assert not (tmp_path / "fit.h5").exists()
