"""Compare model dissimilarities with regions under resampling, beside rsatoolbox in one run.

Ten models, one region of ten subjects, sixty conditions: both factors resampled, with what scores
and noise ceilings need. The peer, installed into a folder of its own for the run, draws a few
times; its numbers for one draw of conditions must be ours.

Processor seconds of one thread on a busy machine, 200 draws, beside rsatoolbox 0.3.2: cosine 0.05
(127 times), correlation 0.06 (176), whitened cosine 0.14 (407), rho-a 0.15 (425), largest
difference 1e-14; shortest paths at 230 pairs of levels 0.05 (NetworkX 122 to 187 times as many).

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

import networkx as nx
import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa.geodesics import two_step
from pipeline.methods.trsa.transforms import level_grid
from pipeline.numerics.dissimilarity import squared_form
from pipeline.numerics.resampled import compare_resampled

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
    counts = rng.multinomial(count, np.full(count, 1 / count), size=args.draws)
    subjects = rng.multinomial(N_SUBJECTS, np.full(N_SUBJECTS, 1 / N_SUBJECTS), size=args.draws)
    with tempfile.TemporaryDirectory() as folder:
        if args.peers:
            install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
            wanted = ["rsatoolbox==0.3.2", "scikit-image", "lazy-loader", "tqdm"]
            subprocess.run([*install, "--target", folder, *wanted], check=True)
            sys.path.insert(0, folder)
        for measure in args.measures:
            compare_resampled(vectors[:2], vectors[:2], measure, counts[:1])  # compiles
            seconds = timed(lambda m=measure: evaluate(vectors, m, counts, subjects))
            line = f"{measure:16} {seconds:8.2f} s for {args.draws} draws"
            if args.peers:
                theirs, difference = peer(vectors, measure, counts[0])
                theirs *= args.draws
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


def evaluate(vectors: np.ndarray, measure: str, counts: np.ndarray, subjects: np.ndarray) -> tuple:
    """Mean scores of models under both factors and each alone, and similarities of subjects.

    Upper and lower ceilings follow from the similarities of subjects.
    """
    rows = vectors[N_MODELS:]
    drawn = compare_resampled(vectors, rows, measure, counts)
    whole = compare_resampled(vectors, rows, measure, np.ones((1, counts.shape[1]), dtype=int))[0]
    both = np.einsum("dms,ds->dm", drawn[:, :N_MODELS], subjects) / N_SUBJECTS
    of_subjects = subjects @ whole[:N_MODELS].T / N_SUBJECTS
    return both, of_subjects, drawn[:, :N_MODELS].mean(axis=2), drawn[:, N_MODELS:]


def peer(vectors: np.ndarray, measure: str, count: np.ndarray) -> tuple[float, float]:
    """Seconds a draw of rsatoolbox, and how far its numbers for one draw are from ours."""
    from rsatoolbox.inference import eval_dual_bootstrap
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs, compare

    models = [ModelFixed(f"model {i}", vector) for i, vector in enumerate(vectors[:N_MODELS])]
    data = RDMs(vectors[N_MODELS:])
    everything = RDMs(vectors)
    name = PEERS[measure]

    def draw() -> object:
        return eval_dual_bootstrap(
            models, data, method=name, N=PEER_DRAWS, k_pattern=1, k_rdm=1, n_cv=1
        )

    seconds = timed(draw) / PEER_DRAWS
    index = np.repeat(np.arange(count.size), count)
    sampled = everything.subsample_pattern("index", index)
    theirs = compare(sampled, sampled, method=name)
    ours = compare_resampled(vectors, vectors, measure, count[None])[0]
    difference = float(np.abs(theirs - ours).max())
    assert difference < 1e-9
    return seconds, difference


def paths(vector: np.ndarray) -> None:
    """Shortest paths over the grid of levels, beside NetworkX for a few of them."""
    levels = level_grid()
    two_step(vector, levels[:1])  # compiles
    seconds = timed(lambda: two_step(vector, levels))
    few = levels[20:200:60]
    weights = 1 + squared_form(vector)

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
