"""Fitted models: weights against planted ones, folds that share nothing, variances, honesty."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.trsa import fitting, scores
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.models import Models
from pipeline.methods.trsa.result import PartResult
from pipeline.methods.trsa.targets import Targets

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")


def distances(patterns):
    first, second = np.triu_indices(patterns.shape[-2], 1)
    return np.square(patterns[..., first, :] - patterns[..., second, :]).mean(axis=-1)


def targets_from(rows):
    return Targets(
        region=("r",),
        region_of_row=np.zeros(len(rows), dtype=np.int64),
        subject_of_row=np.arange(len(rows)),
        n_subjects=len(rows),
        dissimilarities=rows,
    )


def best_of_grid(x, y, counts, some):
    """Least squares over a fine grid of weights of at least 0 for two candidates."""
    grid = np.linspace(0, 2, 81)
    best = min(
        (np.sum(counts * (y - a * x[some[0]] - b * x[some[1]]) ** 2), a, b)
        for a, b in itertools.product(grid, grid)
    )
    return best[1:]


def test_weights_are_those_of_a_search():
    rng = stream(0, "weights")
    x, counts = rng.random((2, 30)), rng.integers(0, 3, 30).astype(float)
    for planted in ((0.5, 1.2), (0.0, 0.8), (1.1, -0.7)):
        y = planted[0] * x[0] + planted[1] * x[1] + 0.02 * rng.standard_normal(30)
        found = fitting.weights_of("weighted", x, y, counts, centred=False)
        np.testing.assert_allclose(found, best_of_grid(x, y, counts, (0, 1)), atol=0.03)
        assert (found >= 0).all()
    shifted = fitting.weights_of("weighted", x, y + 5, counts, centred=True)
    straight = fitting.weights_of("weighted", x, y, counts, centred=True)
    np.testing.assert_allclose(shifted, straight, atol=1e-9)


def test_a_mixture_takes_two_neighbours_and_no_others():
    rng = stream(0, "mixture")
    x = rng.random((4, 60))
    y = 0.3 * x[1] + 0.6 * x[2]
    found = fitting.weights_of("interpolated", x, y, np.ones(60), centred=False)
    np.testing.assert_allclose(found, [0, 0.3, 0.6, 0], atol=1e-9)
    apart = fitting.weights_of("interpolated", x, x[0] + x[3], np.ones(60), centred=False)
    assert np.count_nonzero(apart) <= 2
    assert apart[0] * apart[3] == 0


def test_pairs_that_were_not_drawn_do_not_count():
    rng = stream(0, "undrawn")
    x, y, counts = rng.random((3, 20)), rng.random(20), np.r_[np.ones(10), np.zeros(10)]
    moved = np.where(counts > 0, y, 100.0)
    one = fitting.weights_of("weighted", x, y, counts, centred=True)
    np.testing.assert_array_equal(
        one, fitting.weights_of("weighted", x, moved, counts, centred=True)
    )


def test_folds_share_no_condition_and_no_subject(monkeypatch):
    rng, seen = stream(0, "folds"), []
    rows = rng.random((6, 24 * 23 // 2))
    models = Models(name=("a", "b"), dissimilarities=rng.random((2, rows.shape[1])))
    left, right = np.triu_indices(24, 1)
    own, scored = fitting.weights_of, fitting._scored

    def weights_of(kind, candidates, target, counts, *, centred):
        used = np.flatnonzero(counts)
        seen.append([set(left[used]) | set(right[used])])
        return own(kind, candidates, target, counts, centred=centred)

    def judge(made, rows, weight, condition, measure):
        seen[-1] += [set(np.flatnonzero(condition)), set(np.flatnonzero(weight))]
        return scored(made, rows, weight, condition, measure)

    monkeypatch.setattr(fitting, "weights_of", weights_of)
    monkeypatch.setattr(fitting, "_scored", judge)
    of_row = np.array([2, 1, 0, 1, 1, 1])
    condition = rng.multinomial(24, np.full(24, 1 / 24))
    config = TrsaConfig(fitted_models=["weighted"])
    fitting.score_once(models, rows, of_row, condition, config, rng)
    assert len(seen) == 4 * 3  # six subjects and twenty-four conditions
    for learnt, judged, subjects in seen:
        assert not learnt & judged
        assert learnt | judged == set(np.flatnonzero(condition))
        assert subjects <= set(np.flatnonzero(of_row))
    assert set.union(*(subjects for _, _, subjects in seen)) == set(np.flatnonzero(of_row))


def test_variance_is_that_of_many_assignments():
    rng = stream(0, "assignment noise")
    resample = 0.3 * rng.standard_normal((4000, 1))
    draws = resample + 0.5 * rng.standard_normal((4000, 2))
    assert fitting.without_assignment_noise(draws) == pytest.approx(0.09, rel=0.15)
    # Without the correction it is that of two assignments.
    assert np.var(draws.mean(axis=1)) == pytest.approx(0.09 + 0.125, rel=0.1)
    draws[0] = np.nan
    assert np.isfinite(fitting.without_assignment_noise(draws))


def fitted(rows, models, rng, *, n_draws=40, measure="corr", kinds=("weighted",)):
    config = TrsaConfig(measure=measure, fitted_models=list(kinds), n_permutations=19)
    targets = targets_from(rows)
    one = scores.resampled(models, targets, config, n_draws, rng)
    two = fitting.resampled(models, targets, config, n_draws, rng)
    part = PartResult(
        name="b",
        **{f"model_{name}": values for name, values in one.items()},
        **{f"fitted_{name}": values for name, values in two.items()},
        provenance=PROVENANCE,
    )
    return scores.observed(models, targets, config, [part], rng, order="none", no_null="")


def planted(rng, *, n_subjects=8, n_conditions=16, effect=1.0):
    """Regions whose geometry is two of three candidates together, in new conditions."""
    parts = rng.standard_normal((3, n_conditions, 4))
    common = np.concatenate([parts[0], 0.8 * parts[1]], axis=1) * effect
    own = 1.2 * rng.standard_normal((n_subjects, n_conditions, 8))
    models = Models(name=("a", "b", "c"), dissimilarities=distances(parts))
    return distances(common + own), models


@pytest.mark.parametrize("measure", ["corr", "rho_a", "cosine", "whitened_corr", "tau_b", "bures"])
def test_a_planted_sum_is_found_and_beats_its_parts(measure):
    rows, models = planted(stream(0, "sum"), n_conditions=24)
    rng = stream(0, "fitted", measure)
    kinds = ("weighted", "interpolated")
    found = fitted(rows, models, rng, n_draws=40, measure=measure, kinds=kinds)
    table = found.table.set_index("model")
    for kind in ("weighted sum", "mixture of two"):
        assert table.loc[kind, "score"] > table.loc["c", "score"]
        assert table.loc[kind, "p"] < 0.05
        assert table.loc[kind, "se"] > 0
    weights = found.weights[found.weights["fit"] == "weighted sum"].set_index("model")["weight"]
    assert weights.sum() == pytest.approx(1)
    assert weights["a"] > weights["c"]
    assert weights["b"] > weights["c"]


def test_noise_is_not_fitted():
    rng = stream(0, "noise")
    rows, _ = planted(rng, effect=0.0)
    many = Models(name=tuple("abcdef"), dissimilarities=distances(rng.standard_normal((6, 16, 4))))
    config = TrsaConfig(measure="corr", fitted_models=["weighted"])
    targets = targets_from(rows)
    every = fitting.Resample(subject=np.ones(8), condition=np.ones(16))
    seen = np.nanmean(fitting.scores_of(many, targets, config, every, 24, rng).scores[:, 0, 0])
    plain = rows.mean(axis=0)
    candidates = many.dissimilarities
    weights = fitting.weights_of("weighted", candidates, plain, np.ones(120), centred=True)
    inside = np.corrcoef(weights @ candidates, plain)[0, 1]
    assert abs(seen) < 0.1 < inside


def test_folds_without_a_prediction_are_left_out_and_counted():
    """A candidate against which all distances run has no weight above 0, and no score of 0."""
    rows, models = planted(stream(0, "against"), n_conditions=24)
    against = Models(name=("a", "b"), dissimilarities=-models.dissimilarities[:2])
    rng = stream(0, "undefined")
    found = fitted(rows, against, rng, n_draws=3)
    row = found.table.set_index("model").loc["weighted sum"]
    assert 0.9 < row["undefined"] <= 1
    assert np.isnan(row["score"])
    well = fitted(rows, models, rng, n_draws=3).table.set_index("model")
    assert well.loc["weighted sum", "undefined"] == 0
    assert well.loc[["a", "b", "c"], "undefined"].isna().all()


def test_a_row_without_variance_is_left_out_of_the_mean():
    rng = stream(0, "constant row")
    made, rows = rng.random((1, 66)), np.vstack([rng.random(66), np.full(66, 0.3)])
    every = np.ones(12, dtype=np.int64)
    both = fitting._scored(made, rows, np.array([1, 3]), every, "corr")
    alone = fitting._scored(made, rows[:1], np.array([1]), every, "corr")
    assert both == pytest.approx(alone)
    assert np.isnan(fitting._scored(0 * made, rows[:1], np.array([1]), every, "corr")).all()


def test_what_cannot_be_fitted_says_why():
    models = Models(name=("a",), dissimilarities=np.ones((1, 66)))
    asked = TrsaConfig(fitted_models=["weighted"])
    assert fitting.why_not(models, asked, 12) == "1 model, of which a fit needs 2"
    two = Models(name=("a", "b"), dissimilarities=np.ones((2, 66)))
    assert "11 conditions" in fitting.why_not(two, asked, 11)
    assert fitting.why_not(two, asked, 12) == ""
    assert fitting.why_not(two, TrsaConfig(), 12) == "none was asked for"


def test_a_score_whose_error_is_not_known_has_no_p():
    assert np.isnan(scores._above_zero(np.array([0.0, np.nan]))).all()
    assert scores._above_zero(np.array([0.2])).tolist() == [0.2]


@pytest.mark.slow
def test_fitted_scores_have_honest_errors_and_p():
    rng = stream(0, "fitted errors")
    found = []
    for effect in (1.0, 0.0):
        tables = []
        for _ in range(20):
            rows, models = planted(rng, effect=effect, n_subjects=6)
            tables.append(fitted(rows, models, rng, n_draws=20).table.set_index("model"))
        found.append(
            np.array([t.loc["weighted sum", ["score", "se", "p"]].to_numpy(float) for t in tables])
        )
    score, se, _ = found[0].T
    ratio = np.nanmean(se) / score.std(ddof=1)
    # A standard deviation over 20 experiments is known to within 16 %.
    assert 0.6 <= ratio <= 1.6
    assert np.mean(found[1][:, 2] <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 20)
