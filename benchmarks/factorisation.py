"""The connectome's solver beside tensortools and TensorLy: time, error and memory, as ratios.

One run, one data set, one start, the same threads. Peers get the table of affinities in memory,
which making costs them nothing here; the solver gets the speeds of the units, and what it makes of
them counts. For each peer:

- seconds of one iteration: the difference of runs of 20 and of 2 iterations, free of their start;
- seconds to the error that the peer has after 20 iterations, all set-up included;
- the most memory held beyond the data (the table, or the speeds as the solver holds them).

One thread is measured in processor seconds, which other work on the machine hardly disturbs. Two
threads need the wall's clock and a machine without other work: the head of the table tells.

    OMP_NUM_THREADS=2 .venv/bin/python benchmarks/factorisation.py [--threads 1 2]

Measured with one thread on a machine with much other work (load 8 to 16 on two cores, which makes
peers, who read tables of 136 MB, look slower by up to a half):

    all observed, 1 thread, processor seconds
                                    an iteration   ratio     error    to it     ours   ratio
    ours                                  0.0088
    tensortools ncp_hals                  0.8169    93.2   0.86764   16.718    0.196    85.2
    tensortools ncp_bcd                   0.9067   103.4   0.87273   18.323    0.050   369.3
    TensorLy HALS float64                 0.9268   105.7   0.86641   18.963    0.656    28.9
    TensorLy HALS float32                 0.5630    64.2   0.86641   11.333    0.693    16.4

    15 % of units missing, 1 thread, processor seconds
    ours                                  0.0083
    tensortools ncp_hals, masked          1.9167   231.9   0.86463   39.091    0.136   287.9

With less other work (load 4) the ratios were 63, 100 and 109 for the first three. Ours held 2.0 MB
beyond the speeds, a 69th of the table. Two threads were not measured: that needs an idle machine.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from factorisation_data import (
    Clock,
    Size,
    load,
    peak_bytes,
    planted_speeds,
    problem_of,
    some_missing,
    start_of,
    table_of,
)
from factorisation_peers import Peer, installed, peers_of, relative_error, tensortools
from threadpoolctl import threadpool_limits

from pipeline.methods.connectome.hals import Model, Problem, iterate

ITERATIONS = 20
"""After which a peer's error is the one to reach."""

MOST = 500
"""Iterations in which it has to be reached."""

SHORT = 2
"""Iterations of a peer's short run."""

OURS = 20
"""Iterations of ours that are timed together; the fewest seconds of several rounds count."""

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A data set with what is missing of it, and who factorises it."""

    title: str
    speeds: np.ndarray
    present: np.ndarray | None
    table: np.ndarray
    peers: list[Peer]
    start: Model

    @property
    def rank(self) -> int:
        """Components."""
        return self.start.rank

    def problem(self, threads: int) -> Problem:
        """Of ours, from the speeds."""
        return problem_of(self.speeds, self.present, threads=threads)

    @property
    def pairs_present(self) -> np.ndarray | None:
        """Which pairs each recording has, (animal, pair)."""
        if self.present is None:
            return None
        first, second = np.triu_indices(self.present.shape[1], 1)
        return np.asarray(self.present[:, first] & self.present[:, second])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=Size().frames)
    parser.add_argument("--animals", type=int, default=Size().animals)
    parser.add_argument("--units", type=int, default=Size().units)
    parser.add_argument("--rank", type=int, default=Size().rank)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    size = Size(frames=args.frames, animals=args.animals, units=args.units, rank=args.rank)
    speeds = planted_speeds(size)
    table = table_of(speeds)
    print(f"{table.size / 1e6:.1f} million entries, {np.mean(table != 0):.1%} not zero; {load()}")
    with installed("tensortools==0.4", "munkres"):
        cases = [complete(speeds, table, size), with_missing(speeds, table, size)]
        for case in cases:
            warm_up(case)
        for case in cases:
            memory(case, size)
        for threads in args.threads:
            for case in cases:
                compare(case, threads)
    if len(args.threads) > 1:
        speed_up(cases[0], args.threads)


def complete(speeds: np.ndarray, table: np.ndarray, size: Size) -> Case:
    """All units in all recordings."""
    start = start_of(problem_of(speeds, threads=1), size.rank)
    peers = peers_of(table, start)
    return Case(
        title="all observed", speeds=speeds, present=None, table=table, peers=peers, start=start
    )


def with_missing(speeds: np.ndarray, table: np.ndarray, size: Size) -> Case:
    """Some units missing; only one peer takes a mask."""
    present = some_missing(size)
    start = start_of(problem_of(speeds, present, threads=1), size.rank)
    first, second = np.triu_indices(size.units, 1)
    mask = np.broadcast_to(present[:, first] & present[:, second], table.shape)
    factors = (start.time, start.slot, start.pair)
    run = tensortools("ncp_hals", table, factors, mask=np.ascontiguousarray(mask))
    return Case(
        title="15 % of units missing",
        speeds=speeds,
        present=present,
        table=table,
        peers=[Peer("tensortools ncp_hals, masked", run)],
        start=start,
    )


def warm_up(case: Case) -> None:
    """Compile what is compiled."""
    iterate(case.problem(1), [copy_of(case.start)])
    for peer in case.peers:
        peer.run(1)


def compare(case: Case, threads: int) -> None:
    """Seconds of an iteration and to the same error."""
    clock = Clock(threads)
    print(f"\n{case.title}, {threads} thread{'s' * (threads > 1)}, {clock.name}; {load()}")
    print(
        f"{'':30}{'an iteration':>14}{'ratio':>8}{'error':>10}{'to it':>9}{'ours':>9}{'ratio':>8}"
    )
    problem, model = case.problem(threads), copy_of(case.start)
    with threadpool_limits(threads):
        own = min(
            clock.of(lambda: [iterate(problem, [model]) for _ in range(OURS)])[0]
            for _ in range(ROUNDS)
        )
        own /= OURS
        print(f"{'ours':30}{own:14.4f}", flush=True)
        for peer in case.peers:
            short, _ = clock.of(lambda peer=peer: peer.run(SHORT))
            took, factors = clock.of(lambda peer=peer: peer.run(ITERATIONS))
            one = (took - short) / (ITERATIONS - SHORT)
            error = relative_error(case.table, factors, case.pairs_present)
            fits = [clock.of(lambda error=error: reach(case, error, threads)) for _ in range(3)]
            reached = fits[0][1].errors[-1] <= error
            ours = min(seconds for seconds, _ in fits) if reached else np.inf
            print(
                f"{peer.name:30}{one:14.4f}{one / own:8.1f}"
                f"{error:10.5f}{took:9.3f}{ours:9.3f}{took / ours:8.1f}",
                flush=True,
            )


def reach(case: Case, error: float, threads: int) -> Model:
    """A fit from the speeds that ends at an error."""
    problem, model = case.problem(threads), copy_of(case.start)
    for _ in range(MOST):
        iterate(problem, [model])
        if model.errors[-1] <= error:
            break
    return model


def memory(case: Case, size: Size) -> None:
    """Most memory beyond what was given: the table, or the speeds as the solver holds them."""
    print(f"\nmemory beyond the data, {case.title}; the table has {size.dense_bytes / 1e6:.0f} MB")
    problem, model = case.problem(1), copy_of(case.start)
    works = [lambda: [iterate(problem, [model]) for _ in range(SHORT)]]
    works += [lambda peer=peer: peer.run(SHORT) for peer in case.peers]
    for name, work in zip(["ours", *(peer.name for peer in case.peers)], works, strict=True):
        held = peak_bytes(work)
        print(f"{name:30}{held / 1e6:10.1f} MB, {held / size.dense_bytes:.3f} of the table")


def speed_up(case: Case, threads: list[int]) -> None:
    """Ours with each number of threads, taking turns, by the wall."""
    clock = Clock(max(threads))
    problems = [case.problem(count) for count in threads]
    took = np.zeros((ROUNDS, len(threads)))
    for turn in range(ROUNDS):
        for column, problem in enumerate(problems):
            model = copy_of(case.start)
            work = lambda problem=problem, model=model: iterate(problem, [model])  # noqa: E731
            took[turn, column] = min(clock.of(work)[0] for _ in range(OURS))
    best = took.min(axis=0)
    print(f"\nours by the wall; {load()}")
    for count, seconds in zip(threads, best, strict=True):
        print(f"{count} thread(s) {seconds:8.4f} s, {best[0] / seconds:.2f} times as fast")


def copy_of(start: Model) -> Model:
    """The start, not used up by what follows."""
    return Model(time=start.time.copy(), slot=start.slot.copy(), pair=start.pair.copy())


if __name__ == "__main__":
    main()
