"""What must not depend on names and orders of units, clusters, states and chains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.rng import stream
from pipeline.methods.biclustering.agreement import agreement_matrix, convergence_table, invariants
from pipeline.methods.biclustering.associations import answer, questions
from pipeline.methods.biclustering.identify import kept_draws, trajectories
from pipeline.methods.biclustering.matching import counterparts, membership
from pipeline.methods.biclustering.problem import problem_of
from pipeline.methods.biclustering.simulate import simulate
from pipeline.methods.biclustering.verdict import chains_agree, odd_chains
from tests.support.small_biclusters import config_of, drawn


@pytest.fixture(scope="module")
def planted():
    return simulate(stream(0, "invariance"), size="tiny")


def test_counterparts_are_the_best_one_to_one_match():
    point, drawn_labels = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 5, 2, 2, 2, 2])
    np.testing.assert_array_equal(counterparts(point, drawn_labels), [5, 2, -1])
    shares = membership(point, np.stack([drawn_labels, point]))
    np.testing.assert_allclose(shares[2], [0.5, 0.5, 0.0])


def test_trajectories_do_not_depend_on_labels_or_bases_of_draws(planted):
    _, truth = planted
    used = np.ones(18, dtype=bool)
    units = truth.cluster_of_unit
    found = []
    for seed in range(2):
        draws = drawn(truth, used, stream(seed, "bases"))
        draws = dataclasses.replace(draws, log_joint=np.arange(40.0))
        found.append(trajectories(kept_draws([draws], units, truth.state_of_bin, most=8), units))
    np.testing.assert_allclose(found[0].mean, found[1].mean, atol=2e-3)
    np.testing.assert_allclose(found[0].low, found[0].high, atol=2e-3)


def test_quantities_of_chains_do_not_depend_on_labels(planted):
    _, truth = planted
    used = np.ones(18, dtype=bool)
    draws = drawn(truth, used, stream(0, "labels"), wrong=0.1)
    rng = stream(1, "renamed")
    renamed = dataclasses.replace(
        draws,
        cluster=np.stack([rng.permutation(3)[row] for row in draws.cluster]).astype(np.int16),
        state=np.stack([rng.permutation(2)[row] for row in draws.state]).astype(np.int16),
    )
    first, again = (invariants([one], truth.cluster_of_unit) for one in (draws, renamed))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)
    table = convergence_table(first).set_index("quantity")
    assert np.isnan(table.loc["number of clusters", "r_hat"])


def test_agreement_of_chains_is_that_with_the_one_most_others_resemble():
    same = np.repeat([0, 1, 2], 6)
    other = np.tile([0, 1, 2], 6)
    matrix = agreement_matrix(np.stack([same, other, (same + 1) % 3, same]))
    assert chains_agree(matrix) == matrix[0, 1]
    assert odd_chains(matrix) == [1]
    assert np.isnan(chains_agree(np.ones((1, 1))))


def with_epochs(view, labels, *, length_s):
    start = length_s * np.arange(len(labels), dtype=float)
    epochs = pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + length_s,
            "label": pd.Series(list(labels), dtype="str"),
        }
    )
    return dataclasses.replace(view, epochs=epochs)


def asked(view, truth, states):
    return {
        question.what: answer(question, n_null=199, rng=stream(0, "null"))
        for question in questions(
            view,
            np.ones(18, dtype=bool),
            clusters=truth.cluster_of_unit,
            drawn_clusters=truth.cluster_of_unit[None],
            states=states,
            drawn_states=states[None],
        )
    }


def test_states_that_follow_epochs_are_told_from_states_that_merely_last_long(planted):
    view, truth = planted
    view = with_epochs(view, "abababababab", length_s=10.0)
    follow = np.repeat(np.arange(12) % 2, 20)
    rng = stream(0, "visits")
    drift = np.repeat(np.arange(12) % 2, rng.multinomial(240 - 60, np.full(12, 1 / 12)) + 5)
    found = asked(view, truth, follow)["states and epochs"]
    assert found["testable"]
    assert found["nmi"] == pytest.approx(1)
    assert found["p_value"] < 0.06  # shifts by whole periods agree as well
    assert asked(view, truth, drift)["states and epochs"]["p_value"] > 0.05


def test_one_block_between_two_others_is_not_tested(planted):
    view, truth = planted
    view = with_epochs(view, "aba", length_s=40.0)
    found = asked(view, truth, np.repeat([0, 1, 0], 80))["states and epochs"]
    assert not found["testable"]
    assert found["n_null"] == 0
    assert "cannot be told from slow change" in found["note"]


def test_regions_are_compared_with_shuffles(planted):
    view, truth = planted
    region = np.array(["r0", "r1", "r2"])[truth.cluster_of_unit]
    view = dataclasses.replace(view, region=region)
    found = asked(view, truth, truth.state_of_bin)["clusters and regions"]
    assert (found["ari"], found["p_value"]) == (1.0, 1 / 200)


def test_order_of_units_does_not_matter_to_what_is_sampled(planted):
    view, _ = planted
    order = stream(0, "order").permutation(18)
    turned = dataclasses.replace(
        view,
        counts=view.counts[:, order],
        observed=view.observed[:, order],
        exposure_s=view.exposure_s[:, order],
        unit=view.unit[order],
        region=view.region[order],
    )
    first, again = problem_of(view, config_of()), problem_of(turned, config_of())
    np.testing.assert_array_equal(first.data.counts[:, order], again.data.counts)
