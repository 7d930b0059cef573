"""Two tiny simulated recordings as NWB files with their truth, and the command that runs them."""

from __future__ import annotations

import os
import subprocess
import sys

from pipeline import registry
from pipeline.core.rng import stream
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import write_record
from pipeline.stages.demo import SESSION_START, worm_recording

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
