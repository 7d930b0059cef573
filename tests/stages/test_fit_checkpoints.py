"""A part of a fit that is interrupted goes on from what it left, and nothing else does."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import read_digest, write_record
from pipeline.methods.connectome.simulate import simulate
from pipeline.stages import checkpoints
from pipeline.stages.checkpoints import Checkpoints
from pipeline.stages.fit import MethodJob, fit_parts, gather
from pipeline.stages.run_context import StageRun

ROOT = Path(__file__).resolve().parents[2]
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


def outputs_in(folder, *names):
    return [folder / "connectome" / "parts" / f"{name}.h5" for name in names]


def fit_into(folder, views, job=None, names=("restart-00",)):
    outputs = outputs_in(folder, *names)
    run = StageRun(stage="fit", experiment="e", method="connectome", on_error="raise")
    fit_parts(run, job or job_of(), views=views, outputs=outputs)
    return outputs[0]


class Killed(BaseException):
    """What ends a process in the middle."""


@pytest.fixture
def interrupted(tmp_path, views, monkeypatch):
    """The folder of a fit that was ended right after the checkpoint of its 25th iteration."""

    def write(path, record):
        if record.fits[0].iteration == 25:
            write_record(path, record)
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patched.setattr(checkpoints, "WORK_BETWEEN_CHECKPOINTS", 0.0)
        patched.setattr(checkpoints, "write_record", write)
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
    assert resumed[0].fits[0].iteration == 25
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
        Checkpoints.of(None, tmp_path / "parts" / "x.h5", one).path
        for one in (
            known,
            dataclasses.replace(known, code_digest="b"),
            dataclasses.replace(known, inputs={"view": "c"}),
            dataclasses.replace(known, settings={"rank": 3}),
        )
    }
    assert len(names) == 4


def test_parts_that_were_finished_stay_when_their_job_is_ended(tmp_path, views, monkeypatch):
    folder, names = tmp_path / "broken", ("surrogate-000", "surrogate-001")
    write, written = checkpoints.Checkpoints.finish, []

    def finish(self, output):
        write(self, output)
        written.append(output)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "finish", finish)
        with pytest.raises(Killed):
            fit_into(folder, views, names=names)
    (first,) = written
    digest = read_digest(first)
    first.unlink()  # as Snakemake does with what a job left that was ended
    (kept,) = left_in(folder)
    taken = kept.stat().st_ino
    fit_into(folder, views, names=names)
    assert first.stat().st_ino == taken
    assert read_digest(first) == digest
    assert left_in(folder) == outputs_in(folder, *names)


STAGE = """
import os, signal, sys, time
from pathlib import Path
from pipeline.stages.checkpoints import Checkpoints
from pipeline.stages.fit import MethodJob, fit_parts
from pipeline.stages.run_context import StageRun, stage_run
from tests.stages.test_fit_checkpoints import job_of, outputs_in

{signal}

folder, *views = map(Path, sys.argv[1:])
run = StageRun(stage="fit", experiment="e", method="connectome")
outputs = outputs_in(folder, "restart-00")
with stage_run(run, log=folder / "fit.log", outputs=outputs):
    fit_parts(run, job_of(), views=views, outputs=outputs)
"""
IN_THE_MIDST = """
keep, seen = Checkpoints._keep, []

def keep_when_asked_to_end(self, state):
    seen.append(state)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    keep(self, state)

Checkpoints._keep = keep_when_asked_to_end
"""
BEFORE_THE_FIRST_CHECKPOINT = """
def search_for_long(self):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(100)

Checkpoints.arguments = search_for_long
"""


def ended(folder, views, signalled):
    """Exit code and names of the files of a fit to which the scheduler's signal comes."""
    done = subprocess.run(
        [sys.executable, "-c", STAGE.format(signal=signalled), folder, *views],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        timeout=90,
        check=False,
    )
    return done.returncode, sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_termination_leaves_a_checkpoint_from_which_the_next_run_goes_on(tmp_path, views):
    folder = tmp_path / "ended"
    code, names = ended(folder, views, IN_THE_MIDST)
    assert code == 128 + signal.SIGTERM
    assert "asked to end, after 2 steps of this attempt" in (folder / "fit.log").read_text()
    assert [name for name in names if name.startswith("restart-00.") and name.endswith(".h5")]
    assert [name for name in names if "tmp" in name or "at-work" in name] == []
    assert not outputs_in(folder, "restart-00")[0].exists()
    assert read_digest(fit_into(folder, views)) == read_digest(fit_into(tmp_path / "whole", views))


JOINING = """
import os, signal, sys
from pathlib import Path
from pipeline.stages.checkpoints import Checkpoints
from pipeline.stages.run_context import StageRun, stage_run
from tests.stages.test_fit_checkpoints import join_in

keep, kept = Checkpoints._keep, []

def keep_when_asked_to_end(self, state):
    if self.path.name.startswith("joining"):
        kept.append(state)
        if str(len(kept)) == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGTERM)
    keep(self, state)

Checkpoints._keep = keep_when_asked_to_end
folder, *views = map(Path, sys.argv[2:])
run = StageRun(stage="gather", experiment="e", method="connectome")
with stage_run(run, log=folder / "gather.log", outputs=[folder / "connectome" / "fit.h5"]):
    join_in(folder, views)
"""


def join_in(folder, views):
    """The result of one small restart, joined into a folder."""
    settings = {"rank": 2, "n_starts": 1, "max_iterations": 3, "n_partitions": 2}
    job = MethodJob.of("connectome", settings={**settings, "lead_lag_pairs": 1}, seed=1)
    fit_into(folder, views, job)
    output = folder / "connectome" / "fit.h5"
    run = StageRun(stage="gather", experiment="e", method="connectome", on_error="raise")
    parts = outputs_in(folder, "restart-00")
    gather(run, job, views=views, parts=parts, output=output)
    return output


def test_a_joining_that_is_ended_goes_on_where_it_was(tmp_path, views):
    folder = tmp_path / "ended"
    done = [
        subprocess.run(
            [sys.executable, "-c", JOINING, at, folder, *views],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=90,
            check=False,
        )
        for at in ("6", "never")
    ]
    assert [one.returncode for one in done] == [128 + signal.SIGTERM, 0]
    assert "going on from" in (folder / "gather.log").read_text()
    whole = join_in(tmp_path / "whole", views)
    assert read_digest(folder / "connectome" / "fit.h5") == read_digest(whole)
    assert not (folder / "connectome" / "checkpoints").exists()


def test_a_termination_before_there_is_anything_to_keep_ends_the_fit_at_once(tmp_path, views):
    code, names = ended(tmp_path / "ended", views, BEFORE_THE_FIRST_CHECKPOINT)
    assert code == 128 + signal.SIGTERM
    assert [name for name in names if name.endswith(".h5")] == []


def test_a_stage_without_checkpoints_ends_at_once(tmp_path):
    code = (
        "import os, signal, time\n"
        "from pathlib import Path\n"
        "from pipeline.io.atomic import replacing\n"
        "from pipeline.stages.run_context import StageRun, stage_run\n"
        "with stage_run(StageRun(stage='x', experiment='e'), log=None, outputs=[]):\n"
        "    with replacing(Path('half')) as temporary:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(30)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=25,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert b"e: x ends, as it was asked to" in done.stderr
    assert list(tmp_path.iterdir()) == []
