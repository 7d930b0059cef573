"""Regions over subjects in bins of time: by hand, planted, fair p and invariances."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.across import SubjectRows
from pipeline.methods.trsa.identification import Rows, accuracies
from pipeline.methods.trsa.subject_identification import (
    identified_in_time,
    in_bins,
    relabelled,
)

TIME = np.arange(8) / 10 + 0.05


def rows_of(n_subjects, n_regions):
    """One population a row."""
    subject, region = np.divmod(np.arange(n_subjects * n_regions), n_regions)
    return SubjectRows(
        subject=np.arange(n_subjects).astype(str),
        region=np.arange(n_regions).astype(str),
        excluded=np.array([], dtype=str),
        rows=Rows(subject=subject, region=region, n_subjects=n_subjects, n_regions=n_regions),
        members=tuple((place,) for place in range(subject.size)),
        dissimilarities=np.zeros((subject.size, 15)),
    )


def planted(found, rng, bins, noise=1.0):
    values = noise * rng.normal(size=(found.rows.region.size, TIME.size, 15))
    own = rng.normal(size=(found.rows.n_regions, 15))
    values[:, bins] += 2 * own[found.rows.region][:, None]
    return values


def test_each_bin_has_the_accuracy_of_its_ranks_and_recordings_of_a_subject_are_averaged():
    rng, found = stream(0, "bins"), rows_of(4, 2)
    values = rng.normal(size=(9, 3, 15))
    doubled = dataclasses.replace(found, members=(*found.members[:-1], (7, 8)))
    values[7] = 2 * values[7] - values[8]
    made = in_bins(doubled, values)
    mean = (values[7] + values[8]) / 2
    np.testing.assert_allclose(made[:, 7], mean.argsort(axis=1).argsort(axis=1) / 14)
    course = identified_in_time(doubled, values, TIME[:3], 19, rng)
    np.testing.assert_allclose(course.accuracy, accuracies(list(made), found.rows))


def test_a_planted_stretch_is_found_where_it_is_and_no_monotone_map_or_order_moves_it():
    rng, found = stream(1, "planted"), rows_of(6, 3)
    values = planted(found, rng, slice(3, 6))
    course = identified_in_time(found, values, TIME, 199, stream(2, "labels"))
    best = course.stretches.loc[course.stretches["p"].idxmin()]
    assert (best["start_s"], best["stop_s"]) == (0.3, 0.6)
    assert best["p"] == pytest.approx(1 / 200)
    np.testing.assert_allclose(course.chance, 1 / 3, atol=0.05)
    moved = np.exp(values)[:, :, rng.permutation(15)]
    again = identified_in_time(found, moved, TIME, 199, stream(2, "labels"))
    np.testing.assert_array_equal(again.accuracy, course.accuracy)
    np.testing.assert_array_equal(again.stretches, course.stretches)


def test_regions_are_relabelled_alike_in_all_bins():
    rng, found = stream(4, "alike"), rows_of(5, 3)
    values = np.repeat(rng.normal(size=(1, 15, 15)), 3, axis=0)
    null = relabelled(values, found.rows, 30, rng)
    np.testing.assert_array_equal(null, np.repeat(null[:, :1], 3, axis=1))
    assert np.ptp(null[:, 0]) > 0


def test_a_bin_without_answers_tells_nothing_and_two_subjects_allow_no_test():
    rng, found = stream(3, "silent"), rows_of(6, 3)
    values = planted(found, rng, slice(0, 8))
    values[:, 0], values[:, 1] = np.nan, 1.0
    course = identified_in_time(found, values, TIME, 99, rng)
    np.testing.assert_allclose(course.accuracy[:2], 1 / 3)
    assert course.stretches["start_s"].min() == pytest.approx(0.2)
    few = identified_in_time(rows_of(2, 2), values[:4], TIME, 99, rng)
    assert np.isnan(few.p).all()
    assert len(few.stretches) == 0


def test_stretches_without_an_effect_are_found_as_rarely_as_they_may():
    """Courses that drift, so that bins are alike, of subjects who differ and regions who do not."""
    n_sets, found, small = 120, rows_of(5, 3), 0
    for seed in range(n_sets):
        rng = stream(seed, "no effect")
        values = np.cumsum(rng.normal(size=(15, TIME.size, 15)), axis=1)
        values += 2 * rng.normal(size=(5, 1, 15))[found.rows.subject]
        stretches = identified_in_time(found, values, TIME, 39, rng).stretches
        small += len(stretches) > 0 and stretches["p"].min() <= 0.1
    assert 0 < small / n_sets <= 0.1 + 2.5 * np.sqrt(0.1 * 0.9 / n_sets)
