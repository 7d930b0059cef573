"""A recording and a result of the simulated worms as files, where a run would put them."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.records import write_record
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.simulate import simulate
from pipeline.stages.demo import worm_recording

PROVENANCE = Provenance(stage="fit", experiment="worms", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(rank=2, n_restarts=2, n_surrogates=1, max_iterations=20)


def write_small_results(folder: Path) -> None:
    """``worms/recordings/worm-1/recording.h5`` and ``worms/connectome/fit.h5``."""
    views, _ = simulate(stream(3, "small results"), size="tiny")
    parts = {
        part.name: fit_part(
            views, CONFIG, part, stream(0, "part", part.name), provenance=PROVENANCE
        )
        for part in CONFIG.plan()
    }
    result = combine(parts, views, CONFIG, stream(0, "combine"), provenance=PROVENANCE)
    write_record(folder / "worms" / "connectome" / "fit.h5", result)
    write_record(
        folder / "worms" / "recordings" / "worm-1" / "recording.h5", worm_recording(views[0])
    )
