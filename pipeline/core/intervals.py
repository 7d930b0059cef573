"""Stretches of time: one row each with start and stop in seconds, shape (interval, 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def union(stretches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretches joined where they overlap, in order of time.

    Stretches that only touch stay apart: the border may be a cut in the recording.

    Parameters
    ----------
    stretches
        Start and stop, shape (interval, 2), any order.
    """
    if not len(stretches):
        return np.empty((0, 2))
    ordered = np.unique(stretches, axis=0)
    reach = np.maximum.accumulate(ordered[:, 1])
    first = np.flatnonzero(np.append(True, ordered[1:, 0] >= reach[:-1]))
    return np.stack([ordered[first, 0], np.maximum.reduceat(ordered[:, 1], first)], axis=1)


def without(stretches: NDArray[np.float64], holes: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left of stretches once others are cut out of them.

    Parameters
    ----------
    stretches, holes
        Start and stop, shape (interval, 2); the stretches in order and without overlap. Holes of
        no length cut nothing.
    """
    left = stretches
    for start, stop in union(holes[holes[:, 1] > holes[:, 0]]):
        before = np.stack([left[:, 0], np.minimum(left[:, 1], start)], axis=1)
        after = np.stack([np.maximum(left[:, 0], stop), left[:, 1]], axis=1)
        pieces = np.stack([before, after], axis=1).reshape(-1, 2)
        left = pieces[pieces[:, 1] > pieces[:, 0]]
    return left


def inside(times: NDArray[np.float64], stretches: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which times lie in one of the stretches, borders included, shape as ``times``.

    Parameters
    ----------
    stretches
        Start and stop, shape (interval, 2), in order and without overlap.
    """
    if not len(stretches):
        return np.zeros(times.shape, dtype=bool)
    at = np.searchsorted(stretches[:, 0], times, side="right") - 1
    found: NDArray[np.bool_] = (at >= 0) & (times <= stretches[at, 1])
    return found


def places_inside(times: NDArray[np.float64], stretches: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where ascending times lie in each stretch: first place and one past the last.

    As ``inside``, at the cost of the stretches and not of the times. A time on the border of two
    stretches that touch is in the earlier one. Shape (interval, 2).
    """
    begins = np.searchsorted(times, stretches[:, 0], side="left")
    ends = np.searchsorted(times, stretches[:, 1], side="right")
    return np.stack([np.maximum(begins, np.append(0, ends)[:-1]), ends], axis=1)


def count_inside(times: NDArray[np.float64], stretches: NDArray[np.float64]) -> int:
    """How many of ascending times lie in one of the stretches."""
    return int(np.diff(places_inside(times, stretches)).sum())
