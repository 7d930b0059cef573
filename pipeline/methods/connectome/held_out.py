"""How well components predict what was held out: blocks of time by half of the units.

Pairs that share a unit share its trace, and frames share the filter with their neighbours, so that
entries held out at random are told by the ones beside them. Held out is therefore a block of time
in one recording for half of the units: pairs of two held-out units are judged, pairs of one
held-out unit and another are used for nothing (two of them and the pair between the others would
tell what is held out), and pairs of other units, with other recordings, tell when components are
active in the block. A margin on both sides of a block, as wide as the filter reaches, is taken from
the fit in the same way and not judged.

With recordings one after another, or a single one, this is the cross-validation over units by time
of a matrix (Owen & Perry 2009): the block's course comes from the units that stay, the pattern of
the held-out units from the rest of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.alignment import Alignment, recording_rows
from pipeline.methods.connectome.hals import Problem, residual_energy

BLOCK_S = 10.0
"""Length of a held-out block in seconds."""

MARGIN_SIGMAS = 6.0
"""Margin on both sides, in widths of the derivative filter; white noise through it has
forgotten itself there."""

SHARE = 0.5
"""Share of stretches (block with its margins) that are held out at a time: 5 to 10 % of pairs."""

FEWEST = 4
"""Stretches that all recordings together must have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """What is held out at a time."""

    judged: NDArray[np.int64]
    """Block of each cell that is judged, -1 for others, (bin, slot)."""
    removed: NDArray[np.int64]
    """The same with margins."""
    unit: NDArray[np.bool_]
    """Units that are held out, (block, unit)."""

    @property
    def count(self) -> int:
        """Number of blocks."""
        return len(self.unit)


def draw_blocks(alignment: Alignment, *, sigma_s: float, rng: np.random.Generator) -> Blocks | None:
    """Blocks that are held out together; nothing where recordings are too short for any.

    Every recording's time is cut into stretches of a block with its margins, from a random start;
    half of all stretches are held out. Units are halved at random once, and each block holds out
    one of the halves, so that few sets of units occur.

    Parameters
    ----------
    alignment
        Frames in the recordings' own time.
    sigma_s
        Width of the derivative filter.
    rng
        Where stretches start, which are taken, and for which units.
    """
    margin_s = MARGIN_SIGMAS * sigma_s
    stretches = _stretches(alignment, margin_s=margin_s, rng=rng)
    if len(stretches) < FEWEST:
        return None
    half = _half(alignment.unit.size, rng)
    chosen = rng.permutation(len(stretches))[: round(SHARE * len(stretches))]
    judged = np.full(alignment.observed.shape[:2], -1)
    removed, held = judged.copy(), np.zeros((chosen.size, half.size), dtype=bool)
    for block, index in enumerate(np.sort(chosen)):
        slot, inside, around = stretches[index]
        judged[inside, slot] = removed[around, slot] = block
        held[block] = half if rng.random() < 0.5 else ~half
    return Blocks(judged=judged, removed=removed, unit=held)


def training(problem: Problem, blocks: Blocks) -> Problem:
    """The problem without pairs of any held-out unit in blocks and margins."""
    return problem.seen_only(~_held(blocks, blocks.removed))


def judged(problem: Problem, blocks: Blocks) -> Problem:
    """The problem of pairs of two held-out units in blocks, and nothing else."""
    return problem.seen_only(_held(blocks, blocks.judged))


def block_errors(
    problem: Problem,
    blocks: Blocks,
    time: NDArray[np.float64],
    slot: NDArray[np.float64],
    pair: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of squared residuals of each block, and of squared affinities, both (block,).

    ``problem`` is what :func:`judged` gives; the factors were fitted to what :func:`training`
    gives.
    """
    product = problem.products.over_pairs(pair)
    rest = residual_energy(problem, time, slot, pair, product)
    block = blocks.judged.reshape(-1)
    used = block >= 0
    residual, energy = np.zeros(blocks.count), np.zeros(blocks.count)
    np.add.at(residual, block[used], rest[used])
    np.add.at(energy, block[used], problem.products.energy[used])
    return residual, energy


def _stretches(
    alignment: Alignment, *, margin_s: float, rng: np.random.Generator
) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Slot, bins of the block, and bins with margins, of all stretches of all recordings."""
    length_s = BLOCK_S + 2 * margin_s
    found = []
    for index in range(alignment.recording.size):
        rows, slot = recording_rows(alignment, index)
        bins = np.arange(alignment.bin_time_s.size)[rows]
        time = alignment.source_time_s[bins, index]
        bins, time = bins[np.isfinite(time)], time[np.isfinite(time)]
        if not time.size:
            continue
        start = time.min() - rng.uniform(0, length_s)
        number = np.floor((time - start) / length_s).astype(np.int64)
        within = time - start - number * length_s
        inside = (within >= margin_s) & (within < length_s - margin_s)
        for one in np.unique(number[inside]):
            here = number == one
            found.append((slot, bins[here & inside], bins[here]))
    return found


def _half(n_units: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A random half of the units."""
    half = np.zeros(n_units, dtype=bool)
    half[rng.permutation(n_units)[: n_units // 2]] = True
    return half


def _held(blocks: Blocks, of_cell: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a unit is held out in a cell, (bin, slot, unit)."""
    held = np.concatenate([blocks.unit, np.zeros((1, blocks.unit.shape[1]), dtype=bool)])
    return np.asarray(held[of_cell], dtype=bool)
