"""One run of one candidate number of components: what criteria of the choice are made of.

A run fits the data from starts of its own, the data without held-out blocks, and one surrogate.
Runs with the same number hold out the same blocks and have the same surrogate whatever the number
of components, so that candidates are compared on the same ground.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.core.method import Part
from pipeline.core.progress import Progress, silent
from pipeline.core.provenance import Provenance
from pipeline.core.resuming import InTurn
from pipeline.core.rng import stream
from pipeline.core.views import TraceEnsemble
from pipeline.methods.connectome.alignment import Alignment, align
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.core_consistency import core_consistency
from pipeline.methods.connectome.factorisation import Fit, Search, Snapshot, factorise
from pipeline.methods.connectome.hals import Problem, refit_times
from pipeline.methods.connectome.held_out import block_errors, draw_blocks, judged, training
from pipeline.methods.connectome.model import reproducibility
from pipeline.methods.connectome.problem import affinity_problem, rows_of_pairs
from pipeline.methods.connectome.result import RankPart

RIDGE = 1e-3
"""Penalty on the factors of a fit that predicts, for data of norm 1 whose weights are spread
evenly over the modes."""

SHRINK = 0.1
"""Share of a component that must be visible in a cell for half of its estimate there to be kept. A
component whose units are all but held out has next to nothing that tells how active it is; without
this it can be predicted a thousand times too large."""

SWEEPS = 20
"""Passes over the courses with everything else fixed."""


def rank_run(
    views: tuple[TraceEnsemble, ...],
    config: ConnectomeConfig,
    part: Part,
    rng: np.random.Generator,
    progress: Progress = silent,
    *,
    provenance: Provenance,
    fits: InTurn[Snapshot],
) -> RankPart:
    """One run of a candidate.

    Parameters
    ----------
    views, config
        As of every part; ``config.rank`` is the candidate.
    part
        ``rank-NN-run-MM``.
    rng
        Of this part: starts of the fits.
    progress
        Told after every iteration.
    provenance
        Put into the result; blocks and surrogate follow from its seed and experiment.
    fits
        Takes snapshots of the fits of the data, of those not held out and of the surrogate, and
        has those to go on from.
    """
    run = int(part.name.rpartition("-")[2])
    alignment = align(views, config)
    rank = config.n_components
    if rank > largest_rank(alignment):
        return _impossible(part, run, alignment, config, provenance)
    search = quick_search(config)

    def fitted(problem: Problem) -> Fit:
        keep, left = fits.next()
        return factorise(
            problem,
            rank=rank,
            search=search,
            rng=rng,
            progress=progress,
            checkpoint=keep,
            resume=left,
        )[0]

    problem = affinity_problem(alignment, config, threads=provenance.threads)
    fit = fitted(problem)
    residual, energy = _held_out(
        problem, alignment, config, fitted, rng=_shared(provenance, f"blocks-{run:02d}")
    )
    shifted = align(views, config, shift_with=_shared(provenance, f"surrogate-{run:02d}"))
    null = affinity_problem(shifted, config, threads=provenance.threads)
    of_null = fitted(null)
    return RankPart(
        name=part.name,
        rank=rank,
        run=run,
        weight=fit.weight,
        component_time=fit.time,
        component_slot=fit.slot,
        component_pair=fit.pair[rows_of_pairs(alignment, channels=problem.observed.channels)],
        relative_error=fit.relative_error,
        reproducibility=_mean(reproducibility(problem, alignment, fit)),
        core_consistency=core_consistency(problem, fit),
        held_out_residual=residual,
        held_out_energy=energy,
        surrogate_error=of_null.relative_error,
        surrogate_reproducibility=_mean(reproducibility(null, shifted, of_null)),
        provenance=provenance,
    )


def quick_search(config: ConnectomeConfig) -> Search:
    """How candidates are fitted: fewer starts, a wider tolerance, near a minimum at best."""
    return Search(
        start=config.start,
        n_starts=min(config.n_starts, 2),
        burn_in=min(config.burn_in, 10),
        n_kept=1,
        max_iterations=min(config.max_iterations, 200),
        tolerance=max(config.tolerance, 1e-5),
        kkt_limit=np.inf,
    )


def largest_rank(alignment: Alignment) -> int:
    """More components than frames or pairs are never of use."""
    return min(alignment.bin_time_s.size, len(alignment.pairs))


def _held_out(
    problem: Problem,
    alignment: Alignment,
    config: ConnectomeConfig,
    fitted: Callable[[Problem], Fit],
    *,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared residuals and affinities of held-out blocks; none where nothing can be held out."""
    blocks = draw_blocks(alignment, sigma_s=config.sigma_s, rng=rng)
    if blocks is None:
        return np.empty(0), np.empty(0)
    known, unknown = training(problem, blocks), judged(problem, blocks)
    if known.size == 0 or unknown.size == 0:
        return np.empty(0), np.empty(0)
    modes = 2 if problem.observed.n_slots == 1 else 3
    ridge = RIDGE * problem.size ** (2 - 2 / modes)
    penalty = dataclasses.replace(known.penalty, ridge=max(ridge, known.penalty.ridge))
    fit = fitted(dataclasses.replace(known, penalty=penalty))
    time = refit_times(known, fit.pair, slot=fit.slot, sweeps=SWEEPS, shrink=SHRINK)
    return block_errors(unknown, blocks, time, fit.slot, fit.pair)


def _shared(provenance: Provenance, name: str) -> np.random.Generator:
    """The random stream that all candidates' runs of one number have in common."""
    return stream(provenance.seed, provenance.experiment, "connectome", name)


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is known, NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _impossible(
    part: Part,
    run: int,
    alignment: Alignment,
    config: ConnectomeConfig,
    provenance: Provenance,
) -> RankPart:
    """The record of a candidate with more components than frames or pairs."""
    return RankPart(
        name=part.name,
        rank=config.n_components,
        run=run,
        weight=np.empty(0),
        component_time=np.empty((alignment.bin_time_s.size, 0)),
        component_slot=np.empty((alignment.speed.shape[1], 0)),
        component_pair=np.empty((len(alignment.pairs), 0)),
        relative_error=np.nan,
        reproducibility=np.nan,
        core_consistency=np.nan,
        held_out_residual=np.empty(0),
        held_out_energy=np.empty(0),
        surrogate_error=np.nan,
        surrogate_reproducibility=np.nan,
        provenance=provenance,
    )
