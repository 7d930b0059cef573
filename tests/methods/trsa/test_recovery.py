"""Planted geometries are found, and only where they were planted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.methods.trsa.algorithm import draws_of
from pipeline.methods.trsa.recovery import recovered, recovery
from pipeline.methods.trsa.simulate import simulate
from tests.support.trsa_fits import CONFIG, fitted, parts_of


@pytest.fixture(scope="module")
def one():
    views, truth = simulate(stream(3, "one"))
    return fitted(views), truth


@pytest.fixture(scope="module")
def several():
    views, truth = simulate(stream(3, "several"), size="subjects")
    return fitted(views), truth


def test_regions_of_one_recording_are_told_apart(one):
    result, truth = one
    assert min(recovery(result, truth).values()) > 0.6
    halves = result.halves
    assert halves.separation_p[0] <= 0.05
    assert halves.p_corrected.min() <= 0.05
    assert halves.all_chance.mean() == pytest.approx(1 / 3, abs=0.05)
    assert result.subjects is None
    assert result.subjects_missing == "one subject"


def test_what_was_found_of_the_planted_geometries_is_told(one):
    result, truth = one
    told = recovered(result, truth)
    values = [f"{region} {value:.2f}" for (_, region), value in recovery(result, truth).items()]
    assert told == f"rank correlations with the planted dissimilarities of {', '.join(values)}"
    assert [value.split()[0] for value in values] == ["VISp", "VISl"]


def test_only_regions_that_answer_are_reliable(one):
    table = one[0].populations.set_index("region")
    assert (table.loc[["VISp", "VISl"], "reliability"] > 0.15).all()
    assert (table.loc[["VISp", "VISl"], "reliability_p"] <= 0.05).all()
    assert table.loc["CA1", "reliability"] < 0.2
    assert table.loc["CA1", "reliability_p"] > 0.05
    assert (table.loc[["VISp", "VISl"], "decoding"] > 2 / 8).all()
    assert table.loc["CA1", "decoding"] < 2 / 8
    assert table.loc["VISp", "dimensionality"] == pytest.approx(2.5, abs=1)


def test_a_relation_with_an_unreliable_region_is_not_told(one):
    pairs = one[0].region_pairs
    reliable = one[0].populations.set_index("region")["reliability"] > 0
    for row in pairs.itertuples():
        assert np.isfinite(row.relation) == (reliable[row.first] and reliable[row.second])


def test_regions_are_recognised_over_subjects(several):
    result, truth = several
    found = result.subjects
    geometry = (result.level_bounds == [0, 1]).all(axis=1)
    assert found.accuracy[geometry][0] >= 0.8
    assert found.p_corrected.min() <= 0.05
    assert found.nested_accuracy > 0.6
    assert found.raw_p[2] <= 0.05
    assert np.mean(list(recovery(result, truth).values())) > 0.6
    assert found.least_p < 1e-3
    assert found.degrees == 4
    assert found.family_se[2] > 0
    ratio = {
        region: found.distance_ratio[found.row_region == place].mean()
        for place, region in enumerate(found.region)
    }
    assert ratio["VISp"] < 0.9
    assert ratio["CA1"] > ratio["VISp"]


def test_two_subjects_and_two_regions_allow_no_test():
    views, _ = simulate(stream(3, "two"), size="subjects")
    kept = []
    for view in views[:2]:
        units = np.flatnonzero(view.region != "CA1")
        kept.append(
            dataclasses.replace(
                view,
                unit=view.unit[units],
                region=view.region[units],
                stratum=view.stratum[units],
                position_um=view.position_um[units],
                responses=view.responses[:, units],
                valid=view.valid[:, units],
            )
        )
    found = fitted(kept).subjects
    assert found.least_p == 0.5
    assert np.isnan(found.p).all()
    assert np.isnan(found.p_corrected).all()
    assert np.isfinite(found.accuracy).all()


def test_recordings_of_one_subject_can_stand_for_subjects_only_when_told():
    views, _ = simulate(stream(3, "sessions"), size="subjects")
    views = [dataclasses.replace(view, subject="same") for view in views]
    assert fitted(views).subjects_missing == "one subject"
    assert fitted(views, CONFIG.model_copy(update={"distinct_neurons": True})).subjects is not None
    unknown = [dataclasses.replace(view, subject="") for view in views]
    assert fitted(unknown).subjects_missing == "not all recordings tell their subject"


def test_chunks_of_draws_make_up_the_whole():
    config = CONFIG.model_copy(update={"draws_per_part": 30, "n_splits": 2})
    assert [draws_of(part, config) for part in config.plan()] == [30, 30, 30, 9, 30, 10, 19]
    parts = parts_of(simulate(stream(3, "chunks"))[0], config)
    assert [len(part.separation) for part in parts.values() if part.separation is not None] == [
        *(30, 30, 30, 9)
    ]
    draws = np.concatenate([p.separation for p in parts.values() if p.separation is not None])
    assert len(np.unique(draws)) == 99


def test_few_repeats_leave_no_halves_and_say_why():
    views, _ = simulate(stream(3, "few"))
    kept = views[0].fold < 3
    few = dataclasses.replace(
        views[0],
        condition_of_trial=views[0].condition_of_trial[kept],
        fold=views[0].fold[kept],
        start_s=views[0].start_s[kept],
        responses=views[0].responses[kept],
        valid=views[0].valid[kept],
    )
    result = fitted([few])
    assert result.halves is None
    assert result.halves_missing.startswith("3 repeats")
    assert result.populations["reliability"].isna().all()
    assert (result.populations["status"] == "ok").all()


def test_an_estimator_that_is_not_defined_says_so():
    views, _ = simulate(stream(3, "poisson"))
    below = dataclasses.replace(views[0], responses=views[0].responses - 2)
    with pytest.raises(NotApplicable, match=r"'poisson_kl' are not defined: .*negative"):
        fitted([below], CONFIG.model_copy(update={"estimators": ["poisson_kl"]}))
    second = fitted([below], CONFIG.model_copy(update={"estimators": ["crossnobis", "poisson_kl"]}))
    assert np.isnan(second.dissimilarities[1]).all()
    assert (second.populations["status"] == "ok").all()


def test_an_order_of_conditions_takes_away_shuffles():
    views, _ = simulate(stream(3, "order"))
    result = fitted([dataclasses.replace(views[0], fixed_order=True)])
    assert result.condition_order == "linear"
    assert "need" in result.relation_missing or "needs" in result.relation_missing
    assert result.populations["reliability_p"].isna().all()
    assert result.region_pairs["relation_p"].isna().all()
    assert result.model_scores["p"].isna().all()
    # The test of regions regroups units and needs no shuffle of conditions.
    assert result.halves.separation_p[0] <= 0.05
    asked = fitted(views, CONFIG.model_copy(update={"condition_order": "none"}))
    assert asked.populations["reliability_p"].notna().all()
