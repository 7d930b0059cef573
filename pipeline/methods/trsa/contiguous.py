"""Regroupings of units into patches that lie together, as regions do.

Units that lie close together share what they answer to, so that any two contiguous patches differ
more than units scattered over both. Where positions are known, regions are therefore also held
against patches of their own sizes behind boundaries of random direction: what is left is more than
lying together explains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.words import counted
from pipeline.methods.trsa.halves import Splits
from pipeline.methods.trsa.model import Session

Floats = NDArray[np.float64]

CANDIDATES = 3
"""Of so many regroupings the one is kept whose patches differ most like the regions in rate."""

LEAST_SHARE = 0.95
"""Share of the units whose positions must be known."""

FLAT = 0.02
"""Share of the largest spread from which a direction counts as one along which units lie."""

LEAST_SHIFTED = 20
"""Units that shifts along a line need, as the smallest p is 1 / units."""


def why_not(session: Session, splits: Splits) -> str:
    """Why no contiguous regroupings can be made; empty where they can."""
    place = session.position_um[splits.units]
    known = np.isfinite(place).any(axis=1)
    if not known.any():
        return "positions of units are not known"
    if known.mean() < LEAST_SHARE:
        return f"positions of {int(known.sum())} of {known.size} units are known"
    n_along = _coordinates(place).shape[1]
    if n_along == 0:
        return "all units have one position"
    if n_along == 1 and known.size < LEAST_SHIFTED:
        return f"{counted(known.size, 'unit')} on a line allow too few regroupings"
    return ""


def regroupings(
    session: Session, splits: Splits, n_draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Orders of the units that put contiguous patches in the places of regions, (draw, unit).

    In a plane or in space units are sorted along a random direction and cut into patches of the
    regions' sizes, in a random order of regions. On a line, which has two directions only, patches
    start at a random unit and go on at the other end. Of :data:`CANDIDATES` such regroupings the
    one is taken whose patches' mean rates, on a log scale, are nearest to those of the regions.
    """
    along = _coordinates(session.position_um[splits.units])
    rate = session.responses[:, splits.units].mean(axis=0)
    level = np.log(np.maximum(rate - min(0.0, float(rate.min())), 1e-6 * np.ptp(rate) + 1e-12))
    sizes = np.bincount(splits.region)
    slots = [np.flatnonzero(splits.region == place) for place in range(sizes.size)]
    own = np.array([level[slot].mean() for slot in slots])
    orders = np.empty((n_draws, level.size), dtype=np.intp)
    for number in range(n_draws):
        nearest = np.inf
        for _ in range(CANDIDATES):
            order = _patches(along, slots, rng)
            apart = np.square([level[order[slot]].mean() for slot in slots] - own).sum()
            if apart < nearest:
                nearest, orders[number] = apart, order
    return orders


def _patches(
    along: Floats, slots: list[NDArray[np.intp]], rng: np.random.Generator
) -> NDArray[np.intp]:
    """One order of units, patch by patch; which unit of a patch takes which place is random."""
    n_units, n_along = along.shape
    jitter = 1e-9 * rng.random(n_units)  # units of one position in random order
    if n_along == 1:
        ordered = np.roll(np.argsort(along[:, 0] + jitter), int(rng.integers(n_units)))
    else:
        direction = rng.standard_normal(n_along)
        ordered = np.argsort(along @ (direction / np.linalg.norm(direction)) + jitter)
    order = np.empty(n_units, dtype=np.intp)
    start = 0
    for place in rng.permutation(len(slots)):
        stop = start + slots[place].size
        order[slots[place]] = rng.permutation(ordered[start:stop])
        start = stop
    return order


def _coordinates(position_um: Floats) -> Floats:
    """Positions along the directions in which units lie, of unit spread, (unit, direction).

    Coordinates that are not known for all are left out, single missing ones get the mean.
    """
    known = np.isfinite(position_um)
    used = position_um[:, known.mean(axis=0) >= LEAST_SHARE]
    if not used.size:
        return np.empty((len(position_um), 0))
    filled = np.where(np.isfinite(used), used, np.nanmean(used, axis=0))
    centred = filled - filled.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    kept = size > max(FLAT * size.max(), 1e-9)
    return np.asarray(left[:, kept] * np.sqrt(len(left)))
