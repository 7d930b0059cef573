"""The Pólya-Gamma kernel: its variables, its conditionals, and agreement with the other kernel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from polyagamma import random_polyagamma

from pipeline.methods.biclustering.sampler import polya_gamma
from pipeline.methods.biclustering.sampler import sweep as moves
from pipeline.methods.biclustering.sampler.likelihood import kernel
from pipeline.methods.biclustering.sampler.prior import draw_position
from tests.methods.biclustering.test_stationarity import (
    PLAN,
    fill_counts,
    make_problem,
    statistics,
    z_scores,
)

AUGMENTED = dataclasses.replace(PLAN, kernel="polya_gamma")


def transform(t, shape, tilt):
    """Laplace transform of a Pólya-Gamma variable (Polson, Scott & Windle 2013, equation 6)."""
    return (np.cosh(tilt / 2) / np.cosh(np.sqrt(tilt**2 / 4 + t / 2))) ** shape


@pytest.mark.parametrize("shape", [0.1, 0.7, 1.0, 3.3, 12.5, 30.2, 400.0])
@pytest.mark.parametrize("tilt", [-6.0, 0.0, 1.5])
def test_variables_of_any_shape_have_their_transform(shape, tilt):
    rng = np.random.default_rng(0)
    drawn = random_polyagamma(shape, tilt, size=20_000, random_state=rng)
    for t in (0.3 / drawn.mean(), 2 / drawn.mean()):
        values = np.exp(-t * drawn)
        z = (values.mean() - transform(t, shape, tilt)) / (values.std() / np.sqrt(values.size))
        assert abs(z) < 4.2


@pytest.mark.parametrize("count", [0.0, 4.0])
def test_a_count_is_the_mean_of_its_gaussians_over_the_variable(count):
    # The identity by which the kernel is right, from the closed form of the transform.
    size = 2.7
    eta = np.linspace(-2, 3, 6)
    psi = eta - np.log(size)
    gaussians = 0.5 * (count - size) * psi + np.log(transform(psi**2 / 2, count + size, 0.0))
    exact = np.array([kernel(count, at, size, np.log(size), False) for at in eta])
    np.testing.assert_allclose(np.diff(gaussians), np.diff(exact), atol=1e-10)


def test_trajectories_have_the_mean_and_spread_of_dense_algebra():
    rng = np.random.default_rng(1)
    problem = make_problem(coupling="full")
    now = draw_position(problem, rng)
    while now.n_clusters(problem) != 2:
        now = draw_position(problem, rng)
    fill_counts(problem, now, rng)
    omega = polya_gamma.draw_precisions(problem, now, rng)
    crew = now.crew(problem)
    n, d = now.x.shape[1:]
    precision, linear = np.zeros((n * d, n * d)), np.zeros(n * d)
    for t in range(n):
        here = slice(t * d, (t + 1) * d)
        if not problem.data.linked[t]:
            precision[here, here] += np.eye(d)
            continue
        before, s = slice((t - 1) * d, t * d), now.state[t]
        a, b, w = now.dynamics.a[0, s], now.dynamics.b[0, s], now.dynamics.w[0, s]
        change = np.zeros((d, n * d))
        change[:, here], change[:, before] = np.eye(d), -a
        precision += change.T @ w @ change
        linear += change.T @ w @ b
    for i in range(problem.n_units):
        for t in range(n):
            count = problem.data.counts[i, t]
            if count < 0:
                continue
            row = np.zeros(n * d)
            at = t * d + 2 * now.cluster[i]
            row[at : at + 2] = 1.0, now.beta[i, 1]
            known = problem.data.exposure[i, t] + now.beta[i, 0] - np.log(now.size[i])
            precision += omega[i, t] * np.outer(row, row)
            linear += (0.5 * (count - now.size[i]) - omega[i, t] * known) * row
    covariance = np.linalg.inv(precision)
    draws = np.empty((4000, n * d))
    for index in range(len(draws)):
        x = now.x[0].copy()
        polya_gamma.draw_given(
            problem.data,
            polya_gamma.members_of(crew, 0),
            omega,
            x,
            now.dynamics,
            0,
            now.state,
            rng,
        )
        draws[index] = x.ravel()
    sd = np.sqrt(np.diag(covariance))
    z = (draws.mean(axis=0) - covariance @ linear) / (sd / np.sqrt(len(draws)))
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.06)


def test_evidence_given_the_variables_is_that_of_regression():
    # Evidence of Gaussian observations of the log mean, as a density of as many dimensions.
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(2)
    problem = make_problem()
    now = draw_position(problem, rng)
    fill_counts(problem, now, rng)
    omega = polya_gamma.draw_precisions(problem, now, rng)
    found, expected = [], []
    for scale in (0.5, 1.0, 1.5):
        x = scale * rng.standard_normal((problem.n_bins, 2))
        mode, root = np.empty(2), np.empty((2, 2))
        prior = problem.loading
        found.append(
            polya_gamma.loadings_given(
                problem.data, 0, omega, now.size[0], x, prior.mean[0], prior.precision, mode, root
            )
        )
        seen = problem.data.counts[0] >= 0
        own, f = omega[0, seen], np.column_stack([np.ones(seen.sum()), x[seen, 1]])
        known = problem.data.exposure[0, seen] + x[seen, 0] - np.log(now.size[0])
        value = 0.5 * (problem.data.counts[0, seen] - now.size[0]) / own
        covariance = np.diag(1 / own) + f @ np.diag(1 / prior.precision) @ f.T
        expected.append(multivariate_normal.logpdf(value, known + f @ prior.mean[0], covariance))
    np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=1e-8)


def trajectories(problem, now, rng):
    moves.move_trajectories(problem, now, AUGMENTED, rng, moves.Tally())


def units(problem, now, rng):
    moves.move_units(problem, now, AUGMENTED, rng, moves.Tally())
    moves.move_dynamics(problem, now, rng)


def sweep(problem, now, rng):
    for _ in range(3):
        moves.sweep(problem, now, AUGMENTED, rng, moves.Tally())


@pytest.mark.parametrize("own", [trajectories, units, sweep])
def test_the_kernel_leaves_draws_from_the_joint_distribution_so(own):
    assert np.abs(z_scores(make_problem(), own, draws=150)).max() < 4.2


@pytest.mark.slow
def test_the_kernel_changes_no_mean_by_little_either():
    assert np.abs(z_scores(make_problem(), sweep, draws=1500, seed=1)).max() < 4.2


def means(problem, now, plan, rng, *, number):
    """Mean statistics of a chain and their standard errors, from 30 batches."""
    now = copy_of(now)
    rows = np.empty((number, 24))
    for index in range(number + 300):
        moves.sweep(problem, now, plan, rng, moves.Tally())
        if index >= 300:
            rows[index - 300] = statistics(problem, now)
    batches = rows.reshape(30, -1, 24).mean(axis=1)
    return batches.mean(axis=0), batches.std(axis=0) / np.sqrt(30)


def copy_of(now):
    fields = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name in now.__slots__
        for value in [getattr(now, name)]
    }
    return type(now)(**fields)


@pytest.mark.slow
def test_both_kernels_have_one_posterior():
    rng = np.random.default_rng(3)
    problem = make_problem()
    now = draw_position(problem, rng)
    fill_counts(problem, now, rng)
    mean, error = means(problem, now, PLAN, rng, number=3000)
    other, other_error = means(problem, now, AUGMENTED, rng, number=3000)
    spread = np.maximum(np.hypot(error, other_error), 1e-9)
    assert (np.abs(mean - other) / spread).max() < 4.5
