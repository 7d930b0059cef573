"""How well each region is recognised: sensitivity and specificity, over subjects and within one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.parts import Table
from pipeline.methods.trsa.cells import columns, where_told
from pipeline.methods.trsa.result import HalvesResult, SubjectsResult

Floats = NDArray[np.float64]


def sensitivity_specificity(
    confusion: Floats, counts: NDArray[np.integer]
) -> tuple[Floats, Floats]:
    """Of each region, from which region was taken for which.

    Parameters
    ----------
    confusion
        Share of the rows of each region that were assigned to each, (..., region, assigned).
    counts
        How many rows each region has, shape (region,).

    Returns
    -------
    Share of a region's own rows that were taken for it, and share of the rows of all other regions
    that were not, each of shape (..., region).
    """
    taken = confusion * counts[:, None]
    own = np.diagonal(taken, axis1=-2, axis2=-1)
    others = counts.sum() - counts
    return np.asarray(own / counts), np.asarray(1 - (taken.sum(axis=-2) - own) / others)


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


def halves_table(found: HalvesResult, n_permutations: int) -> Table:
    """One row a region of a recording: how often its halves are recognised in that recording."""
    return Table(
        id="recognition-within",
        title="How well each region is recognised within a recording",
        caption=(
            "Sensitivity: share of splits and directions in which a region's half is taken for the "
            "region, by rank correlation with the other halves; specificity: share of the other "
            "regions' halves that are not taken for it. By ranks, for which no level is chosen. "
            + where_told(
                found.recognition,
                "sensitivity_low",
                "Ranges of 95 % are over neurons and stimuli of the recording, and secondary to "
                "regroupings; none where no resample differs. ",
            )
            + f"Regroupings: mean, and what 95 % stay below, of {n_permutations} relabellings of "
            "the units; a region with more units is recognised more often in these, too. Splits "
            "share all units and trials, so that their number is no n. All this is about the "
            "units of these recordings, and says nothing about these regions in other animals."
        ),
        columns=columns(
            found.recognition,
            {
                "recording": "recording",
                "region": "region",
                "n_units": "units",
                "sensitivity": "sensitivity",
                "sensitivity_low": "from",
                "sensitivity_high": "to",
                "sensitivity_chance": "regroupings",
                "sensitivity_most": "95 % of these below",
                "specificity": "specificity",
                "specificity_low": "specificity from",
                "specificity_high": "specificity to",
                "specificity_chance": "specificity of regroupings",
                "specificity_most": "95 % of those below",
            },
        ),
    )


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
