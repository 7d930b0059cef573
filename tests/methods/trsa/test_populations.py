"""Numbers that stand beside the dissimilarities of a population."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.populations import decoded_share, participation_ratio
from pipeline.methods.trsa.simulate import simulate
from pipeline.numerics.dissimilarity import condensed_form


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
