"""A fit is the same whatever shares a job, and in whichever order parts are made and joined."""

from __future__ import annotations

import pytest

from pipeline import registry
from pipeline.core.rng import stream
from pipeline.io.records import read_digest, write_record
from pipeline.stages.fit import MethodJob, fit_parts, gather
from pipeline.stages.run_context import StageRun
from tests.support.quick_settings import QUICK_METHODS

SETTINGS = {
    "connectome": {"rank": "auto", "ranks": [1, 2], "n_rank_runs": 2, "n_surrogates": 2},
    "biclustering": {"n_chains": 2},
    "trsa": {},
    "celltypes": {},
}

pytestmark = pytest.mark.slow


def digests(folder, job, views, *, jobs_of, order):
    """Content of all parts and of what they are joined to."""
    run = StageRun(
        stage="fit",
        experiment="e",
        recording="" if job.spec.pools_recordings else "r",
        method=job.spec.name,
        on_error="raise",
    )
    made = []
    for names in job.config.rounds():
        outputs = [folder / "parts" / f"{part.name}.h5" for part in names]
        earlier = list(made)
        for batch in jobs_of(order(outputs)):
            fit_parts(run, job, views=views, outputs=batch, earlier=earlier)
        made += outputs
    gather(run, job, views=views, parts=order(made), output=folder / "fit.h5")
    return {path.name: read_digest(path) for path in sorted(folder.rglob("*.h5"))}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_parts_in_one_job_or_many_and_in_any_order_give_the_same_fit(tmp_path, name):
    found, _ = registry.methods()[name].room("simulate").simulate(stream(3, name), size="tiny")
    views = []
    for view in found if isinstance(found, tuple) else (found,):
        views.append(tmp_path / "views" / f"{view.recording}.h5")
        write_record(views[-1], view)
    job = MethodJob.of(name, settings={**QUICK_METHODS[name], **SETTINGS[name]}, seed=1)
    together = digests(
        tmp_path / "one", job, views, jobs_of=lambda outputs: [outputs], order=lambda each: each
    )
    apart = digests(
        tmp_path / "two",
        job,
        views,
        jobs_of=lambda outputs: [[output] for output in outputs],
        order=lambda each: each[::-1],
    )
    assert len(together) == len(job.config.plan()) + 1
    assert apart == together
