r"""Simulation-based calibration of the bi-clustering sampler (Talts et al. 2018).

Unknowns are drawn from the prior and counts from them; a chain that starts at another draw from
the prior gives posterior draws of the same unknowns, thinned. If the sampler is right, the ranks of
the true values among them are uniform. Statistics do not depend on names of clusters and states.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_calibration.py --replicates 200 \
        --ranks benchmarks/biclustering_calibration.tsv

Every replicate has a seed of its own, and those whose ranks are in the file are not computed
again, so that it may be ended at any time and go on later. Printed are, for each quantity, the
mean rank, the p-value of the chi-square test of 10 bins, the largest distance of the ranks'
distribution function from the diagonal and half the width of the band (of Kolmogorov and Smirnov)
that holds all of it with a probability of 95 %.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chisquare, kstest, kstwo

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.prior import draw_counts, draw_position, log_mean
from pipeline.methods.biclustering.sampler.sweep import Plan, Tally, sweep

PRIORS = {
    "n_factors": 1,
    "baseline": "zero",
    "baseline_sd": 0.6,
    "loading_sd": 0.6,
    "dispersion_shape": 3.0,
    "noise_scale": 1.0,
    "noise_extra_degrees": 20.0,
    "dynamics_precision": 100.0,
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
    "mean absolute log mean",
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
    parser.add_argument("--kernel", default="laplace")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=Path, help="table of ranks, which grows")
    args = parser.parse_args()
    print(f"{args.family}, {args.kernel}, {args.draws} draws each, ranks in {BINS}")
    show(all_ranks(args))


def all_ranks(args: argparse.Namespace) -> np.ndarray:
    """Ranks of all replicates, (replicate, statistic)."""
    problem = problem_of(args.units, args.time_bins, args.family, np.random.default_rng(args.seed))
    plan = Plan(n_windows=5, n_births=6, kernel=args.kernel)
    known = pd.DataFrame(columns=list(NAMES), dtype=float)
    if args.ranks is not None and args.ranks.exists():
        known = pd.read_csv(args.ranks, sep="\t")
    for index in range(len(known), args.replicates):
        rng = np.random.default_rng([args.seed, index])
        known.loc[index] = replicate(
            problem, plan, rng, tune=args.tune, draws=args.draws, thin=args.thin
        )
        if args.ranks is not None:
            known.to_csv(args.ranks, sep="\t", index=False, float_format="%.4f")
    return known.to_numpy()


def problem_of(
    n_units: int, n_bins: int, family: str, rng: np.random.Generator, **changes: object
) -> Problem:
    """Empty counts with a gap in the middle and a tenth not observed."""
    shape = (n_bins, n_units)
    data = CountData(
        counts=np.zeros(shape, np.int32),
        observed=rng.random(shape) > 0.1,
        segment=(np.arange(n_bins) >= 3 * n_bins // 5).astype(np.int32),
        log_exposure=np.full(shape, 0.5),
    )
    priors = Priors(family=family, **PRIORS)  # type: ignore[arg-type]
    return Problem.of(data, dataclasses.replace(priors, **changes))  # type: ignore[arg-type]


def uniformity(ranks: np.ndarray) -> list[tuple[str, float, float, float, float]]:
    """Name, mean rank, p-value of chi-square, distance from the diagonal and its p-value."""
    rows = []
    for name, own in zip(NAMES, ranks.T, strict=True):
        counts = np.histogram(own, bins=BINS, range=(0, 1))[0]
        distance = kstest(own, "uniform")
        rows.append(
            (
                name,
                float(own.mean()),
                float(chisquare(counts).pvalue),
                float(distance.statistic),
                float(distance.pvalue),
            )
        )
    return rows


def show(ranks: np.ndarray) -> None:
    """Print how uniform the ranks are of the replicates so far."""
    print(f"{len(ranks)} replicates, band {kstwo.ppf(0.95, len(ranks)):.3f}")
    for (name, mean, p, distance, other_p), own in zip(uniformity(ranks), ranks.T, strict=True):
        counts = np.histogram(own, bins=BINS, range=(0, 1))[0]
        print(f"{name:30} {mean:.3f}  p {p:.3f}  {distance:.3f} (p {other_p:.3f})  {counts}")
    print(flush=True)


def replicate(
    problem: Problem, plan: Plan, rng: np.random.Generator, *, tune: int, draws: int, thin: int
) -> np.ndarray:
    """Ranks of the true statistics among draws of one simulated recording, in 0 to 1."""
    truth = draw_position(problem, rng)
    poisson = problem.data.poisson
    counts = draw_counts(log_mean(problem, truth), truth.size, poisson=poisson, rng=rng)
    seen = problem.data.counts >= 0
    problem.data.counts[seen] = counts[seen]
    problem.known.clear()
    now = draw_position(problem, rng)
    values = []
    for index in range(tune + draws * thin):
        sweep(problem, now, plan, rng, Tally())
        if index >= tune and (index - tune) % thin == thin - 1:
            values.append(statistics(problem, now))
    below = (np.array(values) < statistics(problem, truth)).sum(axis=0)
    same = (np.array(values) == statistics(problem, truth)).sum(axis=0)
    # Ties are broken at random, and the rank is spread over its cell.
    below = below + rng.integers(0, same + 1)
    return np.asarray((below + rng.random(below.size)) / (draws + 1))


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
