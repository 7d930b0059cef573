"""Correlation of two courses over time lags, in some stretches of time only.

A lag is positive where the second course follows the first. At every lag one of the two courses is
taken inside the stretches and the other where the lag leads to, which may be outside; both ways
round are averaged, so that exchanging the courses mirrors the curve. Every lag has sums of squares
of its own, so that stretches which are short against the largest lag do not favour small ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.courses import LEAST_INDEPENDENT, correlation_frames

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagSums:
    """Sums over frames from which a correlation at each lag follows; they add up."""

    product: Floats
    """Products of both courses, (..., lag)."""
    first: Floats
    """Squares of the first course where the second is known."""
    second: Floats
    """Squares of the second course where the first is known."""

    def correlation(self) -> Floats:
        """Products over the root of both sums of squares, (..., lag); 0 where nothing is."""
        size = np.sqrt(np.maximum(self.first, 0) * np.maximum(self.second, 0))
        return np.asarray(np.where(size > 0, self.product / np.where(size > 0, size, 1), 0.0))

    def mirrored(self) -> LagSums:
        """The same with the two courses exchanged."""
        return LagSums(
            product=self.product[..., ::-1],
            first=self.second[..., ::-1],
            second=self.first[..., ::-1],
        )

    def weighted(self, weight: Floats) -> LagSums:
        """Sums with each entry of the first axis counted so often, (draw, entry) to (draw, lag)."""
        return LagSums(
            product=weight @ self.product, first=weight @ self.first, second=weight @ self.second
        )


def added(sums: Sequence[LagSums]) -> LagSums:
    """Sums of equal shape, entry by entry."""
    return LagSums(
        product=np.sum([one.product for one in sums], axis=0),
        first=np.sum([one.first for one in sums], axis=0),
        second=np.sum([one.second for one in sums], axis=0),
    )


def joined(sums: Sequence[LagSums]) -> LagSums:
    """Sums one after another along their first axis."""
    return LagSums(
        product=np.concatenate([one.product for one in sums]),
        first=np.concatenate([one.first for one in sums]),
        second=np.concatenate([one.second for one in sums]),
    )


def stretch_sums(
    first: Floats,
    second: Floats,
    stretches: Sequence[tuple[int, int]],
    *,
    most: int,
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
) -> LagSums:
    """Sums of each stretch, (stretch, lag) with lags from ``-most`` to ``most`` frames.

    Parameters
    ----------
    first, second
        Courses, (frame,).
    stretches
        First frame and frame after the last of each, none nearer to an end than ``most``.
    known
        Where each course is known; everywhere unless given. What is unknown counts as 0.
    """
    lags = np.arange(-most, most + 1)
    seen = (np.ones(first.size), np.ones(second.size)) if known is None else known
    one, other = (np.asarray(mask, dtype=np.float64) for mask in seen)
    a, b = first * one, second * other
    found = LagSums(
        product=np.zeros((len(stretches), lags.size)),
        first=np.zeros((len(stretches), lags.size)),
        second=np.zeros((len(stretches), lags.size)),
    )
    for row, (begin, stop) in enumerate(stretches):
        here = np.arange(begin, stop)[:, None]
        for i, j in ((here, here + lags), (here - lags, here)):
            found.product[row] += (a[i] * b[j]).sum(axis=0) / 2
            found.first[row] += (a[i] ** 2 * other[j]).sum(axis=0) / 2
            found.second[row] += (one[i] * b[j] ** 2).sum(axis=0) / 2
    return found


def shifted_sums(
    first: Floats,
    second: Floats,
    inside: NDArray[np.bool_],
    shifts: NDArray[np.int64],
    *,
    most: int,
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
) -> LagSums:
    """Sums over all stretches for circular shifts of the second course, (shift, lag).

    Shift ``s`` moves the second course by ``s`` frames to later; shift 0 is the data. All shifts
    come from one Fourier transform a lag.

    Parameters
    ----------
    inside
        Whether a frame is in a stretch, (frame,).
    shifts
        Frames to move by, (shift,).
    """
    n_frames, lags = first.size, np.arange(-most, most + 1)
    seen = (np.ones(n_frames), np.ones(n_frames)) if known is None else known
    one, other = (np.asarray(mask, dtype=np.float64) for mask in seen)
    a, b, here = first * one, second * other, inside.astype(np.float64)
    # sum over t of inside(t) x(t) y(t + lag - s): one correlation, read off at lag - s
    place = (lags[None, :] - shifts[:, None]) % n_frames
    found = []
    for x, y in ((a, b), (a**2, other), (one, b**2)):
        spectrum = np.fft.rfft(y)
        forth = _correlated(here * x, spectrum, n_frames)[place]
        moved = np.stack([here * np.roll(x, lag) for lag in lags])
        # sum over t of inside(t) x(t - lag) y(t - s): for every lag one, read off at -s
        back = _correlated(moved, spectrum, n_frames)[:, -shifts % n_frames].T
        found.append((forth + back) / 2)
    return LagSums(product=found[0], first=found[1], second=found[2])


def _correlated(x: Floats, spectrum: NDArray[np.complex128], n_frames: int) -> Floats:
    """Sum over t of x(t) y(t + k) for every circular k, from the transform of y."""
    return np.asarray(np.fft.irfft(np.fft.rfft(x).conj() * spectrum, n=n_frames))


def peak_lags(curve: Floats, *, sign: float) -> Floats:
    """Where curves (..., lag) are largest after multiplication with ``sign``, in frames.

    A parabola through the largest value and its neighbours gives what lies between frames; a peak
    at the end of the lags stays there.
    """
    most = curve.shape[-1] // 2
    height = sign * curve
    top = height.argmax(axis=-1)
    middle = np.clip(top, 1, 2 * most - 1)[..., None]
    low, high, next_ = (
        np.take_along_axis(height, middle + step, axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    bend = low - 2 * high + next_
    inner = (top > 0) & (top < 2 * most) & (bend < 0)
    offset = np.where(inner, (low - next_) / np.where(inner, 2 * bend, 1), 0.0)
    return np.asarray(top - most + np.clip(offset, -0.5, 0.5))


LEAST_STRETCHES = 8
"""Stretches below which nothing is said: an interval is drawn from them."""

FEW = "too few stretches"
SHORT = "too slow for its length"
BEYOND = "beyond the largest lag"
TESTED = "tested"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagPiece:
    """Two courses in one recording, and the stretches in which their lag is asked for."""

    first: Floats
    second: Floats
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    stretches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LagTest:
    """Lag of the second course behind the first; numbers are NaN where nothing is said."""

    status: str
    """:data:`TESTED`, :data:`BEYOND` (then there is no lag), :data:`FEW` or :data:`SHORT`."""
    n_stretches: int
    n_pieces: int
    curve: Floats
    """Correlation at each lag, (lag,)."""
    correlation: float = np.nan
    """At its peak, with its sign."""
    lag: float = np.nan
    """In frames."""
    low: float = np.nan
    high: float = np.nan
    """95 % of bootstrap draws of stretches."""
    chance: float = np.nan
    """What the largest absolute correlation stays below in 95 % of shifted courses."""
    p_locked: float = np.nan
    """Of any correlation within the lags, by shifts."""
    p_apart: float = np.nan
    """Two-sided, of a lag beyond half a frame on the side that was found, by the bootstrap."""
    n_alike: int = 0
    """Pieces whose own lag is on the side of the lag of all."""


def lag_test(
    pieces: Sequence[LagPiece], *, most: int, n_draws: int, rng: np.random.Generator
) -> LagTest:
    """Whether two courses are locked to each other in some stretches, and which is ahead.

    Stretches must have been chosen without looking at the two courses. Two questions are asked
    apart. Are they locked at all: the largest absolute correlation over lags is held against those
    of courses shifted in time, end joined to start, in each piece by an amount of its own; the
    first course is shifted, then the second, and the larger p counts, as it may be either that goes
    with the stretches. And is the lag other than 0: stretches are drawn again with replacement.

    Parameters
    ----------
    pieces
        Recordings or parts of them, all with frames of one length.
    most
        Largest lag in frames.
    n_draws
        Shifts, and bootstrap draws.
    rng
        Draws both.
    """
    guard = 2 * most
    usable = [piece for piece in pieces if piece.stretches]
    lasting = [piece for piece in usable if _lasts(piece, guard)]
    n_stretches = sum(len(piece.stretches) for piece in lasting)
    nothing = np.full(2 * most + 1, np.nan)
    if n_stretches < LEAST_STRETCHES:
        n_all = sum(len(piece.stretches) for piece in usable)
        return LagTest(
            status=FEW if n_all < LEAST_STRETCHES else SHORT,
            n_stretches=n_all,
            n_pieces=len(usable),
            curve=nothing,
        )
    of_piece = [
        stretch_sums(one.first, one.second, one.stretches, most=most, known=one.known)
        for one in lasting
    ]
    every = joined(of_piece)
    curve = every.weighted(np.ones((1, n_stretches))).correlation()[0]
    top = int(np.abs(curve).argmax())
    sign = 1.0 if curve[top] >= 0 else -1.0
    largest = _shifted_peaks(lasting, most=most, guard=guard, n_draws=n_draws, rng=rng)
    p_locked = max(
        (1 + int((draws >= abs(curve[top]) - 1e-9).sum())) / (1 + n_draws) for draws in largest
    )
    drawn = rng.multinomial(n_stretches, np.full(n_stretches, 1 / n_stretches), size=n_draws)
    lags = peak_lags(every.weighted(drawn.astype(np.float64)).correlation(), sign=sign)
    lag = float(peak_lags(curve, sign=sign))
    found = LagTest(
        status=TESTED,
        n_stretches=n_stretches,
        n_pieces=len(lasting),
        curve=curve,
        correlation=float(curve[top]),
        chance=float(max(np.quantile(draws, 0.95) for draws in largest)),
        p_locked=p_locked,
        p_apart=1.0,
    )
    if top in (0, 2 * most):
        return dataclasses.replace(found, status=BEYOND)
    own = [
        float(peak_lags(one.weighted(np.ones((1, len(one.product)))).correlation()[0], sign=sign))
        for one in of_piece
    ]
    side = 1.0 if lag >= 0 else -1.0
    against = int((side * lags <= 0.5).sum())
    return dataclasses.replace(
        found,
        lag=lag,
        low=float(np.quantile(lags, 0.025)),
        high=float(np.quantile(lags, 0.975)),
        p_apart=min(1.0, 2 * (1 + against) / (1 + n_draws)),
        n_alike=sum(side * one > 0 for one in own),
    )


def _lasts(piece: LagPiece, guard: int) -> bool:
    """Whether a piece is long enough, against how slowly its courses change, to be shifted."""
    courses = np.stack([np.abs(piece.first), np.abs(piece.second)], axis=1)
    independent = (len(courses) - 2 * guard) / correlation_frames(courses)
    return bool((independent >= LEAST_INDEPENDENT).all())


def _shifted_peaks(
    pieces: Sequence[LagPiece],
    *,
    most: int,
    guard: int,
    n_draws: int,
    rng: np.random.Generator,
) -> list[Floats]:
    """Largest absolute correlation over lags when the second, then the first course is shifted.

    Shifts so small that the two would still be beside each other are not drawn.
    """
    second, first = [], []
    for piece in pieces:
        inside = np.zeros(piece.first.size, dtype=bool)
        for begin, stop in piece.stretches:
            inside[begin:stop] = True
        shifts = rng.integers(guard + 1, piece.first.size - guard, size=n_draws, dtype=np.int64)
        one, other = piece.known
        second.append(
            shifted_sums(piece.first, piece.second, inside, shifts, most=most, known=(one, other))
        )
        first.append(
            shifted_sums(piece.second, piece.first, inside, shifts, most=most, known=(other, one))
        )
    return [np.abs(added(sums).correlation()).max(axis=1) for sums in (second, first)]
