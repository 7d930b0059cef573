"""Patches of units that lie together, as a null for regions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa import contiguous, halves
from pipeline.methods.trsa.model import Session
from pipeline.numerics.permutation import p_values

GEOMETRY = np.array([[0.0, 1.0]])
N_CONDITIONS, N_REPEATS = 12, 8


def gradual(rng, *, n_units=60, own=0.0):
    """Units whose tuning changes smoothly over a plane that a straight line cuts at random.

    By ``own`` regions on both sides have geometries of their own besides.
    """
    position = rng.uniform(0, 1000, (n_units, 2))
    angle = rng.uniform(0, 2 * np.pi)
    side = (position - position.mean(axis=0)) @ [np.cos(angle), np.sin(angle)]
    region = (side > np.median(side)).astype(np.int64)
    waves = rng.standard_normal((6, 2)) / 300
    field = np.sqrt(2 / 6) * np.cos(position @ waves.T + rng.uniform(0, 2 * np.pi, 6))
    tuning = rng.standard_normal((N_CONDITIONS, 6)) @ field.T
    extra = rng.standard_normal((2, N_CONDITIONS, 3))[region]
    tuning += own * np.einsum("uck,uk->cu", extra, rng.standard_normal((n_units, 3))) / np.sqrt(3)
    condition = np.tile(np.arange(N_CONDITIONS), N_REPEATS)
    return Session(
        recording="r",
        subject="s",
        regions=("a", "b"),
        region_of_unit=region,
        unit=np.arange(n_units).astype(str),
        stratum=np.full(n_units, ""),
        position_um=np.column_stack([position, np.full(n_units, np.nan)]),
        responses=5 + tuning[condition] + rng.standard_normal((condition.size, n_units)),
        courses=None,
        rate_hz=np.full(n_units, np.nan),
        condition=condition,
        fold=np.repeat(np.arange(N_REPEATS), N_CONDITIONS),
        kind="spikes",
    )


def p_of(session, rng, n_draws=59):
    """P of the separation of regions against scattered regroupings, and against patches."""
    splits = halves.draw_splits(session, 8, rng)

    def separation(orders):
        found = halves.statistics(session, N_CONDITIONS, splits, orders, GEOMETRY)
        return found.separation

    seen = separation(halves.identity(splits))
    return [
        float(p_values(seen, separation(orders)[:, None])[0])
        for orders in (
            halves.relabellings(session, splits, n_draws, rng),
            contiguous.regroupings(session, splits, n_draws, rng),
        )
    ]


@pytest.fixture(scope="module")
def session():
    return gradual(stream(0, "contiguous"))


@pytest.fixture(scope="module")
def splits(session):
    return halves.draw_splits(session, 2, stream(0, "splits"))


def test_patches_are_cut_by_straight_lines(session, splits):
    orders = contiguous.regroupings(session, splits, 20, stream(0, "orders"))
    place = session.position_um[splits.units][:, :2]
    for order in orders:
        assert np.sort(order).tolist() == list(range(60))
        one, other = (place[order[splits.region == region]] for region in (0, 1))
        angles = np.linspace(0, 2 * np.pi, 3600)
        direction = np.stack([np.cos(angles), np.sin(angles)])
        # Some line has all of one patch on one side; whitened directions are straight lines too.
        gap = (one @ direction).min(axis=0) - (other @ direction).max(axis=0)
        assert gap.max() > -2.0
    assert len({tuple(sorted(order[splits.region == 0])) for order in orders}) > 8


def test_patches_on_a_line_are_stretches(session):
    line = session.position_um.copy()
    line[:, 0], line[:, 1] = 5.0, np.arange(60)
    depth = dataclasses.replace(session, position_um=line)
    splits = halves.draw_splits(depth, 2, stream(0, "line"))
    for order in contiguous.regroupings(depth, splits, 20, stream(0, "line orders")):
        patch = np.sort(line[splits.units][order[splits.region == 0], 1])
        assert (np.diff(patch) != 1).sum() <= 1  # at most one jump, over the end of the line


def test_patches_are_like_regions_in_rate(session, splits):
    place = session.position_um[:, 0]
    graded = dataclasses.replace(session, responses=session.responses + 0.02 * place)
    rate = np.log(graded.responses[:, splits.units].mean(axis=0))
    own = np.array([rate[splits.region == region].mean() for region in (0, 1)])

    def apart(n_candidates, monkeypatch):
        monkeypatch.setattr(contiguous, "CANDIDATES", n_candidates)
        orders = contiguous.regroupings(graded, splits, 100, stream(0, "rates"))
        means = [[rate[order[splits.region == r]].mean() for r in (0, 1)] for order in orders]
        return np.square(np.array(means) - own).sum(axis=1).mean()

    with pytest.MonkeyPatch.context() as patch:
        assert apart(5, patch) < 0.5 * apart(1, patch)


def test_what_has_no_positions_says_why(session, splits):
    nowhere = np.full(session.position_um.shape, np.nan)
    unknown = dataclasses.replace(session, position_um=nowhere)
    assert contiguous.why_not(unknown, splits) == "positions of units are not known"
    half = session.position_um.copy()
    half[::2] = np.nan
    some = dataclasses.replace(session, position_um=half)
    assert contiguous.why_not(some, splits) == "positions of 30 of 60 units are known"
    one = dataclasses.replace(session, position_um=np.ones(session.position_um.shape))
    assert contiguous.why_not(one, splits) == "all units have one position"
    assert contiguous.why_not(session, splits) == ""


@pytest.mark.slow
def test_neighbours_that_are_alike_are_no_regions():
    rng = stream(0, "null of patches")
    p = np.array([p_of(gradual(rng), rng) for _ in range(100)])
    # Scattered regroupings call any patch a region.
    assert np.mean(p[:, 0] <= 0.05) > 0.5
    for level in (0.05, 0.1):
        assert np.mean(p[:, 1] <= level) <= level + 2 * np.sqrt(level * (1 - level) / 100)
    real = np.array([p_of(gradual(rng, n_units=120, own=2.0), rng) for _ in range(15)])
    assert np.mean(real[:, 1] <= 0.05) > 0.5
