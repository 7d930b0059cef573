"""The sampler's densities and draws against the same model written down in PyMC."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy.stats import dirichlet, invwishart, matrix_normal

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler import sweep as moves
from pipeline.methods.biclustering.sampler.dynamics import gather, update
from pipeline.methods.biclustering.sampler.joint import log_joint, log_joint_of_all
from pipeline.methods.biclustering.sampler.partition_prior import log_partition_prior
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_counts, draw_position, log_mean
from pipeline.methods.biclustering.sampler.states import draw_rows, transition_counts

PRIORS = Priors(
    n_factors=1,
    dispersion_shape=3.0,
    noise_scale=2.0,
    noise_extra_degrees=12.0,
    dynamics_precision=20.0,
    cluster_decay=0.4,
    n_states=2,
    stickiness=4.0,
)


def drawn(rng, n_bins, n_units, **changes):
    """Data and a position that were drawn together, with gaps and missing counts."""
    priors = dataclasses.replace(PRIORS, **changes)
    segment = (np.arange(n_bins) >= n_bins // 2).astype(np.int32)
    data = CountData(
        counts=np.ones((n_bins, n_units), np.int32),
        observed=rng.random((n_bins, n_units)) > 0.1,
        segment=segment,
        log_exposure=0.2 * rng.standard_normal((n_bins, n_units)),
    )
    now = draw_position(Problem.of(data, priors), rng)
    eta = log_mean(Problem.of(data, priors), now)
    poisson = priors.family == "poisson"
    counts = draw_counts(eta, now.size, poisson=poisson, rng=rng).T
    data = dataclasses.replace(data, counts=counts.astype(np.int32))
    return data, priors, now


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"family": "poisson", "baseline": "zero"}, {"coupling": "full"}]
)
def test_the_log_joint_density_is_that_of_the_specification(changes):
    from tests.support.biclustering_specification import specification, values

    rng = np.random.default_rng(0)
    data, priors, now = drawn(rng, 7, 4, **changes)
    problem = Problem.of(data, priors)
    model = specification(data, priors, now.cluster, now.state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log_density = model.compile_logp(mode="FAST_COMPILE")
    d = now.x.shape[2]
    for _ in range(3):
        # The change from precisions to covariances, and the partition, which it does not know.
        expected = float(log_density(values(problem, now)))
        expected += 2 * (d + 1) * now.dynamics.half.sum()
        expected += log_partition_prior(np.bincount(now.cluster), problem.log_v, 1.0)
        assert log_joint_of_all(problem, now) == pytest.approx(expected, abs=1e-6)
        moves.move_rows(problem, now, rng)
        moves.move_trajectories(problem, now, moves.Plan(), rng, moves.Tally())
        moves.move_dynamics(problem, now, rng)
        now.beta = now.beta + 0.1 * rng.standard_normal(now.beta.shape)


def test_dynamics_and_rows_are_integrated_out_exactly():
    # log p(all) - log p(dynamics, rows | rest) is log p(rest), whatever dynamics and rows are.
    rng = np.random.default_rng(1)
    data, priors, now = drawn(rng, 12, 4)
    problem = Problem.of(data, priors)
    linked, alpha, kappa = problem.data.linked, now.concentration[0], now.concentration[2]
    integrated = log_joint(problem, now)
    for _ in range(3):
        conditional = 0.0
        count, _starts = transition_counts(now.state, linked, 2)
        for s in range(2):
            parameter = alpha * now.weight + kappa * np.eye(2)[s] + count[s]
            conditional += dirichlet.logpdf(np.exp(now.log_row[s]), parameter)
        for g in range(now.x.shape[0]):
            uu, vu, vv, number = gather(now.x[g], now.state, linked, 2)
            for s in range(2):
                root, mean, scale = update(uu[s], vu[s], vv[s], problem.dynamics)
                q = np.linalg.inv(now.dynamics.w[g, s])
                both = np.column_stack([now.dynamics.a[g, s], now.dynamics.b[g, s]])
                degrees = 2 + priors.noise_extra_degrees + number[s]
                conditional += invwishart.logpdf(q, degrees, scale)
                conditional += matrix_normal.logpdf(both, mean, q, np.linalg.inv(root @ root.T))
        assert log_joint_of_all(problem, now) - conditional == pytest.approx(integrated, abs=1e-7)
        moves.move_dynamics(problem, now, rng)
        now.log_row = draw_rows(count, now.weight, alpha, kappa, rng)
