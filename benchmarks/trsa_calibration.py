"""How often tests of representations find what is not there, and how honest standard errors are.

The calibration that docs/trsa_calibration.md shows, over as many simulations as the specification
asks for; tests run the same functions with fewer. Rates stand beside their 95 % interval
(Clopper & Pearson) and the largest rate that is allowed, the level and two standard errors.

    OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.trsa_calibration [--simulations 500]
        [--recordings 200] [--write docs/trsa_calibration.md]
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, kstest

from benchmarks.trsa_conditions import calibration, distances
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.trsa import halves
from pipeline.methods.trsa.algorithm import combine, fit_part
from pipeline.methods.trsa.config import HomologyConfig, TrsaConfig
from pipeline.methods.trsa.identification import Rows, accuracies, permuted_accuracies
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.simulate import simulate
from pipeline.numerics.permutation import TIE, adjusted, largest_p_values, p_values

Floats = NDArray[np.float64]

LEVELS = (0.01, 0.05, 0.1)
SHAPES = ("ring", "torus", "tree")
SHAPE_CONDITIONS = 16
PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
ONE_RECORDING = TrsaConfig(
    n_permutations=99,
    n_bootstraps=20,
    n_splits=20,
    level_step=0.5,
    models="none",
    n_comparisons=0,
    n_graphs=0,
    homology=HomologyConfig(n_shuffles=0),
)


class Null(NamedTuple):
    """P values, or rates, of data sets without a difference of regions, each shape (set,)."""

    single: Floats
    """Of one statistic."""
    largest: Floats
    """Smallest of three, against the largest of each relabelling."""
    randomised: Floats
    """Of one statistic, ties broken by chance: uniform, where accuracy itself is discrete."""
    false_share: Floats
    """Share of statistics without an effect among those that Benjamini and Hochberg keep at 0.05,
    where two of five have one."""


def rows_of(n_subjects: int, n_regions: int) -> Rows:
    """Every region in every subject."""
    subject, region = np.array(list(itertools.product(range(n_subjects), range(n_regions)))).T
    return Rows(subject=subject, region=region, n_subjects=n_subjects, n_regions=n_regions)


def null_identification(n_sets: int, n_draws: int = 199) -> Null:
    """Regions over five subjects: three statistics without an effect, and two with one."""
    rows, rng = rows_of(5, 4), stream(0, "null identification")
    found = []
    for _ in range(n_sets):
        of_subject = 0.3 * rng.standard_normal((5, 28))[rows.subject]
        values = of_subject + rng.standard_normal((5, rows.subject.size, 28))
        values[3:] += 0.6 * rng.standard_normal((4, 28))[rows.region]
        seen, null = accuracies(values, rows), permuted_accuracies(values, rows, n_draws, rng)
        p = p_values(seen, null)
        above = (null[:, 0] > seen[0] + TIE).sum()
        equal = (np.abs(null[:, 0] - seen[0]) <= TIE).sum()
        kept = adjusted(p) <= 0.05
        found.append(
            (
                p[0],
                largest_p_values(seen[:3], null[:, :3]).min(),
                (above + rng.random() * (1 + equal)) / (1 + n_draws),
                kept[:3].sum() / max(1, kept.sum()),
            )
        )
    return Null(*np.array(found).T)


class Recording(NamedTuple):
    """What one recording of units that no region tells apart gives."""

    separation_p: float
    map_p: float
    """Of the best pair of levels."""
    repeats_accuracy: float
    """Regroupings recognised by halves of the repeats with the same units: no sign of regions."""


def null_recordings(n_recordings: int, *, config: TrsaConfig = ONE_RECORDING) -> list[Recording]:
    """Recordings whose units were given their regions by chance."""
    found = []
    for number in range(n_recordings):
        view = simulate(stream(number, "null"))[0][0]
        mixed = stream(number, "mixed").permutation(view.region)
        view = dataclasses.replace(view, region=mixed)
        own = _fitted(view, config, number).halves
        assert own is not None
        session = sample_of((view,), config).sessions[0]
        splits = halves.draw_splits(session, 5, stream(number, "repeats"))
        first, second = (
            halves.quick_ranks(half)
            for half in halves.half_dissimilarities(
                session, view.condition.size, splits, all_units=True
            )
        )
        likeness = np.einsum("sqp,srp->sqr", first, second)
        right = likeness.argmax(axis=2) == np.arange(likeness.shape[1])
        found.append(
            Recording(float(own.separation_p[0]), float(own.p_corrected.min()), float(right.mean()))
        )
    return found


def _fitted(view: object, config: TrsaConfig, number: int) -> TrsaResult:
    parts = {
        part.name: fit_part(
            (view,), config, part, stream(number, "part", part.name), provenance=PROVENANCE
        )
        for part in config.plan()
    }
    return combine(parts, (view,), config, stream(number, "combine"), provenance=PROVENANCE)


def shape_accuracy(n_sets: int, noise: float = 0.1) -> float:
    """How often a ring, a torus and a tree are told from those of other subjects, by ranks."""
    rows, rng = rows_of(4, len(SHAPES)), stream(0, "shapes")
    found = []
    patterns = [shape_patterns(shape) for shape in SHAPES]
    for _ in range(n_sets):
        seen = []
        for region in rows.region:  # units of each subject mix the axes in their own way
            own = patterns[region]
            tuned = own @ rng.standard_normal((own.shape[1], 40)) / math.sqrt(own.shape[1])
            seen.append(distances(tuned + noise * rng.standard_normal(tuned.shape)))
        found.append(accuracies(halves.quick_ranks(np.stack(seen))[None], rows)[0])
    return float(np.mean(found))


def shape_patterns(shape: str) -> Floats:
    """Sixteen conditions on a ring, on a torus (4 x 4), or at the leaves of a binary tree.

    Shape (condition, axis), of mean 0 and mean square 1.
    """
    place = np.arange(SHAPE_CONDITIONS)
    if shape == "tree":  # each leaf, each pair of them and each four are an axis of their own
        grouped = (place, place // 2, place // 4)
        patterns = np.concatenate([np.eye(of.max() + 1)[of] for of in grouped], axis=1)
    else:
        angles = [place / SHAPE_CONDITIONS] if shape == "ring" else [place // 4 / 4, place % 4 / 4]
        turns = 2 * np.pi * np.stack(angles, axis=1)
        patterns = np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    patterns -= patterns.mean(axis=0)
    return patterns / patterns.std()


def allowed(level: float, n_sets: int) -> float:
    """Largest rate of a test of that level, of so many sets: two standard errors above it."""
    return level + 2 * math.sqrt(level * (1 - level) / n_sets)


def report(n_simulations: int, n_recordings: int) -> Iterator[str]:
    """Lines of Markdown: rates, then standard errors, then shapes."""
    yield "| test without an effect | p at most | simulations | rate | 95 % interval | allowed |"
    yield "| --- | --- | --- | --- | --- | --- |"
    null = null_identification(n_simulations)
    for name, p in (
        ("regions over subjects, one statistic", null.single),
        ("best of three statistics, largest of each relabelling", null.largest),
        ("one statistic, ties broken by chance", null.randomised),
    ):
        for level in LEVELS:
            yield _rate(name, p <= level, level)
    recordings = null_recordings(n_recordings)
    for name, values in (
        ("regions of one recording, separation", [one.separation_p for one in recordings]),
        ("regions of one recording, best of the map", [one.map_p for one in recordings]),
    ):
        yield _rate(name, np.array(values) <= 0.05, 0.05)
    yield ""
    uniform = kstest(null.randomised, "uniform").pvalue
    yield f"- P with ties broken by chance is uniform: Kolmogorov-Smirnov p = {uniform:.2f}."
    yield (
        f"- False discoveries among what Benjamini and Hochberg keep at 0.05, where two of five "
        f"statistics have an effect: {null.false_share.mean():.3f} +- "
        f"{null.false_share.std() / math.sqrt(n_simulations):.3f} (standard error)."
    )
    trap = np.mean([one.repeats_accuracy for one in recordings])
    yield (
        f"- The same regroupings of {n_recordings} recordings are recognised by halves of the "
        f"repeats alone in {trap:.2f} of cases (chance would be 0.33): this is shown as "
        "reliability and is no test."
    )
    yield (
        "- A ring, a torus and a tree of 16 conditions are told from those of three other subjects "
        f"in {shape_accuracy(n_simulations):.3f} of {n_simulations} x 12 cases (0.95 asked for)."
    )
    yield ""
    yield "| with 8 subjects, 24 conditions | standard error over spread | 95 % intervals hold |"
    yield "| --- | --- | --- |"
    for name, (ratio, covered, _, _) in calibration(24, n_simulations, 200).items():
        held = binomtest(round(covered * n_simulations), n_simulations).proportion_ci()
        yield f"| {name} | {ratio:.2f} | {covered:.3f} ({held.low:.3f} to {held.high:.3f}) |"


def _rate(name: str, small: NDArray[np.bool_], level: float) -> str:
    band = binomtest(int(small.sum()), small.size).proportion_ci()
    return (
        f"| {name} | {level:g} | {small.size} | {small.mean():.3f} | {band.low:.3f} to "
        f"{band.high:.3f} | {allowed(level, small.size):.3f} |"
    )


def main() -> None:
    """Print the tables, and put them into a document in place of the ones that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--write", type=Path, help="document whose part after MEASURED is replaced")
    options = parser.parse_args()
    start, lines = time.process_time(), []
    for line in report(options.simulations, options.recordings):
        print(line, flush=True)
        lines.append(line)
    lines.append("")
    lines.append(f"Processor seconds: {time.process_time() - start:.0f}.")
    print(lines[-1])
    if options.write:
        head = options.write.read_text().partition(MEASURED)[0]
        options.write.write_text(head + MEASURED + "\n\n" + "\n".join(lines) + "\n")


MEASURED = "<!-- measured: everything below is written by benchmarks/trsa_calibration.py -->"


if __name__ == "__main__":
    main()
