"""Cost and quality of encoding models: the simulated retina, and curves over sizes.

The retina (8 types, 200 units, 7500 frames shown once) goes through its NWB file. The curves fit
noise of other sizes for a fixed number of epochs, so that seconds an epoch can be compared.

    OMP_NUM_THREADS=2 .venv/bin/python benchmarks/encoding.py --threads 2 [--curves]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.core.views import StimulusResponses
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.nwb.read import read_recording
from pipeline.io.records import read_record, write_record
from pipeline.methods.celltypes.encoding.config import EncodingConfig
from pipeline.methods.celltypes.encoding.fit import fit_encoding
from pipeline.prepare.config import ResponsesConfig
from pipeline.prepare.responses import stimulus_responses
from pipeline.stages.demo.write import WRITERS
from pipeline.stages.run_context import peak_memory_mb

PROVENANCE = Provenance(stage="benchmark", experiment="retina", package_version="", code_digest="")
EPOCHS = 3
CURVES = (
    *[("units", {"units": n}) for n in (50, 100, 200, 400, 800)],
    *[("frames", {"frames": n}) for n in (3_750, 7_500, 15_000, 30_000)],
    *[("pixels a side", {"side": n}) for n in (8, 16, 32, 48)],
)


def main() -> None:
    """Print the retina's line, and the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1, help="fits of the retina")
    parser.add_argument("--network", default="cnn_small")
    parser.add_argument("--curves", action="store_true", help="fit other sizes too")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        _fit(json.loads(args.fit))
        return
    with tempfile.TemporaryDirectory() as name:
        path = _retina(Path(name))
        for seed in range(args.seeds):
            line = _apart(
                view=str(path), seed=seed, threads=args.threads, settings={"network": args.network}
            )
            print(f"retina, seed {seed}: {line}", flush=True)
        for curve, sizes in CURVES if args.curves else ():
            path = _noise(Path(name), **{"units": 200, "frames": 7_500, "side": 16, **sizes})
            settings = {"network": args.network, "max_epochs": EPOCHS}
            line = _apart(view=str(path), seed=0, threads=args.threads, settings=settings)
            print(f"{EPOCHS} epochs, {curve} {next(iter(sizes.values()))}: {line}", flush=True)


def _retina(folder: Path) -> Path:
    """The view of the simulated retina, through its NWB file."""
    WRITERS["retina"](folder)
    recording, _ = read_recording(
        folder / "retina-1.nwb",
        recording="retina-1",
        options=ReadOptions(),
        provenance=PROVENANCE,
    )
    view = stimulus_responses(recording, ResponsesConfig(), PROVENANCE)
    write_record(folder / "retina.h5", view)
    return folder / "retina.h5"


def _noise(folder: Path, *, units: int, frames: int, side: int) -> Path:
    """A view of the retina's form with noise of another size in it."""
    rng = stream(0, "noise", units, frames, side)
    like = read_record(folder / "retina.h5", StimulusResponses)
    cuts = (frames * np.array([0, 8, 9, 10]) // 10).tolist()
    stretches = like.stretches.iloc[:3].assign(
        first=cuts[:-1], stop=cuts[1:], role=["train", "validation", "test"]
    )
    view = StimulusResponses(
        recording="noise",
        time=np.arange(frames) / 30.0,
        stimulus=rng.standard_normal((frames, 2, side, side), dtype=np.float32),
        stimulus_unit="",
        channel=like.channel,
        content=rng.integers(0, 2**62, frames),
        again=np.full(frames, -1, dtype=np.int64),
        stretches=stretches,
        responses=rng.poisson(0.4, (frames, units)).astype(np.float32),
        valid=np.ones((frames, units), dtype=bool),
        unit=np.array([str(unit) for unit in range(units)]),
        label=np.full(units, ""),
        position=np.full((units, 2), np.nan),
        left_out=like.left_out,
        rate_hz=30.0,
        presentations=False,
        signal="spikes",
        value_unit="spikes a frame",
        provenance=PROVENANCE,
    )
    write_record(folder / "noise.h5", view)
    return folder / "noise.h5"


def _apart(**work: object) -> str:
    """The fit in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, __file__, "--fit", json.dumps(work)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return done.stdout.strip()


def _fit(work: dict[str, object]) -> None:
    import time

    import torch

    torch.set_num_threads(int(str(work["threads"])))
    view = read_record(Path(str(work["view"])), StimulusResponses)
    settings = EncodingConfig.model_validate(work["settings"])
    wall, used = time.monotonic(), time.process_time()
    fit = fit_encoding([view], settings, stream(int(str(work["seed"])), "benchmark"), "cpu")
    wall, used = time.monotonic() - wall, time.process_time() - used
    mean = fit.units["mean_correlation"].mean()
    print(
        f"{wall:.1f} s wall, {used:.1f} s of processor, peak {peak_memory_mb() / 1024:.2f} GiB, "
        f"{len(fit.history) - 2} epochs; kept {fit.network}; validation "
        f"{fit.units['validation_correlation'].mean():.3f} (ln "
        f"{fit.units['validation_correlation_ln'].mean():.3f}), with the mean of the repeats "
        f"{mean:.3f}; used {fit.units['used'].mean():.0%} of units"
    )


if __name__ == "__main__":
    main()
