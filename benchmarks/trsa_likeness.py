"""How honest standard errors of likeness are: their size beside the spread of new experiments.

Each simulated experiment has new conditions, and new units of two populations that are tuned to
shared features, each unit also to conditions of its own, with new noise in two halves of the
repeats. The mean standard error is held against the spread over experiments: the one in use, the
plain sum of the jackknifes, and their sum less the common part between the bounds that serve for
scores (each factor alone, and the sum). Coverage is that of 95 % intervals (t with the number of
conditions, at most 10, less one) around the mean over experiments.

Measured with 120 experiments a line, of which a spread is known to within 6 to 10 %: 0.95 to 1.32
(at most 1.20 where populations have something in common), coverage 0.92 to 1.00;
bounded 1.13 to 1.83, the sum 1.43 to 2.34.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/trsa_likeness.py [--experiments 120]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from pipeline.core.rng import stream
from pipeline.methods.trsa import comparison

MEASURES = ("CKA, unbiased", "CKA", "Procrustes angle")


@dataclass(frozen=True, slots=True)
class Law:
    """What experiments are drawn from."""

    n_conditions: int
    n_units: int
    n_features: int
    private: float
    """Tuning of single units to single conditions, in both halves alike."""
    noise: float


LAWS = {
    "small": Law(8, 20, 3, 1.0, 1.0),
    "middle": Law(16, 30, 5, 2.0, 1.0),
    "alike": Law(16, 30, 5, 0.5, 0.5),
    "noisy": Law(16, 30, 5, 2.0, 4.0),
    "unrelated": Law(16, 30, 0, 1.0, 1.0),
    "large": Law(32, 60, 5, 2.0, 1.0),
}


def experiment(law: Law, rng: np.random.Generator) -> tuple[comparison.Halves, comparison.Halves]:
    """Two halves of the repeats of two populations, each (condition, unit)."""
    shared = rng.normal(size=(law.n_conditions, law.n_features))

    def population() -> comparison.Halves:
        tuning = shared @ rng.normal(size=(law.n_features, law.n_units))
        tuning = tuning + law.private * rng.normal(size=tuning.shape)
        first, second = (tuning + law.noise * rng.normal(size=tuning.shape) for _ in range(2))
        return first, second

    return population(), population()


def calibration(law: Law, measure: str, n_experiments: int) -> dict[str, float]:
    """Spread of the likeness, mean standard errors over it, and coverage."""
    values, errors, parts = [], [], []
    for number in range(n_experiments):
        one, other = experiment(law, stream(number, "likeness", law.n_conditions, law.private))
        every = np.arange(law.n_conditions)[None]
        values.append(comparison.likeness_draws(measure, one, other, every)[0])
        factors, common = comparison.jackknifes(measure, one, other)
        errors.append(np.sqrt(comparison.joined_variance(sum(factors), common)))
        least = max(factors[0], sum(factors[1:]))
        parts.append((sum(factors), max(sum(factors) - common, least)))
    from scipy.stats import t as student

    seen, error = np.array(values), np.array(errors)
    spread = float(seen.std(ddof=1))
    summed, bounded = np.sqrt(np.array(parts)).mean(axis=0)
    width = student.ppf(0.975, min(law.n_conditions, 10) - 1)
    return {
        "mean": float(seen.mean()),
        "spread": spread,
        "ratio": float(error.mean()) / spread,
        "coverage": float(np.mean(np.abs(seen - seen.mean()) <= width * error)),
        "bounded": float(bounded) / spread,
        "summed": float(summed) / spread,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=120)
    options = parser.parse_args()
    print("law        measure               mean  spread  se/spread  coverage  bounded  summed")
    for name, law in LAWS.items():
        for measure in MEASURES:
            found = calibration(law, measure, options.experiments)
            print(
                f"{name:10} {measure:18} {found['mean']:7.3f} {found['spread']:7.3f} "
                f"{found['ratio']:10.2f} {found['coverage']:9.2f} {found['bounded']:8.2f} "
                f"{found['summed']:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
