"""Numbers that stand beside the dissimilarities of a population."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.errors import NotApplicable
from pipeline.core.rng import stream
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.populations import decoded_share, participation_ratio
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.targets import targets_of
from pipeline.numerics.dissimilarity import condensed_form
from tests.support.trsa_fits import CONFIG, fitted


@pytest.fixture(scope="module")
def session():
    return sample_of(simulate(stream(9, "decoding"))[0], TrsaConfig()).sessions[0]


def test_decoding_is_that_of_a_loop(session):
    values = session.responses[:, session.units_of(0)]
    means = np.array([values[session.condition == c].mean(axis=0) for c in range(8)])
    errors = values - means[session.condition]
    scaled = values / np.sqrt(np.square(errors).sum(axis=0) / (len(values) - 8))
    right = []
    for trial in range(len(values)):
        others = session.fold != session.fold[trial]
        centres = [scaled[others & (session.condition == c)].mean(axis=0) for c in range(8)]
        apart = [np.linalg.norm(scaled[trial] - centre) for centre in centres]
        right.append(np.argmin(apart) == session.condition[trial])
    assert decoded_share(session, 0, 8) == pytest.approx(np.mean(right))
    assert decoded_share(session, 0, 8) > 3 / 8


def test_noise_is_decoded_at_chance_and_one_fold_not_at_all(session):
    rng = stream(9, "noise")
    shares = []
    for _ in range(20):
        noise = dataclasses.replace(session, responses=rng.standard_normal(session.responses.shape))
        shares.append(decoded_share(noise, 1, 8))
    assert np.mean(shares) == pytest.approx(1 / 8, abs=0.03)
    alone = dataclasses.replace(session, fold=np.zeros_like(session.fold))
    assert np.isnan(decoded_share(alone, 0, 8))


def test_dimensions_are_those_over_which_points_spread_evenly():
    points = np.concatenate([np.eye(3), -np.eye(3)]) * 2
    squared = np.square(points[:, None] - points[None]).sum(axis=2)
    assert participation_ratio(condensed_form(squared)) == pytest.approx(3)
    line = np.arange(5.0)[:, None]
    assert participation_ratio(condensed_form(np.square(line - line.T))) == pytest.approx(1)
    assert np.isnan(participation_ratio(-np.ones(10)))
    assert np.isnan(participation_ratio(np.array([1.0, np.nan, 1.0])))


def without_shared_repeats(view):
    """The view with two conditions that are shown in different repeats."""
    condition, late = view.condition_of_trial, view.fold >= 4
    kept = ~(((condition == 0) & late) | ((condition == 1) & ~late))
    return dataclasses.replace(
        view,
        condition_of_trial=condition[kept],
        fold=view.fold[kept],
        start_s=view.start_s[kept],
        responses=view.responses[kept],
        valid=view.valid[kept],
    )


def test_a_population_with_a_pair_without_shared_repeats_is_told_and_left_out():
    views, _ = simulate(stream(9, "missing"), size="subjects")
    result = fitted((without_shared_repeats(views[0]), *views[1:]))
    bad = result.populations["status"] != "ok"
    assert result.populations["recording"][bad].tolist() == ["mouse-1"] * 3
    assert set(result.populations["status"][bad]) == {
        "1 pair of conditions shares fewer than two repeats"
    }
    assert result.subjects.subject.tolist() == [f"mouse-{n}" for n in range(2, 6)]
    assert result.left_out["what"].tolist() == [
        f"mouse-1: dissimilarities of {region}" for region in ("VISp", "VISl", "CA1")
    ]
    check = next(c for c in assess(result, views, CONFIG) if c.name == "Dissimilarities defined")
    assert (check.status, check.value) == ("warn", "12 of 15 regions")
    assert "VISp: 1 pair of conditions shares" in check.meaning


def test_without_any_complete_population_it_is_said_what_to_do():
    sample = sample_of([without_shared_repeats(simulate(stream(9, "missing"))[0][0])], TrsaConfig())
    with pytest.raises(NotApplicable, match=r"1 pair of conditions shares.*'euclidean2'"):
        targets_of(sample, TrsaConfig())


def with_one_repeat(view):
    """The view with each condition shown once."""
    kept = view.fold == 0
    return dataclasses.replace(
        view,
        condition_of_trial=view.condition_of_trial[kept],
        fold=view.fold[kept],
        start_s=view.start_s[kept],
        responses=view.responses[kept],
        valid=view.valid[kept],
    )


def test_conditions_shown_once_are_compared_by_estimators_that_need_no_repeats():
    views = [with_one_repeat(view) for view in simulate(stream(9, "once"), size="subjects")[0]]
    config = CONFIG.model_copy(update={"estimators": ["euclidean2", "correlation"]})
    result = fitted(views, config)
    assert set(result.populations["status"]) == {"ok"}
    assert result.populations["n_units"].tolist() == [20] * 15
    assert np.isfinite(result.dissimilarities).all()
    assert result.subjects.subject.size == 5
    assert result.populations["decoding"].isna().all()
    assert result.populations["reliability"].isna().all()
    plain = TrsaConfig(estimators=["mahalanobis2"], noise="none")
    found = targets_of(sample_of(views, plain), plain).dissimilarities
    np.testing.assert_allclose(found, result.dissimilarities[0])


@pytest.mark.parametrize(
    ("estimator", "noise", "why"),
    [
        ("crossnobis", "shrink_diag", "no condition has two trials"),
        ("mahalanobis2", "shrink_diag", "no condition has two trials"),
        ("crossnobis", "none", "need two folds"),
    ],
)
def test_conditions_shown_once_are_refused_by_others_with_those_that_work(estimator, noise, why):
    config = TrsaConfig(estimators=[estimator], noise=noise)
    sample = sample_of([with_one_repeat(simulate(stream(9, "once"))[0][0])], config)
    with pytest.raises(NotApplicable, match=why) as refused:
        targets_of(sample, config)
    assert "'euclidean2' and 'correlation' need no repeats" in str(refused.value)
    assert "use 'mahalanobis2'" not in str(refused.value)
