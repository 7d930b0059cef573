"""Time regions over subjects: ten regions, ten subjects, sixty conditions, a thousand resamples.

    OMP_NUM_THREADS=1 python benchmarks/identification.py [--draws 1000] [--levels 30] [--curves]

Beside ours a loop as the published code has it (gather the resampled pairs, find nearest
centroids), for a few draws, with the same accuracies.

Processor seconds of one thread for 1000 resamples and 30 pairs of levels: 10 to 15 on a busy
machine (the loop 800 to 880); memory 385 MB, and 745 MB for 200 rows of 200 conditions. Time grows
with about the power 1.4 to 1.6 of conditions, 1.1 of subjects and 1 to 1.3 of resamples
(``--curves``).
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa.across import _Statistics
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import (
    Rows,
    accuracies,
    pair_weights,
    resampled_accuracies,
    resamples,
)
from pipeline.methods.trsa.transforms import family_levels, geo_topological, level_grid

N_REGIONS, N_SUBJECTS, N_CONDITIONS = 10, 10, 60
LOOP_DRAWS = 2


def rows(n_subjects=N_SUBJECTS):
    subject, region = np.array(list(itertools.product(range(n_subjects), range(N_REGIONS)))).T
    return Rows(subject=subject, region=region, n_subjects=n_subjects, n_regions=N_REGIONS)


def regions_of(known, n_conditions, rng, n_statistics=None):
    """Rows that resemble their region, shape (row, pair), or one such a statistic."""
    n_pairs = n_conditions * (n_conditions - 1) // 2
    centre = rng.standard_normal((N_REGIONS, n_pairs))
    more = () if n_statistics is None else (n_statistics,)
    return centre[known.region] + 3 * rng.standard_normal((*more, known.region.size, n_pairs))


def curve(what, sizes, rng):
    """Processor seconds of ten statistics with one size changed, and how they grow."""
    seconds = []
    for size in sizes:
        given = {"conditions": 60, "subjects": 10, "draws": 20, what: size}
        known, n = rows(given["subjects"]), given["conditions"]
        statistics = regions_of(known, n, rng, 10)
        draws = list(resamples(given["subjects"], n, given["draws"], rng, rows=known))
        start = time.process_time()
        resampled_accuracies(statistics, known, draws)
        seconds.append(time.process_time() - start)
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    told = ", ".join(f"{size}: {one:.2f} s" for size, one in zip(sizes, seconds, strict=True))
    print(f"{what} {told}; grows with power {slope:.1f}")


def large(rng):
    """Peak of memory over a map of levels for 200 rows of 200 conditions, made one by one."""
    known = rows(20)
    values = regions_of(known, 200, rng)
    made = _Statistics(values, level_grid(0.25), TrsaConfig())
    accuracies(made, known)
    draws = list(resamples(20, 200, 2, rng, rows=known))
    resampled_accuracies(made, known, draws)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(made)} statistics of 200 rows and 200 conditions: peak of memory {peak_mb:.0f} MB")


def loop(values, known, draw):
    """Accuracy of one statistic with rows and pairs that are repeated as often as drawn."""
    first, second = np.triu_indices(N_CONDITIONS, 1)
    times = (draw.condition[first] * draw.condition[second]).astype(int)
    drawn = np.repeat(values, times, axis=1)
    weight = draw.subject[known.subject].astype(int)
    right = total = 0
    for row in np.flatnonzero(weight):
        apart = np.full(N_REGIONS, np.inf)
        for region in range(N_REGIONS):
            there = (known.region == region) & (known.subject != known.subject[row])
            copies = np.repeat(drawn[there], weight[there], axis=0)
            if len(copies):
                apart[region] = np.linalg.norm(drawn[row] - copies.mean(axis=0))
        right += weight[row] * (apart.argmin() == known.region[row])
        total += weight[row]
    return right / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--levels", type=int, default=30)
    parser.add_argument("--curves", action="store_true", help="how time and memory grow")
    options = parser.parse_args()
    if options.curves:
        rng = stream(0, "curves")
        warm = rng.random((1, rows().subject.size, 60 * 59 // 2))
        resampled_accuracies(warm, rows(), list(resamples(10, 60, 1, rng, rows=rows())))
        large(rng)
        curve("conditions", (30, 60, 120), rng)
        curve("subjects", (5, 10, 20), rng)
        curve("draws", (10, 20, 40), rng)
        return
    rng, known = stream(0, "benchmark"), rows()
    n_pairs = N_CONDITIONS * (N_CONDITIONS - 1) // 2
    measured = regions_of(known, N_CONDITIONS, rng)
    levels = family_levels("intermediate", options.levels, rng)
    statistics = np.moveaxis(geo_topological(measured, levels), 1, 0)
    draws = list(resamples(N_SUBJECTS, N_CONDITIONS, options.draws, rng, rows=known))
    resampled_accuracies(statistics[:1], known, draws[:1])  # compiles
    start = time.process_time()
    found = resampled_accuracies(statistics, known, draws)
    seconds = time.process_time() - start
    start = time.process_time()
    slow = [[loop(values, known, draw) for values in statistics] for draw in draws[:LOOP_DRAWS]]
    loop_s = (time.process_time() - start) * options.draws / LOOP_DRAWS
    assert np.allclose(found["both"][:LOOP_DRAWS], slow)
    assert pair_weights(draws[0].condition).size == n_pairs
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.levels} statistics, {options.draws} resamples of {known.region.size} rows")
    print(f"ours, with the two bootstraps of single factors: {seconds:.1f} s, {peak_mb:.0f} MB")
    print(f"loop, of both factors only: {loop_s:.0f} s; ratio {loop_s / seconds:.0f}")


if __name__ == "__main__":
    main()
