"""Types of the simulated retina over seeds, from its NWB file on: how many, how right, how long.

Each seed is a retina of its own (8 types, 200 units, 7500 frames shown once). One encoding model is
fitted, restarts of the clustering go through it, and the one that stands for all is held against
the planted types; that is what a lab waits for. Second models, surrogates and outer folds are
evidence, and not in the time. Every step is a process of its own, so that its peak of memory is
its own too.

    OMP_NUM_THREADS=2 .venv/bin/python benchmarks/celltypes_retina.py [--seeds 5] [--workers 2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import StimulusResponses
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.io.nwb.write import write_recording
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes.algorithm import fit_part
from pipeline.methods.celltypes.assembly import best_clustering
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.evidence import matched
from pipeline.methods.celltypes.result import ClusteringPart, ModelPart
from pipeline.methods.celltypes.simulate import CelltypesTruth
from pipeline.prepare.config import ResponsesConfig
from pipeline.prepare.responses import stimulus_responses
from pipeline.stages.demo import retina
from pipeline.stages.demo.recordings import retina_recording
from pipeline.stages.demo.spiking import SAMPLING_HZ
from pipeline.stages.run_context import peak_memory_mb

NAME = "retina-1"
SESSION_START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Print a line a seed, and how many of them meet the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument(
        "--workers", type=int, default=2, help="restarts at once, and threads of the model"
    )
    parser.add_argument("--folder", type=Path, help="keep recordings, models and clusterings here")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        _step(json.loads(args.step))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        rows = []
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            rows.append(_seed(folder / str(seed), seed, args.restarts, args.workers))
            print(_told(rows[-1]), flush=True)
    right = sum(row["types"] == row["planted"] for row in rows)
    good = sum(row["ari"] >= 0.95 for row in rows)
    print(f"right number of types: {right} of {len(rows)}; ARI >= 0.95: {good} of {len(rows)}")


def _told(row: dict) -> str:
    return (
        f"seed {row['seed']}: {row['types']} of {row['planted']} types, ARI {row['ari']:.3f}; "
        f"restarts end in {row['ends']}; {row['units']} units typed; model {row['model_s']:.0f} s, "
        f"restarts {row['restarts_s']:.0f} s, all {row['all_s']:.0f} s; peak "
        f"{row['peak_mb'] / 1024:.2f} GiB"
    )


def _seed(folder: Path, seed: int, n_restarts: int, workers: int) -> dict:
    """One retina through all steps."""
    folder.mkdir(parents=True, exist_ok=True)
    session = retina.simulate(stream(seed, "retina"))
    write_recording(
        folder / f"{NAME}.nwb",
        retina_recording(session),
        description="Simulated retina with planted cell types; not a recording of an animal.",
        session_start=SESSION_START,
        resolution_s=1 / SAMPLING_HZ,
    )
    write_record(folder / "truth.h5", session.truth)
    work = {"folder": str(folder), "seed": seed}
    start = time.monotonic()
    first = _apart({**work, "part": "model-0", "threads": workers})
    fitted = time.monotonic()
    names = [f"restart-{index:02d}" for index in range(n_restarts)]
    with ThreadPoolExecutor(workers) as pool:
        peaks = list(pool.map(lambda name: _apart({**work, "part": name, "threads": 1}), names))
    runs = [read_record(folder / f"{name}.h5", ClusteringPart) for name in names]
    chosen = best_clustering(runs)
    end = time.monotonic()
    truth = read_record(folder / "truth.h5", CelltypesTruth)
    used = read_record(folder / "model-0.h5", ModelPart).fit.units["used"].to_numpy(dtype=bool)
    return {
        "seed": seed,
        "planted": truth.cell_type.size,
        "types": chosen.n_types,
        "ari": matched(chosen.type_of_unit, truth.type_of_unit[used])["ari"],
        "ends": [part.n_types for part in runs],
        "units": int(used.sum()),
        "model_s": fitted - start,
        "restarts_s": end - fitted,
        "all_s": end - start,
        "peak_mb": max([first, *peaks]),
    }


def _apart(work: dict) -> int:
    """A step in a process of its own; its peak of memory in MiB."""
    command = [sys.executable, __file__, "--step", json.dumps(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return int(done.stdout)


def _step(work: dict) -> None:
    """One part of the fit, from the recording or from the model."""
    folder, name = Path(work["folder"]), work["part"]
    provenance = Provenance(
        stage="benchmark",
        experiment="retina",
        package_version="",
        code_digest="",
        threads=work["threads"],
    )
    if name == "model-0":
        recording, _ = read_recording(
            folder / f"{NAME}.nwb", recording=NAME, options=ReadOptions(), provenance=provenance
        )
        write_record(
            folder / "view.h5", stimulus_responses(recording, ResponsesConfig(), provenance)
        )
        more = {}
    else:
        more = {"earlier": {"model-0": read_record(folder / "model-0.h5", ModelPart)}}
    part = fit_part(
        (read_record(folder / "view.h5", StimulusResponses),),
        CelltypesConfig(device="cpu"),
        Part(name),
        stream(work["seed"], "retina", "celltypes", name),
        provenance=provenance,
        **more,
    )
    write_record(folder / f"{name}.h5", part)
    print(peak_memory_mb())


if __name__ == "__main__":
    main()
