"""Rings, spheres and tori that are planted in states of noisy units, and what is found of them.

Sixty units with bumps of tuning on the shape count spikes; states are chosen by density or far from
each other, as in a fit, and bars held against those of states whose units were each moved round in
time. A cloud (five directions, no shape) shows how often holes are found where there are none.

Measured with one set a shape, 200 of 2000 states by density and 19 shuffles: one loop and no void
in the ring, two loops and one void in the torus, one void in the sphere, none of either in the
cloud; ring and torus are named, nothing else is. In another torus loops had lengths of 0.40, 0.39,
0.19 and 0.19 by density, and of 0.24, 0.19, 0.15 and 0.12, without a step, among states far apart.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.trsa_shapes [--sets 5] [--choices dense]
        [--full]
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from pipeline.core.rng import stream
from pipeline.methods.trsa.config import Choice
from pipeline.methods.trsa.homology import by_median, state_distances
from pipeline.methods.trsa.topology import (
    Holes,
    bars,
    bars_of_shuffles,
    judged,
    lifetimes,
    rolled_units,
    verdict,
)

Floats = NDArray[np.float64]
SHAPES = ("ring", "torus", "sphere", "cloud")
N_UNITS, AXES, SPIKES = 60, 6, 10.0


def states_of(shape: str, rng: np.random.Generator, n_states: int) -> Floats:
    """Square roots of counts at random places of a shape, z-scored, shape (state, unit)."""
    if shape == "cloud":
        place = rng.standard_normal((n_states, 5))
        tuning = place @ rng.standard_normal((5, N_UNITS)) / 5 - 1
    elif shape == "sphere":
        place, preferred = (
            vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            for vectors in (rng.standard_normal((n, 3)) for n in (n_states, N_UNITS))
        )
        tuning = 2 * (place @ preferred.T - 1)
    else:
        n_angles = 1 if shape == "ring" else 2
        place, preferred = (rng.uniform(0, 2 * np.pi, (n, n_angles)) for n in (n_states, N_UNITS))
        tuning = (2 / n_angles) * (np.cos(place[:, None] - preferred) - 1).sum(axis=-1)
    responses = np.sqrt(rng.poisson(SPIKES * np.exp(tuning)))
    return np.asarray((responses - responses.mean(axis=0)) / responses.std(axis=0))


def holes_of(
    states: Floats,
    *,
    n_points: int,
    n_shuffles: int,
    choice: Choice = "dense",
    max_dimension: int = 2,
) -> list[Holes]:
    """Loops, and voids where they are looked for, beside those of shuffles."""

    def distances_of(values: Floats) -> Floats:
        return by_median(state_distances(values, AXES, n_points, choice))

    longest, _ = bars_of_shuffles(
        states,
        rolled_units,
        distances_of,
        n_shuffles,
        stream(0, "rolls"),
        max_dimension=max_dimension,
    )
    found = bars(distances_of(states), max_dimension=max_dimension)
    return [judged(found[k], longest[:, k, 0]) for k in range(1, max_dimension + 1)]


def main() -> None:
    """Print what is found, or how long one cloud of the published size takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--choices", nargs="*", default=["dense", "far"])
    parser.add_argument("--full", action="store_true", help="15000 states, 1200 kept, loops only")
    options = parser.parse_args()
    if options.full:
        full()
        return
    print("shape   choice  named in  loops (passing, before the gap) and voids of each set")
    for shape in SHAPES:
        for choice in options.choices:
            found = [
                holes_of(
                    states_of(shape, stream(number, shape), 2000),
                    n_points=200,
                    n_shuffles=19,
                    choice=choice,
                )
                for number in range(options.sets)
            ]
            named = [verdict(loops, voids, 200) for loops, voids in found]
            told = ", ".join(
                " ".join(f"{one.n_passing}/{one.n_by_gap}" for one in holes) for holes in found
            )
            right = sum(name == shape for name in named)
            print(f"{shape:7} {choice:7} {right} of {len(found)}    {told}", flush=True)


def full() -> None:
    """A torus at the published size, beside few shuffles."""
    start = time.process_time()
    states = states_of("torus", stream(0, "torus"), 15_000)
    (loops,) = holes_of(states, n_points=1200, n_shuffles=4, max_dimension=1)
    took = (time.process_time() - start) / 5
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"longest loops {lifetimes(loops.diagram)[:4].round(2)}, p {loops.shuffle_p[:4]}")
    print(f"p of ratios {loops.universal_p[:4].round(4)}")
    print(f"{took:.0f} s a cloud, {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
