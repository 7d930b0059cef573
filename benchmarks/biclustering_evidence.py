"""How far the score of the search for clusters falls short of the evidence.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_evidence.py --family poisson
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_evidence.py --planted --steps 2500

Recordings with three clusters are simulated. Sets of units (single clusters, two together, all)
are scored as the search does, under one state; walks to the posterior and back bound the evidence.
With ``--planted``, walks tell instead whether the recording of the tests holds its planted
clusters: each, and two of them as one, under the planted states.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.bridge import (
    ladder,
    reference_around,
    walked_evidence,
)
from pipeline.methods.biclustering.sampler.partition_prior import log_partition_prior
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.search import START_SIZE, Climb
from pipeline.methods.biclustering.simulate import planted_counts, simulate

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
    parser.add_argument("--planted", action="store_true")
    args = parser.parse_args()
    if args.planted:
        planted_against_merged(args.steps, args.rest)
        return
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
                    np.zeros(n_bins, dtype=np.int64),
                    1,
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


def planted_against_merged(steps: int, rest: int) -> None:
    """Print the evidence of the planted clusters, and of any two of them as one."""
    view, truth = simulate(stream(0, "bicluster test"), size="tiny")
    problem = Problem.of(CountData.of(view.counts), Priors())
    rng = np.random.default_rng(0)
    size = np.full(problem.n_units, START_SIZE)
    climb = Climb(problem, rng)
    names = range(truth.cluster.size)
    bounds: dict[tuple[int, ...], np.ndarray] = {}
    for clusters in (*((k,) for k in names), *itertools.combinations(names, 2)):
        units = np.flatnonzero(np.isin(truth.cluster_of_unit, clusters))
        at = reference_around(problem, units, size, climb.fit(units)[0])
        known = (problem.dynamics, problem.loading, truth.state_of_bin, truth.state.size)
        walked = walked_evidence(problem.data, at, size, *known, ladder(steps), rest, rng)
        bounds[clusters] = np.array(walked)
    print("clusters                 evidence and prior between")
    alone = [(k,) for k in names]
    pairs = [[pair, *(one for one in alone if one[0] not in pair)] for pair in bounds if pair[1:]]
    for blocks in (alone, *pairs):
        sizes = np.array([np.isin(truth.cluster_of_unit, block).sum() for block in blocks])
        low, high = sum(bounds[block] for block in blocks) + log_partition_prior(
            sizes, problem.log_v, problem.priors.cluster_weight
        )
        print(f"{blocks!s:24} {low:9.1f} {high:9.1f}")


if __name__ == "__main__":
    main()
