"""Clusters and states in the form in which methods are compared."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from pipeline.methods.biclustering.labels import labels

UNITS = pd.DataFrame(
    {
        "unit_id": ["5", "6", "7"],
        "identity": ["AVAL", "AVAR", ""],
        "identity_certain": [True, False, False],
    }
)
ASSOCIATIONS = pd.DataFrame(
    {
        "what": ["clusters and regions", "states and epochs"],
        "nmi": [0.5, 0.25],
        "p_value": [0.01, np.nan],
        "n_null": [999, 0],
        "testable": [True, False],
        "note": ["", "3 stretches"],
    }
)


def result(n_states=2):
    return SimpleNamespace(
        used=np.array([True, False, True]),
        unit=np.array(["5", "6", "7"]),
        cluster_of_unit=np.array([1, -1, 0]),
        own_probability=np.array([0.9, np.nan, np.nan]),
        n_states=n_states,
        time_bin_s=np.arange(4.0),
        bin_s=1.0,
        state_of_bin=np.array([0, 0, 1, 1]),
        associations=ASSOCIATIONS,
    )


def test_units_that_took_part_have_a_cluster_under_their_name():
    found = labels({"a": result()}, {"a": UNITS})
    (clusters,) = found.units
    assert clusters.unit.tolist() == ["5", "7"]
    assert clusters.item.tolist() == ["AVAL", "a:7"]
    assert clusters.label.tolist() == ["2", "1"]
    assert found.states[0].state.tolist() == [0, 0, 1, 1]
    (epochs,) = found.associations
    assert (epochs.second, epochs.null, np.isnan(epochs.p_value)) == ("epochs", "3 stretches", True)


def test_clusters_of_several_recordings_share_no_names_and_one_state_is_none():
    found = labels({"a": result(), "b": result(n_states=1)}, {"a": UNITS, "b": UNITS})
    assert found.units[0].label.tolist() == ["a:2", "a:1", "b:2", "b:1"]
    assert [one.recording for one in found.states] == ["a"]


def test_without_results_there_are_no_labels():
    assert labels({}, {}).units == ()
