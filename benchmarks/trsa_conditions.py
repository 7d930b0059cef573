"""Whether conditions are worth resampling where there are few: intervals with and without them.

Simulated experiments have eight subjects and three regions, conditions and subjects of their own.
The score of a region's true model, its lead over another region's, and how often regions are
recognised from the other subjects, get 95 % intervals from the corrected bootstrap of subjects and
conditions (t with the smaller number less one), and from subjects alone. The first are held against
the mean over experiments with new conditions; the second against it too, and against the mean over
other subjects for the same conditions, which is all that they may speak of.

Measured with 80 experiments a line and 4 to 7 conditions: with conditions resampled, standard
errors are 1.03 to 1.36 times the spread and intervals hold 0.99 to 1.00. Without, those of scores
hold 0.65 to 0.68 of new conditions (0.90 to 0.95 for the same ones), those of accuracies 0.94 to
0.99. Conditions are therefore resampled however few they are: such intervals are wide, not wrong.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/trsa_conditions.py [--experiments 100]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from pipeline.core.rng import stream
from pipeline.methods.trsa import scores
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import (
    Rows,
    accuracies,
    corrected_variance,
    resampled_accuracies,
    resamples,
)
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.targets import Targets
from pipeline.numerics.resampled import compare_resampled

Floats = NDArray[np.float64]
N_SUBJECTS, N_REGIONS = 8, 3
NOISE = 3.5
ROWS = Rows(
    subject=np.repeat(np.arange(N_SUBJECTS), N_REGIONS),
    region=np.tile(np.arange(N_REGIONS), N_SUBJECTS),
    n_subjects=N_SUBJECTS,
    n_regions=N_REGIONS,
)
FACTORS = ("both", "subjects", "conditions")
NAMES = ("score", "difference of scores", "accuracy")


def tunings() -> Floats:
    """What units of each region are tuned to, the same in all experiments."""
    common = stream(0, "kinds").standard_normal((5, 20))
    own = [stream(0, "kinds", region).standard_normal((5, 20)) for region in range(N_REGIONS)]
    return np.stack([common + 0.7 * each for each in own])


def distances(patterns: Floats) -> Floats:
    """Mean squared distances of conditions, shape (..., pair)."""
    first, second = np.triu_indices(patterns.shape[-2], 1)
    return np.square(patterns[..., first, :] - patterns[..., second, :]).mean(axis=-1)


def subjects(truth: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Dissimilarities of subjects with noise of their own, shape (subject, region, pair)."""
    noise = rng.standard_normal((count, *truth.shape))
    return distances(truth[None] + NOISE * noise)


def experiment(n_conditions: int, rng: np.random.Generator, n_draws: int) -> Floats:
    """Of :data:`NAMES`: value, mean for its conditions, and variances, shape (name, 4)."""
    truth = rng.standard_normal((n_conditions, 5)) @ tunings()
    seen, others = subjects(truth, N_SUBJECTS, rng), subjects(truth, 15 * N_SUBJECTS, rng)
    models = distances(truth[:2])
    targets = Targets(
        region=("r",),
        region_of_row=np.zeros(N_SUBJECTS, dtype=np.int64),
        subject_of_row=np.arange(N_SUBJECTS),
        n_subjects=N_SUBJECTS,
        dissimilarities=seen[:, 0],
    )
    config = TrsaConfig(measure="rho_a")
    made = scores.resampled(
        Models(name=("own", "other"), dissimilarities=models), targets, config, n_draws, rng
    )
    every = np.ones((1, n_conditions), dtype=np.int64)
    score, expected = (
        compare_resampled(models, rows[:, 0], config.measure, every)[0].mean(axis=1)
        for rows in (seen, others)
    )
    size = float(seen.max())
    draws = list(resamples(N_SUBJECTS, n_conditions, n_draws, rng, rows=ROWS))
    drawn = resampled_accuracies(_rows(seen)[None] / size, ROWS, draws)
    again = [accuracies(_rows(part)[None] / size, ROWS)[0] for part in np.split(others, 15)]
    own = {name: made[name][:, 0, 0] for name in FACTORS}
    lead = {name: own[name] - made[name][:, 1, 0] for name in FACTORS}
    return np.array(
        [
            (score[0], expected[0], *_variances(own, n_conditions)),
            (score[0] - score[1], expected[0] - expected[1], *_variances(lead, n_conditions)),
            (
                accuracies(_rows(seen)[None] / size, ROWS)[0],
                np.mean(again),
                *_variances({name: drawn[name][:, 0] for name in FACTORS}, n_conditions),
            ),
        ]
    )


def _rows(values: Floats) -> Floats:
    return values.reshape(-1, values.shape[-1])


def _variances(draws: dict[str, Floats], n_conditions: int) -> tuple[float, float]:
    """With conditions and subjects resampled, corrected; and with subjects alone."""
    found = {name: np.nanvar(values, ddof=1) for name, values in draws.items()}
    both = corrected_variance(
        found["both"],
        found["subjects"],
        found["conditions"],
        n_subjects=N_SUBJECTS,
        n_conditions=n_conditions,
    )
    return float(both), float(found["subjects"] * N_SUBJECTS / (N_SUBJECTS - 1))


def calibration(
    n_conditions: int, n_experiments: int, n_draws: int = 60
) -> dict[str, tuple[float, float, float, float]]:
    """Of :data:`NAMES`: standard error over spread, and coverage.

    Coverage with conditions resampled, then without: of the mean over new conditions, and of that
    over the same ones.
    """
    found = np.array(
        [
            experiment(n_conditions, stream(number, "few", n_conditions), n_draws)
            for number in range(n_experiments)
        ]
    )
    told = {}
    for name, (value, same, both, alone) in zip(NAMES, np.moveaxis(found, 0, 2), strict=True):
        wide = student.ppf(0.975, min(N_SUBJECTS, n_conditions) - 1) * np.sqrt(both)
        narrow = student.ppf(0.975, N_SUBJECTS - 1) * np.sqrt(alone)
        off = np.abs(value - value.mean())
        told[name] = (
            float(np.sqrt(both).mean() / value.std(ddof=1)),
            float(np.mean(off <= wide)),
            float(np.mean(off <= narrow)),
            float(np.mean(np.abs(value - same) <= narrow)),
        )
    return told


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=100)
    options = parser.parse_args()
    print(
        "conditions  what                  se/spread  coverage  without: new conditions  the same"
    )
    for n_conditions in (4, 5, 6, 7, 8):
        for name, numbers in calibration(n_conditions, options.experiments).items():
            ratio, covered, new, same = numbers
            told = f"{ratio:10.2f} {covered:9.2f} {new:24.2f} {same:9.2f}"
            print(f"{n_conditions:10}  {name:20} {told}", flush=True)


if __name__ == "__main__":
    main()
