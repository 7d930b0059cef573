"""The setting ``legacy`` gives the published numbers, and is told as what it is."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.rng import stream
from pipeline.methods.trsa import across
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.identification import (
    Resample,
    Rows,
    published_resamples,
    resampled_accuracies,
)
from pipeline.methods.trsa.model import Session
from pipeline.methods.trsa.populations import region_dissimilarities
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.transforms import geo_topological
from tests.support.golden import golden_files
from tests.support.trsa_fits import CONFIG, fitted

LEGACY = TrsaConfig(legacy=True)


def session_of(file):
    responses = file["trials"].astype(np.float64)
    n_units = responses.shape[1]
    return Session(
        recording="r",
        subject="s",
        regions=("all",),
        region_of_unit=np.zeros(n_units, dtype=np.int64),
        unit=np.arange(n_units).astype(str),
        stratum=np.full(n_units, ""),
        position_um=np.full((n_units, 3), np.nan),
        responses=responses,
        courses=None,
        rate_hz=np.full(n_units, np.nan),
        condition=file["cond"].astype(np.int64),
        fold=file["rep"].astype(np.int64),
        kind="spikes",
    )


@pytest.mark.parametrize("file", golden_files("trsa", "trials", "cond", "rep", "rdm_euclidean"))
@pytest.mark.parametrize(
    ("estimator", "noise", "key"),
    [
        ("mahalanobis2", "diag", "rdm_mahalanobis_diag"),
        ("mahalanobis2", "shrink_diag", "rdm_mahalanobis_shrink"),
        ("crossnobis", "shrink_diag", "rdm_crossnobis_shrink"),
        ("euclidean", "shrink_diag", "d_cont"),
    ],
)
def test_dissimilarities_are_those_of_the_references(file, estimator, noise, key):
    session, n = session_of(file), int(file["cond"].max()) + 1
    asked = TrsaConfig(legacy=True, noise=noise, estimators=[estimator])
    found = region_dissimilarities(session, 0, n, estimator, asked)
    np.testing.assert_allclose(found, file[key], rtol=1e-8)
    usual = TrsaConfig(noise=noise, estimators=[estimator])
    same = np.allclose(region_dissimilarities(session, 0, n, estimator, usual), found, rtol=1e-6)
    assert same == (estimator == "euclidean")


@pytest.mark.parametrize("known", golden_files("trsa", "stack", "boot_rows", "boot_acc_drop"))
def test_accuracies_of_drawn_rows_are_the_published_ones(known):
    subject, region = known["stack_subj"] - 1, known["stack_roi"] - 1
    rows = Rows(
        subject=subject.astype(np.int64),
        region=region.astype(np.int64),
        n_subjects=int(subject.max()) + 1,
        n_regions=int(region.max()) + 1,
    )
    n_conditions = known["boot_stims"].shape[1]
    transformed = np.moveaxis(geo_topological(known["stack"], known["boot_lu"]), 1, 0)
    draws = [
        Resample(
            subject=np.ones(rows.n_subjects),
            condition=np.bincount(stimuli, minlength=n_conditions).astype(float),
            row=np.bincount(drawn, minlength=subject.size).astype(float),
        )
        for drawn, stimuli in zip(known["boot_rows"], known["boot_stims"], strict=True)
    ]
    found = resampled_accuracies(transformed, rows, draws)["both"]
    np.testing.assert_allclose(found, known["boot_acc_drop"].T, atol=1e-9)


def test_rows_are_drawn_in_place_of_subjects():
    rows = Rows(
        subject=np.repeat(np.arange(4), 3),
        region=np.tile(np.arange(3), 4),
        n_subjects=4,
        n_regions=3,
    )
    draws = list(published_resamples(rows, 6, 20, stream(0, "rows")))
    assert all(draw.of_rows(rows).sum() == 12 and draw.condition.sum() == 6 for draw in draws)
    weights = np.array([draw.of_rows(rows).reshape(4, 3) for draw in draws])
    assert (np.ptp(weights, axis=2) > 0).any()  # regions of a subject are drawn apart


def test_a_fit_uses_it_and_says_so():
    views, _ = simulate(stream(7, "several"), size="subjects")
    config = CONFIG.model_copy(update={"legacy": True})
    result = fitted(views, config)
    found = result.subjects
    spread = found.accuracy_draws.std(axis=0, ddof=1)
    np.testing.assert_allclose(found.family_se, spread, atol=1e-12)
    assert found.degrees == found.subject.size
    first = assess(result, tuple(views), config)[0]
    assert (first.name, first.status) == ("Published settings", "warn")
    usual = fitted(views, CONFIG)
    assert not np.allclose(usual.dissimilarities[0], result.dissimilarities[0])
    assert usual.subjects.degrees == found.subject.size - 1
    assert tuple(found.family[:3]) == across.RAW


def test_noise_without_a_published_form_is_refused():
    with pytest.raises(ValidationError, match="noise 'full' has no legacy form"):
        TrsaConfig(legacy=True, noise="full")
