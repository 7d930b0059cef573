"""Kernels of the sampler against dense algebra, enumeration, quadrature and known numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate
from scipy.special import gammaln, logsumexp
from scipy.stats import multivariate_t, nbinom, poisson

from pipeline.methods.biclustering.model import CountData, Priors
from pipeline.methods.biclustering.sampler import dispersion, dynamics, gaussian, states, windows
from pipeline.methods.biclustering.sampler.likelihood import constant, unit_log_likelihood
from pipeline.methods.biclustering.sampler.loadings import laplace
from pipeline.methods.biclustering.sampler.partition_prior import log_coefficients
from pipeline.methods.biclustering.sampler.position import Problem

PRIOR = dynamics.DynamicsPrior(precision=1.3, scale=0.05, extra=2.5)


def random_blocks(rng, n=6, d=3):
    dense = np.zeros((n * d, n * d))
    diagonal, below = np.zeros((n, d, d)), np.zeros((n, d, d))
    for t in range(n):
        root = rng.standard_normal((d, d))
        diagonal[t] = root @ root.T + 4 * np.eye(d)
        dense[t * d : (t + 1) * d, t * d : (t + 1) * d] = diagonal[t]
        if t:
            below[t] = 0.5 * rng.standard_normal((d, d))
            dense[t * d : (t + 1) * d, (t - 1) * d : t * d] = below[t]
            dense[(t - 1) * d : t * d, t * d : (t + 1) * d] = below[t].T
    return diagonal, below, dense


def test_block_tridiagonal_algebra_equals_dense():
    rng = np.random.default_rng(0)
    diagonal, below, dense = random_blocks(rng)
    root, link, half = gaussian.factor(diagonal, below)
    lower = np.linalg.cholesky(dense)
    h = rng.standard_normal((6, 3))
    y = gaussian.solve_root(root, link, h)
    np.testing.assert_allclose(y.ravel(), np.linalg.solve(lower, h.ravel()), atol=1e-12)
    x = gaussian.solve_transposed(root, link, y)
    np.testing.assert_allclose(x.ravel(), np.linalg.solve(dense, h.ravel()), atol=1e-12)
    assert half == pytest.approx(np.linalg.slogdet(dense)[1] / 2, abs=1e-12)
    assert gaussian.quadratic(diagonal, below, x) == pytest.approx(x.ravel() @ dense @ x.ravel())
    expected = half - 0.5 * x.ravel() @ dense @ x.ravel() - 9 * np.log(2 * np.pi)
    assert gaussian.log_density(root, link, half, x) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(
    ("n", "decay", "known"),
    [
        (30, 0.2, (-76.21327074, -79.06956856, -80.80680769, -81.8305392)),
        (63, 0.415, (-201.87017442, -205.83518991, -208.69921978, -210.86785416)),
        (150, 0.2, (-606.61883439, -611.14473489, -614.56800013, -617.29409429)),
        (200, 0.2, (-864.83340109, -869.65067849, -873.36633053, -876.38582167)),
        (1000, 0.2, (-5913.73601544, -5920.17156563, -5925.507903, -5930.15049261)),
    ],
)
def test_coefficients_of_the_partition_prior_are_the_known_ones(n, decay, known):
    found = log_coefficients(n, weight=1.0, decay=decay, most=4)
    np.testing.assert_allclose(found[1:], known, atol=1e-7)


@pytest.mark.parametrize("weight", [1.0, 0.7])
def test_the_partition_prior_is_a_prior(weight):
    def log_v(n):
        return log_coefficients(n, weight=weight, decay=0.3, most=6)

    for t in range(1, 6):
        together = np.logaddexp(
            np.log(weight * t + 5) + log_v(6)[t], np.log(weight) + log_v(6)[t + 1]
        )
        assert log_v(5)[t] == pytest.approx(together, abs=1e-10)
    total = -np.inf
    for labels in itertools.product(range(5), repeat=5):
        if any(labels[i] > max(labels[:i], default=-1) + 1 for i in range(5)):
            continue
        sizes = np.bincount(labels)
        block = (gammaln(sizes + weight) - gammaln(weight)).sum()
        total = np.logaddexp(total, log_v(5)[sizes.size] + block)
    assert total == pytest.approx(0, abs=1e-10)


def test_evidence_of_dynamics_is_the_product_of_one_step_predictions():
    rng = np.random.default_rng(1)
    n, d = 14, 2
    x = np.cumsum(rng.standard_normal((n, d)), axis=0)
    linked = np.ones(n, dtype=bool)
    linked[[0, 8]] = False
    state = np.zeros(n, np.int64)
    expected = 0.0
    precision = PRIOR.precision * np.eye(d + 1)
    mean = np.column_stack([np.eye(d), np.zeros(d)])
    scale, degrees = PRIOR.scale * np.eye(d), d + PRIOR.extra
    for t in range(n):
        if not linked[t]:
            expected += -0.5 * x[t] @ x[t] - 0.5 * d * np.log(2 * np.pi)
            continue
        u = np.append(x[t - 1], 1.0)
        spread = 1 + u @ np.linalg.solve(precision, u)
        df = degrees - d + 1
        expected += multivariate_t.logpdf(x[t], mean @ u, scale * spread / df, df)
        fresh = precision + np.outer(u, u)
        both = mean @ precision + np.outer(x[t], u)
        moved = np.linalg.solve(fresh, both.T).T
        scale = scale + np.outer(x[t], x[t]) + mean @ precision @ mean.T - moved @ fresh @ moved.T
        precision, mean, degrees = fresh, moved, degrees + 1
    found = dynamics.path_evidence(x, state, linked, 3, PRIOR)
    assert found == pytest.approx(expected, abs=1e-9)
    # The conditional draw has these parameters: compare moments of many draws with them.
    draws = [dynamics.draw_dynamics(x[None], state, linked, 1, PRIOR, rng) for _ in range(4000)]
    found_mean = np.mean([np.column_stack([one.a[0, 0], one.b[0, 0]]) for one in draws], axis=0)
    sd = np.std([np.column_stack([one.a[0, 0], one.b[0, 0]]) for one in draws], axis=0)
    assert np.all(np.abs(found_mean - mean) < 5 * sd / np.sqrt(4000))
    w = np.mean([one.w[0, 0] for one in draws], axis=0)
    np.testing.assert_allclose(w, degrees * np.linalg.inv(scale), rtol=0.1)
    for one in draws[:3]:
        np.testing.assert_allclose(one.wa[0, 0], one.w[0, 0] @ one.a[0, 0], atol=1e-9)
        np.testing.assert_allclose(
            one.awb[0, 0], one.a[0, 0].T @ one.w[0, 0] @ one.b[0, 0], atol=1e-9
        )


def enumerated(emission, log_row, linked):
    """Marginal state probabilities of linked bins by enumeration."""
    n_states = emission.shape[1]
    bins = np.flatnonzero(linked)
    weights, paths = [], []
    for path in itertools.product(range(n_states), repeat=bins.size):
        value = 0.0
        for index, t in enumerate(bins):
            value += emission[t, path[index]]
            if linked[t - 1]:
                value += log_row[path[index - 1], path[index]]
        weights.append(value)
        paths.append(path)
    weight = np.exp(np.array(weights) - logsumexp(weights))
    pair = np.zeros((n_states, n_states))
    for value, path in zip(weight, paths, strict=True):
        pair[path[0], path[-1]] += value
    return pair


def test_states_are_drawn_with_the_probabilities_of_enumeration():
    rng = np.random.default_rng(2)
    linked = np.array([False, True, True, True, False, True, True])
    emission = rng.standard_normal((7, 3)) * 1.5
    log_row = np.log(rng.dirichlet(np.ones(3), 3))
    expected = enumerated(emission, log_row, linked)
    found = np.zeros((3, 3))
    for _ in range(20000):
        state = states.draw_states(emission, log_row, linked, rng)
        found[state[1], state[6]] += 1 / 20000
        assert state[0] == state[1]
        assert state[4] == state[5]
    np.testing.assert_allclose(found, expected, atol=5 * 0.5 / np.sqrt(20000))


def test_every_change_of_states_has_its_way_back():
    # The chance to propose each change, by counting, against the ratio that the move claims.
    rng = np.random.default_rng(3)
    linked = np.array([False, True, True, True, True, False, True, True])
    places = np.flatnonzero(linked)
    for kind in range(4):
        number = np.zeros((2**6, 2**6))
        claimed = np.full((2**6, 2**6), np.nan)
        tries = 3000 if kind == 1 else 400
        for code, path in enumerate(itertools.product(range(2), repeat=6)):
            state = np.zeros(8, np.int64)
            state[places] = path
            states.show_first(state, linked)
            for _ in range(tries):
                fresh, low, high, ratio = windows.propose_states(state, linked, 2, kind, rng)
                if low < 0:
                    continue
                there = int("".join(map(str, fresh[places])), 2)
                changed = np.flatnonzero(fresh[places] != state[places])
                assert places[changed[0]] == low
                assert places[changed[-1]] == high
                number[code, there] += 1 / tries
                claimed[code, there] = ratio
        back = {1: 2, 2: 1}.get(kind, kind)
        if back == kind:
            np.testing.assert_allclose(number, number.T, atol=0.16)
            assert np.nanmax(np.abs(claimed)) == 0
        elif kind == 1:
            inserted, inserted_claim = number, claimed
        else:
            both = (inserted > 0) & (number.T > 0)
            assert np.array_equal(number.T > 0, ~np.isnan(inserted_claim))
            np.testing.assert_allclose(inserted_claim[both], -claimed.T[both], atol=1e-12)
            # Insertions: 1 of 6 places, 1 of 60 lengths; removals: 1 of the borders.
            expected = np.log(6 * 60 * number.T[both])
            np.testing.assert_allclose(inserted_claim[both], expected, atol=0.35)


def small_problem(family, rng, n_bins=40, n_units=3):
    counts = rng.poisson(2.0, (n_bins, n_units))
    data = CountData(
        counts=counts.astype(np.int32),
        observed=rng.random(counts.shape) > 0.1,
        segment=np.zeros(n_bins, np.int32),
        log_exposure=0.3 * rng.standard_normal(counts.shape),
    )
    return data, Problem.of(data, Priors(family=family, n_factors=1))


@pytest.mark.parametrize("family", ["negative_binomial", "poisson"])
def test_counts_have_their_probabilities(family):
    rng = np.random.default_rng(4)
    data, problem = small_problem(family, rng)
    x, beta, size = rng.standard_normal((40, 2)), np.array([0.3, -0.5]), 3.7
    eta = data.log_exposure[:, 1] + beta[0] + x[:, 0] + beta[1] * x[:, 1]
    if family == "poisson":
        terms = poisson.logpmf(data.counts[:, 1], np.exp(eta))
    else:
        terms = nbinom.logpmf(data.counts[:, 1], size, size / (size + np.exp(eta)))
    found = unit_log_likelihood(problem.data, 1, size, beta, x, 0, 0, 39)
    found += constant(problem.data.counts[1], size, problem.data.poisson)
    assert found == pytest.approx(terms[data.observed[:, 1]].sum(), abs=1e-9)


@pytest.mark.parametrize("family", ["negative_binomial", "poisson"])
def test_laplace_evidence_of_a_unit_is_near_quadrature(family):
    rng = np.random.default_rng(5)
    _, problem = small_problem(family, rng)
    x, size = 0.5 * rng.standard_normal((1, 40, 2)), np.full(3, 4.0)
    found = laplace(problem.data, size, x, problem.loading, np.arange(3))
    for unit in range(3):

        def density(c, d, unit=unit):
            value = unit_log_likelihood(problem.data, unit, 4.0, np.array([d, c]), x[0], 0, 0, 39)
            away = d - problem.loading.mean[unit, 0]
            return np.exp(value - found.evidence[unit, 0] - 0.5 * away**2 - 0.5 * c**2)

        mode = found.mode[unit, 0]
        box = [*(mode[0] + np.array([-2, 2])), *(mode[1] + np.array([-3, 3]))]
        total, _ = integrate.dblquad(density, *box, epsabs=1e-5)
        assert np.log(total / (2 * np.pi)) == pytest.approx(0, abs=2e-2)


def test_slices_of_the_dispersion_have_the_density_of_a_grid():
    rng = np.random.default_rng(6)
    mean = np.exp(0.5 + 0.5 * rng.standard_normal(200))
    count = rng.negative_binomial(5.0, 5.0 / (5.0 + mean)).astype(float)
    above = np.array([(count > v).sum() for v in range(int(count.max()) + 1)], dtype=float)
    even = np.ones(200)
    grid = np.linspace(-1, 6, 701)
    log_density = np.array(
        [
            nbinom.logpmf(count, np.exp(at), np.exp(at) / (np.exp(at) + mean)).sum()
            + 1.0 * at
            - 0.2 * np.exp(at)
            for at in grid
        ]
    )
    own = [dispersion.dispersion_density(at, count, mean, even, above, 1.0, 0.2) for at in grid]
    np.testing.assert_allclose(np.diff(own), np.diff(log_density), atol=1e-8)
    weight = np.exp(log_density - logsumexp(log_density))
    draws, now = np.empty(6000), 1.0
    for index in range(draws.size):
        now = np.log(dispersion.slice_dispersion(now, count, mean, even, above, 1.0, 0.2, rng))
        draws[index] = now
    expected = (weight * grid).sum()
    sd = np.sqrt((weight * (grid - expected) ** 2).sum())
    assert draws.mean() == pytest.approx(expected, abs=0.08 * sd)
    assert draws.std() == pytest.approx(sd, rel=0.08)


def test_the_dispersion_of_huge_counts_needs_no_table_of_them():
    # A table up to 3e8 would take 2.4 GB and seconds for each density.
    count = np.array([0.0, 999.0, 1000.0, 1001.0, 4e4, 3e8])
    mean, even = np.array([0.5, 900.0, 1200.0, 800.0, 5e4, 1e8]), np.ones(6)
    above = dispersion.counts_above(count)
    assert above.size <= dispersion.LONGEST_TABLE + 1
    grid = np.log([0.1, 1.0, 30.0])
    exact = [nbinom.logpmf(count, r, r / (r + mean)).sum() for r in np.exp(grid)]
    exact = np.array(exact) + 2.0 * grid - 0.5 * np.exp(grid)
    own = [dispersion.dispersion_density(at, count, mean, even, above, 2.0, 0.5) for at in grid]
    np.testing.assert_allclose(np.diff(own), np.diff(exact), rtol=1e-6)


def test_tables_have_the_mean_of_the_restaurant():
    rng = np.random.default_rng(7)
    count = np.array([[30.0, 4.0], [5.0, 0.0]])
    weight, alpha, kappa = np.array([0.3, 0.7]), 2.0, 5.0
    draws = np.array([states.draw_tables(count, weight, alpha, kappa, rng) for _ in range(20000)])
    prior = alpha * weight + kappa * np.eye(2)
    tables = np.array(
        [
            [(prior[j, k] / (prior[j, k] + np.arange(count[j, k]))).sum() for k in range(2)]
            for j in range(2)
        ]
    )
    chosen = tables[0, 0] * alpha * 0.3 / (alpha * 0.3 + kappa) + tables[1, 0]
    assert draws[:, 0].mean() == pytest.approx(chosen, abs=0.03)
    assert draws[:, 1].mean() == pytest.approx(tables[0, 1], abs=0.03)
