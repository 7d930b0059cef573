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
