"""How fast affinities of pairs of units are made, beside writing as much memory.

Speeds of planted groups (``factorisation_data``; a tenth of affinities is not zero), all pairs.
Million pair-frames a second of processor time on one core, and the share of the speed at which
NumPy fills a table of the same size; ``interval`` and ``ratio`` are made for the dense solver, the
others are here for comparison.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 .venv/bin/python benchmarks/affinity.py

The specification asks 100 million a second of ``interval``; measured in docs/connectome_cost.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from factorisation_data import Size, load, planted_speeds

from pipeline.methods.connectome.pair_affinity import pair_affinity

NAMES = ("interval", "ratio", "minimum", "geometric", "geometric_same_sign", "split_sign")
SHORTEST = 2
"""Frames of the least run of ``interval``: 0.5 s at 4 frames a second."""


def main() -> None:
    """Print one row an affinity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--frames", type=int, default=4000)
    asked = parser.parse_args()
    speed = planted_speeds(Size(frames=asked.frames, animals=1, units=asked.units))[:, 0]
    turns = np.random.default_rng(1).random(speed.shape) < 0.05
    sign = np.where(np.cumsum(turns, axis=0) % 2, 1, -1).astype(np.int8)
    pairs = np.column_stack(np.triu_indices(asked.units, 1))
    table = np.empty((len(pairs), asked.frames), dtype=np.float32)
    copied = fastest(lambda: table.fill(1.0))
    print(f"{asked.units} units, {asked.frames} frames, {table.nbytes / 1e6:.0f} MB; {load()}")
    print("affinity               million pair-frames/s   of filling memory")
    for name in NAMES:
        seconds = fastest(partial(pair_affinity, name, speed, sign, pairs, shortest=SHORTEST))
        print(f"{name:<22} {table.size / seconds / 1e6:21.0f} {copied / seconds:19.3f}")


def fastest(work: Callable[[], object], *, times: int = 5) -> float:
    """Fewest processor seconds of some calls, after one that compiles."""
    work()
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
