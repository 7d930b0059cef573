"""How the cost of an iteration of the connectome's solver grows: units, frames, recordings, rank.

Around 100 units, 1000 frames, one recording and 10 components one quantity at a time grows; the
recordings to 5000 units have 100 frames. Processor seconds of one iteration with one thread (the
fewest of some), and the most memory held beyond the speeds as the solver holds them. The table that
the solver never makes is given in gigabytes of double precision.

``--large`` is 1000 units in 20 000 frames with 10 components in a process of its own, with the
usual tenth of affinities and with none that is zero: seconds, and the peak of the whole process.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/factorisation_scaling.py [--large]

Measured (load 13 on two cores): 800 units in 1000 frames 0.33 s and 79 MB, 32 000 frames of 100
units 0.07 s and 8 MB; the large case 5.3 s an iteration and 0.52 GiB (docs/connectome_cost.md).
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
from dataclasses import dataclass

import numpy as np
from factorisation_data import Clock, Size, load, peak_bytes, planted_speeds, problem_of, start_of

from pipeline.methods.connectome.hals import iterate

MIDDLE = Size(frames=1000, animals=1, units=100, rank=10)
LARGE = Size(frames=20_000, animals=1, units=1000, rank=10)


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity that grows."""

    title: str
    field: str
    values: tuple[int, ...]
    around: Size = MIDDLE


CURVES = (
    Curve("units, 1000 frames", "units", (50, 100, 200, 400, 800)),
    Curve("frames", "frames", (500, 2000, 8000, 32_000)),
    Curve("recordings", "animals", (1, 5, 20, 80)),
    Curve("components", "rank", (1, 5, 10, 16, 20, 40)),
    Curve("units, 100 frames", "units", (50, 200, 1000, 2000, 5000), Size(frames=100, animals=1)),
)


def main() -> None:
    """Print the curves, or the large case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    if parser.parse_args().large:
        large()
        return
    print(f"processor seconds of an iteration, one thread; {load()}")
    cost(MIDDLE)
    for curve in CURVES:
        print(f"\n{curve.title:20}{'seconds':>10}{'MB':>10}{'table GB':>10}")
        for value in curve.values:
            size = dataclasses.replace(curve.around, **{curve.field: value})
            seconds, held = cost(size)
            print(
                f"{value:<20}{seconds:10.4f}{held / 1e6:10.1f}{size.dense_bytes / 1e9:10.2f}",
                flush=True,
            )


def cost(size: Size) -> tuple[float, int]:
    """Seconds of an iteration, and bytes held beyond the speeds."""
    problem = problem_of(planted_speeds(size), threads=1)
    model = start_of(problem, size.rank)
    clock = Clock(1)
    first, _ = clock.of(lambda: iterate(problem, [model]))
    count = int(np.clip(0.2 / max(first, 1e-3), 1, 50))
    took = [clock.of(lambda: iterate(problem, [model]))[0] for _ in range(count)]
    return min(took), peak_bytes(lambda: iterate(problem, [model]))


def large() -> None:
    """A case that no table of fits into memory: 80 GB."""
    iterate_small = problem_of(planted_speeds(Size(frames=50, animals=1)), threads=1)
    iterate(iterate_small, [start_of(iterate_small, 2)])
    speeds = planted_speeds(LARGE)
    print(f"{LARGE.units} units, {LARGE.frames} frames, {LARGE.rank} components; {load()}")
    for title in ("as usual", "none zero"):
        if title == "none zero":
            speeds += np.float32(1e-3)
        problem = problem_of(speeds, threads=1)
        model = start_of(problem, LARGE.rank)
        took, _ = Clock(1).of(lambda problem=problem, model=model: iterate(problem, [model]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{title:12}{took:8.1f} processor seconds an iteration, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
