"""Ranges of the share of conditions that single trials tell, against copied units."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa import decoding
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.intervals import FACTORS
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.populations import decoded, decoded_share
from pipeline.methods.trsa.simulate import simulate


@pytest.fixture(scope="module")
def sample():
    return sample_of(simulate(stream(9, "decoding"))[0], TrsaConfig())


@pytest.fixture(scope="module")
def session(sample):
    return sample.sessions[0]


def with_units(session, places):
    """The session with copies of some units."""
    return dataclasses.replace(
        session,
        region_of_unit=session.region_of_unit[places],
        unit=np.arange(len(places)).astype(str),
        stratum=session.stratum[places],
        position_um=session.position_um[places],
        responses=session.responses[:, places],
        courses=None,
        rate_hz=session.rate_hz[places],
    )


def test_units_that_count_often_are_copies(session):
    own = session.units_of(1)
    times = stream(1, "times").multinomial(own.size, np.full(own.size, 1 / own.size), size=3)
    right, judged = decoded(session, 1, 8, times.astype(float))
    for drawn, found in zip(times, right, strict=True):
        copied = with_units(session, np.repeat(own, drawn))
        assert found.sum() / judged.sum() == pytest.approx(decoded_share(copied, 1, 8))


def test_missing_trials_are_not_judged(session):
    kept = ~((session.condition == 2) & (session.fold < 5))
    fewer = dataclasses.replace(
        session,
        responses=session.responses[kept],
        condition=session.condition[kept],
        fold=session.fold[kept],
    )
    _, judged = decoded(fewer, 0, 8, np.ones((1, session.units_of(0).size)))
    assert judged[2] == session.n_folds - 5
    assert (np.delete(judged, 2) == session.n_folds).all()


def test_drawing_everything_once_gives_the_share_itself(session):
    class Once:
        def multinomial(self, n, _, size):
            return np.ones((size, n), dtype=int)

    found = decoding.shares(session, 1, 8, 2, Once())
    for name in FACTORS:
        np.testing.assert_allclose(found[name], decoded_share(session, 1, 8))


def test_factors_vary_what_they_draw_and_a_single_fold_has_no_share(sample, session):
    found = decoding.resampled(sample, 30, stream(0, "draws"))
    spread = {name: values.std(axis=0) for name, values in found.items()}
    assert found["both"].shape == (30, len(sample.populations()))
    assert (spread["both"][1:] > 0).all()
    assert (spread["conditions"][1:] > 0).all()
    alone = dataclasses.replace(session, fold=np.zeros_like(session.fold))
    single = dataclasses.replace(sample, sessions=(alone,))
    assert np.isnan(decoding.resampled(single, 2, stream(0, "draws"))["both"]).all()


def test_order_of_conditions_and_scale_of_a_unit_do_not_matter(session):
    times = np.ones((1, session.units_of(0).size))
    right, _ = decoded(session, 0, 8, times)
    order = stream(2, "order").permutation(8)
    moved = dataclasses.replace(
        session,
        condition=np.argsort(order)[session.condition],
        responses=session.responses * np.linspace(1, 9, session.responses.shape[1]),
    )
    np.testing.assert_allclose(decoded(moved, 0, 8, times)[0], right[:, order])


def test_regions_are_held_beside_each_other_with_equal_numbers_of_units(sample, session):
    """All units of the smaller region count, and as many of the larger one, chosen at random."""
    own, other = session.units_of(0), session.units_of(1)
    small = with_units(session, np.concatenate([own, other[: own.size // 2]]))
    one = dataclasses.replace(sample, sessions=(dataclasses.replace(small, regions=("a", "b")),))
    found = decoding.with_equal_units(one, stream(3, "choices"))
    assert found[1] == pytest.approx(decoded_share(small, 1, 8))
    least = own.size // 2
    by_hand = [
        decoded_share(
            with_units(small, stream(at, "some").choice(small.units_of(0), least, replace=False)),
            0,
            8,
        )
        for at in range(60)
    ]
    assert found[0] == pytest.approx(np.mean(by_hand), abs=0.05)
    assert found[0] < decoded_share(small, 0, 8) + 0.02
