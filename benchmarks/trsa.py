"""Scores of models with noise ceilings under resampling, beside rsatoolbox in one run.

Ten models, one region of ten subjects, sixty conditions. Ours is what the method itself calls: the
mean score of every model and the lower noise ceiling, with conditions and subjects resampled, with
conditions alone, and with subjects alone. The peer, installed into a folder of its own for the
run, does the same (``eval_dual_bootstrap``, which takes upper ceilings along) for a few draws; its
scores and lower ceiling in one draw of conditions must be ours.

Processor seconds of one thread on a busy machine (two cores, load 2 to 3), 1000 draws, beside
rsatoolbox 0.3.2: cosine 0.12 (155 to 167 times), correlation 0.13 (184), rho-a 1.03 (124), whitened
cosine 0.45 (347), largest difference 3e-15; tau-a 21 (8); shortest paths at 230 pairs of levels
0.03 (NetworkX 119 times as many). ``docs/trsa_speed.md`` has the table.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/trsa.py [--peers]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import networkx as nx
import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa import scores
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.geodesics import two_step
from pipeline.methods.trsa.identification import resamples
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.targets import Targets
from pipeline.methods.trsa.transforms import level_grid
from pipeline.numerics.dissimilarity import squared_form

PEERS = {
    "cosine": "cosine",
    "corr": "corr",
    "rho_a": "rho-a",
    "whitened_cosine": "cosine_cov",
    "tau_a": "tau-a",
}
N_MODELS, N_SUBJECTS = 10, 10
PEER_DRAWS = 2


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", type=int, default=60)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--measures", nargs="*", default=list(PEERS))
    parser.add_argument("--peers", action="store_true", help="time rsatoolbox too")
    args = parser.parse_args()
    rng = stream(0, "benchmark")
    count = args.conditions
    shape = (N_MODELS + N_SUBJECTS, count * (count - 1) // 2)
    vectors = 5 + rng.standard_normal(shape[1]) + rng.standard_normal(shape)
    names = tuple(f"model {number}" for number in range(N_MODELS))
    models = Models(name=names, dissimilarities=vectors[:N_MODELS])
    targets = Targets(
        region=("region",),
        region_of_row=np.zeros(N_SUBJECTS, dtype=np.int64),
        subject_of_row=np.arange(N_SUBJECTS),
        n_subjects=N_SUBJECTS,
        dissimilarities=vectors[N_MODELS:],
    )
    with tempfile.TemporaryDirectory() as folder:
        if args.peers:
            install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
            wanted = ["rsatoolbox==0.3.2", "scikit-image", "lazy-loader", "tqdm"]
            subprocess.run([*install, "--target", folder, *wanted], check=True)
            sys.path.insert(0, folder)
        for measure in args.measures:
            work = partial(evaluate, models, targets, measure)
            work(2)  # compiles
            seconds = timed(partial(work, args.draws))
            line = f"{measure:16} {seconds:8.2f} s for {args.draws} draws"
            if args.peers:
                theirs = peer_seconds(models, targets, measure) * args.draws
                difference = peer_difference(models, targets, measure)
                line += f"; rsatoolbox {theirs:7.0f} s, ratio {theirs / seconds:6.0f}"
                line += f", largest difference {difference:.0e}"
            print(line, flush=True)
    paths(vectors[0])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of memory {peak_mb:.0f} MB")


def timed(work: Callable[[], object], rounds: int = 2) -> float:
    """Best of some rounds, in seconds."""
    took = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def evaluate(models: Models, targets: Targets, measure: Any, n_draws: int) -> dict:  # Any: a name
    """Scores and lower ceilings of all resamples, as the method makes them."""
    config = TrsaConfig(measure=measure, models=list(models.name))
    found = scores.resampled(models, targets, config, n_draws, stream(0, "draws"))
    assert found is not None
    return found


def peer_seconds(models: Models, targets: Targets, measure: str) -> float:
    """Seconds a draw of rsatoolbox."""
    from rsatoolbox.inference import eval_dual_bootstrap
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    fixed = [
        ModelFixed(name, values)
        for name, values in zip(models.name, models.dissimilarities, strict=True)
    ]
    data = RDMs(targets.dissimilarities)

    def draw() -> object:
        return eval_dual_bootstrap(
            fixed, data, method=PEERS[measure], N=PEER_DRAWS, k_pattern=1, k_rdm=1, n_cv=1
        )

    return timed(draw) / PEER_DRAWS


def peer_difference(models: Models, targets: Targets, measure: str) -> float:
    """How far scores and lower ceiling of rsatoolbox in one draw of conditions are from ours."""
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs, compare

    ours = evaluate(models, targets, measure, 1)["conditions"][0, :, 0]
    (draw,) = resamples(targets.n_subjects, targets.n_conditions, 1, stream(0, "draws"))
    index = np.repeat(np.arange(targets.n_conditions), draw.condition.astype(int))
    candidates, data = (
        RDMs(one.dissimilarities).subsample_pattern("index", index) for one in (models, targets)
    )
    theirs = compare(candidates, data, method=PEERS[measure]).mean(axis=1)
    lower = boot_noise_ceiling(data, method=PEERS[measure])[0]
    difference = float(np.abs(ours - [*theirs, lower]).max())
    assert difference < 1e-9, difference
    return difference


def paths(vector: np.ndarray) -> None:
    """Shortest paths over the grid of levels, beside NetworkX for a few of them."""
    levels = level_grid()
    two_step(vector, levels[:1])  # compiles
    seconds = timed(lambda: two_step(vector, levels))
    few = levels[20:200:60]
    weights = squared_form(1 + vector - vector.min())

    def loop() -> None:
        for _ in few:
            graph = nx.from_numpy_array(weights * (weights < np.median(weights)))
            dict(nx.all_pairs_dijkstra_path_length(graph))

    theirs = timed(loop, rounds=1) / len(few) * len(levels)
    print(
        f"paths, {len(levels)} pairs of levels {seconds:6.2f} s; NetworkX {theirs:.1f} s, "
        f"ratio {theirs / seconds:.0f}"
    )


if __name__ == "__main__":
    main()
