"""Behaviour that units follow: the moves of gains, what is planted, and what the settings take."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.methods.biclustering.algorithm import gains_table
from pipeline.methods.biclustering.model import CountData, Priors, Schedule
from pipeline.methods.biclustering.problem import (
    covariate_names,
    covariates_of,
    priors_of,
    problem_of,
)
from pipeline.methods.biclustering.sampler import sweep as moves
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.methods.biclustering.sampler.gains import first_gains
from pipeline.methods.biclustering.sampler.joint import log_joint
from pipeline.methods.biclustering.sampler.position import Problem
from pipeline.methods.biclustering.sampler.prior import draw_position
from pipeline.methods.biclustering.simulate import simulate
from tests.methods.biclustering.test_chain import SHORT, assert_same
from tests.methods.biclustering.test_stationarity import PLAN, make_problem, z_scores
from tests.support.small_biclusters import config_of


def following(n_covariates=2, **changes):
    problem = make_problem(gain_sd=0.5, **changes)
    series = np.sin(np.arange(problem.n_bins)[:, None] * np.array([0.7, 0.3])[:n_covariates])
    return dataclasses.replace(problem, covariates=np.ascontiguousarray(series))


def gains(problem, now, rng):
    for _ in range(3):
        moves.move_gains(problem, now, rng, moves.Tally())
    moves.move_dynamics(problem, now, rng)


def sweep(problem, now, rng):
    for _ in range(2):
        moves.sweep(problem, now, PLAN, rng, moves.Tally())


def of_gains(problem, now):
    """Further statistics, of gains and their sharing with trajectories."""
    own = now.by_cluster(problem)[now.cluster]
    along = np.einsum("itq,tc->iqc", np.clip(own, -5, 5), problem.covariates)
    return np.array(
        [
            (now.gain**2).mean(),
            now.gain.mean(),
            np.tanh(now.gain * along[:, 0]).mean(),
            (now.gain[:, 0] * now.gain[:, -1]).mean(),
            np.tanh(now.gain[0, 0] * now.gain[1, 0]),
        ]
    )


@pytest.mark.parametrize("kernel", [gains, sweep])
@pytest.mark.parametrize("coupling", ["block", "full"])
def test_gains_leave_draws_from_the_joint_distribution_so(kernel, coupling, monkeypatch):
    from tests.methods.biclustering import test_stationarity

    plain = test_stationarity.statistics
    monkeypatch.setattr(
        test_stationarity,
        "statistics",
        lambda problem, now: np.concatenate([plain(problem, now), of_gains(problem, now)]),
    )
    z = z_scores(following(coupling=coupling), kernel, draws=200)
    assert z.size == 29
    assert np.abs(z).max() < 4.2


@pytest.mark.slow
def test_gains_change_no_mean_by_little_either(monkeypatch):
    from tests.methods.biclustering import test_stationarity

    monkeypatch.setattr(test_stationarity, "statistics", of_gains)
    assert np.abs(z_scores(following(), gains, draws=4000, seed=1)).max() < 4.2


def test_passing_a_covariate_on_changes_no_mean_and_the_joint_density_by_priors_alone():
    rng = np.random.default_rng(0)
    problem = following(n_covariates=1)
    now = draw_position(problem, rng)
    before = log_joint(problem, now)
    by = 0.3
    now.x[0][:, 0] += by * problem.covariates[:, 0]
    units = np.flatnonzero(now.cluster == 0)
    old = now.gain[units, 0].copy()
    now.gain[units, 0] -= by
    exposure = problem.data.exposure.copy()
    now.follow(problem)
    moved = exposure[units] - problem.data.exposure[units]
    np.testing.assert_allclose(moved, by * problem.covariates.T.repeat(units.size, 0), atol=1e-12)
    from pipeline.methods.biclustering.sampler.dynamics import path_evidence

    now.x[0][:, 0] -= by * problem.covariates[:, 0]
    linked, prior = problem.data.linked, problem.dynamics
    evidence = -path_evidence(now.x[0], now.state, linked, 3, prior)
    now.x[0][:, 0] += by * problem.covariates[:, 0]
    evidence += path_evidence(now.x[0], now.state, linked, 3, prior)
    priors = -0.5 * ((old - by) ** 2 - old**2).sum() / 0.5**2
    assert log_joint(problem, now) - before == pytest.approx(evidence + priors, abs=1e-8)


def driven(rng, n_units=8, n_bins=160):
    """Counts of one cluster in one state that follow a series that is on and off."""
    running = (np.arange(n_bins) // 20 % 2).astype(np.float64)
    series = ((running - running.mean()) / running.std())[:, None]
    gain = np.where(np.arange(n_units) % 2 == 0, 0.6, -0.4)
    mean = np.exp(1.0 + 0.2 * rng.standard_normal(n_units) + series * gain)
    return CountData.of(rng.poisson(mean)), series, gain


def test_first_gains_are_those_planted():
    data, series, gain = driven(np.random.default_rng(0))
    problem = Problem.of(dataclasses.replace(data, covariates=series), Priors())
    np.testing.assert_allclose(first_gains(problem)[:, 0], gain, atol=0.15)
    expected = problem.exposure + first_gains(problem) @ series.T
    np.testing.assert_allclose(problem.data.exposure, expected)


@pytest.mark.slow
def test_states_that_are_behaviour_alone_are_there_without_its_gains_and_not_with_them():
    data, series, gain = driven(np.random.default_rng(0))
    priors = Priors(n_factors=1, n_states=5, stickiness=40.0)
    # A second state comes and goes: in 60 draws up to a tenth of bins are in it, by the seed.
    schedule = Schedule(n_tune=100, n_draws=250, n_trajectories=5)
    draws = run_chain(data, priors, schedule, np.random.default_rng(1))
    last, on = draws.state[-1], series[:, 0] > 0
    majority = np.array([2 * on[last == s].sum() > (last == s).sum() for s in range(5)])
    assert draws.n_states.min() >= 2
    assert (majority[last] == on).mean() > 0.95
    with_it = dataclasses.replace(data, covariates=series)
    draws = run_chain(with_it, priors, schedule, np.random.default_rng(1))
    share = np.mean([np.bincount(state).max() / state.size for state in draws.state])
    assert share > 0.95
    assert np.median(draws.n_states) == 1
    table = gains_table([draws], np.array([f"u{i}" for i in range(8)]), ("running",))
    assert ((table["low"] < gain) & (gain < table["high"])).sum() >= 7


@pytest.mark.slow
def test_states_that_are_the_stimulus_alone_are_there_without_its_response_and_not_with_it():
    rng = np.random.default_rng(1)
    n_bins, n_units, half = 240, 8, 15
    shown = np.arange(n_bins) // half % 2 == 1
    mean = np.exp(
        1.0 + 0.3 * rng.standard_normal(n_units) + shown[:, None] * np.tile([1.2, -0.8], 4)
    )
    plain, _ = simulate(rng, size="tiny")
    start = plain.time_s[half :: 2 * half]
    trials = pd.DataFrame({"start_s": start, "stop_s": start + 0.5 * half})
    view = dataclasses.replace(
        plain,
        counts=rng.poisson(mean).astype(np.int32),
        observed=np.ones((n_bins, n_units), dtype=bool),
        exposure_s=np.full((n_bins, n_units), 0.5, np.float32),
        unit=plain.unit[:n_units],
        region=plain.region[:n_units],
        trials=trials.assign(condition=pd.Series(["light"] * start.size, dtype="str")),
    )
    schedule = Schedule(n_tune=100, n_draws=40, n_trajectories=5)
    largest = {}
    for stimulus in ("none", "psth"):
        config = config_of(stimulus=stimulus)
        data = problem_of(view, config).data
        priors = dataclasses.replace(priors_of(config, bin_s=view.bin_s), n_factors=1)
        state = run_chain(data, priors, schedule, np.random.default_rng(2)).state
        largest[stimulus] = np.mean([np.bincount(row).max() / n_bins for row in state])
        if stimulus == "none":
            last = state[-1]
            majority = [2 * shown[last == s].sum() > (last == s).sum() for s in range(10)]
            assert (np.array(majority)[last] == shown).mean() > 0.95
    assert largest["none"] < 0.6
    assert largest["psth"] > 0.95


def test_a_chain_with_gains_goes_on_from_a_checkpoint():
    data, series, _ = driven(np.random.default_rng(0), n_units=4, n_bins=40)
    data = dataclasses.replace(data, covariates=series)
    priors, saved = Priors(n_factors=1, n_states=2), []
    whole = run_chain(
        data,
        priors,
        SHORT,
        np.random.default_rng(1),
        checkpoint=lambda one: saved.append(copy.deepcopy(one)),
    )
    assert whole.gain.shape == (6, 4, 1)
    again = run_chain(data, priors, SHORT, np.random.default_rng(9), resume=saved[-14])
    assert_same(whole, again)
    expected = whole.log_rate(0) + series @ whole.gain[whole.kept_draw[0]].T.astype(float)
    np.testing.assert_allclose(whole.log_mean(0, data), expected)


@pytest.fixture(scope="module")
def view():
    plain, _ = simulate(np.random.default_rng(0), size="tiny")
    values = np.stack([np.arange(240.0), np.full(240, 3.0), np.sin(np.arange(240.0))], axis=1)
    values[:24, 0] = np.nan
    return dataclasses.replace(
        plain,
        covariate=np.array(["running", "pupil[0]", "pupil[1]"]),
        behaviour=values.astype(np.float32),
    )


def test_settings_name_series_or_their_channels(view):
    def names(*wanted):
        return covariate_names(view, config_of(behaviour=list(wanted)))

    assert names() == ()
    assert names("pupil", "running", "pupil[1]") == ("pupil[0]", "pupil[1]", "running")
    with pytest.raises(NotApplicable, match=r"no series 'wheel'.*it has running, pupil\[0\]"):
        names("wheel")


def test_series_are_centred_and_bins_without_a_value_have_the_mean(view):
    found = problem_of(view, config_of(behaviour=["running", "pupil[1]"])).data.followed
    assert found.shape == (240, 2)
    np.testing.assert_array_equal(found[:24, 0], 0)
    np.testing.assert_allclose([found[24:, 0].mean(), found[24:, 0].std()], [0, 1], atol=1e-9)
    assert problem_of(view, config_of()).data.followed.shape == (240, 0)
    with pytest.raises(NotApplicable, match=r"'pupil\[0\]' .* never changes"):
        covariates_of(view, config_of(behaviour=["pupil[0]"]))


def test_gains_are_told_by_covariate_and_unit():
    rng = np.random.default_rng(0)
    data, series, _ = driven(rng, n_units=3, n_bins=30)
    data = dataclasses.replace(data, covariates=np.column_stack([series, series**3 + series]))
    schedule = Schedule(n_tune=2, n_draws=8, n_trajectories=2)
    draws = run_chain(data, Priors(n_factors=0, n_states=1), schedule, rng)
    table = gains_table([draws, draws], np.array(["a", "b", "c"]), ("x", "y"))
    assert list(table["covariate"] + table["unit"]) == ["xa", "xb", "xc", "ya", "yb", "yc"]
    np.testing.assert_allclose(table["mean"], draws.gain.mean(axis=0).T.ravel(), rtol=1e-6)
    assert (table["low"] <= table["high"]).all()
    none = gains_table(
        [dataclasses.replace(draws, gain=draws.gain[..., :0])], np.array(["a"] * 3), ()
    )
    assert none.shape == (0, 5)
    assert isinstance(none, pd.DataFrame)
