"""A recording of full size, 5000 units in 200 000 frames: what reading it and a fit of it take.

Writes an imaging file (4 GB of samples, chunked, gzip), and then, each in a process of its own:

- ingest, which has 2 GiB;
- the view of the connectome on a coarse grid (``prepare.ensemble.rate_hz``);
- three iterations of one restart of the connectome's factorisation on that view, which has 4 GiB.

Prints time and peak memory of each, and exits with 1 where one was over its budget. Meant for the
night: some minutes on a machine without other work.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/full_size.py [--folder /tmp] [--frames 200000]
        [--units 5000] [--rate-hz 1] [--rank 5]

Measured in one go, beside other work on two cores: ingest 43 s and 0.72 GiB, view 65 s and
0.71 GiB, iterations 35 s and 3.76 GiB; 250 s in all, the rest of it being mostly the writing of the
file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ingest_traces import write_traces
from separate import Cost, cost_of, cost_of_ingest

GIB = 2**30
INGEST_BYTES = 2 * GIB
FIT_BYTES = 4 * GIB
ITERATIONS = 3


def main() -> None:
    """Write, read, prepare, fit; print what each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--units", type=int, default=5000)
    parser.add_argument("--rate-hz", type=float, default=1.0)
    parser.add_argument("--rank", type=int, default=5)
    chosen = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        nwb = folder / "large.nwb"
        write_traces(nwb, n_samples=chosen.frames, n_units=chosen.units)
        print(
            f"writing the file: {time.monotonic() - started:.1f} s "
            f"({time.process_time():.1f} s of processors)"
        )
        samples = 4e-9 * chosen.frames * chosen.units
        print(f"{chosen.units} units, {chosen.frames} frames: {samples:.1f} GB of samples")
        kept = [
            told("ingest", cost_of_ingest(nwb, folder), most=INGEST_BYTES),
            told(
                f"view at {chosen.rate_hz:g} Hz",
                cost_of_view(folder, rate_hz=chosen.rate_hz),
                most=INGEST_BYTES,
            ),
            told(
                f"{ITERATIONS} iterations with {chosen.rank} components",
                cost_of_fit(folder, rank=chosen.rank),
                most=FIT_BYTES,
            ),
        ]
    print(f"in all, with the starts of Python: {time.monotonic() - started:.0f} s")
    sys.exit(0 if all(kept) else 1)


def told(what: str, cost: Cost, *, most: int) -> bool:
    """Print a cost; whether it was within its memory."""
    within = cost.peak_bytes <= most
    verdict = "within" if within else "OVER"
    print(f"{what}: {cost}, {verdict} {most / GIB:g} GiB", flush=True)
    return within


def cost_of_view(folder: Path, *, rate_hz: float) -> Cost:
    """The prepare stage, from the record that ingest left."""
    return cost_of(
        f"""
        made = prepare(
            StageRun(stage="prepare", experiment="e", recording="r"),
            view="ensemble", settings={{"rate_hz": {rate_hz}}},
            recording=Path({str(folder / "recording.h5")!r}),
            output=Path({str(folder / "view.h5")!r}),
        )
        if isinstance(made, Outcome):
            sys.exit(str(made))
        """,
        imports="""
        from pathlib import Path
        from pipeline.core.outcome import Outcome
        from pipeline.stages.prepare import prepare
        from pipeline.stages.run_context import StageRun
        """,
    )


def cost_of_fit(folder: Path, *, rank: int) -> Cost:
    """Some iterations of one restart, from the view."""
    return cost_of(
        f"""
        view = read_record(Path({str(folder / "view.h5")!r}), TraceEnsemble)
        config = ConnectomeConfig(rank={rank})
        problem = affinity_problem(align([view], config), config, threads=1)
        search = Search(n_starts=1, n_kept=1, max_iterations={ITERATIONS})
        fit = factorise(problem, rank={rank}, search=search, rng=np.random.default_rng(1))[0]
        assert fit.errors.size == {ITERATIONS} and fit.errors[-1] < fit.errors[0]
        """,
        imports="""
        from pathlib import Path
        import numpy as np
        from pipeline.core.views import TraceEnsemble
        from pipeline.io.records import read_record
        from pipeline.methods.connectome.alignment import align
        from pipeline.methods.connectome.config import ConnectomeConfig
        from pipeline.methods.connectome.factorisation import Search, factorise
        from pipeline.methods.connectome.problem import affinity_problem
        """,
    )


if __name__ == "__main__":
    main()
