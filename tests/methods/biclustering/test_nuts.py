"""Posterior draws beside those of NUTS, and predictions beside those of PyMC."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler import sweep as moves
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_position, log_mean

N_BINS, N_UNITS = 12, 3

PRIORS = Priors(
    n_factors=1,
    one_cluster=True,
    dispersion_shape=4.0,
    noise_scale=1.0,
    noise_extra_degrees=10.0,
    dynamics_precision=20.0,
    n_states=2,
)
STATE = np.repeat([0, 1, 0], [4, 5, 3])


def small_data(rng):
    """Counts of about 6 that go up and down together, with a gap and some not observed."""
    course = np.cumsum(0.4 * rng.standard_normal(N_BINS))
    mean = np.exp(1.8 + course[:, None] * np.array([1.0, 0.6, -0.4]))
    return CountData(
        counts=rng.poisson(mean).astype(np.int32),
        observed=rng.random((N_BINS, N_UNITS)) > 0.1,
        segment=(np.arange(N_BINS) >= 8).astype(np.int32),
        log_exposure=np.full((N_BINS, N_UNITS), 0.5),
    )


def summary(eta, loading, size, log_det, a):
    """Numbers that do not depend on the basis of trajectories, with draws first."""
    return np.column_stack(
        [
            eta.reshape(len(eta), -1)[:, ::5],
            (eta**2).mean(axis=(1, 2)),
            np.abs(np.diff(eta, axis=1)).mean(axis=(1, 2)),
            (loading**2).sum(axis=(1, 2)),
            np.log(size),
            log_det,
            np.trace(a, axis1=2, axis2=3),
        ]
    )


def own_draws(data, kernel, number, rng):
    """Draws of the sampler for known states."""
    problem = Problem.of(data, PRIORS)
    plan = moves.Plan(states=False, n_births=0, kernel=kernel)
    now = draw_position(problem, rng)
    while now.n_clusters(problem) > 1:
        now = draw_position(problem, rng)
    now.state = STATE.astype(np.int64)
    moves.move_dynamics(problem, now, rng)
    rows = []
    for index in range(number + 500):
        moves.sweep(problem, now, plan, rng, moves.Tally())
        if index >= 500:
            eta = (log_mean(problem, now) - problem.data.exposure).T
            own = now.dynamics
            rows.append((eta, now.beta[:, 1:].copy(), now.size.copy(), 2 * own.half[0], own.a[0]))
    return summary(*(np.array(each) for each in zip(*rows, strict=True)))


def mean_and_error(draws):
    """Over draws of one chain; errors allow for dependence between them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of its future once a day
        import arviz

    size = np.array([float(arviz.ess(draws[None, :, j])) for j in range(draws.shape[1])])
    return draws.mean(axis=0), draws.std(axis=0), draws.std(axis=0) / np.sqrt(size)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["laplace", "polya_gamma"])
def test_draws_agree_with_those_of_nuts(kernel, nuts_draws):
    data, (mean, sd, error) = nuts_draws
    own, own_sd, own_error = mean_and_error(own_draws(data, kernel, 6000, np.random.default_rng(1)))
    z = (own - mean) / np.hypot(error, own_error)
    assert np.abs(z).max() < 4
    # Spreads of some hundred effective draws are known to within a few percent.
    np.testing.assert_allclose(own_sd, sd, rtol=0.25)
    assert np.median(np.abs(own_sd / sd - 1)) < 0.06


@pytest.fixture(scope="module")
def nuts_draws():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        import pymc as pm
    from tests.support.biclustering_specification import sampled_specification

    data = small_data(np.random.default_rng(0))
    model = sampled_specification(data, PRIORS, STATE)
    with warnings.catch_warnings(), model:
        warnings.simplefilter("ignore")
        found = pm.sample(
            draws=900,
            tune=400,
            chains=1,
            cores=1,
            random_seed=1,
            target_accept=0.85,
            progressbar=False,
            compute_convergence_checks=False,
            initvals={"x": np.zeros((N_BINS, 2))},
        )
    names = ("eta", "loading", "size", "log_det", "a")
    return data, mean_and_error(summary(*(found.posterior[name].values[0] for name in names)))
