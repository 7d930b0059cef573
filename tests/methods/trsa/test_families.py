"""Brackets over statistics that differ, and the words on their test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.families import MOST_BRACKETS, families_figure, families_table
from pipeline.methods.trsa.simulate import simulate
from tests.support.trsa_fits import CONFIG, fitted


@pytest.fixture(scope="module")
def found():
    views, _ = simulate(stream(7, "families"), size="subjects")
    return fitted(views, CONFIG).subjects


def with_p(found, pairs):
    """All families alike, but for some pairs."""
    p = np.ones(found.family_p.shape)
    for (a, b), value in pairs.items():
        p[a, b] = p[b, a] = value
    return dataclasses.replace(found, family_p=p)


def test_only_families_that_differ_are_joined(found):
    seen = with_p(found, {(1, 4): 0.05, (2, 3): 0.001, (0, 5): 0.051})
    figure = families_figure(seen, CONFIG)
    brackets = figure.panels[0].brackets
    assert [(one.first, one.second) for one in brackets] == [(2, 3), (1, 4)]
    assert brackets[0].label == "ranks and local: p adjusted by Benjamini-Hochberg = 0.001"
    assert figure.finding.startswith("2 of 28 differences")
    assert "Brackets join statistics that differ with p <= 0.05 (two-sided t test" in figure.caption
    assert "4 degrees of freedom" in figure.caption
    assert "Benjamini-Hochberg for 28 pairs" in figure.caption


def test_where_many_differ_the_surest_are_drawn_and_all_are_in_the_table(found):
    pairs = {(a, b): 0.001 * (8 * a + b) for a in range(3) for b in range(a + 1, 8)}
    seen = with_p(found, pairs)
    figure = families_figure(seen, CONFIG)
    assert len(figure.panels[0].brackets) == MOST_BRACKETS
    assert f"the {MOST_BRACKETS} surest of {len(pairs)}" in figure.caption
    table = families_table(seen, CONFIG)
    assert len(table.columns["p"]) == 28
    assert sum(value <= 0.05 for value in table.columns["p"]) == len(pairs)
    difference = seen.family_accuracy[0] - seen.family_accuracy[1]
    assert table.columns["difference"][0] == pytest.approx(difference, abs=5e-4)


def test_where_none_differ_it_is_said(found):
    figure = families_figure(with_p(found, {}), CONFIG)
    assert figure.panels[0].brackets == ()
    assert "No two statistics differ" in figure.caption


def test_published_tests_are_called_what_they_are(found):
    words = families_figure(found, CONFIG.model_copy(update={"legacy": True})).caption
    assert "standard deviation in resamples of rows" in words
    assert "not adjusted" in words
