"""Numbers of the published code and of rsatoolbox, and exact ones where those are wrong.

Tolerances are those of the reference files' own description.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from pipeline.methods.trsa.estimators import (
    condition_means,
    correlation,
    crossnobis,
    dissimilarities,
    euclidean,
    euclidean2,
    fold_means,
    mahalanobis2,
    poisson_kl,
)
from pipeline.methods.trsa.geodesics import nearest, neighbour_counts, shortest_share, two_step
from pipeline.methods.trsa.noise import noise_covariance, whitened
from pipeline.methods.trsa.transforms import geo_topological, is_degenerate, sigmoid
from pipeline.numerics.similarity import Status, compare, pooled
from tests.support.golden import golden_files

TRIALS = golden_files("trsa", "trials", "cond", "rep", "rdm_euclidean")
VECTORS = golden_files("trsa", "d_cont", "d_ties", "gt_cont", "gt_ties", "gt_l", "gt_u")
STACKS = golden_files("trsa", "stack", "cmp_cosine", "stack_subj", "stack_roi")
MEASURES = {
    "cosine": "cosine",
    "corr": "corr",
    "spearman": "spearman",
    "rho_a": "rho_a",
    "tau_a": "tau_a",
    "kendall": "tau_b",
    "cosine_cov": "whitened_cosine",
    "corr_cov": "whitened_corr",
    "bures": "bures",
}


def trials_of(file):
    return file["trials"].astype(np.float64), file["cond"], file["rep"], int(file["cond"].max()) + 1


@pytest.mark.parametrize("file", TRIALS)
def test_distances_without_noise_equal_the_references(file):
    responses, condition, fold, count = trials_of(file)
    patterns = condition_means(responses, condition, count)
    np.testing.assert_allclose(euclidean(patterns), file["d_cont"], rtol=1e-9)
    np.testing.assert_allclose(euclidean2(patterns), file["rdm_euclidean"], rtol=1e-10)
    np.testing.assert_allclose(correlation(patterns), file["rdm_correlation"], atol=1e-10)
    means, counts = fold_means(responses, condition, fold, count)
    found = crossnobis(means, counts > 0)
    np.testing.assert_allclose(found, file["rdm_crossnobis_eye"], rtol=1e-8)
    if "rdm_poisson" in file:
        np.testing.assert_allclose(poisson_kl(patterns), file["rdm_poisson"], rtol=1e-10)


@pytest.mark.parametrize("file", TRIALS)
def test_whitened_distances_equal_the_references_with_their_degrees_of_freedom(file):
    responses, condition, fold, count = trials_of(file)
    patterns = condition_means(responses, condition, count)
    diagonal = noise_covariance(responses, condition, "diag", legacy=True).covariance
    found = mahalanobis2(patterns, diagonal)
    np.testing.assert_allclose(found, file["rdm_mahalanobis_diag"], rtol=1e-8)
    precision = 1 / np.diagonal(diagonal)
    np.testing.assert_allclose(precision, file["precision_diag"], rtol=1e-8)
    shrunk = noise_covariance(responses, condition, "shrink_diag", legacy=True).covariance
    found = mahalanobis2(patterns, shrunk)
    np.testing.assert_allclose(found, file["rdm_mahalanobis_shrink"], rtol=1e-8)
    block = np.linalg.inv(shrunk)[:8, :8]
    np.testing.assert_allclose(block, file["precision_shrink_diagblock"], atol=1e-8)
    means, counts = fold_means(whitened(responses, shrunk), condition, fold, count)
    found = crossnobis(means, counts > 0)
    np.testing.assert_allclose(found, file["rdm_crossnobis_shrink"], rtol=1e-8)


def default_cases(files):
    """Numbers for the residual degrees of freedom, and candidates for what they are numbers of.

    One case a prefix of keys. Inputs in other files are recognised by their noise: names of files
    are free.
    """
    inputs = [file for file in files if {"trials", "cond", "rep"} <= set(file)]
    for file in files:
        for name in [key.removesuffix("_lambda") for key in file if key.endswith("_lambda")]:
            start = f"{name}_"
            case = {k.removeprefix(start): v for k, v in file.items() if k.startswith(start)}
            yield case, [case] if "trials" in case else inputs


def inputs_of(case, candidates):
    """Inputs whose default noise is that of a case: responses, conditions, folds, their number."""
    for file in candidates:
        responses, condition, fold, count = trials_of(file)
        block = np.linalg.inv(noise_covariance(responses, condition).covariance)[:8, :8]
        if np.allclose(block, case["precision_block"], rtol=0, atol=1e-8):
            return responses, condition, fold, count
    raise AssertionError("no inputs have the default noise of this case")


CASES = list(default_cases(golden_files("trsa")))
UNEQUAL = [case for case in CASES if "keep" in case[0]]


def test_inputs_are_recognised_among_others_of_the_same_name_and_without_one():
    files = golden_files("trsa")
    others = [{**file, "trials": file["trials"][:, ::-1]} for file in files if "meta" in file]
    nameless = [{**file, "meta": np.array("{}")} for file in others]
    for number, (case, candidates) in enumerate(default_cases([*nameless, *others, *files])):
        expected, found = inputs_of(*CASES[number]), inputs_of(case, candidates)
        np.testing.assert_array_equal(found[0], expected[0])


def test_there_are_numbers_for_the_default_noise():
    assert len(CASES) > len(UNEQUAL) > 0


@pytest.mark.parametrize("case", CASES)
def test_default_noise_has_the_residual_degrees_of_freedom(case):
    expected = case[0]
    responses, condition, fold, count = inputs_of(*case)
    noise = noise_covariance(responses, condition)
    assert noise.degrees == condition.size - count
    assert noise.shrinkage == pytest.approx(float(expected["lambda"]), abs=1e-10)
    for estimator, key in (
        ("mahalanobis2", "rdm_mahalanobis_shrink"),
        ("crossnobis", "rdm_crossnobis_shrink"),
    ):
        if key in expected:
            found = dissimilarities(responses, condition, fold, count, estimator)
            np.testing.assert_allclose(found, expected[key], rtol=1e-8)


@pytest.mark.parametrize("case", UNEQUAL)
def test_crossnobis_of_unequal_folds_equals_the_double_sum(case):
    expected = case[0]
    responses, condition, fold, count = inputs_of(*case)
    keep = expected["keep"]
    found = dissimilarities(
        responses[keep], condition[keep], fold[keep], count, "crossnobis", noise=None
    )
    reference = expected["rdm_crossnobis_unbalanced"]
    assert (np.isnan(found) == np.isnan(reference)).all()
    np.testing.assert_allclose(found, reference, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("ties", ["cont", "ties"])
@pytest.mark.parametrize("file", VECTORS)
def test_transforms_equal_the_published_ones(file, ties):
    levels = np.stack([file["gt_l"], file["gt_u"]], axis=1)
    vector, expected = file[f"d_{ties}"], file[f"gt_{ties}"]
    assert not is_degenerate(vector)
    found = geo_topological(vector, levels)
    undefined = np.isnan(expected)
    np.testing.assert_allclose(found[~undefined], expected[~undefined], atol=1e-12)
    # Where the published code divides nothing by nothing, a value stands at both thresholds.
    assert (found[undefined] == 0).all()
    smooth = [sigmoid(vector, slope=a, middle=b) for a, b in file["gtsig_ab"]]
    np.testing.assert_allclose(smooth, file[f"gtsig_{ties}"], atol=1e-12)


@pytest.mark.parametrize("ranked", [False, True])
@pytest.mark.parametrize("ties", ["cont", "ties"])
@pytest.mark.parametrize("file", VECTORS)
def test_legacy_paths_equal_the_published_ones(file, ties, ranked):
    vector, kind = file[f"d_{ties}"], f"{ties}_{'rank' if ranked else 'raw'}"
    count = int(file["cond"].max()) + 1
    how = {"ranked": ranked, "legacy": True, "disconnected": "infinite"}
    found = {
        f"gd_pshort_{kind}": shortest_share(vector, file["gd_p"], **how),
        f"gd_pnear_{kind}": nearest(vector, neighbour_counts(file["gd_p"], count), **how),
        f"gd_knear_{kind}": nearest(vector, file["gd_k"], **how),
        f"gd_two_{kind}": two_step(vector, file["gd_two_lu"], **how),
    }
    for key, paths in found.items():
        np.testing.assert_allclose(paths.values, file[key], atol=1e-9, err_msg=key)


@pytest.mark.parametrize("ties", ["cont", "ties"])
@pytest.mark.parametrize("file", VECTORS)
def test_default_paths_equal_the_exact_ones_and_not_the_published(file, ties):
    found = two_step(file[f"d_{ties}"], file["gd_two_lu"], disconnected="infinite").values
    np.testing.assert_allclose(found, file[f"gd_two_{ties}_exact"], atol=1e-9)
    wrong = file[f"gd_two_{ties}_raw"]
    differs = (found != wrong) & ~np.isclose(found, wrong, atol=1e-9)
    lower = file["gd_two_lu"][:, 0]
    # Edges of length 0 that the published code loses change every longer path over them.
    assert (differs[lower > 0].mean(axis=1) > 0.9).all()


@pytest.mark.parametrize("key", MEASURES)
@pytest.mark.parametrize("file", STACKS)
def test_measures_equal_rsatoolbox(file, key):
    measure, tolerance = MEASURES[key], 1e-8 if key == "bures" else 1e-9
    found = compare(file["stack"], file["stack"], measure)
    assert (found.status == Status.OK).all()
    np.testing.assert_allclose(found.values, file[f"cmp_{key}"], atol=tolerance)
    if f"cmpgt_{key}" in file:
        tied = geo_topological(file["stack"], np.array([[0.25, 0.75]]))[:, 0]
        found = compare(tied, tied, measure)
        np.testing.assert_allclose(found.values, file[f"cmpgt_{key}"], atol=tolerance)


@pytest.mark.parametrize("file", STACKS)
def test_whitening_by_unequal_noise_is_exact_where_rsatoolbox_approximates(file):
    few, fewer = file["stack"][:6], file["stack"][:4]
    found = compare(few, few, "whitened_cosine", noise=file["sigma_k_diag"]).values
    np.testing.assert_allclose(found, file["cmp_cosine_cov_sigmadiag_exact"], atol=1e-10)
    assert np.abs(file["cmp_cosine_cov_sigmadiag"] - found).max() > 1e-6
    found = compare(fewer, fewer, "whitened_cosine", noise=file["sigma_k_full"]).values
    np.testing.assert_allclose(found, file["cmp_cosine_cov_sigmafull_exact"], atol=1e-10)
    np.testing.assert_allclose(found, file["cmp_cosine_cov_sigmafull"], atol=1e-4)


@pytest.mark.parametrize("key", ["cosine", "corr", "rho_a", "tau_a", "cosine_cov"])
@pytest.mark.parametrize("file", STACKS)
def test_noise_ceilings_from_pooled_vectors_equal_rsatoolbox(file, key):
    measure = MEASURES[key]
    rows = file["stack"][file["stack_roi"] == 1]
    upper = compare(rows, pooled(rows, measure)[None], measure).values.mean()
    lower = np.mean(
        [
            compare(row[None], pooled(np.delete(rows, index, 0), measure)[None], measure).values
            for index, row in enumerate(rows)
        ]
    )
    np.testing.assert_allclose([lower, upper], file[f"nc_{key}"], atol=1e-9)


FIXED = golden_files("trsa", "fixed_eval_corr", "fixed_pzero_corr", "stack", "stack_roi")


@pytest.mark.parametrize("key", ["cosine", "corr", "rho_a", "tau_a", "cosine_cov"])
@pytest.mark.parametrize("file", FIXED)
def test_fixed_models_and_their_plain_t_tests_equal_rsatoolbox(file, key):
    stack, region, measure = file["stack"], file["stack_roi"], MEASURES[key]
    models = np.stack([stack[region == name].mean(axis=0) for name in np.unique(region)])
    found = compare(models, stack[region == 1], measure).values
    np.testing.assert_allclose(found, file[f"fixed_eval_{key}"], atol=1e-9)
    several = ttest_rel(found[:, None], found[None], axis=2).pvalue
    # A model does not differ from itself, where t is 0 over 0.
    np.fill_diagonal(several, 1)
    above_zero = ttest_1samp(found, 0, axis=1, alternative="greater").pvalue
    ceiling = ttest_1samp(found, file[f"nc_{key}"][0], axis=1).pvalue
    for name, p in (("ppair", several), ("pzero", above_zero), ("pnc", ceiling)):
        np.testing.assert_allclose(p, file[f"fixed_{name}_{key}"], atol=1e-7, err_msg=name)
