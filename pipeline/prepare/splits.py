"""Which frames of a stimulus a model learns from, is chosen by, and is judged by.

Frames that are shown again belong to the test, since only they tell how far answers can be
predicted at all; what else was shown is cut into blocks. Where nearly all is shown again, the
blocks are cut out of what was shown, and all showings of a block have one role: a model never
learns from frames by which it is judged.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.views import ROLES

NO_ROLE = -1
TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Lengths in frames, and shares."""

    block: int
    """Of the blocks that have one role."""
    border: int
    """At the start of a block whose predecessor has another role, these have none."""
    once: int
    """Least number of frames that are shown once, for those shown again to be the test."""
    validation: float
    test: float


def roles(
    again: NDArray[np.int64],
    inside: NDArray[np.bool_],
    runs: NDArray[np.int64],
    lengths: Lengths,
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """Role of every frame: place in :data:`ROLES`, or -1; shape (frame,).

    Parameters
    ----------
    again
        Class of the frames with the same history that are shown again, -1 for others.
    inside
        Whether a frame is part of what is shown again.
    runs
        Number of the uninterrupted stretch each frame belongs to; -1 for frames of no use.
    lengths
        Of blocks and borders, and shares of blocks.
    rng
        Random stream: which blocks.
    """
    usable = runs >= 0
    found = np.full(again.size, NO_ROLE, dtype=np.int8)
    n_once = int((usable & ~inside).sum())
    if n_once >= lengths.once:
        test = 0.0 if (usable & (again >= 0)).any() else lengths.test
        chosen = _drawn(rng, _blocks(runs, usable & ~inside, lengths.block), lengths, test=test)
        found = np.where(usable & ~inside, chosen, found)
        found[usable & inside] = TEST
    else:
        # The first showing is cut; the others follow it, class by class.
        first = np.zeros(again.size, dtype=bool)
        first[np.unique(again, return_index=True)[1]] = True
        leading = usable & first & (again >= 0)
        chosen = _drawn(rng, _blocks(runs, leading, lengths.block), lengths, test=lengths.test)
        of_class = np.full(int(again.max(initial=-1)) + 1, NO_ROLE, dtype=np.int8)
        of_class[again[leading]] = chosen[leading]
        known = usable & (again >= 0)
        found[known] = of_class[again[known]]
    return _without_borders(found, runs, lengths.border)


def stretches(found: NDArray[np.int8], runs: NDArray[np.int64], *, least: int) -> pd.DataFrame:
    """Uninterrupted stretches of one role: ``first`` frame, one past the last, and ``role``.

    Parameters
    ----------
    found, runs
        Role and run of each frame.
    least
        Stretches of fewer frames are left out.
    """
    change = np.flatnonzero((np.diff(found) != 0) | (np.diff(runs) != 0)) + 1
    bounds = np.concatenate([[0], change, [found.size]]).astype(np.int64)
    first, stop = bounds[:-1], bounds[1:]
    kept = (found[np.minimum(first, found.size - 1)] >= 0) & (stop - first >= least)
    first, stop = first[kept], stop[kept]
    names = [ROLES[role] for role in found[first]]
    return pd.DataFrame({"first": first, "stop": stop, "role": pd.Series(names, dtype="str")})


def _blocks(runs: NDArray[np.int64], usable: NDArray[np.bool_], length: int) -> NDArray[np.int64]:
    """Number of the block of each usable frame; pieces are cut into equal blocks."""
    block = np.full(runs.size, -1, dtype=np.int64)
    places = np.flatnonzero(usable)
    if not places.size:
        return block
    cuts = np.flatnonzero((np.diff(places) > 1) | (np.diff(runs[places]) != 0)) + 1
    count = 0
    for piece in np.split(places, cuts):
        n_blocks = max(1, round(piece.size / length))
        block[piece] = count + np.arange(piece.size) * n_blocks // piece.size
        count += n_blocks
    return block


def _drawn(
    rng: np.random.Generator, block: NDArray[np.int64], lengths: Lengths, *, test: float
) -> NDArray[np.int8]:
    """A role for each block: in every stretch of some blocks, the shares that are wanted.

    Drawing within stretches spreads validation and test over the session, and drawing at all
    keeps them from falling in step with a stimulus that has a period.
    """
    n_blocks = int(block.max(initial=-1)) + 1
    wanted = np.zeros(n_blocks, dtype=np.int8)
    for share, role in ((lengths.validation, VALIDATION), (test, TEST)):
        if share <= 0 or n_blocks < 3:
            continue
        count = max(1, round(share * n_blocks))
        edges = np.linspace(0, n_blocks, count + 1).astype(int)
        for a, b in itertools.pairwise(edges):
            free = np.flatnonzero(wanted[a:b] == TRAIN) + a
            if free.size:
                wanted[rng.choice(free)] = role
    found = np.full(block.size, NO_ROLE, dtype=np.int8)
    found[block >= 0] = wanted[block[block >= 0]]
    return found


def _without_borders(
    found: NDArray[np.int8], runs: NDArray[np.int64], border: int
) -> NDArray[np.int8]:
    """Roles without the frames that follow on frames of another role."""
    cleared = found.copy()
    changes = np.flatnonzero((np.diff(found) != 0) & (np.diff(runs) == 0)) + 1
    for start in changes:
        if found[start - 1] >= 0:
            cleared[start : start + border] = NO_ROLE
    return cleared
