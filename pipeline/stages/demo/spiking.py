"""Spike times from the number of spikes in each step of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.recording import SpikeTrains

REFRACTORY_S = 0.0016
"""No two spikes of a unit are closer, unless pauses would then fill more of a step than allowed."""
MOST_PAUSE = 0.95
"""Share of a step that refractory pauses may fill."""
SAMPLING_HZ = 2**15
"""Of the simulated acquisition. Spike times are whole samples; in a power of two they pack well."""


def spike_trains(
    rng: np.random.Generator,
    counts: NDArray[np.int64],
    *,
    step_start_s: NDArray[np.float64],
    step_s: float,
    observed: NDArray[np.float64],
) -> SpikeTrains:
    """Trains that have exactly these counts, with spikes anywhere in their steps.

    Parameters
    ----------
    counts
        Spikes of each unit in each step, shape (step, unit).
    step_start_s
        Start of each step, ascending, shape (step,).
    step_s
        Length of a step.
    observed
        Stretches in which spikes could be seen, shape (interval, 2), s.
    """
    a_cell = counts.T.ravel()
    pause = np.minimum(REFRACTORY_S, MOST_PAUSE * step_s / np.maximum(a_cell, 1))
    cell = np.repeat(np.arange(a_cell.size), a_cell)
    # Sorted times in what the refractory pauses leave of a step, then the pauses put back.
    within = rng.random(cell.size) * (step_s - pause * a_cell)[cell]
    within = within[np.lexsort((within, cell))]
    rank = np.arange(cell.size) - (np.cumsum(a_cell) - a_cell)[cell]
    times = np.tile(step_start_s, counts.shape[1])[cell] + within + pause[cell] * rank
    return SpikeTrains(
        times=np.ceil(times * SAMPLING_HZ) / SAMPLING_HZ,  # never back into the step before
        starts=np.concatenate([[0], np.cumsum(counts.sum(axis=0))]).astype(np.int64),
        observed=observed,
    )
