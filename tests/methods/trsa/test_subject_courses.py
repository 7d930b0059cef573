"""Time courses over subjects: exact flips, fair p, planted stretches, aligned paths; dimensions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from pipeline.core.parts import Figure, Table
from pipeline.core.rng import stream
from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.diagnostics import assess
from pipeline.methods.trsa.dimensions import dimensions_of
from pipeline.methods.trsa.figures import figures
from pipeline.methods.trsa.model import sample_of
from pipeline.methods.trsa.section import section
from pipeline.methods.trsa.simulate import simulate
from pipeline.methods.trsa.subject_courses import (
    by_subject,
    mean_trajectories,
    sign_flips,
    stretches,
    why_none,
)
from tests.support.trsa_fits import CONFIG, fitted

EDGES = np.arange(9) / 10


def test_all_flips_but_the_identity_are_tried_where_subjects_are_few():
    flips = sign_flips(4, stream(0, "flips"))
    assert len(flips) == 15
    assert len(np.unique(flips, axis=0)) == 15
    assert (flips.prod(axis=1) ** 2 == 1).all()
    assert not (flips == 1).all(axis=1).any()
    assert sign_flips(20, stream(0, "flips")).shape == (4095, 20)


def test_recordings_of_a_subject_are_one_course():
    names, values = by_subject(np.array([[1.0, 2], [3, 4], [5, 9]]), ["a", "b", "a"])
    assert names == ["a", "b"]
    np.testing.assert_array_equal(values, [[3, 5.5], [3, 4]])
    assert "4 subjects" in why_none(list("abcd"))
    assert "not all" in why_none(["a", ""])
    assert why_none(list("abcde")) == ""


def test_a_stretch_that_all_subjects_share_is_found_where_it_is():
    rng = stream(1, "stretch")
    courses = 0.3 * rng.normal(size=(6, 8))
    courses[:, 3:6] += 1
    found = stretches(courses, EDGES, rng)
    best = found.loc[found["p"].idxmin()]
    assert best["p"] == pytest.approx(1 / 64)
    assert best["start_s"] == pytest.approx(0.3)
    assert best["stop_s"] == pytest.approx(0.6)
    assert stretches(-courses, EDGES, rng)["p"].min() > 0.05 or not len(
        stretches(-courses, EDGES, rng)
    )


def test_stretches_of_symmetric_courses_are_found_as_rarely_as_they_may():
    n_sets, small = 300, 0
    for seed in range(n_sets):
        rng = stream(seed, "symmetric")
        courses = np.cumsum(rng.normal(size=(6, 8)), axis=1) * rng.choice([-1, 1], (6, 1))
        found = stretches(courses, EDGES, rng)
        small += len(found) and found["p"].min() <= 0.1
    assert small / n_sets <= 0.1 + 2.5 * np.sqrt(0.1 * 0.9 / n_sets)
    assert small > 0


def test_paths_of_turned_subjects_are_one_path():
    rng = stream(2, "paths")
    points = np.cumsum(rng.normal(size=(5, 7, 2)), axis=0)
    distances = np.stack([pdist(each, "sqeuclidean") for each in points])
    found, spread = mean_trajectories(np.stack([distances] * 3))
    np.testing.assert_allclose(spread, 0, atol=1e-6)
    for at in range(5):
        np.testing.assert_allclose(pdist(found[at], "sqeuclidean"), distances[at], atol=1e-8)
    noisy = np.stack([distances * scale for scale in (0.5, 1.0, 1.5)])
    assert (mean_trajectories(noisy)[1].mean() > 0.05).all()


@pytest.fixture(scope="module")
def several():
    views, _ = simulate(stream(3, "courses"), size="subjects")
    shape = np.array([0.0, 1.0, 1.0, 0.0], dtype=np.float32)
    made = []
    for view in views:
        noise = stream(3, view.recording).normal(size=(*view.responses.shape, 4))
        courses = view.responses[:, :, None] * shape + 0.5 * noise
        made.append(dataclasses.replace(view, time_bin=np.arange(4) / 4 + 0.125, courses=courses))
    config = CONFIG.model_copy(update={"n_permutations": 39})
    return tuple(made), fitted(made, config), config


def test_regions_separate_over_subjects_while_they_answer(several):
    courses = several[1].courses
    assert courses.subjects_missing == ""
    assert courses.subject.size == 5
    row = courses.subject_stretches.iloc[0]
    assert (row["start_s"], row["stop_s"]) == (0.25, 0.75)
    assert row["p"] == pytest.approx(1 / 32)


def test_the_report_shows_courses_over_subjects_and_dimensions(several):
    views, result, config = several
    drawn = figures(result, views, config)
    made = section(result, assess(result, views, config), drawn, config)
    shown = {part.id for part in made.body if isinstance(part, Figure | Table)}
    assert shown >= {"subjects-time", "subjects-identified", "subjects-trajectories", "dimensions"}
    figure = next(figure for figure in drawn if figure.id == "subjects-time")
    assert "Over 5 subjects regions separate from 0.25 to 0.75 s" in figure.finding
    figure = next(figure for figure in drawn if figure.id == "subjects-identified")
    assert "3 regions are recognised from the others from 0.25 to 0.75 s" in figure.finding


def test_dimensions_between_repeats_are_those_without_noise():
    views, _ = simulate(stream(4, "dimensions"))
    view = views[0]
    rng = stream(5, "dimensions")
    latent = rng.normal(size=(8, 2)) @ rng.normal(size=(2, 60))
    noise = 2 * rng.normal(size=(64, 60))
    responses = 3 * latent[view.condition_of_trial] + noise
    view = dataclasses.replace(view, responses=responses.astype(np.float32))
    row = dimensions_of(sample_of((view,), TrsaConfig()), TrsaConfig()).iloc[0]
    assert 1 < row["cross_validated"] < 2.3
    assert row["cross_validated"] < row["plain"]
    assert row["se"] > 0
    assert 1 <= row["axes_80"] <= row["axes_95"] <= 7
    silent = dimensions_of(
        sample_of((dataclasses.replace(view, responses=noise.astype(np.float32)),), TrsaConfig()),
        TrsaConfig(),
    ).iloc[0]
    assert silent["plain"] > 4
