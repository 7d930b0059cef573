"""The weighted block model: its formulas, its search, and groups that are known."""

from __future__ import annotations

import itertools
import json
import math
import subprocess

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln

from pipeline.core.rng import stream
from pipeline.methods.connectome import block_search, graph_tool
from pipeline.methods.connectome.block_lengths import (
    WeightPrior,
    condensed,
    degree_length,
    edge_count_length,
    edge_length,
    log_restricted_partitions,
    partition_length,
    weight_length,
)
from pipeline.methods.connectome.block_model import _Edges, description_length, fit_block_model
from pipeline.numerics.partitions import adjusted_rand_index
from tests.support.golden import golden_files
from tests.support.needed import need_graph_tool


def planted(rng, *, sizes, strong=1.0, weak=0.2):
    """A complete graph with log-normal weights, larger inside groups."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    n = truth.size
    level = np.where(truth[:, None] == truth[None, :], strong, weak)
    weights = np.triu(level * np.exp(0.3 * rng.standard_normal((n, n))), 1)
    return weights + weights.T, truth


def small_graph(rng, n=7):
    weights = np.triu(rng.gamma(2.0, size=(n, n)) * (rng.random((n, n)) < 0.7), 1)
    weights[np.arange(n - 1), np.arange(1, n)] += 0.1  # every unit has an edge
    return weights + weights.T


def partitions_of(n):
    """All partitions of n units, as labels in order of appearance."""
    for label in itertools.product(range(n), repeat=n):
        if all(value <= max(label[:index], default=-1) + 1 for index, value in enumerate(label)):
            yield np.array(label, dtype=np.int64)


def test_a_weights_marginal_is_the_integral_over_its_parameter():
    weights = np.array([0.4, 1.3, 2.2, 0.9])
    prior = WeightPrior.of("exponential", weights)
    inside = weights[:3]
    counts = np.array([[3, 1], [1, 0]])
    sums = np.array([[inside.sum(), weights[3]], [weights[3], 0]])
    told = weight_length(prior, counts, sums, sums**2)

    def density(rate, y):
        return np.exp(-rate * y.sum()) * rate**y.size * prior.mean * np.exp(-rate * prior.mean)

    expected = -sum(math.log(quad(density, 0, np.inf, (y,))[0]) for y in (inside, weights[3:]))
    assert told == pytest.approx(expected, rel=1e-8)


def test_the_log_normal_marginal_is_a_chain_of_student_predictions():
    # With one prior observation the next log weight is Student t, whatever came before.
    from scipy.stats import t

    weights = np.exp(np.array([0.3, -0.6, 1.1, 0.2, -1.4]))
    y = np.log(weights)
    prior = WeightPrior.of("lognormal", weights)
    told = weight_length(prior, np.array([[5]]), np.array([[y.sum()]]), np.array([[(y**2).sum()]]))
    expected, mean, kappa, nu, scale = 0.0, y.mean(), 1.0, 1.0, y.var()
    for one in y:
        expected -= t.logpdf(one, nu, mean, math.sqrt(scale / nu * (1 + 1 / kappa)))
        scale += kappa / (kappa + 1) * (one - mean) ** 2
        mean, kappa, nu = (kappa * mean + one) / (kappa + 1), kappa + 1, nu + 1
    assert told == pytest.approx(expected + y.sum(), rel=1e-10)


@pytest.mark.parametrize(("total", "parts"), [(6, 2), (12, 5), (40, 8), (60, 60), (200, 30)])
def test_restricted_partitions_are_counted_to_half_a_nat(total, parts):
    ways = [1] + [0] * total
    for part in range(1, parts + 1):
        for value in range(part, total + 1):
            ways[value] += ways[value - part]
    assert log_restricted_partitions(total, parts) == pytest.approx(math.log(ways[total]), abs=0.5)


def test_a_partition_costs_the_number_of_alternatives():
    # Two groups of 2 and 2 of four units: 4 numbers of groups, 3 size splits, 6 arrangements.
    assert partition_length(np.array([2, 2])) == pytest.approx(math.log(4 * 3 * 6))


def test_edges_of_one_group_cost_what_is_left_of_their_arrangement():
    # 3 edges in a group of 4: 6 ends over 4 units, less orders and directions of edges.
    expected = 6 * math.log(4) - math.log(6) - 3 * math.log(2)
    assert edge_length(np.array([4]), np.array([[3]]), "plain") == pytest.approx(expected)
    assert edge_count_length(1, 3) == pytest.approx(0)


def test_condensing_keeps_every_edge_once():
    counts = np.array([[2, 1, 3], [1, 0, 4], [3, 4, 5]])
    coarse = condensed(counts, np.array([0, 0, 1]))
    assert coarse.tolist() == [[3, 7], [7, 5]]


@pytest.mark.parametrize("degrees", ["plain", "corrected"])
@pytest.mark.parametrize("model", ["lognormal", "exponential"])
def test_the_compiled_length_is_the_formulas_up_to_a_constant(model, degrees):
    rng = stream(0, "block", model, degrees)
    edges = _Edges.of(small_graph(rng, n=9))
    prior = WeightPrior.of(model, edges.weight)
    graph = edges.graph(prior, degrees)
    difference = []
    for n_groups in (1, 2, 3, 4, 4, 4):
        label = rng.permutation(np.arange(9) % n_groups)
        sizes, counts = np.bincount(label), edges.counts(label)
        expected = partition_length(sizes) + edge_length(sizes, counts, degrees)
        expected += edge_count_length(n_groups, edges.weight.size)
        expected += weight_length(prior, counts, *edges.statistics(label, prior))
        if degrees == "corrected":
            ends = counts.sum(axis=1) + np.diag(counts)
            expected += (gammaln(sizes + ends) - gammaln(ends + 1.0) - gammaln(sizes)).sum()
        state = block_search.state_of(graph, label.astype(np.int64), n_groups)
        difference.append(expected - block_search.length_of(graph, state))
    assert np.ptp(difference) < 1e-9


@pytest.mark.parametrize("degrees", ["plain", "corrected"])
def test_the_search_finds_the_shortest_of_all_partitions(degrees):
    rng = stream(1, "block", degrees)
    edges = _Edges.of(small_graph(rng))
    prior = WeightPrior.of("lognormal", edges.weight)
    graph = edges.graph(prior, degrees)

    def length(label):
        state = block_search.state_of(graph, label, int(label.max()) + 1)
        return block_search.length_of(graph, state)

    shortest = min(length(label) for label in partitions_of(7))
    found = []
    for _ in range(3):
        partitions, lengths = block_search.search(graph, np.arange(7), rng)
        best = int(np.argmin(lengths))
        assert lengths[best] == pytest.approx(length(partitions[best]))
        found.append(length(block_search.refine(graph, partitions[best], rng)))
    assert min(found) == pytest.approx(shortest, abs=1e-9)


def test_samples_fall_on_partitions_by_their_length():
    rng = stream(2, "block", "sample")
    edges = _Edges.of(small_graph(rng, n=5))
    graph = edges.graph(WeightPrior.of("lognormal", edges.weight), "plain")
    every = list(partitions_of(5))
    length = np.array(
        [
            block_search.length_of(graph, block_search.state_of(graph, one, int(one.max()) + 1))
            for one in every
        ]
    )
    expected = np.exp(length.min() - length)
    expected /= expected.sum()
    drawn = block_search.sample(graph, np.zeros(5, dtype=np.int64), 50, 6000, 4, rng)
    names = {tuple(one): index for index, one in enumerate(every)}
    seen = np.bincount([names[tuple(one)] for one in drawn], minlength=len(every)) / len(drawn)
    assert np.abs(seen - expected).max() < 0.03


def test_planted_groups_are_found_with_certainty():
    rng = stream(3, "block", "planted")
    weights, truth = planted(rng, sizes=[12, 10, 8])
    model = fit_block_model(weights, rng=rng)
    assert adjusted_rand_index(model.levels[0], truth) == 1.0
    assert np.bincount(model.levels[0]).tolist() == [12, 10, 8]
    assert model.probability.min() > 0.9
    assert model.has_structure


def test_noise_has_no_structure():
    rng = stream(4, "block", "noise")
    weights, _ = planted(rng, sizes=[25], strong=1.0)
    model = fit_block_model(weights, rng=rng)
    assert not model.has_structure
    assert [int(level.max()) for level in model.levels] == [0]


def test_the_order_of_units_does_not_matter():
    rng = stream(5, "block", "order")
    weights, _ = planted(rng, sizes=[9, 8, 7], weak=0.4)
    order = rng.permutation(24)
    one = fit_block_model(weights, rng=stream(6, "block"))
    other = fit_block_model(weights[np.ix_(order, order)], rng=stream(7, "block"))
    assert other.length == pytest.approx(one.length, abs=1e-6)
    assert adjusted_rand_index(one.levels[0][order], other.levels[0]) == 1.0


def test_the_unit_of_weights_does_not_matter():
    weights, _ = planted(stream(8, "block"), sizes=[9, 8])
    one = fit_block_model(weights, rng=stream(9, "block"))
    other = fit_block_model(1e6 * weights, rng=stream(9, "block"))
    assert np.array_equal(one.levels[0], other.levels[0])


def test_the_same_stream_gives_the_same_model():
    weights = small_graph(stream(10, "block"), n=15)
    one, other = (fit_block_model(weights, rng=stream(11, "block")) for _ in range(2))
    assert one.length == other.length
    assert np.array_equal(one.levels[0], other.levels[0])
    assert np.array_equal(one.probability, other.probability)


def test_equal_weights_leave_the_edges_to_tell_the_groups():
    truth = np.repeat([0, 1], 10)
    rng = stream(12, "block")
    edge = rng.random((20, 20)) < np.where(truth[:, None] == truth, 0.9, 0.1)
    weights = np.triu(edge, 1).astype(float)
    model = fit_block_model(weights + weights.T, rng=rng)
    assert model.weights == "none"
    assert adjusted_rand_index(model.levels[0], truth) == 1.0


def test_a_unit_without_an_edge_is_refused():
    weights = np.zeros((4, 4))
    weights[0, 1] = weights[1, 0] = 1.0
    with pytest.raises(ValueError, match="every unit has an edge"):
        fit_block_model(weights, rng=stream(0, "block"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "stored", golden_files("tensor_connectome", "edges_0", "weights_0", "truth_0")
)
def test_groups_of_reference_graphs_are_found_as_well_as_by_graph_tool(stored):
    from sklearn.metrics import normalized_mutual_info_score

    numbers = [int(name.split("_")[1]) for name in stored if name.startswith("edges_")]
    ours, theirs = [], []
    for number in sorted(numbers):
        edges, truth = stored[f"edges_{number}"], stored[f"truth_{number}"]
        weights = np.zeros((truth.size, truth.size))
        weights[edges[:, 0], edges[:, 1]] = stored[f"weights_{number}"]
        weights += weights.T
        tied = weights.any(axis=1)
        model = fit_block_model(weights[np.ix_(tied, tied)], rng=stream(number, "lfr"))
        ours.append(normalized_mutual_info_score(truth[tied], model.levels[0]))
        levels = stored[f"nwsbm_nmi_levels_{number}"]
        theirs.append(float(levels[0]) if levels.size else 0.0)
    assert np.mean(ours) >= np.mean(theirs)


GRAPH_TOOL = """
import json, sys
import numpy as np
import graph_tool.all as gt
given = json.load(sys.stdin)
graph = gt.Graph(directed=False)
graph.add_vertex(given["n"])
graph.add_edge_list(np.array(given["edges"]))
out = []
for corrected in (False, True):
    state = gt.BlockState(graph, b=graph.new_vp("int", given["label"]), deg_corr=corrected)
    out.append(state.entropy(
        dense=False, multigraph=True, exact=True, adjacency=True, partition_dl=True,
        edges_dl=True, degree_dl=corrected, degree_dl_kind="uniform"))
print(json.dumps(out))
"""


def test_lengths_are_those_of_graph_tool():
    need_graph_tool()
    rng = stream(13, "block")
    edges = _Edges.of(small_graph(rng, n=12))
    label = np.arange(12) % 3
    given = {
        "n": 12,
        "edges": np.stack([edges.first, edges.second], axis=1).tolist(),
        "label": label.tolist(),
    }
    done = subprocess.run(
        [graph_tool.PYTHON, "-I", "-c", GRAPH_TOOL],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    plain, corrected = json.loads(done.stdout.splitlines()[-1])
    none = WeightPrior.of("none", edges.weight)
    assert description_length(edges, none, "plain", [label]) == pytest.approx(plain, abs=1e-9)
    distributed = degree_length(label, edges.degree, "distributed")
    uniform = degree_length(label, edges.degree, "uniform")
    told = description_length(edges, none, "corrected", [label])
    assert told - min(uniform, distributed) + uniform == pytest.approx(corrected, abs=1e-9)
