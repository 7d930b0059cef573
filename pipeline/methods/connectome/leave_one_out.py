"""How components change when one recording is left out and everything is fitted again."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops, Made, Midway
from pipeline.methods.connectome.alignment import Alignment, recording_rows
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.factorisation import Fit, Search, factorise, going_on
from pipeline.methods.connectome.hals import Problem, part_of


def leave_one_out(
    problem: Problem,
    alignment: Alignment,
    fit: Fit,
    config: ConnectomeConfig,
    *,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> NDArray[np.float64] | None:
    """Likeness of each component's pairs in a refit without each recording.

    Refits start from random factors, not from the solution, so that a component that comes back
    was found again. Components are matched one to one.

    Parameters
    ----------
    problem, alignment, fit
        What was fitted, all pairs of units in the pair factor.
    config
        Number of components, starts, iterations.
    rng
        Starts of the refits.
    loops
        Of the joining; a piece is a refit.

    Returns
    -------
    Cosine over pairs that the refit could see, (component, recording); 0 for a component that has
    no match; nothing with fewer than three recordings.
    """
    n_recordings = alignment.recording.size
    if n_recordings < 3:
        return None
    search = Search(
        start=config.start,
        n_starts=config.n_starts,
        n_kept=1,
        burn_in=config.burn_in,
        max_iterations=config.max_iterations,
        tolerance=config.tolerance,
    )

    def refit(rest: Problem, midway: Midway) -> Made:
        again = factorise(
            rest, rank=config.n_components, search=search, rng=rng, **going_on(midway)
        )[0]
        return {"likeness": _matched(fit, again, rest.observed.pair_observed)}

    found = np.zeros((fit.weight.size, n_recordings))
    for index in range(n_recordings):
        rest = _without(problem, alignment, index)
        if rest.size == 0:
            continue
        found[:, index] = loops.piece(partial(refit, rest), rng)["likeness"]
    return found


def _matched(fit: Fit, again: Fit, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cosine of each component with its match over pairs that were seen, (component,)."""
    from scipy.optimize import linear_sum_assignment

    likeness = _unit(fit.pair[seen]).T @ _unit(again.pair[seen])
    rows, columns = linear_sum_assignment(-likeness)
    found = np.zeros(fit.weight.size)
    found[rows] = likeness[rows, columns]
    return found


def _without(problem: Problem, alignment: Alignment, index: int) -> Problem:
    """The problem without one recording."""
    every = np.arange(alignment.bin_time_s.size)
    if alignment.side_by_side:
        return part_of(problem, every, [s for s in range(alignment.recording.size) if s != index])
    rows, slot = recording_rows(alignment, index)
    return part_of(problem, np.delete(every, every[rows]), [slot])


def _unit(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of norm 1; zero ones stay."""
    norms = np.linalg.norm(columns, axis=0)
    return np.asarray(columns / np.where(norms > 0, norms, 1))
