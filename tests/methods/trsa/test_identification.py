"""Regions over subjects against loops, exact small cases, and published numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.methods.trsa.identification import (
    Resample,
    Rows,
    accuracies,
    accuracy,
    confusion,
    corrected_variance,
    nested_accuracy,
    pair_weights,
    permuted_accuracies,
    resampled_accuracies,
    resamples,
)
from pipeline.methods.trsa.kernels import identified
from pipeline.methods.trsa.transforms import geo_topological
from tests.support.golden import golden_files


def rows_of(pairs):
    subject, region = np.array(pairs).T
    return Rows(
        subject=subject.astype(np.int64),
        region=region.astype(np.int64),
        n_subjects=int(subject.max()) + 1,
        n_regions=int(region.max()) + 1,
    )


FULL = rows_of(list(itertools.product(range(5), range(3))))
UNEVEN = rows_of([(0, 0), (0, 1), (1, 0), (1, 2), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1)])


def values_of(rows, *, n_pairs=28, effect=1.0, n_statistics=1, seed=0):
    rng = stream(seed, "rows")
    centre = rng.standard_normal((n_statistics, rows.n_regions, n_pairs))
    noise = rng.standard_normal((n_statistics, rows.subject.size, n_pairs))
    return effect * centre[:, rows.region] + noise


def by_loop(values, rows, weight=None, pair_weight=None):
    """Accuracy with centroids made of rows that are repeated as often as they count."""
    weight = np.ones(rows.subject.size) if weight is None else weight
    scale = np.sqrt(np.ones(values.shape[1]) if pair_weight is None else pair_weight)
    values = values * scale
    right = total = 0.0
    for row in range(rows.subject.size):
        if weight[row] == 0:
            continue
        distance = {}
        for region in range(rows.n_regions):
            there = (rows.region == region) & (rows.subject != rows.subject[row])
            copies = np.repeat(values[there], weight[there].astype(int), axis=0)
            if len(copies):
                distance[region] = np.linalg.norm(values[row] - copies.mean(axis=0))
        if len(distance) < 2 or rows.region[row] not in distance:
            continue
        right += weight[row] * (min(distance, key=distance.get) == rows.region[row])
        total += weight[row]
    return right / total


@pytest.mark.parametrize("rows", [FULL, UNEVEN])
@pytest.mark.parametrize("seed", range(5))
def test_accuracy_is_that_of_a_loop(rows, seed):
    values = values_of(rows, seed=seed)[0]
    assert accuracy(values @ values.T, rows) == pytest.approx(by_loop(values, rows))
    weight = stream(seed, "weights").integers(0, 3, rows.subject.size).astype(float)
    weight[:4] = 1
    assert accuracy(values @ values.T, rows, weight=weight) == pytest.approx(
        by_loop(values, rows, weight)
    )


def test_ties_count_by_their_share():
    values = np.zeros((FULL.subject.size, 6))
    assert accuracy(values @ values.T, FULL) == pytest.approx(1 / 3)


def test_confusion_sums_to_one_and_its_trace_is_the_accuracy():
    values = values_of(FULL, effect=0.4)[0]
    matrix, left_out = confusion(values @ values.T, FULL)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert np.trace(matrix) / 3 == pytest.approx(accuracy(values @ values.T, FULL))
    assert left_out.tolist() == [0, 0, 0]


def test_a_region_of_one_subject_is_no_candidate():
    values = values_of(UNEVEN)[0]
    matrix, left_out = confusion(values @ values.T, UNEVEN)
    assert np.isnan(matrix[3]).all()
    assert left_out.tolist() == [0, 0, 0, 1]


def test_resampled_accuracies_are_those_of_repeated_rows():
    values = np.abs(values_of(FULL, effect=0.5, n_statistics=2))
    values /= values.max()
    draws = list(resamples(5, 8, 12, stream(0, "draws"), rows=FULL))
    found = resampled_accuracies(values, FULL, draws)
    for place, draw in enumerate(draws):
        pairs, drawn = pair_weights(draw.condition), draw.subject[FULL.subject]
        for index in range(2):
            expected = {
                "both": by_loop(values[index], FULL, drawn, pairs),
                "subjects": by_loop(values[index], FULL, drawn),
                "conditions": by_loop(values[index], FULL, None, pairs),
            }
            for name, value in expected.items():
                assert found[name][place, index] == pytest.approx(value), name


def test_pairs_of_copies_of_a_condition_have_no_weight():
    drawn = np.array([0, 0, 2, 3])
    weight = pair_weights(np.bincount(drawn, minlength=4).astype(float))
    counted = np.zeros((4, 4))
    for a, b in itertools.combinations(drawn, 2):
        if a != b:
            counted[min(a, b), max(a, b)] += 1
    np.testing.assert_array_equal(weight, counted[np.triu_indices(4, 1)])


def test_draws_without_two_regions_in_two_subjects_are_made_again():
    rows = rows_of([(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)])
    for draw in resamples(3, 4, 30, stream(0, "again"), rows=rows):
        assert draw.subject[0] > 0
        assert draw.subject[1] > 0
        assert np.count_nonzero(draw.condition) >= 3
    never = rows_of([(0, 0), (1, 1)])
    assert list(resamples(2, 4, 5, stream(0, "never"), rows=never)) == []


def test_relabelling_stays_within_subjects():
    for _ in range(5):
        label = UNEVEN.relabelled(stream(0, "label"))
        for subject in range(4):
            own = UNEVEN.subject == subject
            assert sorted(label[own]) == sorted(UNEVEN.region[own])


@pytest.mark.parametrize(
    ("n_subjects", "n_regions", "expected"), [(2, 2, 0.5), (2, 3, 1 / 6), (3, 2, 0.25)]
)
def test_the_smallest_p_is_that_of_all_relabellings(n_subjects, n_regions, expected):
    rows = rows_of(list(itertools.product(range(n_subjects), range(n_regions))))
    assert rows.least_p == pytest.approx(expected)
    values = values_of(rows, effect=50)[0]
    labels = itertools.product(
        *[itertools.permutations(range(n_regions)) for _ in range(n_subjects)]
    )
    null = [
        accuracy(values @ values.T, rows, label=np.concatenate(label).astype(np.int64))
        for label in labels
    ]
    assert np.mean(np.array(null) >= 1 - 1e-12) == pytest.approx(expected)


def test_all_statistics_are_relabelled_alike():
    one = values_of(FULL, effect=0.5)
    found = permuted_accuracies(np.concatenate([one, one]), FULL, 30, stream(0, "alike"))
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert found[:, 0].std() > 0


def test_the_correction_takes_out_what_is_counted_twice():
    # Score = subject + condition + noise of both: the bootstraps see each variance this often.
    s, c, n = 0.3, 0.2, 0.1
    n_subjects, n_conditions = 10**6, 10**6
    found = corrected_variance(
        np.array([s + c + 3 * n]),
        np.array([s + n]),
        np.array([c + n]),
        n_subjects=n_subjects,
        n_conditions=n_conditions,
    )
    assert found[0] == pytest.approx(s + c + n, rel=1e-5)
    crossed = corrected_variance(
        np.array([0.1]), np.array([0.3]), np.array([0.2]), n_subjects=4, n_conditions=5
    )
    assert crossed[0] == pytest.approx(0.4)


def test_nested_choice_never_sees_the_subject_that_is_judged():
    values = values_of(FULL, effect=0.8, n_statistics=4, seed=2)
    widths = np.array([0.1, 0.5, 0.3, 1.0])
    found, chosen = nested_accuracy(values, FULL, widths)
    right = 0.0
    for subject in range(5):
        others = FULL.subject != subject
        inner = [by_loop(v, FULL, others.astype(float)) for v in values]
        best = max(range(4), key=lambda i: (round(inner[i], 9), widths[i]))
        assert chosen[subject] == best
        own = np.flatnonzero(FULL.subject == subject)
        centroids = [values[best][others & (FULL.region == r)].mean(axis=0) for r in range(3)]
        for row in own:
            apart = [np.linalg.norm(values[best][row] - centre) for centre in centroids]
            right += np.argmin(apart) == FULL.region[row]
    assert found == pytest.approx(right / 15)
    assert np.isnan(
        nested_accuracy(
            values[:, :6], rows_of([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (0, 2)]), widths
        )[0]
    )


@pytest.mark.parametrize("known", golden_files("trsa", "stack", "acc_gt"))
def test_published_accuracies_and_bootstraps(known):
    stack = known["stack"]
    rows = rows_of(np.stack([known["stack_subj"] - 1, known["stack_roi"] - 1], axis=1))
    assert accuracies(stack[None], rows)[0] == pytest.approx(float(known["acc_rdm_raw"]))
    levels = np.stack([known["gt_l"], known["gt_u"]], axis=1)
    transformed = np.moveaxis(geo_topological(stack, levels), 1, 0)
    np.testing.assert_allclose(accuracies(transformed, rows), known["acc_gt"], atol=1e-12)
    n_conditions = known["boot_stims"].shape[1]
    transformed = np.moveaxis(geo_topological(stack, known["boot_lu"]), 1, 0)
    for drawn, stimuli, expected in zip(
        known["boot_rows"], known["boot_stims"], known["boot_acc_drop"].T, strict=True
    ):
        draw = Resample(
            subject=np.ones(rows.n_subjects),
            condition=np.bincount(stimuli, minlength=n_conditions).astype(float),
        )
        weight = np.bincount(drawn, minlength=len(stack)).astype(float)
        for values, value in zip(transformed, expected, strict=True):
            gram = (values * pair_weights(draw.condition)) @ values.T
            hits = np.zeros((rows.n_regions + 1, rows.n_regions))
            identified(gram, rows.subject, rows.region, rows.n_regions, weight, hits)
            # Rows whose region no other subject has are missed there, and left out here.
            assert np.trace(hits[:-1]) / hits.sum() == pytest.approx(value, abs=1e-9)
