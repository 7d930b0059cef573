"""Chains as a whole: interrupted ones, gaps and missing counts, and inputs at the edge."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

from pipeline.methods.biclustering.model import CountData, Draws, Priors, Schedule
from pipeline.methods.biclustering.sampler import chain
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.methods.biclustering.simulate import planted_counts

SHORT = Schedule(n_tune=10, n_draws=6, thin=2, n_trajectories=3)
FEW_STATES = Priors(n_factors=1, n_states=3)


def small_data(rng, n_bins=60, n_units=6):
    wave = np.sin(np.arange(n_bins) / 5)
    sign = np.where(np.arange(n_units) < n_units // 2, 1, -1)
    counts = rng.poisson(np.exp(1.0 + wave[:, None] * sign))
    return CountData(
        counts=counts.astype(np.int32),
        observed=rng.random(counts.shape) > 0.1,
        segment=(np.arange(n_bins) >= n_bins // 2).astype(np.int32),
        log_exposure=np.zeros(counts.shape),
    )


def assert_same(one: Draws, other: Draws) -> None:
    for field in dataclasses.fields(Draws):
        if field.name == "moves":
            assert one.moves == other.moves
        else:
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize("coupling", ["block", "full"])
def test_an_interrupted_chain_goes_on_as_if_nothing_had_happened(coupling):
    data = small_data(np.random.default_rng(0))
    priors = dataclasses.replace(FEW_STATES, coupling=coupling)
    saved = []
    whole = run_chain(
        data,
        priors,
        SHORT,
        np.random.default_rng(1),
        checkpoint=lambda one: saved.append(copy.deepcopy(one)),
    )
    sweeps = [one.sweep for one in saved]
    n_climbs = sweeps.count(0)
    assert sweeps == [0] * n_climbs + list(range(1, 23))
    for one in (saved[0], saved[n_climbs + 8], saved[n_climbs + 17]):
        # Another stream: the checkpoint brings the right one.
        again = run_chain(data, priors, SHORT, np.random.default_rng(99), resume=one)
        assert_same(whole, again)


def test_splits_and_merges_go_on_from_a_checkpoint_too(monkeypatch):
    monkeypatch.setattr(chain, "SPLIT_EVERY", 4)
    monkeypatch.setattr(chain, "STEPS_PER_BIN", 1)
    data = small_data(np.random.default_rng(0), n_bins=20)
    saved = []
    whole = run_chain(
        data,
        FEW_STATES,
        SHORT,
        np.random.default_rng(1),
        checkpoint=lambda one: saved.append(copy.deepcopy(one)),
    )
    assert whole.moves.get("split", (0, 0))[1] + whole.moves.get("merge", (0, 0))[1] == 3
    assert_same(
        whole, run_chain(data, FEW_STATES, SHORT, np.random.default_rng(9), resume=saved[-14])
    )


def test_a_checkpoint_of_another_chain_is_refused():
    rng = np.random.default_rng(0)
    saved = []
    run_chain(small_data(rng), FEW_STATES, SHORT, rng, checkpoint=saved.append)
    for one in (saved[0], saved[-1]):  # of the search for a start, and of the draws
        with pytest.raises(ValueError, match="another chain"):
            run_chain(small_data(rng, n_units=7), FEW_STATES, SHORT, rng, resume=one)


def test_draws_hold_what_they_say():
    data = small_data(np.random.default_rng(0))
    draws = run_chain(data, FEW_STATES, SHORT, np.random.default_rng(2))
    assert draws.kept_draw.tolist() == [1, 3, 5]
    for index, draw in enumerate(draws.kept_draw):
        n = draws.n_clusters[draw]
        assert np.unique(draws.cluster[draw]).tolist() == list(range(n))
        assert np.isfinite(draws.trajectory[index][:, :n]).all()
        assert np.isnan(draws.trajectory[index][:, n:]).all()
        assert np.isfinite(draws.log_rate(index)).all()
        assert np.isfinite(draws.transition[index][:, : 2 * n, : 2 * n]).all()
    # The first bin of each segment shows the state of the next.
    assert np.array_equal(draws.state[:, 0], draws.state[:, 1])
    assert np.array_equal(draws.state[:, 30], draws.state[:, 31])


def edge_cases():
    rng = np.random.default_rng(3)
    yield "one unit", rng.poisson(2.0, (30, 1))
    yield "three bins", rng.poisson(2.0, (3, 4))
    yield "one bin", rng.poisson(2.0, (1, 3))
    yield "silent unit", rng.poisson(2.0, (40, 5)) * (np.arange(5) > 0)
    yield "constant counts", np.full((40, 5), 2)
    yield "all silent", np.zeros((40, 4), int)
    yield "huge counts", rng.poisson(3e4, (40, 4))


@pytest.mark.parametrize("family", ["negative_binomial", "poisson"])
@pytest.mark.parametrize(("name", "counts"), list(edge_cases()))
def test_unusual_counts_are_legal(family, name, counts):
    priors = dataclasses.replace(FEW_STATES, family=family)
    schedule = Schedule(n_tune=4, n_draws=2)
    draws = run_chain(CountData.of(counts), priors, schedule, np.random.default_rng(4))
    assert np.isfinite(draws.log_joint).all()
    if name == "one unit":
        assert (draws.n_clusters == 1).all()


def test_bins_by_themselves_and_units_without_counts_are_legal():
    data = small_data(np.random.default_rng(0), n_bins=30)
    data = dataclasses.replace(
        data,
        segment=np.r_[0, 1, np.full(27, 2), 3].astype(np.int32),
        observed=data.observed & (np.arange(6) > 0),
    )
    draws = run_chain(data, FEW_STATES, Schedule(n_tune=4, n_draws=2), np.random.default_rng(4))
    assert np.isfinite(draws.log_joint).all()


def test_bad_counts_are_refused():
    counts = np.ones((5, 3), int)
    counts[3, 1] = -1
    with pytest.raises(ValueError, match="bin 3, unit 1"):
        CountData.of(counts)
    with pytest.raises(ValueError, match="no bins"):
        CountData.of(np.zeros((0, 3), int))


def test_a_model_of_one_cluster_never_leaves_it():
    rng = np.random.default_rng(5)
    counts = np.concatenate([rng.poisson(1, (60, 6)), rng.poisson(6, (60, 6))])
    counts[:, 3:] = counts[::-1, 3:]
    draws = run_chain(
        CountData.of(counts), Priors(one_cluster=True), Schedule(n_tune=10, n_draws=20), rng
    )
    assert (draws.n_clusters == 1).all()
    assert (draws.cluster == 0).all()
    assert np.isfinite(draws.log_joint).all()


def test_four_hundred_units_are_fitted():
    """A prior of partitions by factorials ends at 171! in double precision."""
    data, _ = planted_counts(
        np.random.default_rng(0), n_units=400, n_clusters=2, n_bins=12, n_states=1
    )
    schedule = Schedule(n_tune=2, n_draws=3, n_trajectories=1)
    draws = run_chain(data, FEW_STATES, schedule, np.random.default_rng(1), start="one")
    assert np.isfinite(draws.log_joint).all()
    assert draws.cluster.shape == (3, 400)
    assert ((draws.n_clusters >= 1) & (draws.n_clusters <= 400)).all()
