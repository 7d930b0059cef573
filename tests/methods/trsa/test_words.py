"""What checks, figures and words say: only what the data allow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Figure, Heatmap, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.figures import figures
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.section import section
from pipeline.methods.trsa.simulate import simulate
from pipeline.viz.points import hulls
from tests.support.captions import lacking
from tests.support.key_numbers import sentence_ends, unclear
from tests.support.trsa_fits import CONFIG, fitted


def told(views, truth=None, config=CONFIG):
    result = fitted(views, config)
    checks = assess(result, tuple(views), config, truth=truth)
    drawn = figures(result, tuple(views), config, truth=truth)
    return result, checks, drawn, section(result, checks, drawn, config)


def words_of(made):
    parts = [made.sentence, made.further]
    for part in made.body:
        if isinstance(part, str):
            parts.append(part)
        else:
            parts.append(part.caption)
            if isinstance(part, Figure):
                parts.append(part.finding)
    return " ".join(parts)


@pytest.fixture(scope="module")
def one():
    views, truth = simulate(stream(7, "one"))
    return told(views, truth)


@pytest.fixture(scope="module")
def several():
    views, truth = simulate(stream(7, "several"), size="subjects")
    models = ["direction_deg:circular", "direction_deg"]
    return told(views, truth, CONFIG.model_copy(update={"models": models}))


def test_one_recording_makes_no_claim_about_animals(one):
    text = words_of(one[3])
    assert "in this recording" in one[3].sentence.lower()
    assert "Nothing is said about other animals" in text
    assert "subjects regions are recognised" not in text
    assert "Over 1 subjects" not in text


def test_several_subjects_are_told_with_their_number(several):
    assert "Over 5 subjects" in several[3].sentence
    assert {figure.id for figure in several[2]} >= {"across", "families"}
    verdicts = {check.name: check.status for check in several[1]}
    assert verdicts["Subjects for a test"] == "pass"


def test_reliabilities_are_told_with_what_they_rest_on_and_what_they_allow(one):
    result, _, _, made = one
    first = result.populations.iloc[0]
    behind = (
        f"{first['region']} {first['reliability']:z.2f} (95 % range "
        f"{first['reliability_low']:z.2f} to {first['reliability_high']:z.2f}, "
        f"{first['n_units']} units at {first['rate_hz']:z.2g} Hz, {first['n_folds']} repeats)"
    )
    assert behind in made.further
    assert f"{result.region_pairs['ceiling'].max():.2f} (noise ceiling)" in made.further
    assert "By ranks alone, for which no level is chosen" in made.further


def reliability_finding(result, reliability):
    kept = result.populations.assign(reliability=reliability)
    drawn = figures(dataclasses.replace(result, populations=kept), (), CONFIG)
    return next(figure for figure in drawn if figure.id == "reliability").finding


def test_no_region_agrees_best_where_there_is_one_or_none_agrees(one):
    n = len(one[0].populations)
    assert "agree best" in reliability_finding(one[0], 0.5)
    alone = reliability_finding(one[0], [0.5, *[np.nan] * (n - 1)])
    assert "agree with a rank correlation of 0.50." in alone
    assert "of no region agree (the largest rank correlation" in reliability_finding(one[0], -0.1)
    single = reliability_finding(one[0], [-0.1, *[np.nan] * (n - 1)])
    assert "do not agree (rank correlation -0.10)" in single


def test_levels_that_were_chosen_without_the_judged_subject_come_first(several):
    result, _, _, made = several
    nested = f"({100 * result.subjects.nested_accuracy:.0f} % with levels chosen without"
    assert nested in made.sentence
    assert "% by chance; p = " in made.sentence


@pytest.mark.parametrize(("case", "name"), [("one", "within"), ("several", "across")])
def test_the_best_levels_are_framed_on_the_map_with_their_corrected_p(case, name, request):
    result, _, drawn, _ = request.getfixturevalue(case)
    panel = next(figure for figure in drawn if figure.id == name).panels[0]
    (cell,) = panel.outlined
    assert panel.values[cell] == np.nanmax(panel.values)
    found = result.halves.all_p_corrected if name == "within" else result.subjects.p_corrected
    assert panel.outlined_title == f"best levels (corrected p = {np.nanmin(found):.2g})"
    lower, upper = (panel.x_labels[cell[1]], panel.y_labels[cell[0]])
    assert f"at the best levels ({lower} to {upper}" in words_of(request.getfixturevalue(case)[3])


def test_grey_is_told_as_what_it_is(one):
    flat = one[0].dissimilarities.copy()
    flat[:, 0] = 1.0
    changed = figures(dataclasses.replace(one[0], dissimilarities=flat), (), CONFIG)
    panels = changed[0].panels
    told = [panel.missing_title for panel in panels]
    assert told[0] == "all pairs alike"
    assert told[3] == "same condition"
    for panel, words in zip(panels, told, strict=True):
        assert np.isnan(panel.values).all() == (words == "all pairs alike")
    levels = next(figure for figure in changed if figure.id == "within").panels[0]
    assert levels.missing_title == "no pair of levels"


def test_regions_with_few_populations_have_no_outline_and_no_words_on_it(one, several):
    for case, outlined in ((one, False), (several, True)):
        figure = next(figure for figure in case[2] if figure.id == "regions")
        assert bool(hulls(figure.panels[0])) == outlined
        assert ("Outlines: the smallest convex shapes" in figure.caption) == outlined


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        ({}, True),
        ({"stabilised": "none", "value_unit": "Hz"}, True),
        ({"kind": "calcium"}, False),
        ({"baseline": "the activity before the trial is subtracted"}, False),
    ],
)
def test_rates_are_told_only_where_responses_are_rates(changed, known):
    views, _ = simulate(stream(7, "rates"))
    (session,) = sample_of([dataclasses.replace(views[0], **changed)], CONFIG).sessions
    responses = session.responses
    rate = responses if changed.get("stabilised") == "none" else responses**2
    expected = rate.mean(axis=0) if known else np.full(responses.shape[1], np.nan)
    np.testing.assert_allclose(session.rate_hz, expected)


def test_rates_behind_anscombe_counts_are_those_of_the_counts():
    views, _ = simulate(stream(7, "rates"))
    counts = views[0].responses ** 2
    half_second = np.array([0.0, 0.5])
    view = dataclasses.replace(
        views[0],
        responses=2 * np.sqrt(counts + 3 / 8),
        stabilised="anscombe",
        window_s=half_second,
    )
    (session,) = sample_of([view], CONFIG).sessions
    np.testing.assert_allclose(session.rate_hz, counts.mean(axis=0) / 0.5, rtol=1e-5)


@pytest.mark.parametrize(("case", "by"), [("one", "halves of the data"), ("several", "subjects")])
def test_the_index_has_first_how_well_regions_are_recognised(case, by, request):
    made = request.getfixturevalue(case)[3]
    assert unclear(made) == []
    assert by in made.key_numbers[0].name


@pytest.mark.parametrize("case", ["one", "several"])
def test_every_figure_has_all_its_words_and_numbers(case, request):
    for figure in request.getfixturevalue(case)[2]:
        assert figure.finding.endswith(".")
        assert "nan" not in figure.finding.lower().split()
        assert lacking(figure.caption) == [], figure.id
        for panel in figure.panels:
            if isinstance(panel, Heatmap) and panel.x_labels:
                assert panel.values.shape == (len(panel.y_labels), len(panel.x_labels))


def test_every_figure_and_table_of_the_body_is_of_this_result(several):
    _, _, drawn, made = several
    shown = [part.id for part in made.body if isinstance(part, Figure)]
    assert sorted(shown) == sorted(figure.id for figure in drawn)
    assert "model-pairs" in {part.id for part in made.body if isinstance(part, Table)}
    for part in made.body:
        if isinstance(part, Table):
            assert len({len(column) for column in part.columns.values()}) == 1


def test_regions_are_told_with_sensitivity_and_specificity_beside_the_confusions(several):
    result, _, _, made = several
    ids = [part.id for part in made.body if not isinstance(part, str)]
    assert ids[ids.index("across") + 1] == "recognition"
    table = next(part for part in made.body if isinstance(part, Table) and part.id == "recognition")
    assert table.columns["region"] == tuple(result.subjects.region)
    assert set(table.columns["subjects"]) == {5}
    own = np.diagonal(result.subjects.rank_confusion)
    np.testing.assert_allclose(table.columns["sensitivity"], own, atol=1e-3)
    np.testing.assert_allclose(
        table.columns["sensitivity at best levels"],
        np.diagonal(result.subjects.confusion),
        atol=1e-3,
    )


def test_regions_of_a_recording_are_told_with_ranges_beside_what_regroupings_reach(one):
    result, _, drawn, made = one
    halves = result.halves
    at = int(np.flatnonzero((result.level_bounds == [0, 1]).all(axis=1))[0])
    bars = next(figure for figure in drawn if figure.id == "within").panels[1]
    ranks, chance = bars.labels.index("ranks"), bars.labels.index("ranks, chance")
    assert bars.values[ranks] == pytest.approx(halves.all_accuracy[at], abs=1e-4)
    assert bars.lower[ranks] == pytest.approx(halves.accuracy_low, abs=1e-4)
    assert (bars.lower[chance], bars.upper[chance]) == pytest.approx(halves.all_regrouped[at])
    best = len(bars.labels) - 2
    assert np.isnan(bars.lower[best])  # chosen on the same data
    assert "95 % range over units and conditions" in made.further
    ids = [part.id for part in made.body if not isinstance(part, str)]
    assert ids[ids.index("within") + 1] == "recognition-within"
    words = next(part.caption for part in made.body if getattr(part, "id", "") == ids[0])
    assert words
    table = next(part for part in made.body if getattr(part, "id", "") == "recognition-within")
    assert "says nothing about these regions in other animals" in table.caption
    rows = halves.recognition
    assert rows["sensitivity"].mean() == pytest.approx(halves.all_accuracy[at])
    assert (rows["sensitivity_low"].dropna() <= rows["sensitivity"]).all()
    assert halves.taken.groupby("region")["share"].sum().to_numpy() == pytest.approx(1)
    own = halves.taken[halves.taken["region"] == halves.taken["assigned"]]
    np.testing.assert_allclose(own["share"], rows["sensitivity"])
    np.testing.assert_allclose(own["chance"], rows["sensitivity_chance"])


def test_the_share_that_single_trials_tell_has_a_range_in_figure_and_table(one):
    result, _, drawn, made = one
    told = next(figure for figure in drawn if figure.id == "reliability").panels[2]
    np.testing.assert_allclose(told.values, result.populations["decoding"], atol=1e-4)
    np.testing.assert_allclose(told.lower, result.populations["decoding_low"], atol=1e-4)
    assert told.reference == 1 / 8
    table = next(part for part in made.body if getattr(part, "id", "") == "populations")
    assert len(table.columns["decoded from"]) == 3
    assert "decoded_low" not in made.numbers
    assert len(made.numbers["decoding_low"]) == 3


def test_a_p_is_explained_where_the_table_has_one_and_only_there(several):
    result, checks, drawn, made = several
    every_p = {
        "populations": ["reliability_p"],
        "region_pairs": ["relation_p", "relation_p_adjusted"],
        "model_scores": ["p", "p_adjusted", "below_ceiling_p"],
        "model_pairs": ["p", "p_adjusted"],
        "persistence": ["p", "p_adjusted", "universal_p"],
    }
    emptied = {
        name: getattr(result, name).assign(**dict.fromkeys(columns, np.nan))
        for name, columns in every_p.items()
    }
    untested = dataclasses.replace(
        result,
        **emptied,
        relation_missing="too few",
        model_missing="too few",
        # All decisions tied.
        subjects=dataclasses.replace(result.subjects, rank_confusion=np.full((3, 3), 1 / 3)),
    )
    without = section(untested, checks, drawn, CONFIG)
    names = {"region-pairs": "p of relation", "recognition": "from"}
    explained = {
        "populations": "its p shuffles",
        "region-pairs": "p from shuffles",
        "model-scores": "p: shuffles",
        "model-pairs": "p: two-sided",
        "holes": "p: of the longest bar",
        "recognition": "Clopper-Pearson",
    }
    for told, known in ((made, True), (without, False)):
        tables = {part.id: part for part in told.body if isinstance(part, Table)}
        for name, words in explained.items():
            assert (names.get(name, "p") in tables[name].columns) == known, name
            assert (words in tables[name].caption) == known, name
        assert ("p of ratios:" in tables["holes"].caption) == known
        assert ("p against ceiling:" in tables["model-scores"].caption) == known
        assert ("There is no p: too few." in tables["model-pairs"].caption) != known


def test_a_region_in_a_plane_of_its_own_is_named_as_a_confound():
    views, _ = simulate(stream(7, "one"))
    _, _, _, made = told([dataclasses.replace(views[0], stratum=views[0].region)])
    assert "the difference may be one of planes or probes" in made.sentence
    assert sentence_ends(made.sentence) == 1


def test_what_is_not_significant_is_not_called_the_same():
    views, _ = simulate(stream(8, "same"))
    mixed = dataclasses.replace(views[0], region=stream(8, "mixed").permutation(views[0].region))
    result, _, _, made = told([mixed])
    assert result.halves.all_separation_p > 0.05
    assert "not distinguishable" in made.sentence
    assert "that does not make them the same" in made.sentence
    assert sentence_ends(made.sentence) == 1


def test_a_fixed_order_is_a_confound_on_the_first_screen():
    views, _ = simulate(stream(8, "order"))
    _, checks, _, made = told([dataclasses.replace(views[0], fixed_order=True, gapless=True)])
    check = next(check for check in checks if check.name == "Order of conditions")
    assert check.status == "warn"
    assert made.status == "warn"
    assert "have no p" in words_of(made)


def test_too_few_subjects_are_told_without_a_p():
    views, _ = simulate(stream(8, "two"), size="subjects")
    _, checks, _, made = told(views[:2])
    assert next(c for c in checks if c.name == "Subjects for a test").status == "warn"
    assert "is impossible" in words_of(made)
    assert "families" not in {part.id for part in made.body if isinstance(part, Figure)}


def test_courses_are_drawn_with_their_stretches():
    views, _ = simulate(stream(8, "time"))
    courses = np.repeat(views[0].responses[:, :, None], 4, axis=2)
    view = dataclasses.replace(views[0], time_bin=np.arange(4) / 4 + 0.125, courses=courses)
    result, _, drawn, made = told([view])
    by_id = {figure.id: figure for figure in drawn}
    assert {"time", "trajectories"} <= set(by_id)
    assert ("Regions separate from" in by_id["time"].finding) == (
        result.courses.stretches["p"] <= 0.05
    ).any()
    assert "trajectories" in [part.id for part in made.body if isinstance(part, Figure)]


def test_planted_geometries_are_compared(one):
    check = next(check for check in one[1] if check.name == "Planted geometries found")
    assert check.status == "pass"
    assert any(figure.id == "truth" for figure in one[2])


def test_a_single_region_is_shown_without_comparison():
    views, _ = simulate(stream(8, "single"))
    alone = dataclasses.replace(views[0], region=np.full(views[0].region.size, "all"))
    result, _, drawn, made = told([alone])
    assert result.halves is None
    assert "within" not in {figure.id for figure in drawn}
    assert "regions are not compared" in made.sentence
    assert sentence_ends(made.sentence) == 1


def test_four_conditions_are_compared_and_the_report_says_what_intervals_are_worth():
    view = simulate(stream(7, "one"))[0][0]
    kept = view.condition_of_trial < 4
    few = dataclasses.replace(
        view,
        condition=view.condition[:4],
        properties=view.properties.iloc[:4],
        condition_of_trial=view.condition_of_trial[kept],
        fold=view.fold[kept],
        start_s=view.start_s[kept],
        responses=view.responses[kept],
        valid=view.valid[kept],
    )
    config = CONFIG.model_copy(update={"n_comparisons": 9, "n_permutations": 19})
    result, checks, _, _ = told((few,), config=config)
    assert result.comparisons["value"].notna().any()
    check = next(check for check in checks if check.name == "Conditions")
    assert check.status == "warn"
    assert "resampled also where they are so few" in check.meaning


def test_both_noise_ceilings_are_drawn_and_explained(one, several):
    result, _, drawn, _ = several
    figure = next(figure for figure in drawn if figure.id == "models")
    ceiling = result.noise_ceiling.set_index("region")
    for panel in figure.panels:
        known = ceiling.loc[panel.title]
        assert panel.reference == pytest.approx(known["lower"], abs=1e-4)
        assert panel.reference_to == pytest.approx(known["upper"], abs=1e-4)
        assert panel.reference_to > panel.reference
        assert panel.reference_label == "noise ceiling, lower to upper"
    assert "Dashed lines and the band between them: the noise ceiling" in figure.caption
    for alone in [figure for figure in one[2] if figure.id == "models"]:
        assert "the band between" not in alone.caption
        assert all(panel.reference_to is None for panel in alone.panels)


def test_each_region_is_drawn_before_one_is_drawn_twice(several):
    result, _, drawn, _ = several
    figure = next(figure for figure in drawn if figure.id == "dissimilarities")
    names = [panel.title.split(":")[0] for panel in figure.panels[::3]]
    regions = list(dict.fromkeys(result.populations["region"]))
    for turn in range(0, len(names), len(regions)):
        assert [any(region in name for name in names[turn : turn + 3]) for region in regions] == [
            True
        ] * len(regions)


def test_folds_without_a_score_are_told(several):
    result, checks, drawn, made = several
    table = next(
        part for part in made.body if isinstance(part, Table) and part.id == "model-scores"
    )
    assert "left out of the mean" not in table.caption
    changed = result.model_scores.assign(undefined=0.25)
    again = section(dataclasses.replace(result, model_scores=changed), checks, drawn, CONFIG)
    table = next(p for p in again.body if isinstance(p, Table) and p.id == "model-scores")
    assert "In up to 25 % of the folds (column 'without a score')" in table.caption
    assert "without a score" in table.columns
