"""How well each region is recognised over subjects: sensitivity and specificity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.parts import Table
from pipeline.methods.trsa.cells import columns, where_told
from pipeline.methods.trsa.result import SubjectsResult

Floats = NDArray[np.float64]


def sensitivity_specificity(
    confusion: Floats, counts: NDArray[np.integer]
) -> tuple[Floats, Floats]:
    """Of each region, from which region was taken for which.

    Parameters
    ----------
    confusion
        Share of the rows of each region that were assigned to each, shape (region, assigned).
    counts
        How many rows each region has, shape (region,).

    Returns
    -------
    Share of a region's own rows that were taken for it, and share of the rows of all other regions
    that were not, each of shape (region,).
    """
    taken = confusion * counts[:, None]
    own = np.diagonal(taken)
    others = counts.sum() - counts
    return np.asarray(own / counts), np.asarray(1 - (taken.sum(axis=0) - own) / others)


def exact_interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n independent decisions (Clopper & Pearson 1934).

    NaN where the share is of no whole number of them, as when decisions were tied.
    """
    from scipy.stats import binomtest

    hits = round(share * n) if np.isfinite(share) else 0
    if not np.isclose(hits, share * n, atol=1e-6):
        return np.nan, np.nan
    low, high = binomtest(hits, n).proportion_ci(method="exact")
    return float(low), float(high)


def recognition_table(found: SubjectsResult) -> Table:
    """One row a region: how often it is recognised, and how seldom others are taken for it."""
    counts = np.bincount(found.row_region, minlength=found.region.size)
    sensitivity, specificity = sensitivity_specificity(found.rank_confusion, counts)
    best = sensitivity_specificity(found.confusion, counts)
    spans = [
        exact_interval(share, n)
        for share, n in zip(sensitivity.tolist(), counts.tolist(), strict=True)
    ]
    shown = pd.DataFrame(
        {
            "region": found.region.astype(str),
            "subjects": counts,
            "sensitivity": sensitivity,
            "from": [low for low, _ in spans],
            "to": [high for _, high in spans],
            "specificity": specificity,
            "sensitivity at best levels": best[0],
            "specificity at best levels": best[1],
        }
    )
    return Table(
        id="recognition",
        title="How well each region is recognised over subjects",
        caption=(
            "Sensitivity: share of a region's subjects in whom it is taken for itself; "
            "specificity: share of the other regions, over all subjects, that are not taken for "
            f"it; by chance {1 / found.region.size:.2g} and {1 - 1 / found.region.size:.2g}. "
            "First by ranks, for which no level is chosen. "
            + where_told(
                shown,
                "from",
                "The 95 % interval of sensitivity is the exact one of as many independent "
                "decisions as there are subjects (Clopper-Pearson); as these decisions share the "
                "means over other subjects, it is approximate. ",
            )
            + "Specificity has none, as one subject makes several of its decisions; values at the "
            "best levels have none, as these levels were chosen on the same data."
        ),
        columns=columns(shown, {name: name for name in map(str, shown)}),
    )
