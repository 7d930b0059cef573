"""Seconds a sweep of the bi-clustering sampler, and whether planted clusters and states are found.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_sampler.py speed
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_sampler.py memory
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_sampler.py effective
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_sampler.py recovery --sets 10
    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/biclustering_sampler.py states

``speed`` starts at what was planted and times sweeps of the kind that is kept, in processor time.
``memory`` runs 50 sweeps of 500 units in 5000 bins with room for 10 000 draws. ``effective`` counts
effective draws of four chains, by all that the report's table of convergence judges, and divides
them by the processor time of the kept sweeps. ``recovery`` runs chains from all three starts on
freshly simulated recordings. ``states`` gives chains the planted clusters, asks which states they
find, and times the choice of where states begin.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.methods.biclustering.agreement import convergence_table, invariants
from pipeline.methods.biclustering.model import Priors, Schedule
from pipeline.methods.biclustering.sampler.chain import Record, run_chain
from pipeline.methods.biclustering.sampler.dynamics import empty_dynamics
from pipeline.methods.biclustering.sampler.joint import concentration_means
from pipeline.methods.biclustering.sampler.position import Position, Problem
from pipeline.methods.biclustering.sampler.state_start import start_states
from pipeline.methods.biclustering.sampler.sweep import (
    Plan,
    Tally,
    move_dynamics,
    move_rows,
    sweep,
)
from pipeline.methods.biclustering.simulate import Planted, planted_counts
from pipeline.numerics.partitions import adjusted_rand_index

SIZES = (
    (30, 500, 3),
    (60, 500, 3),
    (120, 500, 3),
    (30, 1000, 3),
    (30, 2000, 3),
    (200, 2000, 8),
    (400, 1000, 8),
)
"""Units, bins, clusters."""

EFFECTIVE = SIZES[:1]
"""Of these effective draws are counted."""

RECORDINGS = (
    (30, 3, 2, "negative_binomial"),
    (20, 2, 1, "poisson"),
    (40, 4, 3, "negative_binomial"),
    (60, 5, 2, "poisson"),
    (24, 2, 4, "negative_binomial"),
    (120, 6, 3, "negative_binomial"),
    (80, 4, 1, "negative_binomial"),
    (50, 3, 4, "poisson"),
    (100, 6, 2, "poisson"),
    (35, 5, 3, "negative_binomial"),
)
"""Units, clusters, states and family of what is simulated for ``recovery``."""

OF_STATES = (
    (40, 3, 3, 500, 1),
    (20, 2, 3, 600, 3),
    (90, 3, 4, 700, 0),
    (60, 4, 3, 600, 5),
    (50, 3, 4, 600, 2),
    (30, 3, 2, 500, 0),
    (20, 2, 2, 400, 1),
    (30, 3, 1, 500, 0),
    (20, 2, 1, 400, 1),
)
"""Units, clusters, states, bins and seed of what is simulated for ``states``."""

UNDER_ONE, GO_ON = 20, 60
"""Sweeps of ``states`` under one state and after states were chosen; the last half is judged."""


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "memory", "effective", "recovery", "states"))
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--sets", type=int, default=len(RECORDINGS))
    parser.add_argument("--tune", type=int, default=300)
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    if args.what == "speed":
        speed(args.sweeps)
    elif args.what == "memory":
        memory()
    elif args.what == "effective":
        effective(Schedule(n_tune=args.tune, n_draws=args.draws, n_trajectories=20))
    elif args.what == "states":
        states(args.sets)
    else:
        recovery(args.sets, Schedule(n_tune=args.tune, n_draws=args.draws, n_trajectories=20))


def at_planted(problem: Problem, planted: Planted, rng: np.random.Generator) -> Position:
    """Where a chain would stand that has found everything."""
    n_states = problem.priors.n_states
    now = Position(
        cluster=planted.cluster,
        beta=np.column_stack([planted.baseline, planted.loading]),
        size=np.full(problem.n_units, 10.0),
        x=np.empty(0),
        state=planted.state,
        dynamics=empty_dynamics(1, n_states, 1),
        log_row=np.full((n_states, n_states), -np.log(n_states)),
        weight=np.full(n_states, 1 / n_states),
        concentration=concentration_means(problem),
        gain=np.zeros((problem.n_units, 0)),
    )
    now.put_clusters(problem, planted.trajectory.transpose(1, 0, 2).copy())
    move_rows(problem, now, rng)
    move_dynamics(problem, now, rng)
    return now


def speed(n_sweeps: int) -> None:
    """Processor time of a sweep by size."""
    print("family              units  bins  clusters   ms a sweep   ns a count")
    for family in ("negative_binomial", "poisson"):
        for n_units, n_bins, n_clusters in SIZES:
            rng = np.random.default_rng(0)
            data, planted = planted_counts(
                rng, n_units=n_units, n_clusters=n_clusters, n_bins=n_bins, family=family
            )
            problem = Problem.of(data, Priors(family=family))
            now = at_planted(problem, planted, rng)
            for _ in range(3):
                sweep(problem, now, Plan(), rng, Tally())
            began = time.process_time()
            for _ in range(n_sweeps):
                sweep(problem, now, Plan(), rng, Tally())
            seconds = (time.process_time() - began) / n_sweeps
            print(
                f"{family:18} {n_units:6} {n_bins:5} {n_clusters:9} {1e3 * seconds:12.1f}"
                f" {1e9 * seconds / (n_units * n_bins):12.0f}",
                flush=True,
            )


def memory() -> None:
    """Peak memory of 50 sweeps of a large recording, with room for 10 000 draws."""
    rng = np.random.default_rng(0)
    data, planted = planted_counts(rng, n_units=500, n_clusters=8, n_bins=5000)
    problem = Problem.of(data, Priors())
    now = at_planted(problem, planted, rng)
    record = Record(problem, Schedule(n_tune=0, n_draws=10_000))
    for array in record.arrays.values():
        array.fill(0)  # so that the room is taken, and not only promised
    began = time.process_time()
    for index in range(50):
        sweep(problem, now, Plan(), rng, record.tally)
        record.note(now, index)
    seconds = (time.process_time() - began) / 50
    stored = sum(array.nbytes for array in record.arrays.values())
    each = 4 * (now.x.size + 2 * now.weight.size * (now.x.shape[0] * now.x.shape[2]) ** 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.2f} s a sweep, peak {peak:.0f} MiB; 10 000 draws take {stored / 2**20:.0f}")
    print(f"MiB, {record.kept.size} kept trajectories {record.kept.size * each / 2**20:.0f} MiB")


def effective(schedule: Schedule) -> None:
    """Effective draws a second of kept sweeps, by recording and quantity."""
    untimed = dataclasses.replace(schedule, n_draws=1)
    for n_units, n_bins, n_clusters in EFFECTIVE:
        data, planted = planted_counts(
            np.random.default_rng(0), n_units=n_units, n_clusters=n_clusters, n_bins=n_bins
        )
        chains, seconds = [], 0.0
        for seed, start in enumerate(("random", "one", "many", "random")):
            spent = []
            for plan in (untimed, schedule):
                began = time.process_time()
                draws = run_chain(data, Priors(), plan, np.random.default_rng(seed), start=start)
                spent.append(time.process_time() - began)
            chains.append(draws)
            seconds += spent[1] - spent[0]
        table = convergence_table(invariants(chains, planted.cluster))
        print(f"{n_units} units, {n_bins} bins: 4 x {schedule.n_draws} draws, {seconds:.0f} s kept")
        print(f"{'quantity':38} {'R-hat':>7} {'effective':>10} {'a second':>9}")
        for row in table.itertuples(index=False):
            print(
                f"{row.quantity:38} {row.r_hat:7.3f} {row.ess_bulk:10.0f}"
                f" {row.ess_bulk / seconds:9.2f}",
                flush=True,
            )


def recovery(n_sets: int, schedule: Schedule) -> None:
    """Agreement with what was planted, by recording and start."""
    print("units clusters states family              start    ARI  K  states right  states  s")
    for index, (n_units, n_clusters, n_states, family) in enumerate(RECORDINGS[:n_sets]):
        data, planted = planted_counts(
            np.random.default_rng(100 + index),
            n_units=n_units,
            n_clusters=n_clusters,
            n_states=n_states,
            family=family,
        )
        for seed, start in enumerate(("random", "one", "many", "random")):
            began = time.process_time()
            draws = run_chain(
                data, Priors(family=family), schedule, np.random.default_rng(seed), start=start
            )
            seconds = time.process_time() - began
            agreement = [adjusted_rand_index(planted.cluster, one) for one in draws.cluster[::5]]
            print(
                f"{n_units:5} {n_clusters:8} {n_states:6} {family:18} {start:7}"
                f" {np.mean(agreement):5.2f} {np.bincount(draws.n_clusters).argmax():2}"
                f" {accuracy(draws.state, planted.state):13.3f}"
                f" {np.bincount(draws.n_states).argmax():7} {seconds:5.0f}",
                flush=True,
            )


def states(n_sets: int) -> None:
    """Right states of chains that know the clusters, beside chains that begin at the states too."""
    print("units clusters states bins   right as chosen  later  states  from planted  s to choose")
    for n_units, n_clusters, n_states, n_bins, seed in OF_STATES[:n_sets]:
        data, planted = planted_counts(
            np.random.default_rng(seed),
            n_units=n_units,
            n_clusters=n_clusters,
            n_states=n_states,
            n_bins=n_bins,
        )
        problem, rng = Problem.of(data, Priors()), np.random.default_rng(0)
        one = dataclasses.replace(planted, state=np.zeros_like(planted.state))
        now = at_planted(problem, one, rng)
        for _ in range(UNDER_ONE):
            sweep(problem, now, Plan(states=False), rng, Tally())
        began = time.process_time()
        now = start_states(problem, now, rng)
        seconds = time.process_time() - began
        chosen = accuracy(now.state[None], planted.state)
        later = later_states(problem, now, rng)
        known = later_states(problem, at_planted(problem, planted, rng), rng)
        n_found = np.median([np.unique(state).size for state in later])
        print(
            f"{n_units:5} {n_clusters:8} {n_states:6} {n_bins:4} {chosen:17.3f}"
            f" {accuracy(later, planted.state):6.3f} {n_found:7.0f}"
            f" {accuracy(known, planted.state):13.3f} {seconds:12.0f}",
            flush=True,
        )


def later_states(problem: Problem, now: Position, rng: np.random.Generator) -> np.ndarray:
    """States of the last half of some sweeps, (sweep, bin); ``now`` is changed in place."""
    passed = []
    for _ in range(GO_ON):
        sweep(problem, now, Plan(), rng, Tally())
        passed.append(now.state.copy())
    return np.array(passed[GO_ON // 2 :])


def accuracy(draws: np.ndarray, state: np.ndarray) -> float:
    """Share of bins whose most frequent state is the right one, states matched one to one."""
    found = np.array([np.bincount(column).argmax() for column in draws.T])
    table = np.zeros((found.max() + 1, state.max() + 1))
    np.add.at(table, (found, state), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / state.size)


if __name__ == "__main__":
    main()
