"""Lags between two courses: sums by hand, planted lags, and what chance gives after selection."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.lagged import (
    BEYOND,
    FEW,
    LEAST_STRETCHES,
    SHORT,
    TESTED,
    LagPiece,
    lag_test,
    peak_lags,
    shifted_sums,
    stretch_sums,
)

DRAWS = 199


def everywhere(n_frames):
    return np.ones(n_frames, dtype=bool), np.ones(n_frames, dtype=bool)


def test_sums_are_those_counted_by_hand():
    first = np.array([0.0, 0, 2, 0, 0, 1, 0, 0])
    second = np.array([0.0, 0, 0, 3, 0, 0, 5, 0])
    found = stretch_sums(first, second, [(2, 4)], most=1)
    # inside are frames 2 and 3: first(2) second(3) forth, and back at second(3) as well.
    assert found.product[0].tolist() == [0, 0, 6]
    assert found.first[0].tolist() == [(4 + 0) / 2, 4, (4 + 4) / 2]
    assert found.correlation()[0, 2] == pytest.approx(6 / np.sqrt(4 * 9))


def test_exchanging_the_courses_mirrors_the_curve():
    rng = stream(0, "mirror")
    first, second = rng.standard_normal((2, 60))
    known = rng.random((2, 60)) < 0.8
    one = stretch_sums(first, second, [(10, 20), (30, 50)], most=5, known=tuple(known))
    other = stretch_sums(second, first, [(10, 20), (30, 50)], most=5, known=tuple(known[::-1]))
    np.testing.assert_allclose(one.mirrored().correlation(), other.correlation())


def test_shifted_sums_are_those_of_courses_that_were_shifted():
    rng = stream(1, "shift")
    first, second = rng.standard_normal((2, 64))
    known = tuple(rng.random((2, 64)) < 0.8)
    stretches = [(10, 20), (30, 45)]
    inside = np.zeros(64, dtype=bool)
    inside[10:20] = inside[30:45] = True
    shifts = np.array([0, 1, 17, 63])
    found = shifted_sums(first, second, inside, shifts, most=4, known=known)
    for row, shift in enumerate(shifts):
        moved = np.roll(second, shift), np.roll(known[1], shift)
        asked = stretch_sums(first, moved[0], stretches, most=4, known=(known[0], moved[1]))
        np.testing.assert_allclose(found.product[row], asked.product.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.first[row], asked.first.sum(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.second[row], asked.second.sum(axis=0), atol=1e-12)


def test_what_is_unknown_does_not_matter():
    rng = stream(2, "unknown")
    first, second = rng.standard_normal((2, 50))
    known = tuple(rng.random((2, 50)) < 0.7)
    other = np.where(known[0], first, 99.0), np.where(known[1], second, -99.0)
    one = stretch_sums(first, second, [(8, 40)], most=6, known=known)
    two = stretch_sums(*other, [(8, 40)], most=6, known=known)
    np.testing.assert_array_equal(one.correlation(), two.correlation())


@pytest.mark.parametrize("place", [-2.3, 0.0, 0.4, 3.1])
def test_peaks_lie_between_frames_and_have_a_sign(place):
    lags = np.arange(-6, 7)
    curve = 1 - 0.1 * (lags - place) ** 2
    assert peak_lags(curve, sign=1.0) == pytest.approx(place)
    assert peak_lags(-curve, sign=-1.0) == pytest.approx(place)
    assert peak_lags(lags.astype(float), sign=1.0) == 6


# -- whole tests --


def smoothed(events, width=2.0):
    kernel = np.exp(-(np.arange(-8, 9) ** 2) / (2 * width**2))
    return np.apply_along_axis(np.convolve, 0, events, kernel, mode="same")


def bursts(rng, n_frames, n_units, *, rate=0.03):
    """Derivatives of independent units: events of their own that rise fast and decay."""
    size = rng.exponential(size=(n_frames, n_units))
    events = (rng.random((n_frames, n_units)) < rate) * size
    decay = np.exp(-np.arange(30) / 4)
    traces = np.apply_along_axis(lambda one: np.convolve(one, decay)[:n_frames], 0, events)
    return smoothed(np.diff(traces, axis=0, prepend=0))


def coupled(rng, *, lag, n_pieces=2, n_events=12, n_frames=500, jitter=1.0, sign=1.0):
    """Two units with common events, the second ``lag`` frames later, in stretches around them."""
    found = []
    for _ in range(n_pieces):
        # not at equal distances: shifts by one would lay events on events again
        at = np.linspace(30, n_frames - 40, n_events).astype(int) + rng.integers(15, size=n_events)
        events = np.zeros((n_frames, 2))
        size = rng.uniform(0.5, 1.5, n_events)
        moved = lag + jitter * rng.standard_normal(n_events)
        events[at, 0] = size
        np.add.at(events[:, 1], np.round(at + moved).astype(int), sign * size)
        noise = 0.1 * rng.standard_normal((n_frames, 2))
        course = smoothed(events) + smoothed(noise)
        stretches = tuple((int(one) - 5, int(one) + 8) for one in at)
        found.append(
            LagPiece(
                first=course[:, 0],
                second=course[:, 1],
                known=everywhere(n_frames),
                stretches=stretches,
            )
        )
    return found


@pytest.mark.parametrize(("lag", "sign"), [(4, 1.0), (-4, 1.0), (3, -1.0)])
def test_a_planted_lag_is_found_with_its_sign_and_size(lag, sign):
    found = lag_test(
        coupled(stream(3, "lag", str(lag)), lag=lag, sign=sign),
        most=9,
        n_draws=DRAWS,
        rng=stream(4, "lag"),
    )
    assert found.status == TESTED
    assert found.lag == pytest.approx(lag, abs=0.6)
    assert found.low <= lag <= found.high
    assert np.sign(found.correlation) == sign
    assert found.p_locked == pytest.approx(1 / (1 + DRAWS))
    assert found.p_apart == pytest.approx(2 / (1 + DRAWS))
    assert (found.n_alike, found.n_pieces, found.n_stretches) == (2, 2, 24)


def test_units_that_change_together_are_locked_and_none_is_ahead():
    apart = []
    for index in range(60):
        rng = stream(index, "together")
        found = lag_test(coupled(rng, lag=0, n_pieces=1), most=9, n_draws=99, rng=rng)
        assert found.p_locked <= 0.03
        apart.append(found.p_apart)
    assert np.mean(np.array(apart) <= 0.05) <= 0.1


def test_too_few_stretches_and_too_slow_courses_give_no_number():
    rng = stream(5, "few")
    pieces = coupled(rng, lag=4, n_pieces=1, n_events=LEAST_STRETCHES - 1)
    few = lag_test(pieces, most=9, n_draws=9, rng=rng)
    assert few.status == FEW
    assert np.isnan([few.lag, few.p_locked, few.p_apart, *few.curve]).all()
    slow = LagPiece(
        first=np.sin(np.arange(300) / 40),
        second=np.cos(np.arange(300) / 40),
        known=everywhere(300),
        stretches=tuple((start, start + 5) for start in range(40, 200, 10)),
    )
    assert lag_test([slow], most=9, n_draws=9, rng=rng).status == SHORT


def test_a_peak_at_the_largest_lag_is_no_lag():
    found = lag_test(coupled(stream(6, "far"), lag=11), most=9, n_draws=99, rng=stream(6, "draw"))
    assert found.status == BEYOND
    assert np.isnan(found.lag)
    assert found.p_apart == 1


# -- what chance gives, where stretches are chosen by what happens --


def chosen(course):
    """Stretches in which a course is above the upper tenth of its values."""
    high = course > np.quantile(course, 0.9)
    high[:20] = high[-20:] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(int), [0]])))
    return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))


def p_values(seed, *, with_the_two, of="derivative"):
    """Of a pair of ten independent units: any, or the one that coincides most.

    Stretches come from how much the population's units change together: without the two, or with
    them and most of all by them, as in a component of which they are the strongest pair.
    """
    rng = stream(seed, "chance")
    course = bursts(rng, 700, 10)
    speed = np.sqrt(np.abs(course) / np.abs(course).max(axis=0))
    strength = np.triu(speed.T @ speed, 1)
    pair = np.unravel_index(strength.argmax(), strength.shape) if with_the_two else (0, 1)
    rest = [unit for unit in range(10) if unit not in pair]
    together = speed[:, rest].sum(axis=1) ** 2 - (speed[:, rest] ** 2).sum(axis=1)
    if with_the_two:
        together = together + 20 * speed[:, pair[0]] * speed[:, pair[1]]
    shown = course if of == "derivative" else speed
    piece = LagPiece(
        first=shown[:, pair[0]],
        second=shown[:, pair[1]],
        known=everywhere(700),
        stretches=chosen(together),
    )
    return lag_test([piece], most=9, n_draws=99, rng=rng).p_locked


@pytest.mark.parametrize("of", ["derivative", "speed"])
def test_shifts_keep_their_level_where_stretches_were_chosen_without_the_two_units(of):
    p = np.array([p_values(seed, with_the_two=False, of=of) for seed in range(150)])
    p = p[np.isfinite(p)]
    assert p.size >= 120
    for level in (0.05, 0.2):  # three binomial standard errors
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level * (1 - level) / p.size)


def test_shifts_fail_where_the_two_units_chose_the_stretches():
    p = np.array([p_values(seed, with_the_two=True, of="speed") for seed in range(100)])
    p = p[np.isfinite(p)]
    assert p.size >= 80
    assert np.mean(p <= 0.05) > 0.3
