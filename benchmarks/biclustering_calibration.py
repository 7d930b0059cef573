"""Simulation-based calibration of the bi-clustering sampler (Talts et al. 2018).

Unknowns are drawn from the prior and counts from them; a chain that starts at another draw from
the prior gives posterior draws of the same unknowns, thinned. If the sampler is right, the ranks of
the true values among them are uniform. Statistics do not depend on names of clusters and states.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_calibration.py --replicates 200
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import chisquare

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.prior import draw_counts, draw_position, log_mean
from pipeline.methods.biclustering.sampler.sweep import Plan, Tally, sweep

PRIORS = {
    "n_factors": 1,
    "baseline": "zero",
    "baseline_sd": 0.7,
    "loading_sd": 0.7,
    "dispersion_shape": 3.0,
    "noise_scale": 2.0,
    "noise_extra_degrees": 20.0,
    "dynamics_precision": 30.0,
    "cluster_decay": 0.5,
    "n_states": 3,
    "state_concentration": 2.0,
    "weight_concentration": 3.0,
    "stickiness": 4.0,
}
NAMES = (
    "clusters",
    "pairs of units in one cluster",
    "mean log mean",
    "size of log means",
    "squared loadings",
    "mean log dispersion",
    "states used",
    "changes of state",
    "log precision of innovations",
    "trace of transitions",
    "log stickiness",
    "log concentration",
)
BINS = 10


def main() -> None:
    """Print the uniformity of ranks of each statistic."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--units", type=int, default=6)
    parser.add_argument("--time-bins", type=int, default=25)
    parser.add_argument("--draws", type=int, default=79)
    parser.add_argument("--thin", type=int, default=8)
    parser.add_argument("--tune", type=int, default=200)
    parser.add_argument("--family", default="negative_binomial")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (args.time_bins, args.units)
    problem = Problem.of(
        CountData(
            counts=np.zeros(shape, np.int32),
            observed=rng.random(shape) > 0.1,
            segment=(np.arange(args.time_bins) >= 15).astype(np.int32),
            log_exposure=np.full(shape, 0.5),
        ),
        Priors(family=args.family, **PRIORS),
    )
    rows = []
    for index in range(args.replicates):
        rows.append(replicate(problem, args, rng))
        if (index + 1) % 50 == 0:
            show(np.array(rows), args)
    if args.replicates % 50:
        show(np.array(rows), args)


def show(ranks: np.ndarray, args: argparse.Namespace) -> None:
    """Print how uniform the ranks are of the replicates so far."""
    print(f"{args.family}, {len(ranks)} replicates, {args.draws} draws each, ranks in {BINS}")
    for name, own in zip(NAMES, ranks.T, strict=True):
        counts = np.histogram(own, bins=BINS, range=(0, 1))[0]
        print(f"{name:32} mean {own.mean():.3f}  p {chisquare(counts).pvalue:.3f}  {counts}")


def replicate(problem: Problem, args: argparse.Namespace, rng: np.random.Generator) -> np.ndarray:
    """Ranks of the true statistics among draws of one simulated recording, in 0 to 1."""
    truth = draw_position(problem, rng)
    poisson = problem.data.poisson
    counts = draw_counts(log_mean(problem, truth), truth.size, poisson=poisson, rng=rng)
    seen = problem.data.counts >= 0
    problem.data.counts[seen] = counts[seen]
    now = draw_position(problem, rng)
    plan = Plan(n_windows=5, n_births=6)
    draws = []
    for index in range(args.tune + args.draws * args.thin):
        sweep(problem, now, plan, rng, Tally())
        if index >= args.tune and (index - args.tune) % args.thin == args.thin - 1:
            draws.append(statistics(problem, now))
    below = (np.array(draws) < statistics(problem, truth)).sum(axis=0)
    same = (np.array(draws) == statistics(problem, truth)).sum(axis=0)
    # Ties are broken at random, and the rank is spread over its cell.
    below = below + rng.integers(0, same + 1)
    return np.asarray((below + rng.random(below.size)) / (args.draws + 1))


def statistics(problem: Problem, now: Position) -> np.ndarray:
    """Numbers named in ``NAMES``."""
    eta = log_mean(problem, now)
    linked = problem.data.linked
    state = now.state[linked]
    sizes = np.bincount(now.cluster)
    return np.array(
        [
            sizes.size,
            (sizes * (sizes - 1)).sum() / 2,
            np.clip(eta, -5, 5).mean(),
            np.clip(np.abs(eta), 0, 5).mean(),
            (now.beta[:, 1:] ** 2).sum(),
            np.log(now.size).mean(),
            np.unique(state).size,
            (np.diff(state) != 0).sum(),
            now.dynamics.half[:, state].mean(),
            np.trace(now.dynamics.a[:, state].mean(axis=(0, 1))),
            np.log(now.concentration[2]),
            np.log(now.concentration[0]),
        ]
    )


if __name__ == "__main__":
    main()
