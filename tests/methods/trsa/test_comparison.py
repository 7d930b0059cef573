"""Populations two by two: by hand, with planted likeness, fair p and standard errors, and words."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from benchmarks.trsa_likeness import LAWS, calibration
from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa import algorithm, comparison, config
from pipeline.methods.trsa.comparison import NAMES, likeness_draws, pair_statistics
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.figures import figures
from pipeline.methods.trsa.section import section
from pipeline.methods.trsa.simulate import simulate
from pipeline.numerics.shapes import (
    gaussian_kernel,
    kernel_alignment,
    linear_alignment,
    procrustes_angle,
    shape_angle,
)
from tests.support.trsa_fits import CONFIG, fitted, parts_of

ON = CONFIG.model_copy(update={"n_comparisons": 19})


def halves(patterns, rng, noise=0.5):
    return tuple(patterns + noise * rng.normal(size=patterns.shape) for _ in range(2))


def orders(count, n_draws, rng):
    return np.stack([rng.permutation(count) for _ in range(n_draws)])


def statistics(one, other, shuffled):
    found, _ = pair_statistics(one, other, shuffled)
    return {
        name: dict(zip(comparison.STATISTICS, row, strict=True))
        for name, row in zip(NAMES, found, strict=True)
    }


def test_draws_are_the_measures_of_shuffled_conditions_in_halves_without_common_trials():
    rng = stream(0, "draws")
    one, other = halves(rng.normal(size=(9, 5)), rng), halves(rng.normal(size=(9, 12)), rng)
    shuffled = orders(9, 3, rng)
    by_hand = {
        "CKA, unbiased": lambda a, b: linear_alignment(a, b, unbiased=True),
        "CKA": linear_alignment,
        "CKA, Gaussian": lambda a, b: kernel_alignment(gaussian_kernel(a), gaussian_kernel(b)),
        "Procrustes angle": procrustes_angle,
        "shape angle, half whitened": lambda a, b: shape_angle(a, b, whitening=0.5),
    }
    for name, measure in by_hand.items():
        expected = [
            (measure(one[0], other[1][order]) + measure(one[1], other[0][order])) / 2
            for order in shuffled
        ]
        np.testing.assert_allclose(likeness_draws(name, one, other, shuffled), expected)


def test_a_turned_copy_is_alike_by_every_measure_and_unrelated_units_by_none():
    rng = stream(1, "copy")
    patterns = rng.normal(size=(14, 10))
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    shuffled = orders(14, 39, rng)
    turned = statistics(halves(patterns, rng), halves(patterns @ turn, rng), shuffled)
    for name in NAMES[:7]:
        assert turned[name]["p"] == pytest.approx(1 / 40), name
    assert 0.5 < turned["CKA, unbiased"]["value"] <= 1.1
    assert turned["CKA, unbiased"]["chance"] == pytest.approx(0, abs=0.1)
    copied = statistics(halves(patterns, rng), halves(patterns[:, ::-1], rng), shuffled)
    assert copied["units one to one"]["p"] == pytest.approx(1 / 40)
    assert copied["units one to one"]["value"] > turned["units one to one"]["value"]
    assert copied["units one to one"]["se"] > 0


@pytest.mark.slow
def test_p_of_unrelated_populations_is_small_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(comparison, "standard_error", lambda *pair: np.nan)  # not asked here
    n_sets = 150
    p = np.array(
        [
            pair_statistics(
                halves(rng.normal(size=(8, 6)), rng),
                halves(rng.normal(size=(8, 6)), rng),
                orders(8, 19, rng),
            )[0][:, 3]
            for rng in (stream(seed, "unrelated") for seed in range(n_sets))
        ]
    )
    assert (np.mean(p <= 0.1, axis=0) <= 0.1 + 2.5 * np.sqrt(0.1 * 0.9 / n_sets)).all()


def test_the_variance_of_a_mean_over_a_table_is_that_of_its_random_rows_and_columns():
    table = stream(3, "table").normal(size=(7, 5)) + np.arange(7)[:, None]
    n, m = table.shape
    rows = np.array([np.delete(table, i, 0).mean() for i in range(n)])
    columns = np.array([np.delete(table, j, 1).mean() for j in range(m)])
    both = np.array(
        [[np.delete(np.delete(table, i, 0), j, 1).mean() for j in range(m)] for i in range(n)]
    )
    common = comparison._interaction(table.mean(), rows, columns, both)
    summed = sum(comparison._spread(list(left)) ** 2 for left in (rows, columns))
    of_rows, of_columns = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_rows[:, None] - of_columns + table.mean()
    mean_squares = (
        m * np.var(of_rows, ddof=1),
        n * np.var(of_columns, ddof=1),
        np.square(rest).sum() / ((n - 1) * (m - 1)),
    )
    expected = (mean_squares[0] + mean_squares[1] - mean_squares[2]) / (n * m)
    assert comparison.joined_variance(summed, common) == pytest.approx(expected)
    assert common == pytest.approx(mean_squares[2] / (n * m))


def test_effects_of_one_order_count_once():
    for order in (1, 2, 3, 4):
        found = comparison.joined_variance(order * 0.7, order * (order - 1) / 2 * 0.7)
        assert found == pytest.approx(0.7)
    assert comparison.joined_variance(0.0, 0.0) == 0
    assert np.isnan(comparison.joined_variance(np.nan, 0.1))


def test_standard_errors_do_not_know_order_scale_or_which_population_is_first():
    rng = stream(4, "turned")
    one, other = halves(rng.normal(size=(9, 6)), rng), halves(rng.normal(size=(9, 8)), rng)
    moved, shuffled = rng.permutation(9), rng.permutation(8)
    for name in (*comparison.KERNELS, *comparison.ANGLES):
        seen = comparison.standard_error(name, one, other)
        assert seen > 0
        turned = tuple(5 * half[moved][:, shuffled] for half in other)
        again = comparison.standard_error(name, tuple(half[moved] for half in one), turned)
        assert again == pytest.approx(seen), name
        assert comparison.standard_error(name, other, one) == pytest.approx(seen), name


def test_four_conditions_leave_too_few_for_an_error_of_the_unbiased_measure_alone():
    rng = stream(5, "four")
    one, other = halves(rng.normal(size=(4, 12)), rng), halves(rng.normal(size=(4, 12)), rng)
    found = statistics(one, other, orders(4, 5, rng))
    assert np.isfinite(found["CKA, unbiased"]["value"])
    assert np.isnan(found["CKA, unbiased"]["se"])
    assert found["CKA"]["se"] > 0


@pytest.mark.slow
def test_standard_errors_of_likeness_are_about_those_of_new_experiments():
    found = calibration(LAWS["middle"], "CKA, unbiased", 80)
    # A standard deviation over 80 experiments is known to within 8 %.
    assert 0.9 <= found["ratio"] <= 1.4
    assert found["coverage"] >= 0.9
    assert found["bounded"] > found["ratio"] + 0.1
    assert found["summed"] > found["ratio"] + 0.3


@pytest.fixture(scope="module")
def several():
    views, _ = simulate(stream(2, "compared"), size="subjects")
    return views[:2], fitted(views[:2], ON)


def test_every_pair_of_populations_has_its_rows(several):
    table = several[1].comparisons
    assert len(table) == 15 * len(NAMES)
    assert set(table["measure"]) == set(NAMES)
    assert (table["p_adjusted"] >= table["p"] - 1e-12).all()
    cka = table[table["measure"] == "CKA, unbiased"]
    same = cka[cka["first_region"] == cka["second_region"]].set_index("first_region")
    assert same.loc["VISp", "value"] > max(0.3, same.loc["CA1", "value"])
    assert same.loc["VISp", "p"] == pytest.approx(1 / 20)


def test_the_report_shows_pairs_and_their_table(several):
    views, result = several
    checks = assess(result, tuple(views), ON)
    drawn = figures(result, tuple(views), ON)
    made = section(result, checks, drawn, ON)
    shown = {part.id for part in made.body if isinstance(part, Figure | Table)}
    assert shown >= {"alike", "alike-pairs"}
    figure = next(figure for figure in drawn if figure.id == "alike")
    assert {panel.missing_title for panel in figure.panels} == {"same population"}
    recording = result.populations["recording"].iloc[0]
    assert re.search(
        rf"that of \w+ \({recording[:-1]}\d\) and \w+ \({recording[:-1]}\d\)", figure.finding
    )
    unlike = result.comparisons.assign(value=-np.abs(result.comparisons["value"]))
    changed = dataclasses.replace(result, comparisons=unlike)
    other = next(one for one in figures(changed, tuple(views), ON) if one.id == "alike")
    assert re.match(r"No two populations are alike: the largest unbiased CKA, of ", other.finding)
    for panel in figure.panels:
        np.testing.assert_array_equal(panel.values, panel.values.T)  # noqa: PD011  not of pandas
        # Colours begin at no dependence and no likeness, not at the smallest value seen.
        assert panel.limits[0] <= min(0.0, float(np.nanmin(panel.values))) + 1e-3
        assert panel.limits[1] >= float(np.nanmax(panel.values)) - 1e-3


def test_pairs_in_parts_of_their_own_are_those_of_one_part(several, monkeypatch):
    views, result = several
    kinds = [part.name for part in ON.plan() if part.name.startswith("comparison")]
    assert len(kinds) == 6
    for module in (comparison, algorithm, config):
        monkeypatch.setattr(module, "COMPARISON_PARTS", 1)
    whole = fitted(views, ON).comparisons
    assert whole["p"].notna().any()
    assert_frame_equal(result.comparisons, whole, check_exact=True)


def test_parts_beyond_the_pairs_are_empty():
    views, _ = simulate(stream(2, "compared"), size="subjects")
    views = views[:1]
    made = [part for name, part in parts_of(views, ON).items() if name.startswith("comparison")]
    assert [part.compared is not None for part in made] == [True] * 3 + [False] * 3
    assert len(fitted(views, ON).comparisons) == 3 * len(NAMES)


def test_an_order_of_conditions_takes_away_p_and_says_why():
    views, _ = simulate(stream(3, "order"))
    result = fitted([dataclasses.replace(views[0], fixed_order=True)], ON)
    assert result.comparisons["p"].isna().all()
    assert result.comparisons["value"].notna().all()
    assert result.comparisons_no_p


def test_without_shuffles_or_pairs_nothing_is_compared():
    views, _ = simulate(stream(3, "none"))
    assert "n_comparisons is 0" in fitted(views).comparisons_missing
    alone = dataclasses.replace(views[0], region=np.full(views[0].region.size, "all"))
    assert fitted([alone], ON).comparisons_missing == "there is one population"


def test_dependence_and_matching_have_errors_of_about_the_spread_of_experiments():
    """Rather too large ones, since what conditions and units do together counts twice."""
    rng = stream(0, "errors")
    values, errors = [], []
    for _ in range(12):
        common = rng.normal(size=(16, 4))
        sides = []
        for n_units in (12, 15):
            patterns = common @ rng.normal(size=(4, n_units)) + rng.normal(size=(16, n_units))
            sides.append(halves(patterns, rng))
        shuffled = np.stack([rng.permutation(16) for _ in range(29)])
        found = pair_statistics(*sides, shuffled)[0][-4:]
        values.append(found[:, 0])
        errors.append(found[:, 1])
    ratio = np.mean(errors, axis=0) / np.std(values, axis=0, ddof=1)
    assert np.isfinite(errors).all()
    assert (ratio > 0.6).all(), ratio
    assert (ratio < 4).all(), ratio
