"""What a fitted model says about each recording, and simpler models to compare it with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.alignment import Alignment, recording_rows
from pipeline.methods.connectome.factorisation import Fit, Search, factorise
from pipeline.methods.connectome.hals import Problem, part_of, refit_pairs, residual_energy
from pipeline.methods.connectome.masks import cell_weights

STATIC = Search(n_starts=1, n_kept=1, burn_in=0, max_iterations=100, tolerance=1e-5)
"""One component needs one start, and few iterations."""

REFIT_SWEEPS = 50
"""Passes of HALS that are ample for one mode with the others fixed."""


def component_gains(problem: Problem, fit: Fit) -> NDArray[np.float64]:
    """Explained share that is lost without each component, shape (component,)."""
    time = fit.time * fit.weight
    product = problem.products.over_pairs(fit.pair)
    crossing = (cell_weights(time, fit.slot) * product).sum(axis=0)
    together = problem.observed.component_products(time, fit.slot, fit.pair)
    # |residual + component|^2 - |residual|^2 = 2 <data, c> - 2 <model, c> + <c, c>
    lost = 2 * crossing - 2 * together.sum(axis=0) + np.diag(together)
    return np.asarray(lost / problem.size**2)


def recording_explained(problem: Problem, alignment: Alignment, fit: Fit) -> NDArray[np.float64]:
    """Explained share within each recording, shape (recording,)."""
    shape = problem.shape[:2]
    product = problem.products.over_pairs(fit.pair)
    rest = residual_energy(problem, fit.time * fit.weight, fit.slot, fit.pair, product)
    explained = np.empty(alignment.recording.size)
    for index in range(alignment.recording.size):
        place = recording_rows(alignment, index)
        total = problem.products.energy.reshape(shape)[place].sum()
        explained[index] = 1 - rest.reshape(shape)[place].sum() / total if total else np.nan
    return explained


def static_explained(problem: Problem, alignment: Alignment, rng: np.random.Generator) -> float:
    """Explained share of one fixed graph of changing strength in each recording by itself."""
    rest, total = 0.0, 0.0
    for index in range(alignment.recording.size):
        alone = _alone(problem, *_rows(alignment, index))
        size = alone.size**2
        if size == 0:
            continue
        fit = factorise(alone, rank=1, search=STATIC, rng=rng)[0]
        total += size
        rest += size * fit.relative_error**2
    return 1 - rest / total


def recording_shares(alignment: Alignment, fit: Fit) -> NDArray[np.float64]:
    """Share of each component's size in each recording, shape (component, recording).

    The size is the sum of the time factor over the recording's frames, times the recording
    factor where recordings share frames. Components without any size give equal shares.
    """
    size = np.empty((fit.weight.size, alignment.recording.size))
    for index in range(alignment.recording.size):
        rows, column = recording_rows(alignment, index)
        size[:, index] = fit.time[rows].sum(axis=0) * fit.slot[column]
    total = size.sum(axis=1, keepdims=True)
    return np.where(total > 0, size / np.where(total > 0, total, 1), 1 / size.shape[1])


def reproducibility(problem: Problem, alignment: Alignment, fit: Fit) -> NDArray[np.float64]:
    """Agreement of pair factors refitted in each recording by itself, shape (component,).

    With one recording its two time halves take the place of recordings. The time factors stay as
    they were fitted to all the data, so the value alone is too good; it means something beside
    the same value of surrogates only.

    Returns
    -------
    Mean cosine over pairs of recordings, weighted by the component's shares in both, over unit
    pairs observed in both; NaN for a component that is in one recording only.
    """
    pieces = _pieces(alignment)
    refits = [_refit(problem, fit, rows, column) for rows, column in pieces]
    sizes = np.stack([fit.time[rows].sum(axis=0) * fit.slot[column] for rows, column in pieces])
    agreement = np.zeros(fit.weight.size)
    total = np.zeros(fit.weight.size)
    for first in range(len(pieces)):
        for second in range(first + 1, len(pieces)):
            both = refits[first][1] & refits[second][1]
            one, other = refits[first][0][both], refits[second][0][both]
            norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
            cosine = (one * other).sum(axis=0) / np.where(norms > 0, norms, 1)
            weight = sizes[first] * sizes[second]
            agreement += weight * cosine
            total += weight
    return np.where(total > 0, agreement / np.where(total > 0, total, 1), np.nan)


def _alone(problem: Problem, rows: NDArray[np.int64], slot: int) -> Problem:
    """The problem of one recording, or of a stretch of it."""
    return part_of(problem, rows, [slot])


def _rows(alignment: Alignment, index: int) -> tuple[NDArray[np.int64], int]:
    """Bins of one recording, as indices, and its slot."""
    rows, column = recording_rows(alignment, index)
    return np.arange(alignment.bin_time_s.size)[rows], column


def _pieces(alignment: Alignment) -> list[tuple[NDArray[np.int64], int]]:
    """Recordings as (bins, slot), or the halves of the only one."""
    if alignment.recording.size > 1:
        return [_rows(alignment, index) for index in range(alignment.recording.size)]
    bins = np.arange(alignment.bin_time_s.size)
    return [(bins[: bins.size // 2], 0), (bins[bins.size // 2 :], 0)]


def _refit(
    problem: Problem, fit: Fit, rows: NDArray[np.int64], column: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pair factors of some frames given their time factors, and the pairs observed there."""
    alone = _alone(problem, rows, column)
    time = fit.time[rows] * (fit.weight * fit.slot[column])
    pair = refit_pairs(alone, time, np.ones((1, fit.weight.size)), sweeps=REFIT_SWEEPS)
    return pair, alone.observed.pair_observed
