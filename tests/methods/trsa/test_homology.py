"""Holes of whole samples: what clouds are made of, fair shuffles, and what is said of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa.config import HomologyConfig, TrsaConfig
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.figures import figures
from pipeline.methods.trsa.homology import clouds_of, repeats_of, seconds, shuffled
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.persistence import observed
from pipeline.methods.trsa.populations import region_dissimilarities
from pipeline.methods.trsa.result import PartResult
from pipeline.methods.trsa.section import section
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.topology import MIN_STATES, rolled_units, shuffled_conditions
from pipeline.numerics.dissimilarity import average_ranks, condensed_form
from tests.support.trsa_fits import CONFIG, PROVENANCE, fitted


def configured(**asked):
    return TrsaConfig(homology=HomologyConfig(n_shuffles=19, **asked))


def view_of(responses, condition, fold, template):
    """The template's view with other trials and units, of one region."""
    n_units = responses.shape[1]
    names = np.array([f"c{code}" for code in range(condition.max() + 1)])
    return dataclasses.replace(
        template,
        unit=np.array([f"u{unit}" for unit in range(n_units)]),
        region=np.full(n_units, "V1"),
        stratum=np.full(n_units, ""),
        position_um=np.full((n_units, 3), np.nan),
        condition=names,
        condition_of_trial=condition,
        fold=fold,
        start_s=np.arange(condition.size, dtype=float),
        responses=responses.astype(np.float32),
        valid=np.ones(responses.shape, dtype=bool),
        properties=template.properties.iloc[:0]
        .reindex(range(names.size))
        .assign(condition=names, direction_deg=0.0),
    )


def trials_of(patterns, n_repeats, rng, *, noise=1.0):
    """Repeats of patterns (condition, unit) with noise, and their codes."""
    n_conditions = len(patterns)
    responses = np.tile(patterns, (n_repeats, 1)) + noise * rng.normal(
        size=(n_repeats * n_conditions, patterns.shape[1])
    )
    condition = np.tile(np.arange(n_conditions), n_repeats)
    return responses, condition, np.repeat(np.arange(n_repeats), n_conditions)


@pytest.fixture(scope="module")
def template():
    return simulate(stream(1, "holes"))[0][0]


@pytest.fixture(scope="module")
def ring(template):
    rng = stream(2, "ring")
    angle = np.arange(24) * 2 * np.pi / 24
    preferred = rng.uniform(0, 2 * np.pi, 40)
    patterns = 3 * np.exp(2 * (np.cos(angle[:, None] - preferred) - 1))
    return view_of(*trials_of(patterns, 6, rng), template)


def table_of(view, config, seed=3):
    sample = sample_of((view,), config)
    order = "none" if config.condition_order == "auto" else config.condition_order
    clouds = clouds_of(sample, config, order)
    longest, alive = shuffled(clouds, config.homology.n_shuffles, stream(seed, "shuffles"))
    part = PartResult(
        name="homology-000", longest_bars=longest, betti_curves=alive, provenance=PROVENANCE
    )
    return observed(sample, clouds, [part], config)


def loops(found, source="conditions"):
    table = found.table
    return table[(table["source"] == source) & (table["dimension"] == 1)].iloc[0]


@pytest.mark.parametrize("estimator", ["crossnobis", "correlation", "mahalanobis2", "euclidean"])
def test_bars_are_those_of_the_first_estimator(template, estimator):
    config = TrsaConfig(estimators=[estimator])
    sample = sample_of((template,), config)
    cloud = clouds_of(sample, config, "none")[0]
    expected = region_dissimilarities(sample.sessions[0], 0, 8, estimator, config)
    np.testing.assert_allclose(cloud.measured(cloud.responses), expected, atol=1e-10)
    np.testing.assert_allclose(
        condensed_form(cloud.distances(cloud.responses)), average_ranks(expected) / 28
    )


def test_repeats_without_all_conditions_become_repeats_with_all(template):
    kept = np.ones(template.fold.size, dtype=bool)
    kept[np.flatnonzero((template.fold == 0) & (template.condition_of_trial == 3))] = False
    view = dataclasses.replace(
        template,
        condition_of_trial=template.condition_of_trial[kept],
        fold=template.fold[kept],
        start_s=template.start_s[kept],
        responses=template.responses[kept],
        valid=template.valid[kept],
    )
    session = sample_of((view,), TrsaConfig()).sessions[0]
    found = repeats_of(session, 0, 8)
    assert found.shape == (8, 20, 7)
    trials = session.responses[session.condition == 0][:, :20]
    np.testing.assert_allclose(found[0, :, 0], trials[[0, 7]].mean(axis=0))
    np.testing.assert_allclose(found[0, :, 3], trials[3])


def test_shuffles_keep_repeats_together():
    responses = stream(4, "repeats").random((9, 5, 3))
    for shuffle in (shuffled_conditions, rolled_units):
        found = shuffle(responses, stream(5, "shuffles"))
        first = np.argmax(found[0, 2, 0] == responses[:, 2, 0])
        np.testing.assert_array_equal(found[0, 2], responses[first, 2])
        assert len({np.argmax(found[0, u, 0] == responses[:, u, 0]) for u in range(5)}) > 1


def test_a_ring_of_conditions_is_one_loop_whatever_the_scale(ring):
    for scale in ("rank", "median"):
        found = table_of(ring, configured(scale=scale, states="none"))
        row = loops(found)
        assert row["n_passing"] == row["n_by_gap"] == 1
        # One loop lasts, alone; shuffles have several at once, none of which does.
        curve, null = found.betti[row.name], found.betti_null[row.name]
        assert curve.max() == 1
        assert (curve == 1).sum() >= 5
        assert (np.diff(null, axis=1) >= 0).all()
        assert null[:, 2].max() >= 3
        assert row["p"] == pytest.approx(1 / 20)
        assert row["longest"] > row["shuffled"] > 0
        assert row["verdict"] == "not determined"
        assert "24 points" in row["reason"]


def test_a_ring_that_the_order_of_conditions_makes_is_no_finding(ring):
    config = configured(states="none").model_copy(update={"condition_order": "circular"})
    assert loops(table_of(ring, config))["p"] > 0.1


def test_p_of_ratios_does_not_depend_on_the_scale(ring):
    by_rank, by_median = (
        table_of(ring, configured(scale=scale, states="none", voids="never"))
        for scale in ("rank", "median")
    )
    # The same bars on two scales; ranks keep the order of births.
    for found in (by_rank, by_median):
        one = found.bars[found.bars["dimension"] == 1]
        assert np.isfinite(one["universal_p"]).all()
        assert np.isnan(found.bars[found.bars["dimension"] == 0]["universal_p"]).all()
    values = [
        np.sort(found.bars.query("dimension == 1")["universal_p"]) for found in (by_rank, by_median)
    ]
    np.testing.assert_allclose(*values, rtol=1e-4)


def states_on_a_ring(template, *, noise=0.3):
    """A hundred repeats of six conditions whose trials move round a ring."""
    rng = stream(6, "states")
    place = np.cumsum(rng.normal(0.4, 0.2, 600))
    preferred = rng.uniform(0, 2 * np.pi, 40)
    rates = 6 * np.exp(2 * (np.cos(place[:, None] - preferred) - 1))
    responses = rates + noise * rng.normal(size=rates.shape)
    condition = np.tile(np.arange(6), 100)
    return view_of(responses, condition, np.repeat(np.arange(100), 6), template)


def test_states_on_a_ring_are_named_only_with_voids_and_enough_of_them(template):
    view = states_on_a_ring(template)
    few = loops(table_of(view, configured(max_states=60)), "states")
    assert few["n_by_gap"] == few["n_passing"] == 1
    assert few["n_available"] == 600
    assert "60 points" in few["reason"]
    many = loops(table_of(view, configured()), "states")
    assert many["n_points"] == MIN_STATES
    assert many["reason"] == "voids were not looked for"


def test_dense_places_show_a_ring_that_stray_states_hide(template):
    view = states_on_a_ring(template, noise=2.0)
    rows = {
        choice: loops(table_of(view, configured(max_states=60, choice=choice)), "states")
        for choice in ("dense", "far")
    }
    assert rows["dense"]["n_by_gap"] == rows["dense"]["n_passing"] == 1
    assert rows["dense"]["longest"] > 5 * rows["dense"]["second"]
    assert rows["far"]["longest"] < 3 * rows["far"]["second"]


@pytest.mark.slow
def test_a_ring_of_many_states_is_named(template):
    view = states_on_a_ring(template)
    found = table_of(view, configured(voids="always"))
    assert loops(found, "states")["verdict"] == "ring"


def test_bins_are_states_where_trials_are_few(template):
    courses = np.repeat(template.responses[:, :, None], 4, axis=2)
    courses = courses + stream(7, "bins").random(courses.shape)
    view = dataclasses.replace(template, time_bin=np.arange(4) / 4, courses=courses)
    by_states = {
        states: {
            cloud.n_available
            for cloud in clouds_of(sample_of((view,), CONFIG), configured(states=states), "none")
            if cloud.source == "states"
        }
        for states in ("auto", "trials", "bins", "none")
    }
    assert by_states == {"auto": {256}, "trials": {64}, "bins": {256}, "none": set()}


@pytest.mark.slow
def test_loops_of_independent_units_pass_as_rarely_as_they_may(template):
    """Conditions answered at random, and states that drift: p is small as often as it says."""
    n_sets, level = 100, 0.1
    small = {"conditions": 0, "states": 0}
    config = TrsaConfig(homology=HomologyConfig(n_shuffles=19, max_states=30, voids="never"))
    for seed in range(n_sets):
        rng = stream(seed, "independent")
        patterns = rng.normal(size=(16, 12))
        responses, condition, fold = trials_of(patterns, 4, rng)
        drift = np.zeros((64, 12))
        for step in range(1, 64):
            drift[step] = 0.8 * drift[step - 1] + rng.normal(size=12)
        for source, values in (("conditions", responses), ("states", drift)):
            found = table_of(view_of(values, condition, fold, template), config, seed)
            small[source] += loops(found, source)["p"] <= level
    limit = level + 2 * np.sqrt(level * (1 - level) / n_sets)
    assert small["conditions"] / n_sets <= limit
    assert small["states"] / n_sets <= limit


def test_without_shuffles_no_holes_are_looked_for():
    views, _ = simulate(stream(8, "none"))
    config = CONFIG.model_copy(update={"homology": HomologyConfig(n_shuffles=0)})
    assert not any(part.name.startswith("homology") for part in config.plan())
    result = fitted(views, config)
    assert "n_shuffles is 0" in result.persistence_missing
    assert len(result.persistence) == 0
    checks = assess(result, tuple(views), config)
    made = section(result, checks, figures(result, tuple(views), config), config)
    assert any("Holes were not looked for" in part for part in made.body if isinstance(part, str))


def test_the_report_names_no_shape_and_tells_what_voids_cost():
    views, _ = simulate(stream(8, "told"))
    result = fitted(views)
    checks = assess(result, tuple(views), CONFIG)
    drawn = figures(result, tuple(views), CONFIG)
    made = section(result, checks, drawn, CONFIG)
    shown = {part.id for part in made.body if isinstance(part, Figure | Table)}
    drawn_ids = {"holes-conditions", "holes-states", "holes-betti-conditions", "holes-betti-states"}
    assert shown >= drawn_ids | {"holes", "hole-distances"}
    text = " ".join(part for part in made.body if isinstance(part, str))
    assert "Topology is not determined" in text
    assert next(c for c in checks if c.name == "Enough for a shape").status == "not_tested"
    table = result.persistence
    for (_, _), rows in table[table["dimension"] > 0].groupby(["source", "dimension"]):
        assert (rows["p_adjusted"] >= rows["p"] - 1e-12).all()
    assert len(result.persistence_distances) == 2 * 3
    for figure in drawn:
        if figure.id.startswith("holes"):
            for panel in figure.panels:
                for line in panel.lines:
                    assert line.y.shape == panel.x.shape
        if figure.id.startswith("holes-betti"):
            # A row of panels is a population, and its columns are the same kinds of holes.
            kinds = [panel.title.rpartition(": ")[2] for panel in figure.panels]
            rows = [kinds[at : at + figure.columns] for at in range(0, len(kinds), figure.columns)]
            assert all(row == rows[0] for row in rows)
            assert len({panel.x.size for panel in figure.panels}) == 1
            for panel in figure.panels:
                ends = [panel.lines[0].y[-1], panel.lines[1].upper[-1]]
                assert panel.x[-1] == 100 or ends == [float("parts" in panel.title)] * 2


def test_time_is_foretold_within_a_factor():
    assert seconds(200, 1) == pytest.approx(0.02)
    assert seconds(100, 2) == pytest.approx(0.087, rel=0.3)
    assert seconds(60, 2) == pytest.approx(0.0104, rel=0.5)
    assert seconds(400, 0) == 0
