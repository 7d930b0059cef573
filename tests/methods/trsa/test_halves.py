"""Halves of units and repeats against loops, and against what must not matter."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa import halves
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.transforms import geo_topological, level_grid

LEVELS = level_grid(0.25)


@pytest.fixture(scope="module")
def session():
    return sample_of(simulate(stream(1, "halves"))[0], TrsaConfig()).sessions[0]


@pytest.fixture(scope="module")
def splits(session):
    return halves.draw_splits(session, 3, stream(0, "splits"))


def by_hand(session, columns, folds, n_conditions=8):
    """Cross-validated distances over pairs of folds, in units of noise, unit by unit."""
    total = np.zeros(n_conditions * (n_conditions - 1) // 2)
    for unit in columns:
        values = session.responses[:, unit]
        means = np.array([values[session.condition == c].mean() for c in range(n_conditions)])
        errors = values - means[session.condition]
        variance = (errors**2).sum() / (values.size - n_conditions)
        patterns = np.array(
            [
                [values[(session.fold == f) & (session.condition == c)].mean() for c in range(8)]
                for f in folds
            ]
        )
        for pair, (i, j) in enumerate(itertools.combinations(range(n_conditions), 2)):
            steps = patterns[:, i] - patterns[:, j]
            products = [a * b for a, b in itertools.permutations(steps, 2)]
            total[pair] += np.mean(products) / variance
    return total / len(columns)


def test_halves_are_disjoint_in_units_and_repeats(session, splits):
    assert splits.fold_half.sum(axis=1).tolist() == [4, 4, 4]
    for half in splits.unit_half:
        assert [int(half[splits.region == region].sum()) for region in range(3)] == [10, 10, 10]


def test_dissimilarities_of_halves_are_those_of_a_loop(session, splits):
    one, other = halves.half_dissimilarities(session, 8, splits)
    for split in range(3):
        for region in range(3):
            mine = splits.units[(splits.region == region) & ~splits.unit_half[split]]
            folds = np.flatnonzero(~splits.fold_half[split])
            np.testing.assert_allclose(one[split, region], by_hand(session, mine, folds))
            mine = splits.units[(splits.region == region) & splits.unit_half[split]]
            folds = np.flatnonzero(splits.fold_half[split])
            np.testing.assert_allclose(other[split, region], by_hand(session, mine, folds))


def nearest(one, other):
    """Share of rows found by their partner, ties shared, both ways."""
    hits = []
    for a, b in ((one, other), (other, one)):
        for place in range(len(a)):
            distances = np.array([((a[place] - row) ** 2).sum() for row in b])
            ties = distances <= distances.min() * (1 + 1e-6)
            hits.append(ties[place] / ties.sum())
    return np.mean(hits)


@pytest.mark.parametrize("scale", ["rank", "quantile"])
def test_statistics_are_those_of_a_loop(session, splits, scale):
    orders = halves.relabellings(session, splits, 2, stream(0, "orders"))
    found = halves.statistics(session, 8, splits, orders, LEVELS, scale=scale)
    for draw, order in enumerate(orders):
        moved = dataclasses.replace(session, responses=session.responses[:, splits.units[order]])
        one, other = halves.half_dissimilarities(moved, 8, splits)
        expected = np.mean(
            [
                [
                    nearest(*(geo_topological(h, pair[None], scale=scale)[:, 0] for h in both))
                    for pair in LEVELS
                ]
                for both in zip(one, other, strict=True)
            ],
            axis=0,
        )
        np.testing.assert_allclose(found.accuracy[draw], expected, atol=1e-9)
        ranks = [np.argsort(np.argsort(h, axis=-1), axis=-1) for h in (one, other)]
        expected = np.mean([np.corrcoef(a, b)[:3, 3:] for a, b in zip(*ranks, strict=True)], axis=0)
        np.testing.assert_allclose(found.correlation[draw], expected, atol=1e-9)


def test_what_is_taken_for_what_by_hand():
    # Halves 1 (rows) with halves 2: a goes to b, b to b; back, a goes to a, b to a and b alike.
    correlation = np.array([[0.5, 0.6], [0.4, 0.6]])
    np.testing.assert_allclose(halves.taken_for(correlation), [[0.5, 0.5], [0.25, 0.75]])
    # A region without a second half is never chosen there, and is not judged from there.
    gone = np.array([[0.5, np.nan, 0.2], [0.9, np.nan, 0.1], [0.3, np.nan, 0.4]])
    taken = halves.taken_for(gone)
    np.testing.assert_allclose(taken[[0, 2]], [[0.5, 0.5, 0], [0, 0, 1]])
    assert np.isnan(taken[1]).all()


def test_what_is_taken_for_what_has_the_accuracy_of_ranks_on_its_diagonal(session, splits):
    orders = halves.relabellings(session, splits, 3, stream(3, "orders"))
    found = halves.statistics(session, 8, splits, orders, np.array([[0.0, 1.0]]))
    own = np.diagonal(found.taken, axis1=1, axis2=2)
    np.testing.assert_allclose(own.mean(axis=1), found.accuracy[:, 0], atol=1e-9)
    np.testing.assert_allclose(found.taken.sum(axis=2), 1)


def test_raw_accuracy_is_nearest_in_angle(session, splits):
    found = halves.statistics(session, 8, splits, halves.identity(splits), LEVELS)
    one, other = halves.half_dissimilarities(session, 8, splits)
    scaled = [h / np.linalg.norm(h, axis=-1, keepdims=True) for h in (one, other)]
    expected = np.mean([nearest(a, b) for a, b in zip(*scaled, strict=True)])
    assert found.raw_accuracy[0] == pytest.approx(expected)


def test_tied_dissimilarities_share_ranks(session, splits):
    rows = np.array([[[0.0, 1.0, 1.0, 2.0, 3.0, 3.0]]])
    tied, bounds = halves._scaled(rows, LEVELS, "rank")
    from pipeline.methods.trsa.transforms import thresholded

    expected = thresholded(rows, LEVELS)
    np.testing.assert_array_equal(tied, expected[0])
    np.testing.assert_array_equal(bounds, expected[1])
    untied = stream(0, "untied").random((2, 3, 15))
    for found, known in zip(
        halves._scaled(untied, LEVELS, "rank"), thresholded(untied, LEVELS), strict=True
    ):
        np.testing.assert_allclose(found, known, atol=1e-12)


def test_missing_trials_leave_what_pairs_of_folds_remain(session, splits):
    kept = np.ones(session.condition.size, dtype=bool)
    kept[np.flatnonzero((session.condition == 0) & (session.fold == 0))] = False
    gappy = dataclasses.replace(
        session,
        responses=session.responses[kept],
        condition=session.condition[kept],
        fold=session.fold[kept],
    )
    one, other = halves.half_dissimilarities(gappy, 8, splits)
    assert np.isfinite(one).all()
    split = 0
    half = one if not splits.fold_half[split][0] else other
    chosen = splits.fold_half[split] == splits.fold_half[split][0]
    mine = splits.units[
        (splits.region == 0) & (splits.unit_half[split] == splits.fold_half[split][0])
    ]
    spread = {}
    for unit in mine:
        values = gappy.responses[:, unit]
        means = np.array([values[gappy.condition == c].mean() for c in range(8)])
        errors = values - means[gappy.condition]
        spread[unit] = (errors**2).sum() / (values.size - 8)
    folds = [fold for fold in np.flatnonzero(chosen) if fold != 0]
    expected = []
    for unit in mine:
        values = gappy.responses[:, unit]
        steps = np.array(
            [
                values[(gappy.fold == f) & (gappy.condition == 0)].mean()
                - values[(gappy.fold == f) & (gappy.condition == 1)].mean()
                for f in folds
            ]
        )
        products = [a * b for a, b in itertools.permutations(steps, 2)]
        expected.append(np.mean(products) / spread[unit])
    assert half[split, 0, 0] == pytest.approx(np.mean(expected))


def test_relabelling_keeps_strata_together(session, splits):
    strata = np.array(["a", "b"])[np.arange(splits.units.size) % 2]
    layered = dataclasses.replace(session, stratum=strata[np.argsort(splits.units)])
    orders = halves.relabellings(layered, splits, 50, stream(0, "strata"))
    assert (np.sort(orders, axis=1) == np.arange(splits.units.size)).all()
    assert (layered.stratum[splits.units][orders] == layered.stratum[splits.units]).all()
    assert len(np.unique(orders, axis=0)) == 50


def test_a_region_with_a_stratum_of_its_own_is_confounded_and_still_exchanged(session, splits):
    planes = np.array(["a", "a", "b"])[session.region_of_unit]
    apart = dataclasses.replace(session, stratum=planes)
    assert halves.confounded(apart, splits)
    assert not halves.confounded(session, splits)
    orders = halves.relabellings(apart, splits, 50, stream(0, "apart"))
    assert (planes[splits.units][orders] != planes[splits.units]).any()


def test_names_and_order_of_regions_do_not_matter(session, splits):
    swapped = np.array([2, 0, 1])
    moved = dataclasses.replace(splits, region=swapped[splits.region])
    one = halves.statistics(session, 8, splits, halves.identity(splits), LEVELS)
    other = halves.statistics(session, 8, moved, halves.identity(splits), LEVELS)
    np.testing.assert_allclose(one.accuracy, other.accuracy, atol=1e-12)
    np.testing.assert_allclose(one.separation, other.separation, atol=1e-12)


def test_scale_of_a_unit_does_not_matter(session, splits):
    rescaled = dataclasses.replace(
        session, responses=session.responses * np.linspace(0.1, 9, session.unit.size)
    )
    one = halves.statistics(session, 8, splits, halves.identity(splits), LEVELS)
    other = halves.statistics(rescaled, 8, splits, halves.identity(splits), LEVELS)
    np.testing.assert_allclose(one.accuracy, other.accuracy, atol=1e-9)


def test_sessions_with_few_repeats_or_units_say_why(session):
    few = dataclasses.replace(session, fold=session.fold % 3)
    assert halves.why_not(few).startswith("3 repeats")
    small = dataclasses.replace(session, region_of_unit=np.arange(session.unit.size) // 10)
    small = dataclasses.replace(small, regions=tuple("abcde"))
    assert halves.why_not(small) == "no region has 12 units"
    assert halves.why_not(session) == ""


def test_pairs_that_never_meet_twice_are_refused(session, splits):
    fold = session.condition * 8 + session.fold
    apart = dataclasses.replace(session, fold=fold)
    with pytest.raises(ValueError, match="only 0 pairs of conditions"):
        halves.half_dissimilarities(apart, 8, halves.draw_splits(apart, 2, stream(0, "apart")))
