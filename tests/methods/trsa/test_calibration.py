"""P values and standard errors over many simulated experiments without, or with, an effect."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from benchmarks.trsa_conditions import calibration
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.trsa import scores
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import (
    Rows,
    accuracies,
    corrected_variance,
    permuted_accuracies,
    resampled_accuracies,
    resamples,
)
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.result import PartResult
from pipeline.methods.trsa.targets import Targets
from pipeline.numerics.permutation import adjusted, largest_p_values, p_values

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")


def rows_of(n_subjects, n_regions):
    subject, region = np.array(list(itertools.product(range(n_subjects), range(n_regions)))).T
    return Rows(subject=subject, region=region, n_subjects=n_subjects, n_regions=n_regions)


def distances(patterns):
    first, second = np.triu_indices(patterns.shape[-2], 1)
    step = patterns[..., first, :] - patterns[..., second, :]
    return np.square(step).mean(axis=-1)


def limit(level, n_sets):
    return level + 2 * math.sqrt(level * (1 - level) / n_sets)


@pytest.mark.slow
def test_identification_is_rarely_found_where_there_is_none():
    rows, rng, n_sets = rows_of(5, 4), stream(0, "null identification"), 300
    single, corrected, randomised, discovered = [], [], [], 0
    for _ in range(n_sets):
        shared = 0.3 * rng.standard_normal((5, 1, 28))
        values = rng.standard_normal((3, rows.subject.size, 28)) + shared[rows.subject, 0]
        seen, null = accuracies(values, rows), permuted_accuracies(values, rows, 99, rng)
        single.append(p_values(seen, null)[0])
        corrected.append(largest_p_values(seen, null).min())
        above, ties = (null[:, 0] > seen[0] + 1e-12).sum(), (np.abs(null[:, 0] - seen[0]) < 1e-12)
        randomised.append((above + rng.random() * (1 + ties.sum())) / 100)
        discovered += (adjusted(p_values(seen, null)) <= 0.05).any()
    for level in (0.01, 0.05, 0.1):
        assert np.mean(np.array(single) <= level) <= limit(level, n_sets)
        assert np.mean(np.array(corrected) <= level) <= limit(level, n_sets)
    assert discovered / n_sets <= limit(0.05, n_sets)
    # Accuracy is discrete: only the randomised p can be uniform.
    ordered = np.sort(randomised)
    largest = np.abs(ordered - (np.arange(n_sets) + 0.5) / n_sets).max()
    assert largest < 1.63 / math.sqrt(n_sets)


def experiment(rng, *, n_subjects=8, n_conditions=16, n_regions=3):
    """Regions with geometries of their own, seen in new conditions and new subjects."""
    seen, models = [], []
    latent = rng.standard_normal((n_conditions, 5))
    common = stream(0, "kinds").standard_normal((5, 20))
    for region in range(n_regions):
        kinds = common + 0.7 * stream(0, "kinds", region).standard_normal((5, 20))
        models.append(distances(latent @ kinds))
        own = rng.standard_normal((n_subjects, n_conditions, 20))
        seen.append(distances(latent @ kinds + 3.5 * own))
    return np.stack(seen, axis=1), np.stack(models)


def scored(rng, n_draws=60):
    """Scores of two models in one region, and their corrected standard errors."""
    seen, models = experiment(rng)
    targets = Targets(
        region=("r",),
        region_of_row=np.zeros(8, dtype=np.int64),
        subject_of_row=np.arange(8),
        n_subjects=8,
        dissimilarities=seen[:, 0],
    )
    candidates = Models(name=("own", "other"), dissimilarities=models[:2])
    config = TrsaConfig(measure="corr")
    draws = scores.resampled(candidates, targets, config, n_draws, rng)
    part = PartResult(
        name="b",
        model_both=draws["both"],
        model_subjects=draws["subjects"],
        model_conditions=draws["conditions"],
        provenance=PROVENANCE,
    )
    found = scores.observed(
        candidates, targets, config, [part], rng, order="none", no_null="not asked"
    )
    return found.table["score"].to_numpy(), found.table["se"].to_numpy()


@pytest.mark.slow
def test_standard_errors_of_scores_are_those_of_new_experiments():
    rng = stream(0, "score errors")
    found = [scored(rng) for _ in range(100)]
    score, se = (np.array([one[place] for one in found]) for place in (0, 1))
    ratio = se.mean(axis=0) / score.std(axis=0, ddof=1)
    # A standard deviation over 100 experiments is known to within 7 %.
    assert (np.abs(ratio - 1) <= 0.2 + 0.14).all()


@pytest.mark.slow
def test_few_conditions_are_resampled_as_intervals_without_them_miss_new_ones():
    found = calibration(5, 25)
    for ratio, covered, new, same in found.values():
        assert 0.8 <= ratio <= 1.9
        # 95 % of 25 experiments, less two and a half standard errors.
        assert covered >= 0.84
        assert same >= 0.75
        assert new <= covered
    assert found["score"][2] <= 0.85


@pytest.mark.slow
def test_standard_errors_of_accuracy_are_rather_too_wide():
    rng, rows = stream(0, "accuracy errors"), rows_of(8, 3)
    accuracy, se = [], []
    for _ in range(100):
        seen, _ = experiment(rng)
        values = seen.reshape(24, -1)[None] / seen.max()
        draws = list(resamples(8, 16, 60, rng, rows=rows))
        found = resampled_accuracies(values, rows, draws)
        variance = {name: np.var(draw[:, 0], ddof=1) for name, draw in found.items()}
        se.append(
            np.sqrt(
                corrected_variance(
                    variance["both"],
                    variance["subjects"],
                    variance["conditions"],
                    n_subjects=8,
                    n_conditions=16,
                )
            )
        )
        accuracy.append(accuracies(values, rows)[0])
    assert 0.2 < np.mean(accuracy) < 0.98
    assert 0.8 <= np.mean(se) / np.std(accuracy, ddof=1) <= 1.7
