"""Planted groups stand beside found ones, also where another kind was planted."""

from __future__ import annotations

import numpy as np

from pipeline.agreement.pairs import Pair
from pipeline.agreement.planted import beside_planted, planted_agreement
from pipeline.core.labelling import Association, UnitLabels
from pipeline.core.planted import Planted

UNITS = [str(number) for number in range(8)]
HALVES, QUARTERS = list("aaaabbbb"), list("aabbccdd")


def labels(kind, label, *, from_activity=True, name=""):
    return UnitLabels(
        name=name or kind,
        kind=kind,
        from_activity=from_activity,
        recording=np.full(len(UNITS), "one"),
        unit=np.array(UNITS),
        item=np.array(UNITS),
        label=np.array(label),
        probability=np.full(len(UNITS), np.nan),
    )


def pair(*kinds, ari=0.5):
    return Pair(
        first=kinds[0],
        second=kinds[1],
        kinds=kinds,
        n_recordings=1,
        ari=ari,
        ami=ari,
        p_value=np.nan,
        null="",
        first_label=np.array(HALVES),
        second_label=np.array(HALVES),
    )


CLUSTERS = Planted(
    words="2 clusters of units",
    moments="states that go with no epoch",
    kind="clusters",
    groups=dict(zip(UNITS, HALVES, strict=True)),
)
REGIONS = labels("regions", HALVES, from_activity=False)
COURSES = Association(
    recording="", first="component 1", second="epochs", measure="", value=1, p_value=0.1, null=""
)


def test_planted_groups_and_what_the_file_names_are_held_against_each_other():
    told = planted_agreement(
        [CLUSTERS],
        [REGIONS, labels("clusters", QUARTERS), labels("types", QUARTERS)],
        [pair("regions", "clusters", ari=0.4), pair("types", "clusters")],
        [],
    )
    assert told == "Planted: regions and clusters with ARI 1.00 (found 0.40); no types."


def test_what_was_planted_in_time_stands_beside_comparisons_of_moments():
    told = planted_agreement([CLUSTERS], [], [], [COURSES])
    assert told == (
        "Planted: states that go with no epoch, found: 0 of 1 comparison with p <= 0.05."
    )


def test_without_a_planted_side_of_any_pair_the_words_say_what_the_simulation_holds():
    assert planted_agreement([CLUSTERS], [], [pair("types", "communities")], []) == (
        "Nothing of this kind was planted in these simulated recordings, which hold "
        "2 clusters of units."
    )


def test_groups_of_another_kind_are_held_against_what_was_planted():
    found = [labels("types", QUARTERS), labels("regions", HALVES, from_activity=False)]
    assert beside_planted(found, [CLUSTERS]) == "Types agree with the planted clusters by ARI 0.36."
    several = [labels("communities", one, name=one[1]) for one in (QUARTERS, HALVES)]
    assert beside_planted(several, [CLUSTERS, Planted(words="x")]) == (
        "Communities (the best of 2) agree with the planted clusters by ARI 1.00."
    )
    assert beside_planted([], [CLUSTERS]) == ""
