"""A part of a fit that is interrupted goes on from what it left, and nothing else does."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import read_digest, write_record
from pipeline.methods.connectome.simulate import simulate
from pipeline.stages import fit
from pipeline.stages.fit import Checkpoints, MethodJob, fit_parts
from pipeline.stages.run_context import StageRun

SETTINGS = {"rank": 8, "n_starts": 2, "n_kept": 1, "tolerance": 1e-12, "max_iterations": 120}


def job_of(seed=1, **settings):
    return MethodJob.of("connectome", settings={**SETTINGS, **settings}, seed=seed)


@pytest.fixture
def views(tmp_path):
    found, _ = simulate(stream(0, "checkpoints"), size="tiny")
    paths = []
    for view in found:
        paths.append(tmp_path / "views" / f"{view.recording}.h5")
        write_record(paths[-1], view)
    return paths


def fit_into(folder, views, job=None):
    output = folder / "connectome" / "parts" / "restart-00.h5"
    run = StageRun(stage="fit", experiment="e", method="connectome", on_error="raise")
    fit_parts(run, job or job_of(), views=views, outputs=[output])
    return output


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.fixture
def interrupted(tmp_path, views, monkeypatch):
    """The folder of a fit that was ended right after its first checkpoint."""
    written = []

    def write(path, record):
        write_record(path, record)
        written.append(path)
        if len(written) == 1:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patched.setattr(fit, "write_record", write)
        with pytest.raises(Killed):
            fit_into(tmp_path / "broken", views)
    return tmp_path / "broken"


def left_in(folder):
    return sorted(path for path in (folder / "connectome").rglob("*") if path.is_file())


def test_a_part_goes_on_where_it_was_interrupted_to_the_same_bytes(
    tmp_path, views, interrupted, monkeypatch
):
    (checkpoint,) = left_in(interrupted)
    assert checkpoint.parent.name == "checkpoints"
    resumed = []
    left = Checkpoints._left
    monkeypatch.setattr(Checkpoints, "_left", lambda self: resumed.append(left(self)) or resumed[0])
    output = fit_into(interrupted, views)
    assert resumed[0].iteration == 25
    assert left_in(interrupted) == [output]
    monkeypatch.undo()
    assert read_digest(output) == read_digest(fit_into(tmp_path / "whole", views))


@pytest.mark.parametrize("other", [{"seed": 2}, {"rank": 3}])
def test_what_other_settings_left_is_not_gone_on_from(tmp_path, views, interrupted, other):
    job = job_of(**other)
    output = fit_into(interrupted, views, job)
    assert read_digest(output) == read_digest(fit_into(tmp_path / "whole", views, job))
    assert left_in(interrupted) == [output]


def test_a_damaged_checkpoint_is_no_reason_to_fail(tmp_path, views, interrupted, caplog):
    (checkpoint,) = left_in(interrupted)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-2000])
    output = fit_into(interrupted, views)
    assert "starting anew" in caplog.text
    assert read_digest(output) == read_digest(fit_into(tmp_path / "whole", views))


def test_the_name_of_a_checkpoint_tells_code_and_data_apart(tmp_path):
    known = Provenance(stage="fit", experiment="e", package_version="0", code_digest="a")
    names = {
        Checkpoints.of(job_of(), tmp_path / "parts" / "x.h5", one).path
        for one in (
            known,
            dataclasses.replace(known, code_digest="b"),
            dataclasses.replace(known, inputs={"view": "c"}),
            dataclasses.replace(known, settings={"rank": 3}),
        )
    }
    assert len(names) == 4
