"""What is made of draws that scatter around planted clusters and states, and one short true fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.core.unit_names import UnitNames
from pipeline.io.documents import read_document, write_document
from pipeline.io.records import read_record, write_record
from pipeline.methods.biclustering.algorithm import combine
from pipeline.methods.biclustering.diagnostics import assess
from pipeline.methods.biclustering.figures import figures
from pipeline.methods.biclustering.holdout import hidden_entries, predicted
from pipeline.methods.biclustering.problem import problem_of
from pipeline.methods.biclustering.recovery import recovered, recovery
from pipeline.methods.biclustering.replicas import replicate
from pipeline.methods.biclustering.result import PartResult, Result
from pipeline.methods.biclustering.scores import NAMES
from pipeline.methods.biclustering.section import section
from pipeline.methods.biclustering.simulate import simulate
from pipeline.methods.biclustering.verdict import clusters_verdict, gain_over
from tests.support.captions import lacking
from tests.support.key_numbers import unclear
from tests.support.named_units import ids_of, names_shown, two_recordings
from tests.support.small_biclusters import PROVENANCE, config_of, drawn


def part_of(name, *, draws=None, replicas=None, found=None):
    return PartResult(
        name=name, draws=draws, replicas=replicas, predicted=found, provenance=PROVENANCE
    )


def worse(found, by):
    """Predictions that are less likely by some nats a count."""
    return dataclasses.replace(found, log_probability=found.log_probability - by)


@pytest.fixture(scope="module")
def planted():
    return simulate(stream(0, "bicluster test"), size="tiny")


@pytest.fixture(scope="module")
def parts(planted):
    view, truth = planted
    config = config_of()
    problem = problem_of(view, config)
    made = {}
    for index in range(3):
        rng = stream(1, "draws", index)
        draws = drawn(truth, problem.used, rng, wrong=0.03)
        made[f"chain-{index:02d}"] = part_of(
            f"chain-{index:02d}", draws=draws, replicas=replicate(draws, problem.data, rng)
        )
    exact = drawn(truth, problem.used, stream(2, "exact"))
    for mask in ("speckled", "blocked"):
        hidden = hidden_entries(view, config, mask)
        found = predicted(exact, problem.data, hidden[:, problem.used])
        for variant, by in {
            "model": 0.0, "other-counts": 0.001, "one-cluster": 0.2, "one-state": 0.05
        }.items():  # fmt: skip
            name = f"{mask}-{variant}"
            made[name] = part_of(name, found=worse(found, by))
    return made


@pytest.fixture(scope="module")
def result(planted, parts):
    view, _ = planted
    return combine(parts, (view,), config_of(), stream(3, "combine"), provenance=PROVENANCE)


def test_planted_clusters_and_states_are_found_in_draws_with_any_labels(planted, result):
    seen = recovery(result, planted[1])
    assert (seen.unit_agreement, result.n_clusters) == (1.0, 3)
    assert (seen.state_accuracy, result.n_states) == (1.0, 2)
    assert recovered(result, planted[1]) == (
        f"3 clusters (ARI 1.00 of {result.used.sum()} units) and 2 states (100 % of bins right)"
    )
    assert result.chain_agreement.min() == 1
    own = result.cluster_probability[np.arange(18), result.cluster_of_unit]
    assert own.min() > 0.9
    assert result.state_probability.max(axis=1).min() > 0.85


def test_trajectories_are_those_planted_whatever_the_basis_of_a_draw(planted, result):
    _, truth = planted
    found = result.trajectories
    for cluster in range(3):
        units = np.flatnonzero(result.cluster_of_unit == cluster)
        course = truth.trajectory[:, truth.cluster_of_unit[units[0]]]
        loading = truth.loading[units]
        common = course[:, 0] + course[:, 1:] @ loading.mean(axis=0)
        # Draws have a few wrong members, so that their means differ a little.
        correlation = np.corrcoef(common, found.mean[:, cluster, 0])[0, 1]
        assert correlation > 0.98
        around = course[:, 1:] @ (loading - loading.mean(axis=0)).T
        again = found.mean[:, cluster, 1:].astype(float)
        fitted = again @ np.linalg.lstsq(again, around - around.mean(axis=0), rcond=None)[0]
        left = np.var(around - around.mean(axis=0) - fitted) / np.var(around)
        assert left < 0.05
        assert np.all(found.low[:, cluster] <= found.high[:, cluster])


def test_dynamics_are_those_planted(planted, result):
    _, truth = planted
    state = {int(s): int(truth.state_of_bin[result.state_of_bin == s][0]) for s in (0, 1)}
    for _, row in result.dynamics.iterrows():
        unit = np.flatnonzero(result.cluster_of_unit == row["cluster"])[0]
        planted_matrix = truth.dynamics[state[int(row["state"])], truth.cluster_of_unit[unit]]
        values = np.linalg.eigvals(planted_matrix)
        assert row["radius"] == pytest.approx(np.abs(values).max(), rel=1e-3)
        turn = np.abs(np.angle(values)).max()
        expected = 2 * np.pi / turn * 0.5 if turn > 1e-6 else np.inf
        assert row["period_s"] == pytest.approx(expected, rel=1e-2)


def test_a_report_of_a_found_structure_says_that_clusters_are_supported(planted, result, tmp_path):
    view, truth = planted
    config = config_of()
    assert clusters_verdict(result) == "supported"
    checks = assess({"r": result}, (view,), config, truth)
    by_name = {check.name: check for check in checks}
    assert by_name["Clusters predict hidden counts"].status == "pass"
    assert by_name["Planted clusters found"].status == "pass"
    shown = figures({"r": result}, (view,), config, truth)
    assert len({figure.id for figure in shown}) == len(shown)
    for figure in shown:
        assert isinstance(figure, Figure)
        assert min(map(len, (figure.finding, figure.alt))) > 20
        assert lacking(figure.caption) == [], figure.id
        assert "nan" not in figure.finding
    captions = {figure.id: figure.caption for figure in shown}
    assert "Blocked: stretches of some units" in captions["scores"]
    speckled = dataclasses.replace(
        result,
        scores=result.scores[result.scores["mask"] == "speckled"],
        n_hidden=result.n_hidden[result.n_hidden["mask"] == "speckled"],
    )
    (scores,) = (one for one in figures({"r": speckled}, (view,), config) if one.id == "scores")
    assert "locked" not in scores.caption
    written = section({"r": result}, checks, shown, config)
    assert written.sentence.startswith("The 3 clusters of 18 units are supported")
    assert unclear(written) == []
    each = ", ".join(str(one.max() + 1) for one in result.chain_cluster)
    assert f"; clusters by chain: {each}); 2 states of the population are " in written.sentence
    assert "bits a spike over its smoothed rate" in written.further
    write_document(tmp_path / "section.json", written)
    assert read_document(tmp_path / "section.json", type(written)).numbers["n_clusters"] == 3


def test_regions_are_described_and_tested_among_the_agreements_alone(planted, result):
    view, _ = planted
    row = {"what": "clusters and regions", "labels": 2, "ari": 0.12, "ari_low": 0.1}
    row |= {"ari_high": 0.16, "nmi": 0.2231, "null_nmi": 0.05, "null_high": 0.1, "p_value": 0.001}
    rows = pd.DataFrame([{**row, "n_null": 999, "testable": True, "note": ""}])
    others = result.associations[result.associations["what"] != row["what"]]
    associations = pd.concat([rows, others], ignore_index=True)
    region = np.where(np.arange(result.unit.size) % 2, "VISp", "CA1")
    found = dataclasses.replace(result, associations=associations, region=region)
    drawn = figures({"r": found}, (view,), config_of())
    written = section({"r": found}, assess({"r": found}, (view,), config_of()), drawn, config_of())
    (figure,) = (one for one in drawn if one.id == "regions")
    pointer = "whether that is more than chance is asked under 'Agreement between methods'"
    assert "0.12 (0.10 to 0.16 over draws)" in figure.finding
    assert pointer in figure.finding
    words = " ".join(part for part in written.body if isinstance(part, str))
    assert pointer in words
    for text in (figure.finding, words):
        assert "0.001" not in text
        assert "999" not in text
    assert written.numbers["clusters_and_regions_ari"] == 0.12
    assert "clusters_and_regions_p_value" not in written.numbers


def test_chains_that_disagree_are_told(planted, parts):
    view, truth = planted
    config = config_of()
    problem = problem_of(view, config)
    other = dataclasses.replace(truth, cluster_of_unit=np.roll(truth.cluster_of_unit, 1))
    draws = drawn(other, problem.used, stream(4, "other"))
    changed = {
        **parts,
        "chain-02": part_of("chain-02", draws=draws, replicas=parts["chain-02"].replicas),
    }
    result = combine(changed, (view,), config, stream(3, "c"), provenance=PROVENANCE)
    assert clusters_verdict(result) == "unsettled"
    checks = {check.name: check for check in assess({"r": result}, (view,), config)}
    assert checks["Agreement of chains"].status == "warn"
    assert "Chains 3 differ" in checks["Agreement of chains"].meaning
    assert checks["Convergence"].status == "fail"


def test_a_number_of_clusters_that_never_moves_is_told_in_words(planted, parts):
    view, _ = planted
    config = config_of()
    table = pd.DataFrame({"quantity": ["number of clusters"], "r_hat": [np.inf]})
    result = combine(parts, (view,), config, stream(3, "c"), provenance=PROVENANCE)
    stuck = dataclasses.replace(
        result, convergence=result.convergence.iloc[:1].assign(**table.iloc[0], ess_bulk=3.0)
    )
    check = next(one for one in assess({"r": stuck}, (view,), config) if one.name == "Convergence")
    assert check.status == "fail"
    assert check.value.startswith("the number of clusters never moved within a chain, and differs")


def test_clusters_that_do_not_predict_are_not_called_supported(planted, parts):
    view, _ = planted
    changed = {
        name: part_of(name, found=worse(part.predicted, -0.3))
        if name.endswith("one-cluster")
        else part
        for name, part in parts.items()
    }
    result = combine(changed, (view,), config_of(), stream(3, "c"), provenance=PROVENANCE)
    assert clusters_verdict(result) == "not better"
    checks = {check.name: check for check in assess({"r": result}, (view,), config_of())}
    assert checks["Clusters predict hidden counts"].status == "warn"


def test_without_hidden_counts_and_with_one_chain_there_is_no_verdict(planted, parts):
    view, _ = planted
    config = config_of(n_chains=1, held_out="none")
    only = {"chain-00": parts["chain-00"]}
    result = combine(only, (view,), config, stream(3, "c"), provenance=PROVENANCE)
    assert clusters_verdict(result) == "untested"
    checks = assess({"r": result}, (view,), config)
    untested = {check.name for check in checks if check.status == "not_tested"}
    assert {"Clusters predict hidden counts", "Agreement of chains", "Convergence"} <= untested
    shown = figures({"r": result}, (view,), config)
    assert (
        "nothing tested whether they are more than one"
        in section({"r": result}, checks, shown, config).sentence
    )


def test_several_recordings_have_their_own_figures_and_one_sentence(planted, result):
    view, _ = planted
    results, views, config = {"a": result, "b": result}, (view, view), config_of()
    shown = figures(results, views, config)
    assert len({figure.id for figure in shown}) == len(shown)
    by_id = {figure.id: figure for figure in shown}
    for kind, labels in (
        ("overview", "y_labels"),
        ("together", "x_labels"),
        ("replicas", "labels"),
    ):
        for name in results:
            panel = by_id[f"{kind}-{name}"].panels[0]
            assert {label.partition(":")[0] for label in getattr(panel, labels)} == {name}
    written = section(results, assess(results, views, config), shown, config)
    assert "supported in 2 of 2 recordings" in written.sentence
    clusters, states = (
        gain_over(result, NAMES[name]).said() for name in ("one-cluster", "one-state")
    )
    alike = "over one; chains agree to 1.00, adjusted Rand index)"
    each = f"3 clusters ({clusters} {alike} and 2 states ({states} {alike}"
    bits = gain_over(result, NAMES["one-cluster"]).bits
    assert f"one cluster ({bits:.3f} to {bits:.3f} bits a spike" in written.sentence
    assert unclear(written) == []
    assert written.further == f"a: {each}; b: {each}."
    assert {check.name.partition(":")[0] for check in written.checks} == {"a", "b"}


def test_units_of_the_only_recording_taken_are_called_as_in_the_data(planted, result):
    view, _ = planted
    units = two_recordings("r", result.unit.size)
    named = dataclasses.replace(result, unit=ids_of(result.unit.size))
    names = UnitNames.of(units)
    drawn = figures({"r": named}, (view,), config_of(), names=names)
    shown = names_shown((*drawn, *section({"r": named}, (), drawn, config_of(), names=names).body))
    assert shown == {names.called("r", unit) for unit in named.unit[named.used]}


def test_the_stored_result_opens_in_arviz(planted, result, tmp_path):
    import arviz

    write_record(tmp_path / "fit.h5", result)
    assert read_record(tmp_path / "fit.h5", Result).n_clusters == 3
    data = arviz.from_netcdf(tmp_path / "fit.h5", engine="h5netcdf")
    assert data.posterior["n_clusters"].dims == ("chain", "draw")
    assert dict(data.posterior.sizes)["chain"] == 3
    np.testing.assert_array_equal(data.sample_stats["log_joint"], result.sample_stats.log_joint)
    table = arviz.summary(data, var_names=["stickiness"])
    assert np.isfinite(table["r_hat"]).all()


def test_parts_survive_their_files(parts, tmp_path):
    for name in ("chain-00", "speckled-model"):
        write_record(tmp_path / "p.h5", parts[name])
        again = read_record(tmp_path / "p.h5", PartResult)
        assert again.name == name
    assert again.predicted is not None
    assert again.draws is None


def test_behaviour_that_units_follow_is_told(planted, result):
    view, _ = planted
    config = config_of(behaviour=["running"])
    assert not len(result.gains)
    gains = pd.DataFrame(
        {
            "covariate": pd.Series(["running"] * 3, dtype="str"),
            "unit": pd.Series(["u00", "u01", "u02"], dtype="str"),
            "mean": [0.4, -0.2, 0.1],
            "low": [0.2, -0.3, -0.1],
            "high": [0.6, -0.1, 0.3],
        }
    )
    results = {"r": dataclasses.replace(result, gains=gains)}
    written = section(results, assess(results, (view,), config), (), config)
    (table,) = [part for part in written.body if isinstance(part, Table) and part.id == "gains"]
    assert [table.columns[name][0] for name in list(table.columns)[:4]] == ["running", 1, 1, 0.1]
    assert "Each unit followed running with a gain of its own" in written.body[0]
    assert "Of behaviour running is in the model" in written.body[-1]
    plain = section({"r": result}, (), (), config_of())
    assert "behaviour are not in the model" in plain.body[-1]
    assert "gain" not in plain.body[0]
