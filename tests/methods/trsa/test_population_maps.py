"""Maps of populations: dissimilarities as measured, and through the best levels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.population_maps import regions_figure
from pipeline.methods.trsa.populations import likeness
from pipeline.methods.trsa.simulate import simulate
from tests.support.trsa_fits import CONFIG, fitted


@pytest.fixture(scope="module")
def result():
    """Regions that share who is near whom over subjects, each with distances of its own."""
    views, _ = simulate(stream(7, "maps"), size="subjects")
    found = fitted(views, CONFIG.model_copy(update={"models": "none"}))
    rng = stream(1, "planted")
    n_pairs = found.dissimilarities.shape[2]
    kinds = list(dict.fromkeys(found.populations["region"]))
    far = {kind: rng.permutation(n_pairs) < n_pairs // 2 for kind in kinds}
    rows = [10 * far[kind] + 9 * rng.random(n_pairs) for kind in found.populations["region"]]
    values = np.array([rows, rows])
    return dataclasses.replace(
        found, dissimilarities=values, similarity=likeness(values[0], values[0], CONFIG.measure)
    )


def drawn(result, levels=(0.5, 0.5), measure="rho_a"):
    names = tuple(f"population {at}" for at in range(len(result.populations)))
    config = CONFIG.model_copy(update={"measure": measure})
    return regions_figure(result, config, names, levels)


@pytest.mark.parametrize("measure", ["rho_a", "tau_a", "corr", "bures", "whitened_corr"])
def test_what_regions_share_comes_together_through_the_levels_that_show_it(result, measure):
    figure = drawn(result, measure=measure)
    plain, through = figure.panels
    regions = result.populations["region"].to_numpy()
    for region in set(regions):
        mine = regions == region
        assert np.ptp(through.x[mine]) < 1e-3 > np.ptp(through.y[mine])
        assert np.ptp(plain.x[mine]) > 0.01
    assert plain.group.tolist() == through.group.tolist()
    assert plain.hulls
    assert through.hulls
    count = len(regions)
    assert f"{count} populations as measured and for {count} through these levels" in figure.caption


def test_stronger_responses_and_the_order_of_populations_do_not_matter(result):
    through = drawn(result).panels[1]
    strong = dataclasses.replace(result, dissimilarities=np.exp(result.dissimilarities))
    again = drawn(strong).panels[1]
    np.testing.assert_allclose([again.x, again.y], [through.x, through.y], atol=1e-3)
    order = stream(2, "order").permutation(len(result.populations))
    moved = dataclasses.replace(
        result,
        populations=result.populations.iloc[order].reset_index(drop=True),
        dissimilarities=result.dissimilarities[:, order],
        similarity=result.similarity[np.ix_(order, order)],
    )
    other = drawn(moved).panels[1]
    apart = [
        np.hypot(panel.x[:, None] - panel.x, panel.y[:, None] - panel.y)
        for panel in (through, other)
    ]
    np.testing.assert_allclose(apart[1], apart[0][np.ix_(order, order)], atol=2e-3)


def test_there_is_one_map_where_levels_keep_all_ranks_or_none_are_known(result):
    for levels in ((0.0, 1.0), None):
        figure = drawn(result, levels)
        assert len(figure.panels) == 1
        assert "Right" not in figure.caption


@pytest.mark.parametrize(
    ("likeness_of", "kept", "said"),
    [
        (-0.22, 3, "of the populations that are reliable, no two are alike (the largest rho_a, of"),
        (0.3, 3, "are most alike (rho_a 0.3"),
        (-0.22, 2, "population 0 and population 1, are not alike (rho_a -0.22)"),
        (0.3, 2, "population 0 and population 1, have a rho_a of 0.30"),
    ],
)
def test_populations_are_called_alike_only_where_they_are(result, likeness_of, kept, said):
    n = len(result.populations)
    similarity = np.full((n, n), likeness_of - 0.1)
    similarity[0, 1] = similarity[1, 0] = likeness_of
    np.fill_diagonal(similarity, 1.0)
    reliability = np.where(np.arange(n) < kept, 0.5, -0.1)
    populations = result.populations.assign(reliability=reliability)
    changed = dataclasses.replace(result, similarity=similarity, populations=populations)
    finding = drawn(changed, None).finding
    assert said in finding[:1].lower() + finding[1:]
    assert ("most" in finding) == (kept > 2 and likeness_of > 0)


def test_likeness_of_different_recordings_is_told_with_its_p(result):
    n = len(result.populations)
    similarity = np.full((n, n), 0.1)
    last = n - 1  # the first and the last population are of two recordings
    similarity[0, last] = similarity[last, 0] = 0.6
    populations = result.populations.assign(reliability=0.5)
    p = np.full((n, n), np.nan)
    p[0, last] = p[last, 0] = 0.012
    changed = dataclasses.replace(
        result, similarity=similarity, populations=populations, p_adjusted=p
    )
    figure = drawn(changed, None)
    assert "adjusted p of their rank correlation = 0.012." in figure.finding
    assert "Of 1 pairs of different recordings 1 have an adjusted p" not in figure.caption
    assert "Of 1 pair of different recordings 1 has an adjusted p <= 0.05" in figure.caption
    untested = dataclasses.replace(changed, p_adjusted=np.full((n, n), np.nan))
    assert "adjusted p" not in drawn(untested, None).finding + drawn(untested, None).caption


def test_populations_of_unknown_likeness_are_left_out_and_it_is_said(result):
    n = len(result.populations)
    similarity = result.similarity.copy()
    similarity[2, [0, 4]] = similarity[[0, 4], 2] = np.nan
    changed = dataclasses.replace(result, similarity=similarity)
    figure = drawn(changed, None)
    assert len(figure.panels[0].x) == n - 1
    assert "population 2" not in figure.panels[0].labels
    assert np.isfinite(figure.panels[0].x).all()
    assert "1 population whose likeness with others is not known is left out." in figure.caption
    assert "left out" not in drawn(result, None).caption
