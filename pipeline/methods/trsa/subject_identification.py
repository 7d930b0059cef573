"""Regions over subjects in each bin of the time of the trial.

As for the whole response window, each subject's regions go to the nearest mean of a region over
the other subjects, by ranks, which leave all of the geometry and no strength. Regions are
relabelled within subjects, alike in all bins, so that stretches of bins are tested by their mass
(Maris & Oostenveld 2007) whatever neighbouring bins have in common.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.resuming import ALONE, Loops
from pipeline.methods.trsa.across import LEVEL, SubjectRows
from pipeline.methods.trsa.identification import Rows, accuracies, accuracy
from pipeline.methods.trsa.result import SUBJECT_STRETCH_COLUMNS, IdentifiedCourse
from pipeline.methods.trsa.transforms import scaled_ranks
from pipeline.numerics.clusters import clusters
from pipeline.numerics.permutation import p_values

Floats = NDArray[np.float64]

BAND = (0.05, 0.95)
"""Quantiles of relabellings that are drawn."""


def identified_in_time(
    found: SubjectRows,
    dissimilarities: Floats,
    time: Floats,
    n_draws: int,
    rng: np.random.Generator,
    loops: Loops = ALONE,
) -> IdentifiedCourse:
    """How often regions are recognised from the other subjects in each bin.

    Parameters
    ----------
    found
        Which populations are rows.
    dissimilarities
        Of populations along time, shape (population, time_bin, pair). Where they are missing or
        all equal, as where no unit answers, a row has equal ranks and is like no region.
    time
        Middle of each bin, seconds.
    loops
        Of a joining; relabellings are a piece.
    """
    rows = found.rows
    statistics = in_bins(found, dissimilarities)
    seen = accuracies(statistics, rows)
    null = loops.piece(lambda _: {"null": relabelled(statistics, rows, n_draws, rng)}, rng)["null"]
    possible = rows.least_p <= LEVEL
    width = float(time[1] - time[0]) if time.size > 1 else 0.0
    told = [
        (
            round(float(time[one.start]) - width / 2, 9) + 0.0,  # so that 0 is 0
            round(float(time[one.stop - 1]) + width / 2, 9),
            one.mass,
            one.p,
        )
        for one in (clusters(seen, null) if possible else ())
    ]
    low, high = np.quantile(null, BAND, axis=0)
    return IdentifiedCourse(
        accuracy=seen,
        chance=null.mean(axis=0),
        lower=low,
        upper=high,
        p=p_values(seen, null) if possible else np.full(seen.shape, np.nan),
        stretches=pd.DataFrame(told, columns=list(SUBJECT_STRETCH_COLUMNS)).astype("float64"),
    )


def in_bins(found: SubjectRows, dissimilarities: Floats) -> Floats:
    """Ranks of each row, mean over its recordings, in each bin, shape (time_bin, row, pair)."""
    means = np.stack([dissimilarities[list(places)].mean(axis=0) for places in found.members])
    ranks = scaled_ranks(np.where(np.isnan(means).any(axis=2, keepdims=True), 0.0, means))
    return np.moveaxis(np.where(np.isnan(ranks), 0.5, ranks), 1, 0)


def relabelled(statistics: Floats, rows: Rows, n_draws: int, rng: np.random.Generator) -> Floats:
    """Accuracies after relabelling regions within subjects, shape (draw, time_bin)."""
    labels = [rows.relabelled(rng) for _ in range(n_draws)]
    grams = [np.ascontiguousarray(values @ values.T) for values in statistics]
    return np.array([[accuracy(gram, rows, label=label) for gram in grams] for label in labels])
