"""How far the score of the search for clusters falls short of the evidence.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_evidence.py --family poisson

Recordings with three clusters are simulated. Sets of units (single clusters, two together, all)
are scored as the search does, under one state; walks to the posterior and back bound the evidence.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from pipeline.methods.biclustering.model import Priors
from pipeline.methods.biclustering.sampler.bridge import (
    ladder,
    reference_around,
    walked_evidence,
)
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.search import Climb
from pipeline.methods.biclustering.simulate import planted_counts

SIZES = ((18, 240), (30, 500))
"""Units, bins."""

SETS = ((0,), (1,), (0, 1), (0, 1, 2))
"""Planted clusters that are taken as one."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="negative_binomial")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rest", type=int, default=200)
    args = parser.parse_args()
    print("units  bins seed  set of   score   evidence between    nats a parameter short    s")
    for n_units, n_bins in SIZES:
        for seed in (0, 2):
            rng = np.random.default_rng(seed)
            data, planted = planted_counts(rng, n_units=n_units, n_bins=n_bins, family=args.family)
            problem = Problem.of(data, Priors(family=args.family, n_states=1))
            d = problem.priors.n_latents
            parameters = d * (d + 1) + d * (d + 1) // 2
            for clusters in SETS:
                began = time.process_time()
                units = np.flatnonzero(np.isin(planted.cluster, clusters))
                fits = [Climb(problem, np.random.default_rng(one)) for one in range(3)]
                score = np.mean([fit.fit(units)[2] for fit in fits])
                size = fits[0].size
                low, high = walked_evidence(
                    problem.data,
                    reference_around(problem, units, size, fits[0].fit(units)[0]),
                    size,
                    problem.dynamics,
                    problem.loading,
                    ladder(args.steps),
                    args.rest,
                    rng,
                )
                short = ((low + high) / 2 - score) / parameters
                print(
                    f"{n_units:5} {n_bins:5} {seed:4} {units.size:7} {score:8.0f}"
                    f" {low:9.1f} {high:9.1f} {short:18.2f}"
                    f" {time.process_time() - began:9.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
