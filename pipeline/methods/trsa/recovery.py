"""What was found beside what was planted, for simulated recordings."""

from __future__ import annotations

import numpy as np

from pipeline.core.planted import Planted
from pipeline.core.words import counted
from pipeline.methods.trsa.populations import likeness
from pipeline.methods.trsa.result import TrsaResult
from pipeline.methods.trsa.simulate import TrsaTruth

Recovery = dict[tuple[str, str], float]

GEOMETRY_WORDS = {
    "ring": "on a ring in",
    "clusters": "in clusters in",
    "none": "none in",
}


def recovery(result: TrsaResult, truth: TrsaTruth) -> Recovery:
    """Rank correlation of found with planted dissimilarities, by recording and region.

    Regions without a geometry are not among them.
    """
    found: Recovery = {}
    order = [list(result.condition).index(name) for name in truth.condition]
    n = len(order)
    first, second = np.triu_indices(n, 1)
    place = np.zeros((n, n), dtype=np.int64)
    place[first, second] = place[second, first] = np.arange(first.size)
    pairs = place[np.array(order)[first], np.array(order)[second]]
    for index, row in enumerate(result.populations.itertuples(index=False)):
        known = np.flatnonzero((truth.region == row.region) & (truth.geometry != "none"))
        if known.size:
            seen = result.dissimilarities[0, index, pairs][None]
            planted = truth.dissimilarities[known[:1]]
            value = likeness(seen, planted, "spearman")[0, 0]
            found[str(row.recording), str(row.region)] = float(value)
    return found


def planted(truth: TrsaTruth) -> Planted:
    """What was planted, for readers and for other methods."""
    forms = [
        f"{GEOMETRY_WORDS[str(geometry)]} {region}"
        for region, geometry in zip(truth.region, truth.geometry, strict=True)
    ]
    return Planted(
        words=f"answers to {counted(truth.condition.size, 'condition')}: {', '.join(forms)}",
        kind="geometries",
        groups={
            str(unit): str(truth.geometry[region])
            for unit, region in zip(truth.unit, truth.region_of_unit, strict=True)
        },
    )


def recovered(result: TrsaResult, truth: TrsaTruth) -> str:
    """How much of it was found."""
    several = result.populations["recording"].nunique() > 1
    found = ", ".join(
        f"{recording} {region} {value:z.2f}" if several else f"{region} {value:z.2f}"
        for (recording, region), value in recovery(result, truth).items()
    )
    return f"rank correlations with the planted dissimilarities of {found}" if found else "none"
