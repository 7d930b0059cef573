"""Simulated worms through the whole method, and the parts of its report."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome import SPEC
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.figures import figures
from pipeline.methods.connectome.recovery import recovery
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.surrogates import compare, supported_components

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(rank=4, n_restarts=4, n_surrogates=19, max_iterations=100)


def fitted(views, config=CONFIG, *, seed=0):
    parts = {
        part.name: fit_part(
            views, config, part, stream(seed, "part", part.name), provenance=PROVENANCE
        )
        for part in config.plan()
    }
    return combine(parts, views, config, stream(seed, "combine"), provenance=PROVENANCE)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(0, "sim"), size="tiny")


@pytest.fixture(scope="module")
def result(worms):
    return fitted(worms[0])


def few(**changes) -> ConnectomeConfig:
    return ConnectomeConfig.model_validate(
        {**CONFIG.model_dump(), "n_restarts": 1, "n_surrogates": 0, **changes}
    )


def test_planted_groups_and_their_epochs_are_found(worms, result):
    seen = recovery(result, worms[1], CONFIG)
    assert seen.group_f1.mean() >= 0.85
    assert np.nanmean(seen.label_ari) >= 0.95
    # The component that fits a group best is strongest in the epochs of the group's label.
    best = seen.match.argmax(axis=0)
    np.testing.assert_array_equal(seen.component_label[best], worms[1].group_label)


def test_an_animal_that_does_not_answer_a_label_has_little_of_its_components(worms, result):
    seen = recovery(result, worms[1], CONFIG)
    silent, label = np.argwhere(~worms[1].participation)[0]
    components = np.unique(seen.match.argmax(axis=0)[worms[1].group_label == label])
    assert (result.component_recording[components, silent] < 0.15).all()


def test_planted_structure_stands_out_from_surrogates(result):
    found = compare(result)
    for name in ("explained", "gain", "reproducibility", "concentration"):
        assert found[name].p_value == pytest.approx(0.05), name
    assert supported_components(result).sum() >= 2


@pytest.mark.slow
def test_independent_units_do_not_stand_out_from_surrogates(worms):
    rng = stream(0, "independent")
    views = tuple(
        dataclasses.replace(
            view,
            values=np.stack([np.roll(unit, rng.integers(60, 200)) for unit in view.values.T], 1),
            valid=np.stack([np.roll(unit, rng.integers(60, 200)) for unit in view.valid.T], 1),
        )
        for view in worms[0]
    )
    found = compare(fitted(views, few(n_restarts=3, n_surrogates=19, max_iterations=60)))
    assert found["explained"].p_value > 0.05
    assert found["reproducibility"].p_value > 0.05


def test_factors_explain_what_the_result_says(result):
    assert result.alignment == "by_epoch"
    assert 0 < result.static_explained < result.explained < 1
    np.testing.assert_allclose(result.component_recording.sum(axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(result.component_time, axis=0), 1)
    assert result.restart_similarity[result.restart == result.best_restart] == pytest.approx(1)


def test_the_same_stream_gives_the_same_part(worms):
    config, part = few(max_iterations=20), Part("restart-00")
    one, other = (
        fit_part(worms[0], config, part, stream(0, "same"), provenance=PROVENANCE) for _ in range(2)
    )
    np.testing.assert_array_equal(one.component_pair, other.component_pair)
    np.testing.assert_array_equal(one.n_communities, other.n_communities)
    assert one.concentration.tolist() == other.concentration.tolist()


def test_one_recording_is_told_to_be_ambiguous(worms):
    config = few(n_restarts=2, max_iterations=40)
    result = fitted(worms[0][:1], config)
    assert result.alignment == "concatenate"
    np.testing.assert_allclose(result.component_recording, 1)
    checks = {check.name: check for check in assess(result, worms[0][:1], config)}
    assert checks["Rotation ambiguity"].status == "warn"
    assert checks["Reproducibility above chance"].status == "not_tested"


def test_checks_of_a_good_fit_pass(worms, result):
    checks = {check.name: check for check in assess(result, worms[0], CONFIG, truth=worms[1])}
    for name in (
        "Reproducibility above chance",
        "Shared activity above chance",
        "Communities above chance",
        "Gain over a static graph",
        "Planted groups found",
        "Planted communities separated",
    ):
        assert checks[name].status == "pass", checks[name]
    assert "Rotation ambiguity" not in checks
    assert all(check.meaning and check.value for check in checks.values())


def test_every_figure_has_its_words_and_stays_small(worms, result):
    found = figures(result, worms[0], CONFIG, truth=worms[1])
    assert [figure.id for figure in found] == [
        "components",
        "surrogates",
        "network",
        "restarts",
        "truth",
    ]
    for figure in found:
        assert figure.finding
        assert figure.alt
        assert "Good" in figure.caption
        assert "Bad" in figure.caption


def test_the_section_names_what_was_left_out_and_keeps_its_numbers(worms, result):
    checks = assess(result, worms[0], CONFIG)
    written = section(result, checks, figures(result, worms[0], CONFIG), CONFIG)
    assert written.id == SPEC.name
    assert f"{result.unit.size} units" in written.sentence
    assert written.numbers["reproducibility_p"] == pytest.approx(0.05)
    words = " ".join(part for part in written.body if isinstance(part, str))
    assert "Not part of this version" in words
    assert "use 199 or more for a claim" in words


def test_parts_are_named_by_the_settings():
    names = [part.name for part in few(n_restarts=2, n_surrogates=1).plan()]
    assert names == ["restart-00", "restart-01", "surrogate-00"]


def test_simulated_animals_differ_in_neurons_and_order(worms):
    views, truth = worms
    assert len({tuple(view.epochs["label"]) for view in views}) > 1
    assert len({tuple(sorted(view.identity)) for view in views}) > 1
    assert all((view.identity == "").sum() == 4 for view in views)
    assert all((~view.valid).any() for view in views)
    assert (truth.sign[truth.member] != 0).all()
