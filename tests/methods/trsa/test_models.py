"""Model dissimilarities of properties and pixels, and scores with ceilings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.trsa import scores
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.identification import corrected_variance
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.models import models_of
from pipeline.methods.trsa.result import PartResult
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.targets import targets_of

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
FIRST, SECOND = np.triu_indices(8, 1)


@pytest.fixture(scope="module")
def sample():
    views, _ = simulate(stream(0, "models"), size="subjects")
    names = views[0].condition
    properties = pd.DataFrame(
        {
            "condition": pd.Series(names.tolist(), dtype="str"),
            "direction_deg": 45.0 * np.arange(8),
            "contrast": [0.1, 0.9] * 4,
            "kind": pd.Series(["a", "b", "b", "a"] * 2, dtype="str"),
        }
    )
    pixels = stream(0, "pixels").random((8, 5)).astype(np.float32)
    first = dataclasses.replace(views[0], properties=properties, pixels=pixels)
    return sample_of((first, *views[1:]), TrsaConfig())


def test_models_are_those_of_columns_and_pixels(sample):
    found = models_of(sample, TrsaConfig())
    assert found.name == ("direction_deg:circular", "contrast", "contrast:same", "kind", "pixels")
    by_name = dict(zip(found.name, found.dissimilarities, strict=True))
    angle = np.radians(45.0) * (FIRST - SECOND)
    np.testing.assert_allclose(by_name["direction_deg:circular"], 2 - 2 * np.cos(angle))
    differs = (FIRST - SECOND) % 2
    np.testing.assert_allclose(by_name["contrast"], 0.8 * differs)
    np.testing.assert_allclose(by_name["contrast:same"], differs)
    kind = np.array(list("abbaabba"))
    np.testing.assert_allclose(by_name["kind"], kind[FIRST] != kind[SECOND])
    step = sample.pixels[FIRST] - sample.pixels[SECOND]
    np.testing.assert_allclose(by_name["pixels"], np.square(step).mean(axis=1))


def test_settings_choose_models(sample):
    assert models_of(sample, TrsaConfig(models="none")).dissimilarities.shape == (0, 28)
    assert models_of(sample, TrsaConfig(models=["direction_deg"])).name == ("direction_deg",)
    with pytest.raises(ValueError, match=r"no model 'colour' .* conditions have: direction_deg"):
        models_of(sample, TrsaConfig(models=["colour"]))


def part_of(draws):
    return PartResult(
        name="bootstrap-000",
        model_both=draws["both"],
        model_subjects=draws["subjects"],
        model_conditions=draws["conditions"],
        provenance=PROVENANCE,
    )


def scored(sample, config):
    models, targets = models_of(sample, config), targets_of(sample, config)
    part = part_of(scores.resampled(models, targets, config, 60, stream(0, "draws")))
    return scores.observed(
        models, targets, config, [part], stream(0, "scored"), order="none", no_null=""
    )


def test_models_are_compared_over_the_same_draws(sample):
    config = TrsaConfig(models=["direction_deg:circular", "kind", "contrast", "contrast:same"])
    models, targets = models_of(sample, config), targets_of(sample, config)
    draws = scores.resampled(models, targets, config, 60, stream(0, "draws"))
    found = scored(sample, config)
    score = found.table.set_index(["region", "model"])["score"]
    assert len(found.pairs) == 3 * 6
    for row in found.pairs.itertuples():
        expected = score[row.region, row.first] - score[row.region, row.second]
        assert row.difference == pytest.approx(expected, abs=1e-12)
    pairs = found.pairs.set_index(["region", "first", "second"])
    ring = pairs.loc[("VISp", "direction_deg:circular", "kind")]
    place = targets.region.index("VISp")
    variance = [
        np.var(draws[name][:, 0, place] - draws[name][:, 1, place], ddof=1)
        for name in ("both", "subjects", "conditions")
    ]
    expected = np.sqrt(corrected_variance(*variance, n_subjects=5, n_conditions=8))
    assert ring["se"] == pytest.approx(float(expected))
    assert ring["p"] == pytest.approx(2 * student.sf(ring["difference"] / ring["se"], 4))
    assert ring["difference"] > 0
    assert ring["p"] <= ring["p_adjusted"] <= 0.05
    assert pairs.loc[("CA1", "direction_deg:circular", "kind"), "p"] > 0.05
    # Models that order pairs of conditions alike cannot be told from each other.
    same = pairs.xs(("contrast", "contrast:same"), level=("first", "second"))
    assert (same["difference"].abs() < 1e-12).all()
    assert same["p"].isna().all()


def test_the_planted_ring_is_explained_by_directions(sample):
    found = scored(sample, TrsaConfig(n_permutations=199))
    table = found.table.set_index(["region", "model"])
    ring = table.loc[("VISp", "direction_deg:circular")]
    assert ring["score"] > 0.5
    assert ring["p"] <= 0.02
    assert ring["se"] > 0
    none = table.loc[("CA1", "direction_deg:circular")]
    assert abs(none["score"]) < 0.3
    assert none["p"] > 0.05
    ceiling = found.ceiling.set_index("region")
    assert (ceiling["lower"] < ceiling["upper"]).all()
    assert ceiling.loc["VISp", "lower"] > ceiling.loc["CA1", "lower"]


@pytest.mark.parametrize(
    "measure", ["rho_a", "corr", "cosine", "spearman", "tau_a", "tau_b", "bures"]
)
def test_scores_are_means_over_subjects(sample, measure):
    from pipeline.methods.trsa.populations import dissimilarities_of, likeness

    config = TrsaConfig(measure=measure, models=["kind"])
    found = scored(sample, config).table.set_index("region")["score"]
    rows = dissimilarities_of(sample, config).by_estimator[0].reshape(5, 3, 28)
    model = models_of(sample, config).dissimilarities
    expected = likeness(model, rows[:, 1], measure).mean()
    assert found["VISl"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "measure", ["rho_a", "corr", "cosine", "spearman", "whitened_cosine", "tau_b", "bures"]
)
def test_the_lower_ceiling_leaves_each_subject_out(sample, measure):
    from pipeline.methods.trsa.populations import dissimilarities_of, likeness
    from pipeline.numerics.similarity import pooled

    config = TrsaConfig(measure=measure, models="none")
    targets = targets_of(sample, config)
    found = scores.observed(
        models_of(sample, config), targets, config, [], stream(0, "c"), order="none", no_null=""
    ).ceiling.set_index("region")
    rows = dissimilarities_of(sample, config).by_estimator[0].reshape(5, 3, 28)[:, 0]
    expected = [
        likeness(rows[[one]], pooled(np.delete(rows, one, axis=0), measure)[None], measure)[0, 0]
        for one in range(5)
    ]
    assert found.loc["VISp", "lower"] == pytest.approx(np.mean(expected))


def test_without_a_fair_null_there_is_no_p(sample):
    config = TrsaConfig(models=["kind", "contrast"], n_bootstraps=20)
    models, targets = models_of(sample, config), targets_of(sample, config)
    part = part_of(scores.resampled(models, targets, config, 20, stream(0, "none")))
    found = scores.observed(
        models, targets, config, [part], stream(0, "p"), order="linear", no_null="too few"
    )
    assert found.table["p"].isna().all()
    assert found.table["score"].notna().all()
    assert found.pairs["p"].isna().all()
    assert (found.pairs["se"] > 0).all()


def test_one_subject_has_no_ceiling_and_varies_over_conditions_only(sample):
    alone = dataclasses.replace(sample, sessions=sample.sessions[:1])
    found = scored(alone, TrsaConfig(models=["kind"]))
    assert found.ceiling["lower"].isna().all()
    assert (found.table["se"] > 0).all()
    assert found.table["below_ceiling_p"].isna().all()


def test_another_region_is_a_model_through_the_other_subjects_only(sample):
    from pipeline.methods.trsa.populations import dissimilarities_of, likeness
    from pipeline.numerics.similarity import pooled

    config = TrsaConfig(n_permutations=99, models=["region:VISp", "kind"])
    table = scored(sample, config).table.set_index(["region", "model"])
    assert ("VISp", "region:VISp") not in table.index  # that is the noise ceiling
    rows = dissimilarities_of(sample, config).by_estimator[0].reshape(5, 3, 28)
    places = {"VISp": 0, "VISl": 1, "CA1": 2}
    for region, place in places.items():
        if region == "VISp":
            continue
        expected = [
            likeness(
                rows[[one], place],
                pooled(np.delete(rows[:, 0], one, axis=0), "rho_a")[None],
                "rho_a",
            )[0, 0]
            for one in range(5)
        ]
        assert table.loc[(region, "region:VISp"), "score"] == pytest.approx(np.mean(expected))
    assert table.loc[("CA1", "region:VISp"), "p"] > 0.05
    assert (table["se"] > 0).all()


def test_a_region_is_no_model_for_what_was_recorded_with_it(sample):
    alone = dataclasses.replace(sample, sessions=sample.sessions[:1])
    with pytest.raises(ValueError, match="needs a second subject"):
        scored(alone, TrsaConfig(models=["region:VISp"]))
    with pytest.raises(ValueError, match=r"no region 'V9' .* regions are VISp"):
        scored(sample, TrsaConfig(models=["region:V9"]))


@pytest.mark.parametrize("measure", ["rho_a", "corr", "cosine", "whitened_cosine", "tau_b"])
def test_resampled_scores_are_those_of_gathered_conditions(sample, measure):
    from pipeline.methods.trsa.identification import resamples
    from pipeline.methods.trsa.populations import likeness
    from pipeline.numerics.dissimilarity import squared_form
    from pipeline.numerics.similarity import pooled

    config = TrsaConfig(measure=measure, models=["kind"])
    models, targets = models_of(sample, config), targets_of(sample, config)
    found = scores.resampled(models, targets, config, 3, stream(0, "same"))
    draws = list(resamples(5, 8, 3, stream(0, "same")))
    rows = squared_form(targets.dissimilarities)
    for place, draw in enumerate(draws):
        # All pairs of drawn conditions, copies too; pairs of copies are left out.
        drawn = np.repeat(np.arange(8), draw.condition.astype(int))
        left, right = np.triu_indices(8, 1)
        apart = drawn[left] != drawn[right]
        cut = rows[:, drawn[left[apart]], drawn[right[apart]]]
        if measure.startswith("whitened"):
            continue
        of_row = draw.subject[targets.subject_of_row]
        for region in range(3):
            here = np.flatnonzero((targets.region_of_row == region) & (of_row > 0))
            ceiling = []
            for row in here:
                others = np.repeat(here, of_row[here].astype(int))
                others = others[others != row]
                mean = pooled(cut[others], measure)
                ceiling += [likeness(cut[[row]], mean[None], measure)[0, 0]] * int(of_row[row])
            assert found["both"][place, -1, region] == pytest.approx(np.mean(ceiling))
    assert np.isfinite(found["both"][:, 0]).all()
