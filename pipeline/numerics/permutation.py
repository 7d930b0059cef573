"""P values from draws under a null hypothesis, and their adjustment for many tests."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TIE = 1e-12
"""Draws that fall below the observed value by less than this count as equal to it."""

Correction = Literal["bh", "holm", "bonferroni", "none"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)


def p_values(observed: NDArray[np.floating], null: NDArray[np.floating]) -> Floats:
    """One-sided Monte-Carlo p: (1 + draws as large) / (1 + draws).

    Parameters
    ----------
    observed
        Shape (...).
    null
        Shape (draw, ...). Missing draws (NaN) count as large.

    Returns
    -------
    Shape (...); NaN where nothing was observed.
    """
    observed = np.asarray(observed, dtype=np.float64)
    as_large = ~(null < observed - TIE)
    p = (1 + as_large.sum(axis=0)) / (1 + len(null))
    return np.where(np.isnan(observed), np.nan, p)


def largest_p_values(observed: NDArray[np.floating], null: NDArray[np.floating]) -> Floats:
    """P of each test against the largest statistic of each draw: valid for all tests together.

    Parameters
    ----------
    observed
        Statistics of one scale, shape (test,). Missing ones (NaN) take no part.
    null
        Shape (draw, test).
    """
    observed = np.asarray(observed, dtype=np.float64)
    known = ~np.isnan(observed)
    if not known.any():
        return np.full(observed.shape, np.nan)
    largest = np.max(null[:, known], axis=1)
    return p_values(observed, np.broadcast_to(largest[:, None], null.shape))


def adjusted(p: NDArray[np.floating], correction: Correction = "bh") -> Floats:
    """P values adjusted for their number, shape as given; missing ones (NaN) are no tests.

    Parameters
    ----------
    p
        Raw p values, any shape.
    correction
        ``bh`` (false discovery rate, Benjamini & Hochberg), ``holm``, ``bonferroni`` or ``none``.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"'{correction}' is none of {', '.join(CORRECTIONS)}.")
    result = np.array(p, dtype=np.float64)
    known = ~np.isnan(result)
    raw = result[known]
    if correction == "none" or not raw.size:
        return result
    order = np.argsort(raw, kind="stable")
    n = raw.size
    if correction == "bonferroni":
        steps = raw[order] * n
    elif correction == "holm":
        steps = np.maximum.accumulate(raw[order] * np.arange(n, 0, -1))
    else:
        scaled = raw[order] * n / np.arange(1, n + 1)
        steps = np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted_raw = np.empty(n)
    adjusted_raw[order] = np.minimum(steps, 1.0)
    result[known] = adjusted_raw
    return result
