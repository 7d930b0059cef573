"""Slow courses in time: how long they stay alike, and whether they go with states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.permutation import largest_p_values

STABLE_DIGITS = 12
"""Decimals of Fourier transforms that are the same wherever arrays lie in memory."""
LEAST_INDEPENDENT = 20
"""Correlation times that a course must last for shifts to say anything."""
LEAST_RUNS = 6
"""Stretches of equal state that a sequence needs for the same."""


def correlation_frames(course: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames over which each course stays alike, (component,): 1 + twice its autocorrelation's sum.

    The sum ends where the autocorrelation first falls to 0.
    """
    n_frames = len(course)
    centred = course - course.mean(axis=0)
    power = np.abs(np.fft.rfft(centred, n=2 * n_frames, axis=0)) ** 2
    lags = np.fft.irfft(power, axis=0)[:n_frames]
    relative = lags / np.where(lags[0] > 0, lags[0], 1)
    positive = np.cumprod(relative > 0, axis=0)
    return np.asarray(np.maximum(2 * (relative * positive).sum(axis=0) - 1, 1))


def noise_free_correlation_frames(course: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frames over which what is not noise of single frames stays alike, shape (component,).

    :func:`correlation_frames` of the autocorrelation over that of one frame, in which noise that
    differs from frame to frame has no part; 1 for courses whose next frame is not alike beyond
    chance. Whether little or much of a course is noise, and how fine frames are, then matters
    little.

    Parameters
    ----------
    course
        Shape (frame, component), none constant.
    """
    centred = course - course.mean(axis=0)
    next_one = (centred[1:] * centred[:-1]).sum(axis=0) / np.square(centred).sum(axis=0)
    alike = next_one > 2 / np.sqrt(len(course))
    longer = (correlation_frames(course) - 1) / np.where(alike, next_one, 1)
    return np.asarray(np.where(alike, 1 + longer, 1.0))


def detrended(course: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without mean and linear trend."""
    step = np.arange(len(course)) - (len(course) - 1) / 2
    centred = course - course.mean(axis=0)
    slope = step @ centred / max(float(step @ step), 1.0)
    return np.asarray(centred - step[:, None] * slope)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateTest:
    """How much of each course states explain, and how often shifted states explain as much."""

    explained: NDArray[np.float64]
    """Share of the variance of the course, its trend removed, that lies between states;
    shape (component,)."""
    p_value: NDArray[np.float64]
    """Family-wise over components; NaN where shifts say nothing; shape (component,)."""
    reason: str
    """Why no component could be tested; empty where one was."""


def states_and_courses(course: NDArray[np.float64], state: NDArray[np.int64]) -> StateTest:
    """Whether courses differ between states more than between states shifted in time.

    All circular shifts are looked at, and all components share each, so that both keep their
    autocorrelation; p is that of the largest of all components.

    Parameters
    ----------
    course
        Shape (frame, component).
    state
        Shape (frame,).
    """
    n_frames, n_components = course.shape
    flat = detrended(course)
    total = (flat**2).sum(axis=0)
    varies = total > 0
    kinds, sizes = np.unique(state, return_counts=True)
    spectrum = np.fft.rfft(flat, axis=0)
    between = np.zeros((n_frames, n_components))
    for kind, size in zip(kinds, sizes, strict=True):
        mask = np.fft.rfft((state == kind).astype(np.float64))
        summed = np.fft.irfft(spectrum * mask.conj()[:, None], n=n_frames, axis=0)
        between += summed**2 / size
    share = np.round(between / np.where(varies, total, np.nan), STABLE_DIGITS)
    n_runs = 1 + int(np.count_nonzero(np.diff(state)))
    long_enough = varies & (n_frames / correlation_frames(course) >= LEAST_INDEPENDENT)
    reason = ""
    if kinds.size < 2:
        reason = "one state holds everything"
    elif n_runs < LEAST_RUNS:
        reason = f"{n_runs} stretches of states cannot be told from slow change"
    elif not long_enough.any():
        reason = "courses change too slowly for the length of the recording"
    if reason:
        return StateTest(explained=share[0], p_value=np.full(n_components, np.nan), reason=reason)
    spread = share.std(axis=0)
    scaled = (share - share.mean(axis=0)) / np.where(spread > 0, spread, 1)
    scaled[:, ~long_enough] = np.nan
    return StateTest(explained=share[0], p_value=largest_p_values(scaled[0], scaled[1:]), reason="")
