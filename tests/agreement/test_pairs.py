"""Groupings two by two: planted equal, independent, pooled units, and what is not tested."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.agreement.pairs import SAME_DATA, compare_pairs
from pipeline.agreement.section import agreement_section, valid_for_all
from pipeline.agreement.unit_table import activity_levels, positions, regions, unit_table
from pipeline.core.labelling import Association, UnitLabels, item_names
from pipeline.core.parts import Figure, Table
from pipeline.core.quality import Grades
from pipeline.core.rng import stream
from pipeline.numerics.permutation import largest_p_values
from tests.support.captions import lacking
from tests.support.key_numbers import unclear


def units_of(n, *, region, identity=None):
    return pd.DataFrame(
        {
            "unit_id": [f"u{at}" for at in range(n)],
            "region": region,
            "identity": identity if identity is not None else [""] * n,
            "identity_certain": [identity is not None] * n,
            "good": True,
            "reason": "",
        }
    )


def labels(kind, recording, label, *, name=None, from_activity=True, item=None):
    unit = np.array([f"u{at}" for at in range(len(label))])
    return UnitLabels(
        name=name or kind,
        kind=kind,
        from_activity=from_activity,
        recording=np.full(unit.size, recording),
        unit=unit,
        item=item_names(recording, unit) if item is None else np.asarray(item),
        label=np.asarray(label).astype(np.str_),
        probability=np.full(unit.size, 0.9),
    )


def compare(units, *groupings, n=199):
    levels = activity_levels(units, {})
    ids = {name: list(table["unit_id"]) for name, table in units.items()}
    return compare_pairs(
        groupings,
        levels=levels,
        places=positions(units),
        unit_ids=ids,
        n_permutations=n,
        least=10,
        seed=0,
    )


@pytest.fixture
def areas():
    return stream(0, "areas").integers(0, 3, 60).astype(np.str_)


def test_clusters_that_are_the_regions_are_found_and_others_are_not(areas):
    units = {"day1": units_of(60, region=areas)}
    shuffled = stream(1, "shuffle").permutation(areas)
    (same,) = compare(units, regions(units), labels("clusters", "day1", areas))
    (apart,) = compare(units, regions(units), labels("clusters", "day1", shuffled))
    assert (same.ari, same.ami) == (pytest.approx(1), pytest.approx(1))
    assert same.p_value == pytest.approx(1 / 200)
    assert apart.p_value > 0.05
    assert abs(apart.ari) < 0.1


def test_groupings_of_the_same_activity_are_described_and_not_tested(areas):
    units = {"day1": units_of(60, region=[""] * 60)}
    (pair,) = compare(units, labels("clusters", "day1", areas), labels("types", "day1", areas))
    assert pair.ari == pytest.approx(1)
    assert np.isnan(pair.p_value)
    assert pair.null == SAME_DATA


def test_of_several_communities_each_has_a_p_that_holds_for_all(areas):
    units = {"day1": units_of(60, region=areas)}
    other = stream(2, "other").permutation(areas)
    pairs = compare(
        units,
        regions(units),
        labels("communities", "day1", other, name="community of component 1"),
        labels("communities", "day1", areas, name="community of component 2"),
    )
    assert [pair.second for pair in pairs] == [
        "community of component 1",
        "community of component 2",
    ]
    assert pairs[1].p_value == pytest.approx(1 / 200)
    assert "largest of 2" in pairs[0].null


def test_a_neuron_seen_in_two_recordings_counts_once(areas):
    names = [f"AVA{at}" for at in range(60)]
    units = {name: units_of(60, region=areas, identity=names) for name in ("a", "b")}
    groupings = [
        labels("communities", name, areas, name="community of component 1", item=names)
        for name in ("a", "b")
    ]
    both = UnitLabels(
        name="community of component 1",
        kind="communities",
        from_activity=True,
        **{
            key: np.concatenate([getattr(one, key) for one in groupings])
            for key in ("recording", "unit", "item", "label", "probability")
        },
    )
    (pair,) = compare(units, regions(units), both)
    assert (pair.n_units, pair.n_recordings) == (60, 1)


def test_too_few_common_units_are_no_pair():
    units = {"day1": units_of(9, region=list("abcabcabc"))}
    assert compare(units, regions(units), labels("clusters", "day1", list("abcabcabc"))) == ()


def test_all_labels_of_a_unit_stand_in_one_row_and_the_section_tells_them(areas):
    units = {"day1": units_of(60, region=areas), "day2": units_of(3, region=["x", "", "x"])}
    grades = {"day1": Grades(units={"remarks": ("slow drift", *[None] * 59)})}
    clusters = labels("clusters", "day1", areas, name="cluster")
    groupings = [regions(units), clusters]
    table = unit_table(units, grades, groupings)
    assert table.columns.tolist() == [
        *("recording", "unit", "name", "region", "cluster", "cluster probability"),
        *("used", "reason", "remarks"),
    ]
    assert len(table) == 63
    assert table["cluster"].tolist() == [*areas, "", "", ""]
    assert table["remarks"].tolist() == ["slow drift", *[""] * 62]
    section = agreement_section(table, groupings, compare(units, *groupings), [], ())
    assert section.status == "ok"
    assert "ARI 1.00 of 60 units, p = 0.005" in section.sentence
    assert unclear(section) == []
    figure = next(part for part in section.body if isinstance(part, Figure))
    np.testing.assert_allclose(figure.panels[0].values, np.eye(3))
    assert lacking(figure.caption) == []
    assert section.numbers["regions_and_clusters_ari"] == 1.0


def test_units_that_a_file_names_stand_with_their_names(areas):
    units = {"day1": units_of(3, region=["a", "b", "b"], identity=["AVAL", "", "RIML"])}
    units["day1"].loc[2, "identity_certain"] = False
    table = unit_table(units, {}, [regions(units)])
    assert table.columns.tolist()[:4] == ["recording", "unit", "name", "identity"]
    assert table["name"].tolist() == ["AVAL", "u1", "RIML?"]
    assert table["identity"].tolist() == ["AVAL", "", "RIML?"]


def test_a_single_grouping_is_listed_and_nothing_is_compared():
    units = {"day1": units_of(60, region=["V1"] * 60)}
    clusters = labels("clusters", "day1", np.arange(60) % 2, name="cluster")
    groupings = [regions(units), clusters]
    assert compare(units, *groupings) == ()
    section = agreement_section(unit_table(units, {}, groupings), groupings, (), [], ())
    assert section.status == "not_applicable"
    assert section.reason == (
        "there are clusters and nothing else to hold against them; column 'region' of the sheet "
        "names regions"
    )
    assert [part.id for part in section.body if isinstance(part, Table)] == ["units"]


def beside(*p_values, family=""):
    """States beside as many components as there are p values."""
    return [
        Association(
            recording="day1",
            first="states",
            second=f"component {at}",
            measure="variance explained (share)",
            value=0.5,
            p_value=p,
            null="shifts",
            family=family,
        )
        for at, p in enumerate(p_values, start=1)
    ]


def told_of_moments(areas, moments):
    units = {"day1": units_of(60, region=areas)}
    table = unit_table(units, {}, [regions(units)])
    section = agreement_section(table, [], [], moments, ())
    shown = next(part for part in section.body if isinstance(part, Table) and part.id == "moments")
    return section, shown.columns["adjusted p"]


def test_what_is_small_is_counted_after_adjustment_for_all_comparisons(areas):
    section, p = told_of_moments(areas, beside(0.001, 0.02, 0.03, 0.04, *[0.5] * 16, np.nan))
    assert section.sentence == (
        "1 of 20 comparisons of states or components with epochs and each other has p <= 0.05, "
        "adjusted for all of them."
    )
    assert p[:2] == (0.02, 0.4)
    assert (p[4], p[-1]) == (1.0, None)
    assert section.numbers["n_moments_tested"] == 20
    assert section.numbers["n_moments_small_adjusted_p"] == 1


def test_p_of_the_largest_of_several_is_not_adjusted_for_these_again(areas):
    moments = [*beside(0.01, 0.02, 0.03, family="a"), *beside(0.02, 0.04, family="b")]
    section, p = told_of_moments(areas, moments)
    assert p == pytest.approx((0.02, 0.04, 0.06, 0.04, 0.08))
    assert section.sentence.startswith("3 of 5 comparisons")
    assert told_of_moments(areas, moments[:3])[1] == (0.01, 0.02, 0.03)


def test_a_group_of_one_unit_is_not_what_a_finding_tells():
    region = np.repeat(["a", "b"], 30)
    cluster = np.array(["1"] * 29 + ["0"] + ["1"] * 10 + ["2"] * 20)
    units = {"day1": units_of(60, region=region)}
    groupings = [labels("clusters", "day1", cluster, name="cluster"), regions(units)]
    section = agreement_section(
        unit_table(units, {}, groupings), groupings, compare(units, *groupings), [], ()
    )
    finding = next(part for part in section.body if isinstance(part, Figure)).finding
    assert "of 20 units in cluster 2, 100 % are in region b" in finding


def test_adjusted_p_of_independent_families_is_small_as_rarely_as_it_says():
    rng = stream(5, "families")
    families = np.repeat(np.arange(4), 6)
    false = 0
    for _ in range(400):
        null, seen = rng.standard_normal((4, 99, 6)), rng.standard_normal((4, 6))
        p = [largest_p_values(one, draws) for one, draws in zip(seen, null, strict=True)]
        false += min(valid_for_all(np.concatenate(p).tolist(), families.tolist())) <= 0.05
    assert 0.02 < false / 400 < 0.08


def test_p_of_several_pairs_is_told_with_its_adjustment(areas):
    units = {"day1": units_of(60, region=areas)}
    groupings = [
        regions(units),
        labels("clusters", "day1", areas, name="cluster"),
        labels("types", "day1", areas, name="type"),
    ]
    pairs = compare(units, *groupings)
    section = agreement_section(unit_table(units, {}, groupings), groupings, pairs, [], ())
    assert "p = 0.005 (0.01 adjusted for 2 comparisons)" in section.sentence
    shown = next(part for part in section.body if isinstance(part, Table) and part.id == "pairs")
    assert shown.columns["adjusted p"] == (0.01, 0.01, None)
    assert section.numbers["regions_and_types_adjusted_p"] == 0.01


@pytest.mark.slow
def test_p_of_regions_is_uniform_for_unrelated_clusters_whose_rates_differ():
    """Regions differ in rate, clusters too: exchanges within thirds of rate allow for most."""
    rng, p = stream(3, "calibration"), []
    for _ in range(200):
        rate = rng.gamma(2, 2, 90)
        area = np.where(rng.random(90) < np.clip(rate / 10, 0.1, 0.9), "V1", "LM")
        cluster = (rate > 4).astype(int) + 2 * rng.integers(0, 2, 90)
        units = {"day1": units_of(90, region=area)}
        levels = {"day1": rate}
        (pair,) = compare_pairs(
            [regions(units), labels("clusters", "day1", cluster)],
            levels=levels,
            places=positions(units),
            unit_ids={"day1": list(units["day1"]["unit_id"])},
            n_permutations=99,
            least=10,
            seed=int(rng.integers(2**31)),
        )
        p.append(pair.p_value)
    assert np.mean(np.array(p) <= 0.05) < 0.11


def test_where_positions_make_a_map_it_is_turned_as_well(areas):
    rng = stream(4, "map")
    units = {"day1": units_of(60, region=areas)}
    units["day1"]["x_um"] = 100 * (areas.astype(int) + rng.normal(0, 0.2, 60))
    units["day1"]["y_um"] = rng.normal(0, 100, 60)
    (pair,) = compare(units, regions(units), labels("clusters", "day1", areas))
    assert "turned maps" in pair.null
    assert 1 / 200 < pair.p_value < 0.2


def test_a_recording_without_positions_leaves_the_maps_of_others(areas):
    rng = stream(4, "map")
    units = {"day1": units_of(60, region=areas), "day2": units_of(60, region=areas)}
    units["day1"]["x_um"] = 100 * (areas.astype(int) + rng.normal(0, 0.2, 60))
    units["day1"]["y_um"] = rng.normal(0, 100, 60)
    both = [labels("clusters", name, areas) for name in units]
    joined = dataclasses.replace(
        both[0],
        **{
            key: np.concatenate([getattr(one, key) for one in both])
            for key in ("recording", "unit", "item", "label", "probability")
        },
    )
    (pair,) = compare(units, regions(units), joined)
    assert "and turned maps of 1 of 2 recordings, whichever gives the larger p" in pair.null
    assert pair.n_recordings == 2
