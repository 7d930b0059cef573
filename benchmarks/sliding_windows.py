"""Components beside correlation in sliding windows, where windows are known to have a hard time.

Simulated worms with eight planted groups of five neurons (``connectome/simulate.py``): six animals,
three stimuli in orders that differ. The epochs are known in the first case; then nothing tells when
something happens, or each animal lacks a third of the names, or traces drift slowly, each by itself
and all together.

Components are found with the settings as they come: as many starts as all restarts have, groups by
the block model. Sliding windows are those of the specification, |Pearson| in 8 s and Leiden, in two
forms, both given more than a user has: *joined*, windows of all animals, missing neurons masked,
are joined by as many non-negative factors as the components have, from as many starts; *each*,
every window of every animal has its own communities. What counts is F1 of the best community for
each planted group, averaged over groups: over all 40 names, so that a name that is not placed is a
miss. The best is picked by the planted groups, among eight patterns or, of *each*, among hundreds
of windows.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/sliding_windows.py [--seeds 5]

Five data sets, mean F1 (standard error), and in how many components are ahead of both windows:

                                  components        joined          each        static
    epochs known               0.995 (0.003)  0.950 (0.011)  0.936 (0.011)  0.701 (0.032)  5/5
    epochs unknown             0.993 (0.005)  0.950 (0.011)  0.936 (0.011)  0.701 (0.032)  4/5
    a third of names missing   0.897 (0.020)  0.821 (0.020)  0.821 (0.018)  0.639 (0.016)  5/5
    baselines drift            0.980 (0.018)  0.409 (0.019)  0.942 (0.006)  0.292 (0.015)  4/5

Drift is what joined windows cannot bear, as long as it is slow (periods of 120 to 480 s here);
single windows can, where planted groups tell which of hundreds to look at. Groups by Leiden instead
of the block model cost components what they are ahead by where names are missing (0.789 in three
data sets, from four starts). Drift as fast as what the groups do is no advantage: with periods of
40 to 120 s, one data set gave components 0.22 and joined windows 0.49 (Leiden, four starts).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable

import numpy as np
from factorisation_data import load

from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, align
from pipeline.methods.connectome.communities import find_communities, graph
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.contraction import TableProducts
from pipeline.methods.connectome.correlation import traces_of_units, whole, windowed
from pipeline.methods.connectome.factorisation import Search, factorise
from pipeline.methods.connectome.hals import Problem
from pipeline.methods.connectome.masks import Observed
from pipeline.methods.connectome.problem import affinity_problem
from pipeline.methods.connectome.simulate import ConnectomeTruth, simulate

LACKED = 1 / 3
"""Share of an animal's names that are taken away."""

DRIFT = 1.0
"""Size of the drifts in dF/F; an event is about 1."""

DRIFT_S = (120.0, 480.0)
"""Periods of the drifts."""

ANALYSES = ("components", "windows, joined", "windows, each", "static correlation")

Change = Callable[[TraceEnsemble, np.random.Generator], TraceEnsemble]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    print(f"mean F1 of planted groups over {args.seeds} data sets (standard error); {load()}")
    print(f"{'':28}" + "".join(f"{name:>26}" for name in ANALYSES) + f"{'ahead':>10}")
    for title, changes in CASES.items():
        scores = np.array([scored(changes, seed) for seed in range(args.seeds)])
        spread = scores.std(axis=0, ddof=1) / np.sqrt(args.seeds)
        cells = zip(scores.mean(axis=0), spread, strict=True)
        ahead = int((scores[:, 0] > scores[:, 1:3].max(axis=1)).sum())
        print(
            f"{title:28}"
            + "".join(f"{mean:18.3f} ({error:.3f})" for mean, error in cells)
            + f"{ahead:>6}/{args.seeds}",
            flush=True,
        )


def scored(changes: tuple[Change, ...], seed: int) -> list[float]:
    """Mean F1 of each analysis on one data set."""
    views, truth = simulate(stream(seed, "sliding windows"))
    rng = stream(seed, "changes")
    for change in changes:
        views = tuple(change(view, rng) for view in views)
    config = ConnectomeConfig(rank=truth.group.size, n_partitions=20)
    leiden = config.model_copy(update={"communities": "leiden"})
    alignment = align(views, config)
    search = Search(n_starts=config.n_restarts * config.n_starts, n_kept=1)

    def patterns(problem: Problem) -> np.ndarray:
        rng = stream(seed, "fit")
        return factorise(problem, rank=config.n_components, search=search, rng=rng)[0].pair

    table, observed = windows(views, alignment, config)
    joined = Problem(products=TableProducts(table), observed=Observed.of(observed[:, None, :]))
    of_analysis = (
        (patterns(affinity_problem(alignment, config, threads=1)), config),
        (patterns(joined), leiden),
        (table.T, leiden),
        (static_graph(views, alignment), leiden),
    )
    return [communities_f1(found, alignment, how, truth) for found, how in of_analysis]


def windows(
    views: tuple[TraceEnsemble, ...], alignment: Alignment, config: ConnectomeConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Correlations in the windows of all animals, one after another, and where they are known.

    Shape (window, pair) both.
    """
    found = [
        windowed(values, valid, frames=round(config.window_s * view.rate_hz))
        for view, (values, valid) in zip(views, traces(views, alignment), strict=True)
    ]
    return np.concatenate([each for each, _ in found]), np.concatenate(
        [known for _, known in found]
    )


def static_graph(views: tuple[TraceEnsemble, ...], alignment: Alignment) -> np.ndarray:
    """Mean correlation over animals, (pair, 1)."""
    each = np.stack([whole(values, valid) for values, valid in traces(views, alignment)])
    known = np.isfinite(each)
    total = np.where(known, each, 0).sum(axis=0)
    return np.asarray((total / np.maximum(known.sum(axis=0), 1))[:, None])


def traces(
    views: tuple[TraceEnsemble, ...], alignment: Alignment
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Traces of the units of all animals, and where they are known."""
    return [
        traces_of_units(view, alignment.unit, alignment.presence[index])
        for index, view in enumerate(views)
    ]


def communities_f1(
    pair: np.ndarray, alignment: Alignment, config: ConnectomeConfig, truth: ConnectomeTruth
) -> float:
    """Of the communities of all patterns."""
    n_units = alignment.unit.size
    pairs = np.stack(np.triu_indices(n_units, 1), axis=1)
    graphs = [graph(one, pairs, n_units) for one in pair.T]
    found = find_communities(graphs, config, rng=stream(0, "communities"))
    return mean_f1(np.stack([one.label for one in found]), alignment.unit, truth)


def mean_f1(community: np.ndarray, unit: np.ndarray, truth: ConnectomeTruth) -> float:
    """Best F1 of each planted group over communities of all patterns, averaged."""
    place = {str(name): index for index, name in enumerate(truth.unit)}
    named = [(column, place[str(name)]) for column, name in enumerate(unit) if str(name) in place]
    columns, places = np.array(named).T
    sets = []
    for labels in community:
        for one in range(int(labels.max(initial=-1)) + 1):
            found = np.zeros(truth.unit.size, dtype=bool)
            found[places] = labels[columns] == one
            sets.append(found)
    scores = [
        max((2 * (found & group).sum() / (found.sum() + group.sum()) for found in sets), default=0)
        for group in truth.member
    ]
    return float(np.mean(scores))


def without_epochs(view: TraceEnsemble, rng: np.random.Generator) -> TraceEnsemble:
    """Nothing tells when something happens."""
    return dataclasses.replace(view, epochs=view.epochs.iloc[:0])


def without_names(view: TraceEnsemble, rng: np.random.Generator) -> TraceEnsemble:
    """Some of the named neurons were not recorded."""
    kept = (view.identity != "") & (rng.random(view.unit.size) >= LACKED)
    return dataclasses.replace(
        view,
        values=view.values[:, kept],
        valid=view.valid[:, kept],
        unit=view.unit[kept],
        identity=view.identity[kept],
    )


def drifting(view: TraceEnsemble, rng: np.random.Generator) -> TraceEnsemble:
    """Slow waves of each unit, and one that all units share."""
    n_units = view.unit.size
    period = np.append(rng.uniform(*DRIFT_S, n_units), rng.uniform(*DRIFT_S))
    waves = DRIFT * np.sin(2 * np.pi * (view.time[:, None] / period + rng.random(n_units + 1)))
    values = view.values + (waves[:, :-1] + waves[:, -1:]).astype(np.float32)
    return dataclasses.replace(view, values=np.where(view.valid, values, 0))


CASES: dict[str, tuple[Change, ...]] = {
    "epochs known": (),
    "epochs unknown": (without_epochs,),
    "a third of names missing": (without_names,),
    "baselines drift": (drifting,),
}


if __name__ == "__main__":
    main()
