"""Libraries compute with as many threads as their rule says, from the moment they are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.tiny_project import write_tiny_recordings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        len(os.sched_getaffinity(0)) < 2, reason="OpenBLAS takes no more threads than processors"
    ),
]

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
              ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    assert "numpy" not in sys.modules

    def tell():
        import numba, threadpoolctl
        pools = {pool["prefix"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        seen = {"before": before, "pools": pools, "numba": numba.get_num_threads()}
        open(f"{script}.json", "w").write(json.dumps(seen))

    atexit.register(tell)
"""


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
        env={**os.environ, "PYTHONPATH": os.fspath(tmp_path), "OMP_NUM_THREADS": "7"},
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
