"""Stretches of a sequence that come again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repetition:
    """What of a sequence comes again."""

    ending: NDArray[np.int64]
    """For each entry, the class of the window that ends there; -1 where it does not come again.
    Entries of one class have the same history, as far as the window reaches."""
    inside: NDArray[np.bool_]
    """Whether an entry is part of a window that comes again."""


def repetition(
    codes: NDArray[np.int64], runs: NDArray[np.int64], width: int, *, least: int = 2
) -> Repetition:
    """Windows of a sequence that occur again, apart from those in which nothing changes.

    Parameters
    ----------
    codes
        One number an entry, the same where entries are the same; shape (entry,). They must be
        spread over 64 bits, as hashes are: windows are compared by a sum of products of them.
    runs
        Number of the run each entry belongs to, in order, shape (entry,); no window crosses the
        border of two runs.
    width
        Entries a window spans.
    least
        How often a window must occur at least.
    """
    keys, defined = windows(codes, runs, width)
    ending = np.full(codes.size, -1, dtype=np.int64)
    _, inverse, counts = np.unique(keys[defined], return_inverse=True, return_counts=True)
    again = counts >= least
    number = np.where(again, np.cumsum(again) - 1, -1)
    ending[defined] = number[inverse]
    return Repetition(ending=ending, inside=covered(ending >= 0, width))


def windows(
    codes: NDArray[np.int64], runs: NDArray[np.int64], width: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A key of the window that ends at each entry, equal for equal windows, and where there is one.

    There is none where the window would begin before its run, and where all of its entries are the
    same.

    Parameters
    ----------
    codes, runs, width
        As in :func:`repetition`.
    """
    keys = np.zeros(codes.size, dtype=np.uint64)
    defined = np.zeros(codes.size, dtype=bool)
    if codes.size < width:
        return keys, defined
    # Powers of an odd number modulo 2^64 give each place in the window a weight of its own.
    weights = np.cumprod(np.full(width, 0x9E3779B97F4A7C15, dtype=np.uint64), dtype=np.uint64)
    views = np.lib.stride_tricks.sliding_window_view(codes.view(np.uint64), width)
    keys[width - 1 :] = views @ weights
    changes = np.concatenate([[0], np.cumsum(codes[1:] != codes[:-1])])
    defined[width - 1 :] = changes[width - 1 :] > changes[: codes.size - width + 1]
    defined[width - 1 :] &= runs[width - 1 :] == runs[: codes.size - width + 1]
    return keys, defined


def covered(ends: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Which entries are part of a window of ``width`` entries that ends where told."""
    count = np.concatenate([[0], np.cumsum(ends)])
    last = np.minimum(np.arange(ends.size) + width, ends.size)
    found: NDArray[np.bool_] = count[last] > count[np.arange(ends.size)]
    return found
