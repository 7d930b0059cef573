"""From views to sessions on the conditions they share."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.simulate import simulate


@pytest.fixture(scope="module")
def views():
    return simulate(stream(0, "model"), size="subjects")[0]


def renamed(view, names):
    labels = view.condition.copy()
    for old, new in names.items():
        labels[labels == old] = new
    labels = labels.astype("U20")
    for old, new in names.items():
        labels[view.condition == old] = new
    return dataclasses.replace(
        view, condition=labels, properties=view.properties.assign(condition=labels)
    )


def test_complete_sessions_are_taken_as_they_are(views):
    sample = sample_of(views, TrsaConfig())
    assert sample.n_conditions == 8
    assert len(sample.populations()) == 15
    for view, session in zip(views, sample.sessions, strict=True):
        np.testing.assert_array_equal(session.responses, view.responses)
        np.testing.assert_array_equal(session.condition, view.condition_of_trial)
    assert len(sample.left_out) == 0


def test_conditions_that_not_all_have_are_left_out_and_listed(views):
    changed = (renamed(views[0], {"0 deg": "other"}), *views[1:])
    sample = sample_of(changed, TrsaConfig())
    assert sample.n_conditions == 7
    assert "0 deg" not in sample.condition
    session = sample.sessions[1]
    kept = views[1].condition_of_trial != list(views[1].condition).index("0 deg")
    np.testing.assert_array_equal(session.responses, views[1].responses[kept])
    names = sample.condition[session.condition]
    np.testing.assert_array_equal(
        names, views[1].condition[views[1].condition_of_trial[kept]].astype(names.dtype)
    )
    assert sample.left_out["count"].tolist() == [1] * 5
    with pytest.raises(ValueError, match="0 deg, other are not in all recordings"):
        sample_of(changed, TrsaConfig(conditions="strict"))


def test_labels_that_differ_in_case_and_blanks_are_named(views):
    changed = (renamed(views[0], {"0 deg": "0 Deg "}), *views[1:])
    with pytest.raises(ValueError, match=r"in case and blanks only: 0 Deg  / 0 deg; spell"):
        sample_of(changed, TrsaConfig())


def test_too_few_shared_conditions_are_refused_with_their_numbers(views):
    other = renamed(views[0], {f"{angle} deg": f"x{angle}" for angle in range(0, 270, 45)})
    with pytest.raises(NotApplicable, match="2 conditions are shared"):
        sample_of((other, *views[1:]), TrsaConfig())


def test_a_missing_entry_becomes_the_mean_of_its_condition(views):
    view = views[0]
    valid, values = view.valid.copy(), view.responses.copy()
    trials = np.flatnonzero(view.condition_of_trial == 3)
    valid[trials[0], 5], values[trials[0], 5] = False, 0
    sample = sample_of((dataclasses.replace(view, valid=valid, responses=values),), TrsaConfig())
    session = sample.sessions[0]
    others = view.responses[trials[1:], 5].mean()
    np.testing.assert_allclose(session.responses[trials[0], 5], others, rtol=1e-6)
    np.testing.assert_allclose(session.responses[trials, 5].mean(), others, rtol=1e-6)


def test_units_without_noise_or_without_a_condition_are_left_out(views):
    view = views[0]
    valid, values = view.valid.copy(), view.responses.copy()
    valid[view.condition_of_trial == 2, 0] = False
    values[:, 1] = view.condition_of_trial
    sample = sample_of((dataclasses.replace(view, valid=valid, responses=values),), TrsaConfig())
    assert sample.sessions[0].unit.tolist() == view.unit[2:].tolist()
    assert sample.left_out["reason"].tolist() == [
        "missing in all trials of a condition",
        "no variation within conditions",
    ]


def test_small_regions_are_left_out_and_without_any_there_is_no_sample(views):
    sample = sample_of(views[:1], TrsaConfig(min_units=20))
    assert sample.sessions[0].regions == ("VISp", "VISl", "CA1")
    with pytest.raises(NotApplicable, match="No region has 21 usable units"):
        sample_of(views[:1], TrsaConfig(min_units=21))
