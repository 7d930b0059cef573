"""CP factors: normal form, products and similarity, against models built by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.cp import balanced, khatri_rao, match_score, normalise


def factors_of(rank: int, *sizes: int) -> list[np.ndarray]:
    rng = stream(0, "factors")
    return [rng.random((size, rank)) for size in sizes]


def tensor_of(weight, factors):
    return np.einsum("r,ir,jr,kr->ijk", weight, *factors)


def test_normal_form_describes_the_same_tensor():
    factors = factors_of(3, 5, 4, 6)
    weight, unit = normalise(factors)
    np.testing.assert_allclose(tensor_of(weight, unit), tensor_of(np.ones(3), factors))
    assert (np.diff(weight) <= 0).all()
    for factor in unit:
        np.testing.assert_allclose(np.linalg.norm(factor, axis=0), 1)


def test_an_empty_component_keeps_weight_zero():
    factors = factors_of(2, 3, 3)
    factors[0][:, 0] = 0
    weight, unit = normalise(factors)
    assert weight[1] == 0
    assert np.isfinite(unit[0]).all()


def test_balanced_factors_have_equal_norms_and_the_same_tensor():
    factors = factors_of(3, 5, 4, 6)
    factors[0] *= 1e6
    even = balanced(factors)
    norms = np.array([np.linalg.norm(factor, axis=0) for factor in even])
    np.testing.assert_allclose(norms, norms[:1].repeat(3, axis=0))
    np.testing.assert_allclose(tensor_of(np.ones(3), even), tensor_of(np.ones(3), factors))


def test_khatri_rao_unfolds_the_tensor():
    factors = factors_of(3, 5, 4, 6)
    unfolded = factors[0] @ khatri_rao(factors[1:]).T
    np.testing.assert_allclose(unfolded.reshape(5, 4, 6), tensor_of(np.ones(3), factors))


def test_a_model_matches_itself_in_any_order():
    weight, unit = normalise(factors_of(4, 8, 3, 9))
    order = [2, 0, 3, 1]
    shuffled = [factor[:, order] for factor in unit]
    assert match_score(weight, unit, weight[order], shuffled) == pytest.approx(1)


def test_doubled_weights_halve_the_score_unless_weights_are_left_out():
    weight, unit = normalise(factors_of(2, 8, 9))
    eye = [np.eye(8)[:, :2], np.eye(9)[:, :2]]
    assert match_score(weight, eye, 2 * weight, eye) == pytest.approx(0.5)
    assert match_score(weight, eye, 2 * weight, eye, use_weights=False) == pytest.approx(1)
    assert match_score(weight, unit, weight, eye) < 1
