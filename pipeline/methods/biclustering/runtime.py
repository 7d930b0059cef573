"""How long a chain will take, from the sizes of its data: told before it starts."""

from __future__ import annotations

from pipeline.methods.biclustering.model import CountData, Schedule

SWEEP_S = 0.008
SWEEP_S_A_COUNT = 1.07e-6
"""Processor time of a sweep: fitted to what ``benchmarks/biclustering_sampler.py speed`` takes for
30 to 400 units in 500 to 2000 bins, all within 9 % (``docs/biclustering_sampler.md``)."""

START_S_A_COUNT = 1.3e-3
"""Of the search for first clusters and states: about 20 s for 30 units in 500 bins. Rough."""


def expected_s(data: CountData, schedule: Schedule, *, done: int = 0) -> float:
    """Seconds of one core that a chain needs from a sweep on, without compiling.

    Parameters
    ----------
    data
        What is sampled.
    schedule
        Lengths.
    done
        Sweeps that a checkpoint holds; the search is over then.
    """
    n_counts = data.n_units * data.n_bins
    sweeps = (schedule.n_sweeps - done) * (SWEEP_S + SWEEP_S_A_COUNT * n_counts)
    return sweeps + (0.0 if done else START_S_A_COUNT * n_counts)


def in_words(seconds: float) -> str:
    """A length of time as one would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
