"""The objective against its formula, its stated properties and the published code's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.methods.celltypes.objective import (
    Discriminate,
    Excite,
    Normalisation,
    assign,
    cluster_means,
    margins,
    membership,
    objective,
    pair_fraction,
    pair_fractions,
    posterior,
    target_gradient,
)
from tests.support.golden import golden_files


def golden_cases():
    for file in golden_files("mds_celltypes", "n_cases"):
        for index in range(int(file["n_cases"])):
            head = f"case{index}_"
            yield {key.removeprefix(head): v for key, v in file.items() if key.startswith(head)}


CASES = list(golden_cases())


def tolerance(responses, weights, temperature):
    """The published code keeps temperature and averages in single precision."""
    largest = np.abs(responses @ weights.T).max() / temperature
    return {"rtol": 5e-6, "atol": 5e-6 * largest + 1e-5}


@pytest.mark.parametrize("case", CASES)
def test_published_objectives_and_gradients(case):
    responses = case["responses"]
    n_clusters = int(case["assignments"].max()) + 1
    weights = membership(case["assignments"], n_clusters)
    means = cluster_means(responses, weights)
    for index, temperature in enumerate(case["temperatures"]):
        near = tolerance(responses, weights, temperature)
        found = objective(means, temperature)
        np.testing.assert_allclose(found, case["objective_f64"][index], rtol=1e-10)
        np.testing.assert_allclose(found, case["objective"][index], **near)
        for target in range(n_clusters):
            targets = np.full(len(responses), target)
            value, slope = target_gradient(means, targets, weights, temperature)
            np.testing.assert_allclose(value, found[:, target])
            np.testing.assert_allclose(slope, case["grad"][index][:, target], **near)


@pytest.mark.parametrize("case", CASES)
def test_published_normalisation_opponents_and_assignment(case):
    responses = case["responses"]
    n_clusters = int(case["assignments"].max()) + 1
    weights = membership(case["assignments"], n_clusters)
    normalise = Normalisation(case["norm_sub"], case["norm_div"], floor=0.1, epsilon=1e-6)
    scaled = normalise(responses)
    keep = np.isin(np.arange(n_clusters), case["subset_keep"])
    for index, temperature in enumerate(case["temperatures"]):
        np.testing.assert_allclose(
            objective(cluster_means(scaled, weights), temperature),
            case["objective_norm"][index],
            **tolerance(scaled, weights, temperature),
        )
        np.testing.assert_allclose(
            objective(cluster_means(responses, weights), temperature, opponents=keep),
            case["objective_subset"][index],
            **tolerance(responses, weights, temperature),
        )
    np.testing.assert_array_equal(assign(responses), case["estep_argmax"])


def test_value_of_a_case_worked_by_hand():
    # Two clusters, means 1 and 0, temperature 1: 1 - log((e + 1) / 2) and its mirror.
    expected = 1 - np.log((np.e + 1) / 2)
    found = objective(np.array([[1.0, 0.0]]), 1.0)
    np.testing.assert_allclose(found, [[expected, expected - 1]])


def test_bounds_shift_and_scale():
    rng = np.random.default_rng(1)
    means = 3 * rng.standard_normal((6, 6))
    found = objective(means, 0.7)
    assert (found <= np.log(6)).all()
    np.testing.assert_allclose(objective(means + 5.0, 0.7), found, atol=1e-12)
    np.testing.assert_allclose(objective(4 * means, 4 * 0.7), found, atol=1e-12)
    np.testing.assert_allclose(objective(np.full((3, 3), 2.0), 1.6), 0, atol=1e-15)


@pytest.mark.parametrize("n_clusters", [1, 2, 8, 30])
def test_splitting_one_of_many_perfect_clusters_lowers_the_mean(n_clusters):
    perfect = 1e3 * np.eye(n_clusters)
    assert objective(perfect, 1.0).diagonal().mean() == pytest.approx(np.log(n_clusters))
    doubled = np.pad(perfect, ((0, 1), (0, 1)))
    doubled[-1, -1] = doubled[-1, -2] = doubled[-2, -1] = 1e3
    gain = objective(doubled, 1.0).diagonal().mean() - np.log(n_clusters)
    expected = np.log((n_clusters + 1) / n_clusters) - 2 * np.log(2) / (n_clusters + 1)
    assert gain == pytest.approx(expected)


def test_huge_responses_stay_finite():
    means = np.array([[1e4, -1e4], [0.0, 1e4]])
    value, slope = target_gradient(means, np.array([0, 1]), np.eye(2), 1.0)
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    np.testing.assert_allclose(value, np.log(2))


def test_slopes_are_those_of_finite_differences():
    rng = np.random.default_rng(2)
    responses = rng.standard_normal((3, 7))
    weights = membership(np.array([0, 1, 2, 0, 1, 2, 2]), 3)
    own = rng.dirichlet(np.ones(7), size=(3, 2))
    goals = (
        Discriminate(weights, np.array([0, 2, 1]), 0.8),
        Discriminate(own, np.array([0, 1, 1]), 0.8),
        Excite(weights, np.array([0, 2, 1])),
    )
    rows = np.arange(3)
    for goal in goals:
        _, slope = goal(responses, rows)
        for unit in range(7):
            step = np.zeros(7)
            step[unit] = 1e-6
            change = goal(responses + step, rows)[0] - goal(responses - step, rows)[0]
            np.testing.assert_allclose(slope[:, unit], change / 2e-6, atol=1e-8)
        # A stimulus alone gives the same as in the batch.
        np.testing.assert_allclose(goal(responses[1:2], rows[1:2])[1], slope[1:2])


def test_unknown_responses_are_left_out_of_means():
    responses = np.array([[1.0, np.nan, 4.0, np.nan]])
    weights = membership(np.array([0, 0, 1, 2]), 3)
    np.testing.assert_array_equal(cluster_means(responses, weights), [[1.0, 4.0, np.nan]])


def test_an_empty_cluster_and_a_bad_temperature_are_refused():
    with pytest.raises(ValueError, match="Cluster 1 has no member"):
        membership(np.array([0, 0, 2]), 3)
    with pytest.raises(ValueError, match="Labels must lie"):
        membership(np.array([0, 3]), 3)
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="must be above 0"):
            objective(np.eye(2), temperature)


def test_units_go_to_the_stimulus_that_drives_them_most():
    responses = np.array(
        [[3.0, 1.0, 2.0, np.nan], [1.0, 1.0, 2.0, np.nan], [0.0, 0.0, 5.0, np.nan]]
    )
    np.testing.assert_array_equal(assign(responses), [0, 0, 2, -1])
    # The label so far wins a tie, and no more than that.
    np.testing.assert_array_equal(assign(responses, np.array([1, 1, 1, 0])), [0, 1, 2, -1])
    strong = np.array([[9.0, 9.0, 9.5], [1.0, 1.0, 2.0]])
    np.testing.assert_array_equal(assign(strong), [0, 0, 0])
    np.testing.assert_array_equal(assign(strong, balanced=True), [0, 0, 1])
    found = margins(responses[:, :3], np.array([0, 1, 2]))
    np.testing.assert_allclose(found, [2.0, 0.0, 3.0])
    np.testing.assert_allclose(posterior(responses[:, :3], 1.6).sum(axis=0), 1)
    assert np.isnan(margins(responses[:1], np.zeros(4, dtype=int))).all()


def test_pairs_are_told_apart_from_nothing_to_fully():
    assert pair_fraction(np.array([0.0, 0.0]), 1.0) == pytest.approx(0)
    assert pair_fraction(np.array([90.0, 90.0]), 1.0) == pytest.approx(1)
    expected = 1 - np.log1p(np.exp(-2.0)) / np.log(2)
    assert pair_fraction(np.array([4.0, 4.0]), 2.0) == pytest.approx(expected)
    means = np.array([[5.0, 1.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 9.0]])
    found = pair_fractions(means, 1.0)
    assert np.isnan(found.diagonal()).all()
    assert found[0, 1] == found[1, 0] == pytest.approx(pair_fraction(np.array([4.0, 1.0]), 1.0))
    # It is J over log 2 of the two alone.
    alone = objective(means[:2, :2], 1.0).diagonal().mean() / np.log(2)
    assert found[0, 1] == pytest.approx(alone)
