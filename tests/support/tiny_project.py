"""Tiny simulated recordings as NWB files, and the command that runs them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from pipeline import registry
from pipeline.core.rng import stream
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import write_record
from pipeline.stages.demo import SESSION_START, worm_recording
from tests.support.nwb_factory import probe_file

WITHOUT_METHODS = "methods:\n" + "".join(
    f"  {name}: {{enabled: false}}\n" for name in registry.methods()
)
"""Settings of a run that only reads recordings and writes reports."""


def write_tiny_recordings(folder):
    """``one.nwb``, ``two.nwb`` and ``truth/connectome.h5``."""
    simulate = registry.methods()["connectome"].room("simulate")
    views, truth = simulate.simulate(stream(5, "end to end"), size="tiny")
    for name, view in zip(("one", "two"), views, strict=False):
        write_recording(
            folder / f"{name}.nwb",
            worm_recording(view),
            description="simulated",
            session_start=SESSION_START,
        )
    write_record(folder / "truth" / "connectome.h5", truth)


def write_tiny_probe(path):
    """Twelve units of two regions that answer six stimuli, each shown eight times."""
    rng = np.random.default_rng(0)
    n_units, n_stimuli, n_repeats, every_s = 12, 6, 8, 2.0
    shown = rng.permutation(np.repeat(np.arange(n_stimuli), n_repeats))
    n_spikes = rng.poisson(rng.gamma(1.0, 10.0, (n_units, n_stimuli))[:, shown])
    starts = every_s * np.arange(shown.size)
    times = [np.repeat(starts, counts) + rng.random(counts.sum()) for counts in n_spikes]
    probe_file(
        path,
        [np.sort(each) for each in times],
        columns={"brain_area": ("VISp", "CA1") * (n_units // 2)},
        observed=((0.0, every_s * shown.size),),
        trials=[
            (start, start + 1.0, {"stimulus": f"s{which}"})
            for start, which in zip(starts, shown, strict=True)
        ],
    )


def pipeline_run(folder, *words, checkout=None):
    """What ``./run.sh`` does after the set-up; with another checkout's code when one is given."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if checkout is not None:
        environment["PYTHONPATH"] = os.fspath(checkout)
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
