"""Splits and merges against sums over all partitions and integrals on grids."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from scipy.stats import norm, poisson

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler import bridge, splits
from pipeline.methods.biclustering.sampler.dynamics import path_evidence
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_position
from pipeline.methods.biclustering.sampler.sweep import Plan, Tally, move_dynamics, sweep

COUNTS = np.array([[1, 6], [9, 2]])
PRIORS = Priors(
    family="poisson",
    n_factors=0,
    n_states=1,
    baseline="zero",
    noise_scale=1.0,
    noise_extra_degrees=6.0,
    dynamics_precision=4.0,
    cluster_decay=0.5,
)


def tiny_problem():
    return Problem.of(CountData.of(COUNTS), PRIORS)


def log_evidence(problem, units):
    """Of units' counts as one cluster, with baselines and trajectory summed over a grid."""
    grid = np.linspace(-7, 7, 141)
    level = np.linspace(-5, 5, 101)
    step = (grid[1] - grid[0]) ** 2
    state, linked = np.zeros(2, np.int64), problem.data.linked
    log_prior = np.array(
        [
            [path_evidence(np.array([[a], [b]]), state, linked, 1, problem.dynamics) for b in grid]
            for a in grid
        ]
    )
    total = log_prior
    for unit in units:
        # (level, value of x): log probability of a count of each bin.
        one, two = (poisson.logpmf(COUNTS[t, unit], np.exp(level[:, None] + grid)) for t in (0, 1))
        weight = norm.logpdf(level) + np.log(level[1] - level[0])
        total = total + logsumexp(weight[:, None, None] + one[:, :, None] + two[:, None, :], axis=0)
    return logsumexp(total) + np.log(step)


def chance_together(problem):
    """Posterior probability that both units are one cluster, by both partitions."""
    weight = PRIORS.cluster_weight
    together = log_evidence(problem, [0, 1]) + problem.log_v[1]
    together += gammaln(2 + weight) - gammaln(weight)
    apart = log_evidence(problem, [0]) + log_evidence(problem, [1]) + problem.log_v[2]
    apart += 2 * (gammaln(1 + weight) - gammaln(weight))
    return float(np.exp(together - np.logaddexp(together, apart)))


def test_two_units_are_together_as_often_as_the_sum_over_partitions_says():
    problem, rng = tiny_problem(), np.random.default_rng(3)
    expected = chance_together(problem)
    assert 0.2 < expected < 0.8
    now = draw_position(problem, rng)
    together, accepted = [], 0
    for _ in range(2000):
        sweep(problem, now, Plan(n_windows=0, n_births=0, n_invariances=1), rng, Tally())
        accepted += splits.split_or_merge(problem, now, 4, rng)[1]
        move_dynamics(problem, now, rng)
        together.append(now.n_clusters(problem) == 1)
    assert accepted > 200
    batches = np.array(together).reshape(25, 80).mean(axis=1)
    spread = batches.std(ddof=1) / np.sqrt(25)
    assert spread < 0.025
    assert np.mean(together) == pytest.approx(expected, abs=4 * spread)


def test_weights_of_walks_have_the_mean_of_the_ratio_of_evidences():
    problem, rng = tiny_problem(), np.random.default_rng(4)
    ratio = log_evidence(problem, [0]) + log_evidence(problem, [1])
    ratio -= log_evidence(problem, [0, 1])
    now = draw_position(problem, rng)
    now.cluster[:] = 0
    now.x = now.x[:1].copy()
    move_dynamics(problem, now, rng)
    both, parts = np.arange(2), [np.array([0]), np.array([1])]
    weights = []
    for _ in range(700):
        sweep(problem, now, Plan(n_windows=0, n_births=0, n_invariances=1), rng, Tally())
        if now.n_clusters(problem) == 1:
            weights.append(splits.walk(problem, now, both, parts, [0], 16, rng)[3])
    relative = np.exp(np.array(weights) - ratio)
    spread = relative.std() / np.sqrt(relative.size)
    assert spread < 0.15
    assert relative.mean() == pytest.approx(1.0, abs=4 * spread)


def test_units_are_allotted_with_the_probability_that_is_said():
    rng = np.random.default_rng(5)
    wave = np.sin(np.arange(40) / 3)
    counts = rng.poisson(np.exp(1 + np.outer(wave, [1, 1, -1, -1])))
    problem = Problem.of(CountData.of(counts), Priors(family="poisson", n_factors=1, n_states=1))
    units = np.arange(4)
    total = 0.0
    for code in range(1, 8):  # each way to cut four units in two, once
        first = np.array([(code >> index) & 1 for index in range(4)], dtype=bool)
        total += np.exp(splits.allotment(problem, units, first))
    assert total == pytest.approx(1.0, abs=1e-12)
    planted = splits.allotment(problem, units, np.array([True, True, False, False]))
    assert planted > np.log(0.5)
    again = Problem.of(CountData.of(counts), problem.priors)
    one, other = splits.reference(problem, units), splits.reference(again, units)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("state", [[0, 0], [1, 1]])
def test_evidence_by_walks_is_that_of_a_grid(state):
    problem, rng = tiny_problem(), np.random.default_rng(6)
    units, size = np.arange(2), np.ones(2)
    at = bridge.reference_around(problem, units, size, np.array([[0.5], [0.5]]))
    known = (problem.dynamics, problem.loading, np.array(state), 2)
    settings = (*known, bridge.ladder(60), 20, rng)
    bounds = np.array(
        [bridge.walked_evidence(problem.data, at, size, *settings) for _ in range(60)]
    )
    constant = gammaln(COUNTS + 1).sum()
    expected = log_evidence(problem, [0, 1]) + constant
    low, high = bounds.mean(axis=0)
    assert low - 0.1 < expected < high + 0.1
    assert high - low < 1.0


def test_units_without_finite_evidence_may_go_to_either_side(monkeypatch):
    problem, units = tiny_problem(), np.arange(2)
    monkeypatch.setattr(splits, "reference", lambda *_: SimpleNamespace(center=np.zeros((2, 1))))
    unknown = SimpleNamespace(evidence=np.full((2, 2), np.nan))
    monkeypatch.setattr(splits, "laplace", lambda *_: unknown)
    assert splits.make_shares(problem, units).tolist() == [0.5, 0.5]
    assert splits.allot(problem, units, np.random.default_rng(0))[0].sum() == 1
