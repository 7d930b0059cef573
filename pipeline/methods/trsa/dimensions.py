"""Over how many dimensions the conditions of every population spread."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.methods.trsa.config import TrsaConfig
from pipeline.methods.trsa.homology import repeats_of, whitened_repeats
from pipeline.methods.trsa.model import Sample
from pipeline.methods.trsa.result import DIMENSION_COLUMNS
from pipeline.numerics.shapes import (
    cross_validated_participation_ratio,
    n_principal,
    participation_ratio,
    two_neighbour_dimension,
)

Floats = NDArray[np.float64]

LEAST_REPEATS = 2


def dimensions_of(sample: Sample, config: TrsaConfig) -> pd.DataFrame:
    """One row a population, of patterns in units of noise; NaN where there are no two repeats.

    The participation ratio is also measured between halves of the repeats, where noise adds no
    variance, with the jackknife standard error over conditions.
    """
    rows: list[tuple[object, ...]] = []
    for index, region in sample.populations():
        session = sample.sessions[index]
        numbers: tuple[float, ...] = (np.nan,) * 6
        try:
            repeats = whitened_repeats(
                repeats_of(session, region, sample.n_conditions), session, region, config
            )
        except ValueError:
            pass  # a single trial a condition has no noise to measure by
        else:
            numbers = _numbers(repeats)
        rows.append((session.recording, session.regions[region], *numbers))
    table = pd.DataFrame(rows, columns=list(DIMENSION_COLUMNS))
    words = DIMENSION_COLUMNS[:2]
    return table.astype({name: "str" if name in words else "float64" for name in table.columns})


def _numbers(repeats: Floats) -> tuple[float, ...]:
    """Cross-validated and plain participation ratio, nearest neighbours, principal axes."""
    from scipy.spatial.distance import pdist, squareform

    patterns = repeats.mean(axis=2)
    shared = error = np.nan
    if repeats.shape[2] >= LEAST_REPEATS:
        halves = repeats[:, :, ::2].mean(axis=2), repeats[:, :, 1::2].mean(axis=2)
        shared = cross_validated_participation_ratio(*halves)
        left = [
            cross_validated_participation_ratio(*(np.delete(half, at, axis=0) for half in halves))
            for at in range(len(patterns))
        ]
        error = float(np.sqrt((len(left) - 1) * np.var(left)))  # NaN where one is not defined
    return (
        shared,
        error,
        participation_ratio(patterns),
        two_neighbour_dimension(squareform(pdist(patterns))),
        float(n_principal(patterns, 0.8)),
        float(n_principal(patterns, 0.95)),
    )
