"""Libraries compute with as many threads as their rule says, from the moment they are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needed import lacking
from tests.support.tiny_project import write_tiny_recordings

pytestmark = pytest.mark.slow
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

ROOT = Path(__file__).resolve().parents[2]
STAGE = """\
import json, sys
from pathlib import Path

import threadpoolctl
from pipeline import registry
from pipeline.core.rng import stream
from pipeline.io.records import write_record
from pipeline.stages.fit import MethodJob, fit_parts
from pipeline.stages.run_context import StageRun, stage_run
from tests.support.quick_settings import QUICK_METHODS

name, part = sys.argv[1:]
found, _ = registry.methods()[name].room("simulate").simulate(stream(3, name), size="tiny")
for view in found if isinstance(found, tuple) else (found,):
    write_record(Path("views") / f"{view.recording}.h5", view)
job = MethodJob.of(name, settings=QUICK_METHODS[name], seed=1)
run = StageRun(
    stage="fit", experiment="e", recording="r", method=name, threads=1, on_error="raise"
)
with stage_run(run, log=None, outputs=[]):
    fit_parts(run, job, views=sorted(Path("views").glob("*.h5")), outputs=[Path(f"{part}.h5")])
    pools = threadpoolctl.threadpool_info()
    seen = {f"{pool['prefix']} {number}": pool["num_threads"] for number, pool in enumerate(pools)}
    import numba  # by now, as in jobs: it reads its limit when it is imported

    seen["numba"] = numba.get_num_threads()
    if "torch" in sys.modules:
        seen["torch"] = sys.modules["torch"].get_num_threads()
print(json.dumps(seen))
"""
SETTINGS = """\
recordings: recordings.tsv
methods:
  connectome: {rank: 2, n_restarts: 1, n_surrogates: 0, max_iterations: 20, min_animals: 1}
  trsa: {enabled: false}
  biclustering: {enabled: false}
  celltypes: {enabled: false}
"""
SHEET = "experiment\trecording\tnwb\tactivity\tidentity\ne\tone\tone.nwb\tcalcium\tidentity\n"
WITNESS = """\
import atexit, json, os, sys

script = os.path.basename(sys.orig_argv[-1]).rpartition(".")[0].rpartition(".")[2]
if script in ("prepare", "fit"):
    before = {name: os.environ.get(name) for name in
              ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    assert "numpy" not in sys.modules

    def tell():
        import numba, threadpoolctl
        pools = {pool["prefix"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        seen = {"before": before, "pools": pools, "numba": numba.get_num_threads()}
        open(f"{script}.json", "w").write(json.dumps(seen))

    atexit.register(tell)
"""


@pytest.fixture(autouse=True)
def _two_processors():
    if len(os.sched_getaffinity(0)) < 2:
        lacking("one processor, and OpenBLAS takes no more threads than processors")


def test_limits_come_from_the_rule_before_numpy_is_imported(tmp_path):
    write_tiny_recordings(tmp_path)
    (tmp_path / "recordings.tsv").write_text(SHEET)
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "sitecustomize.py").write_text(WITNESS)
    words = ("--configfile", "settings.yaml", "--cores", "2", "--until", "connectome_fit_0")
    more = ("--set-threads", "connectome_fit_0=2")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--", *words, *more],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
            "OMP_NUM_THREADS": "7",
            "NUMBA_NUM_THREADS": "7",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for script, threads in (("prepare", 1), ("fit", 2)):
        seen = json.loads((tmp_path / f"{script}.json").read_text())
        assert set(seen["before"].values()) == {str(threads)}
        assert {pool for pool in seen["pools"] if "openblas" in pool}
        assert set(seen["pools"].values()) == {threads}
        assert seen["numba"] == threads


@pytest.mark.parametrize(
    ("method", "part"),
    [("trsa", "permutation-000"), ("celltypes", "model-0"), ("biclustering", "chain-00")],
)
def test_a_method_leaves_the_limits_as_the_workflow_set_them(tmp_path, method, part):
    asked = dict.fromkeys(LIMITS, "1")
    done = subprocess.run(
        [sys.executable, "-c", STAGE, method, part],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT), **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert any("openblas" in pool for pool in seen)
    assert ("torch" in seen) == (method == "celltypes")
    assert set(seen.values()) == {1}, seen
