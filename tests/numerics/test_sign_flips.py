"""Sign flips against counting by hand, and their level by chance."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.sign_flips import sign_flip_p


def p(values, seed=0):
    return sign_flip_p(np.asarray(values, dtype=float), rng=stream(seed, "flips"))


def test_all_values_above_zero_leave_one_flip_as_large():
    assert p([1, 2, 3, 4, 5]) == 1 / 32


def test_flips_as_large_are_counted_by_hand():
    # Sums of +-3 +-1: 4, 2, -2, -4; the observed 2 is reached by two of four.
    assert p([3, -1]) == 2 / 4
    assert p([1, -1]) == 3 / 4


def test_values_of_zero_say_nothing():
    assert p([0, 0, 0]) == 1.0


def test_many_values_are_flipped_at_random_about_as_exactly():
    values = stream(1, "values").standard_normal(14)
    drawn = p(np.append(values, 0.0))  # one more value, which changes no sum
    assert drawn == pytest.approx(p(values), abs=0.02)


def test_p_values_are_uniform_by_chance():
    rng = stream(2, "null")
    found = np.array([p(rng.standard_normal(8)) for _ in range(400)])
    assert (found <= 0.1).mean() == pytest.approx(0.1, abs=0.045)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_nothing_to_flip_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        p(values)
