"""Similarity with means over others against means that are built and compared."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.held_out_means import compare_with_means
from pipeline.numerics.resampled import RESAMPLED, compare_resampled, without_scale
from tests.numerics.test_resampled import draws, vectors

N_ROWS = 6
SUBJECT = np.array([0, 0, 1, 1, 2, 3])
REGION = np.array([0, 1, 0, 1, 0, 1])
APART = SUBJECT[:, None] != SUBJECT
OTHERS = np.stack([APART & (REGION[:, None] == REGION), APART & (REGION == 1)])


def drawn_subjects(n_draws, n_ways):
    chosen = stream(2, "subjects").multinomial(4, np.full(4, 1 / 4), size=(n_draws, n_ways))
    return chosen[..., SUBJECT].astype(float)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("measure", RESAMPLED)
def test_means_need_not_be_built(measure, ties):
    rows, counts, weights = vectors(N_ROWS, ties=ties), draws(5), drawn_subjects(5, 3)
    found = compare_with_means(rows, measure, counts, weights, OTHERS, block_bytes=20_000)
    assert found.shape == (5, 3, 2, N_ROWS)
    for draw, way, kind, row in np.ndindex(found.shape):
        share = weights[draw, way] * OTHERS[kind, row]
        if not share.any():
            assert np.isnan(found[draw, way, kind, row])
            continue
        mean = share @ without_scale(rows, measure, counts[draw])
        expected = compare_resampled(mean[None], rows[[row]], measure, counts[[draw]])
        assert found[draw, way, kind, row] == pytest.approx(expected[0, 0, 0], abs=2e-7)
    assert np.isnan(found).any()
    assert np.isfinite(found).mean() > 0.5


@pytest.mark.parametrize("measure", ["cosine", "corr", "rho_a", "spearman", "whitened_corr"])
def test_what_has_no_variance_is_held_against_nothing(measure):
    rows = vectors(3)
    rows[0] = 0.0 if measure == "cosine" else 0.4
    alone = ~np.eye(3, dtype=bool)[None]
    found = compare_with_means(rows, measure, draws(2), np.ones((2, 1, 3)), alone)
    assert np.isnan(found[..., 0]).all()
    ranks = measure in ("rho_a", "spearman")  # a vector of ties adds the same to all ranks
    assert np.isfinite(found[..., 1:]).all() if ranks else np.isnan(found[..., 1:]).all()
    only = compare_with_means(
        rows, measure, draws(2), np.array([[[0.0, 1, 1]]] * 2), alone
    )  # the rest, where that one was not drawn
    assert np.isfinite(only[..., 1:]).all()


def test_opposite_vectors_have_no_mean_to_be_held_against():
    rows = vectors(3) - 0.6
    rows[1] = -2 * rows[0]
    alone = ~np.eye(3, dtype=bool)[None]
    found = compare_with_means(rows, "cosine", draws(4), np.ones((4, 1, 3)), alone)
    assert np.isnan(found[..., 2]).all()
    assert np.isfinite(found[..., :2]).all()
