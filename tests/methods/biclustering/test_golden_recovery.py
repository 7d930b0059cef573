"""Clusters, states and rates of the reference recordings, from a start that knows none of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pipeline.methods.biclustering.model import CountData, Priors, Schedule
from pipeline.methods.biclustering.sampler.chain import run_chain
from pipeline.numerics.partitions import adjusted_rand_index
from tests.support.golden import golden_files


def accuracy(found, planted):
    """Share of bins in the right state, states matched one to one."""
    table = np.zeros((found.max() + 1, planted.max() + 1))
    np.add.at(table, (found, planted), 1)
    rows, columns = linear_sum_assignment(-table)
    return table[rows, columns].sum() / planted.size


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6])
def test_planted_clusters_states_and_rates_are_found_from_one_cluster(seed):
    for file in golden_files("biclustering", "counts", "neuron_labels", "state_labels"):
        poisson = bool(np.isinf(file["dispersion"]).all())
        draws = run_chain(
            CountData.of(file["counts"].T),
            Priors(family="poisson" if poisson else "negative_binomial"),
            Schedule(n_tune=200, n_draws=100, n_trajectories=100),
            np.random.default_rng(seed),
            start="one",
        )
        agreement = [adjusted_rand_index(file["neuron_labels"], one) for one in draws.cluster]
        state = np.array([np.bincount(column).argmax() for column in draws.state.T])
        right = accuracy(state, file["state_labels"].astype(int))
        # The middle nine tenths of draws hold about so many of the true log rates.
        rates = np.array([draws.log_rate(index) for index in range(draws.kept_draw.size)])
        low, high = np.quantile(rates, [0.05, 0.95], axis=0)
        covered = np.mean((low <= file["log_rate"].T) & (high >= file["log_rate"].T))
        assert np.mean(agreement) >= 0.95
        n_clusters = np.unique(file["neuron_labels"]).size
        assert np.bincount(draws.n_clusters).argmax() == n_clusters
        assert right >= 0.92
        assert 0.80 <= covered <= 0.97
