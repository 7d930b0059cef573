"""What is planted in the simulated cortex can be found by simple means, both truths at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from pipeline.core.rng import stream
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.stages.demo import SEED
from pipeline.stages.demo.cortex import BIN_S, DWELL_BINS, LATENCY_S, simulate


@pytest.fixture(scope="module", params=[SEED, 1])
def session(request):
    return simulate(stream(request.param, "cortex"))


@pytest.fixture(scope="module")
def counts(session):
    """Spikes in each observed bin, shape (bin, unit)."""
    truth = session.clusters
    edges = np.append(truth.bin_start, truth.bin_start[-1] + BIN_S)
    units = range(session.spikes.n_units)
    all_bins = np.stack([np.histogram(session.spikes.of_unit(u), edges)[0] for u in units], axis=1)
    assert all_bins[~truth.bin_observed].sum() == 0
    return all_bins[truth.bin_observed]


@pytest.fixture(scope="module")
def answers(session):
    """Square root of the spikes while each grating was shown, shape (repeat, condition, unit)."""
    truth, trials = session.geometries, session.trials
    edges = trials[["start_s", "stop_s"]].to_numpy() + LATENCY_S
    units = [session.spikes.of_unit(unit) for unit in range(truth.unit.size)]
    spikes = np.stack([np.diff(np.searchsorted(times, edges), axis=1)[:, 0] for times in units], 1)
    place = trials["condition"].map({name: i for i, name in enumerate(truth.condition)})
    out = np.empty((trials["repeat"].max() + 1, truth.condition.size, truth.unit.size))
    out[trials["repeat"], place] = np.sqrt(spikes)
    return out


def test_counts_are_negative_binomial_with_the_stored_means_and_sizes(session, counts):
    truth = session.clusters
    mean = truth.mean_count[truth.bin_observed]
    squared = np.square(counts - mean)
    expected = mean + np.square(mean) / truth.dispersion
    assert np.mean(squared) / np.mean(expected) == pytest.approx(1.0, abs=0.05)
    assert np.mean(squared) / np.mean(mean) > 1.2  # Poisson would be 1
    z = (counts - mean).sum(axis=0) / np.sqrt(expected.sum(axis=0))
    assert np.abs(z).max() < 4


def test_trajectories_obey_the_dynamics_of_their_states(session):
    truth = session.clusters
    for state in range(truth.state.size):
        into = np.flatnonzero(truth.state_of_bin[1:] == state) + 1
        away = truth.trajectory[into - 1] - truth.state_mean[state]
        expected = truth.state_mean[state] + np.einsum("kij,tkj->tki", truth.dynamics[state], away)
        left = truth.trajectory[into] - expected
        assert left.var() == pytest.approx(truth.noise_variance[state], rel=0.1)


def test_the_cluster_of_a_unit_is_that_whose_trajectory_explains_it_best(session, counts):
    truth = session.clusters
    seen = truth.trajectory[truth.bin_observed]
    log = np.log(counts + 0.5)
    left = []
    for cluster in range(truth.cluster.size):
        design = np.column_stack([np.ones(len(log)), seen[:, cluster]])
        fitted = design @ np.linalg.lstsq(design, log, rcond=None)[0]
        left.append(np.square(log - fitted).sum(axis=0))
    np.testing.assert_array_equal(np.argmin(left, axis=0), truth.cluster_of_unit)


def test_clusters_are_found_by_the_correlations_of_units_alone(session, counts):
    smooth = gaussian_filter1d(np.log(counts + 0.5), 2, axis=0)
    distance = squareform(1 - np.corrcoef(smooth.T), checks=False)
    found = fcluster(linkage(distance, "average"), 4, "maxclust")
    assert adjusted_rand_index(session.clusters.cluster_of_unit, found) == 1.0
    assert adjusted_rand_index(session.geometries.region_of_unit, found) < 0.3


def test_states_follow_from_the_trajectories(session):
    """The ceiling: known dynamics and trajectories, and what is known of the visits."""
    truth = session.clusters
    likelihood = []
    for state in range(truth.state.size):
        away = truth.trajectory[:-1] - truth.state_mean[state]
        expected = truth.state_mean[state] + np.einsum("kij,tkj->tki", truth.dynamics[state], away)
        variance = truth.noise_variance[state]
        left = np.square(truth.trajectory[1:] - expected)
        likelihood.append(-0.5 * (left / variance + np.log(variance)).sum(axis=(1, 2)))
    found = most_likely_path(np.stack(likelihood, axis=1), stay=1 - 1 / DWELL_BINS)
    assert np.mean(found == truth.state_of_bin[1:]) > 0.97


def test_states_are_found_from_the_counts_of_known_clusters(session, counts):
    truth = session.clusters
    state = truth.state_of_bin[truth.bin_observed]
    log = np.log(counts + 0.5)
    mean = [log[:, truth.cluster_of_unit == k].mean(axis=1) for k in range(truth.cluster.size)]
    smooth = gaussian_filter1d(np.stack(mean, axis=1), 2, axis=0)
    centres = np.stack([smooth[state == s].mean(axis=0) for s in range(truth.state.size)])
    found = np.argmin(np.square(smooth[:, None] - centres).sum(axis=-1), axis=1)
    assert np.mean(found == state) > 0.85


def test_every_state_is_visited_for_a_while_and_every_condition_seen_in_all(session):
    truth = session.clusters
    share = np.bincount(truth.state_of_bin, minlength=3) / truth.state_of_bin.size
    assert share.min() > 0.15
    starts = (session.trials["start_s"] / BIN_S).astype(int)
    seen = {
        (condition, truth.state_of_bin[start])
        for condition, start in zip(session.trials["condition"], starts, strict=True)
    }
    assert len(seen) >= 34  # of 12 conditions x 3 states


def decoded(answers):
    """Condition of the nearest mean of the other repeats, shape (repeat, condition)."""
    found = []
    for repeat, shown in enumerate(answers):
        means = np.delete(answers, repeat, axis=0).mean(axis=0)
        found.append(np.argmin(np.square(shown[:, None] - means).sum(axis=-1), axis=1))
    return np.array(found)


def unbiased_distances(answers):
    """Squared distances between conditions from products of different repeats, by pair."""
    total = answers.sum(axis=0)
    products = total @ total.T - np.einsum("rcu,rdu->cd", answers, answers)
    products /= len(answers) * (len(answers) - 1) * answers.shape[-1]
    own = np.diag(products)
    square = own[:, None] + own - 2 * products
    return square[np.triu_indices(len(square), 1)]


def of_region(session, answers, geometry):
    truth = session.geometries
    region = truth.geometry.tolist().index(geometry)
    return answers[..., truth.region_of_unit == region], truth.dissimilarities[region]


def models(truth):
    """Dissimilarities on a ring of directions, and of clusters by spatial frequency."""
    away = np.abs(truth.direction[:, None] - truth.direction)
    pairs = np.triu_indices(truth.condition.size, 1)
    other = truth.frequency[:, None] != truth.frequency
    return np.minimum(away, 360 - away)[pairs], other[pairs].astype(float)


def test_one_area_holds_the_directions_on_a_ring(session, answers):
    found, planted = of_region(session, answers, "ring")
    distances = unbiased_distances(found)
    ring, clusters = models(session.geometries)
    assert spearmanr(distances, planted)[0] > 0.75
    assert spearmanr(distances, ring)[0] > 0.75
    assert spearmanr(distances, clusters)[0] < 0
    right = decoded(found)
    away = np.abs(right - np.arange(12))
    assert np.mean(away == 0) > 0.45
    assert np.mean(np.minimum(away, 12 - away) <= 1) > 0.8  # those mistaken are neighbours


def test_one_area_holds_them_in_clusters_of_spatial_frequency(session, answers):
    found, planted = of_region(session, answers, "clusters")
    distances = unbiased_distances(found)
    ring, clusters = models(session.geometries)
    assert spearmanr(distances, planted)[0] > 0.65
    assert spearmanr(distances, clusters)[0] > 0.6
    assert spearmanr(distances, ring)[0] < 0.1
    right = decoded(found)
    same_frequency = right % 4 == np.arange(12) % 4
    assert np.mean(same_frequency) > 0.85
    assert np.mean(right == np.arange(12)) < 0.45  # which of the three is a guess


def test_one_area_does_not_answer_to_them(session, answers):
    found, planted = of_region(session, answers, "none")
    assert np.all(planted == 0)
    other = unbiased_distances(of_region(session, answers, "clusters")[0])
    assert abs(unbiased_distances(found).mean()) < 0.1 * other.mean()
    assert np.mean(decoded(found) == np.arange(12)) < 0.17  # chance is 0.08


def speed_of_bins(session):
    middle = session.clusters.bin_start + BIN_S / 2
    return np.interp(middle, session.speed_time, session.speed)


def test_running_is_smooth_and_goes_with_the_states(session):
    assert session.speed.min() > 0
    assert np.abs(np.diff(session.speed)).max() < 1.5
    running = session.clusters.state_of_bin == 2
    speed = speed_of_bins(session)
    assert speed[running].mean() > 3 * speed[~running].mean()


def test_running_moves_the_rates_of_all_units_moderately(session, counts):
    truth = session.clusters
    own = truth.trajectory[:, truth.cluster_of_unit]
    shared = own[..., 0] + np.sum(own[..., 1:] * truth.loading, axis=-1)
    spontaneous = truth.bin_start + BIN_S <= 45.0
    rate = truth.mean_count[spontaneous] / BIN_S
    gain = np.log(rate) - truth.baseline - shared[spontaneous]
    assert np.ptp(gain, axis=1).max() < 1e-9  # the same for all
    assert np.corrcoef(gain[:, 0], speed_of_bins(session)[spontaneous])[0, 1] > 0.99
    assert 0.2 < np.ptp(gain) < 0.6
    population = np.log(counts + 0.5).mean(axis=1)
    assert 0.2 < np.corrcoef(speed_of_bins(session)[truth.bin_observed], population)[0, 1] < 0.8


def test_a_session_has_grey_screen_around_its_gratings_and_pauses_between(session):
    assert session.epochs["label"].tolist() == ["spontaneous", "gratings", "spontaneous"]
    assert np.all(
        session.epochs["start_s"].to_numpy()[1:] > session.epochs["stop_s"].to_numpy()[:-1]
    )
    gratings = session.epochs.iloc[1]
    assert session.trials["start_s"].min() >= gratings["start_s"]
    assert session.trials["stop_s"].max() <= gratings["stop_s"]
    repeats = session.trials.groupby("condition")["repeat"]
    assert {tuple(sorted(each)) for _, each in repeats} == {tuple(range(15))}
    assert len(repeats) == 12


def most_likely_path(likelihood, *, stay):
    """Most probable state of each bin (forward and backward) of a chain that tends to stay."""
    n_bins, n_states = likelihood.shape
    step = np.full((n_states, n_states), (1 - stay) / (n_states - 1))
    np.fill_diagonal(step, stay)
    emitted = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    forward = np.empty((n_bins, n_states))
    belief = np.full(n_states, 1 / n_states)
    for now in range(n_bins):
        belief = emitted[now] * (step.T @ belief)
        belief /= belief.sum()
        forward[now] = belief
    backward = np.ones(n_states)
    path = np.empty(n_bins, dtype=int)
    for now in range(n_bins - 1, -1, -1):
        path[now] = np.argmax(forward[now] * backward)
        backward = step @ (backward * emitted[now])
        backward /= backward.sum()
    return path
