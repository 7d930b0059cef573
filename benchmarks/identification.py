"""Time regions over subjects: ten regions, ten subjects, sixty conditions, a thousand resamples.

    python benchmarks/identification.py [--draws 1000] [--levels 30]

Beside ours a loop as the published code has it (gather the resampled pairs, find nearest
centroids), for a few draws, with the same accuracies.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa.identification import Rows, pair_weights, resampled_accuracies, resamples
from pipeline.methods.trsa.transforms import family_levels, geo_topological

N_REGIONS, N_SUBJECTS, N_CONDITIONS = 10, 10, 60
LOOP_DRAWS = 2


def rows():
    subject, region = np.array(list(itertools.product(range(N_SUBJECTS), range(N_REGIONS)))).T
    return Rows(subject=subject, region=region, n_subjects=N_SUBJECTS, n_regions=N_REGIONS)


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
    options = parser.parse_args()
    rng, known = stream(0, "benchmark"), rows()
    n_pairs = N_CONDITIONS * (N_CONDITIONS - 1) // 2
    centre = rng.standard_normal((N_REGIONS, n_pairs))
    measured = centre[known.region] + 3 * rng.standard_normal((known.region.size, n_pairs))
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
