"""Which cluster or state of a draw is the counterpart of which of the point partition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def counterparts(point: NDArray[np.integer], drawn: NDArray[np.integer]) -> NDArray[np.int64]:
    """For each group of the point partition the group of the draw that shares most with it.

    Parameters
    ----------
    point
        Labels from 0 on, shape (item,).
    drawn
        Labels of a draw, any that are not negative, shape (item,).

    Returns
    -------
    Label in the draw of each group of the point partition, one to one so that most items agree;
    -1 where the draw has no group left for it.
    """
    shared = np.zeros((int(point.max()) + 1, int(drawn.max()) + 1))
    np.add.at(shared, (point, drawn), 1)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    found = np.full(shared.shape[0], -1, dtype=np.int64)
    fits = shared[rows, columns] > 0
    found[rows[fits]] = columns[fits]
    return found


def membership(point: NDArray[np.integer], draws: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of draws in which an item is in the counterpart of a group, shape (item, group)."""
    shares = np.zeros((point.size, int(point.max()) + 1))
    for drawn in draws:
        match = counterparts(point, drawn)
        shares += (drawn[:, None] == match) & (match >= 0)
    return shares / len(draws)
