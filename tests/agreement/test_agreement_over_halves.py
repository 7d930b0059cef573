"""Groupings over halves of the data: planted, shared noise, and what is not tested."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from pipeline.agreement.halves import Population, compare_halves
from pipeline.agreement.section import agreement_section
from pipeline.core.errors import NotApplicable
from pipeline.core.halves import Halves
from pipeline.core.labelling import UnitLabels, item_names
from pipeline.core.parts import Figure, Table
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.numerics.partitions import adjusted_rand_index
from pipeline.prepare.halves import halves_of
from tests.agreement.test_pairs import compare, units_of
from tests.agreement.test_pairs import labels as labels_of_pairs
from tests.support.captions import lacking
from tests.support.key_numbers import unclear
from tests.support.small_recordings import calcium, sampled

PROVENANCE = Provenance(stage="halves", experiment="e", package_version="0", code_digest="")
N_UNITS = 60


def labels(kind, *rows, recording="day1", items=None):
    """A grouping of all units for each row; units below 0 have none."""
    unit = np.array([f"u{at}" for at in range(np.asarray(rows[0]).size)])
    found = []
    for row in map(np.asarray, rows):
        has = row >= 0
        found.append(
            UnitLabels(
                name=kind,
                kind=kind,
                from_activity=True,
                recording=np.full(int(has.sum()), recording),
                unit=unit[has],
                item=item_names(recording, unit)[has],
                label=row[has].astype(np.str_),
                probability=np.full(int(has.sum()), np.nan),
            )
        )
    return tuple(found)


def halves(kind, first, second, recording="day1"):
    return Halves(
        first=labels(kind, *np.atleast_2d(first), recording=recording),
        second=labels(kind, *np.atleast_2d(second), recording=recording),
        recording=np.array([recording]),
        span_s=np.array([[[-np.inf, 5.0], [6.0, np.inf]]]),
        alike_s=np.array([0.3]),
        provenance=PROVENANCE,
    )


def population(n=N_UNITS, recording="day1", item=None):
    unit = [f"u{at}" for at in range(n)]
    return Population(
        unit=unit,
        item=item or [f"{recording}:{one}" for one in unit],
        level=np.full(n, np.nan),
        place=np.full((n, 3), np.nan),
    )


def over_halves(found, populations=None, reasons=None, n=199):
    return compare_halves(
        list(found),
        found,
        reasons or {},
        populations or {"day1": population()},
        n_permutations=n,
        least=10,
        seed=0,
    )


def mixed(rng, truth, noise):
    return np.where(rng.random(truth.size) < noise, rng.integers(0, 3, truth.size), truth)


@pytest.fixture
def planted():
    """Labels by two methods of two halves that follow the same three groups."""
    rng = stream(0, "halves")
    truth = rng.integers(0, 3, N_UNITS)
    return {
        kind: [halves(kind, mixed(rng, truth, 0.3), mixed(rng, truth, 0.3))]
        for kind in ("clusters", "types")
    }


def codes(one):
    return one[0].label.astype(int)


def test_what_two_methods_see_in_both_halves_is_significant_and_told_with_its_ceiling(planted):
    (test,) = over_halves(planted)
    (clusters,), (types,) = planted.values()
    crossed = [
        adjusted_rand_index(codes(clusters.first), codes(types.second)),
        adjusted_rand_index(codes(clusters.second), codes(types.first)),
    ]
    assert test.ari == pytest.approx(np.mean(crossed))
    assert test.own_ari[0] == pytest.approx(
        adjusted_rand_index(codes(clusters.first), codes(clusters.second))
    )
    assert test.p_value == pytest.approx(1 / 200)
    assert (test.n_units, test.n_recordings, test.n_candidates) == (N_UNITS, 1, 1)
    assert test.chance < test.chance_high < test.ari
    assert abs(test.ami - test.ari) < 0.3


def test_noise_of_one_half_is_described_as_agreement_and_not_found_over_halves():
    rng = stream(1, "noise of halves")
    noise = rng.integers(0, 3, (2, N_UNITS))
    of = {kind: [mixed(rng, one, 0.1) for one in noise] for kind in ("clusters", "types")}
    (test,) = over_halves({kind: [halves(kind, *rows)] for kind, rows in of.items()})
    assert adjusted_rand_index(of["clusters"][0], of["types"][0]) > 0.5
    assert test.p_value > 0.05
    assert abs(test.ari) < 0.1


def test_swapping_the_halves_changes_nothing(planted):
    (plain,) = over_halves(planted)
    turned = {
        kind: [dataclasses.replace(one, first=one.second, second=one.first)]
        for kind, (one,) in planted.items()
    }
    (swapped,) = over_halves(turned)
    assert swapped.ari == pytest.approx(plain.ari)
    assert swapped.p_value == pytest.approx(plain.p_value)
    assert swapped.own_ari == pytest.approx(plain.own_ari)


def test_recordings_that_were_fitted_alone_count_together_and_a_neuron_once():
    rng = stream(2, "recordings")
    truth = rng.integers(0, 3, 30)
    pooled = {}
    for kind in ("clusters", "types"):
        pooled[kind] = [
            halves(kind, mixed(rng, truth, 0.2), mixed(rng, truth, 0.2), recording=name)
            for name in ("day1", "day2")
        ]
    apart = {name: population(30, name) for name in ("day1", "day2")}
    (test,) = over_halves(pooled, apart)
    assert (test.n_recordings, test.n_units) == (2, 60)
    same = [f"neuron {at}" for at in range(30)]
    again = {name: population(30, name, item=same) for name in ("day1", "day2")}
    (once,) = over_halves(pooled, again)
    assert (once.n_recordings, once.n_units) == (1, 30)


def test_of_several_components_the_best_is_taken_and_told():
    rng = stream(3, "components")
    truth = rng.integers(0, 3, N_UNITS)
    other = rng.integers(0, 3, N_UNITS)
    components = halves(
        "communities", [other, mixed(rng, truth, 0.2)], [mixed(rng, truth, 0.2), other]
    )
    clusters = halves("clusters", mixed(rng, truth, 0.2), mixed(rng, truth, 0.2))
    (test,) = over_halves({"communities": [components], "clusters": [clusters]})
    assert test.n_candidates == 2
    assert test.p_value == pytest.approx(1 / 200)
    assert "largest of 2" in test.null


def test_why_nothing_was_tested_is_told(planted):
    types = planted["types"]
    (lacking,) = over_halves({"clusters": [], "types": types}, reasons={"clusters": "too short"})
    assert (lacking.reason, lacking.tested) == ("clusters: too short", False)
    few = halves("clusters", np.r_[0:2, [-1] * 58], np.r_[0:2, [-1] * 58])
    (small,) = over_halves({"clusters": [few], "types": types})
    assert "10 units" in small.reason


def levels_in_halves(activity, gap_s, rng):
    """Units by how active they are in each half, as two methods see it that err by themselves."""
    middle, gap = len(activity) // 2, int(gap_s / 2)
    parts = activity[: middle - gap], activity[middle + gap :]

    def seen(part):
        level = part.mean(axis=0)
        return (level + 0.3 * level.std() * rng.standard_normal(level.size) > np.median(level)) + 0

    return {kind: [halves(kind, *map(seen, parts))] for kind in ("clusters", "types")}


def drifting(rng, seconds, alike_s, n_units=200):
    """Units that each drift by themselves, so that no order among them lasts."""
    keep = np.exp(-2 / alike_s)
    steps = rng.standard_normal((seconds, n_units))
    steps[1:] *= np.sqrt(1 - keep**2)
    traces = lfilter([1], [1, -keep], steps, axis=0) + 0.5 * rng.standard_normal(steps.shape)
    return traces, dataclasses.replace(calcium(n_units=n_units), activity=sampled(traces))


def small_p(found):
    return over_halves(found, {"day1": population(200)}, n=19)[0].p_value <= 0.05


def test_slow_drift_that_halves_share_looks_like_agreement_and_is_told_as_too_short():
    rng = stream(6, "drift")
    small = []
    for _ in range(12):
        traces, recording = drifting(rng, 400, 200.0)
        small.append(small_p(levels_in_halves(traces, 10.0, rng)))
        with pytest.raises(NotApplicable, match="slow drift in common"):
            halves_of(recording, gap_s=10.0)
    assert np.mean(small) > 0.5


def test_p_is_small_as_rarely_as_it_says_where_the_gap_is_as_long_as_drift_needs():
    rng = stream(7, "drift")
    small = []
    for _ in range(24):
        traces, recording = drifting(rng, 800, 25.0)
        gap_s = halves_of(recording, gap_s=10.0).gap_s
        assert gap_s > 40
        small.append(small_p(levels_in_halves(traces, gap_s, rng)))
    assert np.mean(small) < 0.2


def test_the_gap_between_halves_is_told_with_what_it_is_for(planted):
    (test,) = over_halves(planted)
    assert (test.gap_s, test.alike_s) == ((1.0, 1.0), 0.3)
    section = section_of(planted, [test])
    words = next(part for part in section.body if isinstance(part, str) and "left out" in part)
    assert "Between them 1 s were left out, 3 times as long as the activity" in words
    assert "0.3 s at most" in words
    assert section.numbers["clusters_and_types_halves_gap_s"] == 1.0
    assert section.numbers["clusters_and_types_halves_alike_s"] == 0.3


def section_of(planted, tests):
    units = {"day1": units_of(N_UNITS, region=[""] * N_UNITS)}
    groupings = [
        labels_of_pairs(kind, "day1", codes(one.first)) for kind, (one,) in planted.items()
    ]
    pairs = compare(units, *groupings)
    table = units["day1"][["unit_id"]]
    return agreement_section(table, groupings, pairs, [], tests)


def test_the_section_shows_the_test_beside_what_is_only_described(planted):
    (test,) = over_halves(planted)
    section = section_of(planted, [test])
    assert unclear(section) == []
    figure = next(part for part in section.body if isinstance(part, Figure) and part.id == "halves")
    assert lacking(figure.caption) == []
    bars = dict(zip(figure.panels[0].labels, figure.panels[0].values, strict=True))
    assert bars["different halves"] == pytest.approx(test.ari)
    assert len(bars) == 5
    assert figure.panels[0].reference == pytest.approx(test.chance_high)
    table = next(
        part for part in section.body if isinstance(part, Table) and part.id == "halves-table"
    )
    assert table.columns["p"] == (0.005,)
    assert "from different halves of the data" in section.sentence
    assert section.numbers["clusters_and_types_halves_p"] == 0.005
    described = next(part for part in section.body if isinstance(part, Figure))
    assert described.id == "pair-1"
    assert "p = 0.005" in described.finding  # of halves, beside the index of all of the data


def test_the_section_says_what_was_not_tested_and_draws_nothing_of_it(planted):
    (test,) = over_halves({"clusters": [], "types": []}, reasons={"clusters": "a", "types": "b"})
    section = section_of(planted, [test])
    assert not [part for part in section.body if isinstance(part, Figure) and part.id == "halves"]
    table = next(
        part for part in section.body if isinstance(part, Table) and part.id == "halves-table"
    )
    assert table.columns["chance"] == ("not tested: clusters: a; types: b",)
    assert "not tested (same activity)" in section.sentence
