"""Populations two by two: by hand, with planted likeness, fair p and standard errors, and words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa import comparison
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
from tests.support.trsa_fits import CONFIG, fitted

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
def test_p_of_unrelated_populations_is_small_as_often_as_it_says():
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


@pytest.mark.slow
def test_standard_errors_of_likeness_are_rather_too_wide():
    """New conditions and new units of two populations that share five dimensions."""
    values, errors = [], []
    for seed in range(80):
        rng = stream(seed, "experiments")
        latent = rng.normal(size=(16, 5))
        one, other = (
            halves(latent @ rng.normal(size=(5, 30)) + 2 * rng.normal(size=(16, 30)), rng, 1.0)
            for _ in range(2)
        )
        values.append(likeness_draws("CKA, unbiased", one, other, np.arange(16)[None])[0])
        errors.append(comparison._jackknife("CKA, unbiased", one, other))
    assert 1.0 <= np.mean(errors) / np.std(values, ddof=1) <= 2.0


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
    assert "VISp" in figure.finding
    for panel in figure.panels:
        np.testing.assert_array_equal(panel.values, panel.values.T)


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
