"""Seconds per iteration of the connectome's solver beside TensorLy and tensortools.

One run, one data set, the same threads: 960 frames, 10 animals, 60 units, rank 10 by default, the
geometric affinity of sparse speeds. Peers get the table in memory, the solver the speeds. Peers of
the package tensortools are installed into a folder of their own for the run.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/factorisation.py [--peers]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from pipeline.methods.connectome.contraction import UnitColumns, UnitProducts
from pipeline.methods.connectome.hals import Problem, iterate
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.starts import start_models

ACTIVE = 0.31
"""Share of frames in which a unit is above its dead zone; a tenth of the table is not zero."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=960)
    parser.add_argument("--animals", type=int, default=10)
    parser.add_argument("--units", type=int, default=60)
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", action="store_true", help="time peers too; needs the table")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (args.frames, args.animals, args.units)
    speed = rng.random(shape, dtype=np.float32) * (rng.random(shape) < ACTIVE)
    everything = np.ones(shape, dtype=bool)
    missing = np.broadcast_to(rng.random(shape[1:]) > 0.15, shape)
    for name, observed in (("all observed", everything), ("15 % of units missing", missing)):
        values = np.sqrt(speed * observed).reshape(-1, args.units)
        problem = Problem(
            products=UnitProducts(UnitColumns.of(values), threads=args.threads),
            observed=Observed.of(observed),
        )
        models = start_models(problem, kind="random", rank=args.rank, count=1, rng=rng)
        seconds = timed(lambda problem=problem, models=models: iterate(problem, models), 20)
        print(f"compiled, {name:24} {seconds:8.4f} s an iteration", flush=True)
    if args.peers:
        first, second = np.triu_indices(args.units, 1)
        root = np.sqrt(speed)
        peers((root[..., first] * root[..., second]).astype(np.float64), rank=args.rank)


def timed(work: Callable[[], object], count: int) -> float:
    """Best mean time of three rounds, after one call that is not counted."""
    work()
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(count):
            work()
        rounds.append((time.perf_counter() - start) / count)
    return min(rounds)


def peers(table: np.ndarray, *, rank: int) -> None:
    """Time peers by the difference of long and short runs, which leaves their start out."""
    from tensorly.decomposition import non_negative_parafac_hals

    def tensorly(data: np.ndarray) -> Callable[[int], object]:
        return lambda n: non_negative_parafac_hals(
            data, rank, n_iter_max=n, init="random", tol=None, random_state=0
        )

    report("TensorLy HALS float64", tensorly(table))
    report("TensorLy HALS float32", tensorly(table.astype(np.float32)))
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder]
        subprocess.run([*install, "tensortools==0.4", "munkres"], check=True)
        sys.path.insert(0, folder)
        from tensortools.optimize import ncp_bcd, ncp_hals

        for name, solver in (("ncp_hals", ncp_hals), ("ncp_bcd", ncp_bcd)):
            report(
                f"tensortools {name} float64",
                lambda n, solver=solver: solver(
                    table, rank, random_state=0, max_iter=n, min_iter=n, tol=0, verbose=False
                ),
            )


def report(name: str, run: Callable[[int], object]) -> None:
    """Print a peer's seconds per iteration."""
    run(1)
    took = []
    for count in (2, 7):
        start = time.perf_counter()
        run(count)
        took.append(time.perf_counter() - start)
    print(f"{name:34} {(took[1] - took[0]) / 5:8.4f} s an iteration", flush=True)


if __name__ == "__main__":
    main()
