"""How uncertain the share of conditions is that single trials tell, over units and conditions.

Units are resampled with all their trials; conditions that are judged are resampled, those that they
are held against stay. Repeats are not resampled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.intervals import FACTORS, Interval, share_interval
from pipeline.methods.trsa.model import Sample, Session
from pipeline.methods.trsa.populations import decoded, decoded_share
from pipeline.methods.trsa.result import PartResult

Floats = NDArray[np.float64]

CHOICES = 50
"""Random choices of units that stand for as many units as the smallest region has."""


def resampled(
    sample: Sample, n_draws: int, rng: np.random.Generator, loops: Loops = ALONE
) -> dict[str, Floats]:
    """Shares under resampling, by :data:`FACTORS`, each (draw, population).

    NaN where no condition that was drawn is judged.
    """
    populations, n = sample.populations(), sample.n_conditions
    found = {name: np.full((n_draws, len(populations)), np.nan) for name in FACTORS}
    for place in loops.steps(len(populations), found, rng):
        index, region = populations[place]
        session = sample.sessions[index]
        made = shares(session, region, n, n_draws, rng)
        for name in FACTORS:
            found[name][:, place] = made[name]
    return found


def shares(
    session: Session, region: int, n_conditions: int, n_draws: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Shares of one population under resampling, by :data:`FACTORS`, each (draw,)."""
    n_units = session.units_of(region).size
    times = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_draws)
    weights = rng.multinomial(n_conditions, np.full(n_conditions, 1 / n_conditions), size=n_draws)
    whole, judged = decoded(session, region, n_conditions, np.ones((1, n_units)))
    drawn, _ = decoded(session, region, n_conditions, times.astype(np.float64))
    counted = weights @ judged
    counted = np.where(counted > 0, counted, np.nan)
    every = judged.sum() or np.nan
    return {
        "both": (weights * drawn).sum(axis=1) / counted,
        "units": drawn.sum(axis=1) / every,
        "conditions": weights @ whole[0] / counted,
    }


def with_equal_units(sample: Sample, rng: np.random.Generator) -> Floats:
    """Shares of each population with as many units as the smallest region of its recording.

    Mean over :data:`CHOICES` random choices of units, shape (population,); NaN with fewer than two
    folds. More units tell conditions better, so that only these compare regions.
    """
    found = np.full(len(sample.populations()), np.nan)
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        sizes = [session.units_of(one).size for one in range(len(session.regions))]
        few = np.zeros((CHOICES, sizes[region]))
        few[:, : min(sizes)] = 1
        drawn, judged = decoded(session, region, sample.n_conditions, rng.permuted(few, axis=1))
        if judged.any():
            found[place] = drawn.sum(axis=1).mean() / judged.sum()
    return found


def observed(sample: Sample, parts: Sequence[PartResult]) -> list[tuple[float, Interval]]:
    """The share of each population, with its interval; NaN with fewer than two folds."""
    made = {
        name: np.concatenate(
            [draws for part in parts if (draws := getattr(part, f"decoding_{name}")) is not None]
        )
        for name in FACTORS
    }
    found = []
    for place, (index, region) in enumerate(sample.populations()):
        session = sample.sessions[index]
        share = decoded_share(session, region, sample.n_conditions)
        span = Interval(se=np.nan, low=np.nan, high=np.nan)
        if np.isfinite(share):
            span = share_interval(
                share,
                {name: draws[:, place] for name, draws in made.items()},
                n_units=session.units_of(region).size,
                n_conditions=sample.n_conditions,
            )
        found.append((share, span))
    return found
