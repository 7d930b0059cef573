"""Planted types are found, with their number, and populations without types are told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.unit_names import UnitNames
from pipeline.core.words import counted
from pipeline.methods.celltypes.algorithm import combine, fit_part
from pipeline.methods.celltypes.config import CelltypesConfig
from pipeline.methods.celltypes.diagnostics import assess
from pipeline.methods.celltypes.evidence import OWN, separation
from pipeline.methods.celltypes.figures import figures
from pipeline.methods.celltypes.model import find_types
from pipeline.methods.celltypes.recovery import recovered
from pipeline.methods.celltypes.section import agreements, section
from pipeline.methods.celltypes.simulate import simulate
from pipeline.numerics.device import device_name, device_of
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.report.wording import doubtful
from tests.support.captions import lacking
from tests.support.key_numbers import unclear
from tests.support.named_units import ids_of, names_shown, two_recordings
from tests.support.planted_units import planted_filters, population_of

RNG = np.random.default_rng
PROVENANCE = Provenance(stage="test", experiment="test", package_version="", code_digest="")


def settings(**changed):
    return CelltypesConfig.model_validate(changed)


def found_types(who, *, n_start, seed=0, **changed):
    n = len(who.points)
    return find_types(
        who, settings(**changed), n_start=n_start, strata=np.zeros(n, dtype=np.int64), rng=RNG(seed)
    )


@pytest.mark.parametrize("n_start", [2, 5, 12])
def test_types_and_their_number_are_found_from_any_number_at_the_start(n_start):
    filters, labels = planted_filters(RNG(n_start), [20, 20, 20])
    found = found_types(population_of(filters), n_start=n_start)
    assert found.clustering.n_clusters == 3
    assert adjusted_rand_index(found.clustering.labels, labels) == 1
    held = found.held_out
    assert 0.1 < held.mean() < 0.3
    assert found.objective.mean() == pytest.approx(np.log(3), abs=0.05)
    assert np.nanmin(found.pair_fraction) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.2, 0.4])
@pytest.mark.parametrize("n_types", [1, 3, 8])
@pytest.mark.parametrize("n_start", [2, 12])
def test_the_number_of_types_over_spreads_within_types(spread, n_types, n_start):
    filters, labels = planted_filters(RNG(10 * n_types + n_start), [20] * n_types, spread=spread)
    found = found_types(population_of(filters), n_start=n_start)
    assert found.clustering.n_clusters == n_types
    assert adjusted_rand_index(found.clustering.labels, labels) == 1


def test_a_small_type_is_found_beside_large_ones():
    filters, labels = planted_filters(RNG(3), [30, 30, 6])
    found = found_types(population_of(filters), n_start=5)
    assert adjusted_rand_index(found.clustering.labels, labels) == 1


def test_on_and_off_units_come_out_as_two_types_from_five_random_clusters():
    rng = RNG(4)
    spot = np.exp(-((np.arange(8) - 3.5)[:, None] ** 2 + (np.arange(8) - 3.5) ** 2) / 4)
    spot /= np.linalg.norm(spot)
    labels = np.repeat([0, 1], [20, 22])
    signs = np.where(labels == 0, 1, -1)[:, None, None]
    filters = signs * spot + 0.02 * rng.standard_normal((42, 8, 8))
    found = found_types(
        population_of(filters, nonlinearity="identity"), n_start=5, loop={"start": "random"}
    )
    assert adjusted_rand_index(found.clustering.labels, labels) == 1
    assert found.objective.mean() == pytest.approx(np.log(2), abs=0.02)


def test_two_labels_of_one_type_are_merged_and_identical_units_are_one():
    filters, _ = planted_filters(RNG(5), [24], spread=0.0)
    found = found_types(population_of(filters), n_start=4, loop={"start": "random"})
    assert found.clustering.n_clusters == 1
    np.testing.assert_array_equal(found.objective, 0)


def test_the_number_of_types_can_be_fixed():
    filters, labels = planted_filters(RNG(6), [15, 15, 15, 15])
    found = found_types(population_of(filters), n_start=4, n_types=4)
    assert adjusted_rand_index(found.clustering.labels, labels) == 1
    assert found.events.empty


def test_a_population_without_types_is_less_separated_than_types():
    filters, _ = planted_filters(RNG(7), [20, 20, 20])
    who = population_of(filters)
    types = found_types(who, n_start=3)
    apart = separation(types.clustering.responses, types.clustering.labels)
    surrogate = who.without_types(RNG(8))
    null = found_types(surrogate, n_start=3)
    assert separation(null.clustering.responses, null.clustering.labels) < 0.5 * apart


def test_surrogates_have_the_mean_and_covariance_of_the_units():
    filters, _ = planted_filters(RNG(9), [40, 40])
    who = population_of(filters)
    stimuli = RNG(0).standard_normal((3, 1, 1, 8, 8)).astype(np.float32)
    true = who.engine.responses(stimuli)
    drawn = np.concatenate(
        [who.without_types(RNG(seed)).engine.responses(stimuli) for seed in range(60)], axis=1
    )
    np.testing.assert_allclose(drawn.mean(axis=1), true.mean(axis=1), atol=0.08)
    np.testing.assert_allclose(np.cov(drawn), np.cov(true), atol=0.12 * np.cov(true).max())


@pytest.fixture(scope="module")
def tiny():
    """A tiny simulated retina through both rounds: view, truth, settings, parts."""
    view, truth = simulate(RNG(0), size="tiny")
    config = settings(n_restarts=2, n_nulls=1, n_permutations=5, loop={"start_clusters": [2, 5]})
    parts = {}
    for parts_of_round in config.rounds():
        earlier = {"earlier": dict(parts)} if parts else {}
        for part in parts_of_round:
            parts[part.name] = fit_part(
                (view,), config, part, RNG(1), provenance=PROVENANCE, **earlier
            )
    return view, truth, config, parts


def test_planted_cells_are_typed_from_frames_and_spikes(tiny):
    view, truth, config, parts = tiny
    result = combine(parts, (view,), config, RNG(2), provenance=PROVENANCE)
    typed = result.typed_unit
    assert typed.size >= 22
    assert adjusted_rand_index(result.type_of_unit[typed], truth.type_of_unit[typed]) == 1
    assert result.agreement > 0.9
    assert (result.verdict == "supported").all()
    assert result.separation > result.null_separation.max() + 0.2
    assert result.model.permutation_observed > result.model.permutation_objective.max()
    assert (result.model.stimuli >= result.model.low.reshape(1, -1, 1, 1, 1) - 1e-6).all()
    assert result.model.typing["accuracy"].iloc[-1] > 0.95
    ends = result.model.descriptors["polarity"].to_numpy()
    on = [truth.type_of_unit[result.type_of_unit == kind][0] != 2 for kind in range(3)]
    np.testing.assert_array_equal(ends > 0, on)
    checks = assess(result, (view,), config, truth=truth)
    assert {check.name: check.status for check in checks}["Planted types found"] == "pass"
    assert recovered(result, truth) == f"3 types (ARI 1.00 of {typed.size} units)"
    drawn = figures(result, (view,), config, truth=truth)
    pairs = next(one for one in drawn if one.id == "confusion").panels[1]
    np.testing.assert_array_equal(np.isnan(pairs.values), np.eye(len(pairs.values), dtype=bool))
    assert pairs.missing_title == "same type"
    assert {"stimuli", "traces", "confusion", "stability", "baselines", "typing", "mosaic"} <= {
        figure.id for figure in drawn
    }
    assert {figure.id: lacking(figure.caption) for figure in drawn if lacking(figure.caption)} == {}
    captions = {figure.id: figure.caption for figure in drawn}
    assert "agreement" not in captions["number-of-types"]
    assert "above it, those of too few units" in captions["number-of-types"]
    assert "'Training answers'" in captions["baselines"]
    told = section(result, checks, drawn, config)
    assert told.sentence.startswith("3 types of ")
    assert unclear(told) == []
    again = agreements(result)
    assert again.mean() == pytest.approx(result.agreement)
    assert f"through {counted(again.size, 'other model')} they agree" in told.sentence
    seen = result.units["validation_correlation"].dropna()
    assert f"correlate with the answers by {seen.median():.2f}" in told.further
    assert f"middle half {seen.quantile(0.25):.2f} to {seen.quantile(0.75):.2f})" in told.further
    (pooled,) = [check for check in checks if check.name == "Types are not recordings"]
    assert (pooled.status, pooled.confound) == ("not_tested", True)
    assert pooled in [check for _, check in doubtful(checks)]
    ids = ids_of(len(result.units))
    named = dataclasses.replace(result, units=result.units.assign(unit=pd.Series(ids, dtype="str")))
    names = UnitNames.of(two_recordings(view.recording, ids.size))
    drawn = figures(named, (view,), config, truth=truth, names=names)
    shown = names_shown((*drawn, *section(named, checks, drawn, config, names=names).body))
    with_a_field = (named.type_of_unit >= 0) & named.units["field_x"].notna()
    assert shown == {names.called(view.recording, unit) for unit in ids[with_a_field]}


def test_the_same_cells_are_typed_by_what_was_shown_again(tiny):
    view, truth, _, _ = tiny
    config = settings(mode="discrete", n_nulls=2, discrete={"n_restarts": 20, "max_types": 6})
    model = fit_part((view,), config, Part("model-0"), RNG(0), provenance=PROVENANCE)
    assert model.fit is None
    nothing = fit_part(
        (view,),
        config,
        Part("restart-00"),
        RNG(0),
        provenance=PROVENANCE,
        earlier={"model-0": model},
    )
    assert nothing.status == "no_model"
    result = combine({"model-0": model}, (view,), config, RNG(1), provenance=PROVENANCE)
    assert result.mode == "discrete"
    assert adjusted_rand_index(result.type_of_unit, truth.type_of_unit) > 0.8
    assert result.agreement > 0.8
    checks = assess(result, (view,), config, truth=truth)
    told = section(result, checks, figures(result, (view,), config, truth=truth), config)
    assert "not in the paper" in told.body[0]


def test_parts_computed_by_torch_say_where(tiny):
    view, _, config, parts = tiny
    where = device_name(device_of(config.device, setting=""))
    computed = {part.provenance.device for part in parts.values() if part.status == "ok"}
    assert computed == {where}
    result = combine(parts, (view,), config, RNG(2), provenance=PROVENANCE)
    assert result.provenance.device == where
    shown = settings(mode="discrete")
    without = fit_part((view,), shown, Part("model-0"), RNG(0), provenance=PROVENANCE)
    assert without.provenance.device == "cpu"


def judged(parts, view, config, **changed):
    """Checks by name of the tiny retina's types with some of the result changed."""
    result = combine(parts, (view,), config, RNG(1), provenance=PROVENANCE)
    changed = {name: change(getattr(result, name)) for name, change in changed.items()}
    checks = assess(dataclasses.replace(result, **changed), (view,), config)
    return {check.name: check for check in checks}


def test_answers_that_no_unit_was_seen_to_give_are_doubted(tiny):
    view, _, config, parts = tiny
    name = "Predicted answers are such as were seen"
    weak = judged(parts, view, config, response_confusion=lambda means: 0 * means + 3.0)
    assert weak[name].status == "pass"
    strong = judged(parts, view, config, response_confusion=lambda means: 0 * means + 120.0)
    assert strong[name].status == "warn"
    assert "120 SD" in strong[name].value


def test_a_clustering_that_is_as_good_is_no_pass(tiny):
    view, _, config, parts = tiny

    def beside(own, other):
        def change(table):
            table = table.assign(ari_labels=np.nan, ari_independent=other)
            table.loc[table["baseline"] == OWN, "ari_independent"] = own
            return table

        return judged(parts, view, config, baselines=change)["Better than other clusterings"]

    worse = beside(0.57, 1.0)
    assert worse.status == "warn"
    assert "As a partition take" in worse.advice
    assert beside(0.9, 0.6).status == "pass"


def test_a_model_that_predicts_nothing_ends_without_types(tiny):
    view, truth, _, _ = tiny
    noise = RNG(3).poisson(0.5, view.responses.shape).astype(np.float32)
    blind = dataclasses.replace(view, responses=noise)
    config = settings(
        n_models=1, n_restarts=1, n_nulls=0, encoding={"max_epochs": 3}, least_correlation=0.3
    )
    model = fit_part((blind,), config, Part("model-0"), RNG(0), provenance=PROVENANCE)
    assert model.status == "model_not_predictive"
    result = combine({"model-0": model}, (blind,), config, RNG(1), provenance=PROVENANCE)
    assert result.status == "model_not_predictive"
    assert result.n_types == 0
    assert (result.type_of_unit == -1).all()
    checks = assess(result, (blind,), config, truth=truth)
    assert checks[0].status == "fail"
    told = section(result, checks, figures(result, (blind,), config, truth=truth), config)
    assert "does not predict" in told.sentence
