"""Components against known connections: planted, by chance, and tables that are none."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from scipy.stats import binomtest, spearmanr
from sklearn.metrics import roc_auc_score

from pipeline.core.errors import ConfigError, EnvironmentFault
from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.io.text_tables import read_text_table
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.alignment import align
from pipeline.methods.connectome.anatomy import (
    against_references,
    largest_p,
    rewired,
    static_strength,
)
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.figures import figures
from pipeline.methods.connectome.problem import affinity_problem, affinity_table
from pipeline.methods.connectome.references import (
    WORM_KINDS,
    Reference,
    edges_of,
    known_edges,
    references,
)
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from tests.support.captions import lacking

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
N_UNITS = 16
PAIRS = np.stack(np.triu_indices(N_UNITS, 1), axis=1)


def degrees(weight):
    count = np.zeros(N_UNITS, dtype=int)
    np.add.at(count, PAIRS[weight > 0].reshape(-1), 1)
    return count


def random_graph(rng, share=0.25):
    """Connections of units that differ in how many they have."""
    liking = rng.uniform(0.3, 1.7, N_UNITS)
    chance = share * liking[PAIRS[:, 0]] * liking[PAIRS[:, 1]]
    return np.where(rng.random(len(PAIRS)) < chance, rng.uniform(1, 9, len(PAIRS)), 0)


def reference_of(weight, kind="synapse"):
    table = np.zeros((N_UNITS, N_UNITS))
    table[PAIRS[:, 0], PAIRS[:, 1]] = table[PAIRS[:, 1], PAIRS[:, 0]] = weight
    return Reference(kind=kind, unit=np.arange(N_UNITS), weight=table)


def test_rewiring_keeps_every_units_connections_and_all_weights():
    weight = random_graph(stream(0, "graph"))
    graphs, moved = rewired(PAIRS, weight, 20, rng=stream(0, "rewire"))
    assert moved > 0.5
    for graph in graphs:
        np.testing.assert_array_equal(degrees(graph), degrees(weight))
        np.testing.assert_array_equal(np.sort(graph), np.sort(weight))
    assert len({tuple(graph > 0) for graph in graphs}) == 20


def test_rewiring_visits_every_graph_equally_often():
    # Paths of three connections over four units whose ends are two given units: two graphs.
    pairs = np.stack(np.triu_indices(4, 1), axis=1)
    weight = np.array([1.0, 0, 0, 1, 0, 1])  # 0-1, 1-2, 2-3; the other is 0-2, 2-1, 1-3
    graphs, _ = rewired(pairs, weight, 600, rng=stream(0, "even"))
    shapes, counts = np.unique(graphs > 0, axis=0, return_counts=True)
    assert len(shapes) == 2
    assert binomtest(int(counts[0]), 600, 0.5).pvalue > 0.001


def test_pairs_that_were_never_observed_stay_unconnected():
    weight = random_graph(stream(0, "graph"))
    kept = np.ones(len(PAIRS), dtype=bool)
    kept[np.flatnonzero(weight == 0)[:20]] = False
    graphs, _ = rewired(PAIRS[kept], weight[kept], 10, rng=stream(0, "rewire"))
    assert graphs.shape == (10, int(kept.sum()))
    for graph in graphs:
        full = np.zeros(len(PAIRS))
        full[kept] = graph
        np.testing.assert_array_equal(degrees(full), degrees(weight))


def test_scores_are_those_of_other_libraries():
    rng = stream(0, "scores")
    weight, strength = random_graph(rng), rng.random((len(PAIRS), 3)).round(1)
    found = against_references(strength, PAIRS, [reference_of(weight)], rng=rng, n_rewired=19)
    for graph in range(3):
        area = roc_auc_score(weight > 0, strength[:, graph])
        assert found.auroc[graph, 0] == pytest.approx(area)
        rank = spearmanr(strength[:, graph], weight).statistic
        assert found.correlation[graph, 0] == pytest.approx(rank)


def test_planted_connections_are_found_in_their_graph_and_kind_only():
    rng = stream(0, "planted")
    planted, other = random_graph(rng), random_graph(rng)
    strength = rng.random((len(PAIRS), 3))
    strength[:, 1] += 0.12 * planted
    kinds = [reference_of(planted, "planted"), reference_of(other, "other")]
    found = against_references(strength, PAIRS, kinds, rng=rng, n_rewired=199)
    assert found.kind.tolist() == ["planted", "other"]
    assert found.n_edges.tolist() == [(planted > 0).sum(), (other > 0).sum()]
    small = found.auroc_p <= 0.05
    assert small.tolist() == [[False, False], [True, False], [False, False]]
    assert (found.correlation_p <= 0.05).tolist() == small.tolist()
    assert found.auroc[1, 0] > found.auroc_range[1, 1, 0]


def test_strengths_that_follow_the_number_of_connections_are_not_above_rewired_ones():
    rng = stream(0, "hubs")
    p_values = []
    for _ in range(60):
        weight = random_graph(rng)
        many = degrees(weight).astype(float)
        # Strong where both units have many connections: an AUROC well above one half.
        strength = (many[PAIRS[:, 0]] * many[PAIRS[:, 1]])[:, None] * rng.uniform(
            0.8, 1.2, (len(PAIRS), 2)
        )
        found = against_references(strength, PAIRS, [reference_of(weight)], rng=rng, n_rewired=39)
        assert found.auroc.mean() > 0.55
        p_values.append([found.auroc_p.min(), found.correlation_p.min()])
    # The smallest of two graphs' p is at most 0.1 in 10 % of random graphs.
    for column in np.array(p_values).T:
        assert binomtest(int((column <= 0.1).sum()), 60, 0.1).pvalue > 0.01


def test_p_is_the_share_of_draws_whose_largest_is_as_large():
    values = stream(0, "draws").standard_normal((200, 3, 2))
    usable = np.array([True, True])
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    largest = scaled.max(axis=(1, 2))
    expected = np.mean(largest >= scaled[0, 1, 1] - 1e-9)
    assert largest_p(values, usable)[1, 1] == pytest.approx(expected)
    assert np.isnan(largest_p(values, np.array([True, False]))[:, 1]).all()


def test_the_static_graph_is_the_mean_affinity_over_observed_time():
    views, _ = simulate(stream(0, "sim"), size="tiny")
    views[0].valid[30:60, 2] = False
    for affinity in ("geometric", "split_sign"):
        config = ConnectomeConfig(
            rank=2, min_animals=1, animal_norm=False, affinity=affinity, coarse_grain=1
        )
        alignment = align(views, config)
        table = affinity_table(alignment, config)
        mean = table.values.sum(axis=(0, 1)) / table.observed.sum(axis=(0, 1))
        expected = mean.reshape(-1, len(alignment.pairs)).sum(axis=0)
        problem = affinity_problem(alignment, config, threads=1)
        np.testing.assert_allclose(static_strength(problem, alignment), expected, rtol=1e-4)


def edges_in(path):
    return edges_of(read_text_table(path, name=path.name), name=path.name)


def test_a_table_of_connections_becomes_graphs_without_direction(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text(
        "pre,post,weight,kind,source\n"
        "A,B,2,synapse,x\nB,A,3,synapse,x\nA,A,9,synapse,x\nB,C,1,gap,x\nZ,A,4,gap,x\n"
    )
    found = references(edges_in(path), np.array(["A", "B", "C", "D"]))
    assert [one.kind for one in found] == ["gap", "synapse"]
    gap, synapse = (one.weight for one in found)
    assert synapse[0].tolist() == [0, 5, 0, 0]
    assert gap[1].tolist() == [0, 0, 1, 0]
    assert found[0].unit.tolist() == [0, 1, 2]  # D is in no connection: nothing is known of it
    tabs = tmp_path / "edges.tsv"
    tabs.write_text("pre\tpost\tweight\nA\tB\t1\n")
    assert edges_in(tabs)["kind"].tolist() == ["connection"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pre,post\nA,B\n", "no columns weight"),
        ("from,to\nA,B\n", "no columns pre, post, weight"),
        ("pre,post,weight\nA,B,1\nA,C,many\n", "'many' in line 3"),
        ("pre,post,weight\nA,B,-1\n", "'-1' in line 2"),
        ("pre,post,weight\nA,B,nan\n", "'nan' in line 2"),
    ],
)
def test_a_table_that_is_none_is_told_by_the_six_parts(tmp_path, text, reason):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as told:
        edges_in(path)
    assert told.value.code == "CF-K05"
    assert told.value.place == "methods.connectome.edges"


def test_groups_that_were_planted_are_connections_that_components_follow(tmp_path):
    views, truth = simulate(stream(0, "sim"), size="tiny")
    rows = [
        f"{truth.unit[one]},{truth.unit[other]},{1 + one % 3},{kind}"
        for kind, of_kind in (("planted", truth.member), ("other", truth.member[:, ::-1]))
        for group in of_kind
        for one in np.flatnonzero(group)
        for other in np.flatnonzero(group)
        if one < other
    ]
    path = tmp_path / "edges.csv"
    path.write_text("\n".join(["pre,post,weight,kind", *rows]))
    config = ConnectomeConfig(
        rank=4,
        n_restarts=1,
        n_surrogates=0,
        n_partitions=5,
        min_animals=1,
        alignment="absolute",
        baselines=False,
        lead_lag_pairs=0,
        leave_one_out=False,
        edges=str(path),
    )
    part = fit_part(views, config, Part("restart-00"), stream(0, "fit"), provenance=PROVENANCE)
    tables = {name: read_text_table(path, name=name) for name in config.tables()}
    result = combine(
        {part.name: part}, views, config, stream(0, "join"), provenance=PROVENANCE, tables=tables
    )
    names = result.anatomy.kind.tolist()
    assert (result.anatomy.auroc_p[:, names.index("planted")] <= 0.05).any()
    assert (result.anatomy.auroc_p[:, names.index("other")] > 0.05).all()
    checks = assess(result, views, config)
    assert [check.name for check in checks if check.name == "Common clock"]
    drawn = figures(result, views, config)
    assert {figure.id: lacking(figure.caption) for figure in drawn if lacking(figure.caption)} == {}
    found = section(result, checks, drawn, config)
    said = [part for part in found.body if isinstance(part, str) and "known connections" in part]
    assert len(said) == 1
    assert {"anatomy", "anatomy-table"} <= {getattr(part, "id", "") for part in found.body}


@pytest.mark.parametrize(("edges", "tables"), [("", ()), ("celegans", ()), ("a.csv", ("a.csv",))])
def test_a_table_of_the_user_is_an_input_of_the_fit(edges, tables):
    assert ConnectomeConfig(edges=edges).tables() == tables


def test_connections_of_the_worm_come_from_the_package(monkeypatch):
    class Found:
        nodes = ("AVAL", "AVAR", "ASEL")
        connections = {  # noqa: RUF012
            "Generic_CS": np.array([[0, 2, 0], [0, 0, 0], [0, 0, 0]]),
            "Generic_GJ": np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]),
            "Functional": np.array([[0.0, -0.5, 0], [0, 0, 0], [0, 0, 0]]),
        }

    for reader in WORM_KINDS:
        module = types.ModuleType(f"cect.readers.{reader}")
        module.get_instance = Found
        monkeypatch.setitem(sys.modules, f"cect.readers.{reader}", module)
    edges = known_edges("celegans", {})
    assert set(edges["kind"]) == {"chemical synapses", "gap junctions", "functional coupling"}
    found = {one.kind: one for one in references(edges, np.array(["ASEL", "AVAL", "AVAR"]))}
    assert found["chemical synapses"].weight[1].tolist() == [0, 0, 2]
    assert found["functional coupling"].weight[2].tolist() == [0, 0.5, 0]
    assert found["gap junctions"].weight[1].tolist() == [2, 0, 2]
    # A unit without a synapse is known all the same: none of its pairs is connected.
    assert found["chemical synapses"].unit.tolist() == [0, 1, 2]


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cect.readers", None)
    monkeypatch.setitem(sys.modules, "cect.readers.Cook2019HermReader", None)
    with pytest.raises(EnvironmentFault, match=r"neuroptych\[references\]") as told:
        known_edges("celegans", {})
    assert told.value.code == "RN-R17"
