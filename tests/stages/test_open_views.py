"""Views as methods get them: short arrays in memory, long movies where they are."""

from __future__ import annotations

import numpy as np

from pipeline.core.method import MethodConfig, MethodSpec
from pipeline.core.outcome import Outcome
from pipeline.core.rng import stream
from pipeline.io.records import write_record
from pipeline.stages.fit import MethodJob
from tests.support.small_stimuli import planted_view


def test_a_long_movie_stays_in_its_file_and_what_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.io.records.IN_MEMORY_BYTES", 100_000)
    view, _ = planted_view(stream(0, "views"), 3, n_frames=1200)
    write_record(tmp_path / "one.h5", view)
    missing = Outcome(status="not_applicable", reason="no frames")
    write_record(tmp_path / "two.h5", missing)
    spec = MethodSpec(
        name="sixth",
        title="A sixth",
        citation="",
        needs="responses",
        pools_recordings=True,
        results_version=1,
        config=MethodConfig,
    )
    job = MethodJob(spec=spec, config=MethodConfig(), settings={}, seed=0)
    with job.open_views([tmp_path / "one.h5", tmp_path / "two.h5"]) as (found, other):
        assert not isinstance(found.stimulus, np.ndarray)
        np.testing.assert_array_equal(found.stimulus[700:900], view.stimulus[700:900])
        assert isinstance(found.responses, np.ndarray)
        np.testing.assert_array_equal(found.responses, view.responses)
        assert other.reason == "no frames"


def test_the_second_kind_of_view_serves_where_the_first_does_not_apply(tmp_path):
    from pipeline import registry
    from tests.methods.celltypes.test_trials import TUNING, view

    spec = registry.methods()["celltypes"]
    job = MethodJob(spec=spec, config=MethodConfig(), settings={}, seed=0)
    trials = view(np.random.default_rng(0), np.repeat([0, 1], 3), tuning=TUNING)
    none = Outcome(status="not_applicable", reason="No frames.")
    broken = Outcome(status="failed", reason="Broken.")
    files = {
        "responses": {"a": none, "b": none, "c": broken},
        "patterns": {"a": trials, "b": Outcome(status="not_applicable", reason="No trials.")},
    }
    paths = []
    for kind, of in files.items():
        for name in ("a", "b", "c"):
            paths.append(tmp_path / kind / f"{name}.h5")
            paths[-1].parent.mkdir(exist_ok=True)
            write_record(paths[-1], of.get(name, trials))
    with job.open_views(paths) as (found, neither, failed):
        np.testing.assert_array_equal(found.responses, trials.responses)
        assert (neither.status, neither.reason) == ("not_applicable", "No frames. No trials.")
        assert failed.status == "failed"  # a failure is not papered over
